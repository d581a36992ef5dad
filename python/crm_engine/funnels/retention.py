"""Retention: of those who began in a period, how many came back in each period after."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.analyses.figures import DATE, FLOAT, INT, Analysis
from crm_engine.analyses.related import Related
from crm_engine.analyses.table_sources import is_table_folder
from crm_engine.columns import PERIODS, check_options, column, ids, load_config, load_table, period, texts, times
from crm_engine.errors import ConfigError
from crm_engine.funnels.events import key_names, read_by_words
from crm_engine.funnels.options import rule_text
from crm_engine.funnels.over_tables import events_of
from crm_engine.segment import segment
from crm_engine.told_once import dates_told_once
from crm_engine.written import check_date_order

OPTIONS = ("events", "contact", "time", "period", "start", "return", "timezone", "date_order", "name")
#: What a mapping has that is a rule, if they are no columns; any other mapping is columns with their values.
_OF_A_RULE = frozenset(("all", "any", "none", "field", "segment", "sql"))


@dates_told_once
def retention(events: Any, config: Any = None, *, today: dt.date | None = None) -> Analysis:
    """Cohorts by the period of a contact's first event, and the share that had another event each period later.

    ``events`` is a path or anything that offers Arrow; or a base, or a folder or mapping of tables, of which ``events`` in the config names one
    or several (``interactions`` otherwise). Options: ``contact``, ``time``, ``period`` (``month`` by default), ``start`` and ``return`` (rules
    in any form, or ``{column: value}``; any event otherwise), ``timezone``. The result's ``table`` has ``cohort``, ``period`` (0 is the
    cohort's own), ``contacts``, ``share``; its ``tables["cohorts"]`` a row per cohort.

    >>> import pyarrow as pa, datetime as dt
    >>> events = pa.table({"contact_id": [1, 1, 2], "time": [dt.datetime(2026, 1, 5), dt.datetime(2026, 2, 9), dt.datetime(2026, 1, 7)]})
    >>> [(row["period"], row["contacts"]) for row in retention(events).table.to_pylist()]
    [(0, 2), (1, 1)]
    """
    options = load_config(config, "retention")
    check_options(options, OPTIONS, "retention")
    unit = options.get("period", "month")
    if unit not in PERIODS:
        raise ConfigError(f"retention: period {unit!r} is unknown; use one of {', '.join(PERIODS)}")
    order = check_date_order(options.get("date_order"))
    warnings: list[str] = []
    related = Related(events, today, date_order=order) if _are_tables(events, options) else None
    if related is not None:
        table, options = events_of(related, options)
    else:
        table = load_table(events, "events")
    contact_name, time_name = key_names(table, options)
    # Empty text is no contact, as in event funnels.
    who = ids(column(table, contact_name, "events")).dictionary_encode().unify_dictionaries()
    contact = np.concatenate([chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy() for chunk in who.chunks] or [np.zeros(0, np.int64)])
    when = times(column(table, time_name, "events"), time_name, "events", order=order)
    number = _period_numbers(period(when, unit, options.get("timezone")), unit)
    valid = (contact >= 0) & when.is_valid().to_numpy()
    starts, back = (valid & _matches(table, options.get(option), option, today, warnings) for option in ("start", "return"))
    found = _cohorts(contact, number, starts, back, unit)
    sizes = found.filter(pc.equal(found["period"], 0))
    summary = {
        "name": str(options.get("name", "retention")), "period": unit, "cohorts": sizes.num_rows, "contacts": pc.sum(sizes["contacts"]).as_py() or 0,
        "rows": table.num_rows, "rows_without_contact_or_time": int((~valid).sum()), "warnings": warnings,
    }  # fmt: skip
    summary |= read_by_words(table, (contact_name, time_name), options)
    if related is not None:
        related.tell(summary)
    chart = {
        "kind": "heat",
        "table": "retention",
        "rows": found.num_rows,
        "x": "period",
        "y": "cohort",
        "value": "share",
        "ends": _ends(found, unit),
        "y_digits": {"year": 4, "month": 7, "quarter": 7}.get(unit, 10),
        "title": summary["name"].capitalize(),
        "subtitle": f"share of those who began in each {unit} that came back, by {unit}s since",
    }
    return Analysis("retention", {"retention": found, "cohorts": _wide(found, unit)}, summary, chart)


def _are_tables(events: Any, options: dict[str, Any]) -> bool:
    """Whether these are tables by name and not one table of events."""
    if isinstance(events, str | os.PathLike):
        return is_table_folder(events) or (os.path.isdir(events) and "events" in options)
    if isinstance(events, Mapping):
        return "events" in options or (bool(events) and all(_is_table(value) for value in events.values()))
    return hasattr(events, "table") and not hasattr(events, "__arrow_c_stream__")


def _is_table(value: Any) -> bool:
    """Whether a value of a mapping is a table, or the path of one, and no column: streams of Arrow are either."""
    return isinstance(value, str | os.PathLike | Mapping | pa.RecordBatchReader) or hasattr(value, "columns")


def _cohorts(contact: np.ndarray, number: np.ndarray, starts: np.ndarray, back: np.ndarray, unit: str) -> pa.Table:
    never = np.iinfo(np.int64).max
    first = np.full(int(contact.max()) + 1 if len(contact) else 0, never)
    np.minimum.at(first, contact[starts], number[starts])
    cohort, offset = first[contact[back]], number[back] - first[contact[back]]
    known = (cohort < never) & (offset >= 0)
    began = np.flatnonzero(first < never)
    # A contact's own first event brings it to period 0 whatever counts as returning.
    who, after = np.r_[contact[back][known], began], np.r_[offset[known], np.zeros(len(began), np.int64)]
    n_periods = int(after.max(initial=0)) + 1
    # One number per contact and period, because numbers sort many times faster than rows of them; a contact has one cohort.
    who, after = np.divmod(np.unique(who * n_periods + after), n_periods)
    pairs, counts = np.unique(first[who] * n_periods + after, return_counts=True)
    cohorts, periods = np.divmod(pairs, n_periods)
    sizes = dict(zip(cohorts[periods == 0].tolist(), counts[periods == 0].tolist(), strict=True))
    return pa.table(
        {
            "cohort": pa.array([_start_of(start, unit) for start in cohorts.tolist()], DATE),
            "period": pa.array(periods, INT),
            "contacts": pa.array(counts, INT),
            "share": pa.array([n / sizes[start] for start, n in zip(cohorts.tolist(), counts.tolist(), strict=True)], FLOAT),
        }
    )


def _wide(found: pa.Table, unit: str) -> pa.Table:
    """A row per cohort: how many began, and the share that came back in each period after; nothing for periods that are still to come."""
    numbers = _period_numbers(found["cohort"], unit).tolist()
    shares = dict(zip(zip(numbers, found["period"].to_pylist(), strict=True), found["share"].to_pylist(), strict=True))
    latest = max((start + after for start, after in shares), default=0)
    last = max((after for _, after in shares), default=0)
    rows = []
    for start, row in zip(numbers, found.to_pylist(), strict=True):
        if row["period"] == 0:
            seen = {_after(unit, after): shares.get((start, after), 0.0) for after in range(1, min(last, latest - start) + 1)}
            rows.append({"cohort": row["cohort"], "contacts": row["contacts"], **seen})
    schema = [("cohort", DATE), ("contacts", INT), *((_after(unit, after), FLOAT) for after in range(1, last + 1))]
    return pa.Table.from_pylist(rows, pa.schema(schema))


def _ends(found: pa.Table, unit: str) -> list[tuple[Any, int]]:
    """Each cohort with the last period that it can have come back in by now."""
    numbers = _period_numbers(found["cohort"], unit)
    latest = int((numbers + found["period"].to_numpy()).max(initial=0))
    return [(cohort, latest - number) for cohort, number in dict(zip(found["cohort"].to_pylist(), numbers.tolist(), strict=True)).items()]


def _after(unit: str, number: int) -> str:
    return f"{unit}_{number}_share"


def _matches(table: pa.Table, wanted: Any, option: str, today: dt.date | None, warnings: list[str]) -> np.ndarray:
    """Which events fulfil a rule, or have these values."""
    if wanted is None:
        return np.ones(table.num_rows, bool)
    if isinstance(wanted, Mapping) and not wanted.keys() & _OF_A_RULE - set(table.column_names):
        return _have(table, wanted)
    rows = table.append_column("(row)", pa.array(np.arange(table.num_rows)))
    found = segment(rows, {"segments": {option: rule_text(wanted, f"retention: {option}")}}, key="(row)", today=today)
    warnings += [f"{option}: {warning}" for warning in found.warnings]
    return np.asarray(found.mask(option))


def _have(table: pa.Table, wanted: Mapping[str, Any]) -> np.ndarray:
    found = np.ones(table.num_rows, bool)
    for name, value in wanted.items():
        values = value if isinstance(value, list) else [value]
        mask = pc.is_in(texts(column(table, name, "events")), value_set=pa.array([str(v) for v in values], pa.string()))
        found &= mask.to_numpy(zero_copy_only=False)
    return found


_EPOCH_MONDAY = 3


def _period_numbers(days: pa.ChunkedArray, unit: str) -> np.ndarray:
    """Each period's number, one apart from the next."""
    numbers = np.concatenate([np.asarray(chunk.cast(pa.int32()).fill_null(0)) for chunk in days.chunks] or [np.zeros(0, np.int32)]).astype(
        np.int64
    )
    if unit == "day":
        return numbers
    if unit == "week":
        return (numbers + _EPOCH_MONDAY) // 7
    months = numbers.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months // {"month": 1, "quarter": 3, "year": 12}[unit]


def _start_of(number: int, unit: str) -> Any:
    if unit == "day":
        return np.datetime64(number, "D").item()
    if unit == "week":
        return np.datetime64(number * 7 - _EPOCH_MONDAY, "D").item()
    return np.datetime64(number * {"month": 1, "quarter": 3, "year": 12}[unit], "M").astype("datetime64[D]").item()
