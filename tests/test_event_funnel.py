"""Event funnels against an oracle that tries every chain."""

import datetime as dt
import itertools
import statistics

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import LONG
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_engine as crm
from crm_engine import ConfigError, RuleError, SchemaError

N_CASES = 10_000 if LONG else 300
N_FURTHER_CASES = 10_000 if LONG else 100
LETTERS = "ABCDEF"


def oracle_chains(events, plan):
    """Every chain as (steps, times); events are (time, letters, exclusions) in any order."""
    order = sorted((time, LETTERS.index(letter) + 1, row) for row, (time, letters, _) in enumerate(events) for letter in letters)
    required_before = {}
    required = 0
    for step in range(1, plan["n"] + 1):
        required_before[step] = required
        if step not in plan["optional"]:
            required = step
    exclusions = [(time, number) for time, _, marks in events for number in marks]
    found = []

    def may(chain, event):
        (time, step, row), (last_time, last_step, _) = event, chain[-1]
        if required_before[step] != last_step or time - chain[0][0] > plan["window"]:
            return False
        if time - last_time > plan["within"].get(step, float("inf")):
            return False
        if "strict_increase" in plan["modes"] and time <= last_time:
            return False
        if "strict_once" in plan["modes"] and row in [other[2] for other in chain]:
            return False
        return not any(
            begin <= last_step < end and last_time <= at < time
            for number, (begin, end) in enumerate(plan["exclude"])
            for at, mark in exclusions
            if mark == number
        )

    def extend(chain, index):
        found.append(chain)
        for later in range(index + 1, len(order)):
            if may(chain, order[later]):
                extend([*chain, order[later]], later)

    for index, event in enumerate(order):
        if event[1] == 1:
            extend([event], index)
    return found


def visible(events, plan):
    """The events before the one that ends the scan."""
    order = []
    for time, letters, marks in events:
        if letters:
            order += [(time, LETTERS.index(letter) + 1, letters, marks) for letter in letters]
        elif not marks:
            order.append((time, 0, letters, marks))
    order.sort(key=lambda event: event[:2])
    kept = []
    for time, step, letters, marks in order:
        before = [(t, {LETTERS[s - 1]} if s else set(), m) for t, s, _, m in kept]
        reached = {event[1] for chain in oracle_chains(before, plan) for event in chain}
        started = 1 in reached
        if "strict_order" in plan["modes"] and started and (step == 0 or (step > 1 and step - 1 not in reached)):
            break
        if "strict_deduplication" in plan["modes"] and step > 1 and step in reached:
            break
        kept.append((time, step, letters, marks))
    return [(time, {LETTERS[step - 1]} if step else set(), marks) for time, step, _, marks in kept]


def oracle(events, plan):
    """Level and the times of the chain that is shown."""
    if {"strict_order", "strict_deduplication"} & set(plan["modes"]):
        events = visible(events, plan)
    chains = oracle_chains(events, plan)
    if not chains:
        return 0, {}
    level = max(chain[-1][1] for chain in chains)
    best = min((c for c in chains if c[-1][1] == level), key=lambda c: (c[-1][0], -c[0][0], [event[0] for event in c]))
    return level, {event[1]: event[0] for event in best}


def run(contacts, plan, **more):
    rows = [(contact, time, "".join(sorted(letters)), marks) for contact, events in enumerate(contacts) for time, letters, marks in events]
    table = pa.table(
        {
            "contact_id": pa.array([row[0] for row in rows], pa.int64()),
            "time": pa.array([row[1] for row in rows], pa.timestamp("s")),
            "letters": pa.array([row[2] for row in rows], pa.string()),
            **{f"x{number}": pa.array([number in row[3] for row in rows], pa.bool_()) for number in range(len(plan["exclude"]))},
        }
    )
    config = {
        "steps": [
            {
                "name": letter,
                "where": f"letters like '%{letter}%'",
                "optional": number in plan["optional"],
                "within": plan["within"].get(number),
            }
            for number, letter in enumerate(LETTERS[: plan["n"]], 1)
        ],
        "window": plan["window"],
        "mode": plan["modes"],
        "exclude": [{"where": f"x{number}", "from": begin, "to": end} for number, (begin, end) in enumerate(plan["exclude"])],
        **more,
    }
    return table, config, crm.event_funnel(table, config)


@st.composite
def plans(draw, modes=("default", "strict_deduplication", "strict_order", "strict_increase", "strict_once")):
    n = draw(st.integers(1, 4))
    mode = draw(st.sampled_from(modes))
    extra = mode not in ("strict_deduplication", "strict_order")
    exclude = []
    within = {}
    if extra and n > 1:
        within = draw(st.dictionaries(st.integers(2, n), st.integers(0, 4), max_size=2))
        pairs = [(a, b) for a in range(1, n) for b in range(a + 1, n + 1)]
        exclude = draw(st.lists(st.sampled_from(pairs), max_size=2))
    return {"n": n, "modes": [mode], "window": draw(st.integers(0, 12)), "optional": set(), "within": within, "exclude": exclude}


def histories(n_exclusions=2, n_letters=4, others=True):
    letters = st.sets(st.sampled_from(LETTERS[:n_letters]), min_size=0 if others else 1, max_size=2)
    event = st.tuples(st.integers(0, 10), letters, st.sets(st.integers(0, n_exclusions - 1), max_size=1))
    return st.lists(st.lists(event, max_size=7), min_size=1, max_size=5)


def clean(contacts, plan):
    """Only the letters and marks that the plan knows; an event is a step or an exclusion or neither."""
    known = set(LETTERS[: plan["n"]])
    return [
        [(time, letters & known, {m for m in marks if m < len(plan["exclude"])}) for time, letters, marks in events] for events in contacts
    ]


@settings(max_examples=N_CASES, deadline=None)
@given(plans(), histories())
def test_levels_and_times_agree_with_the_oracle(plan, contacts):
    contacts = clean(contacts, plan)
    _, _, funnel = run(contacts, plan)
    expected = [oracle(events, plan) for events in contacts]
    levels = dict(zip(funnel.levels["contact"].to_pylist(), funnel.levels["level"].to_pylist(), strict=True))
    assert levels == {contact: level for contact, (level, _) in enumerate(expected) if contacts[contact]}
    if not any(contacts):
        assert funnel.steps.num_rows == 0
        return
    rows = funnel.steps.to_pylist()
    for step, row in enumerate(rows, 1):
        assert row["contacts"] == sum(level >= step for level, _ in expected)
        waits = [times[step] - times[step - 1] for level, times in expected if step > 1 and level >= step]
        assert row["median_seconds"] == (statistics.median(waits) if waits else None)
        if row["p90_seconds"] is not None:
            assert row["p90_seconds"] >= row["median_seconds"] >= 0


@settings(max_examples=N_FURTHER_CASES, deadline=None)
@given(plans(("default", "strict_increase", "strict_once")), histories(), st.data())
def test_optional_steps_may_be_left_out(plan, contacts, data):
    plan["exclude"] = []
    if plan["n"] > 1:
        plan["optional"] = data.draw(st.sets(st.integers(2, plan["n"]), min_size=1))
    contacts = clean(contacts, plan)
    _, _, funnel = run(contacts, plan)
    expected = [oracle(events, plan)[0] for events in contacts]
    for step, row in enumerate(funnel.steps.to_pylist(), 1):
        if step not in plan["optional"]:
            assert row["contacts"] == sum(level >= step for level in expected)
        else:
            assert sum(level == step for level in expected) <= row["contacts"] <= sum(level >= step for level in expected)
        assert row["median_seconds"] is None or row["median_seconds"] >= 0


@settings(max_examples=N_FURTHER_CASES, deadline=None)
@given(histories(1), st.integers(1, 4), st.integers(0, 8))
def test_any_order_counts_different_steps_in_a_window(contacts, n, window):
    plan = {"n": n, "modes": [], "window": window, "optional": set(), "within": {}, "exclude": []}
    contacts = clean(contacts, plan)
    _, _, funnel = run(contacts, plan, order="any")
    levels = dict(zip(funnel.levels["contact"].to_pylist(), funnel.levels["level"].to_pylist(), strict=True))
    for contact, events in enumerate(contacts):
        best = max(
            (len(set().union(*(letters for time, letters, _ in events if start <= time <= start + window))) for start, _, _ in events),
            default=0,
        )
        assert levels.get(contact, 0) == best


@settings(max_examples=50, deadline=None)
@given(plans(), histories(), st.randoms())
def test_batches_order_and_key_types_do_not_matter(plan, contacts, random):
    contacts = clean(contacts, plan)
    table, config, funnel = run(contacts, plan)
    shuffled = table.take(pa.array(random.sample(range(len(table)), len(table)), pa.int64()))
    small = pa.Table.from_batches(shuffled.to_batches(max_chunksize=2), shuffled.schema)
    assert crm.event_funnel(small, config).steps.equals(funnel.steps)
    as_text = small.set_column(0, "contact_id", pc.binary_join_element_wise("c", small["contact_id"].cast(pa.string()), ""))
    assert crm.event_funnel(as_text, config).steps.equals(funnel.steps)
    sparse = small.set_column(0, "contact_id", pc.multiply(small["contact_id"], 1_000_003_000_000_007))
    assert crm.event_funnel(sparse, config).steps.equals(funnel.steps)
    fine = small.set_column(1, "time", pc.cast(small["time"], pa.timestamp("ns", "Europe/Riga")))
    assert crm.event_funnel(fine, config).steps.equals(funnel.steps)


EVENTS = pa.table(
    {
        "contact_id": ["a", "a", "a", "b", "b", "c", "d", None],
        "time": pa.array([0, 10, 20, 0, 5, 3, 1, 1], pa.timestamp("s")),
        "kind": ["visit", "quote", "order", "visit", "quote", "visit", "quote", "visit"],
        "page": ["home", "x", "shop", "price", "y", None, "z", "home"],
        "amount": [0, 0, 50, 0, 0, 0, 0, 0],
    }
)
STEPS = [{"name": n, "where": f"kind = '{n}'"} for n in ("visit", "quote", "order")]


def test_columns_are_those_promised():
    funnel = crm.event_funnel(EVENTS, {"steps": STEPS})
    assert funnel.steps.column_names == [
        "step",
        "name",
        "contacts",
        "conversion_from_previous",
        "conversion_from_start",
        "median_seconds",
        "p90_seconds",
    ]
    assert funnel.steps["contacts"].to_pylist() == [3, 2, 1]
    assert funnel.steps["conversion_from_previous"].to_pylist() == [1.0, 2 / 3, 0.5]
    assert [tuple(row.values()) for row in funnel.details.to_pylist()] == [
        (1, "visit", 3, 2, 1),
        (2, "quote", 2, 1, 1),
        (3, "order", 1, 1, 0),
    ]
    assert funnel.levels.to_pydict() == {"contact": ["a", "b", "c", "d"], "level": [3, 2, 1, 0]}
    assert funnel.stopped_at(2).to_pylist() == ["b"]
    assert funnel.reached(2).to_pylist() == ["a", "b"]
    assert funnel.segments().to_pylist()[0] == {"segment": "funnel: converted", "contact": "a"}
    assert funnel.summary["rows_without_contact_or_time"] == 1
    hist = funnel.histogram.filter(pc.and_(pc.equal(funnel.histogram["step"], 0), pc.greater(funnel.histogram["contacts"], 0)))
    assert hist.select(["from_seconds", "to_seconds", "contacts"]).to_pylist() == [{"from_seconds": 10, "to_seconds": 60, "contacts": 1}]


def test_breakdowns_by_touch_and_contact():
    contacts = pa.table({"contact_id": ["a", "b", "c"], "channel": ["ads", "ads", "site"]})
    funnel = crm.event_funnel(
        EVENTS,
        {"steps": STEPS, "by": ["page", "channel"], "breakdowns": {"ends": [{"column": "page", "of": "last", "top": 1}]}},
        contacts=contacts,
    )
    counts = {(row["page"], row["channel"]): row["contacts"] for row in funnel.steps.to_pylist() if row["step"] == 1}
    assert counts == {("home", "ads"): 1, ("price", "ads"): 1, (None, "site"): 1}
    assert funnel.totals["contacts"].to_pylist() == [3, 2, 1]
    subtotals = {(row["column"], row["value"]): row["contacts"] for row in funnel.subtotals.to_pylist() if row["step"] == 1}
    assert subtotals == {("page", "home"): 1, ("page", "price"): 1, ("page", None): 1, ("channel", "ads"): 2, ("channel", "site"): 1}
    ends = {row["page"]: row["contacts"] for row in funnel.breakdowns["ends"].to_pylist() if row["step"] == 1}
    assert ends == {"shop": 1, "other": 2}


def test_what_may_be_left_out_loses_nobody():
    funnel = crm.event_funnel(EVENTS, {"steps": [STEPS[0], {**STEPS[1], "optional": True}, STEPS[2]], "by": "page"})
    details = {(row["page"], row["name"]): (row["entered"], row["converted"], row["dropped"]) for row in funnel.details.to_pylist()}
    assert details["home", "visit"] == (1, 1, 0)
    assert details["price", "visit"] == (1, 0, 1)
    assert details["home", "quote"] == (1, None, None)
    assert details["home", "order"] == (1, 1, 0)


def test_attempts_are_counted_besides_contacts():
    events = pa.table({"contact_id": [1] * 6, "time": pa.array([0, 1, 2, 3, 9, 30], pa.timestamp("s")), "kind": list("ABAABA")})
    steps = [{"name": s, "where": f"kind = '{s}'"} for s in "AB"]
    funnel = crm.event_funnel(events, {"steps": steps, "window": 10, "attempts": True})
    assert funnel.attempts["attempts"].to_pylist() == [3, 2]
    assert funnel.steps["contacts"].to_pylist() == [1, 1]


def test_same_event_twice_and_filters():
    steps = [{"name": "first", "where": "kind = 'visit'"}, {"name": "second", "where": "kind = 'visit'"}]
    events = pa.table(
        {"contact_id": [1, 1, 2], "time": pa.array([0, 0, 5], pa.timestamp("s")), "kind": ["visit"] * 3, "bot": [False, False, False]}
    )
    assert crm.event_funnel(events, {"steps": steps, "mode": "strict_once"}).steps["contacts"].to_pylist() == [2, 1]
    assert crm.event_funnel(events, {"steps": steps, "mode": "strict_increase"}).steps["contacts"].to_pylist() == [2, 0]
    strict = {"steps": STEPS, "mode": "strict_order", "where": "kind <> 'noise'"}
    noisy = pa.table(
        {"contact_id": [1] * 4, "time": pa.array([0, 1, 2, 3], pa.timestamp("s")), "kind": ["visit", "noise", "quote", "order"]}
    )
    assert crm.event_funnel(noisy, strict).steps["contacts"].to_pylist() == [1, 1, 1]
    assert crm.event_funnel(noisy, {**strict, "where": None}).steps["contacts"].to_pylist() == [1, 0, 0]


def test_sixty_steps():
    events = pa.table({"contact_id": [1] * 60, "time": pa.array(range(60), pa.timestamp("s")), "n": list(range(60))})
    steps = [{"name": str(n), "where": f"n = {n}"} for n in range(60)]
    assert crm.event_funnel(events, {"steps": steps}).summary["converted"] == 1


def test_empty_input_gives_an_empty_result():
    funnel = crm.event_funnel(EVENTS.slice(0, 0), {"steps": STEPS, "by": "page"})
    assert (len(funnel.steps), len(funnel.totals), len(funnel.levels), len(funnel.histogram)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("config", "error", "says"),
    [
        ({}, ConfigError, "at least one step"),
        ({"steps": []}, ConfigError, "at least one step"),
        ({"steps": STEPS, "windw": 5}, ConfigError, "did you mean 'window'"),
        ({"steps": STEPS, "window": "7 moons"}, ConfigError, "7 days"),
        ({"steps": STEPS, "mode": "strict_ordr"}, ConfigError, "did you mean 'strict_order'"),
        ({"steps": STEPS, "mode": ["strict_once", "strict_order"]}, ConfigError, "does not go with"),
        ({"steps": STEPS, "contact": "contct_id"}, SchemaError, "did you mean 'contact_id'"),
        ({"steps": STEPS, "time": "kind"}, SchemaError, "row 1 of column 'kind' is no date"),
        ({"steps": [{"name": "x", "where": "knd = 'visit'"}]}, RuleError, "step 1 ('x')"),
        ({"steps": STEPS, "by": "pge"}, SchemaError, "did you mean 'page'"),
        ({"steps": STEPS, "exclude": [{"where": "kind = 'x'", "from": 2, "to": 2}]}, ConfigError, "1 <= from < to"),
        ({"steps": STEPS, "exclude": [{"where": "kind = 'x'", "from": "start"}]}, ConfigError, "no step 'start'"),
        ({"steps": [{**STEPS[0], "optional": True}]}, ConfigError, "optional"),
        ({"steps": STEPS, "order": "any", "mode": "strict_order"}, ConfigError, "any order"),
    ],
)
def test_errors_name_the_place(config, error, says):
    with pytest.raises(error, match="(?s)" + says.replace("(", r"\(").replace(")", r"\)")):
        crm.event_funnel(EVENTS, config)


def test_text_times_and_yaml():
    events = EVENTS.set_column(1, "time", pc.strftime(EVENTS["time"], "%d.%m.%Y %H:%M:%S"))
    funnel = crm.event_funnel(
        events,
        "window: 1 day\nsteps:\n- {name: visit, where: \"kind = 'visit'\"}\n- {name: order, where: amount > 10}\n",
        today=dt.date(2026, 1, 1),
    )
    assert funnel.steps["contacts"].to_pylist() == [3, 1]


def test_modes_as_the_reference_shows_them():
    def level(text, mode):
        events = pa.table({"contact_id": [1] * len(text), "time": pa.array(range(len(text)), pa.timestamp("s")), "kind": list(text)})
        steps = [{"name": s, "where": f"kind = '{s}'"} for s in "ABC"]
        return crm.event_funnel(events, {"steps": steps, "window": 100, "mode": mode}).levels["level"][0].as_py()

    assert level("AABBCC", "strict_order") == 3
    assert level("AXB", "strict_order") == 1
    assert level("ABBC", "strict_deduplication") == 2
    assert level("AABC", "strict_deduplication") == 3
    assert [level("".join(p), "default") for p in itertools.permutations("ABC")] == [3, 2, 1, 1, 2, 1]
