"""``crm-engine explain``: why two records are, or are not, the same contact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli.base_options import is_base, opened
from crm_engine.cli.options import terminal_options
from crm_engine.cli.result_folder import read_summary
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console


@click.command("explain", short_help="Show why two records are, or are not, the same contact.")
@click.argument("names", nargs=-1, required=True, metavar="OUT A B")
@click.option(
    "--base",
    "base_path",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="BASE",
    help="A base, in place of OUT.",
)
@terminal_options
def command(terminal: Terminal, names: tuple[str, ...], base_path: Path | None) -> None:
    """Show why the records A and B in the folder OUT, which dedupe wrote, or in a base, are or are not the same contact: per
    comparison the level that was reached, the two values, and the weight in bits that it gave.

    A record is named by its record_id (see records and pairs), or as FILE:ROW; in a base by its record_id or the contact_id it founded.

    \b
      crm-engine explain out/ hubspot.csv:17 contacts.xlsx:301
      crm-engine explain out/ 1108152157446 2216304314892 --json
      crm-engine explain --base base/ 4011 87220
    """
    wanted = "A B" if base_path is not None else "OUT A B"
    if len(names) != len(wanted.split()):
        told = "two records, after the folder that dedupe wrote, or with --base BASE"
        raise click.UsageError(f"give {wanted}: {told}; {len(names)} given")
    result = base_path if base_path is not None else Path(names[0])
    record_a, record_b = names[-2:]
    if base_path is not None or is_base(result):
        with opened(result) as base:
            explained = base.explain(record_a, record_b)
    else:
        from crm_engine.explain import explain_pair

        read_summary(result)
        explained = explain_pair(result, record_a, record_b)
    terminal.result(explained, lambda console: _show(console, explained))


def _show(console: Console, explained: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    grid.add_column("comparison")
    grid.add_column("level")
    grid.add_column(f"A  {explained['source_a']}", overflow="fold")
    grid.add_column(f"B  {explained['source_b']}", overflow="fold")
    grid.add_column("bits", justify="right")
    for comparison in explained["comparisons"]:
        weight = comparison["weight"]
        style = "green" if weight > 0 else "red" if weight < 0 else "dim"
        grid.add_row(
            comparison["comparison"],
            str(comparison["level"]).replace("_", " "),
            Text(comparison["value_a"] or "", style="" if comparison["value_a"] else "dim"),
            Text(comparison["value_b"] or "", style="" if comparison["value_b"] else "dim"),
            Text(f"{weight:+.1f}" if weight else "0", style=style),
        )
    console.print(grid)
    why = {"filler": "a placeholder", "unreadable": "cannot be read as one"}
    for cell in explained.get("not_compared", []):
        console.print(
            Text(f"{cell['role']} of {cell['record'].upper()} ('{cell['column']}'): {why[cell['doubt']]}, not compared", style="dim")
        )
    verdict = (
        Text(f"the same contact {explained['contact_id_a']}", style="bold green")
        if explained["same_contact"]
        else Text(f"two contacts, {explained['contact_id_a']} and {explained['contact_id_b']}", style="bold")
    )
    evidence = sum(comparison["weight"] for comparison in explained["comparisons"])
    rest = explained["match_weight"] - evidence
    console.print(
        Text.assemble(
            f"{evidence:+.1f} bits of evidence and {rest:+.1f} for how rare matches are give a match weight of ",
            (f"{explained['match_weight']:+.1f}", "bold"),
        )
    )
    if explained.get("decision"):
        console.print(f"a person said: {explained['decision']}")
    if "chain" not in explained:
        console.print(Text.assemble(f"match probability {explained['match_probability']:.4f}: ", verdict))
        return
    console.print(f"match probability {explained['match_probability']:.4f}: by themselves the two would be two contacts")
    console.print(Text.assemble(verdict, ": other records hold them together"))
    for pair in explained["chain"] or ():
        weight = "a person said: same" if pair["match_weight"] is None else f"match weight {pair['match_weight']:+.1f}"
        console.print(f"  {pair['record_id_a']} - {pair['record_id_b']}: {weight}")
