"""The four levels of the relationship, and the flow between them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm_engine.analyses.related import DATE, DAY, FLOAT, INT, NEVER, TEXT, Analysis, Related, day_of, purchases_by_contact, ratio, table

LEVELS = ("potential", "engaged", "client", "regular")


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
    bought = purchases_by_contact(related) if related.find("orders") is not None or deals is not None else {}
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
        date = day_of(end - 1)
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
        "title": "Levels of the relationship",
        "subtitle": "contacts on each level at the end of each month",
    }
    return Analysis("levels", tables, {"contacts": len(people), "active_days": active_days, "today": str(related.today)}, chart)
