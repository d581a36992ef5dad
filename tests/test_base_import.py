"""Imports into a base: accounts, versions, stable ids, snapshots, and that any split of the input gives the same contacts."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from base_samples import MAPPING, Template, content, golden, partition, people, record_ids, table, take_in
from conftest import LONG

import crm_engine as crm
from crm_engine import sources
from crm_engine.cli import run


def balanced(run: crm.Run) -> bool:
    """The equation of the accounts."""
    counts = run.counts
    return counts["rows_in"] == sum(counts[name] for name in ("new", "updated", "unchanged", "duplicates", "rejected", "skipped"))


def test_the_same_file_again_is_no_version(template: Template, tmp_path: Path) -> None:
    """Nor are exports other ones, nor does the catalog grow, however often it comes; rejects and skipped rows of it included."""
    path = tmp_path / "list.csv"
    lines = [f"{row['id']},{row['name']},{row['email'] or ''},{row['phone'] or ''}" for row in people(60)]
    path.write_text("\n".join(["id,name,email,phone", *lines, "", "61,too,many,cells,here", "60,Anna,,"]) + "\n", "utf-8")

    def state(base: crm.Base, name: str) -> Any:
        crm.write_cards(base.contacts(), tmp_path / name)
        files = sorted(file.relative_to(base.path) for file in base.path.rglob("*") if file.is_file())
        return content(base), base.runs(), base.changes(), catalog_states(base), files, (tmp_path / name).read_bytes()

    with template.copy() as base:
        options: dict[str, Any] = {"source_name": "erp", "mapping": {"columns": {"id": "source_key"}}}
        first = base.import_contacts(path, **options)
        assert (first.counts["new"], first.counts["rejected"], first.counts["skipped"]) == (61, 1, 1)
        before = state(base, "before.csv")
        for number in range(100 if LONG else 3):
            again = base.import_contacts(path, snapshot=number % 2 == 1, **options)
            assert (again.counts["unchanged"], again.counts["new"], again.counts["updated"]) == (61, 0, 0)
            assert (again.run_id, again.nothing_new) == (None, True)
            assert balanced(again)
        assert state(base, "after.csv") == before


def catalog_states(base: crm.Base) -> list[Any]:
    with contextlib.closing(sqlite3.connect(base.path / "catalog.sqlite")) as catalog:
        return catalog.execute("SELECT max(snapshot_id), count(*) FROM ducklake_snapshot").fetchall()


def test_another_source_may_mean_something_else_by_a_column(template: Template) -> None:
    rows = pa.table({"id": ["1", "2"], "name": ["Anna Ozola", "Ilze Kalna"], "email": ["a@x.lv", "i@x.lv"]})

    def told(base: crm.Base, source: str, role: str) -> list[str]:
        run = base.import_contacts(rows, source_name=source, mapping={"columns": {"id": "source_key", "name": role}})
        return [warning for warning in run.warnings if "understood otherwise" in warning]

    with template.copy() as base:
        assert told(base, "crm", "full_name") == told(base, "erp", "company_name") == []
        mended = told(base, "erp", "full_name")
        assert len(mended) == 1
        assert "run 2 was the first" in mended[0]


def test_what_an_import_brings_beside_rows_makes_a_run(template: Template, tmp_path: Path) -> None:
    """Rejects that were not there, records that were gone, columns understood otherwise: of these the base must know."""
    path = tmp_path / "list.csv"
    rows = people(12)
    lines = [f"{row['id']},{row['name']},{row['email'] or ''},{row['phone'] or ''}\n" for row in rows]
    path.write_text("".join(["id,name,email,phone\n", *lines]), "utf-8")
    options: dict[str, Any] = {"source_name": "erp", "mapping": {"columns": {"id": "source_key"}}}
    with template.copy() as base:
        base.import_contacts(path, **options)
        path.write_text(path.read_text("utf-8") + "13,too,many,cells,here\n", "utf-8")
        assert base.import_contacts(path, **options).run_id == 2
        assert base.import_contacts(path, **options).nothing_new
        (tmp_path / "rest.csv").write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:9]), "utf-8")
        assert base.import_contacts(tmp_path / "rest.csv", snapshot=True, **options).counts["gone"] == 4
        assert base.import_contacts(tmp_path / "rest.csv", snapshot=True, **options).nothing_new
        assert base.import_contacts(path, **options).run_id == 4
        # Rows that are known keep what their columns meant; that must be told, because the mapping seems to have been mended.
        run = base.import_contacts(path, source_name="erp", mapping={"columns": {"id": "source_key", "name": "company_name"}})
        assert run.run_id == 5
        assert any("'name' as company_name" in warning and "run 1 was the first" in warning for warning in run.warnings)
        for number in (1, 2, 3, 4):
            base.undo(number, go_on=True)
        # What only that run saw otherwise is now understood so.
        assert set(base.contacts(["company_name"]).read_all()["company_name"].to_pylist()) <= {row["name"] for row in rows}


def test_a_changed_row_is_a_new_version_and_the_old_one_is_kept(template: Template) -> None:
    with template.copy() as base:
        take_in(base, [{"id": "1", "name": "Anna Ozola", "email": "a@x.lv"}])
        run = take_in(base, [{"id": "1", "name": "Anna Liepa", "email": "a@x.lv"}])
        assert run.counts["updated"] == 1
        assert balanced(run)
        assert base.contacts().read_all()["full_name"].to_pylist() == ["Anna Liepa"]
        change = base.changes(since=1).to_pylist()
        assert [(c["change"], c["fields"]) for c in change] == [("updated", ["full_name"])]
        # And back again: the first version is current once more, no third one appears.
        run = take_in(base, [{"id": "1", "name": "Anna Ozola", "email": "a@x.lv"}])
        assert run.counts["updated"] == 1
        assert base.contacts().read_all()["full_name"].to_pylist() == ["Anna Ozola"]
        with base._lake.reading() as cursor:
            assert cursor.value("SELECT count(*) FROM records") == 2
        assert base.verify()["problems"] == []


def test_updated_at_decides_whatever_comes_first(template: Template) -> None:
    mapping = {**MAPPING, "changed": "updated_at"}
    old = {"id": "1", "name": "Anna Ozola", "email": "a@x.lv", "changed": "2024-01-01"}
    new = {"id": "1", "name": "Anna Liepa", "email": "a@x.lv", "changed": "2025-01-01"}
    results = []
    for order in ([old, new], [new, old]):
        with template.copy() as base:
            for row in order:
                base.import_contacts(table([row], (*MAPPING, "changed")), source_name="erp", mapping=mapping)
            assert base.contacts().read_all()["full_name"].to_pylist() == ["Anna Liepa"]
            results.append(golden(base))
            assert base.verify()["problems"] == []
    assert results[0] == results[1]


def test_rows_of_one_key_in_one_input_are_versions_of_one_record(template: Template) -> None:
    with template.copy() as base:
        rows = [
            {"id": "1", "name": "Anna Ozola"},
            {"id": "1", "name": "Anna Ozola"},
            {"id": "1", "name": "Anna Liepa"},
            {"id": "2", "name": "Ilze Zariņa"},
        ]
        run = take_in(base, rows)
        assert (run.counts["new"], run.counts["duplicates"]) == (2, 2)
        assert balanced(run)
        assert base.verify()["problems"] == []
        again = take_in(base, rows)
        assert (again.counts["unchanged"], again.counts["duplicates"], again.counts["updated"]) == (2, 2, 0)
        assert base.verify()["problems"] == []


def test_rejected_and_skipped_rows_are_counted_and_kept(template: Template, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('id,name,email\n1,Anna Ozola,a@x.lv\n\n2,"Ilze Zariņa",i@x.lv\n3,too,many,cells,here\n', "utf-8")
    with template.copy() as base:
        run = base.import_contacts(path, source_name="erp", mapping={"id": "source_key"})
        assert balanced(run)
        assert run.counts["rejected"] == base.table("rejects").read_all().num_rows
        assert run.counts["skipped"] == base.table("skipped").read_all().num_rows


def test_a_bridging_record_merges_contacts_and_the_oldest_id_survives(template: Template) -> None:
    with template.copy() as base:
        take_in(base, [{"id": "1", "name": "Anna Ozola", "email": "anna.ozola@inbox.lv", "city": "Riga"}])
        take_in(base, [{"id": "2", "name": "Anna Ozola", "phone": "29123456", "city": "Riga"}])
        contacts = {row["source_key"]: row["contact_id"] for row in base.table("records").read_all().to_pylist()}
        assert len(set(contacts.values())) == 2
        run = take_in(base, [{"id": "3", "name": "Anna Ozola", "email": "anna.ozola@inbox.lv", "phone": "29123456", "city": "Riga"}])
        assert run.counts["contacts_merged"] == 1
        assert base.contacts().read_all()["contact_id"].to_pylist() == [contacts["1"]]
        aliases = {row["alias"]: row["contact_id"] for row in base.table("aliases").read_all().to_pylist()}
        assert aliases[contacts["2"]] == contacts["1"]
        merged = [row for row in base.changes(since=2).to_pylist() if row["change"] == "merged"]
        assert [(row["contact_id"], row["other_contact_id"]) for row in merged] == [(contacts["2"], contacts["1"])]


def test_contacts_that_do_not_change_keep_their_ids(template: Template) -> None:
    with template.copy() as base:
        rows = people(120, seed=5)
        take_in(base, rows[:60])
        before = {row["record_id"]: row["contact_id"] for row in base.table("record_contact").read_all().to_pylist()}
        take_in(base, rows[60:])
        after = {row["record_id"]: row["contact_id"] for row in base.table("record_contact").read_all().to_pylist()}
        aliases = {row["alias"]: row["contact_id"] for row in base.table("aliases").read_all().to_pylist()}
        assert len(before) == 60
        for record, contact in before.items():
            assert after[record] in (contact, aliases.get(contact))


def test_any_split_of_the_input_gives_the_same_contacts(template: Template) -> None:
    rng = random.Random(7)
    for case in range(300 if LONG else 2):
        rows = people(40, seed=case)
        with template.copy() as whole:
            take_in(whole, rows)
            expected = partition(whole), golden(whole)
        shuffled = rows.copy()
        rng.shuffle(shuffled)
        cuts = sorted(rng.sample(range(1, len(rows)), rng.randrange(1, 4)))
        with template.copy() as base:
            for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
                take_in(base, shuffled[start:end])
            assert (partition(base), golden(base)) == expected
            assert base.verify()["problems"] == []


def test_a_snapshot_marks_what_is_gone_and_deletes_nothing(template: Template) -> None:
    with template.copy() as base:
        rows = people(10)
        take_in(base, rows)
        run = take_in(base, rows[:7], snapshot=True)
        assert run.counts["gone"] == 3
        assert base.contacts().read_all().num_rows == len(partition(base))
        records = base.table("records").read_all().to_pylist()
        assert sorted(row["source_key"] for row in records if row["is_gone"]) == ["7", "8", "9"]
        take_in(base, rows[:9])
        assert [row["record_id"] for row in base.table("gone_records").read_all().to_pylist()] == [record_ids(base)["9"]]
        # Another source's list says nothing of this one.
        take_in(base, rows[:1], source="crm", snapshot=True)
        assert base.table("gone_records").read_all().num_rows == 1


def test_a_file_is_opened_once(template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "people.csv").write_text("id;name;email\n1;Anna Ozola;anna@inbox.lv\n", "cp1251")
    opened = []
    open_file = sources._core.open_file

    def counting(name: str, *args: Any) -> Any:
        opened.append(name)
        return open_file(name, *args)

    monkeypatch.setattr(sources._core, "open_file", counting)
    with template.copy() as base:
        assert run(["import", str(tmp_path / "people.csv"), "--base", str(base.path)]) == 0
        assert opened == [str(tmp_path / "people.csv")]
        assert base.table("records").read_all().num_rows == 1


def test_a_file_is_read_as_the_options_say(template: Template, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of contacts and of a related table, one file or several; the options win over the mapping file."""
    contacts, orders, mapping = tmp_path / "people.txt", tmp_path / "orders.txt", tmp_path / "map.yaml"
    # In each case something else would be read than is meant: a letter, a delimiter within a name, a header below another.
    contacts.write_bytes("made;by;us\nid|name|email\n7|'Anna|Ķirse'|anna@inbox.lv\n".encode("cp1257"))
    orders.write_bytes("note\nnr|customer_no|what\n1|7|Ķekars\n".encode("cp1257"))
    mapping.write_text("encoding: utf-8\nskip_rows: 5\n", "utf-8")
    read = ["--encoding", "cp1257", "--delimiter", "|", "--quote", "'", "--skip-rows", "0", "--header-row", "2", "--mapping", str(mapping)]
    with template.copy() as base:
        given = ["--base", str(base.path), "--source", "erp", *read]
        assert run(["import", str(contacts), *given]) == 0, capfd.readouterr().err
        assert run(["import", str(orders), "--table", "orders", *given]) == 0, capfd.readouterr().err
        assert base.contacts(["full_name"]).read_all()["full_name"].to_pylist() == ["Anna|Ķirse"]
        assert base.table("orders", ["nr", "what"]).read_all().to_pylist() == [{"nr": 1, "what": "Ķekars"}]


def test_an_import_that_merges_suspiciously_much_stops(template: Template) -> None:
    rows = [{"id": str(n), "name": "Anna Ozola", "email": "info@firma.lv", "phone": "29123456", "city": "Riga"} for n in range(300)]
    with template.copy() as base:
        take_in(base, people(5))
        before = content(base)
        with pytest.raises(crm.LimitError, match="nothing was changed.*allow_large_merges=True"):
            take_in(base, rows, source="crm")
        assert content(base) == before
        run = take_in(base, rows, source="crm", allow_large_merges=True)
        assert any("large merges" in warning for warning in run.warnings)


def test_a_dry_run_tells_and_changes_nothing(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(20))
        before, files = content(base), sorted(path.name for path in (base.path / "data").rglob("*") if path.is_file())
        run = take_in(base, people(40), dry_run=True)
        assert (run.dry_run, run.counts["new"], run.counts["unchanged"]) == (True, 20, 20)
        assert content(base) == before
        assert base.runs().num_rows == 1
        assert sorted(path.name for path in (base.path / "data").rglob("*") if path.is_file()) == files
        real = take_in(base, people(40))
        assert real.counts == run.counts


def test_custom_columns_that_differ_by_case_only_are_both_kept(template: Template) -> None:
    with template.copy() as base:
        odd = pa.table({"id": ["1"], "name": ["Anna Ozola"], 'Kā "iet"?': ["labi"], "Floor": ["3"], "floor": ["4"], "contact_id ": ["x"]})
        base.import_contacts(odd, source_name="erp", mapping={"id": "source_key", "name": "full_name"})
        row = base.contacts().read_all().to_pylist()[0]
        assert (row['Kā "iet"?'], row["Floor"], row["floor"]) == ("labi", "3", "4")


def test_without_a_model_the_first_import_fits_one_and_it_stays(tmp_path: Path) -> None:
    with crm.Base.create(tmp_path / "base") as base:
        assert base.model is None
        take_in(base, people(50))
        model = base.model
        assert model is not None
        take_in(base, people(80, seed=3), source="crm")
        assert base.model is not None
        assert base.model.text == model.text
    with crm.Base.open(tmp_path / "base") as base:
        assert base.model is not None
        assert base.model.text == model.text


def test_a_run_and_an_import_give_rows_the_same_ids(tmp_path: Path) -> None:
    """Of two key columns the first filled one counts; rows without any are known by content and by how often that came before."""
    rows = ["old no,customer no,name,email", ",7,Anna Kalnina,a@x.lv", "A1,8,Ivars Berzins,b@x.lv", " ,9,Peteris Ozols,c@x.lv"]
    rows += 3 * [",,Zane Liepa,d@x.lv"] + 2 * [",,Laura Egle,e@x.lv"]
    (tmp_path / "crm.csv").write_text("\n".join(rows) + "\n")
    mapping = {"columns": {"old no": "source_key", "customer no": "source_key"}}
    found = crm.dedupe(tmp_path / "crm.csv", config={"mapping": mapping})
    with crm.Base.create(tmp_path / "base") as base:
        base.import_contacts(tmp_path / "crm.csv", source_name="crm", mapping=mapping)
        records = pa.table(base.table("records").read_all())
    assert records.num_rows == len(rows) - 1
    assert sorted(records["record_id"].to_pylist()) == sorted(found.records["record_id"].to_pylist())
    keys = dict(zip(records["record_id"].to_pylist(), records["source_key"].to_pylist(), strict=True))
    assert sorted(key for key in keys.values() if key) == ["7", "9", "A1"]
