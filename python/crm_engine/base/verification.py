"""``verify``: every invariant of a base, checked; what is broken is said, and what can be derived anew is repaired."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.base.lake import Cursor, literal, quoted, stored
from crm_engine.base.reading import related_names
from crm_engine.base.schema import TABLES
from crm_engine.base.versions import signed
from crm_engine.errors import ConfigError, CrmError, StoreError

if TYPE_CHECKING:
    from crm_engine.base.base import Base

_CURRENT = """
    SELECT record_id, content_hash FROM records r
    WHERE NOT EXISTS (SELECT 1 FROM superseded s WHERE s.table_name = 'records' AND s.id = r.record_id AND s.content_hash = r.content_hash)
"""

#: What must hold, as a query that finds what breaks it; each row of it is one break.
_INVARIANTS = {
    "each record has one current version": f"SELECT record_id FROM ({_CURRENT}) GROUP BY record_id HAVING count(*) <> 1",
    "each version is kept once": "SELECT record_id FROM records GROUP BY record_id, content_hash HAVING count(*) > 1",
    "each record is in one contact": "SELECT record_id FROM record_contact GROUP BY record_id HAVING count(*) <> 1",
    "each record has a contact": f"SELECT record_id FROM ({_CURRENT}) ANTI JOIN record_contact USING (record_id)",
    "each contact has its records": "SELECT record_id FROM record_contact ANTI JOIN records USING (record_id)",
    "each contact has a golden record": "SELECT DISTINCT contact_id FROM record_contact ANTI JOIN contacts USING (contact_id)",
    "each golden record has records": "SELECT contact_id FROM contacts ANTI JOIN record_contact USING (contact_id)",
    "each contact has one golden record": "SELECT contact_id FROM contacts GROUP BY contact_id HAVING count(*) <> 1",
    "n_records counts the records": """SELECT contact_id FROM contacts c
        JOIN (SELECT contact_id, count(*) AS n FROM record_contact GROUP BY contact_id) USING (contact_id) WHERE n <> c.n_records""",
    "each contact of several records has lineage": "SELECT contact_id FROM (SELECT contact_id FROM contacts WHERE n_records > 1) ANTI JOIN lineage USING (contact_id)",
    "lineage is of contacts": "SELECT contact_id FROM lineage ANTI JOIN contacts USING (contact_id)",
    "edges join records that are there": """SELECT record_id FROM (SELECT unnest([record_id_a, record_id_b]) AS record_id FROM edges)
        ANTI JOIN record_contact USING (record_id)""",
    "edges are between two records": "SELECT record_id_a FROM edges WHERE record_id_a = record_id_b",
    "aliases lead to contacts": "SELECT alias FROM aliases ANTI JOIN contacts USING (contact_id)",
    "no alias is a contact": "SELECT alias FROM aliases SEMI JOIN contacts ON contacts.contact_id = aliases.alias",
    "superseded versions are kept": """SELECT id FROM superseded s WHERE table_name = 'records'
        AND NOT EXISTS (SELECT 1 FROM records r WHERE r.record_id = s.id AND r.content_hash = s.content_hash)""",
    "sightings are of versions that are kept": """SELECT id FROM sightings s WHERE table_name = 'records'
        AND NOT EXISTS (SELECT 1 FROM records r WHERE r.record_id = s.id AND r.content_hash = s.content_hash)""",
    "versions have their layout": "SELECT DISTINCT layout_id FROM records ANTI JOIN layouts USING (layout_id)",
    "rows belong to known runs": "SELECT DISTINCT run_id FROM records ANTI JOIN runs USING (run_id)",
    "run ids are unique": "SELECT run_id FROM runs GROUP BY run_id HAVING count(*) > 1",
}

#: So many breaks are shown.
_SHOWN = 20


def verify(base: Base, *, repair: bool, wait: float, dry_run: bool = False) -> dict[str, Any]:
    """See ``Base.verify``."""
    if dry_run and not repair:
        raise ConfigError("dry_run=True tells what repair=True would change; verify alone changes nothing")
    with _Checking(base) as checking:
        problems = checking.problems
        related = checking.guarded("related tables are listed", related_names) or []
        checking.note("catalog and files agree", lambda cursor: _files(base, cursor, related))
        invariants = _all_invariants(checking, related)
        for name, sql in invariants.items():
            checking.note(name, lambda cursor, sql=sql: _broken(cursor, sql))  # type: ignore[misc]
        checking.note("the index agrees with the tables", lambda cursor: _index(base, cursor))
        n_checked = len(invariants) + 2
        counts = {
            name: checking.guarded(f"{name} are counted", lambda cursor, sql=sql: int(cursor.value(sql)))  # type: ignore[misc]
            for name, sql in (("contacts", "SELECT count(*) FROM contacts"), ("records", "SELECT count(*) FROM record_contact"))
        }
    report: dict[str, Any] = {"checked": n_checked, **counts, "problems": problems, "repaired": False}
    if repair:
        try:
            report["repair"] = _repair(base, wait, dry_run=dry_run)
        except StoreError as error:
            # Inputs that are gone cannot be derived from anything.
            report["repair_failed"] = str(error)
        if dry_run:
            return report | {"dry_run": True}
        again = verify(base, repair=False, wait=wait)
        report |= {"problems": again["problems"], "found": problems, "repaired": not again["problems"]}
    return report


class _Checking:
    """The checks of one state of a base, and what they found broken.

    A check that fails must not end the others: it ends the transaction, and the next one begins another. (One for each would be slow:
    with every transaction the catalog's tables are read anew.)
    """

    def __init__(self, base: Base) -> None:
        self.problems: list[dict[str, Any]] = []
        self._base = base
        self._cursor: Cursor | None = None

    def __enter__(self) -> _Checking:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cursor is not None:
            self._cursor.close()
        self._cursor = None

    def note(self, name: str, check: Callable[[Cursor], tuple[int, list[str]]]) -> None:
        """Notes what a check finds."""
        n_broken, examples = self.guarded(name, check) or (0, [])
        if n_broken:
            self.problems.append({"invariant": name, "count": n_broken, "examples": examples[:_SHOWN]})

    def guarded(self, name: str, ask: Callable[[Cursor], Any]) -> Any:
        """What is asked; ``None``, and a problem, where it fails."""
        try:
            if self._cursor is None:
                self._cursor = self._base._lake.cursor()
                self._cursor.execute("BEGIN")
            return ask(self._cursor)
        except (CrmError, OSError) as error:
            self.problems.append({"invariant": name, "count": 1, "examples": [str(error)]})
            self.__exit__()
            return None


def _all_invariants(checking: _Checking, related: list[str]) -> dict[str, str]:
    checks = dict(_INVARIANTS)
    for name in related:
        table, called = stored(name), literal(name)
        checks[f"each row of {name} has one current version"] = f"""
            SELECT _row_id FROM {table} t
            WHERE NOT EXISTS (SELECT 1 FROM superseded s WHERE s.table_name = {called} AND s.id = t._row_id AND s.content_hash = t._content_hash)
            GROUP BY _row_id HAVING count(*) <> 1"""
        for entries in ("superseded", "sightings"):
            checks[f"{entries} versions of {name} are kept"] = f"""
                SELECT id FROM {entries} s WHERE table_name = {called}
                AND NOT EXISTS (SELECT 1 FROM {table} t WHERE t._row_id = s.id AND t._content_hash = s.content_hash)"""
        checks[f"rows of {name} belong to known runs"] = (
            f"SELECT DISTINCT _run_id FROM {table} WHERE _run_id NOT IN (SELECT run_id FROM runs)"
        )
        checks[f"rows of {name} whose record is there have its contact"] = f"""
            SELECT _row_id FROM {table} WHERE _record_id IN (SELECT record_id FROM records)
            AND _record_id NOT IN (SELECT record_id FROM record_contact)"""
    for role, physical, is_list in checking.guarded("columns of lineage are listed", _lineage_columns) or []:
        records = f"unnest({quoted(physical)})" if is_list else quoted(physical)
        checks[f"lineage of {role} is of the contact's own records"] = f"""
            SELECT contact_id FROM (SELECT contact_id, {records} AS record_id FROM lineage) l
            WHERE record_id IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM record_contact rc WHERE rc.record_id = l.record_id AND rc.contact_id = l.contact_id)"""
    return checks


def _lineage_columns(cursor: Cursor) -> list[tuple[str, str, bool]]:
    """Roles whose lineage names records: (role, the catalog's name, whether there is one record per value of a list)."""
    kinds = {row[0]: row[1] for row in cursor.rows(f"DESCRIBE {stored('lineage')}")}
    golden = cursor.rows("SELECT column_name, physical FROM golden_columns WHERE table_name = 'lineage' ORDER BY position")
    return [(role, physical, kinds[physical] == "BIGINT[]") for role, physical in golden if kinds[physical] in ("BIGINT", "BIGINT[]")]


def _broken(cursor: Cursor, sql: str) -> tuple[int, list[str]]:
    """How many rows a query has, and the first of them."""
    rows = cursor.rows(f"SELECT count(*) OVER (), * FROM ({sql}) LIMIT {_SHOWN}")
    return (int(rows[0][0]) if rows else 0), [str(row[1]) for row in rows]


def _files(base: Base, cursor: Cursor, related: list[str]) -> tuple[int, list[str]]:
    """Files that are missing or cannot be read."""
    broken = []
    with contextlib.closing(sqlite3.connect(base.path / "catalog.sqlite", timeout=30)) as catalog:
        try:
            verdict = catalog.execute("PRAGMA quick_check").fetchone()[0]
        except sqlite3.Error as error:
            verdict = str(error)
        if verdict != "ok":
            broken.append("catalog.sqlite is damaged")
    # Reads every page, and so finds those that are damaged.
    with _Checking(base) as pages:
        for table in [*TABLES, *related]:
            broken += _missing(cursor, table)
            columns = [f"count({quoted(row[0])})" for row in cursor.rows(f"DESCRIBE {stored(table)}")]
            pages.guarded(table, lambda own, table=table, columns=columns: own.rows(f"SELECT {', '.join(columns)} FROM {stored(table)}"))  # type: ignore[misc]
    broken += [f"{problem['invariant']}: {problem['examples'][0]}" for problem in pages.problems]
    return len(broken), broken


def _missing(cursor: Cursor, table: str) -> list[str]:
    """The files of a table that are not there."""
    listed = cursor.rows("SELECT data_file, delete_file FROM ducklake_list_files('lake', ?)", [table])
    paths = [Path(path) for files in listed for path in files if path is not None]
    return [f"{path.name} of {table} is missing" for path in paths if not path.exists()]


def _index(base: Base, cursor: Cursor) -> tuple[int, list[str]]:
    """Where the index says otherwise than the tables."""
    missing = [name for (name,) in cursor.rows("SELECT file FROM index_files") if not (base._index_folder / name).exists()]
    if missing:
        return len(missing), [f"the index file {name} is missing" for name in missing]
    index = base._index.opened()
    broken: list[str] = []
    index.verify()
    for batch in cursor.stream(
        f"SELECT c.record_id, c.content_hash, rc.contact_id FROM ({_CURRENT}) c JOIN record_contact rc USING (record_id)"
    ):
        known = pa.table(index.lookup(batch.column("record_id")))
        hashes = signed(pc.fill_null(known["version_hash"].combine_chunks(), 0))
        contacts = known["contact_id"].combine_chunks().cast(pa.string())
        other_version = pc.not_equal(batch.column("content_hash"), pa.array(hashes))
        other_contact = pc.fill_null(pc.not_equal(batch.column("contact_id"), contacts), True)
        for wrong, what in ((other_version, "another version, or none"), (other_contact, "another contact, or none")):
            broken += [f"record {record}: the index has it in {what}" for record in batch.column("record_id").filter(wrong).to_pylist()]
    n_index = json.loads(index.counts()).get("records")
    n_tables = int(cursor.value("SELECT count(*) FROM record_contact"))
    if n_index is not None and n_index != n_tables:
        broken.append(f"the index has {n_index:,} records, the tables {n_tables:,}")
    return len(broken), broken


def _repair(base: Base, wait: float, *, dry_run: bool) -> dict[str, Any]:
    """Rebuilds the index, and all that is derived, from the inputs; removes files that nothing knows. A dry run tells what it would."""
    from crm_engine.base.rebuilding import rebuild
    from crm_engine.base.runs import remove_strays

    base._index.close()
    with base._writing("repair", wait=wait, dry_run=dry_run) as writing:
        n_strays = remove_strays(base, dry_run=dry_run)
        model = writing.transaction.value("SELECT model FROM models ORDER BY run_id DESC LIMIT 1")
        derived = rebuild(writing, model)
        writing.run.counts = {"files_removed": n_strays, **derived.counts}
    return writing.run.counts
