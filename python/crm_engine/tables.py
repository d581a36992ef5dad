"""Readable tables on a terminal."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: What no one reads to the end is cut, and said to be.
MAX_ROWS = 60


#: The first column of tables whose last rows are those that people look for.
_IN_ORDER_OF_TIME = ("month", "at", "cohort", "period_end", "day", "week", "quarter", "year")


def print_table(console: Console, table: pa.Table, title: str = "", *, max_rows: int = MAX_ROWS) -> None:
    """Prints ``table``: numbers to the right, shares as per cent, what is missing as a dash; columns that do not fit go below. Of a table in
    order of time the last rows are shown, of all others the first."""
    left_out = max(table.num_rows - max_rows, 0)
    shows_last = _is_in_order_of_time(table)
    rows = [[cell(name, value) for name, value in row.items()] for row in table.slice(left_out if shows_last else 0, max_rows).to_pylist()]
    # Their values say days, hours or seconds.
    headers = [name.removesuffix("_seconds").replace("_", " ") for name in table.column_names]
    # Long headers wrap at their words; values stay whole.
    widths = [
        min(40, max([len(row[place]) for row in rows] + [len(word) for word in header.split()])) for place, header in enumerate(headers)
    ]
    n_keys = 0
    while n_keys < min(3, len(headers)) and not _is_number(table.schema.field(n_keys).type):
        n_keys += 1
    rows_left = "row" if left_out == 1 else "rows"
    more = f"earlier {rows_left}" if shows_last else f"{rows_left} more"
    caption = f"and {left_out:,} {more}".replace(",", " ") if left_out else None
    keys, rest = list(range(n_keys)), list(range(n_keys, len(headers)))
    while True:
        taken = list(keys)
        while rest and (len(taken) == n_keys or sum(widths[place] + 3 for place in [*taken, rest[0]]) < console.width):
            taken.append(rest.pop(0))
        natural = {place: max(len(headers[place]), widths[place]) for place in taken}
        fits = sum(width + 3 for width in natural.values()) < console.width
        console.print(
            _part(
                table,
                [headers[p] for p in taken],
                [[row[p] for p in taken] for row in rows],
                taken,
                natural if fits else {place: widths[place] for place in taken},
                title,
                None if rest else caption,
            )
        )
        title = ""
        if not rest:
            return


def _is_in_order_of_time(table: pa.Table) -> bool:
    if not table.num_rows or table.column_names[0] not in _IN_ORDER_OF_TIME:
        return False
    first, last = table[0][0].as_py(), table[0][-1].as_py()
    return first is not None and last is not None and first < last


def _part(
    table: pa.Table, headers: list[str], rows: list[list[str]], taken: list[int], widths: dict[int, int], title: str, caption: str | None
) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for place, header in zip(taken, headers, strict=True):
        shown.add_column(header, justify="right" if _is_number(table.schema.field(place).type) else "left", width=widths[place])
    for row in rows:
        shown.add_row(*row)
    return shown


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def cell(name: str, value: Any) -> str:
    """One value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_seconds") and isinstance(value, int | float):
        return duration(value)
    if isinstance(value, float):
        if name.startswith("conversion") or name.endswith(("share", "rate", "attainment", "return", "error", "probability")):
            return f"{value:.1%}"
        # A rate of some a month is no 0.0 a day.
        return f"{value:.2g}" if 0 < abs(value) < 1 else f"{value:,.1f}".replace(",", " ")
    if isinstance(value, int):
        return str(value) if name in ("step", "year") else f"{value:,}".replace(",", " ")
    if isinstance(value, Decimal):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return str(value)


def duration(seconds: float) -> str:
    """A length of time in the largest unit that it fills.

    >>> duration(42), duration(5_400), duration(3_262_892.0)
    ('42 s', '1.5 h', '37.8 d')
    """
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}".replace(",", " ")
    return f"{seconds:g} s"
