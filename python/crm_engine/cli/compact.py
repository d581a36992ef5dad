"""``crm-engine compact``: fewer, larger files."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli.base_options import (
    base_again_option,
    base_argument,
    dry_run_option,
    opened,
    show_run,
    the_base,
    wait_option,
)
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("compact", short_help="Join a base's small files and forget what is no longer needed.")
@base_argument
@base_again_option
@wait_option
@dry_run_option
@click.option(
    "--keep-days", type=click.FloatRange(min=0), default=7, show_default=True, metavar="DAYS", help="Keep older states for running readers."
)
@click.option(
    "--reject-days", type=click.FloatRange(min=0), default=90, show_default=True, metavar="DAYS", help="Keep rejected rows so long."
)
@terminal_options
def command(
    terminal: Terminal, path: Path | None, again: Path | None, wait: float, dry_run: bool, keep_days: float, reject_days: float
) -> None:
    """Join the small files of BASE and write deleted rows out of them. What the base says stays the same; `undo` still works."""
    with opened(the_base(path, again)) as base:
        run = base.compact(keep_days=keep_days, reject_days=reject_days, wait=wait, dry_run=dry_run)
    show_run(terminal, run)
