"""What columns of text files become: numbers, dates, texts; by their roles first, then by their values."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from pathlib import Path

import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine.cli import run
from crm_engine.text_columns import typed_columns


def kinds(columns: dict[str, list[str]], date_order: str | None = "dmy") -> dict[str, str]:
    typed = typed_columns(pa.table(columns), "orders", date_order)
    return {field.name: str(field.type) for field in typed.schema}


def test_columns_get_the_narrowest_type_of_all_their_values() -> None:
    columns = {
        "quantity": ["1", " 2 "],
        "share": ["0.5", "2"],
        "spent": ["1 234,50", "2000,00"],
        "pieces": ["1 234", "5"],
        "paid": ["true", "false"],
        "placed_at": ["2026-01-31", "2026-02-01"],
        "shipped_at": ["31.01.2026", "1.2.2026"],
        "seen_at": ["31.01.2026 10:15", "1.2.2026 9:00"],
        "told": ["3 апреля 2026", "13 мая 2026 г."],
        "remark": ["31.01.2026", "soon"],
    }
    assert kinds(columns) == {
        "quantity": "int64", "share": "double", "spent": "double", "pieces": "int64", "paid": "bool", "placed_at": "date32[day]",
        "shipped_at": "date32[day]", "seen_at": "timestamp[us]", "told": "date32[day]", "remark": "string",
    }  # fmt: skip


@pytest.mark.parametrize(
    "header",
    [
        "order_no",
        "sku",
        "productCode",
        "Invoice number",
        "Номер заказа",
        "Артикул",
        "№",
        "Код товара",
        "Bestellnummer",
        "Kods",
        "external_id",
    ],
)
def test_codes_are_neither_dates_nor_amounts(header: str) -> None:
    assert kinds({header: ["12-11-10", "10-12-11"]}) == {header: "string"}
    assert kinds({header: ["12 110", "10 121"]}) == {header: "string"}
    assert kinds({header: ["1001", "1002"]}) == {header: "int64"}


def test_headers_that_speak_of_numbers_are_no_codes() -> None:
    assert kinds({"Number of employees": ["1 200", "5"], "delivered": ["12-11-10", "10-12-11"]}) == {
        "Number of employees": "int64", "delivered": "date32[day]",
    }  # fmt: skip


def test_the_role_of_a_column_says_what_it_may_be() -> None:
    """The headers are in no list of names: that these are telephones, postcodes and keys is found as in every import."""
    rows = range(40)
    columns = {
        "Klienta nr.": [f"{10 + row % 18}-{10 + row % 3}-{10 + row}" for row in rows],
        "Mob. tel.": [f"29 123 4{row:02}" for row in rows],
        "PLZ": [f"10{row % 8}15" for row in rows],
        "Geburtsdatum": [f"{1 + row % 28}.{1 + row % 12}.19{60 + row}" for row in rows],
        "Umsatz": [f"{1 + row} 234,50" for row in rows],
    }
    assert kinds(columns) == {
        "Klienta nr.": "string", "Mob. tel.": "string", "PLZ": "string", "Geburtsdatum": "date32[day]", "Umsatz": "double",
    }  # fmt: skip


@pytest.mark.parametrize("key", [["1.0", "2.0", ""], ["1", "2", ""]], ids=["floats", "whole"])
@pytest.mark.parametrize("contact", [["1.0", "2.0", "3.0"], ["1", "2", "3"]], ids=["floats", "whole"])
def test_keys_that_a_program_wrote_as_floats_find_their_contacts(tmp_path: Path, key: list[str], contact: list[str]) -> None:
    (tmp_path / "contacts.csv").write_text("id,town\n" + "".join(f"{one},Riga\n" for one in contact))
    (tmp_path / "orders.csv").write_text("customer_id,amount\n" + "".join(f"{one},5\n" for one in key))
    rules = {"segments": {"buyers": "count(orders) > 0"}, "tables": {"orders": {"contact": "customer_id"}}}
    found = crm.segment(tmp_path / "contacts.csv", rules, {"orders": tmp_path / "orders.csv"}, key="id")
    assert found.counts == {"buyers": 2}


@pytest.mark.parametrize(
    "header", ["vat", "company_revenue", "owner_commission", "region_sales", "channel_cost", "id_share", "Номер доли", "income"]
)
def test_numbers_are_numbers_whatever_words_their_header_has(header: str) -> None:
    assert kinds({header: ["15.5", "20.0"]}) == {header: "double"}
    assert kinds({header: ["15", "20"]}) == {header: "int64"}


def test_what_looks_like_its_role_is_text() -> None:
    assert kinds({"vat": ["40003245752", "40103265748"], "status": ["12-11-10", "10-12-11"]}) == {"vat": "string", "status": "string"}
    assert kinds({"tax_id": ["15", "20"]}) == {"tax_id": "string"}
    assert kinds({"section_no": ["1.10", "1.2"], "company": ["12", "Acme"]}) == {"section_no": "string", "company": "string"}


@pytest.mark.parametrize("header", ["created_at", "birth_date", "placed_at", "Дата заказа", "order date"])
def test_dates_of_eight_digits_are_dates_where_the_column_is_one_of_dates(header: str) -> None:
    assert kinds({header: ["20260131", "20260201"]}) == {header: "date32[day]"}
    assert kinds({header: ["1769817600", "1769904000"]}) == {header: "int64"}


def test_digits_that_nothing_calls_dates_are_none() -> None:
    assert kinds({"size": ["20260131", "20260201"], "dim": ["10 12 14", "10 11 12"]}) == {"size": "int64", "dim": "string"}
    assert kinds({"paid on": ["10 12 14", "10 11 12"]}) == {"paid on": "date32[day]"}


def test_numbers_that_cannot_be_read_are_counted_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "contacts.csv").write_text("id\n1\n2\n")
    (tmp_path / "orders.csv").write_text("id;amount\n1;1 234,50\n1;5 1000\n1;12.5\n1;2000,00\n1;7,5\n1;1\n", "utf-8")
    (tmp_path / "rules.yaml").write_text("segments: {exact: sum(orders.amount) = 3243, rows: count(orders) = 6}\n")
    asked = [str(tmp_path / "contacts.csv"), str(tmp_path / "rules.yaml"), "--related", f"orders={tmp_path / 'orders.csv'}"]
    assert run(["segment", *asked, "--json"]) == 0
    heard = capsys.readouterr()
    summary = json.loads(heard.out)
    told = "orders: 2 values of column 'amount' are unreadable as numbers of groups of three digits with the decimal sign of the column"
    assert summary["segments"] == {"exact": 1, "rows": 1}
    assert f"{told}, and not counted (the first in row 2)" in heard.err
    assert run(["segment", *asked, "-q", "--strict"]) == 3


def test_a_column_whose_decimal_sign_nothing_tells_stays_text_and_is_told() -> None:
    with pytest.warns(crm.UnreadAmountsWarning, match=r"2 values of column 'spent' are undecided .* stays text; .* row 1\)") as heard:
        assert kinds({"spent": ["1,234", "2,345"]}) == {"spent": "string"}
    assert [(one.message.column, one.message.n_rows) for one in heard if isinstance(one.message, crm.UnreadAmountsWarning)] == [
        ("spent", 2)
    ]


def test_what_was_never_meant_as_a_number_is_not_told() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kinds({"address": ["10.0.0.1", "10.0.0.2"], "house": ["12", "12a"], "version": ["1.2.3", "2.0"], "none": ["", ""]})
    assert set(found.values()) == {"string"}


def test_texts_of_a_base_stay_texts_where_it_holds_codes_and_words() -> None:
    stored = pa.table(
        {"contact_id": ["c1"], "status": ["1"], "points": ["10"], "spent": ["1 234,50"], "n_records": pa.array([1], pa.int32())}
    )
    typed = typed_columns(stored, "contacts", are_stored=True)
    assert typed.to_pylist() == [{"contact_id": "c1", "status": "1", "points": 10, "spent": 1234.5, "n_records": 1}]
    read = typed_columns(pa.table({"placed_at": ["03/04/2026"]}), "orders", "mdy", are_stored=True)
    assert read["placed_at"].to_pylist() == [dt.date(2026, 3, 4)]


def test_an_export_writes_values_that_could_not_be_read_as_they_stood(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text('id,spent\n1,"1 234,50"\n2,5 1000\n3,"2000,00"\n')
    (tmp_path / "rules.yaml").write_text("segments: {big: spent > 1000 or spent is null}\n")
    out = tmp_path / "out.csv"
    assert run(["export", str(tmp_path / "contacts.csv"), str(tmp_path / "rules.yaml"), "--segment", "big", "-o", str(out), "-q"]) == 0
    assert out.read_text("utf-8-sig").splitlines() == ["id,spent", '1,"1 234,50"', "2,5 1000", '3,"2000,00"']
