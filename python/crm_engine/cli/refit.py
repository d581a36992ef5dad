"""``crm-engine refit``: a base's model anew."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli.base_options import changing_options, opened, show_run
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("refit", short_help="Fit a base's model anew on all that it holds now.")
@changing_options
@terminal_options
def command(terminal: Terminal, path: Path, wait: float, dry_run: bool) -> None:
    """Fit the model of BASE anew and resolve all records under it. Decisions hold; `undo` brings the earlier model back.

    \b
      crm-engine refit --base base/ --dry-run
    """
    with opened(path) as base, terminal.progress() as progress:
        run = base.refit(wait=wait, dry_run=dry_run, progress=progress)
    show_run(terminal, run)
