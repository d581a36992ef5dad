"""``crm-engine import``: contacts and related tables into a base."""

from __future__ import annotations

from pathlib import Path

import click

from crm_engine.cli import exits
from crm_engine.cli.base_options import changing_options, opened, show_run
from crm_engine.cli.options import input_argument, mapping_option, strict_option, terminal_options
from crm_engine.cli.terminal import Terminal


@click.command("import", short_help="Take contacts, or a related table, into a base.")
@input_argument
@changing_options
@click.option(
    "--source",
    "source_name",
    metavar="NAME",
    help="What the rows' source is called, where they have no source column; each file's name otherwise.",
)
@mapping_option
@click.option(
    "--snapshot",
    is_flag=True,
    help="FILES are the source's whole list: records that are gone from it are marked and reported, never deleted.",
)
@click.option("--allow-large-merges", is_flag=True, help="Go on where an import would merge suspiciously much.")
@click.option("--table", metavar="NAME", help="Take in a related table (orders, deals, interactions, ...) instead of contacts.")
@click.option("--row-key", metavar="COLUMN", help="With --table: the column that identifies a row; found by its usual names otherwise.")
@click.option(
    "--contact-key",
    metavar="COLUMN",
    help="With --table: the column that says whose row it is: a key of --source, a contact_id, a phone or an e-mail address.",
)
@strict_option
@terminal_options
def command(
    terminal: Terminal,
    files: tuple[str, ...],
    path: Path,
    wait: float,
    dry_run: bool,
    source_name: str | None,
    mapping: Path | None,
    snapshot: bool,
    allow_large_merges: bool,
    table: str | None,
    row_key: str | None,
    contact_key: str | None,
    strict: bool,
) -> None:
    """Take the contacts in FILES into BASE: new records join existing contacts or found new ones, changed ones become new versions.

    A record is known by its source and the source's own key, so the same file again changes nothing.

    \b
      crm-engine import exports/*.xlsx crm.csv --base base/ --source erp
      crm-engine import crm.csv --base base/ --source crm --snapshot
      crm-engine import orders.csv --base base/ --table orders --source erp --contact-key customer_no
    """
    if table is None and (row_key or contact_key):
        raise click.UsageError("--row-key and --contact-key belong to related tables; add --table NAME")
    if table is not None and (snapshot or allow_large_merges):
        raise click.UsageError("--snapshot and --allow-large-merges belong to contacts, not to a related table")
    with opened(path) as base, terminal.progress() as progress:
        if table is not None:
            run = base.import_related(
                table, list(files), row_key=row_key, contact_key=contact_key, source_name=source_name, mapping=mapping, wait=wait,
                dry_run=dry_run, progress=progress,
            )  # fmt: skip
        else:
            run = base.import_contacts(
                list(files), source_name=source_name, mapping=mapping, snapshot=snapshot, allow_large_merges=allow_large_merges, wait=wait,
                dry_run=dry_run, progress=progress,
            )  # fmt: skip
    show_run(terminal, run)
    if strict and run.counts.get("rejected"):
        raise exits.RejectedRows(run.counts["rejected"])
