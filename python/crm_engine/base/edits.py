"""Edits: values that people set. They win over what sources say, belong to a record (and so follow it from contact to contact), and can be
undone like any run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.base.deriving import derive
from crm_engine.base.reading import table_sql
from crm_engine.base.runs import Run
from crm_engine.base.schema import rows_to_table
from crm_engine.cards import misfit
from crm_engine.config import nearest
from crm_engine.errors import ConfigError, SchemaError

if TYPE_CHECKING:
    from crm_engine.base.base import Base
    from crm_engine.base.lake import Cursor

#: Columns that say what a contact is, not what is known of it.
_NOT_EDITABLE = ("contact_id", "n_records", "source", "source_key")
#: Values of a list are written as one text with these between them.
LIST_SEPARATOR = "; "


def edit(
    base: Base, edits: Any, *, origin: str, wait: float, dry_run: bool, kind: str = "edit", told: Mapping[str, Any] | None = None
) -> Run:
    """See ``Base.edit``; ``told`` goes into the run's history."""
    table = _as_table(edits)
    with base._writing(kind, wait=wait, dry_run=dry_run) as writing:
        transaction = writing.transaction
        _require_columns(transaction, pc.unique(table["column"]).to_pylist())
        rows = list(zip(*(table[name].to_pylist() for name in ("contact_id", "column", "value")), strict=True))
        rows, n_same = _that_change(transaction, rows)
        if not rows:
            writing.run.nothing_new, writing.run.counts = True, {"edits": 0, "unchanged": n_same}
            return writing.run
        anchors = pa.array(_core.founding_records(pa.array([contact for contact, _, _ in rows], pa.string()))).to_pylist()
        kept = [
            (writing.run_id, anchor, writing.run_id * 1_000_000_000 + place, column, value, origin)
            for place, (anchor, (_, column, value)) in enumerate(zip(anchors, rows, strict=True))
        ]
        transaction.insert("edits", rows_to_table("edits", kept))
        change = base._index.opened().change(writing.run_id)
        push_edits(change, [(anchor, column, value, said, order) for _, anchor, order, column, value, said in kept])
        derived = derive(writing, change)
        writing.run.counts = {
            "edits": len(kept), "unchanged": n_same, "contacts": len({contact for contact, _, _ in rows}), **derived.counts
        }  # fmt: skip
        writing.run.detail = {"columns": sorted({column for _, column, _ in rows}), "origin": origin, **(told or {})}
    return writing.run


def push_edits(change: Any, rows: Sequence[tuple[int, str, str | None, str, int]]) -> None:
    """Tells the index: (record, column, value, origin, order)."""
    if rows:
        anchors, columns, values, origins, orders = zip(*rows, strict=True)
        text, number = pa.string(), pa.int64()
        change.edit(
            pa.array(anchors, number), pa.array(columns, text), pa.array(values, text), pa.array(origins, text), pa.array(orders, number)
        )


def withdraw_edits(change: Any, rows: Sequence[tuple[int, str, int]]) -> None:
    """Takes edits back: (record, column, order)."""
    if rows:
        anchors, columns, orders = zip(*rows, strict=True)
        change.unedit(pa.array(anchors, pa.int64()), pa.array(columns, pa.string()), pa.array(orders, pa.int64()))


def set_values(
    base: Base, values: Mapping[str, Any], where: Any, contacts: Sequence[str] | None, *, wait: float, dry_run: bool, today: Any = None
) -> Run:
    """See ``Base.set``."""
    if not values:
        raise ConfigError("nothing to set: give at least one column and value")
    if (where is None) == (contacts is None):
        raise ConfigError("say which contacts: by a rule (where=...), or by their ids (contacts=...)")
    # Chosen under the lock: a change that comes in between would change who is meant.
    with base._lock.held("set", wait=wait):
        if contacts is None:
            from crm_engine.segment import segment

            found = segment(base.contacts(), {"segments": {"chosen": {"where": where}}}, today=today).of("chosen")
            contacts = found.to_pylist()
        rule = where.to_sql() if hasattr(where, "to_sql") else where if isinstance(where, str) else None
        rows = [
            {"contact_id": contact, "column": column, "value": _as_text(value)} for contact in contacts for column, value in values.items()
        ]
        with base._lake.reading() as cursor:
            _require_columns(cursor, list(values))
        _require_values({column: _as_text(value) for column, value in values.items()})
        schema = pa.schema([("contact_id", pa.string()), ("column", pa.string()), ("value", pa.string())])
        run = edit(
            base,
            pa.Table.from_pylist(rows, schema),
            origin="set",
            wait=wait,
            dry_run=dry_run,
            kind="set",
            told={"where": rule} if rule is not None else None,
        )
    run.counts = {"selected": len(contacts), **run.counts}
    if not contacts:
        run.warnings.append(
            "no contact fits the rule, so nothing was set" if rule is not None else "no contact was named, so nothing was set"
        )
    return run


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return LIST_SEPARATOR.join(str(part) for part in value)
    return str(value)


def _as_table(edits: Any) -> pa.Table:
    if not (hasattr(edits, "__arrow_c_stream__") or isinstance(edits, pa.RecordBatch)):
        edits = pa.Table.from_pylist(list(edits)) if edits else pa.table({"contact_id": [], "column": [], "value": []})
    table = edits if isinstance(edits, pa.Table) else pa.table(edits)
    for name in ("contact_id", "column", "value"):
        if name not in table.column_names:
            raise SchemaError(f"edits have the columns contact_id, column and value; '{name}' is missing")
    return pa.table({name: table[name].cast(pa.string()) for name in ("contact_id", "column", "value")})


def _require_columns(cursor: Cursor, columns: Sequence[str]) -> None:
    _, known = table_sql(cursor, "contacts")
    for column in columns:
        if column in _NOT_EDITABLE:
            raise ConfigError(f"the column '{column}' cannot be set: it says which contact this is")
        if column not in known:
            raise ConfigError(f"contacts have no column '{column}'{nearest(column, known)}; their columns are {', '.join(known)}")


def _require_values(values: Mapping[str, str | None]) -> None:
    """Refuses what is no value of its column: it would stand above what sources say."""
    for column, value in values.items():
        if reason := misfit(column, value):
            raise ConfigError(f"the column '{column}' cannot be set so: what was given {reason}")


def _that_change(cursor: Cursor, rows: Sequence[tuple[str, str, str | None]]) -> tuple[list[tuple[str, str, str | None]], int]:
    """The edits whose value differs from what the contact has; an unknown contact is an error."""
    from crm_engine.base.lake import quoted

    sql, names = table_sql(cursor, "contacts")
    columns = sorted({column for _, column, _ in rows})
    asked = pa.table({"contact_id": pa.array(sorted({contact for contact, _, _ in rows}), pa.string())})
    chosen = ", ".join(f"{quoted(names[column])} AS {quoted(f'value {place}')}" for place, column in enumerate(columns))
    with cursor.known(_asked=asked):
        found = cursor.table(
            f"SELECT contact_id{', ' if chosen else ''}{chosen} FROM ({sql}) WHERE contact_id IN (SELECT contact_id FROM _asked)"
        )
    known = {row["contact_id"]: row for row in found.to_pylist()}
    changing = []
    for contact, column, value in rows:
        if contact not in known:
            from crm_engine.base.decisions import members

            members(cursor, contact)
            raise ConfigError(f"the base has no contact '{contact}'")
        if _as_text(known[contact][f"value {columns.index(column)}"]) != (value or None):
            changing.append((contact, column, value or None))
    return changing, len(rows) - len(changing)
