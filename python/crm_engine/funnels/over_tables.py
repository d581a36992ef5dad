"""Funnels over tables by name: those of a base, or of a folder with files such as ``deals.csv`` and ``interactions.parquet``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.analyses.related import Related, Rows
from crm_engine.columns import PERIODS, column, first_column, ids, load_config, times
from crm_engine.errors import SchemaError
from crm_engine.funnels.event_dimensions import in_neither, wanted_dimensions
from crm_engine.funnels.events import TIME_NAMES, EventFunnel, event_funnel
from crm_engine.funnels.options import breakdowns, names
from crm_engine.funnels.pipeline import PipelineFunnel, pipeline_funnel
from crm_engine.told_once import dates_told_once

Progress = Callable[[str, int, int], Any]


@dates_told_once
def funnel(
    tables: Any, config: Any = None, *, today: dt.date | None = None, progress: Progress | None = None
) -> PipelineFunnel | EventFunnel:
    """The funnel that ``config`` describes over a base, a folder, or a mapping of names to tables.

    Without ``steps`` it is a pipeline funnel of ``deals``, with ``deal_stages`` and ``payments`` where there are any. With ``steps`` it is an
    event funnel over the table that ``events`` names (``interactions``), or over several taken together: then ``time`` is when a row
    happened and ``table`` where it is from. Breakdowns may name columns of the contacts. ``contact`` names the column that says whose a row
    is, where it is not to be found as analyses find it.

    >>> orders = {"contact_id": ["a"], "placed_at": ["2026-01-07"]}
    >>> calls = {"contact_id": ["a", "b"], "occurred_at": ["2026-01-05", "2026-01-05"]}
    >>> steps = [{"name": "call", "where": "table = 'interactions'"}, {"name": "order", "where": "table = 'orders'"}]
    >>> found = funnel({"orders": orders, "interactions": calls}, {"events": ["interactions", "orders"], "steps": steps, "window": "7 days"})
    >>> found.steps["contacts"].to_pylist()
    [2, 1]
    """
    options = load_config(config, "funnel")
    related = Related(tables, today, date_order=options.get("date_order"))
    found = _events(related, options, today, progress) if "steps" in options else _pipeline(related, options, today, progress)
    related.tell(found.summary)
    return found


def _pipeline(related: Related, options: dict[str, Any], today: dt.date | None, progress: Progress | None) -> PipelineFunnel:
    deals, stages, payments = _table(related, "deals"), related.find("deal_stages"), related.find("payments")
    return pipeline_funnel(
        _with_contact_columns(deals, options),
        None if stages is None else stages.table,
        options,
        # Payments of orders say nothing of deals.
        payments=payments.table if payments is not None and payments.has(options.get("deal", "deal_id")) else None,
        today=today,
        progress=progress,
    )


def _with_contact_columns(deals: Rows, options: dict[str, Any]) -> pa.Table:
    """The deals, with those columns of their contacts by which they are broken down and which they do not have themselves."""
    asked = [*names(options.get("by"), "by")]
    for _, item in breakdowns(options.get("breakdowns")):
        asked += names(item, "a breakdown")
    lacking = [name for name in dict.fromkeys(asked) if not deals.has(name) and name not in PERIODS]
    contacts = deals.related.find("contacts") if lacking else None
    if contacts is None:
        return deals.table
    for name in lacking:
        if not contacts.has(name):
            raise in_neither(name, "deals", deals.table, contacts.table)
    place = pc.index_in(pa.array(deals.contact), value_set=pa.array(contacts.contact))
    place = pc.if_else(pa.array(deals.contact >= 0), place, pa.scalar(None, pa.int32()))
    table = deals.table
    for name in lacking:
        table = table.append_column(name, column(contacts.table, name, "contacts").take(place))
    return table


def _events(related: Related, options: dict[str, Any], today: dt.date | None, progress: Progress | None) -> EventFunnel:
    events, options = events_of(related, options)
    contacts = _contacts(related, events, options)
    return event_funnel(events, options, contacts=contacts, today=today, progress=progress)


def events_of(related: Related, options: dict[str, Any]) -> tuple[pa.Table, dict[str, Any]]:
    """The rows of the tables that ``events`` names, one below the other, with ``time``, the contact, and ``table`` where there are several;
    and the options with what these columns are called."""
    wanted = names(options.get("events"), "events", ["interactions"])
    options = {key: value for key, value in options.items() if key != "events"}
    tables = [_table(related, name) for name in wanted]
    parts = [_as_events(rows, options, is_one_of_several=len(tables) > 1) for rows in tables]
    try:
        events = pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaError(f"{', '.join(wanted)} have a column of the same name and different types: {error}") from error
    return events, {**options, "contact": options.get("contact") or "contact_id", "time": "time"}


def _table(related: Related, name: str) -> Rows:
    found = related.find(name)
    if found is None:
        raise related.missing([name], "this funnel is over")
    return found


def _as_events(rows: Rows, options: dict[str, Any], *, is_one_of_several: bool) -> pa.Table:
    time = options.get("time") or first_column(rows.table, TIME_NAMES, rows.name, "time")
    when = times(column(rows.table, time, rows.name), time, rows.name, order=options.get("date_order"))
    if when.type.tz is not None:
        when = when.cast(pa.timestamp("us", "UTC"))
    contact = options.get("contact")
    made: dict[str, Any] = {
        "time": when.cast(pa.timestamp("us")),
        contact or "contact_id": ids(column(rows.table, contact, rows.name)) if contact else rows.related.names(rows.contact),
    }
    if is_one_of_several:
        made["table"] = pa.array([rows.name] * len(rows), pa.string())
    for name in {"time", "table"} & made.keys() - {time, contact}:
        if rows.has(name):
            meaning = "when a row happened" if name == "time" else "which table a row is from"
            raise SchemaError(
                f"{rows.name} has a column {name!r} of its own, and in this funnel that name says {meaning}; rename the column"
            )
    table = rows.table.drop_columns([name for name in made if rows.has(name)])
    for name, values in made.items():
        table = table.append_column(name, values)
    return table


def _contacts(related: Related, events: pa.Table, options: dict[str, Any]) -> pa.Table | None:
    """The contacts, where a breakdown asks for a column that the events do not have."""
    if all(dimension["column"] in events.column_names and dimension.get("of") != "contact" for dimension in wanted_dimensions(options)):
        return None
    contacts = related.find("contacts")
    if contacts is None or options.get("contacts_key") or options["contact"] != "contact_id":
        return None if contacts is None else contacts.table
    own = contacts.table.drop_columns([name for name in ("contact_id",) if contacts.has(name)])
    own = own.append_column("contact_id", related.names(contacts.contact))
    return own.filter(pc.is_valid(own["contact_id"]))
