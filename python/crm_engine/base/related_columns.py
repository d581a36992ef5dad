"""The columns of a related table: what the catalog calls them, the table that has them, and the types that their values have."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from crm_engine.base.lake import Cursor, Transaction, literal, quoted, stored
from crm_engine.base.reading import decimal_type, related_names
from crm_engine.base.schema import OTHER_RECORD, RELATED_COLUMNS, create_table, rows_to_table

if TYPE_CHECKING:
    from crm_engine.base.related import Plan
    from crm_engine.base.runs import Writing

#: Columns that usually hold a contact's key in its source, then other ways to say whom a row is about; the first that is there is taken.
CONTACT_KEYS = (
    "contact_id", "source_key", "contact_key", "customer_no", "customer_id", "customer_number", "client_id", "client_no", "contact_no",
    "phone", "email", "e_mail", "from", "to",
)  # fmt: skip


def usual_name(column: str) -> str:
    """A column's name as the usual ones are written.

    >>> usual_name("Customer No."), usual_name("E-mail")
    ('customer_no', 'e_mail')
    """
    return re.sub(r"\W+", "_", column.casefold()).strip("_")


def known_columns(cursor: Cursor, name: str) -> set[str]:
    """The columns that imports of the table have had."""
    return {row[0] for row in cursor.rows("SELECT DISTINCT column_name FROM related_tables WHERE table_name = ?", [name])}


def physical_names(transaction: Transaction, name: str, columns: Sequence[str]) -> dict[str, str]:
    """Columns as the catalog calls them: by their own name, unless it differs from another only by case or is one of ours."""
    known = dict(transaction.rows("SELECT DISTINCT column_name, physical FROM related_tables WHERE table_name = ?", [name]))
    taken = {physical.casefold() for physical in known.values()} | {f"_{column}" for column in RELATED_COLUMNS.names}
    taken |= {"_contact_id", "_by_record", "_file", "_row", "_key", "_reference", "_nth", "_status", "_other", OTHER_RECORD}
    physical = {}
    for column in columns:
        if column not in known:
            candidate = column
            for number in itertools.count(2):
                if candidate.casefold() not in taken:
                    break
                candidate = f"{column}_{number}"
            taken.add(candidate.casefold())
            known[column] = candidate
        physical[column] = known[column]
    return physical


def cell(plan: Plan, column: str) -> str:
    """The text of a staged row's column as SQL; a blank one is null."""
    return f"nullif(trim({quoted(plan.physical[column])}), '')"


def ensure_table(transaction: Transaction, plan: Plan) -> None:
    """Makes the table, or gives it the columns that it lacks."""
    if plan.table not in related_names(transaction):
        fields = [pa.field(f"_{field.name}", field.type) for field in RELATED_COLUMNS]
        create_table(transaction, plan.table, pa.schema(fields))
    there = {row[0].casefold() for row in transaction.rows(f"DESCRIBE {stored(plan.table)}")}
    if plan.other_key is not None and OTHER_RECORD not in there:
        transaction.execute(f"ALTER TABLE {stored(plan.table)} ADD COLUMN {OTHER_RECORD} BIGINT")
    for column in plan.columns:
        if plan.physical[column].casefold() not in there:
            transaction.execute(f"ALTER TABLE {stored(plan.table)} ADD COLUMN {quoted(plan.physical[column])} VARCHAR")


#: What a text must look like to be read as a type; a code with leading zeros stays a text.
_LOOKS = {
    "BIGINT": r"-?(0|[1-9][0-9]{0,17})",
    # Money is never a float: one is made only of what has an exponent, or more digits than a decimal holds.
    "DECIMAL": r"-?(0|[1-9][0-9]{0,19})([.][0-9]{1,18})?",
    "DOUBLE": r"-?(0|[1-9][0-9]{0,17})([.][0-9]+)?([eE][-+]?[0-9]+)?",
    "DATE": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "TIMESTAMP": r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?",
    "BOOLEAN": r"(true|false|True|False|TRUE|FALSE)",
}


def remember_columns(writing: Writing, plan: Plan) -> None:
    """The columns of this import with the narrowest type that all their values have; keys and references stay texts."""
    transaction = writing.transaction
    texts = {plan.row_key, plan.contact_key, plan.other_key} | {
        column for column in plan.columns if usual_name(column) in (*CONTACT_KEYS, "source")
    }
    checks = []
    for column in plan.columns:
        value = quoted(plan.physical[column])
        fits = [
            f"bool_and(regexp_full_match({value}, {literal(look)}) AND TRY_CAST({value} AS {kind}) IS NOT NULL) FILTER (WHERE {value} IS NOT NULL)"
            for kind, look in ((decimal_type(18) if kind == "DECIMAL" else kind, look) for kind, look in _LOOKS.items())
        ]
        checks.append(f"[{', '.join(fits)}]" if column not in texts else "[]::BOOLEAN[]")
        checks.append(f"max(length(split_part({value}, '.', 2)))" if column not in texts else "0")
    row = transaction.rows(f"SELECT {', '.join(checks)} FROM (SELECT {_blank_as_null(plan)} FROM temp.staged)")[0]
    rows = []
    for position, (column, fits, scale) in enumerate(zip(plan.columns, row[::2], row[1::2], strict=True)):
        kind: str | None = "VARCHAR"
        if fits and fits[0] is None:
            kind = None
        elif fits:
            kind = next((name for name, fit in zip(_LOOKS, fits, strict=True) if fit), "VARCHAR")
            if kind == "DECIMAL":
                kind = decimal_type(int(scale))
        rows.append((plan.table, writing.run_id, position, column, plan.physical[column], kind))
    transaction.insert("related_tables", rows_to_table("related_tables", rows))


def _blank_as_null(plan: Plan) -> str:
    return ", ".join(f"{cell(plan, column)} AS {quoted(plan.physical[column])}" for column in plan.columns)
