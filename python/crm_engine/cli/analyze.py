"""``crm-engine analyze``: the questions a sales organisation asks."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli.base_options import is_base, opened
from crm_engine.cli.options import terminal_options
from crm_engine.cli.reading import outcome_options, tables_option, tell
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

NAMES = ("channels", "owners", "churn", "value", "levels", "activity", "service", "campaigns", "readiness", "reminders")


@click.command()
@click.argument("name", metavar="[" + "|".join(NAMES) + "]")
@click.argument("tables", type=click.Path(exists=True), metavar="FOLDER")
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]), help="The day to take for today; the last day on which anything happened otherwise."
)
@click.option("--timezone", metavar="ZONE", help="Whose clock months and days follow, such as Europe/Riga.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the analysis, such as lost_after_days=120; repeatable."
)
@click.option("--contact", metavar="ID", help="Whose card `activity` shows.")
@click.option("--table", metavar="NAME", help="Which of the result's tables to show or write.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A table (.parquet .csv .tsv .xlsx .arrow .jsonl .json), a chart (.html .png .svg), a calendar (.ics), a card (.html .json).",
)
@outcome_options
@terminal_options
@tables_option
def command(
    terminal: Terminal,
    name: str,
    tables: str,
    today: dt.datetime | None,
    timezone: str | None,
    settings: tuple[str, ...],
    contact: str | None,
    table: str | None,
    output: Path | None,
    date_order: str | None,
    won: tuple[str, ...],
    lost: tuple[str, ...],
) -> None:
    """Answer a question from the tables in FOLDER (orders, deals, interactions, tasks, campaigns, costs, ...), or in a base.

    \b
      crm-engine analyze channels demo/exports -o channels.html
      crm-engine analyze churn demo/exports --set lost_after_days=120 -o churn.xlsx
      crm-engine analyze reminders demo/exports -o due.ics
    """
    from crm_engine.analyze import analyze

    options: dict[str, Any] = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise click.UsageError(f"--set {setting}: write NAME=VALUE")
        options[key] = int(value) if value.lstrip("-").isdigit() else value
    if contact is not None:
        options["contact"] = contact
    with opened(Path(tables)) if is_base(tables) else contextlib.nullcontext(tables) as where:
        day = today.date() if today else None
        result = analyze(name, where, today=day, timezone=timezone, date_order=date_order, won=won, lost=lost, **options)
    tell(terminal, result.summary)
    chosen(result, table)
    if output is not None:
        write(result, table, output)
        terminal.note(f"wrote {output}")
    shown = ("fields", "activity", "counts") if name == "activity" else None
    terminal.result(json_of(result, table), lambda console: show(console, result, table, shown))


def chosen(result: Any, table: str | None) -> Any:
    """The table that was asked for, or the main one; a name that is none is an error."""
    from crm_engine.errors import ConfigError

    if table is not None and table not in result.tables:
        raise ConfigError(f"{result.name} has no table {table!r}; it has {', '.join(result.tables)}")
    return result.table if table is None else result.tables[table]


def write(result: Any, table: str | None, output: Path) -> None:
    """Writes what the extension asks for."""
    from crm_engine.analyze import calendar, card_html
    from crm_engine.charts import draw, is_chart_path
    from crm_engine.errors import ConfigError
    from crm_engine.figures_workbook import figure_style, write_figures
    from crm_engine.output import atomic_file, output_format, write_table

    suffix = output.suffix.lower()
    if suffix == ".ics":
        if result.name != "reminders":
            raise ConfigError(f"{output}: only reminders can be written as a calendar")
        with atomic_file(output) as scratch:
            scratch.write_bytes(calendar(result).encode())
    elif result.name == "activity" and suffix in (".html", ".json"):
        import json

        with atomic_file(output) as scratch:
            scratch.write_text(
                card_html(result) if suffix == ".html" else json.dumps(plain(result.summary), ensure_ascii=False, indent=2) + "\n", "utf-8"
            )
    elif is_chart_path(output):
        if table is not None:
            raise ConfigError(f"{output}: a chart shows what {result.name} found as a whole; leave --table out, or write a table")
        draw(result, output)
    elif output_format(output) == ".xlsx" and table is None:
        write_figures(result.tables, output)
    else:
        rows = chosen(result, table)
        write_table(rows, output, style=figure_style(rows.schema))


def show(console: Console, result: Any, table_name: str | None = None, names: Sequence[str] | None = None) -> None:
    """The table that was asked for, or the main one and some rows of the others; ``names`` are those to show, where not all."""
    from crm_engine.tables import print_table

    if table_name is not None:
        print_table(console, chosen(result, table_name), table_name.replace("_", " ").capitalize())
        return
    for number, name in enumerate(names or result.tables):
        table = result.tables[name]
        if table.num_rows or table is result.table:
            max_rows = 30 if number == 0 or table is result.table else 8
            print_table(console, table, name.replace("_", " ").capitalize(), max_rows=max_rows)


def json_of(result: Any, table: str | None = None) -> dict[str, Any]:
    """The summary with the rows of the main table, or of the one that was asked for, at most a thousand."""
    found: dict[str, Any] = plain({"analysis": result.name, **result.summary, "rows": chosen(result, table).slice(0, 1000).to_pylist()})
    return found


def plain(value: Any) -> Any:
    """For JSON: money and dates as text."""
    from decimal import Decimal

    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Decimal | dt.date) else value
