"""Columns, files and currencies whose words may mean two things: what is read, and what is not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crm_engine as crm
from crm_engine.cli import run
from crm_engine.related_words import known_columns

TODAY = dt.date(2026, 10, 31)
LOST = {"order_id": ["1", "2"], "contact_id": ["a", "b"], "amount": ["5", "6"], "placed_at": ["2026-01-05", "2026-10-30"]}


def last_contact(interactions: dict[str, Any], contacts: dict[str, Any], orders: dict[str, Any] | None = None) -> list[str]:
    tables = {"orders": orders or LOST, "interactions": interactions, "contacts": contacts}
    return list(crm.analyze("churn", tables, today=TODAY).tables["after"]["last_contact_kind"].to_pylist())


@pytest.mark.parametrize("word", ["client", "customer", "клиент"])
def test_a_column_of_names_displaces_no_phone(word: str) -> None:
    calls = {
        word: ["Anna", "Boris"],
        "phone": ["+371 2000 0001", "+371 2000 0002"],
        "kind": ["call"] * 2,
        "occurred_at": ["2026-01-04"] * 2,
    }
    contacts = {"contact_id": ["a", "b"], "phone": ["37120000001", "37120000002"]}
    assert last_contact(calls, contacts) == ["call"]
    # Where the contacts are known by these names they count, and so they do where nothing else says whose a row is.
    by_key = {**calls, word: ["a", "b"], "phone": ["", ""]}
    assert last_contact(by_key, contacts) == ["call"]
    assert last_contact({key: values for key, values in by_key.items() if key != "phone"}, contacts) == ["call"]


def test_a_column_of_names_displaces_no_id_of_the_contacts() -> None:
    contacts = {"id": ["1", "2"], "customer": ["Acme", "Bolt"], "email": ["a@example.com", "b@example.com"]}
    orders = {**{key: values for key, values in LOST.items() if key != "contact_id"}, "customer_no": ["1", "2"]}
    calls = {"email": ["A@example.com"], "kind": ["call"], "occurred_at": ["2026-01-04"]}
    assert last_contact(calls, contacts, orders) == ["call"]
    upper = {"ID" if key == "id" else key: values for key, values in contacts.items()}
    assert last_contact(calls, upper, orders) == ["call"]
    # Names that repeat are nobody's key; numbers that the orders have too are.
    assert known_columns(pa.table({"customer": ["Acme", "Acme"], "email": ["a@example.com", "b@example.com"]}), "contacts") == {}
    numbered = {**contacts, "customer number": ["K1", "K2"]}
    numbered_orders = {**{key: values for key, values in orders.items() if key != "customer_no"}, "customer number": ["K1", "K2"]}
    assert last_contact(calls, numbered, numbered_orders) == ["call"]


def test_titles_are_no_ids_of_deals() -> None:
    deals = {"id": ["1", "2", "3"], "deal": ["Renewal", "Renewal", "New site"], "stage": ["won"] * 3}
    assert crm.pipeline_funnel(deals).totals["reached"].to_pylist() == [3] * 5
    numbered = pa.table({"id": ["1", "2", "3"], "deal number": ["7", "7", "8"], "deal": ["A", "B", "C"]})
    assert known_columns(numbered, "deals") == {"deal_id": "id"}
    assert known_columns(numbered.drop_columns("id"), "deals") == {"deal_id": "deal number"}


@pytest.mark.parametrize("word", ["done", "completed", "выполнено"])
def test_yes_and_no_are_no_times(word: str) -> None:
    tasks = {"contact_id": ["a", "b"], "title": ["x", "y"], "due_at": ["2026-10-01", "2026-10-02"], word: ["yes", "no"]}
    assert crm.analyze("reminders", {"tasks": tasks}, today=TODAY).table["contact"].to_pylist() == ["b"]
    assert known_columns(pa.table(tasks), "tasks") == {"is_done": word}
    assert known_columns(pa.table({**tasks, word: [True, False]}), "tasks") == {"is_done": word}
    assert known_columns(pa.table({**tasks, word: ["", "01.10.2026"]}), "tasks") == {"done_at": word}


def test_an_error_names_the_column_that_the_file_has() -> None:
    orders = {"contact_id": ["a"] * 3, "сумма": ["5", "6", "x"], "дата заказа": ["01.01.2026", "02.01.2026", "soon"]}
    with pytest.raises(crm.SchemaError, match="orders: row 3 of column 'дата заказа' is no date or time"):
        crm.analyze("value", {"orders": orders}, today=TODAY)
    with pytest.raises(crm.SchemaError, match="orders: row 3 of column 'сумма' is no amount"):
        crm.analyze("value", {"orders": {**orders, "дата заказа": ["01.01.2026"] * 3}}, today=TODAY)
    deals = {"номер сделки": ["1", "2", "3"], "stage": ["won"] * 3, "создана": ["01.01.2026", "02.01.2026", "soon"]}
    with pytest.raises(crm.SchemaError, match="deals: row 3 of column 'создана' is no date or time"):
        crm.pipeline_funnel(deals, None, {"by": ["month"]})


def test_a_time_of_day_beside_a_date_is_no_other_date() -> None:
    orders = {"contact_id": ["a", "b"], "amount": ["5", "6"], "placed_at": ["2026-01-05", ""], "time": ["10:30", "11:00"]}
    assert [row["value_to_date"] for row in crm.analyze("value", {"orders": orders}, today=TODAY).table.to_pylist()] == [5]
    # Where it is a date, it fills the gaps; and where only the words know of one, that is it.
    filled = {**orders, "time": ["", "2026-02-01 11:00"]}
    assert len(crm.analyze("value", {"orders": filled}, today=TODAY).table) == 2
    dated = {**{key: values for key, values in orders.items() if key != "placed_at"}, "order date": ["05.01.2026", "06.01.2026"]}
    assert len(crm.analyze("value", {"orders": dated}, today=TODAY).table) == 2


def test_strange_stages_are_told_once_over_deals_and_their_history() -> None:
    tables = {
        "orders": LOST,
        "deals": {"deal_id": ["1", "2"], "contact_id": ["a", "b"], "stage": ["Signed", ""], "created_at": ["2026-01-01"] * 2},
        "deal_stages": {"deal_id": ["1", "2"], "stage": ["Talks", "Signed"], "entered_at": ["2026-01-01"] * 2},
    }
    warnings = crm.analyze("churn", tables, today=TODAY).summary["warnings"]
    assert [warning for warning in warnings if "none of the stages" in warning] == [
        "deals: none of the stages (Signed, Talks) is known to be won or lost; say which are with won=... and lost=..."
    ]
    # A history that knows an outcome speaks for the deals too.
    tables["deal_stages"]["stage"] = ["Talks", "won"]
    assert not any("none of the stages" in warning for warning in crm.analyze("churn", tables, today=TODAY).summary.get("warnings", []))


def test_the_sign_beside_an_amount_counts_where_the_column_of_currencies_is_empty() -> None:
    deals = {"deal_id": ["1", "2"], "contact_id": ["a", "b"], "stage": ["won"] * 2, "amount": ["5 €", "7 $"], "currency": ["EUR", ""],
             "created_at": ["2026-01-05"] * 2}  # fmt: skip
    payments = {"deal_id": ["1", "1"], "status": ["received"] * 2, "amount": ["5 €", "7 $"], "currency": ["EUR", None]}
    found = crm.pipeline_funnel(deals, None, {"default_currency": "EUR"}, payments=payments)
    assert {row["currency"]: row["reached_amount"] for row in found.amounts.to_pylist() if row["stage"] == "won"} == {"EUR": 5, "USD": 7}
    assert {row["currency"]: row["received"] for row in found.payments.to_pylist()} == {"EUR": 5, "USD": 7}
    value = crm.analyze("value", {"deals": deals}, today=TODAY).table.to_pylist()
    assert {row["currency"]: row["value_to_date"] for row in value} == {"EUR": 5, "USD": 7}
    with pytest.raises(crm.SchemaError, match="deals: row 2 has an amount in USD, and the currency EUR in its column"):
        crm.pipeline_funnel({**deals, "currency": ["EUR", "EUR"]})


def test_the_file_of_our_own_name_counts_and_two_of_other_names_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text("contact_id,kind,occurred_at\na,call,2026-01-01\n")
    steps = {"steps": [{"name": "any", "where": "kind is not null"}]}
    assert crm.funnel(tmp_path, steps).totals["contacts"].to_pylist() == [1]
    assert crm.funnel(tmp_path, {**steps, "events": "calls"}).totals["contacts"].to_pylist() == [1]
    (tmp_path / "activities.csv").write_text("contact_id,kind,occurred_at\nb,call,2026-01-01\n")
    with pytest.raises(crm.ConfigError, match="'activities' and 'calls' may each be the table 'interactions'"):
        crm.funnel(tmp_path, steps)
    (tmp_path / "interactions.csv").write_text("contact_id,kind,occurred_at\nb,mail,2026-01-01\nc,mail,2026-01-01\n")
    assert crm.funnel(tmp_path, steps).totals["contacts"].to_pylist() == [2]


def test_tables_of_a_mapping_are_found_by_their_words() -> None:
    assert len(crm.analyze("value", {"заказы": LOST}, today=TODAY).table) == 2


def test_parts_of_a_table_may_lie_in_folders_of_its_folder(tmp_path: Path) -> None:
    for month in ("1", "2"):
        part = tmp_path / "deals" / f"month={month}"
        part.mkdir(parents=True)
        pq.write_table(pa.table({"deal_id": [month], "stage": ["won"]}), part / "x.parquet")
    assert crm.funnel(tmp_path).totals["reached"].to_pylist() == [2] * 5
    assert run(["funnel", str(tmp_path), "--json"]) == 0


def test_event_funnels_and_retention_tell_what_words_found() -> None:
    events = {"Klients": ["a", "b"], "Datums": ["01.01.2026", "02.01.2026"], "kind": ["call"] * 2}
    found = crm.event_funnel(events, {"steps": [{"name": "call", "where": "kind = 'call'"}]}).summary["read_as"]["events"]
    assert (found["customer_no"], found["occurred_at"]) == ("Klients", "Datums")
    assert crm.retention(events).summary["read_as"]["events"] == found
