"""Event funnels over rows in any order, and over one contact with everything."""

import resource
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_event_funnel import N_CASES, oracle

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


@settings(max_examples=N_CASES // 3, deadline=None)
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
