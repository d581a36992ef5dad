"""Undo: a run's inputs are taken away, and what they touched is derived anew, as if the run had never been."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.base.decisions import LAST_WORDS, push_words
from crm_engine.base.deriving import derive
from crm_engine.base.edits import withdraw_edits
from crm_engine.base.lake import literal, quoted, stored
from crm_engine.base.reading import related_names
from crm_engine.base.rebuilding import push_versions, rebuild
from crm_engine.base.runs import Run, Writing, require_run
from crm_engine.base.schema import OTHER_RECORD, RELATED_COLUMNS
from crm_engine.base.snapshots import derive_gone
from crm_engine.base.versions import signed
from crm_engine.errors import ConfigError

if TYPE_CHECKING:
    from crm_engine.base.base import Base
    from crm_engine.base.lake import Cursor

_UNDOABLE = ("import", "decide", "split", "edit", "set", "refit")

#: Which of two versions of a record is current: the higher ``updated_at``; where there is none the one seen last; then the higher hash.
CURRENT_FIRST = """
    updated_at DESC NULLS LAST, CASE WHEN updated_at IS NULL THEN last_run END DESC NULLS LAST, (content_hash < 0) DESC, content_hash DESC
"""


def undo(base: Base, run_id: int | None, *, go_on: bool, wait: float, dry_run: bool) -> Run:
    """See ``Base.undo``."""
    if run_id is None:
        raise ConfigError("there is nothing to undo: no run was made, because nothing was new or it was a dry run")
    with base._writing("undo", target=str(run_id), wait=wait, dry_run=dry_run) as writing:
        transaction = writing.transaction
        run = require_run(transaction, run_id)
        if run["kind"] not in _UNDOABLE:
            why = (
                "what was erased stays erased"
                if run["kind"] == "erase"
                else f"a run of kind {run['kind']} has nothing that could be undone"
            )
            raise ConfigError(f"run {run_id} cannot be undone: {why}")
        if run["undone_by"] is not None:
            raise ConfigError(f"run {run_id} was undone already, by run {run['undone_by']}")
        depending = dependents(transaction, run_id)
        if depending and not go_on:
            told = "; ".join(f"run {number} ({why})" for number, why in sorted(depending.items()))
            raise ConfigError(f"later runs depend on run {run_id}: {told}. Undo them first, or say go_on=True to leave them as they are")
        writing.run.undoes = run_id
        writing.run.detail = {"undone": {"kind": run["kind"], "target": run["target"], "source": run["source"]}}
        if depending:
            writing.run.detail["depended"] = sorted(depending)
        writing.run.counts = _take_away(writing, run)
    return writing.run


def dependents(cursor: Cursor, run_id: int) -> dict[int, str]:
    """Later runs that rest on what a run brought, with the reason."""
    found: dict[int, str] = {}
    alone = f"""
        SELECT DISTINCT record_id FROM records WHERE run_id = {run_id} AND record_id NOT IN (SELECT record_id FROM records WHERE run_id <> {run_id})
        AND record_id NOT IN (SELECT id FROM sightings WHERE table_name = 'records' AND run_id <> {run_id})
    """
    for table, columns, why in (
        ("decisions", "unnest([record_id_a, record_id_b])", "decides on records that it brought"),
        ("edits", "record_id", "edits contacts that it brought"),
    ):
        if cursor.value(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE run_id > {run_id})"):
            rows = cursor.rows(
                f"SELECT DISTINCT run_id FROM (SELECT run_id, {columns} AS record_id FROM {table} WHERE run_id > {run_id}) "
                f"WHERE record_id IN ({alone})"
            )
            found |= {int(row[0]): why for row in rows}
    if cursor.value("SELECT EXISTS (SELECT 1 FROM models WHERE run_id = ?)", [run_id]):
        for (later,) in cursor.rows("SELECT DISTINCT run_id FROM layouts WHERE run_id > ?", [run_id]):
            found.setdefault(int(later), "decided by the model that it fitted")
    return found


def _take_away(writing: Writing, run: dict[str, Any]) -> dict[str, Any]:
    run_id = int(run["run_id"])
    if run["kind"] == "refit":
        return _undo_refit(writing, run_id)
    if run["kind"] == "import" and run["target"] != "contacts":
        return _undo_related(writing, str(run["target"]), run_id)
    change = writing.base._index.opened().change(writing.run_id)
    counts: dict[str, Any] = {}
    if run["kind"] == "import":
        counts = _undo_import(writing, change, run_id)
    counts |= _undo_words(writing, change, run_id)
    counts |= _undo_edits(writing, change, run_id)
    if _is_unfitted(writing, run_id):
        # The model goes with the only run that it was fitted on: the next import fits its own.
        writing.transaction.execute("DELETE FROM models WHERE run_id = ?", [run_id])
        return counts | rebuild(writing, None).counts
    if writing.base._index.opened().model() is None:
        # Words of people that came before any record: nothing was derived from them.
        return counts
    return counts | derive(writing, change).counts


def _is_unfitted(writing: Writing, run_id: int) -> bool:
    transaction = writing.transaction
    fitted = transaction.value("SELECT EXISTS (SELECT 1 FROM models WHERE run_id = ?)", [run_id])
    return bool(fitted) and not transaction.value("SELECT EXISTS (SELECT 1 FROM records) OR EXISTS (SELECT 1 FROM layouts)")


def _undo_import(writing: Writing, change: Any, run_id: int) -> dict[str, Any]:
    """Takes the versions and sightings of a run away; what others saw as well stays, as theirs."""
    transaction = writing.transaction
    transaction.execute(f"""
        CREATE OR REPLACE TEMP TABLE affected AS
        SELECT DISTINCT record_id FROM records WHERE run_id = {run_id}
        UNION SELECT id FROM sightings WHERE table_name = 'records' AND run_id = {run_id}
    """)
    transaction.execute(f"DELETE FROM sightings WHERE table_name = 'records' AND run_id = {run_id}")
    _hand_over(transaction, run_id)
    transaction.execute(f"DELETE FROM records WHERE run_id = {run_id}")
    for table in ("rejects", "skipped", "run_log", "layouts"):
        transaction.execute(f"DELETE FROM {table} WHERE run_id = {run_id}")
    derive_gone(transaction)
    _settle_current(transaction)
    gone = transaction.table("SELECT record_id FROM temp.affected ANTI JOIN temp.settled USING (record_id)")["record_id"].combine_chunks()
    if len(gone):
        change.remove(gone)
    n_back = push_versions(transaction, change, _changed_versions(writing))
    return {"records_removed": len(gone), "records_restored": n_back}


def _hand_over(transaction: Any, run_id: int) -> None:
    """Versions of the run that later runs saw too become theirs: the first of them brought it, had this run never been."""
    transaction.execute(f"""
        CREATE OR REPLACE TEMP TABLE heirs AS
        SELECT r.record_id, r.content_hash, r.source, r.source_key, r.updated_at, r.cells,
               s.run_id, s.layout_id, s.source_file, s.source_row
        FROM records r JOIN (SELECT * FROM sightings WHERE table_name = 'records'
                             QUALIFY row_number() OVER (PARTITION BY id, content_hash ORDER BY run_id, source_file, source_row) = 1) s
          ON s.id = r.record_id AND s.content_hash = r.content_hash
        WHERE r.run_id = {run_id}
    """)
    if not transaction.value("SELECT EXISTS (SELECT 1 FROM temp.heirs)"):
        return
    transaction.execute(
        "DELETE FROM sightings WHERE table_name = 'records' AND (id, content_hash, run_id) IN (SELECT (record_id, content_hash, run_id) FROM temp.heirs)"
    )
    transaction.execute(
        f"DELETE FROM records WHERE run_id = {run_id} AND (record_id, content_hash) IN (SELECT (record_id, content_hash) FROM temp.heirs)"
    )
    transaction.insert_query(
        "records",
        "SELECT record_id, content_hash, run_id, source, source_key, updated_at, layout_id, source_file, source_row, cells FROM temp.heirs",
    )


def _settle_current(transaction: Any) -> None:
    """``settled``: for each affected record that is left its current version, and the run that first brought it."""
    transaction.execute("""
        CREATE OR REPLACE TEMP TABLE remaining AS
        SELECT r.record_id, r.content_hash, r.updated_at, r.layout_id, r.run_id,
               greatest(r.run_id, coalesce(s.last_run, r.run_id)) AS last_run
        FROM (SELECT record_id, content_hash, updated_at, layout_id, run_id FROM records
              WHERE record_id IN (SELECT record_id FROM temp.affected)) r
        LEFT JOIN (SELECT id, content_hash, max(run_id) AS last_run FROM sightings
                   WHERE table_name = 'records' AND id IN (SELECT record_id FROM temp.affected) GROUP BY ALL) s
          ON s.id = r.record_id AND s.content_hash = r.content_hash
    """)
    transaction.execute(f"""
        CREATE OR REPLACE TEMP TABLE settled AS
        SELECT record_id, content_hash, updated_at, layout_id, last_run, min(run_id) OVER (PARTITION BY record_id) AS first_run
        FROM temp.remaining QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY {CURRENT_FIRST}) = 1
    """)
    transaction.execute("DELETE FROM superseded WHERE table_name = 'records' AND id IN (SELECT record_id FROM temp.affected)")
    transaction.execute("""
        INSERT INTO superseded SELECT 'records', record_id, content_hash FROM temp.remaining ANTI JOIN temp.settled USING (record_id, content_hash)
    """)


def _changed_versions(writing: Writing) -> str:
    """The settled versions that the index has otherwise, as a query of record_id and content_hash with what the index is told of them."""
    transaction = writing.transaction
    settled = transaction.table("SELECT record_id FROM temp.settled ORDER BY record_id")["record_id"].combine_chunks()
    known = pa.table(writing.base._index.opened().lookup(settled))
    columns = {name: known[name] for name in ("record_id", "first_run")}
    columns["content_hash"] = pa.array(signed(pc.fill_null(known["version_hash"].combine_chunks(), 0)))
    with transaction.known(_known=pa.table(columns)):
        transaction.execute("""
            CREATE OR REPLACE TEMP TABLE wanted AS
            SELECT s.* FROM temp.settled s LEFT JOIN _known k USING (record_id)
            WHERE k.content_hash IS DISTINCT FROM s.content_hash OR k.first_run IS DISTINCT FROM s.first_run
        """)
    return "SELECT record_id, content_hash, first_run, last_run FROM temp.wanted"


def _undo_words(writing: Writing, change: Any, run_id: int) -> dict[str, Any]:
    transaction = writing.transaction
    pairs = transaction.table("SELECT DISTINCT record_id_a, record_id_b FROM decisions WHERE run_id = ?", [run_id])
    if pairs.num_rows == 0:
        return {}
    transaction.execute("DELETE FROM decisions WHERE run_id = ?", [run_id])
    with transaction.known(_pairs=pairs):
        words = transaction.rows(
            f"SELECT p.record_id_a, p.record_id_b, coalesce(w.decision, 'none') FROM _pairs p LEFT JOIN ({LAST_WORDS}) w "
            "USING (record_id_a, record_id_b) ORDER BY ALL"
        )
    push_words(change, words)
    return {"decisions_withdrawn": len(words)}


def _undo_edits(writing: Writing, change: Any, run_id: int) -> dict[str, Any]:
    transaction = writing.transaction
    edits = transaction.rows("SELECT record_id, column_name, edit_order FROM edits WHERE run_id = ?", [run_id])
    if not edits:
        return {}
    transaction.execute("DELETE FROM edits WHERE run_id = ?", [run_id])
    withdraw_edits(change, edits)
    return {"edits_withdrawn": len(edits)}


def _undo_related(writing: Writing, name: str, run_id: int) -> dict[str, Any]:
    """Takes the rows of a related import away; rows that later imports saw too stay, as theirs."""
    transaction = writing.transaction
    table = literal(name)
    before = int(transaction.value(f"SELECT count(*) FROM {stored(name)} WHERE _run_id = {run_id}"))
    transaction.execute(f"""
        CREATE OR REPLACE TEMP TABLE affected AS
        SELECT _row_id FROM {stored(name)} WHERE _run_id = {run_id}
        UNION SELECT id FROM sightings WHERE table_name = {table} AND run_id = {run_id}
    """)
    transaction.execute(f"DELETE FROM sightings WHERE table_name = {table} AND run_id = {run_id}")
    transaction.execute(f"""
        CREATE OR REPLACE TEMP TABLE heirs AS
        SELECT t.* REPLACE (s.run_id AS _run_id, s.source_file AS _source_file, s.source_row AS _source_row)
        FROM {stored(name)} t JOIN (SELECT * FROM sightings WHERE table_name = {table}
            QUALIFY row_number() OVER (PARTITION BY id, content_hash ORDER BY run_id, source_file, source_row) = 1) s
          ON s.id = t._row_id AND s.content_hash = t._content_hash
        WHERE t._run_id = {run_id}
    """)
    transaction.execute(f"""
        DELETE FROM sightings WHERE table_name = {table} AND (id, content_hash, run_id) IN
            (SELECT (_row_id, _content_hash, _run_id) FROM temp.heirs)
    """)
    transaction.execute(f"DELETE FROM {stored(name)} WHERE _run_id = {run_id}")
    transaction.execute(f"INSERT INTO {stored(name)} SELECT * FROM temp.heirs")
    transaction.execute(f"DELETE FROM superseded WHERE table_name = {table} AND id IN (SELECT _row_id FROM temp.affected)")
    transaction.execute(f"""
        INSERT INTO superseded SELECT {table}, _row_id, _content_hash FROM
          (SELECT t._row_id, t._content_hash, row_number() OVER (PARTITION BY t._row_id
                    ORDER BY greatest(t._run_id, coalesce(s.last_run, t._run_id)) DESC, t._content_hash DESC) AS nth
           FROM {stored(name)} t LEFT JOIN (SELECT id, content_hash, max(run_id) AS last_run FROM sightings WHERE table_name = {table} GROUP BY ALL) s
             ON s.id = t._row_id AND s.content_hash = t._content_hash
           WHERE t._row_id IN (SELECT _row_id FROM temp.affected)) WHERE nth > 1
    """)
    kept = int(transaction.value("SELECT count(*) FROM temp.heirs"))
    for of_run in ("rejects", "skipped", "run_log"):
        transaction.execute(f"DELETE FROM {of_run} WHERE run_id = {run_id}")
    transaction.execute("DELETE FROM related_tables WHERE table_name = ? AND run_id = ?", [name, run_id])
    _drop_unused(transaction, name)
    return {"rows_removed": before - kept}


def _drop_unused(transaction: Any, name: str) -> None:
    """Columns that no import is left of, and a table that none is left of, are there no more."""
    if name not in related_names(transaction):
        transaction.execute(f"DROP TABLE {stored(name)}")
        return
    used = {row[0] for row in transaction.rows("SELECT DISTINCT physical FROM related_tables WHERE table_name = ?", [name])}
    used |= {f"_{column}" for column in RELATED_COLUMNS.names}
    other_keys = transaction.rows(
        "SELECT detail FROM runs WHERE kind = 'import' AND target = ? AND run_id IN (SELECT run_id FROM related_tables WHERE table_name = ?)",
        [name, name],
    )
    if any("other_key" in json.loads(row[0]) for row in other_keys):
        used.add(OTHER_RECORD)
    for column, *_ in transaction.rows(f"DESCRIBE {stored(name)}"):
        if column not in used:
            transaction.execute(f"ALTER TABLE {stored(name)} DROP COLUMN {quoted(column)}")


def _undo_refit(writing: Writing, run_id: int) -> dict[str, Any]:
    transaction = writing.transaction
    newer = transaction.value("SELECT max(run_id) FROM models WHERE run_id > ?", [run_id])
    if newer is not None:
        raise ConfigError(f"run {run_id} cannot be undone: run {newer} fitted a newer model; undo that first")
    transaction.execute("DELETE FROM models WHERE run_id = ?", [run_id])
    model = transaction.value("SELECT model FROM models ORDER BY run_id DESC LIMIT 1")
    return rebuild(writing, model).counts
