"""Analyses and plans: exact numbers on small tables, and every one on the demo."""

import datetime as dt
import json
import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pytest

import crm_engine as crm
from crm_engine import ConfigError, SchemaError
from crm_engine.analyze import ANALYSES, Related, calendar
from crm_engine.cli import run
from crm_engine.demo import write_demo
from crm_engine.plan_targets import METRICS

ORDERS = pa.table(
    {
        "contact_id": ["a", "a", "b", "c"],
        "placed_at": ["2026-01-05", "2026-02-10", "2026-02-03", "2025-03-01"],
        "amount": ["10", "20", "5.50", "7"],
        "currency": ["EUR", "EUR", "EUR", "RUB"],
        "product": ["x", "y", "x", "x"],
        "quantity": [1, 2, 3, 4],
    }
)
CONTACTS_MADE = pa.table(
    {
        "contact_id": ["a", "b", "c", "d"],
        "occurred_at": ["2026-01-01", "2026-02-01", "2025-08-01", "2026-02-20"],
        "kind": ["call", "email", "complaint", "call"],
        "direction": ["out", "in", "in", "out"],
        "channel": ["ads", "site", "ads", "site"],
        "owner": ["Anna", "Boris", "Anna", "Anna"],
        "outcome": ["answered", "answered", "resolved", "no answer"],
        "response_minutes": [10, 20, 30, None],
        "satisfaction": [None, None, 4, None],
    }
)
TABLES = {"orders": ORDERS, "interactions": CONTACTS_MADE}
TODAY = dt.date(2026, 2, 28)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "exports"
    write_demo(folder, rows=400)
    return folder


@pytest.mark.parametrize("name", [name for name in ANALYSES if name != "activity"])
def test_every_analysis_runs_on_the_demo_and_draws(demo, name, tmp_path):
    pytest.importorskip("altair")
    assert run(["analyze", name, str(demo), "-q", "-o", str(tmp_path / "x.svg")]) == 0
    assert (tmp_path / "x.svg").read_text().startswith("<svg")
    assert run(["analyze", name, str(demo), "-q", "-o", str(tmp_path / "x.xlsx")]) == 0


@pytest.mark.parametrize(("name", "option"), [("churn", "lost_after_days"), ("levels", "periods"), ("reminders", "neglected_after_days")])
@pytest.mark.parametrize("given", ["abc", -1, 2.5, True, None])
def test_an_option_that_is_no_number_is_told(name, option, given):
    with pytest.raises(ConfigError, match=f"{option} is .* whole number"):
        crm.analyze(name, TABLES, today=TODAY, **{option: given})


def test_a_missing_time_names_what_can_be_done():
    orders = TABLES["orders"].rename_columns(["when" if name == "placed_at" else name for name in TABLES["orders"].column_names])
    with pytest.raises(SchemaError, match=r"none of the columns .*placed_at.*; give one of its columns \(.*when.*\) such a name"):
        crm.analyze("churn", {**TABLES, "orders": orders}, today=TODAY)


def test_the_plan_picture_shows_the_states_of_the_table(tmp_path):
    pytest.importorskip("altair")
    from crm_engine.charts import draw

    write_demo(tmp_path / "exports", rows=2_000)
    result = crm.plan(tmp_path / "exports" / "plans.csv", tmp_path / "exports")
    chart = draw(result).to_dict()
    bars = next(values for values in chart["datasets"].values() if "state" in values[0])
    current = [row for row in result.tables["current"].to_pylist() if row["attainment"] is not None]
    assert [bar["state"] for bar in bars] == [row["state"] for row in current[:40]]
    # A forecast a little short of the target is on the way, within the tolerance.
    assert any(row["state"] == "on the way" and row["forecast_attainment"] < 1 for row in current)
    assert {"behind", "on the way"} <= {bar["state"] for bar in bars}


def test_channels_by_first_touch():
    costs = pa.table({"channel": ["ads"], "month": ["2026-01"], "amount": ["20"], "currency": ["EUR"]})
    rows = {(r["channel"], r["currency"]): r for r in crm.analyze("channels", {**TABLES, "costs": costs}, today=TODAY).table.to_pylist()}
    ads = rows["ads", "EUR"]
    assert (ads["contacts"], ads["clients"], ads["revenue"], ads["cost"], ads["return"]) == (2, 2, Decimal("30.00"), Decimal("20.00"), 0.5)
    assert rows["ads", "RUB"]["revenue"] == Decimal("7.00")


def test_churn_value_and_levels():
    churn = crm.analyze("churn", TABLES, today=TODAY)
    assert churn.summary["lost"] == 1
    lost = {
        "contact": "c",
        "last_purchase": dt.date(2025, 3, 1),
        "lost_on": dt.date(2025, 8, 28),
        "last_contact_kind": "complaint",
        "last_outcome": "resolved",
        "last_deal_stage": "no deal",
        "last_deal_status": None,
        "last_lost_reason": None,
    }
    assert churn.tables["lost_clients"].to_pylist() == [lost]
    assert churn.tables["revenue_lost"]["revenue_lost"].to_pylist() == [Decimal("7.00")]
    value = {row["contact"]: row for row in crm.analyze("value", TABLES, today=TODAY).table.to_pylist()}
    assert (value["a"]["value_to_date"], value["a"]["purchases"], value["a"]["recency_days"], value["a"]["abc"]) == (
        Decimal("30.00"),
        2,
        18,
        "A",
    )
    levels = crm.analyze("levels", TABLES, today=TODAY)
    assert dict(zip(levels.tables["contacts"]["contact"].to_pylist(), levels.tables["contacts"]["level"].to_pylist(), strict=True)) == {
        "a": "Active client", "b": "New client", "c": "Former client", "d": "Engaged potential client",
    }  # fmt: skip


def test_owners_service_and_readiness():
    owners = {row["owner"]: row for row in crm.analyze("owners", TABLES, today=TODAY).table.to_pylist()}
    assert (owners["Anna"]["contacts_kept"], owners["Anna"]["calls"], owners["Anna"]["neglected_contacts"]) == (3, 2, 1)
    service = crm.analyze("service", TABLES, today=TODAY).table.to_pylist()
    assert [(row["kind"], row["opened"], row["solved"], row["mean_satisfaction"]) for row in service] == [("complaint", 1, 1, 4.0)]
    ranked = crm.analyze("readiness", TABLES, today=TODAY).table
    assert ranked.num_rows == 4
    assert ranked["probability"].to_pylist() == sorted(ranked["probability"].to_pylist(), reverse=True)


def test_levels_follow_the_rules_of_segments():
    later = {**TABLES, "interactions": CONTACTS_MADE.slice(3, 1)}
    assert crm.analyze("levels", later, today=dt.date(2026, 6, 30)).table.to_pylist()[0] == {
        "level": "Potential client", "contacts": 1, "share": 0.25,
    }  # fmt: skip
    with pytest.raises(ConfigError, match="at most 120 months"):
        crm.analyze("levels", TABLES, today=TODAY, periods=100_000)


def test_interactions_of_one_day_and_kind_may_lack_an_outcome():
    days = pa.table({"contact_id": ["c"] * 3, "occurred_at": ["2025-08-01"] * 3, "kind": ["call"] * 3, "outcome": [None, "answered", None]})
    for rows in (days, days.take([2, 1, 0])):
        lost = crm.analyze("churn", {**TABLES, "interactions": rows}, today=TODAY).tables["lost_clients"]
        assert lost.select(["last_contact_kind", "last_outcome"]).to_pylist() == [{"last_contact_kind": "call", "last_outcome": "answered"}]


def test_churn_tells_the_stage_at_which_clients_were_lost():
    orders = {"contact_id": ["a", "b", "c", "d"], "placed_at": ["2025-01-01"] * 4, "amount": ["1"] * 4}
    deals = {
        "deal_id": ["1", "2", "3", "4"],
        "contact_id": ["a", "a", "b", "c"],
        "stage": ["won", "lost", "proposal", "won"],
        "created_at": ["2025-01-01", "2025-02-01", "2025-01-01", "2025-12-01"],
        "lost_reason": [None, "price", None, None],
    }
    stages = {
        "deal_id": ["1", "2", "2", "3", "3", "9"],
        "stage": ["won", "proposal", "lost", "proposal", "won", "won"],
        "entered_at": ["2025-01-02", "2025-02-02", "2025-03-01", "2025-01-03", "2026-01-01", "2025-01-01"],
    }
    # The deal of c began, and the one of b was won, after they had been lost; without its history nobody knows where a's deal was lost.
    for tables, lost_at in (({"deals": deals, "deal_stages": stages}, "proposal"), ({"deals": deals}, "unknown")):
        found = crm.analyze("churn", {"orders": orders, **tables}, today=TODAY).tables
        rows = [tuple(row.values()) for row in found["at_stage"].to_pylist()]
        assert rows[0] == ("no deal", None, None, 2)
        assert set(rows[1:]) == {(lost_at, "lost", "price", 1), ("proposal", "open", None, 1)}
        assert found["lost_clients"]["last_deal_stage"].to_pylist() == [lost_at, "proposal", "no deal", "no deal"]


def test_churn_knows_deals_beside_those_with_a_history():
    orders = {"contact_id": list("abcd"), "placed_at": ["2025-01-01"] * 4, "amount": ["1"] * 4}
    deals = pa.table(
        {"deal_id": pa.array([1.0, 2.0, 3.0, 4.0]), "contact_id": list("abcd"), "stage": ["lost", "proposal", "lost", "won"],
         "created_at": ["2025-01-01"] * 4, "closed_at": [None, None, "2025-02-01", "2026-01-01"], "lost_reason": [None, None, "price", None]}
    )  # fmt: skip
    history = {"deal_id": ["1", "1", "1"], "stage": ["lost", "contracting", "presentation"], "entered_at": ["2025-01-05"] * 3}
    found = crm.analyze("churn", {"orders": orders, "deals": deals, "deal_stages": history}, today=TODAY).tables["lost_clients"]
    stood = {row["contact"]: (row["last_deal_stage"], row["last_deal_status"], row["last_lost_reason"]) for row in found.to_pylist()}
    assert stood == {
        "a": ("contracting", "lost", None),
        "b": ("proposal", "open", None),
        "c": ("unknown", "lost", "price"),
        # Won only later: where it stood until then is not known.
        "d": ("unknown", "open", None),
    }


def test_months_of_costs_are_months():
    costs = {"channel": ["ads", "ads"], "amount": ["20", "1"], "currency": ["EUR", "EUR"]}

    def spent(months):
        return crm.analyze("channels", {**TABLES, "costs": pa.table({**costs, "month": months})}, today=TODAY).table["cost"][0].as_py()

    assert spent(["2026-01", None]) == 20
    assert spent([dt.date(2026, 1, 1), dt.date(2026, 2, 1)]) == 21
    assert spent(["01.2026", "1.02.2026"]) == 21
    for strange in ("13.2026", "2026-13", "anna@example.com"):
        with pytest.raises(SchemaError, match="costs: row 2 of column 'month' is no month; write it as 2026-01") as told:
            spent(["2026-01", strange])
        assert strange not in str(told.value)


def test_deals_without_a_date_or_in_the_future_have_no_month():
    deals = pa.table(
        {"contact_id": ["a", "b", "c"], "channel": ["ads"] * 3, "stage": ["won"] * 3, "created_at": ["2026-01-02", None, "2027-01-01"],
         "amount": ["1"] * 3, "currency": ["EUR"] * 3}
    )  # fmt: skip
    months = crm.analyze("channels", {**TABLES, "deals": deals}, today=TODAY).tables["by_month"].to_pylist()
    assert sum(row["deals"] for row in months if row["currency"] == "EUR") == 1
    assert {row["month"][:2] for row in months} == {"20"}


def test_a_contact_counts_in_each_of_its_segments():
    sent = {"contact_id": ["a", "b"], "campaign_id": ["m", "m"], "sent_at": ["2026-02-01"] * 2, "opened_at": ["2026-02-02", None]}
    members = {"contact_id": ["a", "a", "a", "b"], "segment": ["s1", "s2", "s2", "s2"]}
    found = crm.analyze("campaigns", {**TABLES, "campaign_contacts": sent}, today=TODAY, segments=pa.table(members))
    rows = {row["segment"]: (row["sent"], row["opened"], row["orders"]) for row in found.table.to_pylist()}
    assert rows == {None: (2, 1, 2), "s1": (1, 1, 1), "s2": (2, 1, 2)}
    won = pa.table({"contact_id": ["a"], "stage": ["won"], "created_at": ["2026-02-03"], "amount": ["9"], "currency": ["EUR"]})
    by_deals = crm.analyze("campaigns", {"deals": won, "campaign_contacts": sent}, today=TODAY)
    assert by_deals.tables["revenue"]["revenue"].to_pylist() == [9]


def test_a_task_due_today_is_not_late():
    tasks = pa.table({"contact_id": ["a", "a"], "owner": ["Anna"] * 2, "due_at": ["2026-02-28", "2026-02-27"], "done_at": [None, ""]})
    owners = {row["owner"]: row for row in crm.analyze("owners", {**TABLES, "tasks": tasks}, today=TODAY).table.to_pylist()}
    assert (owners["Anna"]["open_tasks"], owners["Anna"]["overdue_tasks"]) == (2, 1)
    due = crm.analyze("reminders", {"tasks": tasks}, today=TODAY).table.to_pylist()
    assert [row["days_late"] for row in due] == [1, 0]


def test_what_is_wrong_with_a_base_is_told():
    class Broken:
        def table(self, name):
            raise crm.StoreError("damaged")

    with pytest.raises(crm.StoreError, match="damaged"):
        crm.analyze("value", Broken(), today=TODAY)


def test_a_call_log_with_phones_alone_meets_its_contacts():
    contacts = pa.table(
        {"contact_id": ["a", "b", "c"], "phone": ["+7 912 345-67-89", "+371 20000000", "+371 20000000"], "email": ["A@x.lv", None, None]}
    )
    calls = pa.table(
        {"contact_id": [None, None, "c", None], "phone": ["8 912 345-67-89", "+37120000000", "", ""], "email": [None, None, None, "a@x.lv "],
         "occurred_at": ["2026-02-01"] * 4, "kind": ["call"] * 4, "owner": ["Anna"] * 4}
    )  # fmt: skip
    related = Related({"contacts": contacts, "interactions": calls}, TODAY)
    names = related.names(related.need("interactions").contact).to_pylist()
    # A phone that two contacts have is nobody's alone.
    assert names == ["a", "+37120000000", "c", "a"]
    alone = Related({"interactions": calls.drop_columns(["contact_id", "email"])}, TODAY)
    assert alone.names(alone.need("interactions").contact.clip(0)).to_pylist()[:2] == ["+79123456789", "+37120000000"]


def test_rows_that_come_twice_are_told(tmp_path, capsys):
    orders = ORDERS.append_column("order_id", pa.array([1, 2, 2, None]))
    found = crm.analyze("value", {"orders": orders}, today=TODAY)
    assert found.summary["warnings"] == [
        "orders: 1 rows repeat a 'order_id' that comes before; each row counts, so remove those that are there twice"
    ]
    assert "warnings" not in crm.analyze("value", TABLES, today=TODAY).summary
    plans = pa.table({"period": ["2026-01"], "metric": ["new_clients"], "target": ["2"]})
    assert len(crm.plan(plans, {"orders": orders}, today=TODAY).summary["warnings"]) == 1
    pa.csv.write_csv(orders, tmp_path / "orders.csv")
    assert run(["analyze", "value", str(tmp_path), "-q"]) == 0
    assert "order_id" in capsys.readouterr().err


def test_an_analysis_that_does_not_exist_has_a_nearest(tmp_path, capsys):
    assert run(["analyze", "chanels", str(tmp_path), "-q"]) == 2
    assert "did you mean 'channels'?" in capsys.readouterr().err


def test_numbers_beyond_what_fits_are_told():
    big = pa.table({"contact_id": ["a", "b"], "placed_at": ["2026-01-05"] * 2, "amount": ["1", "12345678901234567890"]})
    with pytest.raises(SchemaError, match="orders: row 2 of column 'amount' is an amount of more than 15 digits"):
        crm.analyze("value", {"orders": big}, today=TODAY)
    with pytest.raises(ConfigError, match="row 1 of the plans: the target '1e30' must be"):
        crm.plan(pa.table({"period": ["2026"], "metric": ["new_clients"], "target": ["1e30"]}), TABLES, today=TODAY)


def test_revenue_stays_with_who_had_the_contact_then():
    dealt = pa.table(
        {"contact_id": ["a", "a", "a", "b"], "occurred_at": ["2025-12-01", "2026-02-01", "2026-03-01", "2026-02-04"], "kind": ["call"] * 4,
         "owner": ["Anna", "Boris", "Clara", "Anna"]}
    )  # fmt: skip
    plans = {"period": ["2026-01", "2026-02", "2026-02"], "owner": ["Anna", "Anna", "Boris"], "metric": ["revenue"] * 3,
             "target": ["1"] * 3, "currency": ["EUR"] * 3}  # fmt: skip
    orders = ORDERS.set_column(ORDERS.column_names.index("quantity"), "quantity", pa.array([0.5, 0.25, 3.0, None]))
    tables = {"orders": orders, "interactions": dealt}
    # Boris has dealt with a when it buys again; b's order comes a day before anybody dealt with it.
    assert crm.plan(pa.table(plans), tables, today=TODAY).table["fact"].to_pylist() == [10, Decimal("5.50"), 20]
    sold = {"period": ["2026"], "metric": ["products_sold_new"], "target": ["1"]}
    assert crm.plan(pa.table(sold), tables, today=TODAY).table["fact"].to_pylist() == [Decimal("3.75")]
    assert crm.plan(pa.table(plans | {"owner": ["Clara"] * 2 + ["Dora"]}), tables, today=TODAY).table["fact"].to_pylist() == [0, 0, None]


def test_reminders_become_a_calendar():
    tasks = pa.table(
        {
            "contact_id": ["a", "b"],
            "title": ["Call, then; write", "x"],
            "owner": ["Anna", "Anna"],
            "due_at": ["2026-02-20", "2026-02-20"],
            "done_at": ["", "2026-02-19"],
        }
    )
    reminders = crm.analyze("reminders", {**TABLES, "tasks": tasks}, today=TODAY)
    assert [(row["kind"], row["contact"], row["days_late"]) for row in reminders.table.to_pylist()] == [
        ("neglected", "c", 121),
        ("task", "a", 8),
    ]
    text = calendar(reminders)
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert text.count("BEGIN:VEVENT") == 2
    assert "SUMMARY:Call\\, then\\; write: a\r\n" in text
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


def test_plan_and_fact():
    plans = pa.table(
        {
            "period": ["2026-02", "2026-02", "2026-02", "2026-Q1", "2026-02"],
            "owner": ["Anna", None, "Clara", "Anna", "Boris"],
            "metric": ["calls", "revenue", "calls", "active_clients_kept", "new_clients"],
            "target": ["2", "30", "5", "1", "1"],
            "currency": [None, "EUR", None, None, None],
        }
    )
    result = crm.plan(plans, TABLES, today=TODAY)
    rows = result.table.to_pylist()
    assert [row["fact"] for row in rows] == [Decimal("1.00"), Decimal("25.50"), None, Decimal("0.00"), Decimal("1.00")]
    assert [row["state"].split(":")[0] for row in rows] == ["missed", "missed", "no facts", "behind", "met"]
    assert {row["state"].split(":")[0] for row in result.tables["deviations"].to_pylist()} >= {"missed", "no facts", "behind"}


def test_a_won_deal_without_a_closing_date_was_won_when_it_began():
    deals = pa.table({"contact_id": ["a", "b"], "stage": ["won", "won"], "created_at": ["2026-01-05", "2026-01-06"], "closed_at": ["2026-02-01", None],
                      "amount": ["5", "7"], "currency": ["EUR", "EUR"]})  # fmt: skip
    found = crm.analyze("value", {"deals": deals}, today=TODAY).table.to_pylist()
    assert {row["contact"]: row["last_purchase"] for row in found} == {"a": dt.date(2026, 2, 1), "b": dt.date(2026, 1, 6)}


def test_what_stands_for_a_missing_text_is_each_ones_own():
    rows = Related({"interactions": {"contact_id": ["a"], "kind": pa.array([None], pa.string())}}, TODAY).need("interactions")
    assert (rows.text("kind", "other")[0], rows.text("kind")[0], rows.word("kind", "other")[0], rows.word("kind")[0]) == (
        "other",
        None,
        "other",
        None,
    )


def test_plans_count_every_kind_of_contact():
    kinds = {
        "call": 1,
        "email": 2,
        "letter": 3,
        "meeting": 4,
        "visit": 5,
        "chat": 6,
        "social": 7,
        "complaint": 8,
        "review": 9,
        "quote_request": 10,
    }
    rows = [(kind, direction) for kind, n in kinds.items() for direction in ["out"] * n + ["in"]]
    made = pa.table(
        {"contact_id": ["a"] * len(rows), "occurred_at": ["2026-02-01"] * len(rows), "owner": ["Anna"] * len(rows),
         "kind": [kind for kind, _ in rows], "direction": [direction for _, direction in rows]}
    )  # fmt: skip
    wanted = {
        "contacts_made": 55,
        "calls": 1,
        "letters": 5,
        "meetings": 9,
        "chats": 15,
        "complaints": 9,
        "reviews": 10,
        "quote_requests": 11,
    }
    plans = pa.table(
        {"period": ["2026-02"] * len(wanted), "metric": list(wanted), "target": ["1"] * len(wanted), "owner": ["Anna"] * len(wanted)}
    )
    assert crm.plan(plans, {"interactions": made}, today=TODAY).table["fact"].to_pylist() == list(wanted.values())
    assert set(wanted) | {
        "active_clients_kept",
        "new_clients",
        "engaged_contacted",
        "products_sold_new",
        "products_sold_active",
        "revenue",
    } == set(METRICS)


@pytest.mark.parametrize(
    ("goal", "period", "state", "decision"),
    [
        ("5", "2026-02", "met", None),
        ("3", "2026-02", "met", None),
        ("2", "2026-02", "missed", "over by 1.00"),
        ("2", "2026-03", "missed", "over by 1.00"),
        ("4", "2026-03", "behind", "1.00 left; at this rate the period ends with 6.20"),
        ("7", "2026-03", "on the way", None),
        ("100", "2026-03", "on the way", None),
    ],
)
def test_plans_want_so_many_complaints_at_most(goal, period, state, decision):
    made = pa.table(
        {
            "contact_id": ["a"] * 6,
            "occurred_at": ["2026-02-01"] * 3 + ["2026-03-01"] * 3,
            "kind": ["complaint"] * 6,
            "direction": ["in"] * 6,
        }
    )
    plans = {"period": [period], "metric": ["complaints"], "target": [goal]}
    found = crm.plan(plans, {"interactions": made}, today=dt.date(2026, 3, 15))
    assert found.table["state"].to_pylist() == [state]
    decisions = found.tables["deviations"]["decision"].to_pylist()
    assert [told.startswith(decision) for told in decisions] == ([True] if decision else [])


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("2026-13", "calls", "1", None)], "row 1 of the plans: the period '2026-13'"),
        ([("5-2026", "calls", "1", None)], "row 1 of the plans: the period '5-2026'"),
        ([("2-2026", "calls", "1", None)], "row 1 of the plans: the period '2-2026'"),
        ([("2 2026", "calls", "1", None)], "row 1 of the plans: the period '2 2026'"),
        ([("2026-01", "cals", "1", None)], "did you mean 'calls'"),
        ([("2026-01", "calls", "many", None)], "row 1 of the plans: the target 'many'"),
        ([("2026-01", "revenue", "1", None)], "needs its currency"),
        ([("2026-01", "calls", "1", None), ("2026-Q1", "calls", "1", None)], "row 2 of the plans overlaps row 1"),
    ],
)
def test_errors_of_plans_name_the_row(rows, says):
    period, metric, target, currency = zip(*rows, strict=True)
    with pytest.raises(ConfigError, match=says):
        crm.plan(pa.table({"period": period, "metric": metric, "target": target, "currency": pa.array(currency, pa.string())}), TABLES)


def test_empty_tables_give_empty_results():
    empty = {name: table.slice(0, 0) for name, table in TABLES.items()}
    for name in ("channels", "owners", "churn", "value", "levels", "service", "readiness", "reminders"):
        assert crm.analyze(name, empty, today=TODAY).table.num_rows == 0, name


def test_errors_say_what_is_missing():
    with pytest.raises(ConfigError, match="did you mean 'churn'"):
        crm.analyze("chrn", TABLES)
    with pytest.raises(ConfigError, match="no table 'orders' or 'deals'"):
        crm.analyze("value", {})
    with pytest.raises(ConfigError, match="did you mean 'lost_after_days'"):
        crm.analyze("churn", TABLES, lost_after_day=3)


def test_the_data_writes_no_script_into_a_chart(tmp_path):
    pytest.importorskip("altair")
    name = "</script><script>alert(1)</script><!-- <script>"

    def page_of(stage):
        deals = pa.table({"deal_id": [1, 2], "stage": [stage, "won"]})
        page = tmp_path / "funnel.html"
        crm.draw(crm.pipeline_funnel(deals, None, {"stages": [stage, "won"]}), page)
        return page.read_text("utf-8")

    plain, hostile = page_of("first"), page_of(name)
    for piece in ("</script", "<script", "<!--"):
        assert hostile.count(piece) == plain.count(piece)
    spec = re.search(r"const spec = (.*);\n", hostile).group(1)
    assert name in json.dumps(json.loads(spec), ensure_ascii=False)


def test_the_commands(demo, tmp_path, capsys):
    pytest.importorskip("altair")
    deals, stages = str(demo / "deals.csv"), str(demo / "deal_stages.csv")
    assert run(["funnel", deals, stages, "--by", "owner", "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["stage"] == "qualification"
    page = tmp_path / "funnel.html"
    assert run(["funnel", deals, stages, "-q", "-o", str(page)]) == 0
    assert 'src="http' not in page.read_text()
    assert run(["funnel", deals, stages, "-q", "--table", "losses", "-o", str(tmp_path / "losses.csv")]) == 0
    steps = tmp_path / "steps.yaml"
    steps.write_text(
        "contact: customer_no\ntime: occurred_at\nsteps:\n- {name: any, where: kind is not null}\n- {name: meeting, where: kind = 'meeting'}\n"
    )
    assert run(["funnel", str(demo / "interactions.parquet"), "--config", str(steps), "-q", "-o", str(tmp_path / "steps.png")]) == 0
    assert run(["plan", str(demo / "plans.csv"), "-q", "-o", str(tmp_path / "plan.svg")]) == 0
    assert run(["analyze", "reminders", str(demo), "-q", "-o", str(tmp_path / "due.ics")]) == 0
    assert run(["funnel", deals, "--by", "ownr", "-q"]) in (1, 2)
