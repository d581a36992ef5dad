"""Channels: what brings clients, and what it costs."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from crm_engine.analyses.dealings import engaging, purchases
from crm_engine.analyses.figures import FLOAT, INT, MONEY, NEVER, TEXT, Analysis, decimal, month_name, month_of, ratio, table
from crm_engine.analyses.related import Related, month_numbers

#: The channel of clients of whom no touch is known.
UNKNOWN = "unknown"
_COUNTED = ("contacts", "engaged", "deals", "won")

#: (channel, month) or (channel, month, currency) to a count or a sum.
_Counts = dict[tuple[str, int], dict[str, int]]
_Sums = dict[tuple[str, int, str], int]


def channels(related: Related) -> Analysis:
    """Contacts, deals, revenue and cost by channel, in all and by month; revenue by first and by last touch.

    A contact belongs to the channel of its first touch (interaction or deal); ``engaged`` are those who answered or wrote
    themselves. Clients of whom no touch is known are those of the channel ``unknown``, which has no contacts of its own.
    ``return`` is revenue per cost of the same currency, less 1.
    """
    first, last, began = _first_and_last(related)
    counts = _counts(related, first, began)
    revenue, clients, touch = _sales(related, first, last)
    costs = _costs(related)
    currencies = sorted({key[2] for key in (*revenue, *costs)}) or [""]
    rows = _rows(counts, revenue, costs, clients, currencies)
    touches = [
        {"model": model, "channel": channel, "currency": currency or None, "clients": len(people), "revenue": decimal(cents)}
        for (model, channel, currency), (people, cents) in sorted(touch.items())
    ]
    types = dict.fromkeys(_COUNTED, INT)
    sums = {"currency": TEXT, "revenue": MONEY, "cost": MONEY}
    tables = {
        "channels": table(
            sorted(rows, key=lambda row: (row["currency"] or "", -row["revenue"], row["channel"])),
            channel=TEXT,
            **types,
            clients=INT,
            **sums,
            cost_per_lead=MONEY,
            cost_per_client=MONEY,
            **{"return": FLOAT},
        ),
        "by_month": table(_by_month(counts, revenue, costs, currencies), month=TEXT, channel=TEXT, **types, **sums),
        "touch": table(touches, model=TEXT, channel=TEXT, currency=TEXT, clients=INT, revenue=MONEY),
    }
    summary = {
        "channels": len({row["channel"] for row in rows}),
        "contacts": len(first),
        "buyers": len({person for people in clients.values() for person in people}),
        "currencies": [currency for currency in currencies if currency],
    }
    chart = {
        "kind": "bar",
        "table": "channels",
        "y": "channel",
        "x": "revenue",
        "color": "currency",
        "title": "Revenue by channel",
        "subtitle": "by first touch; currencies are never added",
        "x_title": "revenue",
    }
    return Analysis("channels", tables, summary, chart)


def _touches(related: Related) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(contact, time, channel) of everything that names a channel, by contact and time."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for name, column in (("interactions", "occurred_at"), ("deals", "created_at")):
        rows = related.find(name)
        if rows is not None and rows.has("channel") and rows.has(column):
            parts.append((rows.contact, rows.time(column), rows.text("channel")))
    if not parts:
        related.need("interactions", "deals").text("channel")
    contact, when, channel = (np.concatenate(column) for column in zip(*parts, strict=True))
    keep = (contact >= 0) & (when != NEVER) & (channel != None) & (when < related.now)  # noqa: E711
    order = np.lexsort((channel[keep].astype(str), when[keep], contact[keep]))
    return contact[keep][order], when[keep][order], channel[keep][order]


def _first_and_last(related: Related) -> tuple[dict[int, str], dict[int, str], dict[int, int]]:
    """Each contact's first and last channel, and the month of its first touch."""
    contact, when, channel = _touches(related)
    changes = contact[1:] != contact[:-1]
    first = np.r_[True, changes] if len(contact) else np.zeros(0, bool)
    last = np.r_[changes, True] if len(contact) else np.zeros(0, bool)
    return (
        dict(zip(contact[first].tolist(), channel[first].tolist(), strict=True)),
        dict(zip(contact[last].tolist(), channel[last].tolist(), strict=True)),
        dict(zip(contact[first].tolist(), month_of(when[first]).tolist(), strict=True)),
    )


def _counts(related: Related, first: dict[int, str], began: dict[int, int]) -> _Counts:
    """Contacts by the month of their first touch, deals by that of their beginning; a deal without a date has no month and is left out."""
    engaged: set[int] = set()
    interactions = related.find("interactions")
    if interactions is not None:
        engaged = set(interactions.contact[engaging(interactions)].tolist())
    counts: _Counts = defaultdict(lambda: defaultdict(int))
    for person, name in first.items():
        cell = counts[name, began[person]]
        cell["contacts"] += 1
        cell["engaged"] += person in engaged
    deals = related.find("deals")
    if deals is not None and deals.has("channel"):
        stage = deals.word("stage") if deals.has("stage") else np.full(len(deals), None)
        when = deals.first_time("created_at", "closed_at")
        counted = (when != NEVER) & (when < related.now)
        months = month_of(when[counted]).tolist()
        for name, month, state in zip(deals.text("channel")[counted], months, stage[counted], strict=True):
            if name is not None:
                counts[name, month]["deals"] += 1
                counts[name, month]["won"] += state == "won"
    return counts


def _sales(
    related: Related, first: dict[int, str], last: dict[int, str]
) -> tuple[_Sums, dict[str, set[int]], dict[tuple[str, str, str], list[Any]]]:
    """Revenue by first touch and month, the clients of each channel, and clients and revenue by first and by last touch."""
    revenue: _Sums = defaultdict(int)
    clients: dict[str, set[int]] = defaultdict(set)
    touch: dict[tuple[str, str, str], list[Any]] = defaultdict(lambda: [set(), 0])
    buyers, bought, cents, currencies = purchases(related)
    for person, month, amount, currency in zip(
        buyers.tolist(), month_of(bought).tolist(), cents.tolist(), currencies.tolist(), strict=True
    ):
        name = first.get(person, UNKNOWN)
        revenue[name, month, currency] += amount
        clients[name].add(person)
        for model, known in (("first touch", first), ("last touch", last)):
            both = touch[model, known.get(person, UNKNOWN), currency]
            both[0].add(person)
            both[1] += amount
    return revenue, clients, touch


def _costs(related: Related) -> _Sums:
    found: _Sums = defaultdict(int)
    costs = related.find("costs")
    if costs is None or not costs.has("channel"):
        return found
    columns = (costs.text("channel"), month_numbers(costs, "month"), costs.money(), costs.currency())
    for name, month, amount, currency in zip(*columns, strict=True):
        if name is not None and month is not None:
            found[name, month, currency] += int(amount)
    return found


def _rows(counts: _Counts, revenue: _Sums, costs: _Sums, clients: dict[str, set[int]], currencies: list[str]) -> list[dict[str, Any]]:
    """A row per channel and currency; a channel without money has one."""
    rows = []
    for name in sorted({*(key[0] for key in counts), *(key[0] for key in (*revenue, *costs))}):
        sums = {field: sum(cell[field] for (own, _), cell in counts.items() if own == name) for field in _COUNTED}
        n_leads, n_clients = sums["contacts"], len(clients[name])
        for currency in currencies:
            income, spent = (sum(value for key, value in of.items() if key[0] == name and key[2] == currency) for of in (revenue, costs))
            if income or spent or currency == currencies[0]:
                rows.append(
                    {
                        "channel": name, **sums, "clients": n_clients, "currency": currency or None, "revenue": decimal(income), "cost": decimal(spent),
                        "cost_per_lead": decimal(round(spent / n_leads)) if n_leads and spent else None,
                        "cost_per_client": decimal(round(spent / n_clients)) if n_clients and spent else None,
                        "return": ratio(income - spent, spent),
                    }
                )  # fmt: skip
    return rows


def _by_month(counts: _Counts, revenue: _Sums, costs: _Sums, currencies: list[str]) -> list[dict[str, Any]]:
    rows = []
    places: set[tuple[str, int]] = {*counts, *((key[0], key[1]) for key in (*revenue, *costs))}
    for name, month in sorted(places, key=lambda key: (key[1], key[0])):
        cell = counts[name, month]
        for currency in currencies:
            income, spent = revenue.get((name, month, currency), 0), costs.get((name, month, currency), 0)
            if income or spent or currency == currencies[0]:
                rows.append(
                    {
                        "month": month_name(month),
                        "channel": name,
                        **{field: cell[field] for field in _COUNTED},
                        "currency": currency or None,
                        "revenue": decimal(income),
                        "cost": decimal(spent),
                    }
                )
    return rows
