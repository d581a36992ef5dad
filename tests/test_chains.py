"""What holds records in one contact whose own pair is improbable."""

from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_engine.chains import chain_of
from crm_engine.cli import run


@pytest.mark.parametrize("seed", range(20))
def test_no_way_has_a_stronger_weakest_pair(seed: int) -> None:
    draw = random.Random(seed)
    links = [(a, b, float(draw.randrange(-5, 20))) for a, b in itertools.combinations(range(6), 2) if draw.random() < 0.5]
    weights = {frozenset(link[:2]): link[2] for link in links if set(link[:2]) != {0, 5}}
    ways = [(0, *middle, 5) for n in range(1, 5) for middle in itertools.permutations(range(1, 5), n)]
    weakest = [min(weights.get(frozenset(pair), -math.inf) for pair in itertools.pairwise(way)) for way in ways]
    chain = chain_of(links, 0, 5)
    if max(weakest) == -math.inf:
        assert chain is None
        return
    assert chain is not None
    assert [chain[0]["record_id_a"], chain[-1]["record_id_b"]] == [0, 5]
    assert all(one["record_id_b"] == other["record_id_a"] for one, other in itertools.pairwise(chain))
    assert min(one["match_weight"] for one in chain) == max(weakest)


def test_a_decision_is_stronger_than_any_weight() -> None:
    assert chain_of([(1, 2, math.inf), (2, 3, math.inf), (1, 3, 50.0)], 1, 3) == [
        {"record_id_a": 1, "record_id_b": 2, "match_weight": None},
        {"record_id_a": 2, "record_id_b": 3, "match_weight": None},
    ]


def test_explain_names_the_chain(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "-o", str(tmp_path / "demo"), "--rows", "100", "-q"]) == 0
    assert run(["dedupe", str(tmp_path / "demo" / "hubspot_contacts.csv"), "-o", str(tmp_path / "out"), "-q"]) == 0
    out = tmp_path / "out"
    records, pairs = pq.read_table(out / "records.parquet"), pq.read_table(out / "pairs.parquet")
    # Three records that nothing connects but what the folder says of them.
    seen, alone = set(), []
    for row in records.select(["record_id", "last_name" if "last_name" in records.column_names else "contact_id"]).to_pylist():
        _, name = row.values()
        if name not in seen and len(alone) < 3:
            seen.add(name)
            alone.append(row["record_id"])
    contact = pa.array(
        [
            "cone" if one in alone else other
            for one, other in zip(*(records[c].to_pylist() for c in ("record_id", "contact_id")), strict=True)
        ]
    )
    pq.write_table(records.set_column(records.column_names.index("contact_id"), "contact_id", contact), out / "records.parquet")
    rows = pairs.slice(0, 2).to_pylist()
    for row, (a, b) in zip(rows, itertools.pairwise(alone), strict=True):
        row |= {"record_id_a": min(a, b), "record_id_b": max(a, b), "match_weight": 9.0}
    pq.write_table(pa.Table.from_pylist(rows, pairs.schema), out / "pairs.parquet")
    capfd.readouterr()
    command = ["explain", str(out), str(alone[0]), str(alone[2])]
    assert run([*command, "--json"]) == 0
    chain = json.loads(capfd.readouterr().out)["chain"]
    assert [(one["record_id_a"], one["record_id_b"]) for one in chain] == list(itertools.pairwise(alone))
    assert run(command) == 0
    shown = capfd.readouterr().out
    assert "other records hold them together" in shown
    assert f"{alone[0]} - {alone[1]}: match weight +9.0" in shown
