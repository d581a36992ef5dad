"""Pipeline funnels against a slow oracle that walks deal by deal."""

import datetime as dt
import itertools
import statistics
from collections import Counter, defaultdict
from decimal import Decimal

import pyarrow as pa
import pytest
from conftest import LONG
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_engine as crm
from crm_engine import ConfigError, LimitError, SchemaError

N_CASES = 10_000 if LONG else 200
STAGES = ["qualification", "presentation", "proposal", "contracting", "won"]
ALL = [*STAGES, "lost"]


@st.composite
def bases(draw):
    n = draw(st.integers(0, 8))
    deals = [
        {
            "deal_id": number,
            "stage": draw(st.sampled_from([*ALL, None])),
            "amount": draw(st.one_of(st.none(), st.decimals(0, 10_000, places=2))),
            "currency": draw(st.sampled_from(["EUR", "RUB", None])),
            "owner": draw(st.sampled_from(["Anna", "Boris", None])),
            "lost_reason": draw(st.sampled_from(["price", None])),
            "created_at": draw(st.one_of(st.none(), st.datetimes(dt.datetime(2025, 11, 1), dt.datetime(2026, 2, 1)))),
        }
        for number in range(n)
    ]
    row = st.tuples(st.integers(0, n + 1), st.sampled_from([*ALL, None]), st.one_of(st.none(), st.integers(0, 20)))
    return deals, draw(st.lists(row, max_size=25))


DEALS = pa.schema(
    [("deal_id", pa.int64()), ("stage", pa.string()), ("amount", pa.decimal128(12, 2)), ("currency", pa.string()), ("owner", pa.string()),
     ("lost_reason", pa.string()), ("created_at", pa.timestamp("us"))]
)  # fmt: skip


def tables(deals, history):
    days = [None if row[2] is None else dt.datetime(2026, 3, 1) + dt.timedelta(days=row[2]) for row in history]
    return pa.Table.from_pylist(deals, DEALS), pa.table(
        {
            "deal_id": pa.array([row[0] for row in history], pa.int64()),
            "stage": pa.array([row[1] for row in history], pa.string()),
            "entered_at": pa.array(days, pa.timestamp("us")),
        }
    )


def walk(deal, history):
    """Everything about one deal, the slow and obvious way."""
    visits = sorted(
        (day, ALL.index(stage)) for number, stage, day in history if number == deal["deal_id"] and stage is not None and day is not None
    )
    path = [visit for place, visit in enumerate(visits) if place == 0 or visits[place - 1][1] != visit[1]]
    if not path:
        stage = deal["stage"]
        stage = None if stage is None else ALL.index(stage)
        known = set() if stage in (None, 5) else {stage}
        return {"entered": known, "furthest": stage if known else None, "current": stage, "lost_at": None, "waits": [], "history": False}
    stages = [stage for _, stage in path]
    open_stages = [stage for stage in stages if stage != 5]
    return {
        "entered": set(open_stages),
        "furthest": max(open_stages, default=None),
        "current": stages[-1],
        "lost_at": open_stages[-1] if stages[-1] == 5 and open_stages else None,
        "waits": [(stage, later - day) for (day, stage), (later, _) in itertools.pairwise(path) if stage != 5],
        "history": True,
    }


@settings(max_examples=N_CASES, deadline=None)
@given(bases(), st.sampled_from([[], ["owner"], ["owner", "month"], ["currency", "owner"]]), st.sampled_from(["reached", "entered"]))
def test_every_number_agrees_with_the_oracle(base, by, count):
    deals, history = base
    funnel = crm.pipeline_funnel(*tables(deals, history), {"by": by, "count": count})
    reached, current, lost, waits = Counter(), Counter(), Counter(), defaultdict(list)
    amounts, losses = defaultdict(Decimal), defaultdict(lambda: [0, Decimal(0)])
    groups = set()
    for deal in deals:
        found = walk(deal, history)
        month = deal["created_at"] and deal["created_at"].date().replace(day=1)
        group = tuple(month if name == "month" else deal[name] for name in by)
        groups.add(group)
        amount = deal["amount"] or Decimal(0)
        here = found["entered"] if count == "entered" else set(range((found["furthest"] if found["furthest"] is not None else -1) + 1))
        for stage in here:
            reached[group, stage] += 1
            amounts[group, stage, deal["currency"] or ""] += amount
        if found["current"] == 5:
            lost[group, found["lost_at"]] += 1
            where = None if found["lost_at"] is None else STAGES[found["lost_at"]]
            loss = losses[(*group, where, deal["lost_reason"], deal["currency"] or "")]
            loss[0] += 1
            loss[1] += amount
        elif found["current"] is not None:
            current[group, found["current"]] += 1
        for stage, days in found["waits"]:
            waits[group, stage].append(days)
    rows = funnel.stages.to_pylist()
    assert {tuple(row[name] for name in by) for row in rows} == groups
    for row in rows:
        group, stage = tuple(row[name] for name in by), STAGES.index(row["stage"])
        assert row["reached"] == reached[group, stage]
        assert row["current"] == current[group, stage]
        assert row["lost"] == lost[group, stage]
        days = waits[group, stage]
        assert row["median_days"] == pytest.approx(statistics.median(days)) if days else row["median_days"] is None
        before = reached[group, max(stage - 1, 0)]
        assert row["conversion_from_previous"] == (pytest.approx(reached[group, stage] / before) if before else None)
        if count == "reached":
            assert (row["conversion_from_previous"] or 0) <= 1
    found_amounts = {
        (tuple(r[n] for n in by) if by else (), STAGES.index(r["stage"]), r["currency"]): r[f"{count}_amount"]
        for r in funnel.amounts.to_pylist()
        if "currency" not in by
    }
    if "currency" not in by:
        assert {key: value for key, value in found_amounts.items() if value} == {key: value for key, value in amounts.items() if value}
        assert {
            tuple(r[n] for n in (*by, "stage", "reason", "currency")): [r["deals"], r["amount"]] for r in funnel.losses.to_pylist()
        } == dict(losses)
    if deals:
        assert funnel.summary["deals"] == len(deals)
        assert sum(funnel.summary[name] for name in ("won", "lost", "open", "unknown")) == len(deals)


def example():
    def day(number):
        return dt.datetime(2026, 1, 1) + dt.timedelta(days=number)

    deals = pa.table(
        {
            "deal_id": ["D1", "D2", "D3", "D4"],
            "stage": ["won", "lost", "proposal", "qualification"],
            "amount": ["100.50", "200", "", "70"],
            "currency": ["EUR", "EUR", "EUR", "RUB"],
            "lost_reason": ["", "price", "", ""],
            "owner": ["Anna", "Anna", "Boris", "Boris"],
            "created_at": ["2026-01-01", "2026-01-01", "2026-02-01", "2026-02-03"],
        }
    )
    rows = [("D1", s, day(n)) for n, s in enumerate(STAGES)] + [
        ("D2", "qualification", day(0)),
        ("D2", "proposal", day(4)),
        ("D2", "presentation", day(6)),
        ("D2", "lost", day(9)),
    ]
    rows += [("D3", "qualification", day(31)), ("D3", "proposal", day(33)), ("D9", "won", day(1))]
    history = pa.table({"deal_id": [r[0] for r in rows], "stage": [r[1] for r in rows], "entered_at": [r[2] for r in rows]})
    return deals, history


def test_a_small_pipeline_end_to_end():
    payments = pa.table(
        {"deal_id": ["D1", "D1"], "status": ["received", "returned"], "amount": ["100.50", "100.50"], "currency": ["EUR", "EUR"]}
    )
    funnel = crm.pipeline_funnel(
        *example(), {"by": ["owner"], "cohort": "month", "forecast": {"every": "week", "periods": 4}}, payments=payments
    )
    assert funnel.totals["reached"].to_pylist() == [4, 3, 3, 1, 1]
    assert funnel.totals["lost"].to_pylist() == [0, 1, 0, 0, 0]
    assert funnel.stages.column_names == [
        "owner",
        "stage",
        "reached",
        "current",
        "lost",
        "conversion_from_previous",
        "conversion_from_start",
        "median_days",
        "p90_days",
    ]
    moves = {(row["from_stage"], row["to_stage"]): (row["kind"], row["moves"]) for row in funnel.moves.to_pylist()}
    assert moves["qualification", "proposal"] == ("skip", 2)
    assert moves["proposal", "presentation"] == ("back", 1)
    assert funnel.losses.to_pylist() == [
        {"owner": "Anna", "stage": "presentation", "reason": "price", "currency": "EUR", "deals": 1, "amount": Decimal("200.00")}
    ]
    assert [row["cohort" if "cohort" in row else "month"] for row in funnel.cohorts.to_pylist()][:1] == [dt.date(2026, 1, 1)]
    summary = funnel.summary
    assert (summary["won"], summary["lost"], summary["open"], summary["win_rate"], summary["median_cycle_days"]) == (1, 1, 2, 0.5, 4.0)
    assert len(summary["warnings"]) == 2
    assert {row["stage"]: row["expected_amount"] for row in funnel.forecast.to_pylist()} == {
        "qualification": Decimal("35.00"),
        "proposal": Decimal("0.00"),
    }
    assert funnel.payments.to_pylist()[0]["returned"] == Decimal("100.50")
    assert funnel.unpaid["deal"].to_pylist() == ["D1"]
    assert set(funnel.deals["status"].to_pylist()) == {"won", "lost", "open"}


def payments_of(deals, payments):
    """What the payments of won deals come to: {currency: row}, and the unpaid deals."""
    ids, currencies, amounts = zip(*deals, strict=True)
    table = pa.table(
        {
            "deal_id": list(ids),
            "stage": ["won"] * len(ids),
            "currency": pa.array(currencies, pa.string()),
            "amount": pa.array(amounts, pa.string()),
        }
    )
    funnel = crm.pipeline_funnel(table, payments=payments)
    return {row["currency"]: row for row in funnel.payments.to_pylist()}, funnel.unpaid["deal"].to_pylist()


def test_payments_without_a_currency_are_in_their_deals():
    deals = [(1, "EUR", "100"), (2, "USD", "200")]
    plain = pa.table({"deal_id": [2], "status": ["received"], "amount": ["200"]})
    for payments in (
        plain,
        plain.append_column("currency", pa.array([None], pa.string())),
        plain.append_column("currency", pa.array([""])),
    ):
        found, unpaid = payments_of(deals, payments)
        assert (found["EUR"]["received"], found["USD"]["received"]) == (0, 200)
        assert (found["EUR"]["unpaid_deals"], found["USD"]["unpaid_deals"], unpaid) == (1, 0, [1])


def test_payments_of_two_currencies_do_not_make_up_for_each_other():
    payments = pa.table({"deal_id": [1, 1], "status": ["received", "returned"], "amount": ["100", "50"], "currency": ["RUB", "EUR"]})
    found, unpaid = payments_of([(1, "EUR", "100")], payments)
    assert (found["RUB"]["received"], found["RUB"]["won_deals"], found["EUR"]["returned"], unpaid) == (100, 0, 50, [1])
    found, unpaid = payments_of([(1, None, "100")], payments.slice(0, 1))
    assert (found["RUB"]["received"], unpaid) == (100, [])


def test_won_deals_without_an_amount_are_won_deals():
    payments = pa.table({"deal_id": [1, None], "status": ["received", "received"], "amount": ["100", "5"]})
    found, unpaid = payments_of([(1, "EUR", "100"), (2, "USD", None), (3, "EUR", None)], payments)
    assert {currency: (row["won_deals"], row["unpaid_deals"]) for currency, row in found.items()} == {"EUR": (2, 1), "USD": (1, 1)}
    assert (found["USD"]["won_amount"], unpaid) == (None, [2, 3])


def test_amounts_that_add_up_to_more_than_fits_are_told():
    def funnel_of(amounts, kind):
        return crm.pipeline_funnel(pa.table({"deal_id": [1, 2], "stage": ["won"] * 2, "amount": pa.array(amounts, kind)}))

    most = Decimal(10**38 - 1)
    assert funnel_of([most, 0], pa.decimal128(38, 0)).amounts["reached_amount"].to_pylist()[-1] == most
    with pytest.raises(LimitError, match="more than 38 digits"):
        funnel_of([most, most], pa.decimal128(38, 0))
    with pytest.raises(SchemaError, match="row 2 of the deals has an amount that is no amount"):
        funnel_of([1.0, -1e300], pa.float64())
    for strange in (float("inf"), float("nan")):
        with pytest.warns(crm.UnreadAmountsWarning, match=r"deals: 1 value of column 'amount' .* \(row 2\)"):
            assert funnel_of([1.005, strange], pa.float64()).amounts["reached_amount"].to_pylist()[-1] == 1


def test_several_pipelines():
    deals = pa.table({"deal_id": [1, 2], "stage": ["new", "won"], "pipeline": ["service", "sales"]})
    funnel = crm.pipeline_funnel(
        deals, None, {"pipelines": {"sales": {"stages": STAGES}, "service": {"stages": ["new", "solved"], "lost": "dropped"}}}
    )
    assert funnel.stages.num_rows == 7
    assert funnel.summary["pipelines"]["sales"]["won"] == 1
    assert "no stage history" in funnel.summary["pipelines"]["service"]["warnings"][0]


def test_time_zones_move_a_deal_into_its_local_month():
    created = pa.array([dt.datetime(2026, 1, 31, 22, 30)], pa.timestamp("us", "UTC"))
    deals = pa.table({"deal_id": [1], "stage": ["won"], "created_at": created})
    month = crm.pipeline_funnel(deals, None, {"by": ["month"], "timezone": "Europe/Riga"}).stages["month"][0].as_py()
    assert month == dt.date(2026, 2, 1)
    assert crm.pipeline_funnel(deals, None, {"by": ["month"]}).stages["month"][0].as_py() == dt.date(2026, 1, 1)


def test_empty_input_gives_an_empty_result():
    deals, history = tables([], [])
    funnel = crm.pipeline_funnel(deals, history, {"by": ["owner"], "cohort": "month", "forecast": True})
    assert (len(funnel.stages), len(funnel.totals), len(funnel.losses), len(funnel.forecast)) == (0, 0, 0, 0)
    assert funnel.summary["win_rate"] is None


@pytest.mark.parametrize(
    ("change", "config", "error", "says"),
    [
        ({}, {"stages": ["a", "won"]}, SchemaError, "row 2 of the deals has the stage 'lost'|does not know"),
        ({}, {"by": ["ownr"]}, SchemaError, "did you mean 'owner'"),
        ({}, {"timezne": "x"}, ConfigError, "did you mean 'timezone'"),
        ({}, {"timezone": "Mars/Base", "by": ["month"]}, ConfigError, "Europe/Riga"),
        ({}, {"stages": ["won", "won"]}, ConfigError, "named twice"),
        ({"created_at": ["x"] * 4}, {"by": ["month"]}, SchemaError, "row 1 of column 'created_at' is no date"),
        ({"amount": ["1", "2", "three", "4"]}, {}, SchemaError, "row 3 of column 'amount' is no amount"),
        ({"deal_id": ["D1", None, "D2", "D4"]}, {}, SchemaError, "row 2 of the deals has no 'deal_id'"),
    ],
)
def test_errors_name_the_place(change, config, error, says):
    deals, history = example()
    for name, values in change.items():
        deals = deals.set_column(deals.column_names.index(name), name, pa.array(values))
    with pytest.raises(error, match=says):
        crm.pipeline_funnel(deals, history, config)


def test_an_unknown_stage_in_the_history_is_named():
    deals, history = example()
    history = history.set_column(1, "stage", pa.array(["prezentation", *history["stage"].to_pylist()[1:]]))
    with pytest.raises(SchemaError, match="row 1 of the stage history has the stage 'prezentation'"):
        crm.pipeline_funnel(deals, history)


def test_of_a_repeated_deal_the_last_row_counts():
    deals = pa.table({"deal_id": [5, 7, 5], "stage": ["proposal", "won", "lost"]})
    for table in (deals, deals.set_column(0, "deal_id", deals["deal_id"].cast(pa.string()))):
        funnel = crm.pipeline_funnel(table)
        assert (funnel.summary["deals"], funnel.summary["lost"], funnel.summary["deals_repeated"]) == (2, 1, 1)


@pytest.mark.parametrize("ids", [["1", "2", "3"], ["1.0", "2.0", "3.0"], [1, 2, 3], [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string()])
def test_ids_that_a_program_wrote_as_floats_are_the_same_ids(ids, kind):
    deals = pa.table({"deal_id": pa.array([1, 2, 3]).cast(kind), "stage": ["won", "lost", "proposal"]})
    stages = pa.table({"deal_id": ids, "stage": ["won", "lost", "proposal"], "entered_at": ["2026-01-01"] * 3})
    found = crm.pipeline_funnel(deals, stages)
    assert found.summary["stage_rows_without_deal"] == 0
    assert found.deals["has_history"].to_pylist() == [True] * 3


def test_empty_text_is_no_value_in_a_dictionary_either():
    deals, history = example()
    blank = deals.set_column(deals.column_names.index("currency"), "currency", pa.array(["EUR", "", "EUR", ""]))
    blank = blank.set_column(1, "stage", pa.array(["won", "lost", "", "qualification"]))
    blank = blank.set_column(4, "lost_reason", pa.array(["", "", "", ""]))
    encoded = blank
    for name in ("stage", "currency", "lost_reason", "owner"):
        encoded = encoded.set_column(encoded.column_names.index(name), name, encoded[name].dictionary_encode())
    options = {"default_currency": "RUB", "by": "owner"}
    plain, result = (crm.pipeline_funnel(table, history, options) for table in (blank, encoded))
    assert set(result.amounts["currency"].to_pylist()) == {"EUR", "RUB"}
    assert set(result.losses["reason"].to_pylist()) == {None}
    assert result.stages.equals(plain.stages)
    assert result.amounts.equals(plain.amounts)


def test_a_forecast_counts_deals_that_were_lost_nobody_knows_where():
    stages = ["won", "lost", "lost", "lost", "proposal"]
    deals = pa.table({"deal_id": range(5), "stage": stages, "amount": [100] * 5, "currency": ["EUR"] * 5})
    funnel = crm.pipeline_funnel(deals)
    [proposal] = funnel.forecast.to_pylist()
    # One of four decided deals was won; without the lost ones all that is open would be sure.
    assert (proposal["stage"], proposal["won_share"], proposal["expected_amount"]) == ("proposal", 0.25, Decimal("25.00"))
    assert funnel.summary["lost_from_unknown"] == 3
    history = pa.table({"deal_id": [1, 1], "stage": ["qualification", "lost"], "entered_at": ["2026-01-01", "2026-01-02"]})
    [proposal] = crm.pipeline_funnel(deals, history).forecast.to_pylist()
    assert proposal["won_share"] == pytest.approx(1 / 3)
