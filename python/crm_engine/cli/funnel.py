"""``crm-engine funnel``: deals through stages, or contacts through steps."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli.analyze import chosen, json_of, plain, show, write
from crm_engine.cli.base_options import is_base, opened
from crm_engine.cli.options import InputPath, terminal_options
from crm_engine.cli.reading import tables_option, tell
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console


@click.command()
@click.argument("files", nargs=-1, type=InputPath(), metavar="FILES...")
@click.option("--base", "base_path", type=click.Path(exists=True, file_okay=False), metavar="BASE", help="The base whose tables to read.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path, exists=True),
    metavar="FILE",
    help="The funnel as YAML; with 'steps' it is an event funnel.",
)
@click.option(
    "--retention",
    is_flag=True,
    help="How many of those who began in a period came back in each period after, instead of a funnel; --config has period, start, return, ...",
)
@click.option(
    "--by", multiple=True, metavar="COLUMN", help="Break down by this column, or by day, week, month, quarter or year; repeatable."
)
@click.option("--contacts", type=InputPath(), metavar="FILE", help="Contacts whose columns an event funnel may be broken down by.")
@click.option("--payments", type=InputPath(), metavar="FILE", help="Payments of the won deals (deal_id, status, amount).")
@click.option(
    "--table",
    metavar="NAME",
    help="Which table to show or write: steps, totals, levels, segments, stages, losses, amounts, moves, deals, or a breakdown's name.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file (.parquet .csv .tsv .xlsx .arrow .jsonl .json), or a chart (.html .png .svg).",
)
@terminal_options
@tables_option
def command(
    terminal: Terminal,
    files: tuple[str, ...],
    base_path: str | None,
    config: Path | None,
    retention: bool,
    by: tuple[str, ...],
    contacts: str | None,
    payments: str | None,
    table: str | None,
    output: Path | None,
    date_order: str | None,
) -> None:
    """How far deals get through stages, or contacts through steps.

    FILES are DEALS and the history of their STAGES, or with steps in --config one file (or a folder of Parquet files) of EVENTS; or a base,
    or a folder with tables by their known names (deals.csv, deal_stages.csv, interactions.parquet, orders.csv, ...).

    \b
      crm-engine funnel deals.csv deal_stages.csv --by owner -o funnel.html
      crm-engine funnel interactions.parquet --config steps.yaml -o funnel.csv
      crm-engine funnel --base base/ --by owner -o funnel.html
      crm-engine funnel interactions.parquet --retention -o retention.html
    """
    from crm_engine.columns import load_config

    options = load_config(config, "funnel")
    if by:
        options["by"] = list(by)
    if date_order:
        options["date_order"] = date_order
    if retention:
        if by or contacts or payments:
            raise click.UsageError("--retention goes with --config, --table and -o alone")
        _retention(terminal, files, base_path, options, table, output)
        return
    main = "steps" if "steps" in options else "stages"
    with terminal.progress() as progress:
        folder = _folder(files, base_path, options)
        if folder is not None:
            funnel = _of_tables(folder, options, contacts, payments, progress)
        else:
            funnel = _of_files(files, options, contacts, payments, progress)
    tell(terminal, funnel.summary)
    shown = None if table is None else funnel.table(table)
    if output is not None:
        _write(funnel, table, main, output)
        terminal.note(f"wrote {output}")
    summary = dict(funnel.summary)
    summary[main] = funnel.totals.to_pylist()
    if shown is not None:
        summary["rows"] = shown.slice(0, 1000).to_pylist()
    terminal.result(plain(summary), lambda console: _show(console, funnel, main) if shown is None else _show_table(console, shown, table))


def _folder(files: tuple[str, ...], base_path: str | None, options: dict[str, Any]) -> str | None:
    """The base or the folder of tables, where it is one; a folder of Parquet files that bear no table's name is one table."""
    from crm_engine.analyses.table_sources import is_table_folder
    from crm_engine.table_files import has_parquet_files

    if (base_path is None) == (not files):
        raise click.UsageError("say what the funnel is over: FILES, or --base BASE")
    if base_path is not None and not is_base(base_path):
        raise click.UsageError(f"{base_path} is no base; `crm-engine init` makes one")
    if base_path is not None:
        return base_path
    if len(files) != 1 or not Path(files[0]).is_dir():
        return None
    is_one_table = "events" not in options and not is_base(files[0]) and not is_table_folder(files[0]) and has_parquet_files(files[0])
    return None if is_one_table else files[0]


def _retention(
    terminal: Terminal, files: tuple[str, ...], base_path: str | None, options: dict[str, Any], table: str | None, output: Path | None
) -> None:
    from crm_engine import retention

    folder = _folder(files, base_path, options)
    if folder is None and len(files) != 1:
        raise click.UsageError(f"retention reads one file of events, and {len(files)} are given")
    with opened(Path(folder)) if folder is not None and is_base(folder) else contextlib.nullcontext(folder or files[0]) as events:
        result = retention(events, options)
    tell(terminal, result.summary)
    chosen(result, table)
    if output is not None:
        write(result, table, output)
        terminal.note(f"wrote {output}")
    terminal.result(json_of(result, table), lambda console: show(console, result, table or "cohorts"))


def _of_tables(folder: str, options: dict[str, Any], contacts: str | None, payments: str | None, progress: Any) -> Any:
    from crm_engine.funnels.over_tables import funnel

    if contacts or payments:
        raise click.UsageError("a base or a folder has its contacts and payments itself; leave --contacts and --payments out")
    with opened(Path(folder)) if is_base(folder) else contextlib.nullcontext(folder) as tables:
        return funnel(tables, options, progress=progress)


def _of_files(files: tuple[str, ...], options: dict[str, Any], contacts: str | None, payments: str | None, progress: Any) -> Any:
    from crm_engine import event_funnel, pipeline_funnel

    if "steps" in options:
        if len(files) != 1:
            raise click.UsageError(f"an event funnel reads one file of events, and {len(files)} are given")
        return event_funnel(files[0], options, contacts=contacts, progress=progress)
    if len(files) > 2:
        raise click.UsageError(f"a pipeline funnel reads deals and their stages, and {len(files)} files are given")
    return pipeline_funnel(files[0], files[1] if len(files) == 2 else None, options, payments=payments, progress=progress)


def _write(funnel: Any, name: str | None, main: str, output: Path) -> None:
    from crm_engine.charts import draw, is_chart_path
    from crm_engine.errors import ConfigError
    from crm_engine.figures_workbook import figure_style, write_figures
    from crm_engine.output import output_format, write_table

    if is_chart_path(output):
        if name is not None:
            raise ConfigError(f"{output}: a chart shows the funnel as a whole; leave --table out, or write a table")
        draw(funnel, output)
        return
    if output_format(output) == ".xlsx" and name is None:
        sheets = {name: funnel.table(name) for name in funnel.table_names() if name not in funnel.LONG_TABLES}
        write_figures({name: table for name, table in sheets.items() if table.num_columns}, output)
    else:
        rows = funnel.table(name or main)
        write_table(rows, output, style=figure_style(rows.schema))


def _show_table(console: Console, table: Any, name: str | None) -> None:
    from crm_engine.tables import print_table

    print_table(console, table, (name or "").replace("_", " ").capitalize())


def _show(console: Console, funnel: Any, main: str) -> None:
    from crm_engine.tables import print_table

    table = getattr(funnel, main)
    print_table(console, funnel.totals, "Funnel")
    if table.column_names != funnel.totals.column_names:
        print_table(
            console, table, "By " + ", ".join(table.column_names[: table.column_names.index("step" if main == "steps" else "stage")])
        )
    for name in ("losses", "forecast", "forecast_check", "payments") if main == "stages" else ():
        found = getattr(funnel, name)
        if found is not None and found.num_rows:
            print_table(console, found, name.replace("_", " ").capitalize(), max_rows=12)
