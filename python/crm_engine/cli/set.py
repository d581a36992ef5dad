"""``crm-engine set``: bulk edits by a rule."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli.base_options import changing_options, opened, show_run
from crm_engine.cli.options import terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("set", short_help="Set columns of all contacts that a rule chooses.")
@click.argument("values", nargs=-1, required=True, metavar="COLUMN=VALUE...")
@changing_options
@click.option("--where", metavar="RULE", help="Which contacts, such as \"city = 'Riga' and owner is null\".")
@click.option("--contact", "contacts", multiple=True, metavar="ID", help="One contact instead of a rule; may be repeated.")
@click.option("--today", metavar="DATE", help="What the rule means by today.")
@terminal_options
def command(
    terminal: Terminal,
    values: tuple[str, ...],
    path: Path,
    wait: float,
    dry_run: bool,
    where: str | None,
    contacts: tuple[str, ...],
    today: str | None,
) -> None:
    """Set columns of the contacts in BASE that fit --where. An empty VALUE clears. The values stand above what sources say; `undo` takes
    them back.

    \b
      crm-engine set owner=ivanov --base base/ --where "city = 'Riga' and owner is null" --dry-run
      crm-engine set owner=ivanov --base base/ --where "city = 'Riga' and owner is null"
    """
    parsed: dict[str, str | None] = {}
    for pair in values:
        column, sign, value = pair.partition("=")
        if not sign:
            raise click.UsageError(f"write COLUMN=VALUE; '{pair}' has no '='")
        parsed[column.strip()] = value or None
    with opened(path) as base:
        run = base.set(parsed, where=where, contacts=list(contacts) or None, today=today, wait=wait, dry_run=dry_run)
    show_run(terminal, run)
