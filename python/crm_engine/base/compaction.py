"""Compaction: many small files to few, deleted rows out of them, older states of the catalog forgotten."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crm_engine.base.lake import LAKE, Cursor, Transaction, literal
from crm_engine.base.runs import Run
from crm_engine.errors import ConfigError

if TYPE_CHECKING:
    from crm_engine.base.base import Base


#: A thousand years: longer than any base, and short enough for the calendar.
_MOST_DAYS = 365_000


def compact(base: Base, *, wait: float, keep_days: float, reject_days: float, dry_run: bool) -> Run:
    """See ``Base.compact``."""
    for name, days in (("keep_days", keep_days), ("reject_days", reject_days)):
        if not 0 <= days <= _MOST_DAYS:
            raise ConfigError(f"{name}=... is a number of days from 0 to {_MOST_DAYS:,}, not {days}")
    before = _sizes(base)
    with base._writing("compact", wait=wait, dry_run=dry_run) as writing:
        removed = 0
        for table in ("rejects", "skipped"):
            old = f'run_id IN (SELECT run_id FROM runs WHERE "at" < now()::TIMESTAMP - INTERVAL ({float(reject_days)}) DAY)'
            removed += int(writing.transaction.value(f"SELECT count(*) FROM {table} WHERE {old}"))
            writing.transaction.execute(f"DELETE FROM {table} WHERE {old}")
        writing.run.counts = {"rejects_expired": removed, "files_before": before["files"], "bytes_before": before["bytes"]}

        def shrink() -> None:
            rewrite_index(base, [])
            rewrite_files(base)
            merge_files(base)
            forget_history(base, keep_days=keep_days)

        writing.after_commit(shrink)
        if dry_run:
            writing.run.counts |= _to_shrink(writing.transaction, keep_days)
    if not dry_run:
        after = _sizes(base)
        writing.run.counts |= {"files_after": after["files"], "bytes_after": after["bytes"]}
    return writing.run


def _to_shrink(cursor: Cursor, keep_days: float) -> dict[str, int]:
    """What there is for a compaction to do: files that hold deleted rows, and states of the catalog that nobody needs."""
    deleted = (
        f"SELECT count(*) FROM ducklake_list_files({literal(LAKE)}, {literal(table)}) WHERE delete_file IS NOT NULL"
        for table in _tables(cursor)
    )
    expired = f"SELECT count(*) FROM ducklake_expire_snapshots({literal(LAKE)}, older_than => {_older(keep_days)}, dry_run => true)"
    return {
        "files_with_deleted_rows": sum(int(cursor.value(sql)) for sql in deleted),
        "states_to_forget": int(cursor.value(expired)),
    }


def _sizes(base: Base) -> dict[str, int]:
    files = [path for path in base.path.rglob("*") if path.is_file()]
    n_bytes = 0
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            n_bytes += path.stat().st_size
    return {"files": len(files), "bytes": n_bytes}


def rewrite_files(base: Base) -> None:
    """Writes every file anew that has deleted rows, and rows that lie in the catalog to files."""
    cursor = base._lake.cursor()
    try:
        cursor.value(f"SELECT count(*) FROM ducklake_flush_inlined_data({literal(LAKE)})")
        for table in _tables(cursor):
            with_deletes = cursor.value(
                f"SELECT count(*) FROM ducklake_list_files({literal(LAKE)}, {literal(table)}) WHERE delete_file IS NOT NULL"
            )
            if with_deletes:
                cursor.value(f"SELECT count(*) FROM ducklake_rewrite_data_files({literal(LAKE)}, {literal(table)}, delete_threshold => 0)")
    finally:
        cursor.close()


def _tables(cursor: Cursor) -> list[str]:
    return [row[0] for row in cursor.rows("SELECT table_name FROM duckdb_tables() WHERE database_name = ? ORDER BY 1", [LAKE])]


def merge_files(base: Base) -> None:
    """Joins small files of a table."""
    cursor = base._lake.cursor()
    try:
        cursor.value(f"SELECT count(*) FROM ducklake_merge_adjacent_files({literal(LAKE)})")
    finally:
        cursor.close()


def forget_history(base: Base, *, keep_days: float = 0) -> None:
    """Forgets older states of the catalog, and deletes the files that only those needed."""
    cursor = base._lake.cursor()
    try:
        cursor.value(f"SELECT count(*) FROM ducklake_expire_snapshots({literal(LAKE)}, older_than => {_older(keep_days)})")
        cursor.value(f"SELECT count(*) FROM ducklake_cleanup_old_files({literal(LAKE)}, cleanup_all => true)")
    finally:
        cursor.close()


def _older(keep_days: float) -> str:
    """Since when states are kept, as SQL."""
    return f"now()::TIMESTAMPTZ - INTERVAL ({float(keep_days)}) DAY" if keep_days else "now()::TIMESTAMPTZ + INTERVAL 1 DAY"


def rewrite_index(base: Base, erased: list[int]) -> None:
    """One new set of segments without the erased records; the old files are deleted once the new ones are registered."""
    index: Any = base._index.opened()
    old = list(index.segments())
    files = list(index.compact(pa.array(erased, pa.int64())))
    transaction = Transaction(base._lake)
    try:
        transaction.execute("DELETE FROM index_files")
        run_id = int(transaction.value("SELECT coalesce(max(run_id), 0) FROM runs"))
        base._index.register(transaction, files, run_id)
        transaction.commit()
    finally:
        transaction.close()
    base._index.changed()
    base._index.opened()
    for name in set(old) - set(files):
        with contextlib.suppress(FileNotFoundError):
            (base._index_folder / name).unlink()
