"""``crm-engine split``: records that are not one contact."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli.base_options import changing_options, opened, show_run
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("split", short_help="Take a contact apart; its records stay apart, whatever is imported later.")
@click.argument("contact_id", metavar="CONTACT")
@click.argument("records", nargs=-1, metavar="[RECORD...]")
@changing_options
@terminal_options
def command(terminal: Terminal, contact_id: str, records: tuple[str, ...], path: Path, wait: float, dry_run: bool) -> None:
    """Take the RECORDs (all of them from each other where none is named) out of CONTACT in BASE.

    \b
      crm-engine split c3s8bwgacqr5gr --base base/
      crm-engine split c3s8bwgacqr5gr 4011 87220 --base base/
    """
    with opened(path) as base:
        run = base.split(contact_id, list(records) or None, wait=wait, dry_run=dry_run)
    show_run(terminal, run)
