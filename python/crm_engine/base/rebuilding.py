"""The index anew from the tables: for another model, and where the index is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from crm_engine import _core
from crm_engine.base.cells import from_cells
from crm_engine.base.decisions import LAST_WORDS, push_words
from crm_engine.base.deriving import Derived, derive
from crm_engine.base.edits import push_edits
from crm_engine.base.lake import quoted
from crm_engine.base.runs import Run, Writing
from crm_engine.errors import ConfigError

if TYPE_CHECKING:
    from crm_engine.base.base import Base
    from crm_engine.base.lake import Transaction

_ROWS_AT_ONCE = 131_072


def push_versions(transaction: Transaction, change: Any, versions: str) -> int:
    """Gives the index versions as current; ``versions`` is a query of record_id, content_hash, first_run, last_run. Returns how many."""
    transaction.execute(f"CREATE OR REPLACE TEMP TABLE pushed AS {versions}")
    layouts = transaction.rows("""
        SELECT DISTINCT r.layout_id, r.source FROM records r JOIN temp.pushed p USING (record_id, content_hash) ORDER BY 1, 2
    """)
    n_pushed = 0
    for layout_id, source in layouts:
        columns = transaction.rows(
            "SELECT DISTINCT position, column_name, role FROM layouts WHERE layout_id = ? ORDER BY position", [layout_id]
        )
        named = [(name, role) for _, name, role in columns]
        number = change.declare(source, named)
        reader = transaction.stream(
            """SELECT r.record_id, r.content_hash, r.updated_at, p.first_run, p.last_run, r.cells
               FROM records r JOIN temp.pushed p USING (record_id, content_hash) WHERE r.layout_id = ? AND r.source = ?""",
            [layout_id, source],
            rows=_ROWS_AT_ONCE,
        )
        for batch in reader:
            hashes = np.asarray(batch.column("content_hash").to_numpy()).view(np.uint64)
            rows = from_cells(batch.column("cells"), [name for name, _ in named])
            change.restore(
                number, rows, batch.column("record_id"), pa.array(hashes), batch.column("updated_at"), batch.column("first_run"),
                batch.column("last_run"),
            )  # fmt: skip
            n_pushed += len(batch)
    return n_pushed


#: The current version of every record with the runs that first and last brought it.
CURRENT_VERSIONS = """
    SELECT r.record_id, r.content_hash, f.first_run, greatest(r.run_id, coalesce(s.last_run, r.run_id)) AS last_run
    FROM (SELECT record_id, content_hash, run_id FROM records) r
    JOIN (SELECT record_id, min(run_id) AS first_run FROM records GROUP BY record_id) f USING (record_id)
    LEFT JOIN (SELECT id, content_hash, max(run_id) AS last_run FROM sightings WHERE table_name = 'records' GROUP BY ALL) s
      ON s.id = r.record_id AND s.content_hash = r.content_hash
    WHERE NOT EXISTS (SELECT 1 FROM superseded p WHERE p.table_name = 'records' AND p.id = r.record_id AND p.content_hash = r.content_hash)
"""


def rebuild(writing: Writing, model: str | None, progress: Any = None) -> Derived:
    """Makes the index anew under ``model`` (fitted where ``None``) and derives all tables from it, in the run's transaction."""
    base, transaction = writing.base, writing.transaction
    options = transaction.value("SELECT value FROM meta WHERE key = 'options'")
    fresh = _core.BaseIndex.create(str(base._index_folder), options, model)
    first_files = list(fresh.segments())
    writing.index_files += first_files
    if model is None and not transaction.value("SELECT EXISTS (SELECT 1 FROM records)"):
        return _empty(writing, first_files)
    change = fresh.change(writing.run_id)
    push_versions(transaction, change, CURRENT_VERSIONS)
    push_words(change, transaction.rows(f"SELECT record_id_a, record_id_b, decision FROM ({LAST_WORDS}) ORDER BY 1, 2"))
    push_edits(change, transaction.rows("SELECT record_id, column_name, value, origin, edit_order FROM edits ORDER BY edit_order"))
    transaction.execute("DELETE FROM index_files")
    base._index.register(transaction, first_files, writing.run_id)
    for table in ("edges", "aliases", "record_contact"):
        transaction.execute(f"DELETE FROM {table}")
    return derive(writing, change, progress, fresh=fresh)


def _empty(writing: Writing, files: list[str]) -> Derived:
    """A base without records and without a model: as it was made."""
    transaction = writing.transaction
    n_gone = int(transaction.value("SELECT count(*) FROM contacts"))
    transaction.execute(f"INSERT INTO changes SELECT {writing.run_id}, contact_id, 'gone', NULL, NULL FROM contacts ORDER BY contact_id")
    for table in ("index_files", "contacts", "lineage", "edges", "aliases", "record_contact"):
        transaction.execute(f"DELETE FROM {table}")
    for table, physical in transaction.rows("SELECT table_name, physical FROM golden_columns"):
        transaction.execute(f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(physical)}")
    transaction.execute("DELETE FROM golden_columns")
    writing.base._index.register(transaction, files, writing.run_id)
    return Derived(counts={"contacts_gone": n_gone}, n_contacts_before=n_gone)


def refit(base: Base, *, wait: float, dry_run: bool, progress: Any = None) -> Run:
    """See ``Base.refit``."""
    with base._writing("refit", wait=wait, dry_run=dry_run) as writing:
        if not writing.transaction.value("SELECT EXISTS (SELECT 1 FROM record_contact)"):
            raise ConfigError("the base has no records to fit a model on; the first import fits one")
        writing.run.counts = rebuild(writing, None, progress).counts
    return writing.run
