"""``crm-engine verify``: is a base whole?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli import exits
from crm_engine.cli.base_options import base_again_option, base_argument, dry_run_option, opened, the_base, wait_option
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console


@click.command("verify", short_help="Check every invariant of a base, and say what is broken.")
@base_argument
@base_again_option
@click.option("--repair", is_flag=True, help="Derive the index, golden records and all else from the inputs again.")
@wait_option
@dry_run_option
@terminal_options
def command(terminal: Terminal, path: Path | None, again: Path | None, repair: bool, wait: float, dry_run: bool) -> int:
    """Check that BASE is whole: each record in one contact, lineage complete, child rows resolved, catalog, files and index in agreement.

    Ends with exit code 1 where something is broken.
    """
    with opened(the_base(path, again)) as base:
        report = base.verify(repair=repair, wait=wait, dry_run=dry_run)
    terminal.result(report, lambda console: _show(console, report))
    return exits.FAILED if report["problems"] else exits.DONE


def _show(console: Console, report: dict[str, Any]) -> None:
    counted = [f"{report[name]:,} {name}" for name in ("contacts", "records") if report[name] is not None]
    console.print(", ".join([*counted, f"{report['checked']} invariants checked"]))
    for problem in report.get("found", []) if report["repaired"] else []:
        console.print(f"repaired: {problem['invariant']} ({problem['count']:,})")
    for problem in report["problems"]:
        console.print(f"broken: {problem['invariant']} ({problem['count']:,}), such as {', '.join(problem['examples'][:3])}")
    if not report["problems"]:
        console.print("all of them hold")
    if report.get("dry_run") and "repair" in report:
        told = ", ".join(
            f"{value:,} {name.replace('_', ' ')}" for name, value in report["repair"].items() if isinstance(value, int) and value
        )
        console.print(f"a repair would derive all anew: {told or 'nothing would differ'}")
        console.print("nothing was changed (--dry-run)")
    elif not report["problems"]:
        return
    elif "repair_failed" in report:
        console.print(f"it cannot be derived again ({report['repair_failed']}); bring the base back from a copy")
    elif "repair" not in report:
        console.print("mend it with: crm-engine verify --repair")
