"""``crm-engine review``: uncertain contacts as a workbook to fill in, and what was filled in as decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("review", short_help="Write uncertain contacts as a workbook to fill in; read the decisions back.")
@click.argument("source", required=False, type=click.Path(exists=True, path_type=Path), metavar="[SOURCE]")
@click.option(
    "--base",
    "base_path",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="BASE",
    help="Write the uncertain contacts of a base.",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The workbook, or the file of decisions."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Pairs of contacts at most, the likeliest first.",
)
@click.option("--all", "take_all", is_flag=True, help="All pairs, however many.")
@terminal_options
def command(terminal: Terminal, source: Path | None, base_path: Path | None, output: Path, limit: int, take_all: bool) -> None:
    """Write the uncertain contacts of a base, or of SOURCE, a folder that dedupe wrote, as a workbook: groups of contacts that
    may be the same, differing cells coloured, a drop-down per row; of a base also one per field for the value to keep.

    If SOURCE is such a workbook, filled in as far as it was, its decisions are written to FILE: record_id_a, record_id_b, decision.

    \b
      crm-engine review --base base/ -o review.xlsx      # fill it in, then:
      crm-engine decide review.xlsx --base base/
      crm-engine review out/ -o review.xlsx
      crm-engine review review.xlsx -o decisions.csv
    """
    from crm_engine.output import write_table
    from crm_engine.review import read_review, write_review

    if (source is None) == (base_path is None):
        raise click.UsageError("give one of: SOURCE, a folder that dedupe wrote or a filled in workbook, or --base BASE")
    if source is None or source.is_dir():
        from crm_engine.cli.base_options import is_base, opened

        where = base_path if source is None else source
        assert where is not None
        bound = None if take_all else limit
        with terminal.progress() as progress:
            if is_base(where):
                with opened(where) as base:
                    summary: dict[str, Any] = write_review(base, output, limit=bound, progress=progress)
            else:
                summary = write_review(where, output, limit=bound, progress=progress)
        summary["output"] = str(output)
        for warning in summary["warnings"]:
            terminal.warn(warning)
        left = f", {summary['pairs_left']:,} more are left for another time (--limit, --all)" if summary["pairs_left"] else ""
        terminal.result(
            summary,
            lambda console: console.print(f"{summary['pairs']:,} pairs of contacts in {summary['groups']:,} groups{left}\n→ {output}"),
        )
        return
    review = read_review(source)
    for warning in review.warnings:
        terminal.warn(warning)
    write_table(review.decisions, output)
    counts = {**review.counts, "decisions": review.decisions.num_rows, "output": str(output)}
    words = ", ".join(f"{count:,} {word}" for word, count in review.counts.items())
    terminal.result(counts, lambda console: console.print(f"{words}\n→ {output}"))
