"""``crm-engine dedupe``: messy exports in, golden contacts out."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli import exits
from crm_engine.cli.account import show_account
from crm_engine.cli.options import (
    config_option,
    date_order_option,
    input_argument,
    mapping_option,
    memory_options,
    output_option,
    phone_region_option,
    source_name_option,
    strict_option,
    terminal_options,
    threads_option,
)
from crm_engine.cli.reading import read_options
from crm_engine.cli.result_folder import clear_stale, require_folder_for_result
from crm_engine.cli.terminal import Terminal, print_json

if TYPE_CHECKING:
    from crm_engine.result import DedupeResult


def _print_schema(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from crm_engine.config import json_schema

        print_json(json_schema())
        context.exit()


@click.command("dedupe", short_help="Find out which rows are the same contact, and merge them to golden contacts.")
@input_argument
@output_option
@click.option("--overwrite", is_flag=True, help="Write into a folder that holds other files; those that are not ours stay.")
@config_option
@mapping_option
@read_options
@phone_region_option
@date_order_option
@click.option(
    "--model", "model_path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Decide with a saved model.json."
)
@click.option(
    "--decisions",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Pairs a person called same or different: record_id_a, record_id_b, decision (an edited pairs file will do).",
)
@click.option("--match-threshold", type=float, metavar="P", help="Match probability from which two rows are one contact. [default: 0.9]")
@click.option("--review-threshold", type=float, metavar="P", help="Match probability from which a pair goes to review. [default: 0.3]")
@click.option("--max-cluster-share", type=float, metavar="SHARE", help="Fail if one contact would take more than this share of the rows.")
@source_name_option
@memory_options
@threads_option
@strict_option
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema, help="Print the JSON Schema of --config and end."
)
@terminal_options
def command(
    terminal: Terminal,
    files: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    config: Path | None,
    mapping: Path | None,
    model_path: Path | None,
    decisions: Path | None,
    strict: bool,
    threads: int | None,
    **overrides: Any,
) -> None:
    """Find out which rows of FILES are the same contact, and merge them to golden contacts. No configuration is needed.

    FILES are CSV and other delimited text, JSON lines, xlsx, xlsm, xlsb, xls, ods, Parquet, Arrow: any number, any mix, also
    glob patterns, folders, and - for standard input.

    With -o FOLDER the result is contacts, records, lineage, pairs, rejects and skipped as Parquet, with summary.json and
    model.json; with -o FILE it is the golden contacts alone, in the format that the extension says.

    \b
      crm-engine dedupe hubspot.csv contacts.xlsx -o out/
      crm-engine dedupe 'exports/*.csv' -o contacts.xlsx
      crm-engine dedupe export.csv -o out/ --mapping map.yaml --strict --json
      zcat export.csv.gz | crm-engine dedupe - -o contacts.parquet
    """
    from crm_engine import Model, dedupe
    from crm_engine.config import load_config

    started = time.monotonic()
    if threads is not None:
        # The pool of threads is made when the first kernel runs, and asks here how large it may be.
        os.environ["RAYON_NUM_THREADS"] = str(threads)
    settings = load_config(config, mapping=mapping, **overrides)
    model = Model.load(model_path) if model_path is not None else None
    is_file = _check_output(terminal, output, files, overwrite)
    with terminal.progress() as progress:
        result = dedupe(list(files), settings, model=model, decisions=decisions, progress=progress)
        if output is not None:
            _write(result, output, is_file, progress)
    seconds = time.monotonic() - started
    summary = {**result.summary, "output": os.fspath(output) if output is not None else None, "seconds": round(seconds, 3)}
    for warning in summary.get("warnings", []):
        terminal.warn(str(warning))
    terminal.result(summary, lambda console: show_account(console, summary, output))
    if output is None:
        terminal.note("nothing was written; give -o FOLDER or -o contacts.xlsx to keep the result")
    if strict and summary["rejected"]:
        raise exits.RejectedRows(summary["rejected"])


def _check_output(terminal: Terminal, output: Path | None, files: tuple[str, ...], overwrite: bool) -> bool:
    """Whether the output is one file; wrong outputs are refused before any work is done."""
    if output is None:
        return False
    if output.exists() and not output.is_dir() and not output.is_file():
        terminal.stdout_taken = True
    if any(os.path.exists(name) and output.exists() and os.path.samefile(name, output) for name in files):
        raise click.UsageError(f"{output} is an input as well; write the result to another place")
    if output.is_dir() or not output.suffix:
        require_folder_for_result(output, overwrite=overwrite)
        return False
    from crm_engine.output import check_output

    check_output(output)
    return True


def _write(result: DedupeResult, output: Path, is_file: bool, progress: Any) -> None:
    if not is_file:
        result.write(output, progress=progress)
        clear_stale(output)
        return
    from crm_engine.output import write_table

    write_table(result.reader("contacts"), output, sheet="contacts", progress=progress)
