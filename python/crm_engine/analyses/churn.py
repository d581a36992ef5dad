"""Clients that were lost: when, after what, and what went with them."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

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
    """
    bought = purchases_by_contact(related)
    limit, now = lost_after_days * DAY, related.now
    last_kind: dict[int, list[tuple[int, str, str | None]]] = defaultdict(list)
    interactions = related.find("interactions")
    if interactions is not None:
        outcome = interactions.text("outcome") if interactions.has("outcome") else np.full(len(interactions), None)
        for person, when, kind, result in zip(
            interactions.contact.tolist(),
            interactions.time("occurred_at").tolist(),
            interactions.text("kind", "other"),
            outcome,
            strict=True,
        ):
            if person >= 0 and when != NEVER:
                last_kind[person].append((when, kind, result))
    losses: dict[int, int] = defaultdict(int)
    begins: dict[int, int] = defaultdict(int)
    revenue: dict[tuple[int, str], int] = defaultdict(int)
    after: dict[tuple[str, str], int] = defaultdict(int)
    spans = []
    rows = []
    for person, orders in bought.items():
        start, end = orders[0][0], orders[-1][0]
        # A gap in between is a loss and a return; the survival curve looks at the last stretch only.
        is_lost = end + limit < now
        gone = end + limit
        begins[int(month_of(np.array([start]))[0])] += 1
        spans.append(((gone if is_lost else now) - start, is_lost))
        if not is_lost:
            continue
        month = int(month_of(np.array([gone]))[0])
        losses[month] += 1
        for when, amount, money in orders:
            if when > end - 365 * DAY:
                revenue[month, money] += amount
        kinds = [item for item in last_kind.get(person, []) if item[0] <= gone]
        # Days without hours tie often: then the last kind and outcome in the alphabet counts, so that the order of rows does not.
        _, kind, outcome_of_last = (
            max(kinds, key=lambda item: (item[0], item[1], item[2] or "")) if kinds else (0, "no contact recorded", None)
        )
        reason = outcome_of_last or "unknown"
        after[kind, reason] += 1
        rows.append(
            {"contact": person, "last_purchase": day_of(end), "lost_on": day_of(gone), "last_contact_kind": kind, "last_outcome": reason}
        )
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
    survival = []
    alive = 1.0
    lengths = np.array([span for span, _ in spans], float) / (30.4375 * DAY)
    lost = np.array([is_lost for _, is_lost in spans], bool)
    for month in range(1, int(lengths.max()) + 2 if len(lengths) else 0):
        # Within a month losses and ends of sight are taken in order of time.
        for at in np.unique(lengths[lost & (lengths > month - 1) & (lengths <= month)]):
            alive *= 1 - (lost & (lengths == at)).sum() / (lengths >= at).sum()
        survival.append({"months": month, "at_risk": int((lengths > month - 1).sum()), "surviving_share": float(alive)})
    names = related.names(np.array([row["contact"] for row in rows], np.int64)).to_pylist()
    for row, name in zip(rows, names, strict=True):
        row["contact"] = name
    tables = {
        "churn": table(months, month=TEXT, clients_at_start=INT, new_clients=INT, lost=INT, churn_rate=FLOAT),
        "survival": table(survival, months=INT, at_risk=INT, surviving_share=FLOAT),
        "revenue_lost": table(
            [{"month": month_name(m), "currency": c or None, "revenue_lost": decimal(a)} for (m, c), a in sorted(revenue.items())],
            month=TEXT,
            currency=TEXT,
            revenue_lost=MONEY,
        ),
        "after": table(
            [{"last_contact_kind": k, "last_outcome": o, "clients": n} for (k, o), n in sorted(after.items(), key=lambda i: (-i[1], i[0]))],
            last_contact_kind=TEXT,
            last_outcome=TEXT,
            clients=INT,
        ),
        "lost_clients": table(
            sorted(rows, key=lambda r: (r["lost_on"], r["contact"])),
            contact=TEXT,
            last_purchase=DATE,
            lost_on=DATE,
            last_contact_kind=TEXT,
            last_outcome=TEXT,
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
