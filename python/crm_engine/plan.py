"""Plan and fact: targets by period, owner and metric against what happened.

::

    result = crm.plan("plans.csv", "demo/exports")
    result.table                   # target, fact, attainment, run rate, forecast to the end of the period
    result.tables["deviations"]    # what asks for a decision
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from crm_engine.analyses.dealings import Purchases, engaging, purchase_rows
from crm_engine.analyses.figures import DAY, FLOAT, MONEY, NEVER, TEXT, Analysis, decimal, table
from crm_engine.analyses.related import Related
from crm_engine.funnels.options import names
from crm_engine.plan_targets import targets_of
from crm_engine.told_once import dates_told_once

_KINDS = {
    "calls": ("call",),
    "letters": ("email", "e-mail", "letter"),
    "meetings": ("meeting", "visit"),
    "chats": ("chat", "social"),
    "complaints": ("complaint",),
    "reviews": ("review",),
    "quote_requests": ("quote_request",),
}
#: What mostly comes from the contact: the direction says nothing of whose work it is.
_EITHER_WAY = ("chats", "complaints", "reviews", "quote_requests")
#: What there should be at most as much of as is planned; of everything else it is at least as much.
_AT_MOST = ("complaints",)
#: Metrics that rest on interactions.
_OF_INTERACTIONS = ("contacts_made", "engaged_contacted", *_KINDS)


@dates_told_once
def plan(
    plans: Any,
    tables: Any,
    *,
    today: dt.date | None = None,
    timezone: str | None = None,
    tolerance: float = 0.1,
    date_order: str | None = None,
    won: str | Sequence[str] | None = None,
    lost: str | Sequence[str] | None = None,
) -> Analysis:
    """Targets against facts.

    ``plans`` is a CSV or other table with ``period`` (2026, 2026-Q2, 2026-05, 2026-W07), ``owner`` (empty is all), ``metric``, ``product``,
    ``target`` and ``currency``, or a YAML file with a list ``plans`` of the same. ``tolerance`` is how far a forecast may miss its target before
    it is a deviation. ``won`` and ``lost`` name the stages at which a deal is won or lost, where they are called otherwise.

    >>> orders = {"contact_id": ["a"], "placed_at": ["2026-01-05"], "amount": ["10"], "currency": ["EUR"]}
    >>> result = plan({"period": ["2026-01"], "metric": ["new_clients"], "target": ["2"]}, {"orders": orders}, today=dt.date(2026, 1, 31))
    >>> result.table.select(["target", "fact", "attainment"]).to_pylist()
    [{'target': Decimal('2.00'), 'fact': Decimal('1.00'), 'attainment': 0.5}]
    """
    targets = targets_of(plans)
    related = Related(tables, today, timezone, date_order, won=names(won, "won"), lost=names(lost, "lost"))
    facts = _Facts(related)
    rows = []
    for target in targets:
        start, end = target["span"]
        fact, reason = facts.of(target)
        elapsed = min(max((related.today - start).days + 1, 0), (end - start).days)
        whole = (end - start).days
        forecast = None
        if fact is not None and elapsed:
            forecast = (fact * whole / elapsed).quantize(Decimal("0.01")) if elapsed < whole else fact
        goal = target["target"]
        rows.append(
            {
                **{key: target[key] for key in ("period", "owner", "metric", "product", "currency")},
                "target": goal,
                "fact": fact,
                "attainment": float(fact / goal) if fact is not None and goal else None,
                "elapsed_share": elapsed / whole,
                "run_rate_per_day": float(fact / elapsed) if fact is not None and elapsed else None,
                "forecast": forecast,
                "forecast_attainment": float(forecast / goal) if forecast is not None and goal else None,
                "state": _state(fact, goal, forecast, elapsed, whole, tolerance, reason, is_limit=target["metric"] in _AT_MOST),
            }
        )
    unplanned = _unplanned(targets, facts)
    deviations = [
        {key: row[key] for key in ("period", "owner", "metric", "product", "currency", "target", "fact", "forecast", "state")}
        | {"decision": _decision(row)}
        for row in rows
        if row["state"].startswith(("missed", "behind", "ahead", "no facts"))
    ]
    deviations += [
        {**row, "target": None, "forecast": None, "state": "no target", "decision": "set a target, or take the work into another plan"}
        for row in unplanned
    ]
    keys = dict.fromkeys(("period", "owner", "metric", "product", "currency"), TEXT)
    result = {
        "plan": table(
            rows,
            **keys,
            target=MONEY,
            fact=MONEY,
            attainment=FLOAT,
            elapsed_share=FLOAT,
            run_rate_per_day=FLOAT,
            forecast=MONEY,
            forecast_attainment=FLOAT,
            state=TEXT,
        ),
        "deviations": table(deviations, **keys, target=MONEY, fact=MONEY, forecast=MONEY, state=TEXT, decision=TEXT),
        "without_target": table(unplanned, **keys, fact=MONEY),
    }
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["state"]] += 1
    current = [index for index, target in enumerate(targets) if target["span"][0] <= related.today < target["span"][1]]
    result["current"] = result["plan"].take(pa.array(current, pa.int64())) if current else result["plan"]
    chart = {
        "kind": "plan",
        "table": "current",
        "x": "attainment",
        "y": "metric",
        "title": "Plan and fact",
        "subtitle": f"targets whose period holds {related.today}; the pale bar is the forecast to its end",
    }
    summary = {
        "targets": len(rows),
        "states": dict(sorted(counts.items())),
        "deviations": len(deviations),
        "without_target": len(unplanned),
        "today": str(related.today),
    }
    related.tell(summary)
    return Analysis("plan", result, summary, chart)


def _state(
    fact: Decimal | None, goal: Decimal, forecast: Decimal | None, elapsed: int, whole: int, tolerance: float, reason: str, *, is_limit: bool
) -> str:  # fmt: skip
    if fact is None:
        return f"no facts: {reason}"
    if not elapsed:
        return "not begun"
    if elapsed >= whole:
        return "met" if (fact <= goal if is_limit else fact >= goal) else "missed"
    assert forecast is not None
    margin = Decimal(str(tolerance))
    if is_limit:
        # Until the period ends a limit may be missed, and cannot be met.
        if fact > goal:
            return "missed"
        return "behind" if forecast > goal * (1 + margin) else "on the way"
    if fact >= goal:
        return "met"
    if forecast < goal * (1 - margin):
        return "behind"
    return "ahead" if forecast > goal * (1 + margin) * Decimal("1.5") else "on the way"


def _decision(row: dict[str, Any]) -> str:
    if row["state"].startswith("no facts"):
        return "bring the table in, or drop the target"
    if row["state"] == "ahead":
        return "raise the target, or move effort elsewhere"
    gap = row["target"] - row["fact"]
    if row["metric"] in _AT_MOST:
        if row["state"] == "missed":
            return f"over by {_grouped(-gap)}: find what they are about, and what would prevent them"
        return f"{_grouped(gap)} left; at this rate the period ends with {_grouped(row['forecast'])}: act on what they are about"
    if row["state"] == "missed":
        return f"short by {_grouped(gap)}: explain, and carry over or write off"
    return f"{_grouped(gap)} to go; at this rate the period ends with {_grouped(row['forecast'])}"


def _grouped(amount: Decimal) -> str:
    return f"{amount:,}".replace(",", " ")


class _Facts:
    """What happened, by metric, owner, product and span."""

    def __init__(self, related: Related) -> None:
        self.related = related
        self.interactions = related.find("interactions")
        self.has_sales = related.find("orders") is not None or related.find("deals") is not None
        if self.has_sales:
            sold = purchase_rows(related)
            self.buyer, self.bought, self.cents, self.currency = sold.contact, sold.when, sold.cents, sold.currency
            self.pieces, self.product = _pieces(sold)
            order = np.argsort(self.bought, kind="stable")
            self.first: dict[int, int] = {}
            for person, when in zip(self.buyer[order].tolist(), self.bought[order].tolist(), strict=True):
                self.first.setdefault(person, when)
        dealings = self._dealings()
        self.owners = set(dealings[2].tolist())
        if self.has_sales:
            self.sold_by = self._owners_at_purchase(dealings)
        if self.interactions is not None and self.interactions.has("owner"):
            self.owners |= {owner for owner in set(self.interactions.text("owner").tolist()) if owner is not None}

    def _dealings(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(contact, time, owner) of everything up to today that names an owner, by contact and time."""
        parts = []
        for name, time in (("deals", "created_at"), ("interactions", "occurred_at")):
            rows = self.related.find(name)
            if rows is not None and rows.has("owner") and rows.has(time):
                parts.append((rows.contact, rows.time(time), rows.text("owner")))
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, object)
        contact, when, owner = (np.concatenate(column) for column in zip(*parts, strict=True))
        keep = (contact >= 0) & (when != NEVER) & (when < self.related.now) & (owner != None)  # noqa: E711
        order = np.lexsort((when[keep], contact[keep]))
        return contact[keep][order], when[keep][order], owner[keep][order]

    def _owners_at_purchase(self, dealings: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        """Who had dealt last with the buyer when each purchase was made, or the first who dealt with it afterwards; none of nobody."""
        contact, when, owner = dealings
        found = np.full(len(self.buyer), None, object)
        first, last = np.searchsorted(contact, self.buyer, "left"), np.searchsorted(contact, self.buyer, "right")
        for place, (begin, end, bought) in enumerate(zip(first.tolist(), last.tolist(), self.bought.tolist(), strict=True)):
            if begin < end:
                before = int(np.searchsorted(when[begin:end], bought, "right"))
                found[place] = owner[begin + max(before - 1, 0)]
        return found

    def of(self, target: dict[str, Any]) -> tuple[Decimal | None, str]:
        """The fact of a target, or why there is none."""
        metric, owner = target["metric"], target["owner"]
        start, end = ((day - dt.date(1970, 1, 1)).days * DAY for day in target["span"])
        end = min(end, self.related.now)
        if owner is not None and owner not in self.owners:
            return None, f"nothing is known of the owner {owner!r}"
        if metric in _OF_INTERACTIONS:
            if self.interactions is None:
                return None, "there is no table of interactions"
            return self._contacts(metric, owner, start, end), ""
        if not self.has_sales:
            return None, "there are no orders and no deals"
        mine = (self.bought >= start) & (self.bought < end)
        if owner is not None:
            mine &= self.sold_by == owner
        if target["product"] is not None:
            mine &= self.product == target["product"]
        people = self.buyer[mine].tolist()
        if metric == "revenue":
            return decimal(self.cents[mine & (self.currency == (target["currency"] or ""))].sum()), ""
        new = np.array([self.first[person] >= start for person in people], bool)
        if metric == "new_clients":
            return Decimal(len(set(np.array(people)[new].tolist())) if people else 0).quantize(Decimal("0.01")), ""
        if metric == "active_clients_kept":
            before = set(self.buyer[(self.bought >= start - 365 * DAY) & (self.bought < start)].tolist())
            return Decimal(len(before & set(people))).quantize(Decimal("0.01")), ""
        pieces = self.pieces[mine]
        return Decimal(str(round(float(pieces[new if metric == "products_sold_new" else ~new].sum()), 2))).quantize(Decimal("0.01")), ""

    def _contacts(self, metric: str, owner: str | None, start: int, end: int) -> Decimal:
        rows = self.interactions
        assert rows is not None
        when = rows.time("occurred_at")
        mine = (when >= start) & (when < end)
        if rows.has("direction") and metric not in _EITHER_WAY:
            mine &= rows.word("direction") != "in"
        if owner is not None and rows.has("owner"):
            mine &= rows.text("owner") == owner
        if metric in _KINDS:
            mine &= np.isin(rows.word("kind"), _KINDS[metric])
        if metric != "engaged_contacted":
            return Decimal(int(mine.sum())).quantize(Decimal("0.01"))
        before = set(rows.contact[engaging(rows) & (when < start)].tolist())
        clients = {person for person, first in self.first.items() if first < start} if self.has_sales else set()
        return Decimal(len((set(rows.contact[mine].tolist()) & before) - clients - {-1})).quantize(Decimal("0.01"))


def _pieces(sold: Purchases) -> tuple[np.ndarray, np.ndarray]:
    """Pieces (which may be parts of one) and product of each purchase; a row without a quantity is one piece."""
    rows = sold.rows
    pieces = np.nan_to_num(rows.number("quantity"), nan=1.0) if rows.has("quantity") else np.ones(len(rows))
    product = rows.text("product") if rows.has("product") else np.full(len(rows), None)
    return pieces[sold.kept], product[sold.kept]


def _unplanned(targets: list[dict[str, Any]], facts: _Facts) -> list[dict[str, Any]]:
    """Owners with facts, and currencies with revenue, for which a planned period and metric has no target."""
    rows = []
    planned: dict[tuple[str, str], set[tuple[Any, Any]]] = defaultdict(set)
    spans = {}
    for target in targets:
        planned[target["period"], target["metric"]].add((target["owner"], target["currency"]))
        spans[target["period"]] = target["span"]
    currencies = sorted({str(value) for value in facts.currency.tolist()}) if facts.has_sales else []
    for (period, metric), known in sorted(planned.items()):
        everybody = any(owner is None for owner, _ in known)
        for owner in sorted(facts.owners) if not everybody else [None]:
            for currency in currencies if metric == "revenue" else [None]:
                if (owner, currency) in known or (metric != "revenue" and any(o == owner for o, _ in known)):
                    continue
                fact, _ = facts.of({"metric": metric, "owner": owner, "product": None, "currency": currency, "span": spans[period]})
                if fact:
                    rows.append({"period": period, "owner": owner, "metric": metric, "product": None, "currency": currency, "fact": fact})
    return rows
