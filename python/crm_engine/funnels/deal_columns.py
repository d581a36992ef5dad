"""The deals' columns as the kernel takes them: ids, stages, amounts, and what deals are told apart by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.amounts import finite, money
from crm_engine.columns import PERIODS, check_options, codes, column, ids, period, period_codes, times
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.funnels.options import breakdowns, names, text, whole_number
from crm_engine.related_words import deal_outcomes, own_name
from crm_engine.written_currencies import currencies, currency_codes, without_currencies

#: Ticks in a second by the unit of a timestamp.
TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def once(deals: pa.Table, options: dict[str, Any]) -> tuple[pa.Table, int]:
    """Each deal once: of several rows the last counts. Also how many rows that leaves out."""
    name = options.get("deal", "deal_id")
    own = column(deals, name, "deals")
    if pa.types.is_integer(own.type) and not own.null_count and len(own):
        numbers = own.to_numpy().astype(np.int64, copy=False)
        if (numbers[1:] > numbers[:-1]).all():
            return deals, 0
        low, high = int(numbers.min()), int(numbers.max())
        if high - low < 8 * len(numbers) + 1_000:
            last = np.full(high - low + 1, -1, np.int64)
            last[numbers - low] = np.arange(len(numbers))
            kept = np.sort(last[last >= 0])
            return (deals, 0) if len(kept) == len(numbers) else (deals.take(pa.array(kept)), len(numbers) - len(kept))
    keys = own if pa.types.is_integer(own.type) else ids(own)
    if keys.null_count:
        raise SchemaError(f"row {pc.index(keys.is_null(), True).as_py() + 1} of the deals has no {own_name(deals, name)!r}")
    if pc.count_distinct(keys, mode="all").as_py() == len(keys):
        return deals, 0
    rows = pa.table({"id": keys, "row": np.arange(len(keys))}).group_by("id").aggregate([("row", "max")])["row_max"]
    kept = np.sort(rows.to_numpy())
    return deals.take(pa.array(kept)), len(keys) - len(kept)


def deal_ids(deals: pa.Table, history: pa.Table | None, options: dict[str, Any]) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    """Deal ids as int64, in both tables alike."""
    name = options.get("deal", "deal_id")
    own = column(deals, name, "deals")
    other = None if history is None else column(history, name, "deal_stages")
    if pa.types.is_integer(own.type):
        if other is not None and not pa.types.is_integer(other.type):
            found = pc.index_in(ids(other), value_set=own.cast(pa.string()).combine_chunks())
            return pa.chunked_array([pa.array(np.arange(len(own)))]), found.cast(pa.int64())
        return own.cast(pa.int64()), None if other is None else other.cast(pa.int64())
    known = ids(own).combine_chunks()
    numbers = pa.chunked_array([pa.array(np.arange(len(own)))])
    if other is None:
        return numbers, None
    other = ids(other)
    found = pc.index_in(other, value_set=known).cast(pa.int64())
    # Rows of unknown deals keep a number, so that they can be counted.
    return numbers, pc.if_else(pc.and_(pc.is_null(found), pc.is_valid(other)), pa.scalar(len(own) + 1), found)


def history_of(deals: pa.Table, history: pa.Table, name: str) -> pa.Table:
    """The rows of the history that belong to these deals."""
    own, other = column(deals, name, "deals"), column(history, name, "deal_stages")
    if not (pa.types.is_integer(own.type) and own.type == other.type):
        own, other = ids(own), ids(other)
    return history.filter(pc.is_in(other, value_set=own.combine_chunks()))


class DealColumns:
    """Amounts, currencies and reasons of the deals, whatever of them there is."""

    def __init__(self, deals: pa.Table, options: dict[str, Any]) -> None:
        n_rows, named = deals.num_rows, None
        amount = options.get("amount", "amount")
        if amount in deals.column_names:
            raw, named = without_currencies(deals[amount])
            read = finite if pa.types.is_float64(raw.type) else money
            self.amount = read(raw, own_name(deals, amount), "deals")
        elif "amount" in options:
            column(deals, amount, "deals")
        else:
            self.amount = pa.chunked_array([pa.nulls(n_rows, pa.decimal128(38, 2))])
        self.scale = 2 if pa.types.is_float64(self.amount.type) else self.amount.type.scale
        default = text(options.get("default_currency"), "default_currency")
        currency = options.get("currency", "currency")
        if named is not None and currency in deals.column_names:
            deals = deals.set_column(deals.column_names.index(currency), currency, currencies(deals[currency], named, "deals"))
        elif named is not None and "currency" not in options:
            # Where no column says it the amounts do.
            deals = deals.append_column(currency, named)
        self.currency_codes, self.currencies = _one_of_each(*self._optional(deals, options, "currency", n_rows, default))
        self.reason_codes, self.reasons = self._optional(deals, options, "lost_reason", n_rows, None)
        created = options.get("created_at", "created_at")
        self.created = None
        if created in deals.column_names:
            self.created = times(deals[created], own_name(deals, created), "deals", order=options.get("date_order"))

    @staticmethod
    def _optional(
        deals: pa.Table, options: dict[str, Any], name: str, n_rows: int, missing: str | None
    ) -> tuple[np.ndarray, list[str | None]]:
        given = options.get(name, name)
        if given not in deals.column_names:
            if name in options:
                column(deals, given, "deals")
            return np.zeros(n_rows, np.uint16), [missing]
        number, values = codes(deals[given])
        if len(values) > 60_000:
            raise SchemaError(f"deals: column {given!r} has {len(values)} different values, too many for a {name.replace('_', ' ')}")
        return number, [*values.cast(pa.string()).to_pylist(), missing]


def _one_of_each(number: np.ndarray, values: list[str | None]) -> tuple[np.ndarray, list[str | None]]:
    """Numbered currencies as codes, so that ``€`` and ``EUR`` are one; the last stays the last."""
    codes_ = currency_codes(pa.array(values, pa.string())).to_pylist()
    codes_[-1] = codes_[-1] or values[-1]
    if codes_ == values:
        return number, values
    places = {code: place for place, code in enumerate(dict.fromkeys(codes_[:-1]))}
    of_value = np.array([*(places[code] for code in codes_[:-1]), len(places)], number.dtype)
    return of_value[number], [*places, codes_[-1]]


def stage_numbers(deals: pa.Table, options: dict[str, Any], stages: list[str], lost: list[str]) -> np.ndarray:
    name = options.get("stage", "stage")
    if name not in deals.column_names:
        return np.zeros(deals.num_rows, np.uint8)
    number, values = codes(deals[name])
    of_value = []
    for value in values.cast(pa.string()).to_pylist():
        if value in stages:
            of_value.append(stages.index(value) + 1)
        elif value in lost:
            of_value.append(len(stages) + 1)
        else:
            row = int(np.flatnonzero(number == len(of_value))[0])
            raise SchemaError(
                f"row {row + 1} of the deals has the stage {value!r}, which the pipeline does not know; its stages are "
                f"{', '.join([*stages, *lost])}. Name yours in their order as 'stages' of the config, and as 'lost' what is lost"
            )
    found = np.take(np.array([*of_value, 0], np.uint8), number, mode="clip")
    told = deal_outcomes(deals) if lost else None
    if told is not None:
        found = np.where(told == "won", len(stages), np.where(told == "lost", len(stages) + 1, found)).astype(np.uint8)
    return found


class Breakdowns:
    """What deals are told apart by: numbered dimensions, and which of them each breakdown combines."""

    def __init__(self, deals: pa.Table, options: dict[str, Any], columns: DealColumns) -> None:
        self._deals, self._options, self._columns = deals, options, columns
        self.names: list[str] = []
        self.numbers: list[pa.Array] = []
        self.values: list[pa.Array] = []
        #: What each breakdown is, and its dimensions; the first two are the main one and the total.
        self.plan: list[tuple[str, list[int]]] = []
        by = names(options.get("by"), "by")
        self._add("stages", by)
        self._add("totals", [])
        for name in by if len(by) > 1 else []:
            self._add("subtotals", [name])
        if options.get("cohort"):
            self._add("cohort", [text(options["cohort"], "cohort")])
        for key, item in breakdowns(options.get("breakdowns")):
            own = names(item, "a breakdown")
            self._add("/" + (key or ", ".join(own)), own)

    def _add(self, what: str, by: list[str]) -> None:
        self.plan.append((what, [self._dimension(name) for name in by]))

    def _dimension(self, name: str) -> int:
        if name not in self.names:
            numbers, values = self._number(name)
            self.names.append(name)
            self.numbers.append(pa.array(numbers))
            self.values.append(values)
        return self.names.index(name)

    def _number(self, name: str) -> tuple[np.ndarray, pa.Array]:
        if name in self._deals.column_names or name not in PERIODS:
            return codes(column(self._deals, name, "deals"))
        if self._columns.created is None:
            created = self._options.get("created_at", "created_at")
            raise SchemaError(f"by {name!r} needs the deals' creation time; the deals have no column {created!r}")
        return period_codes(self._columns.created, name, self._options.get("timezone"))

    def columns(self, by: list[int], groups: list[np.ndarray], of_row: np.ndarray) -> dict[str, pa.Array]:
        """The breakdown's columns for rows that belong to these groups."""
        # Without a deal there is no group, and the columns are there all the same.
        groups = groups or [np.zeros(0, np.uint32)] * len(by)
        found = {}
        for dimension, numbers in zip(by, groups, strict=True):
            values = self.values[dimension]
            every = pa.concat_arrays([values, pa.nulls(1, values.type)])
            found[self.names[dimension]] = every.take(pa.array(numbers[of_row]))
        return found


def check_times(options: dict[str, Any], when: pa.ChunkedArray, today: dt.date | None) -> tuple[list[int], list[dt.date]]:
    """The ends of past periods for which a forecast is checked, as ticks and as dates."""
    wanted = _forecast(options.get("forecast"))
    if not wanted or len(when) == when.null_count:
        return [], []
    unit, n_periods = wanted
    last = pc.max(when).cast(pa.timestamp("s", when.type.tz)).cast(pa.int64()).as_py()
    day = today or (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=last)).date()
    dates = []
    for _ in range(n_periods):
        start = period(pa.chunked_array([pa.array([dt.datetime.combine(day, dt.time())], pa.timestamp("s"))]), unit)[0].as_py()
        dates.append(start)
        day = start - dt.timedelta(days=1)
    dates.reverse()
    return [(date - dt.date(1970, 1, 1)).days * 86_400 * TICKS[when.type.unit] for date in dates], dates


def _forecast(wanted: Any) -> tuple[str, int] | None:
    """The unit and the number of periods for which a forecast is checked, if it is."""
    if wanted is None or isinstance(wanted, bool):
        return ("month", 6) if wanted else None
    if not isinstance(wanted, Mapping):
        raise ConfigError(f"forecast is {wanted!r}, and must be true, or a mapping such as {{every: month, periods: 6}}")
    check_options(wanted, ("every", "periods"), "forecast")
    unit = wanted.get("every", "month")
    if unit not in PERIODS:
        raise ConfigError(f"forecast: every is {unit!r}, and must be one of {', '.join(PERIODS)}")
    return unit, whole_number(wanted.get("periods", 6), "forecast: periods", 1, 120)
