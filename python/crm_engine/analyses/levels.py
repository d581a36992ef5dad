"""The levels of the relationship, and the flow between them, by the rules of ``builtin:relationship``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.analyses.dealings import purchases
from crm_engine.analyses.figures import DATE, DAY, FLOAT, INT, NEVER, TEXT, Analysis, day_of, ratio, table
from crm_engine.analyses.related import Related
from crm_engine.errors import ConfigError
from crm_engine.rules import load_rules
from crm_engine.segment import segment

_RULES = "builtin:relationship"
#: What the rules call the level.
_ASSIGNMENT = "level"
#: How far back periods may begin.
_MOST_PERIODS = 120


def levels(related: Related, *, periods: int = 6) -> Analysis:
    """How many contacts stand on each level of the relationship, and the flow between levels month by month.

    What the levels are is said once, by the rules of ``builtin:relationship``: potential, engaged potential, new, active client, and
    former client for those who stopped buying. They are asked for the end of each month, with what had happened by then; ``orders``
    in them are purchases, and a contact is ``new`` in the month in which it became known.
    """
    if periods > _MOST_PERIODS:
        raise ConfigError(f"analysis 'levels': periods is {periods}, and at most {_MOST_PERIODS} months are shown")
    names = _names()
    known, tables = _happenings(related)
    people = np.flatnonzero(known != NEVER)
    ends = _ends(related, periods)
    at_end = np.stack([_levels_at(people, known, tables, names, end) for end in ends], axis=1)
    history, flows = _history(at_end, ends, names)
    now = at_end[:, -1]
    now_rows = [
        {"level": name, "contacts": int((now == number).sum()), "share": ratio((now == number).sum(), len(people))}
        for number, name in enumerate(names if len(people) else [], 1)
    ]
    found = {
        "levels": table(now_rows, level=TEXT, contacts=INT, share=FLOAT),
        "history": table(history if len(people) else [], at=DATE, level=TEXT, contacts=INT),
        "flows": table(flows, period_end=DATE, from_level=TEXT, to_level=TEXT, contacts=INT),
        "contacts": pa.table({"contact": related.names(people), "level": pa.array([None, *names], TEXT).take(pa.array(now))}),
    }
    chart = {
        "kind": "line",
        "table": "history",
        "x": "at",
        "y": "contacts",
        "color": "level",
        "title": "Levels of the relationship",
        "subtitle": "contacts on each level at the end of each month",
    }
    return Analysis("levels", found, {"contacts": len(people), "rules": _RULES, "today": str(related.today)}, chart)


def _names() -> list[str]:
    """The levels, from the first interest to those who left; the rules name them from the best down."""
    choices = next(assigned["choices"] for assigned in load_rules(_RULES).assign if assigned["name"] == _ASSIGNMENT)
    names = [str(choice["name"]) for choice in choices]
    return [*reversed(names[:-1]), names[-1]]


def _happenings(related: Related) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """When each contact became known, and the (contact, time) of purchases and interactions."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    tables: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    contacts = related.find("contacts")
    if contacts is not None and contacts.has("created_at"):
        seen.append((contacts.contact, contacts.time("created_at")))
    deals = related.find("deals")
    if deals is not None:
        seen.append((deals.contact, deals.first_time("created_at")))
    if deals is not None or related.find("orders") is not None:
        tables["orders"] = purchases(related)[:2]
    interactions = related.find("interactions")
    if interactions is not None:
        tables["interactions"] = (interactions.contact, interactions.time("occurred_at"))
    known = np.full(len(related.contact_names), NEVER)
    late = np.iinfo(np.int64).max
    first = np.full(len(known), late)
    for contact, when in (*seen, *tables.values()):
        counts = (contact >= 0) & (when != NEVER) & (when < related.now)
        np.minimum.at(first, contact[counts], when[counts])
    return np.where(first == late, NEVER, first), tables


def _ends(related: Related, periods: int) -> list[int]:
    """The first moments of this month and of those before it, and the end of today."""
    month = int(np.datetime64(related.today, "M").astype(int))
    starts = [int(np.datetime64(month - back, "M").astype("datetime64[D]").astype(int)) * DAY for back in range(periods - 1, -1, -1)]
    return [*starts, related.now]


def _levels_at(
    people: np.ndarray, known: np.ndarray, tables: dict[str, tuple[np.ndarray, np.ndarray]], names: list[str], end: int
) -> np.ndarray:
    """Each contact's level at a moment, from 1; 0 is not yet known."""
    day = day_of(end - 1)
    found = segment(pa.table({"contact_id": people}), _RULES, _tables_before(tables, end), today=day).assigned
    assigned = found[_ASSIGNMENT].cast(pa.string()).combine_chunks()
    numbers = pc.index_in(assigned, value_set=pa.array(names, pa.string())).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    return np.asarray(np.where(known[people] < end, numbers, 0))


def _tables_before(tables: dict[str, tuple[np.ndarray, np.ndarray]], end: int) -> dict[str, Any]:
    """What had happened before a moment, as the rules name it."""
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    found = {}
    for name, time in (("orders", "placed_at"), ("interactions", "occurred_at")):
        contact, when = tables.get(name, nothing)
        counts = (contact >= 0) & (when != NEVER) & (when < end)
        found[name] = pa.table({"contact_id": contact[counts], time: pa.array(when[counts], pa.timestamp("s"))})
    return found


def _history(at_end: np.ndarray, ends: list[int], names: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    history, flows = [], []
    for index, end in enumerate(ends):
        # The moment is midnight: it closes the day before.
        date = day_of(end - 1)
        history += [
            {"at": date, "level": name, "contacts": int((at_end[:, index] == number).sum())} for number, name in enumerate(names, 1)
        ]
        if not index:
            continue
        pairs, counts = np.unique(at_end[:, index - 1 : index + 1], axis=0, return_counts=True)
        for (before, after), n in zip(pairs.tolist(), counts.tolist(), strict=True):
            if after:
                came_from = "new" if before == 0 else names[before - 1]
                flows.append({"period_end": date, "from_level": came_from, "to_level": names[after - 1], "contacts": int(n)})
    return history, flows
