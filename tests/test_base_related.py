"""Related tables: whom rows belong to, orphans, clashes, re-import, and that no row is lost when contacts merge, split or go."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from base_samples import Template, people, record_ids, take_in
from conftest import LONG

import crm_engine as crm
from crm_engine.base.schema import RESERVED
from crm_engine.cli import run

ANNA = {"id": "1", "name": "Anna Ozola", "email": "anna.ozola@inbox.lv", "phone": "29123456", "city": "Riga"}
JANIS = {"id": "2", "name": "Jānis Bērziņš", "email": "janis.berzins@inbox.lv", "phone": "26111222", "city": "Liepāja"}


def owners(base: crm.Base, table: str, key: str) -> dict[str, str | None]:
    return {row[key]: row["contact_id"] for row in base.table(table).read_all().to_pylist()}


def contact_of(base: crm.Base, key: str) -> str:
    return next(row["contact_id"] for row in base.table("records").read_all().to_pylist() if row["source_key"] == key)


def test_rows_find_their_contact_by_key_and_orphans_wait(template: Template) -> None:
    orders = pa.table({"order_no": ["A", "B", "C"], "customer_no": ["1", "2", None], "amount": ["10.50", "7", "1"]})
    with template.copy() as base:
        take_in(base, [ANNA])
        run = base.import_related("orders", orders, source_name="erp")
        assert run.counts == {
            "rows_in": 3, "new": 3, "updated": 0, "unchanged": 0, "duplicates": 0, "clashes": 0, "without_reference": 1, "orphans": 1,
            "rejected": 0, "skipped": 0,
        }  # fmt: skip
        assert owners(base, "orders", "order_no") == {"A": contact_of(base, "1"), "B": None, "C": None}
        take_in(base, [JANIS])
        assert owners(base, "orders", "order_no")["B"] == contact_of(base, "2")
        base.undo(3)
        assert owners(base, "orders", "order_no")["B"] is None


def test_usual_names_are_known_however_they_are_written(template: Template) -> None:
    with template.copy() as base:
        take_in(base, [ANNA])
        run = base.import_related("orders", pa.table({"Order ID": ["A"], "Customer No.": ["1"], "Total": ["7"]}), source_name="erp")
        assert (run.detail["row_key"], run.detail["contact_key"], run.warnings) == ("Order ID", "Customer No.", [])
        base.import_related("interactions", pa.table({"E-Mail": ["Anna.Ozola@inbox.lv"], "kind": ["letter"]}))
        anna = contact_of(base, "1")
        assert (owners(base, "orders", "Order ID"), owners(base, "interactions", "kind")) == ({"A": anna}, {"letter": anna})


def test_tables_and_columns_are_known_by_words_as_analyses_know_them(template: Template) -> None:
    with template.copy() as base:
        take_in(base, [ANNA])
        anna = contact_of(base, "1")
        orders = {"№ заказа": ["A"], "Клиент": ["Анна"], "Код клиента": ["1"], "Сумма": ["7"], "Валюта": ["EUR"], "Дата": ["2026-01-05"]}
        run = base.import_related("Заказы", pa.table(orders), source_name="erp")
        assert (run.detail["row_key"], run.detail["contact_key"], run.warnings) == ("№ заказа", "Код клиента", [])
        run = base.import_related("Звонки", pa.table({"Телефон": ["29 123 456"], "Дата": ["2026-01-06"]}))
        assert (run.detail["reference"], run.warnings) == ("phone", [])
        run = base.import_related("Задачи", pa.table({"Клиент": ["Анна"], "Срок": ["2026-01-06"]}))
        assert "name it with contact_key=... (perhaps 'Клиент', if it holds keys and not names)" in run.warnings[0]
        assert base.import_related("Стадии сделок", pa.table({"Код сделки": ["1"], "Этап": ["won"]})).warnings == []
        assert owners(base, "Заказы", "№ заказа") == {"A": anna}
        assert [row["contact"] for row in base.analyze("value").table.to_pylist()] == [anna]
        card = base.analyze("activity", contact=anna)
        assert {"orders", "interactions"} <= {str(row["table"]) for row in card.table.to_pylist()}


def test_deals_of_hubspot_are_known_by_their_record_and_belong_to_the_first_contact(template: Template) -> None:
    def deals(stage: str) -> pa.Table:
        return pa.table({"Record ID": ["501"], "Deal Stage": [stage], "Associated Contact IDs": ["1; 2"]})

    with template.copy() as base:
        take_in(base, [ANNA, JANIS])
        anna = base.find({"email": ANNA["email"]})[0]["contact_id"]
        assert base.import_related("deals", deals("Proposal"), source_name="erp").counts["orphans"] == 0
        assert base.import_related("deals", deals("Won"), source_name="erp").counts["updated"] == 1
        assert owners(base, "deals", "Deal Stage") == {"Won": anna}


def test_rows_without_a_key_that_change_are_told(template: Template, tmp_path: Path) -> None:
    def calls(*outcomes: str, since: int = 0) -> pa.Table:
        return pa.table({"phone": [f"2912345{since + n}" for n in range(len(outcomes))], "outcome": list(outcomes)})

    with template.copy() as base:
        assert not base.import_related("interactions", calls("a", "b", "c")).counts.get("perhaps_changed")
        again = base.import_related("interactions", calls("a", "x", "y"))
        assert again.counts["perhaps_changed"] == 2
        told = next(warning for warning in again.warnings if "did not come again" in warning)
        assert told.startswith("interactions: 2 of the new rows")
        assert "only its latest rows" in told
        assert "with row_key=..." in told
        # Further rows are just that, whether they come beside those that were there or for themselves.
        for more in (calls("a", "x", "y", "z"), calls("a", "b", since=7)):
            run = base.import_related("interactions", more)
            assert run.counts["new"] > 0
            assert not run.counts.get("perhaps_changed")


def test_keys_that_are_named_later_are_told(template: Template) -> None:
    rows = pa.table({"no": ["1", "2"], "phone": ["29123456", "26111222"], "client": ["2", "2"]})
    with template.copy() as base:
        take_in(base, [ANNA, JANIS])
        first = base.import_related("orders", rows, source_name="erp")
        other = base.import_related("orders", rows, source_name="erp", contact_key="client")
        assert other.nothing_new
        told = next(warning for warning in other.warnings if "known already" in warning)
        assert told.startswith("orders: 2 rows are known already and keep whose they are; to say it by 'client' instead")
        assert f"(run {first.run_id} was the first)" in told
        keyed = base.import_related("orders", rows, source_name="erp", row_key="no")
        assert any("2 rows were taken in before without a row key" in warning for warning in keyed.warnings)


def test_rows_find_their_contact_by_phone_and_email(template: Template) -> None:
    with template.copy() as base:
        take_in(base, [ANNA, JANIS])
        base.import_related("interactions", pa.table({"phone": ["29 123 456", "2 6111222", "67000000"], "kind": ["call"] * 3}))
        base.import_related("campaign_contacts", pa.table({"email": ["ANNA.OZOLA@inbox.lv", "x@y.lv"], "sent": ["1", "1"]}))
        assert set(owners(base, "interactions", "phone").values()) == {contact_of(base, "1"), contact_of(base, "2"), None}
        assert owners(base, "campaign_contacts", "email") == {"ANNA.OZOLA@inbox.lv": contact_of(base, "1"), "x@y.lv": None}


def test_a_number_that_several_contacts_share_says_of_none(template: Template) -> None:
    with template.copy() as base:
        take_in(base, [{**ANNA, "phone": "67000000"}, {**JANIS, "phone": "67000000"}])
        base.import_related("interactions", pa.table({"phone": ["67000000"]}))
        assert base.table("interactions").read_all()["contact_id"].to_pylist() == [None]


def test_rows_follow_their_contacts_through_merge_split_and_undo(template: Template) -> None:
    with template.copy() as base:
        take_in(base, [ANNA, JANIS])
        before = {key: contact_of(base, key) for key in ("1", "2")}
        orders = pa.table({"order_no": ["A", "B"], "contact_id": [before["1"], before["2"]]})
        base.import_related("orders", orders)
        ids = record_ids(base)
        merge = base.decide([(ids["1"], ids["2"])], "same")
        merged = set(owners(base, "orders", "order_no").values())
        assert len(merged) == 1
        assert len(owners(base, "orders", "order_no")) == 2
        base.split(merged.pop() or "")
        assert owners(base, "orders", "order_no") == {"A": before["1"], "B": before["2"]}
        base.undo(base.runs().num_rows)
        base.undo(merge.run_id)
        assert owners(base, "orders", "order_no") == {"A": before["1"], "B": before["2"]}


def test_again_and_changed(template: Template) -> None:
    def orders(amount: str) -> pa.Table:
        return pa.table({"order_no": ["A", "B"], "customer_no": ["1", "1"], "amount": [amount, "7"]})

    with template.copy() as base:
        take_in(base, [ANNA])
        for amount, expected in (("1", (2, 0, 0)), ("1", (0, 0, 2)), ("2", (0, 1, 1)), ("1", (0, 1, 1)), ("1", (0, 0, 2))):
            counts = base.import_related("orders", orders(amount), source_name="erp").counts
            assert (counts["new"], counts["updated"], counts["unchanged"]) == expected
            rows = base.table("orders").read_all().to_pylist()
            assert sorted((row["order_no"], row["amount"]) for row in rows) == [("A", int(amount)), ("B", 7)]
        assert base.verify()["problems"] == []


def test_a_clash_of_keys_is_reported_and_nothing_is_dropped(template: Template) -> None:
    rows = pa.table({"order_no": ["A", "A", "A"], "customer_no": ["1", "1", "1"], "amount": ["1", "2", "2"]})
    with template.copy() as base:
        run = base.import_related("orders", rows, source_name="erp")
        assert (run.counts["new"], run.counts["duplicates"], run.counts["clashes"]) == (2, 1, 1)
        assert any("share the key" in warning for warning in run.warnings)
        assert sorted(base.table("orders").read_all()["amount"].to_pylist()) == [1, 2]


def test_equal_rows_without_a_key_are_all_kept(template: Template) -> None:
    calls = pa.table({"phone": ["29123456"] * 3, "kind": ["call"] * 3})
    with template.copy() as base:
        assert base.import_related("interactions", calls).counts["new"] == 3
        assert base.import_related("interactions", calls).counts["unchanged"] == 3
        assert base.table("interactions").read_all().num_rows == 3


def test_columns_have_the_types_that_all_their_values_have(template: Template) -> None:
    with template.copy() as base:
        first = {
            "id": ["1"],
            "customer_no": ["007"],
            "day": ["2026-01-05"],
            "n": ["5"],
            "share": ["0.5"],
            "zip": ["01067"],
            "paid": ["true"],
        }
        base.import_related("payments", pa.table(first), source_name="erp")
        schema = base.table("payments").schema
        kinds = {name: str(schema.field(name).type) for name in schema.names}
        assert kinds == {
            "contact_id": "string", "id": "string", "customer_no": "string", "day": "date32[day]", "n": "int64",
            "share": "decimal128(38, 1)",
            "zip": "string", "paid": "bool",
        }  # fmt: skip
        second = {"id": ["2"], "customer_no": ["008"], "day": ["2026-01-05 10:00"], "n": ["5.5"], "share": ["viel"], "more": [""]}
        base.import_related("payments", pa.table(second), source_name="erp")
        schema = base.table("payments").schema
        kinds = {name: str(schema.field(name).type) for name in schema.names}
        assert (kinds["day"], kinds["n"], kinds["share"], kinds["more"]) == ("timestamp[us]", "decimal128(38, 1)", "string", "string")
        base.undo(2)
        assert "more" not in base.table("payments").schema.names
        base.undo(1)
        with pytest.raises(crm.SchemaError, match="no table 'payments'"):
            base.table("payments")


def test_what_is_unclear_is_asked(template: Template) -> None:
    rows = pa.table({"order_no": ["A"], "customer_no": ["1"]})
    cases: list[tuple[str, dict[str, Any], type[Exception], str]] = [
        ("records", {}, crm.ConfigError, "a table of the base itself"),
        ("contacts", {}, crm.ConfigError, "imported as such"),
        ("orders", {"contact_key": "customer"}, crm.SchemaError, "did you mean 'customer_no'"),
        ("", {}, crm.ConfigError, "needs a name"),
    ]
    with template.copy() as base:
        for name, options, kind, message in cases:
            with pytest.raises(kind, match=message):
                base.import_related(name, rows, source_name="erp", **options)
        take_in(base, [ANNA], source="erp")
        take_in(base, [JANIS], source="crm")
        with pytest.raises(crm.ConfigError, match="which source's keys.*crm, erp"):
            base.import_related("orders", rows)
        assert base.runs().num_rows == 2


def test_segments_and_analyses_over_the_base(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(20))
        orders = {
            "order_no": ["A", "B"],
            "customer_no": ["0", "1"],
            "amount": ["100", "5"],
            "currency": ["EUR", "EUR"],
            "placed_at": ["2026-01-05", "2026-02-01"],
        }
        base.import_related("orders", pa.table(orders), source_name="erp")
        rules = {"segments": {"big": {"where": "sum(orders.amount) > 50"}}}
        result = base.segment(rules, today="2026-03-01")
        assert result.of("big").to_pylist() == [contact_of(base, "0")]
        orders["amount"] = ["1", "500"]
        base.import_related("orders", pa.table(orders), source_name="erp")
        result = base.segment(rules, today="2026-04-01")
        assert result.entered["contact_id"].to_pylist() == [contact_of(base, "1")]
        assert result.left["contact_id"].to_pylist() == [contact_of(base, "0")]
        value = base.analyze("value").table.to_pylist()
        assert {row["contact"] for row in value} == {contact_of(base, "0"), contact_of(base, "1")}


def test_the_command_writes_who_entered_and_who_left(template: Template, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("segments: {big: 'sum(orders.amount) > 50'}\n")
    with template.copy() as base:
        take_in(base, people(3))
        orders = {"order_no": ["A", "B"], "customer_no": ["0", "1"], "amount": ["100", "5"], "placed_at": ["2026-01-05", "2026-02-01"]}
        for amounts, day in ((["100", "5"], "2026-03-01"), (["1", "500"], "2026-04-01")):
            base.import_related("orders", pa.table({**orders, "amount": amounts}), source_name="erp")
            out = tmp_path / day
            assert run(["segment", str(base.path), str(tmp_path / "rules.yaml"), "--today", day, "-o", str(out), "-q"]) == 0
        first, second = contact_of(base, "0"), contact_of(base, "1")
    # Of the first run nothing was known before.
    assert sorted(file.name for file in (tmp_path / "2026-03-01").iterdir()) == ["members.parquet", "summary.json"]
    entered = {"segment": "big", "contact_id": second, "entered_on": dt.date(2026, 4, 1)}
    assert pq.read_table(out / "entered.parquet").to_pylist() == [entered]
    left = {"segment": "big", "contact_id": first, "entered_on": dt.date(2026, 3, 1), "left_on": dt.date(2026, 4, 1)}
    assert pq.read_table(out / "left.parquet").to_pylist() == [left]
    assert json.loads((out / "summary.json").read_text())["entered"] == {"big": 1}


def test_only_tables_whose_rows_should_have_a_contact_are_told_to_have_none(template: Template) -> None:
    with template.copy() as base:
        take_in(base, [ANNA])
        rows = pa.table({"deal_id": ["1"], "stage": ["won"], "entered_at": ["2026-01-01"]})
        assert base.import_related("deal_stages", rows).warnings == []
        assert base.import_related("visits", rows).warnings == ["visits: no column says whose rows these are; name it with contact_key=..."]


#: What our statements call their temporary tables.
_TEMPORARY = sorted(
    {
        name
        for file in (Path(crm.__file__).parent / "base").glob("*.py")
        for name in re.findall(r"(?:TEMP TABLE |temp\.)(\w+)", file.read_text("utf-8"))
        if not name.endswith("_")
    }
    | {"new_contacts", "new_lineage"}
)


def test_a_table_may_be_called_as_a_temporary_one_of_ours(template: Template) -> None:
    names = [name for name in _TEMPORARY if name not in RESERVED]
    assert {"heirs", "going", "known", "staged", "erased", "new_contacts"} <= set(names)
    rows = pa.table({"order_no": ["A", "B"], "customer_no": ["1", "2"], "text": ["secret of Anna", "of Jānis"]})
    more = pa.table({"order_no": ["A", "B", "C"], "customer_no": ["1", "2", "2"], "text": ["secret of Anna", "of Jānis", "more"]})
    with template.copy() as base:
        take_in(base, [ANNA, JANIS])
        for name in names if LONG else ["heirs", "going", "known", "staged", "erased", "new_contacts"]:
            first = base.import_related(name, rows, source_name="erp")
            again = base.import_related(name, more, source_name="erp")
            assert (again.counts["unchanged"], again.counts["new"]) == (2, 1), name
            assert base.undo(first.run_id).counts["rows_removed"] == 0, name
            assert sorted(base.table(name).read_all()["order_no"].to_pylist()) == ["A", "B", "C"], name
        erased = base.erase(contact_of(base, "1")).counts
        for name in base.tables().keys() & set(names):
            assert erased[f"{name}_removed"] == 1, name
            assert sorted(base.table(name).read_all()["text"].to_pylist()) == ["more", "of Jānis"], name
        assert base.verify()["problems"] == []
        for run in base.runs().to_pylist():
            if run["target"] in names and run["undone_by"] is None:
                base.undo(run["run_id"])
        assert not base.tables().keys() & set(names)


def test_money_is_never_a_float(template: Template) -> None:
    def amounts(*values: str, key: str = "") -> pa.Table:
        keys = [f"{key}{n}" for n in range(len(values))]
        return pa.table({"payment_id": keys, "customer_no": ["1"] * len(values), "amount": list(values)})

    with template.copy() as base:
        take_in(base, [ANNA])
        base.import_related("payments", amounts("1.005", "123456789012345.67", "-3"), source_name="erp")
        assert base.table("payments").schema.field("amount").type == pa.decimal128(38, 3)
        told = sorted(base.table("payments").read_all()["amount"].to_pylist())
        assert told == [Decimal("-3"), Decimal("1.005"), Decimal("123456789012345.67")]
        base.import_related("payments", amounts("0.00005", "12345678901234567890", key="b"), source_name="erp")
        assert base.table("payments").schema.field("amount").type == pa.decimal128(38, 5)
        assert Decimal("12345678901234567890") in base.table("payments").read_all()["amount"].to_pylist()
        rules = {"segments": {"paying": {"where": "sum(payments.amount) > 123456789012346"}}}
        assert base.segment(rules).of("paying").to_pylist() == [contact_of(base, "1")]
        # What has an exponent is a measure, not money.
        base.import_related("payments", amounts("1e-7", key="c"), source_name="erp")
        assert base.table("payments").schema.field("amount").type == pa.float64()


def test_a_column_source_that_names_no_source_of_the_base_is_data(template: Template) -> None:
    deals = {"deal_id": ["1", "2"], "customer_no": ["1", "2"], "source": ["website", "fair"]}
    with template.copy() as base:
        take_in(base, [ANNA, JANIS])
        for options in ({"source_name": "erp"}, {}):
            run = base.import_related("deals", pa.table(deals), **options)
            assert (run.counts["orphans"], run.source, run.warnings) == (0, "erp", [])
        # Another lead source is a change of the row, not another row.
        deals["source"] = ["referral", "fair"]
        assert base.import_related("deals", pa.table(deals)).counts["updated"] == 1
        # Where it names sources of the base it says whose keys these are, unless that was said.
        take_in(base, [{**ANNA, "id": "7"}], source="crm")
        calls = pa.table({"call_id": ["1", "2"], "customer_no": ["1", "7"], "source": ["erp", "crm"]})
        run = base.import_related("calls", calls)
        assert (run.counts["orphans"], run.detail["source_column"]) == (0, "source")
        assert base.import_related("visits", calls, source_name="erp").counts["orphans"] == 1


def test_a_source_that_the_base_does_not_know_is_named(template: Template) -> None:
    orders = pa.table({"order_no": ["A"], "customer_no": ["1"]})
    with template.copy() as base:
        take_in(base, [ANNA])
        run = base.import_related("orders", orders, source_name="epr")
        assert run.counts["orphans"] == 1
        assert "no contacts of the source epr; its sources are erp" in run.warnings[0]


def test_rows_of_erased_people_are_told_apart_by_the_column_source(template: Template) -> None:
    calls = pa.table({"call_id": ["1", "2"], "customer_no": ["1", "1"], "source": ["erp", "crm"]})
    with template.copy() as base:
        take_in(base, [ANNA])
        take_in(base, [{**JANIS, "id": "1"}], source="crm")
        base.erase(next(row["contact_id"] for row in base.table("records").read_all().to_pylist() if row["source"] == "erp"))
        run = base.import_related("calls", calls)
        assert (run.counts["erased"], run.counts["new"], run.counts["orphans"]) == (1, 1, 0)


def test_relations_know_both_their_contacts(template: Template) -> None:
    rows = {"relation_id": ["1", "2"], "customer_no": ["1", "2"], "other_customer_no": ["2", "3"], "kind": ["works at", "partner"]}
    with template.copy() as base:
        take_in(base, [ANNA, JANIS])
        run = base.import_related("relations", pa.table(rows), source_name="erp")
        assert run.detail["other_key"] == "other_customer_no"
        told = {row["relation_id"]: (row["contact_id"], row["other_contact_id"]) for row in base.table("relations").read_all().to_pylist()}
        anna, janis = contact_of(base, "1"), contact_of(base, "2")
        assert told == {"1": (anna, janis), "2": (janis, None)}
        base.erase(janis)
        assert base.table("relations").read_all().num_rows == 0
