"""Workbooks of figures: funnels, plans and analyses, with amounts as numbers and shares as percentages.

::

    write_figures({"plan": result.table, "deviations": result.tables["deviations"]}, "plan.xlsx")
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from crm_engine.output import write_sheets

#: Columns whose fractions are parts of a whole. Only their look in a workbook is by name; the value is what the table has.
_SHARE = re.compile(r"(.*_)?(share|rate|attainment)|conversion_from_\w+")


def write_figures(tables: Mapping[str, pa.Table], path: str | os.PathLike[str]) -> list[str]:
    """Writes a workbook with a sheet per table that has rows (all of them where none has); returns warnings."""
    sheets = {name: table for name, table in tables.items() if table.num_rows} or dict(tables)
    return write_sheets(sheets, path, styles={name: figure_style(table.schema) for name, table in sheets.items()})


def figure_style(schema: pa.Schema) -> dict[str, Any]:
    """The look of a sheet of figures, for ``write_sheets`` and ``write_table``.

    >>> figure_style(pa.schema([("won_share", pa.float64()), ("amount", pa.decimal128(38, 2)), ("stage", pa.string())]))["columns"]
    {'won_share': {'format': '0.0%'}, 'amount': {'numbers': True, 'format': '#,##0.00'}}
    """
    columns: dict[str, dict[str, Any]] = {}
    for field in schema:
        if pa.types.is_floating(field.type) and _SHARE.fullmatch(field.name):
            columns[field.name] = {"format": "0.0%"}
        elif pa.types.is_decimal(field.type) and field.type.scale > 0:
            columns[field.name] = {"numbers": True, "format": "#,##0.00"}
    return {"columns": columns}
