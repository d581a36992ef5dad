"""What analyses are made of: their result, and times, months, money and shares as figures."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

MONEY = pa.decimal128(38, 2)
TEXT, INT, FLOAT, DATE, BOOL = pa.string(), pa.int64(), pa.float64(), pa.date32(), pa.bool_()
#: No time.
NEVER = np.iinfo(np.int64).min
DAY = 86_400


@dataclass
class Analysis:
    """What an analysis found: ``table`` is its main result, ``tables`` has all, ``summary`` the few numbers to know."""

    name: str
    tables: dict[str, pa.Table]
    summary: dict[str, Any] = field(default_factory=dict)
    chart: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> pa.Table:
        """The main result."""
        return next(iter(self.tables.values()))


def table(rows: list[dict[str, Any]], /, **types: pa.DataType) -> pa.Table:
    """Rows as a table whose columns are there even when no row is."""
    return pa.Table.from_pylist(rows, pa.schema(list(types.items())))


def ratio(part: float, whole: float) -> float | None:
    """``part / whole``, nothing of nothing."""
    return float(part) / float(whole) if whole else None


def decimal(cents: Any) -> Decimal:
    """Cents as money."""
    return Decimal(int(cents)).scaleb(-2)


def month_of(seconds: np.ndarray) -> np.ndarray:
    """Months since 1970."""
    return np.asarray((seconds // DAY).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))


def month_name(month: int) -> str:
    """A month's number as ``2026-01``."""
    return str(np.datetime64(int(month), "M"))


def days_late(due: int, now: int) -> int:
    """Whole days since the day on which something was due; what is due today is not late."""
    return max(0, (now - 1) // DAY - due // DAY)


def is_overdue(due: int, now: int) -> bool:
    """Whether the day on which something was due is over."""
    return due != NEVER and days_late(due, now) > 0


def day_of(seconds: int) -> dt.date:
    """The day of a time in seconds."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=seconds // DAY)
