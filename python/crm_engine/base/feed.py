"""The feed of changes: what became of contacts in a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.base.lake import Addition, literal, quoted
from crm_engine.base.schema import TABLES

if TYPE_CHECKING:
    from crm_engine.base.runs import Writing


def origins_of(writing: Writing, created: pa.Array) -> pa.Array:
    """For each contact that was not there: the contact that held its founding record until now, null where that is new."""
    if not len(created):
        return pa.array([], pa.string())
    known = pa.table(writing.base._index.opened().lookup(pa.array(_core.founding_records(created))))
    return known["contact_id"].combine_chunks().cast(pa.string())


def sorted_feed(run_id: int, parts: Sequence[tuple[Any, Any, Any, Any]]) -> pa.Table:
    """Rows of ``changes``, by contact. Each part has contact ids, a change or one per contact, fields and other contacts, or ``None``."""
    schema = TABLES["changes"]
    tables = []
    for contacts, change, fields, others in parts:
        n = len(contacts)
        columns = {
            "run_id": pa.repeat(pa.scalar(run_id, pa.int64()), n),
            "contact_id": contacts,
            "change": pa.repeat(pa.scalar(change), n) if isinstance(change, str) else change,
            "fields": pa.nulls(n, pa.list_(pa.string())) if fields is None else fields,
            "other_contact_id": pa.nulls(n, pa.string()) if others is None else others,
        }
        tables.append(pa.table([columns[f.name].cast(f.type) for f in schema], schema=schema))
    return pa.concat_tables(tables).sort_by("contact_id").combine_chunks()


def compare_whole(writing: Writing, contacts: Addition, outcome: Any) -> pa.Table:
    """The feed where all of a base was derived anew: the golden rows that are there beside those that take their place."""
    transaction = writing.transaction
    rows = transaction.rows("SELECT column_name, physical FROM golden_columns WHERE table_name = 'contacts'")
    names = {physical: name for name, physical in rows}
    differs = [
        f"CASE WHEN o.{quoted(c)} IS DISTINCT FROM n.{quoted(c)} THEN {literal(names.get(c, c))} END"
        for c in contacts.schema.names
        if c != "contact_id"
    ]
    with contacts.seen_as("_new"):
        updated = transaction.table(f"""
            SELECT contact_id, fields FROM (SELECT n.contact_id, list_filter([{", ".join(differs)}]::VARCHAR[], lambda f: f IS NOT NULL) AS fields
                                            FROM _new n JOIN contacts o USING (contact_id)) WHERE len(fields) > 0""")
        created = transaction.table("SELECT contact_id FROM _new ANTI JOIN contacts USING (contact_id)")["contact_id"]
        gone = transaction.table("SELECT contact_id FROM contacts ANTI JOIN _new USING (contact_id)")["contact_id"]
    created, gone = created.combine_chunks().cast(pa.string()), gone.combine_chunks().cast(pa.string())
    origins, into = origins_of(writing, created), _holders(gone, outcome)
    return sorted_feed(
        writing.run_id,
        [
            (created, pc.if_else(pc.is_null(origins), "created", "split"), None, origins),
            (updated["contact_id"], "updated", updated["fields"], None),
            (gone, pc.if_else(pc.is_null(into), "gone", "merged"), None, into),
        ],
    )


def _holders(contacts: pa.Array, outcome: Any) -> pa.Array:
    """The contact that now holds the founding record of each of these."""
    now = pa.table(outcome.table("record_contact"))
    places = pc.index_in(pa.array(_core.founding_records(contacts)), now["record_id"].combine_chunks())
    return now["contact_id"].combine_chunks().take(places).cast(pa.string())
