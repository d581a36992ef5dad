"""Funnels over tables by name: those of a base, or of a folder with files such as ``deals.csv`` and ``interactions.parquet``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.analyses.related import Related, Rows
from crm_engine.columns import column, first_column, load_config, times
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.funnels.events import TIME_NAMES, EventFunnel, event_funnel
from crm_engine.funnels.options import names
from crm_engine.funnels.pipeline import PipelineFunnel, pipeline_funnel
from crm_engine.told_once import dates_told_once


@dates_told_once
def funnel(
    tables: Any, config: Any = None, *, today: dt.date | None = None, progress: Callable[[str, int, int], Any] | None = None
) -> PipelineFunnel | EventFunnel:
    """The funnel that ``config`` describes over a base, a folder, or a mapping of names to tables.

    Without ``steps`` it is a pipeline funnel of ``deals``, with ``deal_stages`` and ``payments`` where there are any. With ``steps`` it is an
    event funnel over the table that ``events`` names (``interactions``), or over several taken together: then ``time`` is when a row
    happened and ``table`` where it is from.

    >>> orders = {"contact_id": ["a"], "placed_at": ["2026-01-07"]}
    >>> calls = {"contact_id": ["a", "b"], "occurred_at": ["2026-01-05", "2026-01-05"]}
    >>> steps = [{"name": "call", "where": "table = 'interactions'"}, {"name": "order", "where": "table = 'orders'"}]
    >>> found = funnel({"orders": orders, "interactions": calls}, {"events": ["interactions", "orders"], "steps": steps, "window": "7 days"})
    >>> found.steps["contacts"].to_pylist()
    [2, 1]
    """
    options = load_config(config, "funnel")
    related = Related(tables, today, date_order=options.get("date_order"))
    if "steps" not in options:
        deals, stages, payments = _table(related, "deals"), related.find("deal_stages"), related.find("payments")
        return pipeline_funnel(
            deals.table,
            None if stages is None else stages.table,
            options,
            # Payments of orders say nothing of deals.
            payments=payments.table if payments is not None and payments.has(options.get("deal", "deal_id")) else None,
            today=today,
            progress=progress,
        )
    wanted = names(options.pop("events", None), "events", ["interactions"])
    events = _events([_table(related, name) for name in wanted], options)
    options |= {"contact": "contact_id", "time": "time"}
    return event_funnel(events, options, contacts=_contacts(related, events, options), today=today, progress=progress)


def _table(related: Related, name: str) -> Rows:
    found = related.find(name)
    if found is None:
        raise ConfigError(f"{related.where}: there is no table {name!r}, which this funnel is over")
    return found


def _events(tables: list[Rows], options: dict[str, Any]) -> pa.Table:
    """The rows of the tables one below the other, with ``contact_id``, ``time`` and ``table``."""
    parts = []
    for rows in tables:
        time = options.get("time") or first_column(rows.table, TIME_NAMES, rows.name, "time")
        when = times(column(rows.table, time, rows.name), time, rows.name, order=options.get("date_order"))
        if when.type.tz is not None:
            when = when.cast(pa.timestamp("us", "UTC"))
        own = rows.table.drop_columns([name for name in ("contact_id", "time", "table") if rows.has(name)])
        parts.append(
            own.append_column("contact_id", rows.related.names(rows.contact))
            .append_column("time", when.cast(pa.timestamp("us")))
            .append_column("table", pa.array([rows.name] * len(rows), pa.string()))
        )
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaError(
            f"{', '.join(rows.name for rows in tables)} have a column of the same name and different types: {error}"
        ) from error


def _contacts(related: Related, events: pa.Table, options: dict[str, Any]) -> pa.Table | None:
    """The contacts, where a breakdown asks for a column that the events do not have."""
    asked = str([options.get("by"), options.get("breakdowns")])
    contacts = related.find("contacts")
    if contacts is None:
        return None
    columns = [name for name in contacts.table.column_names if name in asked and name not in events.column_names]
    if not columns:
        return None
    own = contacts.table.select(columns).append_column("contact_id", related.names(contacts.contact))
    return own.filter(pc.is_valid(own["contact_id"]))
