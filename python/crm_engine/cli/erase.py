"""``crm-engine erase``: people who must be forgotten."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli.base_options import changing_options, opened, show_run
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("erase", short_help="Remove people for good: from tables, index, history and files.")
@click.argument("contact_ids", nargs=-1, required=True, metavar="CONTACT...")
@changing_options
@terminal_options
def command(terminal: Terminal, contact_ids: tuple[str, ...], path: Path, wait: float, dry_run: bool) -> None:
    """Remove the CONTACTs from BASE for good, with everything that came from or belongs to them. This cannot be undone.

    Keyed hashes of their identifiers are kept, so that a later import of the same people stays suppressed. The report names exports
    made earlier that may still hold the data.

    \b
      crm-engine erase c3s8bwgacqr5gr --base base/ --dry-run
      crm-engine erase c3s8bwgacqr5gr --base base/
    """
    with opened(path) as base:
        run = base.erase(list(contact_ids), wait=wait, dry_run=dry_run)
    show_run(terminal, run)
    for export in run.detail.get("exports", []):
        terminal.note(f"an export may still hold the data: {export['file']} (run {export['run_id']}, {export['at']})")
