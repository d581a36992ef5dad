"""Retention: of those who began in a period, how many came back in each period after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.columns import PERIODS, check_options, column, first_column, ids, load_config, load_table, period, texts, times
from crm_engine.errors import ConfigError
from crm_engine.segment import segment
from crm_engine.told_once import dates_told_once
from crm_engine.written import check_date_order


@dates_told_once
def retention(events: Any, config: Any = None) -> pa.Table:
    """Cohorts by the period of a contact's first event, and the share that had another event each period later.

    Options: ``contact``, ``time``, ``period`` (``month`` by default), ``start`` and ``return`` (rules, or ``{column: value}``; any
    event otherwise), ``timezone``. Columns: ``cohort``, ``period`` (0 is the cohort's own), ``contacts``, ``share``.

    >>> import pyarrow as pa, datetime as dt
    >>> events = pa.table({"contact_id": [1, 1, 2], "time": [dt.datetime(2026, 1, 5), dt.datetime(2026, 2, 9), dt.datetime(2026, 1, 7)]})
    >>> [(row["period"], row["contacts"]) for row in retention(events).to_pylist()]
    [(0, 2), (1, 1)]
    """
    options = load_config(config, "retention")
    check_options(options, ("contact", "time", "period", "start", "return", "timezone", "date_order"), "retention")
    unit = options.get("period", "month")
    if unit not in PERIODS:
        raise ConfigError(f"retention: period {unit!r} is unknown; use one of {', '.join(PERIODS)}")
    table = load_table(events, "events")
    contact_name = options.get("contact") or first_column(
        table, ("contact_id", "contact", "customer_id", "customer_no"), "events", "contact"
    )
    time_name = options.get("time") or first_column(table, ("time", "occurred_at", "ts", "placed_at", "created_at"), "events", "time")
    # Empty text is no contact, as in event funnels.
    who = ids(column(table, contact_name, "events")).dictionary_encode().unify_dictionaries()
    contact = np.concatenate([chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy() for chunk in who.chunks] or [np.zeros(0, np.int64)])
    when = times(column(table, time_name, "events"), time_name, "events", order=check_date_order(options.get("date_order")))
    days = period(when, unit, options.get("timezone"))
    number = _period_numbers(days, unit)
    valid = (contact >= 0) & days.is_valid().to_numpy()
    n_contacts = int(contact.max()) + 1 if len(contact) else 0
    first = np.full(n_contacts, np.iinfo(np.int64).max)
    starts = valid & _matches(table, options.get("start"), "start")
    np.minimum.at(first, contact[starts], number[starts])
    back = valid & _matches(table, options.get("return"), "return")
    cohort, offset = first[contact[back]], number[back] - first[contact[back]]
    known = (cohort < np.iinfo(np.int64).max) & (offset >= 0)
    # A contact's own first event brings it to period 0 whatever counts as returning.
    rows = np.stack(
        [
            np.r_[cohort[known], first[first < np.iinfo(np.int64).max]],
            np.r_[offset[known], np.zeros((first < np.iinfo(np.int64).max).sum(), np.int64)],
            np.r_[contact[back][known], np.flatnonzero(first < np.iinfo(np.int64).max)],
        ]
    )
    rows = np.unique(rows, axis=1)
    pairs, counts = np.unique(rows[:2], axis=1, return_counts=True)
    sizes = {int(c): int(n) for c, o, n in zip(pairs[0], pairs[1], counts, strict=True) if o == 0}
    return pa.table(
        {
            "cohort": pa.array([_start_of(int(c), unit) for c in pairs[0]], pa.date32()),
            "period": pa.array(pairs[1], pa.int64()),
            "contacts": pa.array(counts, pa.int64()),
            "share": pa.array([int(n) / sizes[int(c)] for c, n in zip(pairs[0], counts, strict=True)], pa.float64()),
        }
    )


def _matches(table: pa.Table, wanted: Any, option: str) -> np.ndarray:
    """Which events fulfil a rule, or have these values."""
    if isinstance(wanted, str):
        rows = table.append_column("(row)", pa.array(np.arange(table.num_rows)))
        return segment(rows, {"segments": {option: wanted}}, key="(row)").mask(option)
    if wanted is not None and not isinstance(wanted, Mapping):
        raise ConfigError(f"retention: {option} is {wanted!r}, and must be a rule, or a mapping of columns to values")
    found = np.ones(table.num_rows, bool)
    for name, value in (wanted or {}).items():
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
