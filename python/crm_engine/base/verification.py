"""``verify``: every invariant of a base, checked; what is broken is said, and what can be derived anew is repaired."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crm_engine.base.lake import Cursor, quoted, stored
from crm_engine.base.reading import related_names
from crm_engine.base.schema import TABLES
from crm_engine.errors import CrmError, StoreError

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


def verify(base: Base, *, repair: bool, wait: float) -> dict[str, Any]:
    """See ``Base.verify``."""
    problems: list[dict[str, Any]] = []
    n_checked = 0
    with base._lake.reading() as cursor:
        for name, sql in _all_invariants(cursor).items():
            n_checked += 1
            _note(problems, name, lambda sql=sql: _count(cursor, sql))  # type: ignore[misc]
        for check in (_files, _index):
            n_checked += 1
            _note(problems, check.__doc__ or "", lambda check=check: check(base, cursor))  # type: ignore[misc]
        counts = {
            "contacts": int(cursor.value("SELECT count(*) FROM contacts")),
            "records": int(cursor.value("SELECT count(*) FROM record_contact")),
        }
    report: dict[str, Any] = {"checked": n_checked, **counts, "problems": problems, "repaired": False}
    if repair:
        report["repair"] = _repair(base, wait)
        again = verify(base, repair=False, wait=wait)
        report |= {"problems": again["problems"], "found": problems, "repaired": not again["problems"]}
    return report


def _all_invariants(cursor: Cursor) -> dict[str, str]:
    checks = dict(_INVARIANTS)
    for name in related_names(cursor):
        checks[f"each row of {name} has one current version"] = f"""
            SELECT _row_id FROM {stored(name)} t
            WHERE NOT EXISTS (SELECT 1 FROM superseded s WHERE s.table_name = '{name.replace("'", "''")}' AND s.id = t._row_id AND s.content_hash = t._content_hash)
            GROUP BY _row_id HAVING count(*) <> 1"""
    return checks


def _note(problems: list[dict[str, Any]], name: str, check: Callable[[], list[str]]) -> None:
    try:
        broken = check()
    except (CrmError, OSError) as error:
        broken = [str(error)]
    if broken:
        problems.append({"invariant": name, "count": len(broken), "examples": broken[:_SHOWN]})


def _count(cursor: Cursor, sql: str) -> list[str]:
    return [str(row[0]) for row in cursor.rows(sql)]


def _files(base: Base, cursor: Cursor) -> list[str]:
    """catalog and files agree"""
    broken = []
    with contextlib.closing(sqlite3.connect(base.path / "catalog.sqlite", timeout=30)) as catalog:
        verdict = catalog.execute("PRAGMA quick_check").fetchone()[0]
        if verdict != "ok":
            broken.append("catalog.sqlite is damaged")
    for table in [*TABLES, *related_names(cursor)]:
        for data, delete in cursor.rows("SELECT data_file, delete_file FROM ducklake_list_files('lake', ?)", [table]):
            broken += [
                f"{Path(path).name} of {table} is missing" for path in (data, delete) if path is not None and not Path(path).exists()
            ]
        # Reads every page, and so finds those that are damaged.
        columns = [row[0] for row in cursor.rows(f"DESCRIBE {stored(table)}")]
        try:
            cursor.rows(f"SELECT {', '.join(f'count({quoted(column)})' for column in columns)}, count(*) FROM {stored(table)}")
        except StoreError as error:
            broken.append(f"{table}: {error}")
    return broken


def _index(base: Base, cursor: Cursor) -> list[str]:
    """the index agrees with the tables"""
    for (name,) in cursor.rows("SELECT file FROM index_files"):
        if not (base._index_folder / name).exists():
            return [f"the index file {name} is missing"]
    index = base._index.opened()
    broken: list[str] = []
    checked = getattr(index, "verify", None)
    if checked is not None:
        found = checked()
        broken += json.loads(found) if isinstance(found, str) else list(found or [])
    for batch in cursor.stream(
        f"SELECT c.record_id, c.content_hash, rc.contact_id FROM ({_CURRENT}) c JOIN record_contact rc USING (record_id)"
    ):
        known = pa.table(index.lookup(batch.column("record_id")))
        hashes = pa.array(known["version_hash"].combine_chunks().to_numpy(zero_copy_only=False).astype("uint64").view("int64"))
        contacts = known["contact_id"].combine_chunks().cast(pa.string())
        for record, ours, theirs, contact, other in zip(
            *(
                column.to_pylist()
                for column in (batch.column("record_id"), batch.column("content_hash"), hashes, batch.column("contact_id"), contacts)
            ),
            strict=True,
        ):
            if ours != theirs:
                broken.append(f"record {record}: the index has another version")
            elif contact != other:
                broken.append(f"record {record}: the index has it in another contact")
    n_index = json.loads(index.counts()).get("records")
    n_tables = int(cursor.value("SELECT count(*) FROM record_contact"))
    if n_index is not None and n_index != n_tables:
        broken.append(f"the index has {n_index:,} records, the tables {n_tables:,}")
    return broken


def _repair(base: Base, wait: float) -> dict[str, Any]:
    """Rebuilds the index, and all that is derived, from the inputs; removes files that nothing knows."""
    from crm_engine.base.rebuilding import rebuild
    from crm_engine.base.runs import remove_strays

    base._index.close()
    with base._writing("repair", wait=wait) as writing:
        n_strays = remove_strays(base)
        model = writing.transaction.value("SELECT model FROM models ORDER BY run_id DESC LIMIT 1")
        for table in ("contacts", "lineage"):
            writing.transaction.execute(f"CREATE OR REPLACE TEMP TABLE before_{table} AS SELECT * FROM {quoted(table)} LIMIT 0")
        derived = rebuild(writing, model)
        writing.run.counts = {"files_removed": n_strays, **derived.counts}
    return writing.run.counts
