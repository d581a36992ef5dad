"""The targets of a plan: what can be planned, and the rows of a plan as they are written, checked."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from crm_engine.amounts import amounts_of
from crm_engine.columns import check_options, column, load_config, load_table, texts
from crm_engine.config import nearest
from crm_engine.errors import ConfigError
from crm_engine.related_words import known_columns, own_name, with_columns, words_of
from crm_engine.written_currencies import currencies, without_currencies

#: What can be planned, and what it counts.
METRICS = {
    "active_clients_kept": "clients that bought in the 365 days before the period and bought again in it",
    "new_clients": "contacts whose first purchase falls into the period",
    "engaged_contacted": "contacts that were engaged and had not bought, and were contacted in the period",
    "products_sold_new": "pieces bought by those whose first purchase falls into the period",
    "products_sold_active": "pieces bought by those who were clients before",
    "contacts_made": "calls, letters, meetings and all other contacts that went out",
    "calls": "calls that went out",
    "letters": "letters and e-mails that went out",
    "meetings": "meetings and visits",
    "chats": "chats and talks in social networks, whoever began them",
    "complaints": "complaints, whoever took them down",
    "reviews": "reviews",
    "quote_requests": "requests for a quote",
    "revenue": "amount of what was bought, in the target's currency",
}
_MOST = Decimal(10) ** 15
_OPTIONS = ("period", "owner", "metric", "product", "target", "currency")


def targets_of(plans: Any) -> list[dict[str, Any]]:
    """Targets as checked rows with their period as (first day, day after the last)."""
    if isinstance(plans, str | os.PathLike) and Path(plans).suffix.lower() in (".yaml", ".yml", ".json"):
        listed = load_config(plans, "plans").get("plans")
        if not isinstance(listed, list):
            raise ConfigError(f"{os.fspath(plans)}: it must have a list 'plans' of targets")
        rows = []
        for number, item in enumerate(listed, 1):
            if not isinstance(item, dict):
                raise ConfigError(f"{os.fspath(plans)}: plan {number} must be a mapping with period, metric and target")
            check_options(item, _OPTIONS, f"plan {number}")
            rows.append({key: None if item.get(key) is None else str(item[key]) for key in _OPTIONS})
        given = pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in _OPTIONS]))
    else:
        given = load_table(plans, "plans")
        given = with_columns(given, known_columns(given, "plans"))
    for name in ("period", "metric", "target"):
        column(given, name, "plans")
    columns = {name: texts(given[name]).to_pylist() if name in given.column_names else [None] * len(given) for name in _OPTIONS}
    columns["metric"] = words_of(np.array(columns["metric"], object), "metric").tolist()
    amounts, named = without_currencies(given["target"])
    goals = amounts_of(amounts, own_name(given, "target"), "plans")[0].to_pylist()
    found = currencies(given["currency"] if "currency" in given.column_names else None, named, "plans")
    if found is not None:
        columns["currency"] = found.to_pylist()
    rows = [dict(zip(_OPTIONS, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    targets: list[dict[str, Any]] = []
    by_key: dict[tuple[Any, ...], list[tuple[int, tuple[dt.date, dt.date]]]] = defaultdict(list)
    for number, (row, goal) in enumerate(zip(rows, goals, strict=True), 1):
        where = f"row {number} of the plans"
        if row["metric"] not in METRICS:
            known = ", ".join(METRICS)
            raise ConfigError(f"{where}: the metric {row['metric']!r} is unknown; there are {known}{nearest(str(row['metric']), METRICS)}")
        span = _span(row["period"], where)
        if goal is None or not 0 <= goal < _MOST:
            raise ConfigError(
                f"{where}: the target {row['target']!r} must be an amount such as 1234.50 or 1 234,50: 0 or more, and below {_MOST:g}"
            )
        if row["metric"] == "revenue" and not row["currency"]:
            raise ConfigError(f"{where}: a target of revenue needs its currency, because amounts of different currencies are never added")
        key = tuple(row[name] for name in ("owner", "metric", "product", "currency"))
        for other, taken in by_key[key]:
            if span[0] < taken[1] and taken[0] < span[1]:
                who, both = row["owner"] or "everybody", f"{rows[other - 1]['period']} and {row['period']}"
                raise ConfigError(f"{where} overlaps row {other}: both plan {row['metric']!r} of {who} for {both}; keep one")
        by_key[key].append((number, span))
        targets.append({**row, "target": goal.quantize(Decimal("0.01")), "span": span})
    return targets


#: Ways to write a period: a year, a quarter, a week, a month; and those that people use besides (``05.2026``, ``Q2 2026``, ``2 кв. 2026``).
_PERIODS = (
    r"(?P<year>\d{4})(?:-?\s?(?:[QК](?P<quarter>[1-4])|W(?P<week>\d\d?))|-(?P<month>\d\d?))?",
    r"(?P<month>\d\d?)[./](?P<year>\d{4})",
    r"(?:Q|КВ\.?\s?)(?P<quarter>[1-4])[\s-](?P<year>\d{4})(?:\s?Г\.?)?",
    r"(?P<quarter>[1-4])\s?-?\s?(?:КВ(?:\.|АРТАЛ)?|CET(?:\.|URKSNIS)?)[\s-](?P<year>\d{4})(?:\s?Г\.?)?",
)


def _span(period: Any, where: str) -> tuple[dt.date, dt.date]:
    """A period as (first day, day after the last)."""
    text = str(period).strip().upper()
    match = next((found for form in _PERIODS if (found := re.fullmatch(form, text))), None)
    parts = {name: int(value) for name, value in match.groupdict().items() if value} if match else {}
    try:
        return _days(**parts)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: the period {period!r} is none; write 2026, 2026-Q2, 2026-05 or 2026-W07") from None


def _days(year: int, *, quarter: int | None = None, week: int | None = None, month: int | None = None) -> tuple[dt.date, dt.date]:
    if quarter is not None:
        return dt.date(year, quarter * 3 - 2, 1), dt.date(year + quarter // 4, quarter % 4 * 3 + 1, 1)
    if week is not None:
        monday = dt.date.fromisocalendar(year, week, 1)
        return monday, monday + dt.timedelta(days=7)
    if month is not None:
        return dt.date(year, month, 1), dt.date(year + month // 12, month % 12 + 1, 1)
    return dt.date(year, 1, 1), dt.date(year + 1, 1, 1)
