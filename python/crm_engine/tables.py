"""Readable tables on a terminal."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from rich.table import Table

#: What no one reads to the end is cut, and said to be.
MAX_ROWS = 60


def rich_table(table: pa.Table, title: str = "", *, max_rows: int = MAX_ROWS) -> Table:
    """``table`` for a rich console: numbers to the right, shares as per cent, what is missing as a dash."""
    from rich import box
    from rich.table import Table

    left_out = table.num_rows - max_rows
    caption = f"and {left_out:,} rows more".replace(",", " ") if left_out > 0 else None
    shown = Table(title=title or None, title_justify="left", title_style="bold", caption=caption, caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for field in table.schema:
        numeric = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        shown.add_column(field.name.replace("_", " "), justify="right" if numeric else "left", no_wrap=numeric)
    for row in table.slice(0, max_rows).to_pylist():
        shown.add_row(*(cell(name, value) for name, value in row.items()))
    return shown


def cell(name: str, value: Any) -> str:
    """One value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if name.startswith("conversion") or name.endswith(("share", "rate", "attainment", "return", "error")):
            return f"{value:.1%}"
        return f"{value:,.1f}".replace(",", " ")
    if isinstance(value, int):
        return str(value) if name in ("step", "year") else f"{value:,}".replace(",", " ")
    if isinstance(value, Decimal):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return str(value)
