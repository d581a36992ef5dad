"""The tables of a base as streams: golden records, records, and related rows with the contact they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from crm_engine.base.lake import Cursor, literal, quoted, stored
from crm_engine.base.schema import OTHER_RECORD
from crm_engine.config import nearest
from crm_engine.errors import SchemaError

if TYPE_CHECKING:
    from crm_engine.base.base import Base

#: The present version of each record, with the contact that it belongs to.
_RECORDS = """
    SELECT r.record_id, rc.contact_id, r.source, r.source_key, make_timestamp(r.updated_at) AS updated_at,
           g.record_id IS NOT NULL AS is_gone, r.run_id, r.source_file, r.source_row, r.cells
    FROM records r JOIN record_contact rc USING (record_id) LEFT JOIN gone_records g USING (record_id)
    WHERE NOT EXISTS (SELECT 1 FROM superseded s WHERE s.table_name = 'records' AND s.id = r.record_id AND s.content_hash = r.content_hash)
"""

#: Tables that are shown as they are stored.
_AS_STORED = ("record_contact", "edges", "aliases", "decisions", "edits", "rejects", "skipped", "gone_records", "changes", "run_log")

#: Columns of the golden tables that are there before any source came.
_FIXED = {"contacts": ["contact_id", "n_records"], "lineage": ["contact_id"]}


def read_table(base: Base, name: str, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """The rows of a table as they are now."""
    with base._lake.reading() as cursor:
        sql, names = table_sql(cursor, name)
    if columns is not None:
        for column in columns:
            if column not in names:
                raise SchemaError(f"{name} has no column '{column}'{nearest(column, names)}")
        chosen = ", ".join(f"{quoted(physical)} AS {quoted(column)}" for column, physical in ((c, names[c]) for c in columns))
    else:
        chosen = ", ".join(f"{quoted(physical)} AS {quoted(column)}" for column, physical in names.items())
    return base._lake.stream(f"SELECT {chosen} FROM ({sql})")


def table_sql(cursor: Cursor, name: str) -> tuple[str, dict[str, str]]:
    """The query of a table, and its columns: as users see them -> as the query calls them."""
    if name in _FIXED:
        golden = dict(cursor.rows("SELECT column_name, physical FROM golden_columns WHERE table_name = ? ORDER BY position", [name]))
        return f"SELECT * FROM {quoted(name)}", {**{column: column for column in _FIXED[name]}, **golden}
    if name == "records":
        return _RECORDS, _columns_of(cursor, _RECORDS)
    if name in _AS_STORED:
        sql = f"SELECT * FROM {quoted(name)}"
        return sql, _columns_of(cursor, sql)
    if name == "runs":
        from crm_engine.base.runs import RUNS_SQL

        return RUNS_SQL, _columns_of(cursor, RUNS_SQL)
    known = related_names(cursor)
    found = next((table for table in known if table.casefold() == name.casefold()), None)
    if found is None:
        everything = [*_FIXED, "records", "runs", *_AS_STORED, *known]
        raise SchemaError(f"the base has no table '{name}'{nearest(name, everything)}; its tables are {', '.join(everything)}")
    return related_sql(cursor, found)


def _columns_of(cursor: Cursor, sql: str) -> dict[str, str]:
    return {row[0]: row[0] for row in cursor.rows(f"DESCRIBE {sql}")}


def related_names(cursor: Cursor) -> list[str]:
    """The related tables that were imported."""
    return [row[0] for row in cursor.rows("SELECT DISTINCT table_name FROM related_tables ORDER BY 1")]


def current_rows(name: str) -> str:
    """The present version of each row of a related table."""
    return (
        f"SELECT t.* FROM {stored(name)} t WHERE NOT EXISTS (SELECT 1 FROM superseded s WHERE s.table_name = {literal(name)} "
        "AND s.id = t._row_id AND s.content_hash = t._content_hash)"
    )


def resolved_rows(cursor: Cursor, name: str) -> str:
    """The present rows of a related table with ``_contact_id``: through the record they name, or the one contact that has the phone or
    e-mail address they name; null for an orphan, and where several contacts share the number."""
    kinds = [row[0] for row in cursor.rows(f"SELECT DISTINCT _ref_kind FROM {stored(name)} WHERE _ref_value IS NOT NULL")]
    sql = (
        f"SELECT t.*, rc.contact_id AS _by_record FROM ({current_rows(name)}) t LEFT JOIN record_contact rc ON rc.record_id = t._record_id"
    )
    golden = dict(cursor.rows("SELECT column_name, physical FROM golden_columns WHERE table_name = 'contacts'"))
    holders = [
        f"""SELECT {literal(kind)} AS kind, value, contact_id FROM (SELECT unnest({quoted(golden[kind])}) AS value, contact_id FROM contacts)
            WHERE value IN (SELECT _ref_value FROM {stored(name)} WHERE _ref_kind = {literal(kind)})"""
        for kind in sorted(kinds)
        if kind in golden
    ]
    if not holders:
        return f"SELECT *, _by_record AS _contact_id FROM ({sql})"
    # A switchboard of several contacts says of none that it called.
    owners = f"""SELECT kind, value, min(contact_id) AS contact_id FROM ({" UNION ALL ".join(holders)})
                 GROUP BY kind, value HAVING count(DISTINCT contact_id) = 1"""
    return f"""SELECT t.*, coalesce(t._by_record, o.contact_id) AS _contact_id FROM ({sql}) t
               LEFT JOIN ({owners}) o ON o.kind = t._ref_kind AND o.value = t._ref_value"""


#: A decimal of this precision holds every number that is read as one: at most 20 digits before the point and 18 behind it.
_PRECISION = 38


def decimal_type(scale: int) -> str:
    """The type of numbers with so many digits behind the point.

    >>> decimal_type(2)
    'DECIMAL(38,2)'
    """
    return f"DECIMAL({_PRECISION},{scale})"


def common_type(types: Sequence[str | None]) -> str:
    """The type as which a column is read whose imports had these: the narrowest that holds all of them.

    >>> common_type(["BIGINT", "DECIMAL(38,2)", "DECIMAL(38,3)"]), common_type(["DATE", "TIMESTAMP"]), common_type(["DATE", "BIGINT"])
    ('DECIMAL(38,3)', 'TIMESTAMP', 'VARCHAR')
    """
    known = {kind for kind in types if kind is not None}
    if not known:
        return "VARCHAR"
    if len(known) == 1:
        return known.pop()
    if known == {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    scales = [int(kind[:-1].partition(",")[2]) for kind in known if kind.startswith("DECIMAL")]
    others = {kind for kind in known if not kind.startswith("DECIMAL")}
    if others <= {"BIGINT"}:
        return decimal_type(max(scales))
    return "DOUBLE" if others <= {"BIGINT", "DOUBLE"} else "VARCHAR"


def related_sql(cursor: Cursor, name: str) -> tuple[str, dict[str, str]]:
    """A related table with ``contact_id`` and its columns in their types."""
    rows = cursor.rows(
        """SELECT column_name, physical, list(type ORDER BY run_id) FROM related_tables WHERE table_name = ?
           GROUP BY ALL ORDER BY min(run_id), min(position)""",
        [name],
    )
    parts, names = ["_contact_id"], {"contact_id": "_contact_id"}
    for column, physical, types in rows:
        if column == "contact_id":
            continue
        kind = common_type(types)
        parts.append(quoted(physical) if kind == "VARCHAR" else f"TRY_CAST({quoted(physical)} AS {kind}) AS {quoted(physical)}")
        names[column] = physical
    if not has_other(cursor, name):
        return f"SELECT {', '.join(parts)} FROM ({resolved_rows(cursor, name)})", names
    # Beside the first contact; a column of the input of that name is left as it is.
    other = "other_contact_id" if "other_contact_id" not in names else "other_contact_id_now"
    ordered = {"contact_id": "_contact_id", other: "_other_contact_id", **names}
    return (
        f"SELECT {', '.join(parts)}, oc.contact_id AS _other_contact_id FROM ({resolved_rows(cursor, name)}) r "
        f"LEFT JOIN record_contact oc ON oc.record_id = r.{OTHER_RECORD}",
        ordered,
    )


def has_other(cursor: Cursor, name: str) -> bool:
    """Whether the rows of a related table are about two contacts."""
    return any(row[0] == OTHER_RECORD for row in cursor.rows(f"DESCRIBE {stored(name)}"))


def count_tables(base: Base) -> dict[str, int]:
    """Rows of every table that ``table`` knows."""
    counts = {}
    with base._lake.reading() as cursor:
        for name in [*_FIXED, *_AS_STORED, "runs"]:
            counts[name] = int(cursor.value(f"SELECT count(*) FROM {quoted(name)}"))
        counts["records"] = counts["record_contact"]
        for name in related_names(cursor):
            counts[name] = int(cursor.value(f"SELECT count(*) FROM ({current_rows(name)})"))
    return counts
