"""``crm-engine undo``: a base as if a run had never been."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli.base_options import changing_options, opened, show_run
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("undo", short_help="Take a run back, as if it had never been.")
@click.argument("run_id", type=int, metavar="RUN")
@changing_options
@click.option("--go-on", is_flag=True, help="Undo it even where later runs depend on it; they stay as they are.")
@terminal_options
def command(terminal: Terminal, run_id: int, path: Path, wait: float, dry_run: bool, go_on: bool) -> None:
    """Make BASE as if RUN (see `history`) had never been. Later runs stay; where some depend on it, they are named and nothing is done.

    What was erased is never brought back.

    \b
      crm-engine history --base base/
      crm-engine undo 12 --base base/ --dry-run
    """
    with opened(path) as base:
        run = base.undo(run_id, go_on=go_on, wait=wait, dry_run=dry_run)
    show_run(terminal, run)
