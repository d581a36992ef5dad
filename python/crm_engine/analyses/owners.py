"""Owners: what each does, and what comes of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crm_engine.analyses.figures import DAY, FLOAT, INT, MONEY, NEVER, TEXT, Analysis, decimal, is_overdue, ratio, table
from crm_engine.analyses.related import Related

_GROUPS = {
    "call": "calls",
    "email": "letters",
    "e-mail": "letters",
    "letter": "letters",
    "meeting": "meetings",
    "visit": "meetings",
}  # fmt: skip
_CONTACTS = ("calls", "letters", "meetings", "other_contacts")


@dataclass
class _Owner:
    """What is counted of one owner."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    kept: set[int] = field(default_factory=set)
    last_touch: dict[int, int] = field(default_factory=dict)
    responses: list[float] = field(default_factory=list)
    #: What was done before a decision, to how many deals were won and lost.
    paths: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    won: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def owners(related: Related, *, neglected_after_days: int = 90) -> Analysis:
    """What each owner does and what comes of it: contacts kept, calls, letters, meetings, response, deals, revenue, overdue tasks.

    ``paths`` has the last four contacts before a decision, in order, each with its outcome where one is given.
    """
    found: dict[str, _Owner] = defaultdict(_Owner)
    history = _contacts_made(related, found)
    _deals(related, found, history)
    _tasks(related, found)
    if not found:
        related.need("interactions", "deals", "tasks").text("owner")
    limit = related.now - neglected_after_days * DAY
    rows, revenue, paths = [], [], []
    for name in sorted(found):
        own = found[name]
        rows.append({"owner": name, **_row(own, limit)})
        revenue += [
            {"owner": name, "currency": currency or None, "won_amount": decimal(amount)} for currency, amount in sorted(own.won.items())
        ]
        paths += [
            {"owner": name, "last_contacts": path, "won": won, "lost": lost, "win_rate": ratio(won, won + lost)}
            for path, (won, lost) in sorted(own.paths.items(), key=lambda item: (-sum(item[1]), item[0]))
        ]
    tables = {
        "owners": table(
            sorted(rows, key=lambda row: (-row["won"], row["owner"])),
            owner=TEXT,
            contacts_kept=INT,
            **dict.fromkeys(_CONTACTS, INT),
            median_response_minutes=FLOAT,
            deals=INT,
            won=INT,
            lost=INT,
            win_rate=FLOAT,
            contacts_per_won_deal=FLOAT,
            open_tasks=INT,
            overdue_tasks=INT,
            neglected_contacts=INT,
        ),
        "revenue": table(revenue, owner=TEXT, currency=TEXT, won_amount=MONEY),
        "paths": table(paths, owner=TEXT, last_contacts=TEXT, won=INT, lost=INT, win_rate=FLOAT),
    }
    chart = {
        "kind": "bar",
        "table": "owners",
        "y": "owner",
        "x": "win_rate",
        "title": "Win rate by owner",
        "subtitle": "won deals of those decided",
        "format": "%",
        "label_format": ".0%",
        "x_title": "win rate",
    }
    return Analysis("owners", tables, {"owners": len(rows), "neglected_after_days": neglected_after_days}, chart)


def _contacts_made(related: Related, found: dict[str, _Owner]) -> dict[int, list[tuple[int, str]]]:
    """Counts interactions; gives each contact's, as (time, kind and outcome) in order of time."""
    history: dict[int, list[tuple[int, str]]] = defaultdict(list)
    rows = related.find("interactions")
    if rows is None or not rows.has("owner"):
        return history
    times, kinds, names = rows.time("occurred_at"), rows.word("kind", "other"), rows.text("owner")
    outcomes = rows.text("outcome") if rows.has("outcome") else np.full(len(rows), None)
    waits = rows.number("response_minutes") if rows.has("response_minutes") else np.full(len(rows), np.nan)
    answered: set[tuple[str, int]] = set()
    for at in np.argsort(times, kind="stable").tolist():
        name, person, when = names[at], int(rows.contact[at]), int(times[at])
        if person >= 0:
            history[person].append((when, f"{kinds[at]} ({outcomes[at]})" if outcomes[at] else kinds[at]))
        if name is None or when == NEVER:
            continue
        own = found[name]
        own.counts[_GROUPS.get(kinds[at], "other_contacts")] += 1
        if person >= 0:
            own.kept.add(person)
            own.last_touch[person] = when
            if (name, person) not in answered and not np.isnan(waits[at]):
                own.responses.append(float(waits[at]))
                answered.add((name, person))
    return history


def _deals(related: Related, found: dict[str, _Owner], history: dict[int, list[tuple[int, str]]]) -> None:
    rows = related.find("deals")
    if rows is None or not rows.has("owner"):
        return
    closed = rows.time("closed_at") if rows.has("closed_at") else np.full(len(rows), NEVER)
    columns = (rows.contact, rows.first_time("created_at", "closed_at"), closed, rows.money())
    for name, stage, currency, person, start, end, amount in zip(
        rows.text("owner"), rows.word("stage"), rows.currency(), *(values.tolist() for values in columns), strict=True
    ):
        if name is None:
            continue
        own = found[name]
        own.counts["deals"] += 1
        if person >= 0:
            own.kept.add(person)
            own.last_touch.setdefault(person, start)
        if stage in ("won", "lost"):
            until = end if end != NEVER else related.now
            steps = [what for when, what in history.get(person, []) if when <= until]
            own.counts[stage] += 1
            own.counts[f"{stage}_touches"] += len(steps)
            own.paths[" > ".join(steps[-4:]) or "no contact recorded"][0 if stage == "won" else 1] += 1
        if stage == "won":
            own.won[currency] += amount


def _tasks(related: Related, found: dict[str, _Owner]) -> None:
    rows = related.find("tasks")
    if rows is None or not rows.has("owner"):
        return
    for name, due, is_open in zip(rows.text("owner"), rows.time("due_at").tolist(), rows.open_tasks().tolist(), strict=True):
        if name is not None:
            found[name].counts["open_tasks"] += is_open
            found[name].counts["overdue_tasks"] += is_open and is_overdue(due, related.now)


def _row(own: _Owner, limit: int) -> dict[str, Any]:
    counts = own.counts
    return {
        "contacts_kept": len(own.kept), **{name: counts[name] for name in _CONTACTS},
        "median_response_minutes": float(np.median(own.responses)) if own.responses else None,
        "deals": counts["deals"], "won": counts["won"], "lost": counts["lost"], "win_rate": ratio(counts["won"], counts["won"] + counts["lost"]),
        "contacts_per_won_deal": ratio(counts["won_touches"], counts["won"]), "open_tasks": counts["open_tasks"], "overdue_tasks": counts["overdue_tasks"],
        "neglected_contacts": sum(when < limit for when in own.last_touch.values()),
    }  # fmt: skip
