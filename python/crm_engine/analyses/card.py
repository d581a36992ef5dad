"""The card of one contact: all that is known of it, and which record and source each field comes from."""

from __future__ import annotations

import datetime as dt
import html
import json
import os
from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from crm_engine.analyses.figures import INT, NEVER, TEXT, Analysis, table
from crm_engine.analyses.related import Related, Rows
from crm_engine.analyses.table_sources import TABLES
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.related_words import WITHOUT_CONTACTS

_TIMES = ("occurred_at", "placed_at", "created_at", "entered_at", "paid_at", "due_at", "sent_at", "at", "time")
#: Tables whose rows are a contact's because an order or a deal of the contact is what they are about.
_ABOUT = {"order_lines": ("order_id",), "payments": ("order_id", "deal_id"), "deal_stages": ("deal_id",)}
_ORIGIN = ("record_id", "source", "source_key", "source_file", "source_row")

#: Where a field comes from: a record, or an edit.
Origin = dict[str, Any]


def activity(related: Related, *, contact: str) -> Analysis:
    """Everything known of one contact: its fields, and all rows of all related tables, newest first.

    Where there is a lineage (a base has one, and so has a folder that ``dedupe`` wrote) each field names the records and the sources that its
    value came from.
    """
    fields: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    found = False
    dealings = {key: _ids_of(related.find(name), contact, key) for name, key in (("orders", "order_id"), ("deals", "deal_id"))}
    for name in TABLES:
        rows = related.find(name) if name not in WITHOUT_CONTACTS or name in _ABOUT else None
        for values, when in () if rows is None else _rows_of(rows, _places(rows, contact, dealings)):
            found = True
            if name == "contacts":
                fields |= {key: value for key, value in values.items() if key not in related.read_as.get(name, {})}
            else:
                at = None if when == NEVER else dt.datetime(1970, 1, 1) + dt.timedelta(seconds=when)
                own = {key: value for key, value in values.items() if key not in related.read_as.get(name, {})}
                events.append({"table": name, "at": at, "what": _summary_of(name, values), "fields": own})
    if not found:
        raise ConfigError(f"{related.where}: nothing is known of the contact {contact!r}")
    # Other people's rows are no matter of this card.
    related.unmatched.clear()
    events.sort(key=lambda event: (event["at"] is not None, event["at"] or dt.datetime.min), reverse=True)
    counts: dict[str, int] = defaultdict(int)
    for event in events:
        counts[event["table"]] += 1
    lineage = _lineage(related, contact, list(fields))
    summary = {"contact": contact, "fields": fields, "lineage": lineage, "counts": dict(counts), "history": events}
    by_table = [{"table": key, "rows": n} for key, n in sorted(counts.items(), key=lambda item: -item[1])]
    tables = {
        "activity": table(
            [{key: event[key] for key in ("at", "table", "what")} for event in events], at=pa.timestamp("s"), table=TEXT, what=TEXT
        ),
        "fields": table(
            [{"field": name, "value": _shown(value), "source": _told(lineage.get(name, []))} for name, value in fields.items()],
            field=TEXT,
            value=TEXT,
            source=TEXT,
        ),
        "counts": table(by_table, table=TEXT, rows=INT),
    }
    chart = {
        "kind": "bar",
        "table": "counts",
        "y": "table",
        "x": "rows",
        "title": f"Contact {contact}",
        "subtitle": "what is known, by table",
    }
    return Analysis("activity", tables, summary, chart)


def _places(rows: Rows, contact: str, dealings: dict[str, set[str]]) -> list[int]:
    """The contact's rows of a table: those that name the contact, or one of its orders or deals."""
    mine = np.zeros(len(rows), bool)
    for key in _ABOUT.get(rows.name, ()):
        if rows.has(key):
            mine |= np.isin(rows.ids(key).astype(str), list(dealings[key]))
    if rows.name not in _ABOUT:
        try:
            number = rows.related.contact_names.get(contact) if len(rows.contact) else None
        except SchemaError:
            # A table that does not say whose its rows are has nothing of this contact.
            number = None
        if number is not None:
            mine |= rows.contact == number
    return list(np.flatnonzero(mine).tolist())


def _ids_of(rows: Rows | None, contact: str, key: str) -> set[str]:
    """The orders or deals of the contact."""
    if rows is None or not rows.has(key):
        return set()
    return set(rows.ids(key)[_places(rows, contact, {})].tolist()) - {None}


def _rows_of(rows: Rows, places: list[int]) -> list[tuple[dict[str, Any], int]]:
    """These rows of a table without their empty cells, each with its time."""
    known = [column for column in _TIMES if rows.has(column)]
    times = rows.first_time(*known) if known and places else None
    mine = rows.table.take(pa.array(places, pa.int64())).to_pylist()
    return [
        ({key: value for key, value in row.items() if value not in (None, "", [])}, NEVER if times is None else int(times[place]))
        for place, row in zip(places, mine, strict=True)
    ]


def _summary_of(name: str, fields: dict[str, Any]) -> str:
    parts = [
        str(fields[key])
        for key in ("kind", "title", "stage", "status", "product", "campaign_id", "outcome", "name", "text")
        if key in fields
    ]
    if "amount" in fields:
        parts.append(f"{fields['amount']} {fields.get('currency', '')}".strip())
    return ", ".join(parts) or name


def _lineage(related: Related, contact: str, fields: list[str]) -> dict[str, list[Origin]]:
    """Where each field comes from, as far as lineage and records say."""
    lineage, records = related.of_contact("lineage", contact), related.of_contact("records", contact, _ORIGIN)
    known = {record["record_id"]: _origin(record) for record in records}
    # Only contacts of several records have a lineage; a field that was edited is in it besides.
    own = {key: value for key, value in lineage[0].items() if key != "contact_id"} if lineage else {}
    edited = json.loads(own.get("edited") or "{}")
    found: dict[str, list[Origin]] = {}
    for name in fields:
        ids = own.get(name)
        ids = ids if isinstance(ids, list) else [] if ids is None else [ids]
        if name in edited:
            found[name] = [{"edited": edited[name]}]
        elif ids:
            found[name] = [known.get(record, {"record_id": record}) for record in dict.fromkeys(ids)]
        elif len(known) == 1 and name not in ("contact_id", "n_records"):
            found[name] = list(known.values())
    return found


def _origin(record: dict[str, Any]) -> Origin:
    found = {key: record[key] for key in _ORIGIN if record.get(key) not in (None, "")}
    if "source_file" in found:
        found["source_file"] = os.path.basename(found["source_file"])
    return found


def _told(origins: list[Origin]) -> str | None:
    """Origins as people read them: ``hubspot:501``, ``list.csv row 12``, ``set by hand``."""
    return ", ".join(dict.fromkeys(_told_origin(origin) for origin in origins)) or None


def _told_origin(origin: Origin) -> str:
    if "edited" in origin:
        return f"{origin['edited']} by hand"
    if "source" in origin and "source_key" in origin:
        return f"{origin['source']}:{origin['source_key']}"
    place = origin.get("source_file") or origin.get("source")
    return f"{place} row {origin['source_row']}" if place and "source_row" in origin else str(place or f"record {origin['record_id']}")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return f"{value:,}" if isinstance(value, Decimal) else str(value)


def card_html(analysis: Analysis) -> str:
    """The card as an HTML fragment; everything from the data is escaped."""
    summary = analysis.summary

    def text(value: Any) -> str:
        return html.escape(_shown(value))

    def fact(name: str, value: Any) -> str:
        told = _told(summary["lineage"].get(name, []))
        return f"<dt>{text(name)}</dt><dd>{text(value)}{f' <small>{text(told)}</small>' if told else ''}</dd>"

    facts = "".join(fact(name, value) for name, value in summary["fields"].items())
    items = "".join(
        f"<li><time>{text(event['at'].strftime('%Y-%m-%d %H:%M') if event['at'] else '')}</time> <b>{text(event['table'])}</b> {text(event['what'])}</li>"
        for event in summary["history"]
    )
    return f'<article class="crm-contact"><h2>{text(summary["contact"])}</h2><dl>{facts}</dl><ol>{items}</ol></article>\n'
