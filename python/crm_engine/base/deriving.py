"""What the index resolved, put into the tables: golden records, lineage, edges, who belongs to whom, and the feed of changes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.base.lake import Transaction, literal, quoted
from crm_engine.base.schema import TABLES, rows_to_table, sql_type

if TYPE_CHECKING:
    from crm_engine.base.runs import Writing
    from crm_engine.sources import Progress

_GOLDEN = ("contacts", "lineage")


@dataclass
class Derived:
    """What a run did to contacts."""

    counts: dict[str, Any] = field(default_factory=dict)
    #: Contacts of the most records after the run: (contact_id, records before, records after).
    largest: list[tuple[str, int, int]] = field(default_factory=list)
    n_contacts_before: int = 0


def derive(writing: Writing, change: Any, progress: Progress | None = None, *, fresh: Any = None) -> Derived:
    """Resolves what was pushed and brings the tables to the new state, in the run's transaction.

    ``fresh`` is the index where it was made anew: then every contact that it does not tell of is gone.
    """
    known = fresh if fresh is not None else writing.base._index.opened()
    outcome = change.resolve(progress)
    transaction = writing.transaction
    derived = Derived(n_contacts_before=int(transaction.value("SELECT count(*) FROM contacts")))
    golden = _stage_golden(transaction, outcome)
    _list_touched(writing, outcome, whole=fresh is not None)
    counts = _changes(writing, outcome, golden["contacts"])
    derived.largest = [
        (str(contact), int(before or 0), int(after))
        for contact, before, after in transaction.rows("""
            SELECT n.contact_id, o.n_records, n.n_records FROM temp.new_contacts n LEFT JOIN temp.old_contacts o USING (contact_id)
            ORDER BY n.n_records - coalesce(o.n_records, 0) DESC, n.contact_id LIMIT 5""")
    ]
    _replace_golden(transaction, golden)
    _replace_narrow(transaction, outcome)
    if not writing.run.dry_run:
        files = list(outcome.write())
        writing.base._index.register(transaction, files, writing.run_id, after=len(writing.index_files))
        writing.index_files += files
        if known.model() is None:
            fitted = _core.BaseIndex.open(str(writing.base._index_folder), [*known.segments(), *files]).model()
            if fitted is not None:
                transaction.insert("models", rows_to_table("models", [(writing.run_id, fitted)]))
    derived.counts = counts
    derived.counts["to_review"] = _uncertain(transaction, outcome)
    return derived


def _uncertain(transaction: Transaction, outcome: Any) -> int:
    """How many pairs that the run found lie between two contacts, for people to decide on."""
    added = pa.table(outcome.table("edges_added")).select(["record_id_a", "record_id_b"])
    if added.num_rows == 0:
        return 0
    with transaction.known(_added=added):
        found = transaction.value("""
            WITH holders AS (SELECT record_id, contact_id FROM record_contact
                             WHERE record_id IN (SELECT unnest([record_id_a, record_id_b]) FROM _added))
            SELECT count(*) FROM _added e JOIN holders a ON a.record_id = e.record_id_a JOIN holders b ON b.record_id = e.record_id_b
            WHERE a.contact_id <> b.contact_id
        """)
    return int(found)


def _stage_golden(transaction: Transaction, outcome: Any) -> dict[str, pa.Schema]:
    """The golden rows and lineage of touched contacts as temporary tables ``new_contacts`` and ``new_lineage``; returns their schemas."""
    portions = iter(lambda: outcome.next_contacts(), None)
    first = next(portions, None)
    schemas: dict[str, pa.Schema] = {}
    if first is None:
        for table in _GOLDEN:
            schemas[table] = TABLES[table]
            transaction.execute(f"CREATE OR REPLACE TEMP TABLE new_{table} AS SELECT * FROM {quoted(table)} LIMIT 0")
        return schemas
    for place, table in enumerate(_GOLDEN):
        physical = _physical(transaction, table, first[place].schema)
        schemas[table] = pa.schema([pa.field(name, f.type) for name, f in zip(physical, first[place].schema, strict=True)])
        columns = ", ".join(f"{quoted(f.name)} {sql_type(f.type)}" for f in schemas[table])
        transaction.execute(f"CREATE OR REPLACE TEMP TABLE new_{table} ({columns})")
    for portion in itertools.chain([first], portions):
        for table, batch in zip(_GOLDEN, portion, strict=True):
            if batch.num_rows:
                renamed = pa.Table.from_arrays(batch.columns, schema=schemas[table])
                with transaction.known(_portion=renamed):
                    transaction.execute(f"INSERT INTO temp.new_{table} SELECT * FROM _portion")
    return schemas


def _physical(transaction: Transaction, table: str, schema: pa.Schema) -> list[str]:
    """The catalog's names of golden columns, which are added where they are new, and dropped where no source has them any more."""
    fixed = TABLES[table].names
    known = dict(transaction.rows("SELECT column_name, physical FROM golden_columns WHERE table_name = ?", [table]))
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
    transaction.execute("DELETE FROM golden_columns WHERE table_name = ?", [table])
    rows = [(table, place, name, known[name]) for place, name in enumerate(n for n in schema.names if n not in fixed)]
    transaction.insert("golden_columns", rows_to_table("golden_columns", rows))
    return physical


def _list_touched(writing: Writing, outcome: Any, *, whole: bool) -> None:
    """``touched``: contacts whose rows change or go; ``old_contacts``: their golden rows until now; ``gone``: those that go, and into whom."""
    transaction = writing.transaction
    if whole:
        gone = transaction.table("SELECT contact_id FROM contacts ANTI JOIN temp.new_contacts USING (contact_id) ORDER BY 1")
        gone = gone.append_column("into", _holders(gone["contact_id"], outcome))
    else:
        gone = pa.table(outcome.table("gone_contacts"))
    with transaction.known(_gone=gone):
        transaction.execute("""CREATE OR REPLACE TEMP TABLE gone AS SELECT contact_id, "into" FROM _gone""")
    transaction.execute("""
        CREATE OR REPLACE TEMP TABLE touched AS SELECT contact_id FROM temp.new_contacts UNION SELECT contact_id FROM temp.gone
    """)
    transaction.execute(
        "CREATE OR REPLACE TEMP TABLE old_contacts AS SELECT * FROM contacts WHERE contact_id IN (SELECT contact_id FROM temp.touched)"
    )


def _holders(contacts: pa.ChunkedArray, outcome: Any) -> pa.Array:
    """The contact that now holds the founding record of each of these."""
    founding = pa.array(_core.founding_records(contacts.combine_chunks().cast(pa.string())))
    now = pa.table(outcome.table("record_contact"))
    places = pc.index_in(founding, now["record_id"].combine_chunks())
    return now["contact_id"].combine_chunks().take(places)


def _changes(writing: Writing, outcome: Any, golden: pa.Schema) -> dict[str, Any]:
    """The feed: who was created, updated (and in which fields), merged into whom, split from whom; returns the counts of each."""
    transaction = writing.transaction
    names = {
        physical: name
        for name, physical in transaction.rows("SELECT column_name, physical FROM golden_columns WHERE table_name = 'contacts'")
    }
    old = {row[0] for row in transaction.rows("DESCRIBE temp.old_contacts")}
    differs = [
        f"CASE WHEN o.{quoted(c)} IS DISTINCT FROM n.{quoted(c)} THEN {literal(names.get(c, c))} END"
        if c in old
        else f"CASE WHEN n.{quoted(c)} IS NOT NULL THEN {literal(names.get(c, c))} END"
        for c in golden.names
        if c != "contact_id"
    ]
    fields = f"list_filter([{', '.join(differs)}]::VARCHAR[], lambda f: f IS NOT NULL)" if differs else "[]::VARCHAR[]"
    created = transaction.table("SELECT n.contact_id FROM temp.new_contacts n ANTI JOIN temp.old_contacts o USING (contact_id)")[
        "contact_id"
    ]
    origin = _origins(writing, created)
    with transaction.known(_origin=origin):
        transaction.execute(f"""
            CREATE OR REPLACE TEMP TABLE feed AS
            SELECT n.contact_id, CASE WHEN c.origin IS NULL THEN 'created' ELSE 'split' END AS change, NULL::VARCHAR[] AS fields,
                   c.origin AS other_contact_id
            FROM temp.new_contacts n JOIN _origin c USING (contact_id)
            UNION ALL
            SELECT contact_id, 'updated', fields, NULL FROM
              (SELECT n.contact_id, {fields} AS fields FROM temp.new_contacts n JOIN temp.old_contacts o USING (contact_id)) WHERE len(fields) > 0
            UNION ALL
            SELECT contact_id, CASE WHEN "into" IS NULL THEN 'gone' ELSE 'merged' END, NULL, "into" FROM temp.gone
        """)
    transaction.execute(
        f"INSERT INTO changes SELECT {writing.run_id}, contact_id, change, fields, other_contact_id FROM temp.feed ORDER BY ALL"
    )
    found = dict(transaction.rows("SELECT change, count(*) FROM temp.feed GROUP BY 1"))
    return {
        "contacts_created": found.get("created", 0),
        "contacts_updated": found.get("updated", 0),
        "contacts_merged": found.get("merged", 0),
        "contacts_split": found.get("split", 0),
        "contacts_gone": found.get("gone", 0),
    }


def _origins(writing: Writing, created: pa.ChunkedArray) -> pa.Table:
    """For each contact that was not there: the contact that held its founding record until now, null where that is new."""
    ids = created.combine_chunks()
    records = pa.array(_core.founding_records(ids))
    known = pa.table(writing.base._index.opened().lookup(records)) if len(ids) else None
    origin = known["contact_id"].combine_chunks() if known is not None else pa.array([], pa.string())
    return pa.table({"contact_id": ids, "origin": origin.cast(pa.string())})


def _replace_golden(transaction: Transaction, golden: dict[str, pa.Schema]) -> None:
    had_some = bool(transaction.value("SELECT EXISTS (SELECT 1 FROM temp.old_contacts)"))
    for table, schema in golden.items():
        if had_some:
            transaction.execute(f"DELETE FROM {quoted(table)} WHERE contact_id IN (SELECT contact_id FROM temp.touched)")
        # In the order of the table, every column: a file that is registered must have them all.
        there = [row[0] for row in transaction.rows(f"DESCRIBE {quoted(table)}")]
        listed = ", ".join(quoted(name) if name in schema.names else f"NULL AS {quoted(name)}" for name in there)
        transaction.insert_query(table, f"SELECT {listed} FROM temp.new_{table}")


def _replace_narrow(transaction: Transaction, outcome: Any) -> None:
    for table, keys, gone_name, new_name in (
        ("edges", ("record_id_a", "record_id_b"), "edges_removed", "edges_added"),
        ("aliases", ("alias",), "aliases_removed", "aliases_added"),
        ("record_contact", ("record_id",), "gone_records", "record_contact"),
    ):
        gone, new = pa.table(outcome.table(gone_name)), pa.table(outcome.table(new_name))
        for rows in (gone, new):
            # What is added replaces a row of the same key.
            if rows.num_rows and transaction.value(f"SELECT EXISTS (SELECT 1 FROM {quoted(table)})"):
                listed = ", ".join(quoted(key) for key in keys)
                with transaction.known(_keys=rows.select(list(keys))):
                    transaction.execute(f"DELETE FROM {quoted(table)} WHERE ({listed}) IN (SELECT ({listed}) FROM _keys)")
        schema = TABLES[table]
        transaction.insert(table, pa.table([new[f.name].cast(f.type) for f in schema], schema=schema))
