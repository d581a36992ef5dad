"""Clients that were lost: when, after what, and what went with them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

from crm_engine.analyses.dealings import purchases_by_contact
from crm_engine.analyses.figures import (
    DATE,
    DAY,
    FLOAT,
    INT,
    MONEY,
    NEVER,
    TEXT,
    Analysis,
    day_of,
    decimal,
    month_name,
    month_of,
    ratio,
    table,
)
from crm_engine.analyses.related import Related
from crm_engine.related_words import DECIDED, STAGES

UNKNOWN = "unknown"


def churn(related: Related, *, lost_after_days: int = 180) -> Analysis:
    """Clients lost per month, the revenue that went with them, what happened last, and the survival curve.

    A client is lost when ``lost_after_days`` pass without a purchase; the month of loss is the one in which they have passed.
    The revenue lost is what the client bought in the 365 days before its last purchase, that included. The survival curve is
    Kaplan and Meier's, in months from the first purchase; clients that are not lost count as long as they are seen.
    What happened last are the last contact with the client and where the deal stood that moved last, both up to the loss; a lost deal stands
    at the last open stage of its history, and at ``unknown`` where that tells none.
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
        stage, status, reason = _last_before(deals[person], gone) or ("no deal", "", "")
        rows.append(
            {
                "contact": person,
                "last_purchase": day_of(end),
                "lost_on": day_of(gone),
                "last_contact_kind": kind,
                "last_outcome": outcome or "unknown",
                "last_deal_stage": stage,
                "last_deal_status": status or None,
                "last_lost_reason": reason or None,
            }
        )
    names = related.names(np.array([row["contact"] for row in rows], np.int64)).to_pylist()
    for row, name in zip(rows, names, strict=True):
        row["contact"] = name
    of_contact, of_deal = ("last_contact_kind", "last_outcome"), ("last_deal_stage", "last_deal_status", "last_lost_reason")
    tables = {
        "churn": _by_month(begins, losses),
        "survival": _survival(spans),
        "revenue_lost": table(
            [{"month": month_name(m), "currency": c or None, "revenue_lost": decimal(a)} for (m, c), a in sorted(revenue.items())],
            month=TEXT,
            currency=TEXT,
            revenue_lost=MONEY,
        ),
        "after": _counted(rows, *of_contact),
        "at_stage": _counted(rows, *of_deal),
        "lost_clients": table(
            sorted(rows, key=lambda row: (row["lost_on"], row["contact"])),
            contact=TEXT,
            last_purchase=DATE,
            lost_on=DATE,
            **dict.fromkeys((*of_contact, *of_deal), TEXT),
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


#: For each contact what happened to it as (time, place among what happens at one time, texts that tell it).
_Happened = dict[int, list[tuple[int, int, tuple[str, ...]]]]


def _last_contacts(related: Related) -> _Happened:
    """Contacts made, by contact: kind and outcome."""
    found: _Happened = defaultdict(list)
    rows = related.find("interactions")
    if rows is None:
        return found
    outcomes = rows.text("outcome", "") if rows.has("outcome") else np.full(len(rows), "")
    for person, when, kind, outcome in zip(
        rows.contact.tolist(), rows.time("occurred_at").tolist(), rows.text("kind", "other"), outcomes, strict=True
    ):
        if person >= 0 and when != NEVER:
            found[person].append((when, 0, (kind, outcome or "")))
    return found


def _last_deals(related: Related) -> _Happened:
    """Where deals stood, by contact: stage, status and lost reason, from each moment at which one moved."""
    found: _Happened = defaultdict(list)
    deals = related.find("deals")
    if deals is None or not deals.has("stage"):
        return found
    moves = _moves(related)
    numbers = deals.ids("deal_id") if deals.has("deal_id") else [None] * len(deals)
    reasons = deals.text("lost_reason", "") if deals.has("lost_reason") else np.full(len(deals), "")
    began = deals.first_time("created_at", "closed_at")
    closed = deals.time("closed_at") if deals.has("closed_at") else began
    stages = zip(deals.word("stage", UNKNOWN), deals.text("stage", UNKNOWN), strict=True)
    columns = (deals.contact.tolist(), numbers, stages, reasons, began.tolist(), closed.tolist())
    for person, number, stage, reason, start, end in zip(*columns, strict=True):
        if person >= 0:
            path = moves.get(number) or _path_without_history(stage, start, end)
            found[person] += _standing(path, reason or "")
    return found


#: A stage as (our word for it, what it is called).
_Stage = tuple[str, str]
#: A deal's stages as (time, place of the stage, stage), in order.
_Path = list[tuple[int, int, _Stage]]


def _moves(related: Related) -> dict[str, _Path]:
    """The history of each deal that has one."""
    stages = related.find("deal_stages")
    moves: dict[str, _Path] = defaultdict(list)
    if stages is None:
        return moves
    entered = stages.first_time("entered_at", "changed_at", "created_at")
    names = zip(stages.word("stage", UNKNOWN), stages.text("stage", UNKNOWN), strict=True)
    for number, stage, when in zip(stages.ids("deal_id"), names, entered.tolist(), strict=True):
        if when != NEVER and number is not None:
            moves[number].append((when, _place(stage), stage))
    for path in moves.values():
        path.sort()
    return moves


def _path_without_history(stage: _Stage, start: int, end: int) -> _Path:
    """A deal of which only today's stage is known; one that was decided later than it began stood somewhere until then."""
    if stage[0] in DECIDED and NEVER not in (start, end) and start < end:
        return [(start, 0, (UNKNOWN, UNKNOWN)), (end, _place(stage), stage)]
    when = start if start != NEVER else end
    return [] if when == NEVER else [(when, _place(stage), stage)]


def _standing(path: _Path, reason: str) -> list[tuple[int, int, tuple[str, ...]]]:
    """Where a deal stood after each move: a lost one at the last open stage before."""
    standing: list[tuple[int, int, tuple[str, ...]]] = []
    at = UNKNOWN
    for when, place, (word, name) in path:
        is_lost = word == "lost"
        at = at if is_lost else name
        standing.append((when, place, (at, word if word in DECIDED else "open", reason if is_lost else "")))
    return standing


def _place(stage: _Stage) -> int:
    """At one moment the earlier stage comes first and lost last, as in the pipeline funnel."""
    return len(STAGES) if stage[0] == "lost" else STAGES.index(stage[0]) if stage[0] in STAGES else -1


def _last_before(rows: list[tuple[int, int, tuple[str, ...]]], end: int) -> tuple[str, ...] | None:
    """The last of the rows up to ``end``; days without hours tie often: then the last in the alphabet counts, not the order of rows."""
    last = max((row for row in rows if row[0] <= end), default=None)
    return None if last is None else last[2]


def _counted(rows: list[dict[str, Any]], *names: str) -> pa.Table:
    """How many lost clients share these, the most first."""
    counts: dict[tuple[str | None, ...], int] = defaultdict(int)
    for row in rows:
        counts[tuple(row[name] for name in names)] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], [value or "" for value in item[0]]))
    types = {**dict.fromkeys(names, TEXT), "clients": INT}
    return table([{**dict(zip(names, values, strict=True)), "clients": n} for values, n in ordered], **types)


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
