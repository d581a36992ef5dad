"""What each client is worth: recency, frequency, money, ABC, and what is to be expected."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

from crm_engine.analyses.dealings import purchases_by_contact
from crm_engine.analyses.figures import DATE, DAY, FLOAT, INT, MONEY, TEXT, Analysis, day_of, decimal, ratio, table
from crm_engine.analyses.related import Related


def value(related: Related, *, horizon_days: int = 365) -> Analysis:
    """What each client is worth: recency, frequency, money with scores 1 to 5, ABC class, value to date and expected.

    Scores are fifths of the clients (5 is best). ABC: the clients that bring the first 80 % of a currency's revenue are A, up to
    95 % B, the rest C. Expected is the client's average purchase times the purchases to come in ``horizon_days``: its rate since the first
    purchase (with one purchase and the clients' mean time added, so that newcomers are not exaggerated), times the chance that it is still active, which falls by half with each typical gap that it is overdue.
    """
    bought = purchases_by_contact(related)
    now = related.now
    people = sorted(bought)
    gaps = [later[0] - earlier[0] for orders in bought.values() for earlier, later in itertools.pairwise(orders) if later[0] > earlier[0]]
    typical = float(np.median(gaps)) if gaps else 180.0 * DAY
    tenures = [now - orders[0][0] for orders in bought.values()]
    mean_tenure = float(np.mean(tenures)) if tenures else 1.0
    mean_rate = sum(len(orders) for orders in bought.values()) / sum(tenures) if tenures else 0.0
    recency = np.array([(now - 1 - bought[p][-1][0]) // DAY for p in people])
    frequency = np.array([len(bought[p]) for p in people])
    sums: dict[tuple[int, str], int] = defaultdict(int)
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for person in people:
        for _, amount, money in bought[person]:
            sums[person, money] += amount
            counts[person, money] += 1
    r_score, f_score = _fifths(-recency), _fifths(frequency)
    place = {person: index for index, person in enumerate(people)}
    rows = []
    concentration = []
    for money in sorted({key[1] for key in sums}):
        keys = sorted((key for key in sums if key[1] == money), key=lambda key: (-sums[key], key[0]))
        amounts = np.array([sums[key] for key in keys], np.int64)
        m_score = _fifths(amounts)
        total, running = int(amounts.sum()), 0
        for share in (0.01, 0.05, 0.1, 0.2, 0.5):
            n = max(1, math.ceil(len(keys) * share))
            concentration.append(
                {
                    "currency": money or None,
                    "top_share": share,
                    "clients": n,
                    "revenue": decimal(amounts[:n].sum()),
                    "revenue_share": ratio(int(amounts[:n].sum()), total),
                }
            )
        for index, key in enumerate(keys):
            person = key[0]
            orders = bought[person]
            at = place[person]
            grade = "A" if total and running < 0.8 * total else "B" if total and running < 0.95 * total else "C"
            running += int(amounts[index])
            tenure = now - orders[0][0]
            rate = (len(orders) + mean_rate * mean_tenure) / (tenure + mean_tenure) if tenure + mean_tenure else 0.0
            own_gap = (orders[-1][0] - orders[0][0]) / (len(orders) - 1) if len(orders) > 1 and orders[-1][0] > orders[0][0] else typical
            overdue = max(0.0, (now - orders[-1][0]) / max(own_gap, typical) - 1)
            active = 0.5**overdue
            expected = amounts[index] / counts[key] * (counts[key] / len(orders)) * rate * horizon_days * DAY * active
            rows.append(
                {
                    "contact": person, "currency": money or None, "last_purchase": day_of(orders[-1][0]), "recency_days": int(recency[at]), "purchases": counts[key],
                    "value_to_date": decimal(amounts[index]), "expected_value": decimal(round(expected)), "active_probability": active,
                    "r": int(r_score[at]), "f": int(f_score[at]), "m": int(m_score[index]), "abc": grade,
                }
            )  # fmt: skip
    for row, name in zip(rows, related.names(np.array([row["contact"] for row in rows], np.int64)).to_pylist(), strict=True):
        row["contact"] = name
    groups: dict[tuple[str | None, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        cell = groups[row["currency"], row["abc"]]
        cell[0] += 1
        cell[1] += int(row["value_to_date"] * 100)
    tables = {
        "value": table(
            rows,
            contact=TEXT,
            currency=TEXT,
            last_purchase=DATE,
            recency_days=INT,
            purchases=INT,
            value_to_date=MONEY,
            expected_value=MONEY,
            active_probability=FLOAT,
            r=INT,
            f=INT,
            m=INT,
            abc=TEXT,
        ),
        "abc": table(
            [
                {"currency": c, "abc": g, "clients": n, "revenue": decimal(a)}
                for (c, g), (n, a) in sorted(groups.items(), key=lambda i: (str(i[0][0]), i[0][1]))
            ],
            currency=TEXT,
            abc=TEXT,
            clients=INT,
            revenue=MONEY,
        ),
        "concentration": table(concentration, currency=TEXT, top_share=FLOAT, clients=INT, revenue=MONEY, revenue_share=FLOAT),
        "rfm": _rfm(rows),
    }
    chart = {
        "kind": "heat",
        "table": "rfm",
        "x": "frequency",
        "y": "recency",
        "value": "share",
        "title": "Clients by recency and frequency",
        "subtitle": "share of clients in each pair of fifths; 5 is best",
    }
    return Analysis("value", tables, {"clients": len(people), "horizon_days": horizon_days, "typical_gap_days": typical / DAY}, chart)


def _rfm(rows: list[dict[str, Any]]) -> pa.Table:
    pairs: dict[tuple[int, int], set[str]] = defaultdict(set)
    for row in rows:
        pairs[row["r"], row["f"]].add(row["contact"])
    total = len({row["contact"] for row in rows}) or 1
    return table(
        [{"recency": r, "frequency": f, "clients": len(who), "share": len(who) / total} for (r, f), who in sorted(pairs.items())],
        recency=INT,
        frequency=INT,
        clients=INT,
        share=FLOAT,
    )


def _fifths(values: np.ndarray) -> np.ndarray:
    """Each value's fifth, 1 to 5; equal values are in one fifth."""
    if not len(values):
        return np.zeros(0, np.int64)
    below = np.searchsorted(np.sort(values), values, side="left")
    return np.minimum(5, below * 5 // len(values) + 1)
