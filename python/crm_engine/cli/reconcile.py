"""``crm-engine reconcile``: two lists of the same contacts side by side."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli import exits
from crm_engine.cli.options import InputPath, config_option, mapping_option, memory_options, strict_option, terminal_options, threads_option
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("reconcile", short_help="Compare two lists of the same contacts: what differs, what is missing where.")
@click.argument("left", type=InputPath(), metavar="LEFT")
@click.argument("right", type=InputPath(), metavar="RIGHT")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="A workbook (diff.xlsx), or a folder for Parquet files."
)
@click.option("--overwrite", is_flag=True, help="Write into a folder that holds other files; those that are not ours stay.")
@click.option(
    "--key", "keys", multiple=True, metavar="ROLE|COLUMN|LEFT=RIGHT", help="Rows with the same value here are the same contact. Repeatable."
)
@click.option("--same", "twins", multiple=True, metavar="LEFT=RIGHT", help="Columns that are one under two names. Repeatable.")
@click.option("--as-written", multiple=True, metavar="FIELD", help="Compare this field to the letter, formats included. Repeatable.")
@click.option("--left-name", metavar="NAME", help="What to call the left side; its file's name otherwise.")
@click.option("--right-name", metavar="NAME", help="What to call the right side; its file's name otherwise.")
@mapping_option
@click.option("--left-mapping", type=_FILE, metavar="FILE", help="What the columns of the left side mean.")
@click.option("--right-mapping", type=_FILE, metavar="FILE", help="What the columns of the right side mean.")
@click.option(
    "--decisions", type=_FILE, metavar="FILE", help="An earlier diff.xlsx with the column Decision of its sheet To review filled in."
)
@click.option("--model", "model_path", type=_FILE, metavar="FILE", help="Decide with a saved model.json.")
@config_option
@memory_options
@threads_option
@strict_option
@terminal_options
def command(
    terminal: Terminal,
    left: str,
    right: str,
    output: Path | None,
    overwrite: bool,
    keys: tuple[str, ...],
    twins: tuple[str, ...],
    model_path: Path | None,
    config: Path | None,
    mapping: Path | None,
    memory_limit: int | None,
    tmp_dir: Path | None,
    threads: int | None,
    strict: bool,
    **options: Any,
) -> None:
    """Compare LEFT and RIGHT, two lists of the same contacts: which row is which, where they differ, what is only in one of them.

    The lists may have other headers, languages and formats: columns answer each other by what they mean, and a telephone number
    in another format is no difference. What is shown are the values as they stand in the files.

    The workbook has the sheets Summary, Differences (a row per field that differs), Only left, Only right, To review and Matched.
    A folder gets the same as Parquet, for machines.

    \b
      crm-engine reconcile erp.xlsx crm.csv -o diff.xlsx
      crm-engine reconcile erp.xlsx crm.csv -o diff.xlsx --key tax_id --key "Kundennr=customer_no"
      crm-engine reconcile erp.xlsx crm.csv -o diff/ --same "Бонус=points" --json
      crm-engine reconcile erp.xlsx crm.csv -o diff2.xlsx --decisions diff.xlsx
    """
    from crm_engine import Model, reconcile
    from crm_engine.config import load_config

    started = time.monotonic()
    if threads is not None:
        os.environ["RAYON_NUM_THREADS"] = str(threads)
    _check_output(output, (left, right), overwrite)
    settings = load_config(config, mapping=mapping, memory_limit=memory_limit, tmp_dir=tmp_dir)
    model = Model.load(model_path) if model_path is not None else None
    with terminal.progress() as progress:
        result = reconcile(left, right, settings, key=keys, same=_pairs(twins), model=model, progress=progress, **options)
        warnings = result.write(output, progress=progress) if output is not None else []
    summary = {
        **result.summary,
        "output": os.fspath(output) if output is not None else None,
        "seconds": round(time.monotonic() - started, 3),
    }
    summary["warnings"] = [*summary["warnings"], *warnings]
    for warning in summary["warnings"]:
        terminal.warn(str(warning))
    terminal.result(summary, lambda console: _show(console, summary, output))
    if output is None:
        terminal.note("nothing was written; give -o diff.xlsx, or a folder, to keep the result")
    if strict and summary["rejected"]:
        raise exits.RejectedRows(summary["rejected"])


def _pairs(twins: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for twin in twins:
        left, separator, right = twin.partition("=")
        if not separator or not left.strip() or not right.strip():
            raise click.UsageError(f"--same {twin}: give LEFT=RIGHT, the name of a column on either side")
        pairs[left.strip()] = right.strip()
    return pairs


def _check_output(output: Path | None, inputs: tuple[str, str], overwrite: bool) -> None:
    """Wrong outputs are refused before any work is done."""
    if output is None:
        return
    if any(os.path.exists(name) and output.exists() and os.path.samefile(name, output) for name in inputs):
        raise click.UsageError(f"{output} is an input as well; write the result to another place")
    if output.is_dir() or not output.suffix:
        foreign = [entry.name for entry in output.iterdir() if not entry.name.startswith(".")] if output.is_dir() else []
        if foreign and not overwrite and not (output / "differences.parquet").exists():
            raise click.UsageError(f"{output} holds other files ({foreign[0]}); give a new folder, or --overwrite to write beside them")
        return
    if output.suffix.lower() != ".xlsx":
        raise click.UsageError(f"{output}: a comparison has several tables; write a workbook (diff.xlsx), or a folder of Parquet files")
    from crm_engine.output import check_output

    check_output(output)


def _show(console: Console, summary: dict[str, Any], output: Path | None) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column(Text(summary["left"]), justify="right", overflow="fold")
    table.add_column(Text(summary["right"]), justify="right", overflow="fold")
    for name, left, right, style in (
        ("rows", "left_rows", "right_rows", ""),
        ("matched", "matched", "matched", "green"),
        ("  with differences", "different", "different", "yellow" if summary["different"] else ""),
        ("  further rows of a matched contact", "left_duplicates", "right_duplicates", ""),
        ("only here", "only_left", "only_right", "bold"),
        ("pairs to review", "to_review", "to_review", ""),
        ("rejected", "left_rejected", "right_rejected", "red"),
    ):
        if name.startswith(("rejected", "  further")) and not summary[left] and not summary[right]:
            continue
        table.add_row(name, Text(f"{summary[left]:,}", style=style), Text(f"{summary[right]:,}", style=style))
    console.print(table)
    differing = sorted((field for field in summary["fields"]), key=lambda field: -_n_differing(field))
    shown = [f"{field['field']} {_n_differing(field):,}" for field in differing if _n_differing(field)]
    if shown:
        console.print(Text("differences by field: " + ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")))
    console.print(Text(f"time {summary['seconds']:.1f} s", style="dim"))
    if output is not None:
        console.print(Text.assemble(("→ ", "bold"), str(output)))


def _n_differing(field: dict[str, Any]) -> int:
    return int(field["different"] + field["partly"] + field["only_left"] + field["only_right"])
