"""Who is likely to buy next, and how right the same ranking was before."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from crm_engine.analyses.dealings import purchases_by_contact
from crm_engine.analyses.figures import DATE, DAY, FLOAT, INT, NEVER, TEXT, Analysis, day_of, table
from crm_engine.analyses.related import Related


def readiness(related: Related, *, horizon_days: int = 60) -> Analysis:
    """Contacts ranked by how likely they are to buy in the next ``horizon_days``, and how right the same model was before.

    The model is naive Bayes over four things known at a day: days since the last purchase, number of purchases, days since the last
    contact, requests in the last 90 days, each in a few bands. A band weighs the logarithm of how much oftener buyers fall into it
    than others; the weights are learned two horizons ago, checked one horizon ago (``calibration``: predicted against seen, by tenth), and learned anew for today.
    """
    bought = purchases_by_contact(related)
    touched: dict[int, list[int]] = defaultdict(list)
    asked: dict[int, list[int]] = defaultdict(list)
    interactions = related.find("interactions")
    if interactions is not None:
        request = np.isin(interactions.word("kind", "other"), ("quote_request", "chat", "site", "visit"))
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
                "last_purchase": day_of(orders[-1][0]) if orders else None,
                "last_contact": day_of(max(touched[person])) if touched.get(person) else None,
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
