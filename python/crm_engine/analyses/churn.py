"""Clients that were lost: when, after what, and what went with them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

from crm_engine.analyses.related import (
    DATE,
    DAY,
    FLOAT,
    INT,
    MONEY,
    NEVER,
    TEXT,
    Analysis,
    Related,
    Rows,
    day_of,
    decimal,
    month_name,
    month_of,
    purchases_by_contact,
    ratio,
    table,
)


def churn(related: Related, *, lost_after_days: int = 180) -> Analysis:
    """Clients lost per month, the revenue that went with them, what happened last, and the survival curve.

    A client is lost when ``lost_after_days`` pass without a purchase; the month of loss is the one in which they have passed.
    The revenue lost is what the client bought in the 365 days before its last purchase, that included. The survival curve is
    Kaplan and Meier's, in months from the first purchase; clients that are not lost count as long as they are seen.
    What happened last are the last contact with the client and the stage of its newest deal, both up to the loss.
    """
    bought = purchases_by_contact(related)
    limit, now = lost_after_days * DAY, related.now
    contacts, deals = _last_contacts(related), _last_deals(related)
    losses: dict[int, int] = defaultdict(int)
    begins: dict[int, int] = defaultdict(int)
    revenue: dict[tuple[int, str], int] = defaultdict(int)
    spans = []
    rows: list[dict[str, Any]] = []
    for person, orders in bought.items():
        start, end = orders[0][0], orders[-1][0]
        # A gap in between is a loss and a return; the survival curve looks at the last stretch only.
        gone = end + limit
        is_lost = gone < now
        begins[int(month_of(np.array([start]))[0])] += 1
        spans.append(((gone if is_lost else now) - start, is_lost))
        if not is_lost:
            continue
        month = int(month_of(np.array([gone]))[0])
        losses[month] += 1
        for when, amount, money in orders:
            if when > end - 365 * DAY:
                revenue[month, money] += amount
        kind, outcome = _last_before(contacts[person], gone) or ("no contact recorded", "")
        stage, reason = _last_before(deals[person], gone) or ("no deal", "")
        rows.append(
            {
                "contact": person,
                "last_purchase": day_of(end),
                "lost_on": day_of(gone),
                "last_contact_kind": kind,
                "last_outcome": outcome or "unknown",
                "last_deal_stage": stage,
                "last_lost_reason": reason or None,
            }
        )
    names = related.names(np.array([row["contact"] for row in rows], np.int64)).to_pylist()
    for row, name in zip(rows, names, strict=True):
        row["contact"] = name
    clients = {"last_contact_kind": TEXT, "last_outcome": TEXT, "last_deal_stage": TEXT, "last_lost_reason": TEXT}
    tables = {
        "churn": _by_month(begins, losses),
        "survival": _survival(spans),
        "revenue_lost": table(
            [{"month": month_name(m), "currency": c or None, "revenue_lost": decimal(a)} for (m, c), a in sorted(revenue.items())],
            month=TEXT,
            currency=TEXT,
            revenue_lost=MONEY,
        ),
        "after": _counted(rows, "last_contact_kind", "last_outcome"),
        "at_stage": _counted(rows, "last_deal_stage", "last_lost_reason"),
        "lost_clients": table(
            sorted(rows, key=lambda row: (row["lost_on"], row["contact"])), contact=TEXT, last_purchase=DATE, lost_on=DATE, **clients
        ),
    }
    chart = {
        "kind": "line",
        "table": "survival",
        "x": "months",
        "y": "surviving_share",
        "x_type": "Q",
        "interpolate": "step-after",
        "title": "Clients that stay",
        "subtitle": f"share not lost (no purchase for {lost_after_days} days), by months since the first purchase",
        "x_title": "months since the first purchase",
        "y_title": "share of clients",
        "format": "%",
    }
    summary = {"clients": len(bought), "lost": len(rows), "lost_after_days": lost_after_days, "today": str(related.today)}
    return Analysis("churn", tables, summary, chart)


#: For each contact its rows as (time, what, more of it).
_Last = dict[int, list[tuple[int, str, str]]]


def _last_contacts(related: Related) -> _Last:
    """Contacts made, by contact: kind and outcome."""
    rows = related.find("interactions")
    return defaultdict(list) if rows is None else _by_contact(rows, rows.time("occurred_at"), "kind", "other", "outcome")


def _last_deals(related: Related) -> _Last:
    """The stages of deals, by contact: each when it was entered, or where there is no history each deal's own since it began."""
    deals, stages = related.find("deals"), related.find("deal_stages")
    if deals is None or not deals.has("stage"):
        return defaultdict(list)
    if stages is None or not (stages.has("deal_id") and deals.has("deal_id")):
        return _by_contact(deals, deals.first_time("created_at", "closed_at"), "stage", "unknown", "lost_reason")
    found: _Last = defaultdict(list)
    reasons = deals.text("lost_reason", "") if deals.has("lost_reason") else np.full(len(deals), "")
    of_deal = dict(zip(deals.text("deal_id"), zip(deals.contact.tolist(), reasons, strict=True), strict=True))
    entered = stages.first_time("entered_at", "changed_at", "created_at")
    for deal, stage, when in zip(stages.text("deal_id"), stages.text("stage", "unknown"), entered.tolist(), strict=True):
        person, reason = of_deal.get(deal, (-1, ""))
        if person >= 0 and when != NEVER:
            found[person].append((when, stage, (reason or "") if stage == "lost" else ""))
    return found


def _by_contact(rows: Rows, times: np.ndarray, what: str, missing: str, more: str) -> _Last:
    found: _Last = defaultdict(list)
    others = rows.text(more, "") if rows.has(more) else np.full(len(rows), "")
    for person, when, value, other in zip(rows.contact.tolist(), times.tolist(), rows.text(what, missing), others, strict=True):
        if person >= 0 and when != NEVER:
            found[person].append((when, value, other or ""))
    return found


def _last_before(rows: list[tuple[int, str, str]], end: int) -> tuple[str, str] | None:
    """The last of the rows up to ``end``; days without hours tie often: then the last in the alphabet counts, not the order of rows."""
    last = max((row for row in rows if row[0] <= end), default=None)
    return None if last is None else last[1:]


def _counted(rows: list[dict[str, Any]], what: str, more: str) -> pa.Table:
    """How many lost clients share these two, the most first."""
    counts: dict[tuple[str, str | None], int] = defaultdict(int)
    for row in rows:
        counts[row[what], row[more]] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0][0], item[0][1] or ""))
    types = {what: TEXT, more: TEXT, "clients": INT}
    return table([{what: first, more: second, "clients": n} for (first, second), n in ordered], **types)


def _by_month(begins: dict[int, int], losses: dict[int, int]) -> pa.Table:
    months = []
    clients = 0
    every = sorted({*losses, *begins})
    for month in range(every[0], every[-1] + 1) if every else ():
        at_start = clients
        clients += begins[month] - losses[month]
        months.append(
            {
                "month": month_name(month),
                "clients_at_start": at_start,
                "new_clients": begins[month],
                "lost": losses[month],
                "churn_rate": ratio(losses[month], at_start),
            }
        )
    return table(months, month=TEXT, clients_at_start=INT, new_clients=INT, lost=INT, churn_rate=FLOAT)


def _survival(spans: list[tuple[int, bool]]) -> pa.Table:
    """Kaplan and Meier's curve of how long clients are seen, and whether they were lost at the end."""
    survival = []
    alive = 1.0
    lengths = np.array([span for span, _ in spans], float) / (30.4375 * DAY)
    lost = np.array([is_lost for _, is_lost in spans], bool)
    for month in range(1, int(lengths.max()) + 2 if len(lengths) else 0):
        # Within a month losses and ends of sight are taken in order of time.
        for at in np.unique(lengths[lost & (lengths > month - 1) & (lengths <= month)]):
            alive *= 1 - (lost & (lengths == at)).sum() / (lengths >= at).sum()
        survival.append({"months": month, "at_risk": int((lengths > month - 1).sum()), "surviving_share": float(alive)})
    return table(survival, months=INT, at_risk=INT, surviving_share=FLOAT)
