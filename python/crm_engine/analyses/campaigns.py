"""Campaigns: what became of each mailing."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from crm_engine.analyses.dealings import purchases
from crm_engine.analyses.figures import DAY, FLOAT, INT, MONEY, NEVER, TEXT, Analysis, decimal, ratio, table
from crm_engine.analyses.related import Related, Rows
from crm_engine.columns import load_table

#: (campaign, segment); the segment is none for all that were addressed.
_Key = tuple[str, str | None]


def campaigns(related: Related, *, within_days: int = 30, segments: Any = None) -> Analysis:
    """What became of each mailing: sent, opened, answered, deals and purchases by those addressed in the days after, against cost.

    With ``segments`` (``segment``, ``contact_id``) each campaign has a row per segment besides; a contact counts in each of its
    segments, so that these rows may overlap. Revenue is that of orders, or of won deals where there are no orders.
    """
    sent = related.need("campaign_contacts")
    segments_of = _segments_of(related, segments)
    counts: dict[_Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    addressed: dict[int, list[tuple[int, str]]] = defaultdict(list)
    opened = sent.time("opened_at") if sent.has("opened_at") else np.full(len(sent), NEVER)
    answered = sent.time("answered_at") if sent.has("answered_at") else np.full(len(sent), NEVER)
    columns = (sent.contact, sent.time("sent_at"), opened, answered)
    for campaign, person, when, opening, answer in zip(sent.ids("campaign_id"), *(values.tolist() for values in columns), strict=True):
        for segment in segments_of(person):
            cell = counts[campaign, segment]
            cell["sent"] += when != NEVER
            cell["opened"] += opening != NEVER
            cell["answered"] += answer != NEVER
        if person >= 0 and when != NEVER:
            addressed[person].append((when, campaign))

    def add(what: str, person: int, when: int) -> list[_Key]:
        """Counts what a contact did for the campaign that was sent last before, in each of its segments."""
        campaign = _latest(addressed.get(person, []), when, within_days)
        keys: list[_Key] = [] if campaign is None else [(campaign, segment) for segment in segments_of(person)]
        for key in keys:
            counts[key][what] += 1
        return keys

    deals = related.find("deals")
    if deals is not None:
        for person, when in zip(deals.contact.tolist(), deals.first_time("created_at").tolist(), strict=True):
            add("deals", person, when)
    revenue: dict[tuple[str, str | None, str], int] = defaultdict(int)
    orders = related.find("orders")
    if orders is not None or deals is not None:
        for person, when, amount, currency in zip(*(values.tolist() for values in purchases(related)), strict=True):
            for key in add("orders" if orders is not None else "won", person, when):
                revenue[(*key, currency)] += amount
    info = _about(related)
    rows = [_row(key, counts[key], info.get(key[0], {})) for key in sorted(counts, key=lambda key: (str(key[0]), key[1] or ""))]
    money_rows = [
        {"campaign": campaign, "segment": segment, "currency": currency or None, "revenue": decimal(cents)}
        for (campaign, segment, currency), cents in sorted(
            revenue.items(), key=lambda item: (str(item[0][0]), item[0][1] or "", item[0][2])
        )
    ]
    types = dict.fromkeys(("sent", "opened", "answered"), INT) | {"open_rate": FLOAT, "answer_rate": FLOAT, "deals": INT, "orders": INT}
    tables = {
        "campaigns": table(rows, campaign=TEXT, name=TEXT, segment=TEXT, **types, cost=MONEY, cost_currency=TEXT),
        "revenue": table(money_rows, campaign=TEXT, segment=TEXT, currency=TEXT, revenue=MONEY),
    }
    chart = {
        "kind": "bar",
        "table": "campaigns",
        "y": "name" if related.find("campaigns") is not None else "campaign",
        "x": "open_rate",
        "title": "Opened of sent",
        "subtitle": "by campaign",
        "format": "%",
        "label_format": ".0%",
        "x_title": "open rate",
    }
    return Analysis("campaigns", tables, {"campaigns": len({row["campaign"] for row in rows}), "within_days": within_days}, chart)


def _segments_of(related: Related, segments: Any) -> Any:
    """What gives a contact's segments, after none for all contacts."""
    found: dict[int, list[str | None]] = {}
    if segments is not None:
        members = Rows(related, "segments", load_table(segments, "segments"))
        for person, segment in zip(members.contact.tolist(), members.text("segment").tolist(), strict=True):
            own = found.setdefault(person, [None])
            if segment not in own:
                own.append(segment)
    return lambda person: found.get(person, [None])


def _about(related: Related) -> dict[str, dict[str, Any]]:
    rows = related.find("campaigns")
    if rows is None:
        return {}
    names = rows.text("name") if rows.has("name") else rows.ids("campaign_id")
    costs = rows.money("cost") if rows.has("cost") else np.zeros(len(rows), np.int64)
    return {
        campaign: {"name": name, "cost": int(cost), "currency": currency}
        for campaign, name, cost, currency in zip(rows.ids("campaign_id"), names, costs, rows.currency("cost"), strict=True)
    }


def _row(key: _Key, cell: dict[str, int], known: dict[str, Any]) -> dict[str, Any]:
    campaign, segment = key
    return {
        "campaign": campaign, "name": known.get("name"), "segment": segment, **{name: cell[name] for name in ("sent", "opened", "answered")},
        "open_rate": ratio(cell["opened"], cell["sent"]), "answer_rate": ratio(cell["answered"], cell["sent"]), "deals": cell["deals"], "orders": cell["orders"],
        "cost": decimal(known["cost"]) if "cost" in known and segment is None else None, "cost_currency": known.get("currency") or None,
    }  # fmt: skip


def _latest(sent: list[tuple[int, str]], when: int, within_days: int) -> str | None:
    """The campaign that was sent last before ``when``, if not too long before."""
    before = [item for item in sent if item[0] <= when <= item[0] + within_days * DAY]
    return max(before, key=lambda item: item[0])[1] if before else None
