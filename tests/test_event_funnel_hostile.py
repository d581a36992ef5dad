"""Event funnels over rows in any order, and over one contact with everything."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_event_funnel import N_CASES, N_FURTHER_CASES, oracle

import crm_engine as crm

KINDS = "ABCx"


def funnel_of(rows, n_steps, window, **more):
    """Rows are (contact, time, kind, page); steps are plain values of one column, the shortest way through the kernel."""
    contact, time, kind, page = zip(*rows, strict=True)
    table = pa.table(
        {"contact_id": list(contact), "time": pa.array(time, pa.timestamp("s")), "kind": list(kind), "page": pa.array(page, pa.string())}
    )
    steps = [{"name": letter, "where": f"kind = '{letter}'"} for letter in KINDS[:n_steps]]
    return crm.event_funnel(table, {"steps": steps, "window": window, **more})


def touched(events, step, time):
    """The least page of the rows that may have been the step: ties of one time are settled so."""
    return min((page for at, kind, page in events if kind == KINDS[step - 1] and at == time), default=None)


@settings(max_examples=N_CASES, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 12), st.sampled_from(KINDS), st.sampled_from("pqr")), min_size=1, max_size=16),
    st.integers(1, 3),
    st.integers(0, 12),
)
def test_first_and_last_touch_of_rows_in_any_order(rows, n_steps, window):
    plan = {"n": n_steps, "modes": [], "window": window, "optional": set(), "within": {}, "exclude": []}
    expected = {"first": {}, "last": {}}
    for contact in {row[0] for row in rows}:
        events = [row[1:] for row in rows if row[0] == contact]
        known = [(time, {kind} & set(KINDS[:n_steps]), set()) for time, kind, _ in events]
        level, times = oracle(known, plan)
        for of, step in (("first", 1), ("last", level)):
            for reached in range(1, level + 1):
                key = (touched(events, step, times[step]), reached)
                expected[of][key] = expected[of].get(key, 0) + 1
    for of, counts in expected.items():
        funnel = funnel_of(rows, n_steps, window, by={"column": "page", "of": of})
        assert {(row["page"], row["step"]): row["contacts"] for row in funnel.steps.to_pylist() if row["contacts"]} == counts


@settings(max_examples=N_FURTHER_CASES, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 12), st.sampled_from(KINDS), st.sampled_from("pqr")), min_size=1, max_size=16),
    st.integers(1, 3),
    st.sampled_from(
        [{}, {"attempts": True}, {"order": "any"}, {"mode": "strict_order"}, {"mode": "strict_once"}, {"mode": "strict_increase"}]
    ),
    st.sampled_from(["first", "last"]),
    st.randoms(),
)
def test_the_order_of_rows_changes_nothing(rows, n_steps, more, of, random):
    given_order = funnel_of(rows, n_steps, 6, by={"column": "page", "of": of}, **more)
    shuffled = funnel_of(random.sample(rows, len(rows)), n_steps, 6, by={"column": "page", "of": of}, **more)
    for name in ("steps", "totals", "attempts", "histogram", "levels"):
        one, other = getattr(given_order, name), getattr(shuffled, name)
        assert one is other is None or one.equals(other), name


def one_contact(n, kinds="ABC"):
    draw = np.random.default_rng(7)
    return pa.table(
        {
            "contact_id": np.ones(n, np.int64),
            "kind": pa.array(list(kinds)).take(pa.array(draw.integers(0, len(kinds), n))),
            "time": pa.array(np.arange(n), pa.timestamp("s")),
        }
    )


def test_one_contact_with_everything_in_any_order():
    steps = [{"name": letter, "where": f"kind = '{letter}'"} for letter in "ABCD"]
    assert crm.event_funnel(one_contact(2_000_000), {"steps": steps, "order": "any"}).steps["contacts"].to_pylist() == [1, 1, 1, 0]


@pytest.mark.parametrize(("mode", "n"), [("strict_increase", 400_000), ("strict_once", 20_000)])
def test_many_steps_and_one_contact_with_everything_take_bounded_memory(mode, n):
    """As its own process, whose memory is limited: 119 steps squared times 400,000 moments would be 6 GB."""
    script = """
import resource, numpy as np, pyarrow as pa, crm_engine as crm
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
n = NUMBER
events = pa.table({"contact_id": np.ones(n, np.int64), "kind": ["visit"] * n, "time": pa.array(np.arange(n), pa.timestamp("s"))})
steps = [{"name": str(k), "where": "kind = 'visit'"} for k in range(119)] + [{"name": "z", "where": "kind = 'never'"}]
print(crm.event_funnel(events, {"steps": steps, "mode": MODE}).steps["contacts"].to_pylist()[-2:])
"""
    found = subprocess.run(
        [sys.executable, "-c", script.replace("MODE", repr(mode)).replace("NUMBER", str(n))], capture_output=True, text=True, check=False
    )
    assert (found.stdout, found.returncode) == ("[1, 0]\n", 0), found.stderr


def test_windows_per_step_that_fail_many_times_are_walked_once():
    kinds = ["A"] + ["B"] * 100_000 + ["x"] * 100_000 + ["B", "C"]
    events = pa.table({"contact_id": [1] * len(kinds), "kind": kinds, "time": pa.array(range(len(kinds)), pa.timestamp("s"))})
    steps = [{"name": letter, "where": f"kind in ('{letter}')", "within": 250_000 if letter == "B" else 90_000} for letter in "ABC"]
    funnel = crm.event_funnel(events, {"steps": steps})
    assert funnel.steps["median_seconds"].to_pylist() == [None, 200_001.0, 1.0]


def test_a_stream_of_one_big_contact_and_others():
    big = one_contact(3_000_000)
    small = pa.table({"contact_id": [2, 2, 0], "kind": ["A", "B", "A"], "time": pa.array([1, 2, 3], pa.timestamp("s"))})
    table = pa.concat_tables([small.slice(2), big, small.slice(0, 2)])
    steps = [{"name": letter, "where": f"kind = '{letter}'"} for letter in "ABC"]
    stream = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=4_096))
    funnel = crm.event_funnel(stream, {"steps": steps, "grouped": True})
    assert funnel.levels.to_pydict() == {"contact": [0, 1, 2], "level": [1, 3, 2]}


def test_what_is_wrong_in_a_stream_is_told_as_in_a_table():
    table = pa.table({"contact_id": [1, 1, 2], "kind": ["A"] * 3, "time": ["2026-01-01", "2026-01-02", "never"]})
    config = {"steps": [{"name": "A", "where": "kind = 'A'"}], "grouped": True}
    stream = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))
    with pytest.raises(crm.SchemaError, match="row 3 of column 'time'"):
        crm.event_funnel(stream, config)


def test_conditions_that_cannot_be_computed_are_told():
    table = pa.table({"contact_id": [1, 1], "kind": ["1", "x"], "time": pa.array([0, 1], pa.timestamp("s"))})
    steps = [{"name": "one", "where": "cast(kind as bigint) = 1"}, {"name": "two", "where": "kind = 'x'"}]
    for more in ({}, {"grouped": True}):
        summary = crm.event_funnel(table, {"steps": steps, **more}).summary
        assert len(summary["warnings"]) == 1
        assert "kind" in summary["warnings"][0]
        assert summary["converted"] == 1
    assert crm.event_funnel(table, {"steps": steps[1:]}).summary["warnings"] == []
