"""``crm-engine profile``: what a file holds, before anything is done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm_engine.cli import exits
from crm_engine.cli.options import (
    date_order_option,
    input_argument,
    mapping_option,
    phone_region_option,
    strict_option,
    terminal_options,
)
from crm_engine.cli.reading import read_options
from crm_engine.cli.terminal import Terminal
from crm_engine.cli.wording import as_options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from crm_engine.profile import ColumnProfile, Profile, TableProfile


@click.command("profile", short_help="Show what a file holds: roles found and why, fill rates, invalid values, problems.")
@input_argument
@mapping_option
@read_options
@phone_region_option
@date_order_option
@click.option(
    "--write-mapping", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write what was found as a mapping to edit."
)
@click.option("--show-values", is_flag=True, help="Show examples as they are; personal ones are masked otherwise.")
@click.option("--all-columns", is_flag=True, help="Show columns without a value as well; else they are only counted.")
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Look at this many rows of each table. [default: 1000000]")
@click.option("--all", "all_rows", is_flag=True, help="Look at all rows.")
@strict_option
@terminal_options
def command(
    terminal: Terminal,
    files: tuple[str, ...],
    mapping: Path | None,
    phone_region: str | None,
    date_order: str | None,
    all_columns: bool,
    write_mapping: Path | None,
    show_values: bool,
    rows: int | None,
    all_rows: bool,
    strict: bool,
) -> None:
    """Show what FILES hold: encoding, delimiter and header row, and for each column the role that was found and why, how full
    it is, how many different and how many invalid values it has, and what is wrong with the file.

    \b
      crm-engine profile export.csv
      crm-engine profile clients.xlsx --write-mapping map.yaml
      crm-engine profile clients.xlsx --mapping map.yaml --json
      crm-engine profile old.txt --encoding cp1251 --delimiter tab --header-row 3
    """
    from crm_engine.profile import profile
    from crm_engine.profile import write_mapping as write_mapping_file

    if rows is not None and all_rows:
        raise click.UsageError("--rows and --all contradict each other; give one of them")
    with terminal.progress() as progress:
        max_rows = None if all_rows else rows or 1_000_000
        found = profile(
            list(files), mapping=mapping, show_values=show_values, max_rows=max_rows, phone_region=phone_region, date_order=date_order,
            progress=progress,
        )  # fmt: skip
    if write_mapping is not None:
        write_mapping_file(found, write_mapping)
    terminal.result(found.to_dict(), lambda console: _show(console, found, show_values, all_columns))
    if write_mapping is not None:
        terminal.note(f"wrote {write_mapping}; edit it and give it to `crm-engine dedupe --mapping {write_mapping}`")
    rejected = sum(table.file.get("counts", {}).get("rejected", 0) for table in found.tables)
    if strict and rejected:
        raise exits.RejectedRows(rejected)


def _show(console: Console, found: Profile, show_values: bool, all_columns: bool) -> None:
    for number, table in enumerate(found.tables):
        if number:
            console.print()
        _show_table(console, table, all_columns)
    if not show_values and any(column.examples for table in found.tables for column in table.columns):
        console.print("Personal examples are masked; --show-values shows them.", style="dim")


def _show_table(console: Console, table: TableProfile, all_columns: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(Text.assemble((table.name, "bold"), "  ", (_how_read(table), "dim")))
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", expand=False)
    for name, justify in (
        ("column", "left"),
        ("role", "left"),
        ("sure", "right"),
        ("filled", "right"),
        ("distinct", "right"),
        ("invalid", "right"),
    ):
        grid.add_column(name, justify=justify, no_wrap=name != "column", overflow="fold")  # type: ignore[arg-type]
    grid.add_column("example", overflow="ellipsis", no_wrap=True, max_width=28, style="dim")
    grid.add_column("why", overflow="fold", style="dim")
    # Columns without a value stand last: they are many in exports of a CRM, and say the least.
    for column in sorted(table.columns, key=lambda column: column.filled == 0):
        if column.filled or all_columns or not table.rows:
            grid.add_row(*_cells(column))
    console.print(grid)
    for reason in table.file.get("reasons") or []:
        console.print(Text.assemble(("· ", "dim"), (reason, "dim")))
    for problem in table.problems:
        console.print(Text.assemble(("! ", "bold yellow"), as_options(problem)))


def _cells(column: ColumnProfile) -> tuple[str | Text, ...]:
    from rich.text import Text

    role = Text(column.role, style="green") if column.role else Text("ignored" if column.counts_rows else "custom field", style="dim")
    n_invalid = sum(column.invalid.values())
    sure = f"{column.confidence:.0%}" if column.role else ""
    return (
        Text(column.column),
        role,
        Text(sure, style="" if column.confidence >= 0.8 else "yellow"),
        f"{column.fill_rate:.0%}",
        f"{column.distinct:,}",
        Text(f"{n_invalid:,}" if n_invalid else "", style="yellow"),
        Text(column.examples[0] if column.examples else ""),
        Text("; ".join(column.reasons)),
    )


def _how_read(table: TableProfile) -> str:
    report = table.file
    dialect = report.get("dialect") or {}
    delimiter = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}.get(dialect.get("delimiter", ""), dialect.get("delimiter"))
    header = report.get("header_row")
    parts = [
        f"{table.rows:,} rows" + ("" if table.complete else " looked at, there are more"),
        str(report.get("format", "")),
        f"sheet {report['sheet']}" if report.get("sheet") else "",
        str(report.get("encoding") or ""),
        f"{delimiter}-separated" if delimiter else "",
        f"header in row {header}" if header else ("no header" if report.get("dialect") or report.get("sheet") else ""),
    ]
    counts = report.get("counts") or {}
    for name in ("rejected", "skipped"):
        if counts.get(name):
            parts.append(f"{counts[name]:,} row{'s' if counts[name] != 1 else ''} {name}")
    return ", ".join(part for part in parts if part)
