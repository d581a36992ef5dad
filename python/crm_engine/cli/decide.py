"""``crm-engine decide``: a person's word on uncertain pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crm_engine.cli.base_options import changing_options, opened, show_run
from crm_engine.cli.options import InputPath, terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("decide", short_help="Say which uncertain pairs are the same contact, from a reviewed file or one by one.")
@click.argument("file", required=False, type=InputPath(), metavar="[FILE]")
@changing_options
@click.option("--pair", "pairs", nargs=2, multiple=True, metavar="A B", help="Two record ids (or contact ids); may be repeated, with --as.")
@click.option(
    "--as", "decision", type=click.Choice(["same", "different", "later", "none"]), help="The decision on --pair; none takes one back."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="Write the decisions of BASE to a file, for another base."
)
@terminal_options
def command(
    terminal: Terminal,
    file: str | None,
    path: Path,
    wait: float,
    dry_run: bool,
    pairs: tuple[tuple[str, str], ...],
    decision: str | None,
    output: Path | None,
) -> None:
    """Keep decisions on pairs of records in BASE. They outlive every later import; `undo`, or the decision none, takes them back.

    FILE is the workbook that `review` wrote, filled in as far as it was, or a table with the columns record_id_a, record_id_b and
    decision (same, different, later, none).

    \b
      crm-engine decide review.xlsx --base base/
      crm-engine decide --base base/ --pair 4011 87220 --as different
      crm-engine decide --base base/ -o decisions.csv && crm-engine decide decisions.csv --base other/
    """
    if sum(map(bool, (file, pairs, output))) != 1:
        raise click.UsageError("give one of: a reviewed FILE, --pair A B with --as, or -o PATH to write the decisions")
    if bool(pairs) != bool(decision):
        raise click.UsageError("--pair and --as go together")
    with opened(path) as base:
        if output is not None:
            from crm_engine.output import write_table

            table = base.decisions()
            write_table(table, output)
            terminal.result(
                {"decisions": table.num_rows, "output": str(output)},
                lambda console: console.print(f"{table.num_rows:,} decisions → {output}"),
            )
            return
        if pairs:
            run = base.decide(pairs, decision, origin="command line", wait=wait, dry_run=dry_run)
        else:
            assert file is not None
            run = _from_file(base, file, wait=wait, dry_run=dry_run)
    if hasattr(run, "runs"):
        _show_reviewed(terminal, run)
    else:
        show_run(terminal, run)


def _show_reviewed(terminal: Terminal, reviewed: Any) -> None:
    for warning in reviewed.warnings:
        terminal.warn(warning)
    if not reviewed.runs:
        terminal.result({**reviewed.counts, "runs": []}, lambda console: console.print("nothing is filled in; nothing was changed"))
    elif all(run.nothing_new for run in reviewed.runs):
        told = {**reviewed.counts, "runs": [], "nothing_new": True}
        terminal.result(told, lambda console: console.print("nothing new: all of it was decided so already; no run was made"))
    elif terminal.as_json:
        terminal.result({**reviewed.counts, "runs": [run.summary for run in reviewed.runs]}, lambda console: None)
    else:
        for run in reviewed.runs:
            show_run(terminal, run)


def _from_file(base: Any, file: str, *, wait: float, dry_run: bool) -> Any:
    import pyarrow as pa

    from crm_engine.review import apply_review, is_review
    from crm_engine.sources import open_sources

    if is_review(file):
        return apply_review(base, file, wait=wait, dry_run=dry_run)
    tables = [source.reader().read_all() for source in open_sources([file])]
    return base.decide(pa.concat_tables(tables, promote_options="default"), origin=Path(file).name, wait=wait, dry_run=dry_run)
