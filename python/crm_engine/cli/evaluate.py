"""``crm-engine evaluate``: how right a result is, by one's own labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm_engine.cli.options import InputPath, terminal_options
from crm_engine.cli.result_folder import read_summary
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

    from crm_engine.evaluate import Evaluation


@click.command("evaluate", short_help="Measure a result against your own labels: precision, recall, F1, B-cubed.")
@click.argument("result", type=click.Path(path_type=Path), metavar="OUT")
@click.argument("labels", type=InputPath(), metavar="LABELS")
@click.option(
    "--sampled-by",
    type=click.Choice(["clusters", "records"]),
    default="clusters",
    show_default=True,
    help="How the labels were chosen, where they cover only some records.",
)
@terminal_options
def command(terminal: Terminal, result: Path, labels: str, sampled_by: str) -> None:
    """Measure the folder OUT, which dedupe wrote, against LABELS: precision, recall and F1 over pairs, B-cubed, and false merges
    per 10,000.

    LABELS (CSV, xlsx, Parquet, ...) say who each record is: a column true_id, beside record_id, or source_file and source_row,
    or source_key, or any column of the input that is unique. Or they are pairs: record_id_a, record_id_b, and a column label that
    says same or different. Labels of a sample of whole true clusters give estimates for all data, with 95 % intervals.

    \b
      crm-engine evaluate out/ truth.csv
      crm-engine evaluate out/ reviewed_pairs.xlsx --json
    """
    from crm_engine.evaluate import evaluate

    read_summary(result)
    found = evaluate(result, labels, sampled_by="records" if sampled_by == "records" else "clusters")
    if found.unknown:
        terminal.warn(f"{found.unknown:,} labels name no record of {result}, or say nothing")
    terminal.result(found.to_dict(), lambda console: _show(console, found))


def _show(console: Console, found: Evaluation) -> None:
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in ("", "precision", "recall", "F1"):
        grid.add_column(name, justify="left" if not name else "right")
    grid.add_row("pairs", *(_figure(found, name) for name in ("precision", "recall", "f1")))
    if found.b_cubed_f1 is not None:
        grid.add_row("B-cubed", *(_figure(found, f"b_cubed_{name}") for name in ("precision", "recall", "f1")))
    console.print(grid)
    if found.false_merges_per_10000 is not None:
        between = (found.intervals or {}).get("false_merges_per_10000")
        interval = f" ({between[0]:,.0f} to {between[1]:,.0f})" if between else ""
        console.print(f"false merges per 10,000   {found.false_merges_per_10000:,.1f}{interval}")
    what = "pairs" if found.labels == "pairs" else "records"
    console.print(f"labelled {what}          {found.labelled:>8,}  of {found.records:,} records: {found.labels}", style="dim")
    console.print(
        f"pairs: {found.true_positives:,.0f} right, {found.false_positives:,.0f} merged wrongly, {found.false_negatives:,.0f} missed",
        style="dim",
    )
    if found.intervals:
        console.print("in brackets: 95 % intervals", style="dim")


def _figure(found: Evaluation, name: str) -> str:
    value = getattr(found, name)
    if value is None:
        return "-"
    interval = (found.intervals or {}).get(name)
    return f"{value:.4f}" + (f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else "")
