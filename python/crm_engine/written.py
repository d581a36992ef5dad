"""Dates and amounts as people write them, read a column at a time: one order of day and month, one decimal sign for the whole column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.errors import ConfigError

#: Orders of the parts of a date.
DATE_ORDERS = ("dmy", "mdy", "ymd")

_DATE = (
    r"^(?P<a>\d{1,4})(?P<sep>[./-])(?P<b>\d{1,2})(?P<again>[./-])(?P<c>\d{1,4})"
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,6})\d*)?)?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?$"
)
#: Spaces of all kinds and apostrophes stand between groups of three digits.
_GROUPED = "([0-9])[ \u00a0\u2009\u202f'\u2019]([0-9]{3})"
_DECIMAL_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"
_DECIMAL_POINT = r"^[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d*)?$"


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


def written_times(text: pa.ChunkedArray, order: str | None = None) -> WrittenTimes:
    """Reads ``31.01.2026``, ``1/31/26 4:05 PM``, ``2026/01/31`` and the like; texts are trimmed, nothing is null.

    With points the day comes first. With slashes and hyphens ``order`` says what does, or else the values that can be read in one way
    only; where there are none the day does.

    >>> found = written_times(pa.chunked_array([["01/02/2026", "01/31/2026 4:05 PM"]]))
    >>> [str(value) for value in found.values], found.is_ambiguous
    (['2026-01-02 00:00:00', '2026-01-31 16:05:00'], False)
    """
    unique = pc.unique(text).drop_null()
    unique = unique.combine_chunks() if isinstance(unique, pa.ChunkedArray) else unique
    parts = pc.extract_regex(unique, _DATE)
    valid = parts.is_valid().to_numpy(zero_copy_only=False)
    first, second, third = (_whole(parts, name) for name in "abc")
    separator = _texts(parts, "sep")
    valid &= separator == _texts(parts, "again")
    long_first = _lengths(parts, "a") == 4
    valid &= (_lengths(parts, "a") != 3) & (long_first | np.isin(_lengths(parts, "c"), (2, 4))) & ~(long_first & (_lengths(parts, "c") > 2))
    pointed = separator == "."
    free = valid & ~long_first & ~pointed
    month_first, is_ambiguous = _month_first(first[free], second[free], order, bool((valid & pointed).any()))
    year_first = long_first | (free if order == "ymd" else False)
    year = np.where(year_first, first, third)
    year = np.where(year < 100, np.where(year < 69, year + 2000, year + 1900), year)
    month = np.where(year_first | ~(free & month_first), second, first)
    day = np.where(year_first, third, np.where(free & month_first, second, first))
    seconds, clock = _clock(parts)
    days, real = _days(year, month, day)
    valid &= real & clock
    moments = pa.array(days * 86_400_000_000 + seconds, pa.int64(), mask=~valid).cast(pa.timestamp("us"))
    places = pc.index_in(text, value_set=unique)
    values = pa.chunked_array([moments]).take(places) if len(unique) else pa.chunked_array([pa.nulls(len(text), pa.timestamp("us"))])
    return WrittenTimes(values, is_ambiguous, bool(((_lengths(parts, "hour") > 0) & valid).any()))


def _month_first(first: np.ndarray, second: np.ndarray, order: str | None, has_points: bool) -> tuple[bool, bool]:
    """Whether the month comes first where slashes or hyphens stand, and whether nothing says so."""
    if order is not None:
        return order == "mdy", False
    n_days_first, n_months_first = int(((first > 12) & (second <= 12)).sum()), int(((second > 12) & (first <= 12)).sum())
    if n_days_first or n_months_first:
        return n_months_first > n_days_first, False
    return False, bool((first != second).any()) and not has_points


def _clock(parts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since midnight, and whether the clock shows such a time."""
    hour, minute, second = (_whole(parts, name) for name in ("hour", "minute", "second"))
    half = np.char.lower(_texts(parts, "half").astype(str))
    halved = half != ""
    valid = (minute < 60) & (second < 60) & np.where(halved, (hour >= 1) & (hour <= 12), hour < 24)
    hour = np.where(halved, hour % 12 + np.where(half == "p", 12, 0), hour)
    digits = _lengths(parts, "part")
    part = _whole(parts, "part") * 10 ** (6 - np.minimum(digits, 6))
    return (hour * 3_600 + minute * 60 + second) * 1_000_000 + part, valid


def _days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970, and whether the calendar has such a day."""
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(valid, day - 1, 0).astype("timedelta64[D]")
    return days.astype(np.int64), valid & (days.astype("datetime64[M]") == months)


def _texts(parts: Any, name: str) -> np.ndarray:
    return np.asarray(pc.fill_null(pc.struct_field(parts, name), "").to_numpy(zero_copy_only=False))


def _lengths(parts: Any, name: str) -> np.ndarray:
    return np.asarray(pc.utf8_length(pc.fill_null(pc.struct_field(parts, name), "")).to_numpy(zero_copy_only=False))


def _whole(parts: Any, name: str) -> np.ndarray:
    digits = pc.fill_null(pc.struct_field(parts, name), "")
    return np.asarray(pc.if_else(pc.equal(digits, ""), "0", digits).cast(pa.int64()).to_numpy(zero_copy_only=False))


def plain_numbers(text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, bool]:
    """Numbers with a decimal comma or groups of digits as plain ones (``1 234,50`` is ``1234.50``), and whether the comma is decimal.

    What is read otherwise, or could be read in two ways (``1,234`` with no other value that tells), stays as it is written.

    >>> plain_numbers(pa.chunked_array([["1 234,50", "-7"]]))[0].to_pylist(), plain_numbers(pa.chunked_array([["1,234"]]))[0].to_pylist()
    (['1234.50', '-7'], ['1,234'])
    """
    unique = pc.unique(text).drop_null()
    unique = unique.combine_chunks() if isinstance(unique, pa.ChunkedArray) else unique
    plain = pc.replace_substring(unique, "\u2212", "-")
    plain = pc.replace_substring_regex(plain, r"^\((.+)\)$", r"-\1")
    for _ in range(2):
        # Neighbouring groups share a digit's place, so that each pass takes every other one.
        plain = pc.replace_substring_regex(plain, _GROUPED, r"\1\2")
    is_comma = _decimal_sign(plain) == ","
    if is_comma:
        good = pc.match_substring_regex(plain, _DECIMAL_COMMA)
        read = pc.replace_substring(pc.replace_substring(plain, ".", ""), ",", ".")
    elif _decimal_sign(plain) == ".":
        good = pc.match_substring_regex(plain, _DECIMAL_POINT)
        read = pc.replace_substring(plain, ",", "")
    else:
        return text, False
    read = pc.if_else(good, read, unique)
    return (pa.chunked_array([read]).take(pc.index_in(text, value_set=unique)) if len(unique) else text), is_comma


def _decimal_sign(numbers: Any) -> str | None:
    """``,`` or ``.``; nothing where the column does not say which it is."""

    def some(pattern: str) -> bool:
        return bool(pc.any(pc.match_substring_regex(numbers, pattern)).as_py())

    if some(r"^[+-]?[\d.]*,\d+$") and (some(r"\.\d+,\d+$") or some(r"^[+-]?\d+,(\d{1,2}|\d{4,})$") or some(r"\.\d{3}\.\d{3}$")):
        return ","
    if some(r",\d{3},\d{3}") or some(r",\d+\.\d+$") or some(r"^[+-]?\d+\.(\d{1,2}|\d{4,})$") or not some(","):
        # Several points can only stand between groups.
        return "," if not some(",") and some(r"\.\d{3}\.\d{3}$") else "."
    return None
