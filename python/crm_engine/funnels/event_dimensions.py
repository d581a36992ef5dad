"""What an event funnel is broken down by: columns of the events at the first or the last step, and columns of the contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from crm_engine.columns import check_options, codes, column, load_table
from crm_engine.config import nearest
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.funnels.event_contacts import contacts_key, numbers_of
from crm_engine.funnels.options import breakdowns, list_of
from crm_engine.funnels.step_tables import same_dimension


def wanted_dimensions(options: dict[str, Any]) -> list[dict[str, Any]]:
    """What ``by`` and ``breakdowns`` ask for, each once: ``column``, ``name``, and ``of`` and ``top`` where they are said."""
    wanted: list[dict[str, Any]] = []
    for by in [options.get("by"), *(item for _, item in breakdowns(options.get("breakdowns")))]:
        for item in [by] if isinstance(by, str | Mapping) else list_of(by, "by", "columns, or of mappings with 'column'"):
            dimension = dict(item) if isinstance(item, Mapping) else {"column": item}
            if not isinstance(dimension.get("column"), str):
                raise ConfigError(f"by: {item!r} names no column; write its name, or a mapping with 'column'")
            check_options(dimension, ("column", "of", "top", "name"), "by")
            dimension.setdefault("name", dimension.get("column"))
            if not any(same_dimension(other, dimension) for other in wanted):
                wanted.append(dimension)
    return wanted


def dimensions_of(
    options: dict[str, Any], events: pa.Table, contacts: Any, values: pa.Array | None
) -> tuple[list[dict[str, Any]], list[Any]]:
    """The dimensions with their ``values``, and each as the kernel takes it."""
    contact_table = None if contacts is None else load_table(contacts, "contacts")
    wanted = wanted_dimensions(options)
    native = []
    for dimension in wanted:
        name = str(dimension["column"])
        in_contacts = contact_table is not None and name in contact_table.column_names
        if contact_table is not None and not in_contacts and name not in events.column_names:
            raise in_neither(name, "events", events, contact_table)
        of = dimension.get("of") or ("first" if name in events.column_names or not in_contacts else "contact")
        top = dimension.get("top")
        if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
            raise ConfigError(f"by {name!r}: top is {top!r}, and a whole number from 1 is needed")
        if of == "contact":
            if contact_table is None:
                raise ConfigError(f"by {name!r}: breaking down by a property of the contact needs contacts=...")
            native.append((of, *_contact_values(contact_table, name, options, values, dimension), top))
        elif of in ("first", "last"):
            number, dimension["values"] = codes(column(events, name, "events"))
            native.append((of, None, pa.array(number), len(dimension["values"]), top))
        else:
            raise ConfigError(f"by {name!r}: of is {of!r}, and it must be 'first', 'last' or 'contact'")
    return wanted, native


def in_neither(name: str, rows: str, table: pa.Table, contacts: pa.Table) -> SchemaError:
    """What to raise where a breakdown names a column that neither the rows nor their contacts have."""
    near = nearest(name, [*table.column_names, *contacts.column_names])
    return SchemaError(f"by {name!r}: neither {rows} nor contacts has such a column{near}")


def _contact_values(
    contacts: pa.Table, name: str, options: dict[str, Any], values: pa.Array | None, dimension: dict[str, Any]
) -> tuple[pa.ChunkedArray, pa.Array, int]:
    """Each contact's number and the number of its value, for a column of the contacts."""
    key_name = contacts_key(contacts, options)
    keys = numbers_of(column(contacts, key_name, "contacts"), values, key_name)
    number, distinct = codes(column(contacts, name, "contacts"))
    dimension["values"] = distinct
    if keys.null_count:
        known = keys.is_valid()
        keys, number = keys.filter(known), number[known.to_numpy()]
    return keys, pa.array(number), len(distinct)
