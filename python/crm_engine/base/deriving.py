"""What the index resolved, put into the tables: golden records, lineage, edges, who belongs to whom, and the feed of changes."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.base.feed import compare_whole, origins_of, sorted_feed
from crm_engine.base.lake import Addition, Transaction, quoted
from crm_engine.base.schema import TABLES, rows_to_table, sql_type

if TYPE_CHECKING:
    from crm_engine.base.runs import Writing
    from crm_engine.sources import Progress

_GOLDEN = ("contacts", "lineage")
#: How many of the contacts that grew most are told.
_LARGEST = 5


@dataclass
class Derived:
    """What a run did to contacts."""

    counts: dict[str, Any] = field(default_factory=dict)
    #: Contacts of the most records after the run: (contact_id, records before, records after).
    largest: list[tuple[str, int, int]] = field(default_factory=list)
    n_contacts_before: int = 0
    n_records: int = 0


def derive(writing: Writing, change: Any, progress: Progress | None = None, *, fresh: Any = None) -> Derived:
    """Resolves what was pushed and brings the tables to the new state, in the run's transaction.

    ``fresh`` is the index where it was made anew: then every contact that it does not tell of is gone.
    """
    known = fresh if fresh is not None else writing.base._index.opened()
    outcome = change.resolve(progress)
    transaction = writing.transaction
    told = json.loads(outcome.counts())
    golden = _Golden(transaction, outcome, progress)
    if fresh is None:
        n_before = int(json.loads(known.counts())["contacts"])
        gone = pa.table(outcome.table("gone_contacts"))
        feed = _feed(writing, golden, gone)
        _forget(transaction, golden.former(), gone["contact_id"])
    else:
        n_before = int(transaction.value("SELECT count(*) FROM contacts"))
        feed = compare_whole(writing, golden.additions["contacts"], outcome)
        for table in _GOLDEN:
            transaction.execute(f"DELETE FROM {quoted(table)}")
    golden.finish()
    transaction.insert("changes", feed)
    _replace_narrow(transaction, known, outcome)
    if not writing.run.dry_run:
        files = list(outcome.write(progress))
        writing.base._index.register(transaction, files, writing.run_id, after=len(writing.index_files))
        writing.index_files += files
        if told["model_fitted"]:
            fitted = _core.BaseIndex.open(str(writing.base._index_folder), [*known.segments(), *files]).model()
            transaction.insert("models", rows_to_table("models", [(writing.run_id, fitted)]))
    found = {str(row["values"]): int(row["counts"]) for row in feed["change"].value_counts().to_pylist()}
    counts = {f"contacts_{change}": found.get(change, 0) for change in ("created", "updated", "merged", "split", "gone")}
    counts["to_review"] = int(told["to_review"])
    return Derived(counts, golden.largest, n_before, int(told["records"]))


class _Golden:
    """The golden rows and lineage of touched contacts, on their way into the tables, and what differs from before."""

    def __init__(self, transaction: Transaction, outcome: Any, progress: Progress | None) -> None:
        self.additions: dict[str, Addition] = {}
        self.largest: list[tuple[str, int, int]] = []
        self._transaction = transaction
        self._names: dict[str, list[str]] = {}
        differences = []
        portions = iter(lambda: outcome.next_contacts(progress), None)
        for contacts, lineage, different in portions:
            for table, batch in zip(_GOLDEN, (contacts, lineage), strict=True):
                if table not in self.additions:
                    self._begin(table, batch.schema)
                self.additions[table].add([self._as_stored(table, batch)])
            differences.append(different)
            self._note_largest(contacts, different)
        self.differences = pa.Table.from_batches(differences)

    def _begin(self, table: str, schema: pa.Schema) -> None:
        """Brings the table's columns to those that golden records now have."""
        physical = dict(zip(_physical(self._transaction, table, schema), schema.names, strict=True))
        # In the order of the table: a file that is registered must have all its columns.
        there = [row[0] for row in self._transaction.rows(f"DESCRIBE {quoted(table)}")]
        self._names[table] = [physical[name] for name in there]
        stored = pa.schema([pa.field(name, schema.field(physical[name]).type) for name in there])
        self.additions[table] = Addition(self._transaction, table, stored)

    def _as_stored(self, table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([batch.column(name) for name in self._names[table]], schema=self.additions[table].schema)

    def _note_largest(self, contacts: pa.RecordBatch, different: pa.RecordBatch) -> None:
        after = contacts.column("n_records").to_numpy(zero_copy_only=False).astype(np.int64)
        before = pc.fill_null(different.column("n_records"), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        most = np.argsort(before - after, kind="stable")[:_LARGEST]
        ids = contacts.column("contact_id").take(pa.array(most)).to_pylist()
        self.largest += [(str(contact), int(before[place]), int(after[place])) for contact, place in zip(ids, most, strict=True)]
        self.largest = sorted(self.largest, key=lambda row: (row[1] - row[2], row[0]))[:_LARGEST]

    def former(self) -> pa.ChunkedArray:
        """Those of the contacts that were there."""
        return self.differences.filter(pc.is_valid(self.differences["n_records"]))["contact_id"]

    def finish(self) -> None:
        """Makes the rows a part of the tables."""
        for addition in self.additions.values():
            addition.finish()


def _physical(transaction: Transaction, table: str, schema: pa.Schema) -> list[str]:
    """The catalog's names of golden columns, which are added where they are new, and dropped where no source has them any more."""
    fixed = TABLES[table].names
    there = transaction.rows(
        "SELECT table_name, position, column_name, physical FROM golden_columns WHERE table_name = ? ORDER BY position", [table]
    )
    known = {name: own for _, _, name, own in there}
    taken = {name.casefold() for name in (*fixed, *known.values())}
    physical = []
    for column in schema:
        if column.name in fixed:
            physical.append(column.name)
            continue
        if column.name not in known:
            name = column.name
            for number in itertools.count(2):
                if name.casefold() not in taken:
                    break
                name = f"{column.name}_{number}"
            taken.add(name.casefold())
            known[column.name] = name
            transaction.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(name)} {sql_type(column.type)}")
        physical.append(known[column.name])
    for gone in set(known) - set(schema.names):
        transaction.execute(f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(known[gone])}")
    rows = [(table, place, name, known[name]) for place, name in enumerate(n for n in schema.names if n not in fixed)]
    if rows != there:
        transaction.execute("DELETE FROM golden_columns WHERE table_name = ?", [table])
        transaction.insert("golden_columns", rows_to_table("golden_columns", rows))
    return physical


def _feed(writing: Writing, golden: _Golden, gone: pa.Table) -> pa.Table:
    """The feed of a change: who was created, updated (and in which fields), merged into whom, split from whom."""
    told = golden.differences
    is_new = pc.is_null(told["n_records"])
    created = told.filter(is_new)["contact_id"].combine_chunks().cast(pa.string())
    origins = origins_of(writing, created)
    updated = told.filter(pc.and_(pc.invert(is_new), pc.greater(pc.list_value_length(told["fields"]), 0)))
    return sorted_feed(
        writing.run_id,
        [
            (created, pc.if_else(pc.is_null(origins), "created", "split"), None, origins),
            (updated["contact_id"], "updated", updated["fields"], None),
            (gone["contact_id"], pc.if_else(pc.is_null(gone["into"]), "gone", "merged"), None, gone["into"]),
        ],
    )


def _forget(transaction: Transaction, *contacts: pa.ChunkedArray) -> None:
    """Takes away the golden rows of contacts that change or go."""
    ids = pa.chunked_array([chunk for part in contacts for chunk in part.cast(pa.string()).chunks], pa.string())
    if not len(ids):
        return
    with transaction.known(_touched=pa.table({"contact_id": ids})):
        for table in _GOLDEN:
            transaction.execute(f"DELETE FROM {quoted(table)} WHERE contact_id IN (SELECT contact_id FROM _touched)")


def _replace_narrow(transaction: Transaction, known: Any, outcome: Any) -> None:
    for table, keys, gone_name, new_name in (
        ("edges", ("record_id_a", "record_id_b"), "edges_removed", "edges_added"),
        ("aliases", ("alias",), "aliases_removed", "aliases_added"),
        ("record_contact", ("record_id",), "gone_records", "record_contact"),
    ):
        gone, new = pa.table(outcome.table(gone_name)), pa.table(outcome.table(new_name))
        listed = ", ".join(quoted(key) for key in keys)
        # What is added replaces a row of the same key, which only records that were known before can have.
        for rows in (gone, new.filter(_all_known(known, new, keys))):
            if rows.num_rows:
                with transaction.known(_keys=rows.select(list(keys))):
                    transaction.execute(f"DELETE FROM {quoted(table)} WHERE ({listed}) IN (SELECT ({listed}) FROM _keys)")
        schema = TABLES[table]
        transaction.insert(table, pa.table([new[f.name].cast(f.type) for f in schema], schema=schema))


def _all_known(known: Any, rows: pa.Table, keys: tuple[str, ...]) -> pa.Array:
    """Whether the base had all records that a row's keys name."""
    found = pa.array(np.ones(rows.num_rows, bool))
    for key in keys:
        records = rows[key].combine_chunks()
        if pa.types.is_string(records.type):
            records = pa.array(_core.founding_records(records))
        found = pc.and_(found, pa.table(known.lookup(records))["is_known"].combine_chunks())
    return found
