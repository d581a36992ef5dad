"""Dates as people write them, read a column at a time: one order of day and month for the whole column.

What a date is, and which day it names, the engine's own reader says (``created_at`` of contacts is read by the same); here is what a
column adds to it. The rule stands in ``docs/files.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.errors import ConfigError

#: Orders of the parts of a date.
DATE_ORDERS = ("dmy", "mdy", "ymd")

_MOMENT = (
    r"^(?P<date>[^:]*?)"
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,6})\d*)?)?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?$"
)
#: Three numbers with the same sign between them, and in Russian and Latvian the word for a year behind them.
_NUMBERS = r"^(?P<a>\d{1,4})(?P<sign>\. |[./ -])(?P<b>\d{1,2})(?P<again>\. |[./ -])(?P<c>\d{1,4})(?: ?(?:г|года|g|gada)?\.?)?$"
#: A day, a year, and words among which the month is; or a date of eight digits.
_OTHERS = r"^(?:\P{Nd}*\d{1,4}\P{Nd}*\pL\P{Nd}*\d{1,4}\P{Nd}*|\pL\P{Nd}*\d{1,2}\P{Nd}+\d{4}\P{Nd}*|(?:18|19|20)\d{6})$"
_ISO = r"^(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)$"
#: A column has an order when its dates show it so many times more often than the other.
_CLEARLY = 20


def check_date_order(order: Any) -> str | None:
    """The order of day and month, or nothing; what is neither is an error."""
    if order is not None and order not in DATE_ORDERS:
        raise ConfigError(f"date_order is {order!r}, and must be one of {', '.join(DATE_ORDERS)}")
    found: str | None = order
    return found


@dataclass
class WrittenTimes:
    """A column of dates that were text: timestamps, null where a text is no date."""

    values: pa.ChunkedArray
    #: Nothing in the column says whether the day or the month comes first, and it matters.
    is_ambiguous: bool
    #: Some of the texts have a time of day.
    has_clock: bool


def written_times(text: pa.ChunkedArray, order: str | None = None, *, is_part: bool = False) -> WrittenTimes:
    """Reads ``31.01.2026``, ``1/31/26 4:05 PM``, ``3 апреля 2026``, ``2026/01/31`` and the like; texts are trimmed.

    Dates that can be read in one way only say whether the day or the month comes first in the others; ``order`` counts where they do not.
    With ``is_part`` the texts are some of a column that is never seen whole: ``order`` (else the day first) holds for all of it, and a
    date that contradicts it is none.

    >>> found = written_times(pa.chunked_array([["01/02/2026", "01/31/2026 4:05 PM"]]), "dmy")
    >>> [str(value) for value in found.values], found.is_ambiguous
    (['2026-01-02 00:00:00', '2026-01-31 16:05:00'], False)
    """
    unique = text.dictionary_encode().unify_dictionaries().combine_chunks()
    moments = unique.dictionary
    parts = pc.extract_regex(moments, _MOMENT)
    dates = pc.struct_field(parts, "date").dictionary_encode()
    of_moment = dates.indices.fill_null(-1).to_numpy()
    counts = np.bincount(of_moment[unique.indices.drop_null().to_numpy()] + 1, minlength=len(dates.dictionary) + 1)[1:]
    days, is_ambiguous = _days_of_dates(dates.dictionary, counts, order, is_part=is_part)
    seconds, has_time = _clock(parts)
    # Behind the days stands that of what is no date at all.
    day = np.append(days, _NO_DAY)[of_moment]
    valid = (day != _NO_DAY) & has_time
    values = pa.array(np.where(valid, day, 0) * 86_400_000_000 + seconds, pa.int64(), mask=~valid).cast(pa.timestamp("us"))
    return WrittenTimes(pa.chunked_array([values.take(unique.indices)]), is_ambiguous, bool(((_lengths(parts, "hour") > 0) & valid).any()))


def written_months(text: pa.ChunkedArray, order: str | None = None) -> WrittenTimes:
    """Reads months (``2026-01``, ``01.2026``, ``май 2026``), or any day of them, as the first of the month.

    >>> [str(value.as_py().date()) for value in written_months(pa.chunked_array([["2026-01", "May 2026", "31.01.2026"]])).values]
    ['2026-01-01', '2026-05-01', '2026-01-01']
    """
    found = written_times(text, order)
    months = pc.replace_substring_regex(_normal("birth_date", text.combine_chunks()), r"^(\d{4}-\d\d)$", r"\1-01")
    days = _days_of_iso(months)
    first = pa.chunked_array([pa.array(np.where(days == _NO_DAY, 0, days), pa.int32(), mask=days == _NO_DAY).cast(pa.date32())])
    values = pc.coalesce(found.values, first.cast(pa.timestamp("us")))
    return WrittenTimes(pc.floor_temporal(values, unit="month"), found.is_ambiguous, has_clock=False)


def _days_of_dates(dates: Any, counts: np.ndarray, order: str | None, *, is_part: bool) -> tuple[np.ndarray, bool]:
    """The days of distinct dates, ``counts`` saying how often each occurs, and whether nothing says how they are to be read."""
    triples = _Triples(dates)
    days = _days_of(pc.if_else(pc.match_substring_regex(dates, _OTHERS), dates, triples.with_year_first))
    if not triples.year_last.any():
        return days, False
    of_triples, is_ambiguous = _days_of_triples(triples, counts, order, is_part=is_part)
    return np.where(triples.year_last, of_triples, days), is_ambiguous


class _Triples:
    """Dates of three numbers; arrays are ``[n_dates]``, and of what is no such date they say nothing."""

    def __init__(self, dates: Any) -> None:
        self._parts = pc.extract_regex(dates, _NUMBERS)
        a, c = _lengths(self._parts, "a"), _lengths(self._parts, "c")
        sign = pc.struct_field(self._parts, "sign")
        valid = _flags(pc.equal(sign, pc.struct_field(self._parts, "again")))
        #: Day and month in front, in one order or the other; or years of two digits in front.
        self.year_last = valid & (a <= 2) & np.isin(c, (2, 4))
        self.is_pointed = _flags(pc.starts_with(sign, "."))
        self.first, self.second, self.third = (_whole(self._parts, name) for name in "abc")
        self.is_short = c == 2
        #: The dates whose year, of four digits, comes first; null elsewhere.
        self.with_year_first = pc.if_else(pa.array(valid & (a == 4) & (c <= 2)), self.joined("abc", "-"), pa.scalar(None, pa.string()))

    def joined(self, names: str, sign: str) -> Any:
        """The numbers in this order, with this sign between them."""
        return pc.binary_join_element_wise(*(pc.struct_field(self._parts, name) for name in names), sign)


def _days_of_triples(dates: _Triples, counts: np.ndarray, order: str | None, *, is_part: bool) -> tuple[np.ndarray, bool]:
    """The days of dates whose year may be the last number, and whether nothing says how they are to be read."""
    short = dates.year_last & dates.is_short
    year_first = fits = np.zeros(0, bool)
    if order == "ymd" and short.any():
        year_first = _days_of(dates.joined("cba", "."))
        fits = (year_first != _NO_DAY) & (dates.second <= 12) & (dates.third <= 31)
        if not is_part and fits[short].all() and (short == dates.year_last).all():
            return year_first, False
    # With points the engine reads the day first, and the month where only that is in the calendar.
    day_first, month_first = _days_of(dates.joined("abc", ".")), _days_of(dates.joined("bac", "."))
    month_first = np.where(month_first == _NO_DAY, day_first, month_first)
    real = dates.year_last & (day_first != _NO_DAY)
    tells_day = real & (dates.first > 12) & (dates.second <= 12) & (_day_of_month(day_first) == dates.first)
    tells_month = real & (dates.second > 12) & (dates.first <= 12) & (_day_of_month(day_first) == dates.second)
    is_open = real & (day_first != month_first)
    if is_part:
        monthly = (order == "mdy") & ~dates.is_pointed
        contradicts = (tells_day & monthly) | (tells_month & ~monthly)
        days = np.where(contradicts, _NO_DAY, np.where(monthly, month_first, day_first))
        is_undecided = is_open & ~dates.is_pointed & (order in (None, "ymd"))
        if len(fits):
            # Date by date: what a batch holds besides must not count.
            days = np.where(short, np.where(fits, year_first, _NO_DAY), days)
            is_undecided &= ~short
        return days, bool((is_undecided & (days != _NO_DAY)).any())
    n_day, n_month, n_pointed = (int(counts[chosen].sum()) for chosen in (tells_day, tells_month, is_open & dates.is_pointed))
    told = _order_told(n_day, n_month)
    if told is None and not n_day and not n_month and n_pointed:
        told = "dmy"
    is_month_first = np.where(dates.is_pointed, told == "mdy", (told or order) == "mdy")
    is_ambiguous = told is None and order in (None, "ymd") and bool((is_open & ~dates.is_pointed).any())
    return np.where(is_month_first, month_first, day_first), is_ambiguous


def _order_told(n_day_first: int, n_month_first: int) -> str | None:
    """The order that so many dates show which have the day first beyond doubt, and so many that have the month first."""
    if not n_day_first and not n_month_first:
        return None
    if n_day_first >= n_month_first * _CLEARLY:
        return "dmy"
    return "mdy" if n_month_first >= n_day_first * _CLEARLY else None


_NO_DAY = np.iinfo(np.int64).min


def _days_of(dates: Any) -> np.ndarray:
    """Days since 1970 as the engine reads dates, ``_NO_DAY`` for what has no reading, or two."""
    return _days_of_iso(_normal("created_at", dates))


def _normal(role: str, texts: Any) -> Any:
    """Texts in the form of a role, null where they have no value."""
    return pc.list_element(_core.normal_values(role, texts), 0)


def _days_of_iso(dates: Any) -> np.ndarray:
    parts = pc.extract_regex(dates, _ISO)
    year, month, day = (_whole(parts, name) for name in ("year", "month", "day"))
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(valid, day - 1, 0).astype("timedelta64[D]")
    valid &= days.astype("datetime64[M]") == months
    return np.where(valid, days.astype(np.int64), _NO_DAY)


def _day_of_month(days: np.ndarray) -> np.ndarray:
    dates = np.where(days == _NO_DAY, 0, days).astype("datetime64[D]")
    return np.asarray((dates - dates.astype("datetime64[M]")).astype(np.int64) + 1)


def _clock(parts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since midnight, and whether the clock shows such a time."""
    hour, minute, second = (_whole(parts, name) for name in ("hour", "minute", "second"))
    half = pc.utf8_lower(pc.struct_field(parts, "half"))
    is_halved, is_late = _flags(pc.not_equal(half, "")), _flags(pc.equal(half, "p"))
    valid = (minute < 60) & (second < 60) & np.where(is_halved, (hour >= 1) & (hour <= 12), hour < 24)
    hour = np.where(is_halved, hour % 12 + np.where(is_late, 12, 0), hour)
    digits = _lengths(parts, "part")
    part = _whole(parts, "part") * 10 ** (6 - np.minimum(digits, 6))
    return (hour * 3_600 + minute * 60 + second) * 1_000_000 + part, valid


def _flags(flags: Any) -> np.ndarray:
    return np.asarray(pc.fill_null(flags, False).to_numpy(zero_copy_only=False), bool)


def _lengths(parts: Any, name: str) -> np.ndarray:
    return np.asarray(pc.utf8_length(pc.fill_null(pc.struct_field(parts, name), "")).to_numpy(zero_copy_only=False))


def _whole(parts: Any, name: str) -> np.ndarray:
    digits = pc.fill_null(pc.struct_field(parts, name), "")
    return np.asarray(pc.if_else(pc.equal(digits, ""), "0", digits).cast(pa.int64()).to_numpy(zero_copy_only=False))
