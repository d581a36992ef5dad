"""The short account at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def show_account(console: Console, summary: dict[str, Any], output: Path | None) -> None:
    """Rows in, rejected, contacts out, merged, sent to review, time; and where the result is."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(justify="left", style="dim")

    def line(name: str, value: int, note: str = "", style: str = "") -> None:
        table.add_row(name, Text(f"{value:,}", style=style), note)

    sources = summary.get("sources", [])
    n_files = len(sources)
    rows_in, rejected, skipped = summary["rows_in"], summary["rejected"], summary["skipped"]
    line("rows in", rows_in, f"from {n_files} table{'s' if n_files != 1 else ''}")
    if skipped:
        line("  skipped", skipped, "blank lines, titles, totals: listed in skipped")
    line("  rejected", rejected, "unreadable: listed in rejects" if rejected else "", style="yellow" if rejected else "")
    line("contacts out", summary["contacts"], style="bold green")
    line(
        "  merged",
        summary["merged_contacts"],
        f"of {summary['merged_contacts'] + summary['merged_records']:,} rows" if summary["merged_contacts"] else "",
    )
    line("to review", summary["pairs_to_review"], "uncertain pairs, not merged: see pairs" if summary["pairs_to_review"] else "")
    table.add_row(
        "time", f"{summary['seconds']:.1f} s", f"{rows_in / max(summary['seconds'], 1e-9):,.0f} rows per second" if rows_in >= 1000 else ""
    )
    console.print(table)
    if output is not None:
        console.print(Text.assemble(("→ ", "bold"), str(output)))
