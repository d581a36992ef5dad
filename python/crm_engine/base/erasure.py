"""Erasure: a person is gone from every table, every file and every older state; what is kept are keyed hashes that keep the person out.

The rows go in one transaction. Then their bytes go: files that held them are written anew, older states of the catalog are forgotten, the
files that only those needed are deleted, and the catalog is vacuumed. If the process dies in between, the next change of the base ends it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crm_engine import _core
from crm_engine.base.decisions import members, push_words
from crm_engine.base.deriving import derive
from crm_engine.base.edits import withdraw_edits
from crm_engine.base.lake import literal, quoted, stored
from crm_engine.base.reading import has_other, related_names, resolved_rows
from crm_engine.base.references import phone_region
from crm_engine.base.runs import Run, Writing
from crm_engine.base.schema import OTHER_RECORD, rows_to_table
from crm_engine.base.suppression import IDENTIFYING, hashes_of, secret_of, source_key
from crm_engine.errors import ConfigError

if TYPE_CHECKING:
    from crm_engine.base.base import Base
    from crm_engine.base.lake import Transaction

#: A text shorter than this says too little to find a person's rejects by.
_SHORTEST_IDENTIFIER = 4


def erase(base: Base, contact_ids: Sequence[str], *, wait: float, dry_run: bool) -> Run:
    """See ``Base.erase``."""
    asked = list(dict.fromkeys([contact_ids] if isinstance(contact_ids, str) else contact_ids))
    if not asked:
        raise ConfigError("name at least one contact to erase")
    with base._writing(
        "erase", target=", ".join(asked) if len(asked) <= 20 else f"{len(asked)} contacts", wait=wait, dry_run=dry_run
    ) as writing:
        transaction = writing.transaction
        records = sorted({record for contact in asked for record in members(transaction, contact)})
        transaction.execute("CREATE OR REPLACE TEMP TABLE erased (record_id BIGINT)")
        with transaction.known(_erased=pa.table({"record_id": pa.array(records, pa.int64())})):
            transaction.execute("INSERT INTO temp.erased SELECT record_id FROM _erased")
        identifiers = _identifiers(writing)
        counts = _erase_related(writing, asked)
        counts["rejects_removed"] = _erase_rejects(writing, identifiers)
        change = base._index.opened().change(writing.run_id)
        counts |= _erase_inputs(writing, change)
        _erase_memberships(transaction, asked)
        _suppress(writing, identifiers)
        change.remove(pa.array(records, pa.int64()))
        derived = derive(writing, change)
        transaction.execute("UPDATE changes SET change = 'erased' WHERE run_id = ? AND change = 'gone'", [writing.run_id])
        writing.run.counts = {
            "contacts_erased": len(asked),
            "records_erased": len(records),
            **counts,
            **{k: v for k, v in derived.counts.items() if v},
        }
        writing.run.detail = {"exports": _exports_made(writing)}
        if not dry_run:
            _leave_to_clean(writing)
            writing.after_commit(lambda: clean(base))
    return writing.run


def _identifiers(writing: Writing) -> set[tuple[str, str]]:
    """(kind, value) of all that the erased people are known by, in all versions; values as written and in normal form."""
    transaction = writing.transaction
    found: set[tuple[str, str]] = set()
    rows = transaction.table("""
        SELECT r.source, r.source_key, r.layout_id, map_entries(r.cells) AS cells FROM records r SEMI JOIN temp.erased USING (record_id)
    """)
    roles = {
        (layout, name): role
        for layout, name, role in transaction.rows("SELECT DISTINCT layout_id, column_name, role FROM layouts WHERE role IS NOT NULL")
    }
    region = phone_region(writing.base)
    written: set[tuple[str, str]] = set()
    for row in rows.to_pylist():
        if row["source_key"] is not None:
            found.add(("source_key", source_key(row["source"], row["source_key"])))
        for cell in row["cells"]:
            role = roles.get((row["layout_id"], cell["key"]))
            if role in IDENTIFYING:
                written.add((str(role), cell["value"]))
    # What people set is known of the person too, whichever value wins.
    edits = transaction.rows(
        "SELECT DISTINCT column_name, value FROM edits SEMI JOIN temp.erased USING (record_id) WHERE value IS NOT NULL"
    )
    written.update((column, value) for column, value in edits if column in IDENTIFYING)
    for role, value in written:
        found.add((f"written {role}", value))
        values = pa.array(_core.normal_values(role, pa.array([value]), region))
        found.update((role, normal) for normal in values[0].as_py() or [])
    return found


def _suppress(writing: Writing, identifiers: set[tuple[str, str]]) -> None:
    transaction = writing.transaction
    secret = secret_of(transaction)
    own = {pair for pair in identifiers if not pair[0].startswith("written ")} - _shared(writing, identifiers)
    known = set(transaction.rows("SELECT kind, hash FROM suppressed"))
    fresh = [(kind, digest, writing.run_id) for kind, digest in hashes_of(secret, own) if (kind, digest) not in known]
    transaction.insert("suppressed", rows_to_table("suppressed", fresh))


def _shared(writing: Writing, identifiers: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """What a contact that stays has as well: keeping that out would keep others out."""
    transaction = writing.transaction
    shared: set[tuple[str, str]] = set()
    golden = {row[0]: (row[1], row[2]) for row in transaction.rows("""
        SELECT g.column_name, g.physical, c.data_type FROM golden_columns g
        JOIN (SELECT column_name AS physical, data_type FROM duckdb_columns() WHERE table_name = 'contacts') c USING (physical)
        WHERE g.table_name = 'contacts'""")}  # fmt: skip
    for kind in IDENTIFYING:
        values = [value for of, value in identifiers if of == kind]
        if not values or kind not in golden:
            continue
        physical, data_type = golden[kind]
        cell = f"unnest({quoted(physical)})" if data_type.endswith("[]") else quoted(physical)
        with transaction.known(_values=pa.table({"value": values})):
            rows = transaction.rows(f"""
                SELECT DISTINCT value FROM (SELECT {cell} AS value, contact_id FROM contacts) JOIN _values USING (value)
                WHERE contact_id NOT IN (SELECT contact_id FROM record_contact SEMI JOIN temp.erased USING (record_id))""")
        shared |= {(kind, row[0]) for row in rows}
    return shared


def _erase_related(writing: Writing, contacts: Sequence[str]) -> dict[str, int]:
    """Rows that belong to the erased contacts are theirs as well, in all versions."""
    transaction = writing.transaction
    counts = {}
    for name in related_names(transaction):
        # A row that tells of another contact and of the person is the person's as well.
        other = f" OR {OTHER_RECORD} IN (SELECT record_id FROM temp.erased)" if has_other(transaction, name) else ""
        with transaction.known(_asked=pa.table({"contact_id": list(contacts)})):
            transaction.execute(f"""
                CREATE OR REPLACE TEMP TABLE going AS
                SELECT _row_id FROM ({resolved_rows(transaction, name)}) WHERE _contact_id IN (SELECT contact_id FROM _asked)
                UNION SELECT _row_id FROM {stored(name)} WHERE _record_id IN (SELECT record_id FROM temp.erased){other}
            """)
        counts[f"{name}_removed"] = int(transaction.value("SELECT count(*) FROM temp.going"))
        transaction.execute(f"DELETE FROM {stored(name)} WHERE _row_id IN (SELECT _row_id FROM temp.going)")
        for table in ("sightings", "superseded"):
            transaction.execute(f"DELETE FROM {table} WHERE table_name = {literal(name)} AND id IN (SELECT _row_id FROM temp.going)")
    return {name: n for name, n in counts.items() if n}


def _erase_rejects(writing: Writing, identifiers: set[tuple[str, str]]) -> int:
    """Rejected and skipped rows that contain one of the identifiers, as written or, for telephones, by their digits."""
    transaction = writing.transaction
    texts = {value.casefold() for kind, value in identifiers if kind != "source_key"}
    texts |= {value.rpartition("\x1f")[2].casefold() for kind, value in identifiers if kind == "source_key"}
    texts = {text for text in texts if len(text) >= _SHORTEST_IDENTIFIER}
    digits = {"".join(filter(str.isdigit, value))[-9:] for kind, value in identifiers if kind == "phone"}
    digits = {one for one in digits if len(one) >= 7}
    n_removed = 0
    needles = pa.table({"text": pa.array(sorted(texts), pa.string())})
    numbers = pa.table({"digits": pa.array(sorted(digits), pa.string())})
    for table in ("rejects", "skipped"):
        before = int(transaction.value(f"SELECT count(*) FROM {table}"))
        if not before:
            continue
        with transaction.known(_needles=needles, _numbers=numbers):
            transaction.execute(f"""
                DELETE FROM {table} WHERE raw IN (SELECT raw FROM {table}, _needles WHERE contains(lower(raw), text)
                UNION SELECT raw FROM {table}, _numbers WHERE contains(regexp_replace(raw, '[^0-9]', '', 'g'), digits))
            """)
        n_removed += before - int(transaction.value(f"SELECT count(*) FROM {table}"))
    return n_removed


def _erase_inputs(writing: Writing, change: Any) -> dict[str, int]:
    transaction = writing.transaction
    ours = "(SELECT record_id FROM temp.erased)"
    withdraw_edits(change, transaction.rows(f"SELECT record_id, column_name, edit_order FROM edits WHERE record_id IN {ours}"))
    pairs = transaction.rows(
        f"SELECT DISTINCT record_id_a, record_id_b FROM decisions WHERE record_id_a IN {ours} OR record_id_b IN {ours}"
    )
    push_words(change, [(a, b, "none") for a, b in pairs])
    counts = {}
    for table, where in (
        ("decisions", "record_id_a IN (SELECT record_id FROM temp.erased) OR record_id_b IN (SELECT record_id FROM temp.erased)"),
        ("edits", "record_id IN (SELECT record_id FROM temp.erased)"),
    ):
        counts[f"{table}_removed"] = int(transaction.value(f"SELECT count(*) FROM {table} WHERE {where}"))
        if counts[f"{table}_removed"]:
            transaction.execute(f"DELETE FROM {table} WHERE {where}")
    transaction.execute("DELETE FROM records WHERE record_id IN (SELECT record_id FROM temp.erased)")
    transaction.execute("DELETE FROM gone_records WHERE record_id IN (SELECT record_id FROM temp.erased)")
    for table in ("sightings", "superseded"):
        transaction.execute(f"DELETE FROM {table} WHERE table_name = 'records' AND id IN (SELECT record_id FROM temp.erased)")
    return {name: n for name, n in counts.items() if n}


def _erase_memberships(transaction: Transaction, contacts: Sequence[str]) -> None:
    """Who was in which segment, also under the ids of contacts that were merged into these: an erased person has not left a segment."""
    with transaction.known(_asked=pa.table({"contact_id": pa.array(list(contacts), pa.string())})):
        transaction.execute("""
            DELETE FROM memberships WHERE contact_id IN (SELECT contact_id FROM _asked)
            OR contact_id IN (SELECT alias FROM aliases WHERE contact_id IN (SELECT contact_id FROM _asked))
        """)


def _exports_made(writing: Writing) -> list[dict[str, Any]]:
    """Exports that were made from the base and may still hold the person."""
    rows = writing.transaction.rows("""SELECT run_id, "at", target FROM runs WHERE kind = 'export' ORDER BY run_id""")
    return [{"run_id": run_id, "at": at.isoformat(timespec="seconds"), "file": target} for run_id, at, target in rows]


# --- bytes --------------------------------------------------------------------------------------------------------------------


def _leave_to_clean(writing: Writing) -> None:
    """From this commit on, until the bytes are gone, whoever writes to the base next cleans it first."""
    writing.transaction.execute("DELETE FROM meta WHERE key = 'to_clean'")
    records = writing.transaction.rows("SELECT record_id FROM temp.erased ORDER BY 1")
    writing.transaction.execute("INSERT INTO meta VALUES ('to_clean', ?)", [",".join(str(row[0]) for row in records)])


def clean_if_needed(base: Base) -> None:
    """Ends an erasure that a process which died left half-cleaned. The caller holds the lock."""
    with base._lake.reading() as cursor:
        waiting = cursor.value("SELECT value FROM meta WHERE key = 'to_clean'")
    if waiting is not None:
        clean(base)


def clean(base: Base) -> None:
    """Removes the bytes of what is no longer there. The caller holds the lock."""
    from crm_engine.base.compaction import forget_history, rewrite_files, rewrite_index

    with base._lake.reading() as cursor:
        waiting = cursor.value("SELECT value FROM meta WHERE key = 'to_clean'") or ""
    erased = [int(record) for record in waiting.split(",") if record]
    rewrite_index(base, erased)
    rewrite_files(base)
    forget_history(base)
    writer = base._lake.cursor()
    try:
        writer.execute("DELETE FROM meta WHERE key = 'to_clean'")
    finally:
        writer.close()
    forget_history(base)
    scrub_catalog(base)


def scrub_catalog(base: Base) -> None:
    """Takes values out of the catalog's statistics, which remember the least and the greatest text that ever was, and vacuums its file."""
    with contextlib.closing(sqlite3.connect(base.path / "catalog.sqlite", timeout=30)) as catalog:
        with catalog:
            # Bounds that hold for every text: to know none would be read as no text at all when the next rows come.
            catalog.execute(
                """UPDATE ducklake_table_column_stats SET min_value = '', max_value = ?
                   WHERE (table_id, column_id) IN (SELECT table_id, column_id FROM ducklake_column WHERE column_type = 'varchar')
                     AND (min_value IS NOT NULL OR max_value IS NOT NULL)""",
                ["\U0010fffd"],
            )
        catalog.execute("PRAGMA secure_delete = ON")
        catalog.execute("VACUUM")
        catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")
