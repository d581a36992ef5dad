"""Segments over a base: which tables are read and how, and memberships that are kept by the name of a segment."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from base_samples import Template, people, take_in

import crm_engine as crm
from crm_engine.base.lake import Transaction
from crm_engine.cli import run

ORDERS = "order_no;customer_no;placed_at;amount;code\n1;0;03/04/2026;1 234,50;12-11-10\n2;1;01/02/2026;5,5;10-10-12\n"
EVERYBODY = "n_records > 0"


@pytest.fixture
def base(template: Template, tmp_path: Path) -> crm.Base:
    (tmp_path / "orders.csv").write_text(ORDERS)
    base = template.copy()
    take_in(base, people(3))
    base.import_related("orders", tmp_path / "orders.csv", row_key="order_no", contact_key="customer_no", source_name="erp")
    return base


def test_texts_of_a_base_are_read_as_those_of_files_are(base: crm.Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = {
        "segments": {
            "big": "sum(orders.amount) > 1000",
            "in_march": "month(last(orders.placed_at)) = 3",
            "coded": "count(orders) filter (where code = '12-11-10') = 1",
        }
    }
    with base:
        assert base.segment(rules, today="2026-11-01", date_order="mdy").counts == {"big": 1, "in_march": 1, "coded": 1}
        with pytest.warns(crm.AmbiguousDatesWarning, match="orders: the dates of column 'placed_at'"):
            assert base.segment(rules, today="2026-11-01").counts == {"big": 1, "in_march": 0, "coded": 1}
        with pytest.raises(crm.ConfigError, match="date_order is 'american'"):
            base.segment(rules, date_order="american")
    (tmp_path / "rules.yaml").write_text("segments: {in_march: month(last(orders.placed_at)) = 3}\n")
    asked = [str(base.path), str(tmp_path / "rules.yaml"), "--today", "2026-11-01", "--date-order", "mdy"]
    assert run(["segment", *asked, "--json"]) == 0
    assert '"in_march": 1' in capsys.readouterr().out
    written = ["export", "--base", *asked, "--segment", "in_march", "-o", str(tmp_path / "march.csv"), "-q"]
    assert run(written) == 0
    assert len((tmp_path / "march.csv").read_text("utf-8-sig").splitlines()) == 2


def test_tables_are_read_that_the_rules_name_whole_and_in_any_case(base: crm.Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name within a longer one, or in a text, is no table that is spoken of."""
    rows = pa.table({"customer_no": ["0"], "at": ["2026-04-03"]})
    read: list[str] = []
    table = crm.Base.table
    with base:
        for name in ("order", "orders_old", "riga", "my visits"):
            base.import_related(name, rows, source_name="erp")
        monkeypatch.setattr(crm.Base, "table", lambda self, name, *columns: read.append(name) or table(self, name, *columns))
        base.segment({"segments": {"any": "count(ORDERS) > 0 and city <> 'it''s riga'"}}, date_order="dmy")
        assert sorted(read) == ["contacts", "orders"]
        read.clear()
        base.segment({"segments": {"any": 'count("my visits") > 0', "tree": {"field": "city", "op": "=", "value": "x"}}})
        assert sorted(read) == ["contacts", "my visits"]
        read.clear()
        base.segment({"segments": {"tree": crm.field("my visits.customer_no").count() > 0}})
        assert sorted(read) == ["contacts", "my visits"]


def test_a_segment_keeps_its_members_whatever_stands_beside_it(base: crm.Base) -> None:
    first, second = dt.date(2026, 1, 1), dt.date(2026, 2, 1)
    with base:
        n_contacts = base.contacts().read_all().num_rows
        base.segment({"segments": {"all": EVERYBODY, "some": EVERYBODY}}, today=first)
        # One is renamed, one is new, and one is defined elsewhere.
        result = base.segment({"segments": {"all": EVERYBODY, "renamed": EVERYBODY, "new": "n_records < 0"}}, today=second)
        assert result.summary["entered"] == {"all": 0, "renamed": n_contacts, "new": 0}
        assert result.left.num_rows == 0
        assert set(result.memberships.filter(pa.compute.equal(result.memberships["segment"], "all"))["entered_on"].to_pylist()) == {first}
        assert base.segment({"segments": {"some": EVERYBODY}}, today=second).entered.num_rows == 0
        with base._lake.reading() as cursor:
            kept = cursor.rows("SELECT segment, count(*), count(DISTINCT contact_id) FROM memberships GROUP BY segment ORDER BY segment")
    assert kept == [("all", n_contacts, n_contacts), ("new", 1, 0), ("renamed", n_contacts, n_contacts), ("some", n_contacts, n_contacts)]


def test_whoever_is_in_a_segment_that_was_empty_has_entered(base: crm.Base) -> None:
    with base:
        assert "entered" not in base.segment({"segments": {"many": "n_records > 99"}}).summary
        result = base.segment({"segments": {"many": EVERYBODY}})
        assert (result.summary["entered"], result.summary["left"]) == ({"many": result.counts["many"]}, {"many": 0})
        assert base.segment({"segments": {"many": "n_records > 99"}}).left.num_rows == result.counts["many"]


def test_memberships_of_an_older_base_are_kept_by_their_segments(base: crm.Base) -> None:
    day = dt.date(2026, 1, 1)
    with base:
        contact = base.contacts(["contact_id"]).read_all()["contact_id"][0].as_py()
        transaction = Transaction(base._lake)
        transaction.execute("DROP TABLE memberships")
        transaction.execute("CREATE TABLE lake.memberships (rules VARCHAR, segment VARCHAR, contact_id VARCHAR, entered_on DATE)")
        for rules, entered_on in (("a", dt.date(2026, 3, 1)), ("b", day)):
            transaction.execute("INSERT INTO memberships VALUES (?, 'all', ?, ?)", [rules, contact, entered_on])
        transaction.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
        transaction.commit()
        transaction.close()
    with crm.Base.open(base.path) as opened:
        with opened._lake.reading() as cursor:
            assert cursor.rows("SELECT segment, contact_id, entered_on FROM memberships") == [("all", contact, day)]
        result = opened.segment({"segments": {"all": EVERYBODY}}, today="2026-04-01")
        assert contact not in result.entered["contact_id"].to_pylist()
        assert opened.verify()["problems"] == []


def test_a_related_table_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("contacts", "orders"):
        (tmp_path / f"{name}.csv").write_text("id\n1\n")
    (tmp_path / "rules.yaml").write_text("segments: {any: count(orders) > 0}\n")
    file = str(tmp_path / "orders.csv")
    asked = ["segment", str(tmp_path / "contacts.csv"), str(tmp_path / "rules.yaml"), "--related", f"orders={file}"]
    assert run([*asked, "--related", f"orders={file}"]) == 2
    assert "--related orders is given twice" in capsys.readouterr().err
    assert run([*asked[:-1], file]) == 2
    assert "--related takes NAME=FILE" in capsys.readouterr().err


def test_tables_and_columns_of_a_base_are_found_by_their_words(base: crm.Base) -> None:
    calls = pa.table(
        {"customer_no": ["0", "0", "1"], "Тип": ["Звонок", "Письмо", "Звонок"], "Дата и время": ["2026-04-03", "2026-04-04", "2027-01-01"]}
    )
    rules = {
        "segments": {
            "called": "count(interactions) filter (where kind = 'Звонок') > 0",
            "late": "last(interactions.occurred_at) > date '2026-04-03'",
        }
    }
    with base:
        base.import_related("звонки", calls, source_name="erp")
        assert base.segment(rules, today="2026-11-01", keep=False).counts == {"called": 1, "late": 1}
        # What the base has under the rules' own name counts; two words for it are no answer.
        base.import_related("обращения", calls, source_name="erp")
        with pytest.raises(crm.ConfigError, match="'звонки' and 'обращения' may each be 'interactions'"):
            base.segment(rules, keep=False)
        base.import_related("interactions", calls, source_name="erp")
        assert base.segment(rules, today="2026-11-01", keep=False).counts == {"called": 1, "late": 1}
