"""``evaluate`` against plain oracles, over both forms of labels, and its intervals against repeated sampling."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_engine as crm
from crm_engine.evaluate import metrics_of, ratio_interval


def slow(true: list[int], predicted: list[int]) -> dict[str, float]:
    pairs = list(itertools.combinations(range(len(true)), 2))
    right = sum(true[a] == true[b] and predicted[a] == predicted[b] for a, b in pairs)
    merged = sum(predicted[a] == predicted[b] for a, b in pairs)
    same = sum(true[a] == true[b] for a, b in pairs)
    precisions, recalls = [], []
    for record in range(len(true)):
        mine = {other for other in range(len(true)) if predicted[other] == predicted[record]}
        theirs = {other for other in range(len(true)) if true[other] == true[record]}
        precisions.append(len(mine & theirs) / len(mine))
        recalls.append(len(mine & theirs) / len(theirs))
    return {"right": right, "merged": merged, "same": same, "bp": float(np.mean(precisions)), "br": float(np.mean(recalls))}


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 14).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 5), min_size=n, max_size=n)] * 2)))
def test_figures_agree_with_counting_pairs(partitions: tuple[list[int], list[int]]) -> None:
    true, predicted = partitions
    expected, found = slow(true, predicted), metrics_of(true, predicted)
    assert found.precision == (pytest.approx(expected["right"] / expected["merged"]) if expected["merged"] else None)
    assert found.recall == (pytest.approx(expected["right"] / expected["same"]) if expected["same"] else None)
    assert found.b_cubed_precision == pytest.approx(expected["bp"])
    assert found.b_cubed_recall == pytest.approx(expected["br"])
    assert (found.true_positives, found.false_positives) == pytest.approx((expected["right"], expected["merged"] - expected["right"]))


def test_the_interval_holds_the_truth_in_most_samples() -> None:
    rng = np.random.default_rng(3)
    size = rng.integers(1, 6, 4_000).astype(float)
    below = size * (size - 1) / 2
    above = rng.binomial(below.astype(int), 0.9).astype(float)
    truth = above.sum() / below.sum()
    held = 0
    for _ in range(300):
        chosen = rng.choice(len(size), 200, replace=False)
        interval = ratio_interval(above[chosen], below[chosen])
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    assert 0.90 <= held / 300 <= 0.99


@pytest.fixture(scope="module")
def people() -> pa.Table:
    rng = random.Random(1)
    rows = []
    for person in range(40):
        name, email = f"Person{chr(65 + person % 26)}{chr(65 + person // 26)} Smithson{person}", f"p{person}@example.com"
        rows += [{"id": f"k{person}-{copy}", "name": name, "email": email, "truth": f"E{person}"} for copy in range(rng.choice([1, 2, 3]))]
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def result(people: pa.Table) -> crm.DedupeResult:
    return crm.dedupe(people.drop_columns(["truth"]))


def labels(people: pa.Table, key: str = "id") -> pa.Table:
    return pa.table({key: people["id"], "true_id": people["truth"]})


@pytest.mark.parametrize("key", ["id", "source_key"])
def test_labels_by_any_key(result: crm.DedupeResult, people: pa.Table, key: str) -> None:
    found = crm.evaluate(result, labels(people, key))
    assert found.labels == "all records"
    assert found.intervals is None
    assert found.labelled == people.num_rows == found.records
    truth = dict(zip(people["id"].to_pylist(), people["truth"].to_pylist(), strict=True))
    expected = metrics_of([truth[key] for key in result.records["id"].to_pylist()], result.records["contact_id"].to_pylist())
    assert found.f1 == expected.f1
    assert found.b_cubed_f1 == pytest.approx(expected.b_cubed_f1)


def test_labels_by_place_and_by_record_id(result: crm.DedupeResult, people: pa.Table) -> None:
    truth = dict(zip(people["id"].to_pylist(), people["truth"].to_pylist(), strict=True))
    true_ids = pa.array([truth[key] for key in result.records["id"].to_pylist()])
    by_id = pa.table({"record_id": result.records["record_id"], "true_id": true_ids})
    by_place = pa.table({name: result.records[name] for name in ("source_file", "source_row")} | {"true_id": true_ids})
    assert crm.evaluate(result, by_id) == crm.evaluate(result, by_place) == crm.evaluate(result, labels(people))


def test_a_sample_of_clusters_gives_intervals(result: crm.DedupeResult, people: pa.Table) -> None:
    some = labels(people).filter(pa.array([int(name[1:]) < 25 for name in people["truth"].to_pylist()]))
    found = crm.evaluate(result, some)
    assert found.labels == "a sample of clusters"
    assert found.intervals is not None
    assert {"precision", "recall", "f1"} <= set(found.intervals)
    for name, (low, high) in found.intervals.items():
        assert low <= getattr(found, name) <= high
    assert crm.evaluate(result, some, sampled_by="records").intervals is None


def test_pairs(result: crm.DedupeResult) -> None:
    ids, contacts = result.records["record_id"].to_pylist(), result.records["contact_id"].to_pylist()
    pairs = [(a, b) for a, b in itertools.combinations(range(len(ids)), 2)]
    table = pa.table(
        {
            "record_id_a": [ids[a] for a, _ in pairs],
            "record_id_b": [ids[b] for _, b in pairs],
            "label": ["same" if contacts[a] == contacts[b] else "different" for a, b in pairs],
        }
    )
    found = crm.evaluate(result, table)
    assert (found.precision, found.recall, found.f1, found.labels) == (1.0, 1.0, 1.0, "pairs")


def test_labels_that_fit_nothing_are_refused(result: crm.DedupeResult, people: pa.Table) -> None:
    with pytest.raises(crm.SchemaError, match="no column of true ids"):
        crm.evaluate(result, pa.table({"id": ["k1-0"]}))
    with pytest.raises(crm.SchemaError, match="is found in the records"):
        crm.evaluate(result, pa.table({"id": ["nobody"], "true_id": ["x"]}))
    with pytest.raises(crm.SchemaError, match="none of the columns"):
        crm.evaluate(result, pa.table({"nothing": ["x"], "true_id": ["x"]}))


def test_a_written_result_gives_the_same(result: crm.DedupeResult, people: pa.Table, tmp_path: Path) -> None:
    result.write(tmp_path / "out")
    assert crm.evaluate(tmp_path / "out", labels(people)) == crm.evaluate(result, labels(people))
