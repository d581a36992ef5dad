"""``crm-engine verify``: is a base whole?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli import exits
from crm_engine.cli.base_options import base_argument, opened, wait_option
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console


@click.command("verify", short_help="Check every invariant of a base, and say what is broken.")
@base_argument
@click.option("--repair", is_flag=True, help="Derive the index, golden records and all else from the inputs again.")
@wait_option
@terminal_options
def command(terminal: Terminal, path: Path, repair: bool, wait: float) -> int:
    """Check that BASE is whole: each record in one contact, lineage complete, child rows resolved, catalog, files and index in agreement.

    Ends with exit code 1 where something is broken.
    """
    with opened(path) as base:
        report = base.verify(repair=repair, wait=wait)
    terminal.result(report, lambda console: _show(console, report))
    return exits.FAILED if report["problems"] else exits.DONE


def _show(console: Console, report: dict[str, Any]) -> None:
    console.print(f"{report['contacts']:,} contacts, {report['records']:,} records, {report['checked']} invariants checked")
    for problem in report.get("found", []) if report["repaired"] else []:
        console.print(f"repaired: {problem['invariant']} ({problem['count']:,})")
    for problem in report["problems"]:
        console.print(f"broken: {problem['invariant']} ({problem['count']:,}), such as {', '.join(problem['examples'][:3])}")
    if not report["problems"]:
        console.print("all of them hold")
    elif not report["repaired"]:
        console.print("mend it with: crm-engine verify --repair")
