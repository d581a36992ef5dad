"""Ids, amounts and dates as programs leave them: floats for ids, infinite amounts, dates that nobody decides."""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

import crm_engine as crm
from crm_engine.amounts import money, numbers
from crm_engine.cli import run
from crm_engine.columns import ids, times
from crm_engine.funnels.over_tables import funnel

TODAY = dt.date(2026, 2, 28)


def texts(*values: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string())])


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (pa.array([1.0, None, float("nan"), 20.0]), ["1", None, None, "20"]),
        (pa.array(["1.0", "2.0", ""]), ["1", "2", None]),
        (pa.array(["1.00", "A-7"]), ["1", "A-7"]),
        # Sections, versions: their fractions are theirs.
        (pa.array(["1.0", "1.2"]), ["1.0", "1.2"]),
        (pa.array([1.5, 2.0]), ["1.5", "2"]),
        (pa.array(["007"]), ["007"]),
        (pa.array([7], pa.int8()), ["7"]),
        (pa.array(["1.0"]).dictionary_encode(), ["1"]),
    ],
)
def test_ids_that_a_program_wrote_as_floats_are_whole_numbers_again(values: pa.Array, read: list[str | None]) -> None:
    assert ids(values).to_pylist() == read


AS_FLOATS = [pa.array([1.0, 2.0, None]), pa.array(["1.0", "2.0", ""]), pa.array(["1", "2", None])]


@pytest.mark.parametrize("one", AS_FLOATS, ids=["float", "text of a float", "text"])
@pytest.mark.parametrize("other", AS_FLOATS, ids=["float", "text of a float", "text"])
def test_ids_of_all_kinds_meet(one: pa.Array, other: pa.Array) -> None:
    deals = pa.table({"deal_id": one.slice(0, 2), "stage": ["won", "won"], "amount": ["5", "7"], "currency": ["EUR", "EUR"]})
    payments = pa.table({"deal_id": other, "status": ["received", "received", "received"], "amount": ["5", "7", "9"]})
    assert crm.pipeline_funnel(deals, payments=payments).payments["received"].to_pylist() == [12]
    history = pa.table({"deal_id": other, "stage": ["won"] * 3, "entered_at": ["2026-01-01"] * 3})
    several = {"pipelines": {"a": ["new", "won"]}}
    piped = deals.append_column("pipeline", pa.array(["a", "a"]))
    assert crm.pipeline_funnel(piped, history, several).summary["pipelines"]["a"]["deals_without_history"] == 0

    orders = pa.table({"customer_no": one, "placed_at": ["2025-01-01"] * 3, "amount": ["1"] * 3})
    calls = pa.table({"customer_no": other, "occurred_at": ["2025-01-02"] * 3, "kind": ["call"] * 3})
    lost = crm.analyze("churn", {"orders": orders, "interactions": calls}, today=TODAY).tables["lost_clients"]
    assert lost.select(["contact", "last_contact_kind"]).to_pylist() == [
        {"contact": contact, "last_contact_kind": "call"} for contact in ("1", "2")
    ]

    events = pa.table({"contact_id": one, "time": pa.array([0, 0, 0], pa.timestamp("s")), "kind": ["x"] * 3})
    people = pa.table({"contact_id": other, "city": ["Riga", "Oslo", "Rome"]})
    config: dict[str, Any] = {"steps": [{"name": "x", "where": "kind = 'x'"}], "by": "city"}
    for kind in (events, events.set_column(0, "contact_id", pa.array([1, 2, None]))):
        found = crm.event_funnel(kind, config, contacts=people).steps
        assert found.select(["city", "contacts"]).to_pylist() == [{"city": "Oslo", "contacts": 1}, {"city": "Riga", "contacts": 1}]


def test_contacts_that_are_no_numbers_are_told_where_those_of_the_events_are() -> None:
    events = pa.table({"contact_id": [1], "time": pa.array([0], pa.timestamp("s")), "kind": ["x"]})
    people = pa.table({"contact_id": ["c1"], "city": ["Riga"]})
    with pytest.raises(crm.SchemaError, match="contacts: no value of column 'contact_id' is a whole number"):
        crm.event_funnel(events, {"steps": ["kind = 'x'"], "by": "city"}, contacts=people)


def test_a_deal_without_an_id_is_told_in_a_text_file_too() -> None:
    with pytest.raises(crm.SchemaError, match="row 2 of the deals has no 'deal_id'"):
        crm.pipeline_funnel(pa.table({"deal_id": ["a", "", ""], "stage": ["won"] * 3}))


@pytest.mark.parametrize(
    "values",
    [
        pa.chunked_array([[1.5, float("inf"), float("nan"), None]]),
        texts("1.50", "inf", "NaN", ""),
        texts("1,50", "-Infinity", "nan", None),
    ],
)
def test_amounts_that_are_no_numbers_are_counted_and_told(values: pa.ChunkedArray) -> None:
    with pytest.warns(crm.UnreadAmountsWarning, match="orders: 2 values of column 'amount' are infinite or nan, and not counted") as told:
        assert money(values, "amount", "orders").to_pylist() == [Decimal("1.50"), None, None, None]
    assert (told[0].message.n_rows, told[0].message.file, told[0].message.column) == (2, "orders", "amount")  # type: ignore[union-attr]
    deals = pa.table({"deal_id": range(4), "stage": ["won"] * 4, "amount": values, "currency": ["EUR"] * 4})
    with pytest.warns(crm.UnreadAmountsWarning, match="deals: 2 values"):
        assert crm.pipeline_funnel(deals).amounts["reached_amount"].to_pylist() == [Decimal("1.50")] * 5


def test_numbers_that_are_infinite_are_none() -> None:
    quantity = pa.chunked_array([[2.0, float("inf"), float("nan")]])
    with pytest.warns(crm.UnreadAmountsWarning, match=r"orders: 1 value of column .quantity. is infinite .* \(row 2\)"):
        assert str(numbers(quantity, "quantity", "orders").tolist()) == "[2.0, nan, nan]"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert str(numbers(pa.chunked_array([[float("nan")]]), "quantity", "orders")[0]) == "nan"


def test_the_command_counts_unread_amounts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "orders.csv").write_text("contact_id,placed_at,amount,currency\na,2026-01-05,inf,EUR\nb,2026-01-06,5,EUR\n")
    assert run(["analyze", "value", str(tmp_path), "--json"]) == 0
    heard = capsys.readouterr()
    assert "orders: 1 value of column 'amount' is infinite or nan" in heard.out
    assert "row 1" in heard.err
    assert run(["analyze", "value", str(tmp_path), "-q", "--strict"]) == 3


SLASHES = {"orders": ("placed_at", "03/04/2026"), "interactions": ("occurred_at", "05/06/2026"), "deals": ("created_at", "07/08/2026")}


def test_dates_that_nobody_decides_are_told_once_for_all_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = {
        name: pa.table({"contact_id": ["a", "b"], column: [day, day], "channel": ["ads", "site"], "stage": ["won", "lost"],
                        "amount": ["1", "2"], "kind": ["call", "call"]})
        for name, (column, day) in SLASHES.items()
    }  # fmt: skip
    tables["deals"] = tables["deals"].append_column("closed_at", pa.array(["08/09/2026"] * 2)).append_column("deal_id", pa.array([1, 2]))
    with pytest.warns(crm.AmbiguousDatesWarning) as told:
        crm.analyze("churn", tables)
    assert len(told) == 1
    assert set(told[0].message.columns) == {  # type: ignore[union-attr]
        ("orders", "placed_at"), ("interactions", "occurred_at"), ("deals", "created_at"), ("deals", "closed_at")
    }  # fmt: skip
    text = str(told[0].message)
    assert "deals ('created_at', 'closed_at')" in text
    assert "orders ('placed_at')" in text
    assert text.endswith("were read with the day first; say which with date_order=... (dmy or mdy)")
    history = pa.table({"deal_id": [1], "stage": ["won"], "entered_at": ["01/02/2026"]})
    with pytest.warns(crm.AmbiguousDatesWarning) as told:
        funnel({"deals": tables["deals"], "deal_stages": history}, {"by": "month", "stages": ["won"]})
    assert [set(one.message.columns) for one in told] == [{("deals", "created_at"), ("deal_stages", "entered_at")}]  # type: ignore[union-attr]
    for name, table in tables.items():
        pa.csv.write_csv(table, tmp_path / f"{name}.csv")
    assert run(["analyze", "churn", str(tmp_path), "-q"]) == 0
    assert capsys.readouterr().err.count("can be read with the day or the month first") == 1


def test_one_date_with_a_zone_is_read_among_dates_of_people():
    written = ["31.01.2026", "", "2026-02-01T10:00:00+02:00", "1.2.2026 9:00", "2026-02-01T10:00:00+02:00"]
    zoned = dt.datetime(2026, 2, 1, 8)
    assert times(pa.chunked_array([written]), "at", "events").to_pylist() == [
        dt.datetime(2026, 1, 31), None, zoned, dt.datetime(2026, 2, 1, 9), zoned,
    ]  # fmt: skip
