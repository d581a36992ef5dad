"""``crm-engine changes``: what another system needs to follow a base."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli.base_options import base_option, opened
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("changes", short_help="List what became of contacts since a run: created, updated, merged, split, erased.")
@base_option
@click.option("--since", type=click.IntRange(min=0), default=0, metavar="RUN", help="Only what came after this run; everything otherwise.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where the table goes (.parquet .csv .tsv .xlsx .arrow .jsonl .json).",
)
@terminal_options
def command(terminal: Terminal, path: Path, since: int, output: Path | None) -> None:
    """List what became of the contacts in BASE after the run --since: created, updated (with the fields), merged (into whom), split (from
    whom), gone, erased. The latest run's number is the next --since.

    \b
      crm-engine changes --base base/ --since 41 -o changes.parquet
    """
    import pyarrow.compute as pc

    from crm_engine.tables import print_table

    with opened(path) as base:
        table = base.changes(since)
        last = max([since, *(row["run_id"] for row in base.runs().select(["run_id"]).to_pylist())])
    if output is not None:
        from crm_engine.output import write_table

        write_table(table, output)
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(table["change"]).to_pylist()}
    summary = {"since": since, "until": last, "changes": table.num_rows, **counts, "output": str(output) if output else None}
    told = f"{table.num_rows:,} changes in the runs {since + 1} to {last}"
    if output is not None:
        terminal.result(summary, lambda console: console.print(f"{told}\n→ {output}"))
        return
    shown = table.set_column(table.schema.get_field_index("fields"), "fields", pc.binary_join(table["fields"], ", "))
    terminal.result(summary, lambda console: print_table(console, shown, told))
