"""Clients: lost, worth, levels, readiness."""

from __future__ import annotations

import datetime as dt
import itertools
import math
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
    decimal,
    month_name,
    month_of,
    purchases,
    ratio,
    table,
)

LEVELS = ("potential", "engaged", "client", "regular")


def _by_contact(related: Related) -> dict[int, list[tuple[int, int, str]]]:
    """Purchases of each contact in order of time: (time, cents, currency)."""
    found: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    contact, when, cents, currency = purchases(related)
    order = np.lexsort((when, contact))
    for person, at, amount, money in zip(
        contact[order].tolist(), when[order].tolist(), cents[order].tolist(), currency[order].tolist(), strict=True
    ):
        found[person].append((at, amount, money))
    return found


def churn(related: Related, *, lost_after_days: int = 180) -> Analysis:
    """Clients lost per month, the revenue that went with them, what happened last, and the survival curve.

    A client is lost when ``lost_after_days`` pass without a purchase; the month of loss is the one in which they have passed.
    The revenue lost is what the client bought in the 365 days before its last purchase, that included. The survival curve is
    Kaplan and Meier's, in months from the first purchase; clients that are not lost count as long as they are seen.
    """
    bought = _by_contact(related)
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
        kind = max(kinds)[1] if kinds else "no contact recorded"
        reason = (max(kinds)[2] if kinds else None) or "unknown"
        after[kind, reason] += 1
        rows.append(
            {"contact": person, "last_purchase": _date(end), "lost_on": _date(gone), "last_contact_kind": kind, "last_outcome": reason}
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


def _date(seconds: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=seconds // DAY)


def value(related: Related, *, horizon_days: int = 365) -> Analysis:
    """What each client is worth: recency, frequency, money with scores 1 to 5, ABC class, value to date and expected.

    Scores are fifths of the clients (5 is best). ABC: the clients that bring the first 80 % of a currency's revenue are A, up to
    95 % B, the rest C. Expected is the client's average purchase times the purchases to come in ``horizon_days``: its rate since the first
    purchase (with one purchase and the clients' mean time added, so that newcomers are not exaggerated), times the chance that it is still active, which falls by half with each typical gap that it is overdue.
    """
    bought = _by_contact(related)
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
                    "contact": person, "currency": money or None, "last_purchase": _date(orders[-1][0]), "recency_days": int(recency[at]), "purchases": counts[key],
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


def levels(related: Related, *, periods: int = 6, active_days: int = 365) -> Analysis:
    """How many contacts stand on each level of the relationship, and the flow between levels month by month.

    ``potential``: known, nothing came back; ``engaged``: answered, wrote, or has a deal; ``client``: has bought; ``regular``: bought
    twice or more, the last time within ``active_days``. A regular who stops buying falls back to client.
    """
    known: dict[int, int] = {}
    engaged: dict[int, int] = {}

    def note(into: dict[int, int], who: np.ndarray, when: np.ndarray, mask: np.ndarray | None = None) -> None:
        for person, at, good in zip(who.tolist(), when.tolist(), (np.ones(len(who), bool) if mask is None else mask).tolist(), strict=True):
            if good and person >= 0 and at != NEVER and at < related.now:
                into[person] = min(into.get(person, at), at)

    contacts = related.find("contacts")
    if contacts is not None and contacts.has("created_at"):
        note(known, contacts.contact, contacts.time("created_at"))
    interactions = related.find("interactions")
    if interactions is not None:
        hit = np.zeros(len(interactions), bool)
        if interactions.has("outcome"):
            hit |= np.isin(interactions.text("outcome"), ("answered", "follow-up", "resolved"))
        if interactions.has("direction"):
            hit |= interactions.text("direction") == "in"
        note(known, interactions.contact, interactions.time("occurred_at"))
        note(engaged, interactions.contact, interactions.time("occurred_at"), hit)
    deals = related.find("deals")
    if deals is not None:
        note(engaged, deals.contact, deals.first_time("created_at"))
    bought = _by_contact(related) if related.find("orders") is not None or deals is not None else {}
    people = sorted({*known, *engaged, *bought})
    today = np.datetime64(related.today, "M").astype(int)
    ends = [
        (int(np.datetime64(int(today) - back, "M").astype("datetime64[D]").astype(int))) * DAY for back in range(periods - 1, -1, -1)
    ] + [related.now]

    def level(person: int, at: int) -> int:
        """0 is not yet known; 1 to 4 are the levels."""
        orders = [when for when, _, _ in bought.get(person, []) if when < at]
        if len(orders) > 1 and orders[-1] >= at - active_days * DAY:
            return 4
        if orders:
            return 3
        if engaged.get(person, at) < at:
            return 2
        return 1 if known.get(person, at) < at else 0

    at_end = np.array([[level(person, end) for end in ends] for person in people], np.int64).reshape(len(people), len(ends))
    history, flows = [], []
    for index, end in enumerate(ends):
        # The moment is midnight: it closes the day before.
        date = _date(end - 1)
        for number, name in enumerate(LEVELS, 1):
            history.append({"at": date, "level": name, "contacts": int((at_end[:, index] == number).sum())})
        if index:
            pairs, counts = np.unique(at_end[:, index - 1 : index + 1], axis=0, return_counts=True)
            for (before, after), n in zip(pairs.tolist(), counts.tolist(), strict=True):
                if after:
                    flows.append(
                        {
                            "period_end": date,
                            "from_level": "new" if before == 0 else LEVELS[before - 1],
                            "to_level": LEVELS[after - 1],
                            "contacts": int(n),
                        }
                    )
    now_rows = (
        [
            {"level": name, "contacts": int((at_end[:, -1] == number).sum()), "share": ratio((at_end[:, -1] == number).sum(), len(people))}
            for number, name in enumerate(LEVELS, 1)
        ]
        if people
        else []
    )
    tables = {
        "levels": table(now_rows, level=TEXT, contacts=INT, share=FLOAT),
        "history": table(history if people else [], at=DATE, level=TEXT, contacts=INT),
        "flows": table(flows, period_end=DATE, from_level=TEXT, to_level=TEXT, contacts=INT),
        "contacts": pa.table(
            {
                "contact": related.names(np.array(people, np.int64)),
                "level": pa.array([None, *LEVELS], TEXT).take(pa.array(at_end[:, -1] if len(people) else np.zeros(0, np.int64))),
            }
        ),
    }
    chart = {
        "kind": "line",
        "table": "history",
        "x": "at",
        "y": "contacts",
        "color": "level",
        "x_type": "T",
        "title": "Levels of the relationship",
        "subtitle": "contacts on each level at the end of each month",
    }
    return Analysis("levels", tables, {"contacts": len(people), "active_days": active_days, "today": str(related.today)}, chart)


def readiness(related: Related, *, horizon_days: int = 60) -> Analysis:
    """Contacts ranked by how likely they are to buy in the next ``horizon_days``, and how right the same model was before.

    The model is naive Bayes over four things known at a day: days since the last purchase, number of purchases, days since the last
    contact, requests in the last 90 days, each in a few bands. A band weighs the logarithm of how much oftener buyers fall into it
    than others; the weights are learned two horizons ago, checked one horizon ago (``calibration``: predicted against seen, by tenth), and learned anew for today.
    """
    bought = _by_contact(related)
    touched: dict[int, list[int]] = defaultdict(list)
    asked: dict[int, list[int]] = defaultdict(list)
    interactions = related.find("interactions")
    if interactions is not None:
        request = np.isin(interactions.text("kind", "other"), ("quote_request", "chat", "site", "visit"))
        for person, when, is_request in zip(
            interactions.contact.tolist(), interactions.time("occurred_at").tolist(), request.tolist(), strict=True
        ):
            if person >= 0 and when != NEVER:
                touched[person].append(when)
                if is_request:
                    asked[person].append(when)
    people = sorted({*bought, *touched})
    horizon = horizon_days * DAY

    def bands(person: int, at: int) -> tuple[int, ...] | None:
        orders = [when for when, _, _ in bought.get(person, ()) if when < at]
        touches = [when for when in touched.get(person, ()) if when < at]
        if not orders and not touches:
            return None
        since_order = (at - orders[-1]) // DAY if orders else None
        since_touch = (at - max(touches)) // DAY if touches else None
        requests = sum(at - 90 * DAY <= when < at for when in asked.get(person, ()))
        return (
            len(_BANDS) + 1 if since_order is None else int(np.searchsorted(_BANDS, since_order)),
            min(len(orders), 5),
            len(_BANDS) + 1 if since_touch is None else int(np.searchsorted(_BANDS, since_touch)),
            min(requests, 3),
        )

    def sample(at: int) -> tuple[list[int], list[tuple[int, ...]], np.ndarray]:
        who, what = [], []
        for person in people:
            found = bands(person, at)
            if found is not None:
                who.append(person)
                what.append(found)
        buys = np.array([any(at <= when < at + horizon for when, _, _ in bought.get(person, ())) for person in who], bool)
        return who, what, buys

    learned = _learn(*sample(related.now - 2 * horizon)[1:])
    _, seen, outcome = sample(related.now - horizon)
    predicted = _predict(learned, seen)
    calibration = []
    order = np.argsort(-predicted, kind="stable")
    for tenth, part in enumerate(np.array_split(order, 10), 1):
        if len(part):
            calibration.append(
                {
                    "tenth": tenth,
                    "contacts": len(part),
                    "predicted_share": float(predicted[part].mean()),
                    "bought_share": float(outcome[part].mean()),
                }
            )
    model = _learn(seen, outcome)
    who, what, _ = sample(related.now)
    probability = _predict(model, what)
    ranked = np.lexsort((np.array(who, np.int64), -probability)) if who else np.zeros(0, np.int64)
    names = related.names(np.array(who, np.int64)[ranked] if who else np.zeros(0, np.int64)).to_pylist()
    rows = []
    for place, (index, name) in enumerate(zip(ranked.tolist(), names, strict=True), 1):
        person = who[index]
        orders = bought.get(person, [])
        rows.append(
            {
                "rank": place,
                "contact": name,
                "probability": float(probability[index]),
                "purchases": len(orders),
                "last_purchase": _date(orders[-1][0]) if orders else None,
                "last_contact": _date(max(touched[person])) if touched.get(person) else None,
                "requests_90_days": what[index][3],
            }
        )
    weights = [
        {"what": _FEATURES[place], "band": label, "weight": float(model[1][place][band])}
        for place in range(len(_FEATURES))
        for band, label in enumerate(_LABELS[place])
    ]
    tables = {
        "readiness": table(
            rows, rank=INT, contact=TEXT, probability=FLOAT, purchases=INT, last_purchase=DATE, last_contact=DATE, requests_90_days=INT
        ),
        "calibration": table(calibration, tenth=INT, contacts=INT, predicted_share=FLOAT, bought_share=FLOAT),
        "weights": table(weights, what=TEXT, band=TEXT, weight=FLOAT),
    }
    chart = {
        "kind": "bar",
        "table": "calibration",
        "y": "tenth",
        "x": "bought_share",
        "sort": True,
        "title": "Is the ranking right?",
        "subtitle": f"share that did buy within {horizon_days} days, by tenth of the ranking made {horizon_days} days ago",
        "format": "%",
        "label_format": ".1%",
        "x_title": "share that bought",
    }
    return Analysis(
        "readiness",
        tables,
        {"contacts": len(rows), "horizon_days": horizon_days, "checked_on": len(seen), "today": str(related.today)},
        chart,
    )


_BANDS = np.array([7, 30, 60, 90, 180, 365])
_FEATURES = ("days since last purchase", "purchases", "days since last contact", "requests in 90 days")
_DAYS = ("0-7", "8-30", "31-60", "61-90", "91-180", "181-365", "over 365", "never")
_LABELS: tuple[tuple[str, ...], ...] = (_DAYS, ("0", "1", "2", "3", "4", "5 or more"), _DAYS, ("0", "1", "2", "3 or more"))


def _learn(what: list[tuple[int, ...]], buys: np.ndarray) -> tuple[float, list[np.ndarray]]:
    n_buys, n_all = int(buys.sum()), len(buys)
    base = math.log((n_buys + 1) / (n_all - n_buys + 1))
    seen = np.array(what, np.int64).reshape(-1, 4)
    weights = []
    for column, labels in enumerate(_LABELS):
        of_buyers = np.bincount(seen[buys, column], minlength=len(labels)) if n_all else np.zeros(len(labels))
        of_others = np.bincount(seen[~buys, column], minlength=len(labels)) if n_all else np.zeros(len(labels))
        weights.append(np.log((of_buyers + 1) / (n_buys + len(labels))) - np.log((of_others + 1) / (n_all - n_buys + len(labels))))
    return base, weights


def _predict(model: tuple[float, list[np.ndarray]], what: list[tuple[int, ...]]) -> np.ndarray:
    base, weights = model
    seen = np.array(what, np.int64).reshape(-1, 4)
    # The four overlap (who bought lately was spoken to lately), so together they count for half.
    score = base + 0.5 * sum(weights[column][seen[:, column]] for column in range(4))
    return np.asarray(1 / (1 + np.exp(-score)))
