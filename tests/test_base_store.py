"""The store under a base: making, opening, the lock, file modes, strays, versions of the tables."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from base_samples import Template, content, people, take_in

import crm_engine as crm
from crm_engine.base import lake as lake_module
from crm_engine.base import runs as run_making
from crm_engine.base import schema
from crm_engine.base.lake import Cursor, Lake, Transaction, catalog_files, extension_path, quoted


def test_a_base_is_made_in_an_empty_folder_only(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(crm.ConfigError, match="no empty folder"):
        crm.Base.create(tmp_path / "full")
    crm.Base.create(tmp_path / "new" / "base").close()
    with pytest.raises(crm.ConfigError, match="there is a base already"):
        crm.Base.create(tmp_path / "new" / "base")
    with pytest.raises(crm.ConfigError, match="crm-engine init"):
        crm.Base.open(tmp_path / "full")
    assert sorted(entry.name for entry in (tmp_path / "new").iterdir()) == ["base"]


def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(crm.StoreError):
        crm.Base.open(tmp_path)


def test_nobody_else_may_read_it(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(30))
        base.import_related("orders", pa.table({"order_no": ["1"], "customer_no": ["0"]}), source_name="erp")
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in base.path.rglob("*")}
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_a_base_may_be_moved(template: Template, tmp_path: Path) -> None:
    with template.copy() as base:
        take_in(base, people(30))
        before, path = content(base), base.path
    shutil.move(path, tmp_path / "elsewhere")
    with crm.Base.open(tmp_path / "elsewhere") as base:
        assert content(base) == before
        assert base.verify()["problems"] == []
        take_in(base, people(31))


def test_the_lock_says_who_and_since_when(template: Template) -> None:
    with template.copy() as base, base._lock.held("a long import"):
        holder = base._lock.holder()
        with crm.Base.open(base.path) as other, pytest.raises(crm.LockedError) as raised:
            take_in(other, people(2))
        assert all(part in str(raised.value) for part in (str(os.getpid()), "a long import", holder["since"], "wait=..."))


def test_a_note_left_by_a_process_that_died_keeps_nobody_out(template: Template) -> None:
    with template.copy() as base:
        (base.path / "lock").write_text(json.dumps({"pid": 999_999_999, "purpose": "import", "since": "2020-01-01T00:00:00+00:00"}))
        stray = base.path / "data" / "main" / "records" / "engine-stray.parquet"
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"left behind")
        spilled = base.path / "tmp" / "999999999-abc"
        spilled.write_bytes(b"spilled")
        take_in(base, people(5))
        # What it had begun is gone, what was committed is there.
        assert not stray.exists()
        assert not spilled.exists()
        assert base.verify()["problems"] == []


def test_waiting_for_the_lock(template: Template) -> None:
    """A process holds the lock until it is told to let go; the import waits, and then succeeds."""
    with template.copy() as base:
        script = (
            "import sys; from pathlib import Path; from crm_engine.base.lock import Lock\n"
            f"with Lock(Path({str(base.path)!r})).held('a test'):\n    print('held', flush=True); sys.stdin.readline()\n"
        )
        holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(crm.LockedError):
            take_in(base, people(3))
        holder.stdin.write("go\n")
        holder.stdin.flush()
        assert take_in(base, people(3), wait=60).counts["new"] == 3
        holder.communicate()


def test_a_newer_base_is_refused_and_untouched(template: Template) -> None:
    with template.copy() as base:
        path = base.path
        transaction = Transaction(base._lake)
        transaction.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
        transaction.commit()
        transaction.close()
    with pytest.raises(crm.StoreError, match="newer crm_engine.*version 999.*nothing was changed"):
        crm.Base.open(path)


def test_migrations_run_step_by_step_in_one_transaction(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    with template.copy() as base:
        first = schema.SCHEMA_VERSION
        monkeypatch.setattr(schema, "SCHEMA_VERSION", first + 2)
        transaction = Transaction(base._lake)
        schema.migrate(transaction, first, {first: lambda _: done.append(1), first + 1: lambda _: done.append(2)})
        assert done == [1, 2]
        assert schema.stored_version(transaction) == first + 2
        with pytest.raises(crm.StoreError, match=f"version {first} cannot be brought"):
            schema.migrate(transaction, first, {})
        transaction.close()


def test_names_are_quoted_whatever_they_hold(template: Template) -> None:
    name = 'x" (a); DROP TABLE records; --'
    column = "'); DELETE FROM records; --"
    with template.copy() as base:
        take_in(base, people(3))
        base.import_related(name, pa.table({"source_key": ["0", "1"], column: ["a", "b"], 'q"q': ["1", "2"]}), source_name="erp")
        rows = base.table(name).read_all()
        assert rows.column_names == ["contact_id", "source_key", column, 'q"q']
        assert sorted(rows[column].to_pylist()) == ["a", "b"]
        assert base.tables()["records"] == 3
        assert base.verify()["problems"] == []
    assert quoted('a"b') == '"a""b"'


def test_what_an_extra_would_bring_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(crm.ConfigError, match=r"crm_engine\[base\]"):
        crm.Base.create(tmp_path / "base")


def test_without_wheels_an_extension_that_cannot_be_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert extension_path("ducklake") is not None
    assert extension_path("no_such_extension") is None
    monkeypatch.setattr(lake_module, "_EXTENSIONS", ("no_such_extension",))
    with pytest.raises(crm.StoreError, match="no_such_extension.*duckdb-extension-no-such-extension==1.5.5"):
        Lake(tmp_path, create=True)


def test_a_transaction_that_fails_leaves_no_file(template: Template) -> None:
    with template.copy() as base:
        before = sorted(base.path.rglob("*.parquet"))
        rows = schema.rows_to_table("changes", [(1, f"c{n}", "created", ["a"], None) for n in range(5_000)])

        def fail() -> None:
            with base._writing("test") as writing:
                writing.transaction.insert("changes", rows)
                assert len(writing.transaction.files) == 1
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert sorted(base.path.rglob("*.parquet")) == before
        assert base.changes().num_rows == 0
        assert base._lock.holder() == {}


def test_strays_are_only_what_no_state_knows(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(30))
        before = content(base)
        with base._lock.held("test"):
            assert run_making.remove_strays(base) == 0
        assert content(base) == before


def test_verify_finds_what_is_broken_and_repairs_what_is_derived(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(40))
        before = content(base)
        transaction = Transaction(base._lake)
        transaction.execute("DELETE FROM contacts WHERE contact_id = (SELECT min(contact_id) FROM contacts)")
        transaction.execute("DELETE FROM record_contact WHERE record_id = (SELECT max(record_id) FROM record_contact)")
        transaction.commit()
        transaction.close()
        found = {problem["invariant"] for problem in base.verify()["problems"]}
        assert {"each record has a contact", "each contact has a golden record", "the index agrees with the tables"} <= found
        report = base.verify(repair=True)
        assert report["repaired"]
        assert report["problems"] == []
        assert content(base) == before


def test_a_lost_index_is_rebuilt(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(40))
        before, path = content(base), base.path
    for file in (path / "data" / "index").iterdir():
        file.unlink()
    with crm.Base.open(path) as base:
        # The tables do not need it.
        assert base.contacts().read_all().num_rows > 0
        assert any("index" in problem["invariant"] for problem in base.verify()["problems"])
        assert base.verify(repair=True)["problems"] == []
        assert content(base) == before
        assert take_in(base, people(40)).counts["unchanged"] == 40


def test_compaction_changes_nothing_that_can_be_seen(template: Template) -> None:
    with template.copy() as base:
        for n in (10, 20, 30, 40):
            take_in(base, people(n))
        base.undo(4)
        before = content(base)
        base.compact(keep_days=0)
        with base._lake.reading() as cursor:
            deletes = "SELECT count(delete_file) FROM ducklake_list_files('lake', ?)"
            assert [table for table in schema.TABLES if cursor.value(deletes, [table])] == []
        assert content(base) == before
        assert base.verify()["problems"] == []
        base.undo(3)
        with template.copy() as other:
            take_in(other, people(10))
            take_in(other, people(20))
            assert content(base) == content(other)


def test_verify_says_what_it_can_where_a_file_is_missing(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(40))
        base.import_related("orders", pa.table({"order_no": ["1"], "customer_no": ["0"]}), source_name="erp")
        base.compact(keep_days=0)
        path = base.path
    lost = next((path / "data" / "main" / "record_contact").glob("*.parquet"))
    lost.unlink()
    with crm.Base.open(path) as base:
        report = base.verify()
        assert report["contacts"] == base.contacts().read_all().num_rows
        found = {problem["invariant"]: problem["examples"] for problem in report["problems"]}
        assert any(lost.name in example for example in found["catalog and files agree"])
        # What does not need the file is checked, and is well.
        assert "each golden record has records" in found
        assert "each contact has one golden record" not in found
        assert "each row of orders has one current version" not in found


def test_verify_looks_at_related_rows_and_lineage(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(20))
        base.import_related("orders", pa.table({"order_no": ["1"], "customer_no": ["0"]}), source_name="erp")
        transaction = Transaction(base._lake)
        transaction.execute("INSERT INTO superseded VALUES ('orders', 1, 2)")
        transaction.execute("INSERT INTO sightings VALUES ('orders', 1, 2, 1, NULL, NULL, NULL)")
        transaction.execute("UPDATE lineage SET full_name = 1 WHERE contact_id = (SELECT min(contact_id) FROM lineage)")
        transaction.commit()
        transaction.close()
        found = {problem["invariant"]: problem["count"] for problem in base.verify()["problems"]}
        assert found == {
            "superseded versions of orders are kept": 1,
            "sightings versions of orders are kept": 1,
            "lineage of full_name is of the contact's own records": 1,
        }


def test_a_record_that_the_index_does_not_know_is_the_only_one_reported(template: Template) -> None:
    with template.copy() as base:
        take_in(base, people(20))
        transaction = Transaction(base._lake)
        transaction.execute("""
            INSERT INTO records SELECT 5, content_hash, run_id, source, 'new', updated_at, layout_id, source_file, source_row, cells
            FROM records LIMIT 1""")
        transaction.execute("INSERT INTO record_contact SELECT 5, min(contact_id) FROM record_contact")
        transaction.commit()
        transaction.close()
        found = {problem["invariant"]: problem["examples"] for problem in base.verify()["problems"]}
        assert all(example.startswith("record 5:") or "has 20 records" in example for example in found["the index agrees with the tables"])


def test_one_thread_may_hold_the_lock_for_several_runs(template: Template) -> None:
    with template.copy() as base:
        with base._lock.held("a test"):
            take_in(base, people(5))
            take_in(base, people(6))
            with crm.Base.open(base.path) as other, pytest.raises(crm.LockedError):
                take_in(other, people(2))
        assert base._lock.holder() == {}
        assert base.runs().num_rows == 2


def test_an_index_that_was_replaced_while_it_was_opened(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    with template.copy() as base, crm.Base.open(base.path) as reader:
        take_in(base, people(10))
        before = reader._index._registered()
        base.compact(keep_days=0)
        listed = [before, reader._index._registered()]
        monkeypatch.setattr(reader._index, "_registered", lambda: listed.pop(0))
        assert reader.find({"email": str(people(10)[0]["email"])})
        assert listed == []


def test_what_is_no_name_number_or_span_is_told(template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with template.copy() as base:
        take_in(base, people(5))
        for named in ("²", "99999999999999999999", "-1"):
            with pytest.raises(crm.ConfigError, match="neither a record_id nor a contact_id"):
                base.decide([(named, "1")], "same")
        for days in (float("nan"), float("inf"), -1):
            with pytest.raises(crm.ConfigError, match=r"keep_days=\.\.\. is a number of days"):
                base.compact(keep_days=days)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with crm.Base.create(".") as base:
        assert base.tables()["contacts"] == 0
    assert (folder / "catalog.sqlite").is_file()


def test_a_catalog_that_went_meanwhile_is_told_as_such(template: Template) -> None:
    """Neither DuckDB's nor SQLite's own error comes out, whoever asks first."""
    with template.copy() as base:
        take_in(base, people(5))
        for file in base.path.glob("catalog.sqlite*"):
            file.unlink()
        sqlite3.connect(base.path / "catalog.sqlite").close()
        for ask in (lambda: base.contacts(), lambda: take_in(base, people(6)), lambda: catalog_files(base.path)):
            with pytest.raises(crm.StoreError, match="cannot be read"):
                ask()
        assert base.verify()["problems"] != []


def test_verify_reads_the_catalog_once_not_once_per_check(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every transaction DuckLake reads its tables anew, which took most of a verify."""
    with template.copy() as base:
        take_in(base, people(20))
        begun = []
        execute = Cursor.execute

        def noted(self: Cursor, sql: str, parameters: tuple[object, ...] = ()) -> None:
            if sql == "BEGIN":
                begun.append(sql)
            execute(self, sql, parameters)

        monkeypatch.setattr(Cursor, "execute", noted)
        assert base.verify()["problems"] == []
        assert len(begun) <= 4


def test_duckdb_draws_no_progress_on_standard_output(template: Template) -> None:
    """`python -c` is interactive to it: the bar, or its line's end, stood among what a program printed once a query took seconds."""
    with template.copy() as base:
        path = base.path
    ask = "SELECT current_setting('enable_progress_bar')"
    code = (
        f"import crm_engine as crm; base = crm.Base.open({str(path)!r})\n"
        f"with base._lake.reading() as cursor: print(cursor.value({ask!r}))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
