"""The demo business: exact counts, the same content for one seed, references that resolve, identifiers that are valid."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pytest

import crm_engine as crm
from crm_engine.demo import write_demo
from crm_engine.demo.people import draw, inn, latvian_registration


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "exports"
    write_demo(folder, rows=1_500, seed=3)
    return folder


def rows(path: Path, encoding: str = "utf-8", delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.suffix != ".xlsx"}


@pytest.mark.parametrize("n_rows", [1, 37, 1_000])
def test_it_writes_exactly_the_rows_asked_for(tmp_path: Path, n_rows: int) -> None:
    summary = write_demo(tmp_path / "demo", rows=n_rows, seed=9)
    assert sum(summary.contacts.values()) == n_rows
    assert len(rows(tmp_path / "demo" / "truth.csv")) == n_rows
    assert summary.entities <= n_rows


def test_one_seed_gives_one_content(demo: Path, tmp_path: Path) -> None:
    write_demo(tmp_path / "again", rows=1_500, seed=3)
    write_demo(tmp_path / "other", rows=1_500, seed=4)
    assert digest(tmp_path / "again") == digest(demo)
    assert digest(tmp_path / "other") != digest(demo)


def test_attributes_are_told_apart_by_their_whole_name() -> None:
    ids = np.arange(100)
    for one, other in (("response_minutes", "response_seconds"), ("deal owner", "deal order"), ("a", "a\0")):
        assert (draw(1, ids, one) != draw(1, ids, other)).all(), (one, other)


def test_the_truth_knows_every_row_once(demo: Path) -> None:
    truth = {(row["source_file"], row["source_key"]) for row in rows(demo / "truth.csv")}
    keys = {("hubspot_contacts.csv", row["Record ID"]) for row in rows(demo / "hubspot_contacts.csv")}
    keys |= {("bitrix24_контакты.csv", row["ID"]) for row in rows(demo / "bitrix24_контакты.csv", "cp1251", ";")}
    keys |= {("webshop_customers.parquet", key) for key in pq.read_table(demo / "webshop_customers.parquet")["customer_id"].to_pylist()}
    sheet = openpyxl.load_workbook(demo / "klienti.xlsx")["Klienti"]
    title, blank, header, *body = sheet.iter_rows(values_only=True)
    assert title[0] == "Klientu saraksts 2026. gada 1. novembrī"
    assert not any(blank)
    assert header[0] == "Kods"
    keys |= {("klienti.xlsx", row[0]) for row in body}
    assert keys == truth
    assert len(truth) == 1_500


def test_related_rows_refer_to_contacts_that_exist(demo: Path) -> None:
    shop = set(pq.read_table(demo / "webshop_customers.parquet")["customer_id"].to_pylist())
    hubspot = {row["Record ID"] for row in rows(demo / "hubspot_contacts.csv")}
    assert {row["customer_no"] for row in rows(demo / "orders.csv")} <= shop
    deals = rows(demo / "deals.csv")
    for name, key in (("orders", "order_id"), ("payments", "payment_id"), ("deals", "deal_id")):
        keys = [row[key] for row in rows(demo / f"{name}.csv")]
        assert len(set(keys)) == len(keys), name
    assert {row["customer_no"] for row in deals} <= hubspot
    assert {row["deal_id"] for row in rows(demo / "deal_stages.csv")} == {row["deal_id"] for row in deals}
    calls = pq.read_table(demo / "interactions.parquet").to_pylist()
    assert {call["customer_no"] is None for call in calls} == {True, False}
    assert all((call["customer_no"] is None) == (call["phone"] is not None) for call in calls)


def test_a_deal_is_lost_for_a_reason_and_only_then(demo: Path) -> None:
    deals = rows(demo / "deals.csv")
    assert {row["stage"] for row in deals} >= {"won", "lost"}
    assert all(bool(row["lost_reason"]) == (row["stage"] == "lost") for row in deals)
    assert all(bool(row["closed_at"]) == (row["stage"] in ("won", "lost")) for row in deals)


def test_tax_numbers_have_right_check_digits() -> None:
    companies = np.arange(2_000) * 7_919
    for number in inn(companies).to_pylist():
        weighted = sum(int(figure) * weight for figure, weight in zip(number, (2, 4, 10, 3, 5, 9, 4, 6, 8), strict=False))
        assert weighted % 11 % 10 == int(number[9])
    for number in latvian_registration(companies).to_pylist():
        weighted = sum(int(figure) * weight for figure, weight in zip(number, (9, 1, 4, 8, 3, 10, 2, 5, 7, 6), strict=False))
        assert len(number) == 11
        assert (3 - weighted) % 11 == int(number[10])


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(crm.ConfigError, match="not an empty folder"):
        write_demo(tmp_path, rows=10)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_failed_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_engine.demo.related.costs", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_demo(tmp_path / "demo", rows=10)
    assert list(tmp_path.iterdir()) == []


def test_deals_are_lost_at_every_stage(demo: Path) -> None:
    stages = crm.pipeline_funnel(demo / "deals.csv", demo / "deal_stages.csv").stages.to_pylist()
    assert len(stages) > 3
    assert all(row["lost"] > 0 for row in stages[:-1])
    assert all(0.5 < row["conversion_from_previous"] < 0.95 for row in stages[1:])
