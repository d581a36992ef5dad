"""The card of one contact: what is on it, and where each field comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

import crm_engine as crm
from crm_engine.analyze import card_html
from crm_engine.cli import run

ORDERS = pa.table({"contact_id": ["a", "a", "b"], "placed_at": ["2026-01-05", "2026-02-10", "2026-02-03"], "amount": ["10", "20", "5.50"]})
CALLS = pa.table({"contact_id": ["a"], "occurred_at": ["2026-01-01"], "kind": ["call"]})
ERP = "id,name,email,city\n1,Anna Ozola,anna@x.lv,Riga\n2,Zane Liepa,zane@z.lv,Oslo\n"
SHOP = "id,name,email,phone\nS1,Anna Ozola,anna@x.lv,+371 20000001\n"


def test_the_card_of_a_contact_is_escaped() -> None:
    notes = pa.table({"contact_id": ["a"], "created_at": ["2026-01-06"], "text": ["<script>alert(1)</script>"]})
    contacts = pa.table({"contact_id": ["a"], "email": [["a@x.lv", "<b>@y.lv"]], "tags": [[]]})
    tables = {"orders": ORDERS, "interactions": CALLS, "notes": notes, "contacts": contacts}
    card = crm.analyze("activity", tables, contact="a")
    assert card.summary["counts"] == {"orders": 2, "interactions": 1, "notes": 1}
    assert card.summary["fields"] == {"contact_id": "a", "email": ["a@x.lv", "<b>@y.lv"]}
    page = card_html(card)
    assert "<script>" not in page
    assert "<dd>a@x.lv, &lt;b&gt;@y.lv</dd>" in page
    with pytest.raises(crm.ConfigError, match="nothing is known"):
        crm.analyze("activity", tables, contact="zz")


def test_payments_and_stages_are_on_the_card_by_their_orders_and_deals() -> None:
    orders = ORDERS.append_column("order_id", pa.array([1.0, 2.0, 3.0]))
    deals = pa.table({"deal_id": ["D1", "D2"], "contact_id": ["a", "b"], "stage": ["won", "lost"], "created_at": ["2026-01-02"] * 2})
    payments = pa.table(
        {"payment_id": [1, 2, 3, 4], "order_id": ["1", "3", None, None], "deal_id": [None, None, "D1", "D2"],
         "status": ["overdue", "received", "received", "received"], "paid_at": [None, "2026-02-04", "2026-02-05", "2026-02-06"],
         "due_at": ["2026-01-20", None, None, None], "amount": ["10", "5.50", "7", "8"]}
    )  # fmt: skip
    stages = pa.table({"deal_id": ["D1", "D2"], "stage": ["won", "lost"], "entered_at": ["2026-01-03"] * 2})
    card = crm.analyze("activity", {"orders": orders, "deals": deals, "payments": payments, "deal_stages": stages}, contact="a")
    assert card.summary["counts"] == {"payments": 2, "orders": 2, "deals": 1, "deal_stages": 1}
    dated = {row["what"]: str(row["at"])[:10] for row in card.table.to_pylist() if row["table"] == "payments"}
    assert dated == {"overdue, 10": "2026-01-20", "received, 7": "2026-02-05"}
    assert "warnings" not in card.summary


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    (folder / "erp.csv").write_text(ERP)
    (folder / "shop.csv").write_text(SHOP)
    with crm.Base.create(folder / "base") as base:
        base.import_contacts(folder / "erp.csv", source_name="erp")
        base.import_contacts(folder / "shop.csv", source_name="shop")
        base.set({"city": "Jelgava"}, where="full_name = 'Anna Ozola'")
    return folder / "base"


def test_a_base_tells_where_each_field_comes_from(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with crm.Base.open(base) as opened:
        people = {row["full_name"]: row["contact_id"] for row in opened.contacts().read_all().to_pylist()}
        anna = opened.analyze("activity", contact=people["Anna Ozola"])
        zane = opened.analyze("activity", contact=people["Zane Liepa"])
    lineage = anna.summary["lineage"]
    [phone] = lineage["phone"]
    assert (phone["source"], phone["source_key"], phone["source_file"], phone["source_row"]) == ("shop", "S1", "shop.csv", 2)
    assert isinstance(phone["record_id"], int)
    assert lineage["city"] == [{"edited": "set"}]
    assert "contact_id" not in lineage
    told = {row["field"]: row["source"] for row in anna.tables["fields"].to_pylist()}
    assert (told["phone"], told["city"], told["contact_id"]) == ("shop:S1", "set by hand", None)
    # All fields of a contact of one record come from that one.
    assert {row["source"] for row in zane.tables["fields"].to_pylist() if row["field"] not in ("contact_id", "n_records")} == {"erp:2"}
    assert "<dd>+37120000001 <small>shop:S1</small></dd>" in card_html(anna)
    assert "<dd>Jelgava <small>set by hand</small></dd>" in card_html(anna)
    assert run(["analyze", "activity", str(base), "--contact", people["Anna Ozola"], "-q", "-o", str(tmp_path / "card.json")]) == 0
    assert json.loads((tmp_path / "card.json").read_text("utf-8"))["lineage"]["phone"] == [phone]
    assert run(["analyze", "activity", str(base), "--contact", people["Zane Liepa"]]) == 0
    assert "erp:2" in capsys.readouterr().out


def test_the_lineage_that_dedupe_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "erp.csv").write_text(ERP)
    (tmp_path / "shop.csv").write_text(SHOP)
    crm.dedupe([tmp_path / "erp.csv", tmp_path / "shop.csv"]).write(tmp_path / "out")
    contacts = pa.parquet.read_table(tmp_path / "out" / "contacts.parquet").to_pylist()
    anna = next(row["contact_id"] for row in contacts if row["n_records"] == 2)
    told = {row["field"]: row["source"] for row in crm.analyze("activity", tmp_path / "out", contact=anna).tables["fields"].to_pylist()}
    assert (told["phone"], told["city"]) == ("shop.csv row 2", "erp.csv row 2")
    lineage = pa.table({"contact_id": ["a"], "email": [[7, 8]]})
    alone = crm.analyze("activity", {"contacts": {"contact_id": ["a"], "email": ["a@x.lv"]}, "lineage": lineage}, contact="a")
    assert alone.summary["lineage"] == {"email": [{"record_id": 7}, {"record_id": 8}]}
    assert alone.tables["fields"]["source"].to_pylist() == [None, "record 7, record 8"]
