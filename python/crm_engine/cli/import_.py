"""``crm-engine import``: contacts and related tables into a base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli import exits
from crm_engine.cli.base_options import changing_options, opened, show_run
from crm_engine.cli.options import input_argument, mapping_option, memory_options, strict_option, terminal_options
from crm_engine.cli.reading import read_options
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

    from crm_engine.base import Base
    from crm_engine.export import CardImport


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
@read_options
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
@click.option(
    "--template", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The card template that edited cards must keep to."
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what was not taken of edited cards, conflicts and refusals, to a workbook.",
)
@memory_options
@strict_option
@terminal_options
def command(
    terminal: Terminal,
    files: tuple[str, ...],
    path: Path,
    wait: float,
    dry_run: bool,
    source_name: str | None,
    mapping: Any,
    snapshot: bool,
    allow_large_merges: bool,
    table: str | None,
    row_key: str | None,
    contact_key: str | None,
    template: Path | None,
    report: Path | None,
    memory_limit: int | None,
    tmp_dir: Path | None,
    strict: bool,
) -> None:
    """Take the contacts in FILES into BASE: new records join existing contacts or found new ones, changed ones become new versions.

    A record is known by its source and the source's own key, so the same file again changes nothing.

    A file that `export --base` wrote and somebody edited is known by its column contact_id: changed cells become edits of
    the contacts, cells that were not touched change nothing, and what changed on both sides is reported and not taken.

    \b
      crm-engine import exports/*.xlsx crm.csv --base base/ --source erp
      crm-engine import crm.csv --base base/ --source crm --snapshot
      crm-engine import contacts.xlsx --base base/ --template card.yaml --report not_taken.xlsx
      crm-engine import orders.csv --base base/ --table orders --source erp --contact-key customer_no
    """
    if table is None and (row_key or contact_key):
        raise click.UsageError("--row-key and --contact-key belong to related tables; add --table NAME")
    if table is not None and (snapshot or allow_large_merges):
        raise click.UsageError("--snapshot and --allow-large-merges belong to contacts, not to a related table")
    if table is not None and (memory_limit or tmp_dir):
        raise click.UsageError("--memory-limit and --tmp-dir belong to contacts; a related table is taken in batch by batch")
    cards: Any = None
    with opened(path) as base, terminal.progress() as progress:
        inputs = _opened(files, mapping, progress) if table is None else list(files)
        if table is None and len(files) == 1 and _are_cards(base, files[0], inputs):
            from crm_engine.export import import_cards

            for told, given in (("--snapshot is", snapshot), ("--mapping, --encoding, --sheet and the like are", mapping)):
                if given:
                    raise click.UsageError(f"{told} for sources' own files; {files[0]} holds cards that were exported from the base")
            cards = import_cards(
                base,
                files[0],
                template=template,
                source_name=source_name,
                allow_large_merges=allow_large_merges,
                wait=wait,
                dry_run=dry_run,
            )
        elif template or report:
            raise click.UsageError("--template and --report are for one file of cards that `export --base` wrote")
        elif table is not None:
            run = base.import_related(
                table, inputs, row_key=row_key, contact_key=contact_key, source_name=source_name, mapping=mapping, wait=wait,
                dry_run=dry_run, progress=progress,
            )  # fmt: skip
        else:
            run = base.import_contacts(
                inputs, source_name=source_name, mapping=mapping, snapshot=snapshot, allow_large_merges=allow_large_merges, wait=wait,
                dry_run=dry_run, progress=progress, memory_limit=memory_limit, tmp_dir=tmp_dir,
            )  # fmt: skip
    if cards is not None:
        _show_cards(terminal, cards, report)
        if strict and cards.edited.counts["cards_refused"]:
            raise exits.RejectedRows(cards.edited.counts["cards_refused"])
        return
    show_run(terminal, run)
    if strict and run.counts.get("rejected"):
        raise exits.RejectedRows(run.counts["rejected"])


def _opened(files: tuple[str, ...], mapping: Any, progress: Any) -> list[Any]:
    """What to import. One file is opened here, because its header tells whether it holds cards, and is not opened again."""
    from crm_engine.config import load_mapping
    from crm_engine.sources import open_sources

    if len(files) > 1 or not Path(files[0]).is_file():
        return list(files)
    return [*open_sources(files[0], load_mapping(mapping).read if mapping is not None else None, progress=progress)]


def _are_cards(base: Base, file: str, inputs: list[Any]) -> bool:
    """Whether a file was exported from the base; only files with a header ``contact_id`` are looked at closer."""
    from crm_engine.edited import card_column
    from crm_engine.sources import Source

    if all(not isinstance(one, Source) or card_column(one) is None for one in inputs):
        return False
    # Exports know of segments and audiences, whose modules an ordinary import does without.
    from crm_engine.export import is_of_base

    return is_of_base(base, file)


def _show_cards(terminal: Terminal, cards: CardImport, report: Path | None) -> None:
    edited = cards.edited
    counts = edited.counts
    for row in edited.problems.to_pylist()[:10]:
        terminal.warn(f"row {row['row']}: {row['column']} {row['reason']}".replace(":  ", ": "))
    if counts["problems"] > 10:
        terminal.warn(f"{counts['problems'] - 10:,} more problems; --report FILE writes all of them")
    if counts["conflicts"]:
        terminal.warn(
            f"{counts['conflicts']:,} cells were changed in the base as well since the export, and were not taken; --report FILE lists them"
        )
    if report is not None:
        from crm_engine.output import write_sheets

        write_sheets({"Conflicts": edited.conflicts, "Refused": edited.problems}, report)
    summary = {**cards.summary, "report": str(report) if report is not None else None}
    terminal.result(summary, lambda console: _account_of_cards(console, cards))


def _account_of_cards(console: Console, cards: CardImport) -> None:
    counts = cards.edited.counts
    lines = [("cards", counts["cards"])]
    fates = {"changed": "changed", "unchanged": "unchanged", "refused": "refused", "new": "without an id"}
    lines += [(f"  {label}", counts[f"cards_{fate}"]) for fate, label in fates.items() if counts[f"cards_{fate}"]]
    # A row without an id may have come before: what it is says the import.
    for run in cards.runs:
        if run.kind == "import":
            lines += [(f"    {fate}", run.counts[fate]) for fate in ("new", "updated", "unchanged") if run.counts[fate]]
    lines += [("cells edited", counts["edits"]), ("conflicts", counts["conflicts"])]
    for label, count in lines:
        console.print(f"{label:<16}{count:>10,}", highlight=False)
    told = ", ".join(str(run.run_id) for run in cards.runs if run.run_id is not None)
    dry = any(run.dry_run for run in cards.runs)
    console.print("nothing was changed (--dry-run)" if dry else f"run {told}" if told else "nothing to change", highlight=False)
