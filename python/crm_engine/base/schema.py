"""The tables of a base, their version, and how an older version becomes the present one.

Inputs are kept as they came: ``records`` (all versions), ``decisions``, ``edits`` and the related tables. All else is derived from them
and the pinned model, so that a run is undone by taking its inputs away and deriving anew what they touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from crm_engine.base.lake import Cursor, Transaction, quoted, stored
from crm_engine.errors import StoreError

#: Counts up whenever tables change; a base of a higher one is refused.
SCHEMA_VERSION = 2

TEXT, LONG, DOUBLE = pa.string(), pa.int64(), pa.float64()
TIME = pa.timestamp("us")

#: Table -> its columns. ``contacts`` and ``lineage`` get further ones as roles and custom columns come.
TABLES: dict[str, pa.Schema] = {
    "meta": pa.schema([("key", TEXT), ("value", TEXT)]),
    # What users look at.
    "contacts": pa.schema([("contact_id", TEXT), ("n_records", pa.int32())]),
    "lineage": pa.schema([("contact_id", TEXT)]),
    "records": pa.schema(
        [
            ("record_id", LONG),
            ("content_hash", LONG),
            ("run_id", LONG),
            ("source", TEXT),
            ("source_key", TEXT),
            ("updated_at", LONG),
            ("layout_id", LONG),
            ("source_file", TEXT),
            ("source_row", LONG),
            ("cells", pa.map_(TEXT, TEXT)),
        ]
    ),
    "record_contact": pa.schema([("record_id", LONG), ("contact_id", TEXT)]),
    "edges": pa.schema([("record_id_a", LONG), ("record_id_b", LONG), ("match_weight", DOUBLE), ("match_probability", DOUBLE)]),
    "aliases": pa.schema([("alias", TEXT), ("contact_id", TEXT)]),
    "decisions": pa.schema(
        [("run_id", LONG), ("record_id_a", LONG), ("record_id_b", LONG), ("decision", TEXT), ("origin", TEXT)],
    ),
    "edits": pa.schema(
        [("run_id", LONG), ("record_id", LONG), ("edit_order", LONG), ("column_name", TEXT), ("value", TEXT), ("origin", TEXT)]
    ),
    "rejects": pa.schema(
        [("run_id", LONG), ("table_name", TEXT), ("file", TEXT), ("row", LONG), ("column", TEXT), ("reason", TEXT), ("raw", TEXT)]
    ),
    "skipped": pa.schema([("run_id", LONG), ("table_name", TEXT), ("file", TEXT), ("row", LONG), ("reason", TEXT), ("raw", TEXT)]),
    # What happened; these only ever grow.
    "runs": pa.schema(
        [
            ("run_id", LONG),
            ("kind", TEXT),
            ("at", TIME),
            ("target", TEXT),
            ("source", TEXT),
            ("undoes", LONG),
            ("counts", TEXT),
            ("detail", TEXT),
        ]
    ),
    "changes": pa.schema(
        [("run_id", LONG), ("contact_id", TEXT), ("change", TEXT), ("fields", pa.list_(TEXT)), ("other_contact_id", TEXT)]
    ),
    # What inputs and undo need beside the rows themselves.
    "run_log": pa.schema([("run_id", LONG), ("entry", TEXT), ("name", TEXT), ("value", TEXT)]),
    "sightings": pa.schema(
        [
            ("table_name", TEXT),
            ("id", LONG),
            ("content_hash", LONG),
            ("run_id", LONG),
            ("layout_id", LONG),
            ("source_file", TEXT),
            ("source_row", LONG),
        ]
    ),
    "superseded": pa.schema([("table_name", TEXT), ("id", LONG), ("content_hash", LONG)]),
    "gone_records": pa.schema([("record_id", LONG), ("source", TEXT), ("run_id", LONG)]),
    "layouts": pa.schema([("layout_id", LONG), ("run_id", LONG), ("position", pa.int32()), ("column_name", TEXT), ("role", TEXT)]),
    "related_tables": pa.schema(
        [("table_name", TEXT), ("run_id", LONG), ("position", pa.int32()), ("column_name", TEXT), ("physical", TEXT), ("type", TEXT)]
    ),
    "models": pa.schema([("run_id", LONG), ("model", TEXT)]),
    "memberships": pa.schema([("segment", TEXT), ("contact_id", TEXT), ("entered_on", pa.date32())]),
    # The index and erasure.
    "index_files": pa.schema([("file", TEXT), ("run_id", LONG), ("position", pa.int32())]),
    "golden_columns": pa.schema([("table_name", TEXT), ("position", pa.int32()), ("column_name", TEXT), ("physical", TEXT)]),
    "suppressed": pa.schema([("kind", TEXT), ("hash", TEXT), ("run_id", LONG)]),
}

#: Every related table has these columns; the payload follows under its own names.
RELATED_COLUMNS = pa.schema(
    [
        ("row_id", LONG),
        ("content_hash", LONG),
        ("run_id", LONG),
        ("row_source", TEXT),
        ("row_key", TEXT),
        ("occurrence", pa.int32()),
        ("record_id", LONG),
        ("ref_kind", TEXT),
        ("ref_value", TEXT),
        ("source_file", TEXT),
        ("source_row", LONG),
    ]
)

#: Where rows are about two contacts (relations), the record of the second; such a table has it beside the others.
OTHER_RECORD = "_other_record_id"

#: Names that a related table cannot bear.
RESERVED = frozenset(TABLES)


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_map(kind):
        return f"MAP({sql_type(kind.key_type)}, {sql_type(kind.item_type)})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ" if kind.tz else "TIMESTAMP"
    for check, name in (
        (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_int32, "INTEGER"),
        (pa.types.is_int64, "BIGINT"),
        (pa.types.is_uint64, "UBIGINT"),
        (pa.types.is_uint32, "UINTEGER"),
        (pa.types.is_float64, "DOUBLE"),
        (pa.types.is_float32, "FLOAT"),
        (pa.types.is_date, "DATE"),
    ):
        if check(kind):
            return name
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return "VARCHAR"


def rows_to_table(name: str, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows, in the order of the columns, as an Arrow table for one of the tables."""
    schema = TABLES[name]
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(list(values), field.type) for values, field in zip(columns, schema, strict=True)], schema=schema)


def create_table(cursor: Cursor, name: str, schema: pa.Schema) -> None:
    """Creates a table with the columns of a schema."""
    columns = ", ".join(f"{quoted(field.name)} {sql_type(field.type)}" for field in schema)
    cursor.execute(f"CREATE TABLE {stored(name)} ({columns})")


def create_all(transaction: Transaction) -> None:
    """Creates all tables of an empty base."""
    for name, schema in TABLES.items():
        create_table(transaction, name, schema)
    transaction.execute("INSERT INTO meta VALUES ('schema_version', ?)", [str(SCHEMA_VERSION)])


def stored_version(cursor: Cursor) -> int:
    """The version of the tables of a base that was opened."""
    try:
        found = cursor.value("SELECT value FROM meta WHERE key = 'schema_version'")
        return int(found)
    except (StoreError, TypeError, ValueError):
        raise StoreError(f"{cursor.lake.folder}: its catalog.sqlite holds no base of crm_engine, or is damaged") from None


def _key_memberships_by_segment(transaction: Transaction) -> None:
    """They were kept by the names of all segments of a rules file; now a segment has its members whatever stands beside it."""
    kept = transaction.table("SELECT segment, contact_id, min(entered_on) AS entered_on FROM memberships GROUP BY segment, contact_id")
    transaction.execute("DROP TABLE memberships")
    create_table(transaction, "memberships", TABLES["memberships"])
    transaction.insert("memberships", kept)


#: From version -> what makes it the next one.
MIGRATIONS: dict[int, Callable[[Transaction], None]] = {1: _key_memberships_by_segment}


def require_known(version: int, where: str) -> None:
    """Refuses a base that a newer crm_engine wrote."""
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{where}: the base was written by a newer crm_engine (tables of version {version}, this one knows {SCHEMA_VERSION}); "
            "install that version, nothing was changed"
        )


def migrate(transaction: Transaction, version: int, migrations: dict[int, Callable[[Transaction], None]] | None = None) -> None:
    """Brings older tables to the present version, step by step, in the caller's transaction."""
    steps = MIGRATIONS if migrations is None else migrations
    for number in range(version, SCHEMA_VERSION):
        if number not in steps:
            raise StoreError(f"tables of version {number} cannot be brought to version {SCHEMA_VERSION} by this crm_engine")
        steps[number](transaction)
    transaction.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(SCHEMA_VERSION)])
