"""``crm-engine history``: the runs of a base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli.base_options import base_option, opened
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console


@click.command("history", short_help="List the runs of a base: what was imported, decided, undone, and when.")
@base_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The last N runs only.")
@terminal_options
def command(terminal: Terminal, path: Path, limit: int | None) -> None:
    """List the runs of BASE, the latest last. Each may be undone: crm-engine undo RUN --base BASE."""
    with opened(path) as base:
        rows = base.runs().to_pylist()
    for row in rows:
        row["counts"], row["detail"] = json.loads(row["counts"] or "{}"), json.loads(row["detail"] or "{}")
        row["at"] = row["at"].isoformat(timespec="seconds") + "Z"
    shown = rows[-limit:] if limit else rows
    terminal.result({"runs": shown}, lambda console: _show(console, shown))


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    if not rows:
        console.print("no runs yet")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name, justify in (("run", "right"), ("at (UTC)", "left"), ("kind", "left"), ("of", "left"), ("what", "left"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        note = f"undone by {row['undone_by']}" if row["undone_by"] else f"undid {row['undoes']}" if row["undoes"] else ""
        of = " ".join(str(part) for part in (row["target"], f"({row['source']})" if row["source"] else None) if part)
        table.add_row(
            str(row["run_id"]),
            row["at"].replace("T", " ").rstrip("Z"),
            row["kind"],
            of,
            told(row["counts"]),
            note,
            style="dim" if row["undone_by"] else "",
        )
    console.print(table)


def told(counts: dict[str, Any]) -> str:
    """The counts that are not zero, in words."""
    return ", ".join(_counted(value, name.replace("_", " ")) for name, value in counts.items() if isinstance(value, int) and value)


def _counted(count: int, what: str) -> str:
    first, *rest = what.split(" ")
    # `unchanged` and the like are no plurals.
    one = first.removesuffix("s") if count == 1 and first.endswith("s") else first
    return " ".join([f"{count:,}", one, *rest])
