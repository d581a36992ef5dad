"""Care: service, and what is due."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

import numpy as np

from crm_engine.analyses.dealings import purchases
from crm_engine.analyses.figures import DATE, DAY, FLOAT, INT, NEVER, TEXT, Analysis, day_of, days_late, month_name, month_of, ratio, table
from crm_engine.analyses.related import Related

#: Interaction kinds that ask for an answer.
_ASKING = ("complaint", "review", "quote_request", "chat")


def service(related: Related, *, loyal_days: int = 180) -> Analysis:
    """Complaints and requests: opened, answered, response and solution, satisfaction, and what those who were served bought after.

    ``answered``: has an outcome other than none or "no answer"; ``solved``: the outcome is "resolved"; ``solution_minutes`` is used where
    such a column is there. ``bought_again``: contacts with a purchase within ``loyal_days`` after.
    """
    rows = related.need("interactions")
    kinds, when, person = rows.word("kind", "other"), rows.time("occurred_at"), rows.contact
    outcome = rows.word("outcome") if rows.has("outcome") else np.full(len(rows), None)
    response = rows.number("response_minutes") if rows.has("response_minutes") else np.full(len(rows), np.nan)
    solution = rows.number("solution_minutes") if rows.has("solution_minutes") else np.full(len(rows), np.nan)
    rating = rows.number("satisfaction") if rows.has("satisfaction") else np.full(len(rows), np.nan)
    bought: dict[int, list[int]] = defaultdict(list)
    if related.find("orders") is not None or related.find("deals") is not None:
        for who, at, _, _ in zip(*(column.tolist() for column in purchases(related)), strict=True):
            bought[who].append(at)
    asking = np.isin(kinds, _ASKING) & (when != NEVER) & (when < related.now)

    def line(mask: np.ndarray) -> dict[str, Any]:
        served = {int(p) for p in person[mask] if p >= 0}
        first: dict[int, int] = {}
        for p, at in zip(person[mask].tolist(), when[mask].tolist(), strict=True):
            first[p] = min(first.get(p, at), at)
        again = sum(any(first[p] < at <= first[p] + loyal_days * DAY for at in bought.get(p, ())) for p in served)
        answered = np.array([value is not None and value != "no answer" for value in outcome[mask]], bool)

        def middle(values: np.ndarray, how: Any) -> float | None:
            good = values[mask][~np.isnan(values[mask])]
            return float(how(good)) if len(good) else None

        return {
            "opened": int(mask.sum()), "answered": int(answered.sum()), "answered_share": ratio(answered.sum(), mask.sum()),
            "solved": int((outcome[mask] == "resolved").sum()), "median_response_minutes": middle(response, np.median), "median_solution_minutes": middle(solution, np.median),
            "mean_satisfaction": middle(rating, np.mean), "contacts": len(served), "bought_again": again, "bought_again_share": ratio(again, len(served)),
        }  # fmt: skip

    by_kind = [{"kind": kind, **line(asking & (kinds == kind))} for kind in _ASKING if (asking & (kinds == kind)).any()]
    months = month_of(np.where(asking, when, 0))
    by_month = [{"month": month_name(month), **line(asking & (months == month))} for month in sorted(set(months[asking].tolist()))]
    satisfied = []
    for label, mask in (
        ("4 to 5", rating >= 4),
        ("3", (rating >= 3) & (rating < 4)),
        ("1 to 2", rating < 3),
        ("not rated", np.isnan(rating)),
    ):
        if (asking & mask).any():
            satisfied.append(
                {
                    "satisfaction": label,
                    **{k: v for k, v in line(asking & mask).items() if k in ("contacts", "bought_again", "bought_again_share")},
                }
            )
    types = {
        "opened": INT,
        "answered": INT,
        "answered_share": FLOAT,
        "solved": INT,
        "median_response_minutes": FLOAT,
        "median_solution_minutes": FLOAT,
        "mean_satisfaction": FLOAT,
        "contacts": INT,
        "bought_again": INT,
        "bought_again_share": FLOAT,
    }
    tables = {
        "service": table(by_kind, kind=TEXT, **types),
        "by_month": table(by_month, month=TEXT, **types),
        "loyalty": table(satisfied, satisfaction=TEXT, contacts=INT, bought_again=INT, bought_again_share=FLOAT),
    }
    chart = {
        "kind": "line",
        "table": "by_month",
        "x": "month",
        "y": "mean_satisfaction",
        "title": "Satisfaction",
        "subtitle": "mean rating of complaints, reviews, requests and chats by month",
        "y_title": "mean rating",
        "format": ".1f",
    }
    return Analysis("service", tables, {"opened": int(asking.sum()), "loyal_days": loyal_days}, chart)


def reminders(related: Related, *, ahead_days: int = 7, neglected_after_days: int | dict[str, int] = 90) -> Analysis:
    """Tasks due within ``ahead_days`` or overdue, and contacts left alone for too long, each with its owner and day.

    ``neglected_after_days`` is one number, or one per owner with ``default``. Contacts that were never spoken to are not
    neglected but new, and are left out.
    """
    rows: list[dict[str, Any]] = []
    tasks = related.find("tasks")
    if tasks is not None:
        title = tasks.text("title", "task") if tasks.has("title") else np.full(len(tasks), "task", object)
        owner = tasks.text("owner") if tasks.has("owner") else np.full(len(tasks), None)
        for person, due, is_open, text, who in zip(
            tasks.contact.tolist(), tasks.time("due_at").tolist(), tasks.open_tasks().tolist(), title, owner, strict=True
        ):
            if is_open and due != NEVER and due < related.now + ahead_days * DAY:
                late = days_late(due, related.now)
                rows.append({"kind": "task", "due": day_of(due), "owner": who, "contact": person, "what": text, "days_late": late})
    last: dict[int, tuple[int, str | None]] = {}
    interactions = related.find("interactions")
    if interactions is not None:
        owner = interactions.text("owner") if interactions.has("owner") else np.full(len(interactions), None)
        for person, when, who in zip(interactions.contact.tolist(), interactions.time("occurred_at").tolist(), owner, strict=True):
            if person >= 0 and NEVER != when < related.now and when >= last.get(person, (NEVER, None))[0]:
                last[person] = (when, who)
    if tasks is None and interactions is None:
        related.need("tasks", "interactions")
    for person, (when, who) in last.items():
        rule = neglected_after_days
        limit = rule.get(who or "", rule.get("default", 90)) if isinstance(rule, dict) else rule
        due = when + limit * DAY
        if due < related.now:
            rows.append(
                {
                    "kind": "neglected",
                    "due": day_of(due),
                    "owner": who,
                    "contact": person,
                    "what": f"no contact since {day_of(when)}",
                    "days_late": days_late(due, related.now),
                }
            )
    names = (
        related.names(np.array([max(row["contact"], 0) for row in rows], np.int64)).to_pylist()
        if related.contact_names
        else [None] * len(rows)
    )
    for row, name in zip(rows, names, strict=True):
        row["contact"] = name if row["contact"] >= 0 else None
    rows.sort(key=lambda row: (row["due"], row["kind"], row["owner"] or "", row["contact"] or "", row["what"]))
    owners: dict[tuple[str | None, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        owners[row["owner"], row["kind"]][0] += 1
        owners[row["owner"], row["kind"]][1] += row["days_late"] > 0
    by_owner = [
        {"owner": who, "kind": kind, "due": n, "late": late}
        for (who, kind), (n, late) in sorted(owners.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    ]
    tables = {
        "reminders": table(rows, kind=TEXT, due=DATE, owner=TEXT, contact=TEXT, what=TEXT, days_late=INT),
        "by_owner": table(by_owner, owner=TEXT, kind=TEXT, due=INT, late=INT),
    }
    chart = {
        "kind": "bar",
        "table": "by_owner",
        "y": "owner",
        "x": "due",
        "color": "kind",
        "title": "Due and neglected",
        "subtitle": f"as of {related.today}",
        "x_title": "reminders",
    }
    return Analysis(
        "reminders", tables, {"reminders": len(rows), "late": sum(row["days_late"] > 0 for row in rows), "today": str(related.today)}, chart
    )


def calendar(analysis: Analysis) -> str:
    """Reminders as an iCalendar file (RFC 5545): one whole-day to-do each; the same reminder has the same identity in every file."""
    import hashlib

    stamp = dt.datetime.fromisoformat(analysis.summary["today"]).strftime("%Y%m%dT000000Z")
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//crm_engine//reminders//EN", "CALSCALE:GREGORIAN"]
    for row in analysis.table.to_pylist():
        identity = "|".join(str(row[key] or "") for key in ("kind", "contact", "what", "due", "owner"))
        title = row["what"] if row["kind"] == "task" else "Get in touch"
        text = ", ".join(str(part) for part in (row["what"], row["contact"], row["owner"]) if part)
        lines += [
            "BEGIN:VEVENT",
            f"UID:{hashlib.sha256(identity.encode()).hexdigest()[:32]}@crm-engine",
            f"DTSTAMP:{stamp}",
            f"DTSTART;VALUE=DATE:{row['due']:%Y%m%d}",
        ]
        lines += [
            f"SUMMARY:{_ics(title + ': ' + str(row['contact'] or ''))}",
            f"DESCRIPTION:{_ics(text)}",
            f"CATEGORIES:{row['kind'].upper()}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) for line in lines)


def _ics(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\r", "").replace("\n", "\\n")


def _folded(line: str) -> str:
    """Lines of at most 75 bytes, the following ones indented by a blank; no character is cut in two."""
    parts, current, size = [], "", 0
    for char in line:
        width = len(char.encode())
        if size + width > 74:
            parts.append(current)
            current, size = " ", 1
        current += char
        size += width
    return "\r\n".join([*parts, current]) + "\r\n"
