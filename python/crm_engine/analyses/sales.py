"""Channels, owners and campaigns: what brings clients, and what it costs."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from crm_engine.analyses.related import (
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

_ANSWERED = ("answered", "follow-up", "resolved")


def _touches(related: Related) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(contact, time, channel) of everything that names a channel."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for name, column in (("interactions", "occurred_at"), ("deals", "created_at")):
        rows = related.find(name)
        if rows is not None and rows.has("channel") and rows.has(column):
            parts.append((rows.contact, rows.time(column), rows.text("channel")))
    if not parts:
        related.need("interactions", "deals").text("channel")
    contact, when, channel = (np.concatenate(column) for column in zip(*parts, strict=True))
    keep = (contact >= 0) & (when != NEVER) & (channel != None) & (when < related.now)  # noqa: E711
    order = np.lexsort((channel[keep].astype(str), when[keep], contact[keep]))
    return contact[keep][order], when[keep][order], channel[keep][order]


def channels(related: Related) -> Analysis:
    """Contacts, deals, revenue and cost by channel, in all and by month; revenue by first and by last touch.

    A contact belongs to the channel of its first touch (interaction or deal); ``engaged`` are those who answered or wrote
    themselves. ``return`` is revenue per cost of the same currency, less 1.
    """
    contact, when, channel = _touches(related)
    first = np.r_[True, contact[1:] != contact[:-1]] if len(contact) else np.zeros(0, bool)
    last = np.r_[contact[1:] != contact[:-1], True] if len(contact) else np.zeros(0, bool)
    of_first = dict(zip(contact[first].tolist(), channel[first].tolist(), strict=True))
    of_last = dict(zip(contact[last].tolist(), channel[last].tolist(), strict=True))
    began = dict(zip(contact[first].tolist(), month_of(when[first]).tolist(), strict=True))
    engaged: set[int] = set()
    interactions = related.find("interactions")
    if interactions is not None:
        hit = np.zeros(len(interactions), bool)
        if interactions.has("outcome"):
            hit |= np.isin(interactions.text("outcome"), _ANSWERED)
        if interactions.has("direction"):
            hit |= interactions.text("direction") == "in"
        engaged = set(interactions.contact[hit].tolist()) - {-1}
    count: dict[tuple[str, int], dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    for person, name in of_first.items():
        cell = count[name, began[person]]
        cell["contacts"] += 1
        cell["engaged"] += person in engaged
    deals = related.find("deals")
    if deals is not None and deals.has("channel"):
        stage = deals.text("stage") if deals.has("stage") else np.full(len(deals), None)
        for name, month, state in zip(deals.text("channel"), month_of(deals.first_time("created_at", "closed_at")), stage, strict=True):
            if name is not None:
                count[name, int(month)]["deals"] += 1
                count[name, int(month)]["won"] += state == "won"
    revenue: dict[tuple[str, int, str], int] = defaultdict(int)
    touch: dict[tuple[str, str, str], list[Any]] = defaultdict(lambda: [set(), 0])
    buyers, bought, cents, currency = purchases(related)
    clients: dict[str, set[int]] = defaultdict(set)
    for person, month, amount, money in zip(buyers.tolist(), month_of(bought).tolist(), cents.tolist(), currency.tolist(), strict=True):
        name = of_first.get(person, "unknown")
        revenue[name, month, money] += amount
        clients[name].add(person)
        for model, known in (("first touch", of_first), ("last touch", of_last)):
            both = touch[model, known.get(person, "unknown"), money]
            both[0].add(person)
            both[1] += amount
    cost: dict[tuple[str, int, str], int] = defaultdict(int)
    costs = related.find("costs")
    if costs is not None and costs.has("channel"):
        for name, month, amount, money in zip(costs.text("channel"), costs.text("month"), costs.money(), costs.currency(), strict=True):
            if name is not None and month is not None:
                cost[name, int(np.datetime64(str(month)[:7], "M").astype(int)), money] += int(amount)
    names = sorted({key[0] for key in count} | {key[0] for key in revenue} | {key[0] for key in cost})
    currencies = sorted({key[2] for key in revenue} | {key[2] for key in cost}) or [""]
    rows = []
    for name in names:
        sums = {
            field: sum(cell[field] for (own, _), cell in count.items() if own == name) for field in ("contacts", "engaged", "deals", "won")
        }
        for money in currencies:
            income = sum(value for key, value in revenue.items() if key[0] == name and key[2] == money)
            spent = sum(value for key, value in cost.items() if key[0] == name and key[2] == money)
            if not income and not spent and money != currencies[0]:
                continue
            rows.append(
                {
                    "channel": name, **sums, "clients": len(clients[name]), "currency": money or None, "revenue": decimal(income), "cost": decimal(spent),
                    "cost_per_lead": decimal(round(spent / sums["contacts"])) if sums["contacts"] and spent else None,
                    "cost_per_client": decimal(round(spent / len(clients[name]))) if clients[name] and spent else None,
                    "return": ratio(income - spent, spent),
                }
            )  # fmt: skip
    by_month = []
    places: set[tuple[str, int]] = {*count, *((key[0], key[1]) for key in (*revenue, *cost))}
    for name, month in sorted(places, key=lambda key: (key[1], key[0])):
        cell = count[name, month]
        for money in currencies:
            income, spent = revenue.get((name, month, money), 0), cost.get((name, month, money), 0)
            if income or spent or money == currencies[0]:
                by_month.append(
                    {
                        "month": month_name(month),
                        "channel": name,
                        **{f: cell[f] for f in ("contacts", "engaged", "deals", "won")},
                        "currency": money or None,
                        "revenue": decimal(income),
                        "cost": decimal(spent),
                    }
                )
    touches = [
        {"model": m, "channel": c, "currency": k or None, "clients": len(p), "revenue": decimal(a)}
        for (m, c, k), (p, a) in sorted(touch.items())
    ]
    counts = dict.fromkeys(("contacts", "engaged", "deals", "won"), INT)
    tables = {
        "channels": table(
            sorted(rows, key=lambda r: (r["currency"] or "", -r["revenue"], r["channel"])),
            channel=TEXT,
            **counts,
            clients=INT,
            currency=TEXT,
            revenue=MONEY,
            cost=MONEY,
            cost_per_lead=MONEY,
            cost_per_client=MONEY,
            **{"return": FLOAT},
        ),
        "by_month": table(by_month, month=TEXT, channel=TEXT, **counts, currency=TEXT, revenue=MONEY, cost=MONEY),
        "touch": table(touches, model=TEXT, channel=TEXT, currency=TEXT, clients=INT, revenue=MONEY),
    }
    summary = {
        "channels": len(names),
        "contacts": len(of_first),
        "buyers": len(set(buyers.tolist())),
        "currencies": [c for c in currencies if c],
    }
    chart = {
        "kind": "bar",
        "table": "channels",
        "y": "channel",
        "x": "revenue",
        "color": "currency",
        "title": "Revenue by channel",
        "subtitle": "by first touch; currencies are never added",
        "x_title": "revenue",
    }
    return Analysis("channels", tables, summary, chart)


def owners(related: Related, *, neglected_after_days: int = 90) -> Analysis:
    """What each owner does and what comes of it: contacts kept, calls, letters, meetings, response, deals, revenue, overdue tasks."""
    cells: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    kept: dict[str, set[int]] = defaultdict(set)
    last_touch: dict[tuple[str, int], int] = {}
    responses: dict[str, list[float]] = defaultdict(list)
    paths: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    by_contact: dict[int, list[tuple[int, str]]] = defaultdict(list)
    interactions = related.find("interactions")
    if interactions is not None and interactions.has("owner"):
        kinds = interactions.text("kind", "other")
        wait = interactions.number("response_minutes") if interactions.has("response_minutes") else np.full(len(interactions), np.nan)
        seen: set[tuple[str, int]] = set()
        order = np.argsort(interactions.time("occurred_at"), kind="stable")
        for at in order.tolist():
            owner, person, when, kind = (
                interactions.text("owner")[at],
                int(interactions.contact[at]),
                int(interactions.time("occurred_at")[at]),
                kinds[at],
            )
            if person >= 0:
                by_contact[person].append((when, kind))
            if owner is None or when == NEVER:
                continue
            group = {
                "call": "calls",
                "email": "letters",
                "e-mail": "letters",
                "letter": "letters",
                "meeting": "meetings",
                "visit": "meetings",
            }.get(kind, "other_contacts")
            cells[owner][group] += 1
            if person >= 0:
                kept[owner].add(person)
                last_touch[owner, person] = when
                if (owner, person) not in seen and not np.isnan(wait[at]):
                    responses[owner].append(float(wait[at]))
                    seen.add((owner, person))
    revenue: dict[tuple[str, str], int] = defaultdict(int)
    deals = related.find("deals")
    if deals is not None and deals.has("owner"):
        closed = deals.time("closed_at") if deals.has("closed_at") else np.full(len(deals), NEVER)
        created = deals.first_time("created_at", "closed_at")
        for owner, person, stage, amount, money, start, end in zip(
            deals.text("owner"),
            deals.contact.tolist(),
            deals.text("stage"),
            deals.money().tolist(),
            deals.currency(),
            created.tolist(),
            closed.tolist(),
            strict=True,
        ):
            if owner is None:
                continue
            cells[owner]["deals"] += 1
            if person >= 0:
                kept[owner].add(person)
                last_touch.setdefault((owner, person), start)
            if stage in ("won", "lost"):
                cells[owner][stage] += 1
                until = end if end != NEVER else related.now
                steps = [kind for when, kind in by_contact.get(person, []) if when <= until]
                cells[owner][f"{stage}_touches"] += len(steps)
                path = " > ".join(steps[-4:]) or "no contact recorded"
                paths[owner, path][0 if stage == "won" else 1] += 1
            if stage == "won":
                revenue[owner, money] += amount
    tasks = related.find("tasks")
    if tasks is not None and tasks.has("owner"):
        done = tasks.time("done_at") if tasks.has("done_at") else np.full(len(tasks), NEVER)
        for owner, due, end in zip(tasks.text("owner"), tasks.time("due_at").tolist(), done.tolist(), strict=True):
            if owner is not None:
                cells[owner]["open_tasks"] += end == NEVER
                cells[owner]["overdue_tasks"] += end == NEVER and NEVER != due < related.now
    if not cells:
        related.need("interactions", "deals", "tasks").text("owner")
    limit = related.now - neglected_after_days * DAY
    rows = []
    for owner in sorted(cells):
        cell = cells[owner]
        rows.append(
            {
                "owner": owner, "contacts_kept": len(kept[owner]), **{f: cell[f] for f in ("calls", "letters", "meetings", "other_contacts")},
                "median_response_minutes": float(np.median(responses[owner])) if responses[owner] else None,
                "deals": cell["deals"], "won": cell["won"], "lost": cell["lost"], "win_rate": ratio(cell["won"], cell["won"] + cell["lost"]),
                "contacts_per_won_deal": ratio(cell["won_touches"], cell["won"]), "open_tasks": cell["open_tasks"], "overdue_tasks": cell["overdue_tasks"],
                "neglected_contacts": sum(when < limit for (who, _), when in last_touch.items() if who == owner),
            }
        )  # fmt: skip
    money_rows = [
        {"owner": owner, "currency": money or None, "won_amount": decimal(amount)} for (owner, money), amount in sorted(revenue.items())
    ]
    path_rows = [
        {"owner": o, "last_contacts": p, "won": w, "lost": lost, "win_rate": ratio(w, w + lost)}
        for (o, p), (w, lost) in sorted(paths.items(), key=lambda item: (item[0][0], -sum(item[1]), item[0][1]))
    ]
    ints = ("contacts_kept", "calls", "letters", "meetings", "other_contacts")
    tables = {
        "owners": table(
            sorted(rows, key=lambda r: (-r["won"], r["owner"])),
            owner=TEXT,
            **dict.fromkeys(ints, INT),
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
        "revenue": table(money_rows, owner=TEXT, currency=TEXT, won_amount=MONEY),
        "paths": table(path_rows, owner=TEXT, last_contacts=TEXT, won=INT, lost=INT, win_rate=FLOAT),
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


def campaigns(related: Related, *, within_days: int = 30, segments: Any = None) -> Analysis:
    """What became of each mailing: sent, opened, answered, deals and orders by those addressed in the days after, against cost."""
    sent = related.need("campaign_contacts")
    ids = sent.text("campaign_id")
    about = related.find("campaigns")
    info: dict[str, dict[str, Any]] = {}
    if about is not None:
        name = about.text("name") if about.has("name") else about.text("campaign_id")
        cost, currency = (about.money("cost") if about.has("cost") else np.zeros(len(about), np.int64)), about.currency()
        info = {
            key: {"name": n, "cost": int(c), "currency": k}
            for key, n, c, k in zip(about.text("campaign_id"), name, cost, currency, strict=True)
        }
    segment_of: dict[int, str] = {}
    if segments is not None:
        from crm_engine.analyses.related import Rows
        from crm_engine.columns import load_table

        members = Rows(related, "segments", load_table(segments, "segments"))
        segment_of = dict(zip(members.contact.tolist(), members.text("segment").tolist(), strict=True))
    counts: dict[tuple[str, str | None], dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    addressed: dict[int, list[tuple[int, str, str | None]]] = defaultdict(list)
    opened = sent.time("opened_at") if sent.has("opened_at") else np.full(len(sent), NEVER)
    answered = sent.time("answered_at") if sent.has("answered_at") else np.full(len(sent), NEVER)
    for key, person, when, o, a in zip(
        ids, sent.contact.tolist(), sent.time("sent_at").tolist(), opened.tolist(), answered.tolist(), strict=True
    ):
        segment = segment_of.get(person) if segment_of else None
        cell = counts[key, segment]
        cell["sent"] += when != NEVER
        cell["opened"] += o != NEVER
        cell["answered"] += a != NEVER
        if person >= 0 and when != NEVER:
            addressed[person].append((when, key, segment))
    deals = related.find("deals")
    if deals is not None:
        for person, when in zip(deals.contact.tolist(), deals.first_time("created_at").tolist(), strict=True):
            if (hit := _latest(addressed.get(person, []), when, within_days)) is not None:
                counts[hit]["deals"] += 1
    revenue: dict[tuple[str, str | None, str], int] = defaultdict(int)
    if related.find("orders") is not None:
        for person, when, amount, money in zip(*(values.tolist() for values in purchases(related)), strict=True):
            if (hit := _latest(addressed.get(person, []), when, within_days)) is not None:
                counts[hit]["orders"] += 1
                revenue[(*hit, money)] += amount
    rows = []
    for (key, segment), cell in sorted(counts.items(), key=lambda item: (str(item[0][0]), str(item[0][1]))):
        known = info.get(key, {})
        rows.append(
            {
                "campaign": key, "name": known.get("name"), "segment": segment, **{f: cell[f] for f in ("sent", "opened", "answered")},
                "open_rate": ratio(cell["opened"], cell["sent"]), "answer_rate": ratio(cell["answered"], cell["sent"]), "deals": cell["deals"], "orders": cell["orders"],
                "cost": decimal(known["cost"]) if "cost" in known and segment is None else None, "cost_currency": known.get("currency") or None,
            }
        )  # fmt: skip
    money_rows = [
        {"campaign": k, "segment": s, "currency": c or None, "revenue": decimal(a)}
        for (k, s, c), a in sorted(revenue.items(), key=lambda i: tuple(map(str, i[0])))
    ]
    tables = {
        "campaigns": table(
            rows,
            campaign=TEXT,
            name=TEXT,
            segment=TEXT,
            sent=INT,
            opened=INT,
            answered=INT,
            open_rate=FLOAT,
            answer_rate=FLOAT,
            deals=INT,
            orders=INT,
            cost=MONEY,
            cost_currency=TEXT,
        ),
        "revenue": table(money_rows, campaign=TEXT, segment=TEXT, currency=TEXT, revenue=MONEY),
    }
    chart = {
        "kind": "bar",
        "table": "campaigns",
        "y": "name" if about is not None else "campaign",
        "x": "open_rate",
        "title": "Opened of sent",
        "subtitle": "by campaign",
        "format": "%",
        "label_format": ".0%",
        "x_title": "open rate",
    }
    return Analysis("campaigns", tables, {"campaigns": len({r["campaign"] for r in rows}), "within_days": within_days}, chart)


def _latest(sent: list[tuple[int, str, str | None]], when: int, within_days: int) -> tuple[str, str | None] | None:
    """The campaign that was sent last before ``when``, if not too long before."""
    before = [item for item in sent if item[0] <= when <= item[0] + within_days * DAY]
    if not before:
        return None
    _, key, segment = max(before, key=lambda item: item[0])
    return key, segment
