"""Events whose contacts follow each other, a batch at a time: the same numbers as all at once."""

import itertools
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_engine as crm
from crm_engine import ConfigError, SchemaError

STEPS = [{"name": step, "where": f"kind = '{step}'"} for step in "abc"]
TABLES = ("steps", "totals", "subtotals", "histogram", "levels")


def same(one, other):
    for name in TABLES:
        assert getattr(one, name).equals(getattr(other, name)), name
    assert one.summary == other.summary


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcx")), min_size=1, max_size=6), max_size=8),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([{}, {"window": 4}, {"window": 4, "attempts": True}, {"mode": "strict_order"}]),
)
def test_a_stream_gives_what_the_table_gives(contacts, batch_rows, as_text, more):
    rows = [(10 - number, time, kind) for number, events in enumerate(contacts) for time, kind in events]
    contact = pa.array([row[0] for row in rows], pa.int64())
    table = pa.table(
        {
            "contact_id": contact.cast(pa.string()) if as_text else contact,
            "time": pa.array([row[1] for row in rows], pa.timestamp("s")),
            "kind": pa.array([row[2] for row in rows], pa.string()),
        }
    )
    people = pa.table({"contact_id": table["contact_id"].unique(), "channel": [n % 2 for n in range(len(table["contact_id"].unique()))]})
    config = {"steps": STEPS, "by": {"column": "channel", "of": "contact"}, **more}
    stream = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=batch_rows))
    grouped = crm.event_funnel(stream, {**config, "grouped": True}, contacts=people)
    at_once = crm.event_funnel(table, config, contacts=people)
    known = {row["contact"] for row in grouped.levels.to_pylist()}
    # A stream is not kept, so only contacts with an event that takes part are known afterwards; the others are on level 0.
    assert [row for row in at_once.levels.to_pylist() if row["contact"] in known] == grouped.levels.to_pylist()
    assert all(row["level"] == 0 for row in at_once.levels.to_pylist() if row["contact"] not in known)
    for name in ("steps", "totals", "subtotals", "histogram"):
        assert getattr(grouped, name).equals(getattr(at_once, name)), name
    assert grouped.summary == at_once.summary


@pytest.mark.parametrize("ascending", [True, False])
def test_more_rows_than_are_held_at_once(ascending, tmp_path):
    draw = np.random.default_rng(5)
    ids = np.arange(300_000) if ascending else draw.permutation(10**12 + np.arange(300_000) * 1_000)
    contact = np.repeat(ids, draw.integers(1, 15, len(ids)))
    table = pa.table(
        {
            "contact_id": contact,
            "time": pa.array(draw.integers(0, 10**6, len(contact)) * 1_000, pa.timestamp("ms")),
            "kind": pa.array(list("abc")).take(pa.array(draw.integers(0, 3, len(contact)))),
        }
    )
    assert len(table) > 2_000_000
    pq.write_table(table, tmp_path / "events.parquet")
    config = {"steps": STEPS, "window": "2 days"}
    same(crm.event_funnel(tmp_path / "events.parquet", {**config, "grouped": True}), crm.event_funnel(table, config))


def test_contacts_that_come_again_are_an_error():
    half = pa.table({"contact_id": np.repeat(np.arange(600_000), 2), "time": pa.array(np.zeros(1_200_000, int), pa.timestamp("s"))})
    again = pa.table({"contact_id": np.arange(5, 700_000), "time": pa.array(np.zeros(699_995, int), pa.timestamp("s"))})
    table = pa.concat_tables([half, again])
    with pytest.raises(SchemaError, match=r"not grouped by contact: after row \d+ a contact comes again"):
        crm.event_funnel(table, {"steps": ["time is not null"], "grouped": True})


def test_what_a_stream_cannot_do_is_said():
    table = pa.table({"contact_id": [1], "time": pa.array([0], pa.timestamp("s")), "kind": ["a"], "page": ["x"]})
    with pytest.raises(ConfigError, match="not broken down by a column of their own"):
        crm.event_funnel(table, {"steps": STEPS, "grouped": True, "by": "page"})
    empty = crm.event_funnel(table.slice(0, 0), {"steps": STEPS, "grouped": True})
    assert [len(getattr(empty, name)) for name in TABLES] == list(itertools.repeat(0, len(TABLES)))


def in_batches(table, rows, config):
    stream = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=rows))
    return crm.event_funnel(stream, {"steps": STEPS, "grouped": True, **config})


@pytest.mark.parametrize("as_text", [False, True])
def test_ids_written_as_floats_do_not_depend_on_how_a_stream_is_cut(as_text):
    contact = pa.array(["1.0", "1.0", "1.5"] if as_text else [1.0, 1.0, 1.5])
    table = pa.table({"contact_id": contact, "time": pa.array([0, 1, 2], pa.timestamp("s")), "kind": ["a", "b", "a"]})
    found = [in_batches(table, rows, {}) for rows in (1, 2, 3)]
    assert [one.levels["contact"].to_pylist() for one in found] == [["1", "1.5"]] * 3
    assert [one.totals["contacts"].to_pylist() for one in found] == [[2, 1, 0]] * 3


def test_dates_do_not_depend_on_how_a_stream_is_cut():
    table = pa.table({"contact_id": [1, 1, 1], "time": ["26/02/03", "26/03/02", "02/03/2026"], "kind": ["a", "b", "c"]})
    with pytest.warns(crm.AmbiguousDatesWarning):
        found = [in_batches(table, rows, {"date_order": "ymd", "window": "28 days"}) for rows in (1, 2, 3)]
    assert found[0].totals["contacts"].to_pylist() == [1, 1, 1]
    same(found[0], found[1])
    same(found[0], found[2])


def test_a_stream_whose_dates_can_be_read_in_two_ways_is_told_once():
    table = pa.table({"contact_id": [1, 1], "time": ["02/03/2026", "04/03/2026"], "kind": ["a", "b"]})
    with pytest.warns(crm.AmbiguousDatesWarning, match="events: the dates of column 'time'") as heard:
        in_batches(table, 1, {})
    assert len(heard) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_batches(table, 1, {"date_order": "dmy"})
        in_batches(table.set_column(1, "time", pa.array(["13/03/2026", "14.03.2026"])), 1, {})
