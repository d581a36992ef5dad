"""Erasure: after it no byte of the person is anywhere under the base, and the person stays out."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from base_samples import MAPPING, Template, content, people, record_ids, table, take_in

import crm_engine as crm
from crm_engine.base import erasure
from crm_engine.base.suppression import _keys_in, _numbers_in, _tax_ids_in

COLUMNS = (*MAPPING, "remark")
CANARY = {
    "id": "canarykey-77",
    "name": "Zuzana Canaryova",
    "email": "canary.mail@inbox.lv",
    "phone": "29876543",
    "city": "Canarytown",
    "remark": "canary remark xyzzy",
}
ORDERS = pa.table({"order_no": ["1", "2"], "customer_no": ["canarykey-77", "0"], "ship_to": ["Canarytown", "Riga"]})
#: What must not be found, in any case and encoding.
TRACES = ("canarykey-77", "canaryova", "canary.mail", "29876543", "canarytown", "xyzzy", "canarydesk")


def traces(folder: Path) -> list[str]:
    """Where a trace is found: bytes of every file (UTF-8, UTF-16), decoded cells and statistics of Parquet, cells of SQLite."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes().lower()
        texts = []
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            texts.append(str(file.read().to_pylist()))
            texts.append(str([file.metadata.row_group(n).to_dict() for n in range(file.metadata.num_row_groups)]))
        elif path.name == "catalog.sqlite":
            with sqlite3.connect(path) as catalog:
                texts += catalog.iterdump()
        text = "\n".join(texts).casefold()
        for trace in TRACES:
            if any(trace.encode(encoding) in data for encoding in ("utf-8", "utf-16-le", "utf-16-be")) or trace in text:
                found.append(f"{trace} in {path.relative_to(folder)}")
    return found


def fill(base: crm.Base) -> None:
    """The person in every table: two versions, merged with another record, decided on, edited, with rows and rejects."""
    rows = people(30)
    base.import_contacts(table([*rows, CANARY], COLUMNS), source_name="erp", mapping=MAPPING)
    base.import_contacts(table([{**CANARY, "remark": "older canary"}], COLUMNS), source_name="erp", mapping=MAPPING)
    base.import_contacts(table([{**CANARY, "id": "other"}], COLUMNS), source_name="crm", mapping=MAPPING)
    path = base.path.parent / "broken.csv"
    lines = (
        "id,name,email",
        "1,Anna Ozola,a@x.lv",
        "2,Ilze Zariņa,i@x.lv",
        "5,x,canary.mail@inbox.lv,too,many",
        "6,y,other@inbox.lv,too,many",
    )
    path.write_text("\n".join(lines), "utf-8")
    base.import_contacts(path, source_name="old", mapping={"id": "source_key"})
    base.import_related("orders", ORDERS, source_name="erp")
    base.import_related("interactions", pa.table({"phone": ["29 876 543"], "text": ["xyzzy again"]}))
    ids = record_ids(base)
    base.decide([(ids["canarykey-77"], ids["0"])], "different")
    contact = next(row["contact_id"] for row in base.table("records").read_all().to_pylist() if row["source_key"] == "canarykey-77")
    base.set({"city": "canarydesk"}, contacts=[contact])


def filled(template: Template) -> crm.Base:
    """A copy of a base that has the person everywhere."""
    return template.copy(template.filled("canary", fill))


def canary_of(base: crm.Base) -> list[str]:
    keys = ("canarykey-77", "other")
    return sorted({row["contact_id"] for row in base.table("records").read_all().to_pylist() if row["source_key"] in keys})


def test_no_byte_is_left(template: Template, tmp_path: Path) -> None:
    with filled(template) as base:
        assert traces(base.path), "the test must see what it looks for"
        contacts = canary_of(base)
        run = base.erase(contacts)
        assert traces(base.path) == []
        assert run.counts["records_erased"] == 2
        assert run.counts["rejects_removed"] >= 1
        assert base.verify()["problems"] == []
        assert [row["contact_id"] for row in base.changes(since=run.run_id - 1).to_pylist() if row["change"] == "erased"] == contacts
        assert base.table("orders").read_all()["order_no"].to_pylist() == ["2"]
        assert base.table("interactions").read_all().num_rows == 0


def test_the_person_stays_out(template: Template, tmp_path: Path) -> None:
    with filled(template) as base:
        base.erase(canary_of(base))
        before = content(base)
        for row in (
            CANARY,
            {**CANARY, "id": "new key"},
            {"id": "n2", "phone": "298 76543"},
            {"id": "n3", "email": "Canary.Mail@inbox.lv"},
        ):
            run = base.import_contacts(table([row], COLUMNS), source_name="erp", mapping=MAPPING)
            assert (run.counts["erased"], run.counts["rejected"], run.counts["new"]) == (1, 1, 0)
        run = base.import_related("orders", ORDERS, source_name="erp")
        assert (run.counts["rows_in"], run.counts["erased"], run.counts["rejected"], run.counts["unchanged"]) == (2, 1, 1, 1)
        run = base.import_related("interactions", pa.table({"phone": ["29 876 543"], "text": ["xyzzy again"]}))
        assert (run.counts["erased"], run.counts["new"]) == (1, 0)
        # A file with a broken row of the person, once more: that the row was rejected is kept, its text is not.
        again = base.import_contacts(template.folder / "broken.csv", source_name="old", mapping={"id": "source_key"})
        assert (again.counts["rejected"], again.counts["unchanged"]) == (2, 2)
        rejects = [row for row in base.table("rejects").read_all().to_pylist() if row["run_id"] == again.run_id]
        assert [(row["row"], row["raw"] is None) for row in sorted(rejects, key=lambda row: row["row"])] == [(4, True), (5, False)]
        base.undo(again.run_id)
        after = content(base)
        for name in ("contacts", "records", "rejects", "orders", "interactions"):
            assert after.get(name) == before.get(name)
        assert traces(base.path) == []


def test_an_undo_neither_brings_back_nor_undoes_an_erasure(template: Template, tmp_path: Path) -> None:
    with filled(template) as base:
        erased = base.erase(canary_of(base))
        with pytest.raises(crm.ConfigError, match="stays erased"):
            base.undo(erased.run_id)
        base.undo(2, go_on=True)
        base.undo(1, go_on=True)
        assert traces(base.path) == []
        assert base.verify()["problems"] == []


def test_what_others_share_does_not_keep_them_out(template: Template) -> None:
    with template.copy() as base:
        shared = {"phone": "67111222", "city": "Riga"}
        rows = [
            {"id": "1", "name": "Anna Ozola", "email": "anna@a.lv", **shared},
            {"id": "2", "name": "Pēteris Kalniņš", "email": "peteris@b.lv", **shared},
        ]
        take_in(base, rows)
        contact = next(row["contact_id"] for row in base.table("records").read_all().to_pylist() if row["source_key"] == "1")
        base.erase(contact)
        run = take_in(base, [rows[1], {"id": "3", "name": "Ilze Zariņa", "email": "ilze@c.lv", **shared}])
        assert (run.counts["unchanged"], run.counts["new"], run.counts["rejected"]) == (1, 1, 0)


def test_a_process_that_dies_between_commit_and_cleaning_leaves_it_to_the_next(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled(template) as base:
        contacts = canary_of(base)

        def die(_base: crm.Base) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(erasure, "clean", die)
            with pytest.raises(KeyboardInterrupt):
                base.erase(contacts)
        assert canary_of(base) == []
        take_in(base, people(2))
        assert traces(base.path) == []
        assert base.verify()["problems"] == []


def test_a_dry_run_erases_nothing(template: Template, tmp_path: Path) -> None:
    with filled(template) as base:
        before = content(base)
        assert base.erase(canary_of(base), dry_run=True).counts["records_erased"] == 2
        assert content(base) == before
        with pytest.raises(crm.ConfigError, match="no contact"):
            base.erase("c0000000000000")
        assert os.path.exists(base.path / "catalog.sqlite")


def test_what_was_set_is_known_of_the_person_too(template: Template, tmp_path: Path) -> None:
    """An address, a phone and a tax id that somebody typed in, the address twice: kept out, and searched for in rejects."""
    path = tmp_path / "broken.csv"
    path.write_text(
        "id,name,city,email\n"
        + "".join(f"{number},Person {number},Riga,p{number}@x.lv\n" for number in range(1, 5))
        # Whether the name or the city holds the comma cannot be told: rejects.
        + "5,x,y,z,typed.first@inbox.lv\n6,u,v,w,other@inbox.lv\n",
        "utf-8",
    )
    with template.copy() as base:
        take_in(base, [*people(10), CANARY])
        base.import_contacts(path, source_name="old", mapping={"id": "source_key"})
        contacts = canary_of(base)
        base.set({"email": "typed.first@inbox.lv"}, contacts=contacts)
        base.set({"email": "typed.second@inbox.lv", "phone": "26 555 444"}, contacts=contacts)
        assert base.erase(contacts).counts["rejects_removed"] == 1
        for row in ({"email": "Typed.First@inbox.lv"}, {"email": "typed.second@inbox.lv"}, {"phone": "+371 26555444"}):
            run = take_in(base, [{"id": f"new {row}", "name": "Zuzana", **row}])
            assert (run.counts["erased"], run.counts["new"]) == (1, 0)


def test_the_erased_have_not_left_a_segment(template: Template) -> None:
    rules = {"segments": {"all": {"where": "n_records > 0"}}}
    with template.copy() as base:
        take_in(base, [*people(10), CANARY])
        base.segment(rules)
        base.erase(canary_of(base))
        result = base.segment(rules)
        assert result.left.num_rows == 0
        assert result.entered.num_rows == 0


def test_numbers_and_keys_are_found_in_rows_however_they_are_divided() -> None:
    for text in ("+371 29\u00a0123\u00a0456", "29123456 15.09.1950", "1 29123456 Riga", "x;29/123-456;y", "(29) 12-34-56"):
        assert {"29123456", "37129123456"} & set(_numbers_in(text)), text
    assert "12018011111" in _tax_ids_in("Ozola 120180 11111")
    assert "K 17" in _keys_in("K 17;Anna")
    assert "CRM-10017" in _keys_in("client CRM-10017 of")
    # A short key is a whole cell; as a word it may be a house.
    assert "17" not in _keys_in("Brivibas iela 17;Riga")
    assert "17" in _keys_in("17;Anna")
