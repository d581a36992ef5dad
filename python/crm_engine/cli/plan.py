"""``crm-engine plan``: targets against facts."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path

import click

from crm_engine.cli.analyze import chosen, json_of, show, write
from crm_engine.cli.base_options import is_base, opened
from crm_engine.cli.options import InputPath, terminal_options
from crm_engine.cli.reading import outcome_options, tables_option, tell
from crm_engine.cli.terminal import Terminal


@click.command()
@click.argument("plans", type=InputPath(), metavar="PLANS")
@click.argument("tables", required=False, type=click.Path(exists=True, file_okay=False), metavar="[FOLDER]")
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]), help="The day to take for today; the last day on which anything happened otherwise."
)
@click.option("--timezone", metavar="ZONE", help="Whose clock days follow, such as Europe/Riga.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="How far a forecast may miss its target before it is a deviation.",
)
@click.option("--table", metavar="NAME", help="Which table to show or write: plan, current, deviations, without_target.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A table (.parquet .csv .tsv .xlsx .arrow .jsonl .json) or a chart (.html .png .svg).",
)
@outcome_options
@terminal_options
@tables_option
def command(
    terminal: Terminal,
    plans: str,
    tables: str | None,
    today: dt.datetime | None,
    timezone: str | None,
    tolerance: float,
    table: str | None,
    output: Path | None,
    date_order: str | None,
    won: tuple[str, ...],
    lost: tuple[str, ...],
) -> None:
    """Compare PLANS (CSV or YAML: period, owner, metric, product, target, currency) with what happened.

    The facts are the tables in FOLDER (or in a base), or in the folder of PLANS.

    \b
      crm-engine plan demo/exports/plans.csv -o plan.html
    """
    from crm_engine.plan import plan

    folder = tables or str(Path(plans).parent)
    with opened(Path(folder)) if is_base(folder) else contextlib.nullcontext(folder) as where:
        day = today.date() if today else None
        result = plan(plans, where, today=day, timezone=timezone, tolerance=tolerance, date_order=date_order, won=won, lost=lost)
    tell(terminal, result.summary)
    chosen(result, table)
    if output is not None:
        write(result, table, output)
        terminal.note(f"wrote {output}")
    shown = ("current", "deviations", "without_target")
    terminal.result(json_of(result, table), lambda console: show(console, result, table, shown))
