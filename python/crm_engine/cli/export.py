"""``crm-engine export``: contacts as a file, whole or as the audience of a segment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli.base_options import dry_run_option, wait_option
from crm_engine.cli.options import InputPath, terminal_options
from crm_engine.cli.reading import tables_option
from crm_engine.cli.segment import related_files, rule_files
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

#: The reasons of ``crm_engine.audience`` as people say them.
_WORDS = {
    "suppressed": "on the suppression list",
    "consent_refused": "refused marketing",
    "consent_unknown": "never gave consent",
}


@click.command("export", short_help="Write contacts to a file: all, or the audience of a segment.")
@click.argument("contacts", required=False, type=InputPath(), metavar="[CONTACTS]")
@click.argument("rules", required=False, nargs=-1, metavar="RULES...")
@click.option(
    "--base",
    "base_path",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="BASE",
    help="Write the contacts of a base, instead of a file's.",
)
@click.option("--table", metavar="NAME", help="With --base: write this table (orders, records, aliases, ...) instead of contacts.")
@click.option("--segment", "segments", multiple=True, metavar="NAME", help="A segment of RULES. Of several, members of any are written.")
@click.option("--related", multiple=True, metavar="NAME=FILE", help="A related table: --related orders=orders.parquet. May be repeated.")
@click.option(
    "--purpose", type=click.Choice(["marketing"]), help="What it is for: marketing leaves out who gave no marketing_consent or refused it."
)
@click.option(
    "--suppress",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="A suppression list: e-mail addresses, phones or contact ids that must not be in the file. May be repeated.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file (.parquet .csv .tsv .xlsx .arrow .jsonl .json).",
)
@click.option("--left-out", type=click.Path(path_type=Path), metavar="FILE", help="Also write who was left out, and why.")
@click.option("--columns", metavar="A,B,...", help="The columns to write, in this order; contact_id comes first in any case.")
@click.option(
    "--template",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A card template (YAML): columns, labels, drop-downs.",
)
@click.option("--key", metavar="COLUMN", help="The column that identifies a contact; contact_id or id by default.")
@click.option("--today", metavar="DATE", help="What the rules mean by today, such as 2026-11-01.")
@wait_option
@dry_run_option
@terminal_options
@tables_option
def command(
    terminal: Terminal,
    contacts: str | None,
    base_path: Path | None,
    table: str | None,
    rules: tuple[str, ...],
    segments: tuple[str, ...],
    related: tuple[str, ...],
    purpose: str | None,
    suppress: tuple[Path, ...],
    output: Path,
    left_out: Path | None,
    columns: str | None,
    template: Path | None,
    key: str | None,
    today: str | None,
    date_order: str | None,
    wait: float,
    dry_run: bool,
) -> None:
    """Write the contacts of a file or of a base, all or the members of segments, without those who must not be written to.

    What is written of a base can be edited in Excel and taken back: `crm-engine import contacts.xlsx --base BASE`.

    \b
      crm-engine export contacts.parquet segments.yaml --segment vip --related orders=orders.parquet -o vip.xlsx
      crm-engine export contacts.csv segments.yaml --segment vip --purpose marketing --suppress unsubscribed.csv -o mailing.csv
      crm-engine export --base base/ -o contacts.xlsx --template card.yaml
      crm-engine export --base base/ segments.yaml --segment vip --purpose marketing -o mailing.csv
      crm-engine export --base base/ --table orders -o orders.parquet
      crm-engine export out/contacts.parquet --template card.yaml -o cards.xlsx
    """
    from crm_engine.audience import audience
    from crm_engine.output import check_output, write_table
    from crm_engine.readable import ReadableTable
    from crm_engine.segment import segment

    if base_path is not None and contacts is not None:
        # With a base, what stands first are rules.
        rules = (contacts, *rules)
    elif contacts is None and base_path is None:
        raise click.UsageError("say whose contacts: CONTACTS, a file, or --base BASE")
    if table is not None and base_path is None:
        raise click.UsageError("--table is for a base; add --base BASE")
    if wait and base_path is None:
        raise click.UsageError("--wait is for a base, in whose history an export is noted; add --base BASE")
    for option, given in (("--related", related), ("--key", key)):
        if given and base_path is not None:
            raise click.UsageError(f"{option} is for a file of contacts; a base has these itself; leave it out")
    if rules and not segments:
        raise click.UsageError("say with --segment which segments of the rules to write")
    if segments and not rules:
        raise click.UsageError("--segment needs the rules file that defines it, after CONTACTS")
    for path in (output, *([left_out] if left_out else [])):
        check_output(path)
    if base_path is not None:
        _from_base(
            terminal, base_path, output, left_out, table=table, rules=rule_files(rules) if rules else None, segments=segments,
            columns=_names(columns), template=template, purpose=purpose, suppress=suppress, today=today, date_order=date_order,
            wait=wait, dry_run=dry_run,
        )  # fmt: skip
        return
    people = ReadableTable.open(contacts, "contacts", date_order=date_order)
    members = (
        segment(people.table(), rule_files(rules), related_files(related), today=today, key=key, date_order=date_order) if rules else None
    )
    for warning in members.warnings if members is not None else []:
        terminal.warn(warning)
    chosen = audience(people.whole(), members, segments, purpose=purpose, suppress=suppress, key=key)
    warnings = chosen.warnings + _write(chosen.table, output, columns, template, dry_run=dry_run)
    if left_out and not dry_run:
        warnings += write_table(chosen.left_out, left_out)
    for warning in warnings:
        terminal.warn(warning)
    summary = chosen.summary | _written(output, left_out, dry_run=dry_run)
    terminal.result(summary, lambda console: _show(console, summary))


def _names(columns: str | None) -> list[str]:
    return [name.strip() for name in (columns or "").split(",") if name.strip()]


def _written(*paths: Path | None, dry_run: bool) -> dict[str, Any]:
    """The files of an export, for its summary."""
    return {"output": [], "dry_run": True} if dry_run else {"output": [str(path) for path in paths if path]}


def _from_base(terminal: Terminal, path: Path, output: Path, left_out: Path | None, *, dry_run: bool, **options: Any) -> None:
    from crm_engine.cli.base_options import opened
    from crm_engine.export import export
    from crm_engine.output import write_table

    with opened(path) as base, terminal.progress() as progress:
        exported = export(base, output, progress=progress, dry_run=dry_run, **options)
    warnings = exported.warnings
    chosen = exported.audience
    if chosen is not None and left_out is not None and not dry_run:
        warnings = [*warnings, *write_table(chosen.left_out, left_out)]
    for warning in warnings:
        terminal.warn(warning)
    if chosen is None:
        summary = {"table": options["table"], "rows": exported.rows, **_written(output, dry_run=dry_run)}
        line = f"{exported.rows:,} rows; nothing was written (--dry-run)" if dry_run else f"{exported.rows:,} rows written: {output}"
        terminal.result(summary, lambda console: console.print(line, highlight=False, markup=False))
        return
    told = chosen.summary | _written(output, left_out, dry_run=dry_run)
    terminal.result(told, lambda console: _show(console, told))


def _write(table: Any, output: Path, columns: str | None, template: Path | None, *, dry_run: bool) -> list[str]:
    """Cards, which can be edited and taken back, where it is known whose they are; else a plain table. A dry run checks columns."""
    from crm_engine.edited import card_columns, write_cards
    from crm_engine.output import write_table

    chosen = _names(columns)
    if "contact_id" in table.column_names:
        if dry_run:
            card_columns(table.column_names, template=template, columns=chosen)
            return []
        return write_cards(table, output, template=template, columns=chosen)
    if template is not None or chosen:
        raise click.UsageError("--columns and --template are for contacts that have a contact_id, as dedupe and bases give it")
    return [] if dry_run else write_table(table, output)


def _show(console: Console, summary: dict[str, Any]) -> None:
    rows = [("members of " + ", ".join(summary["segments"]) if summary["segments"] else "contacts", summary["members"])]
    rows += [(f"  {_WORDS[reason]}", -count) for reason, count in summary["left_out"].items() if count]
    rows.append(("to write" if summary.get("dry_run") else "written", summary["audience"]))
    width = max(len(label) for label, _ in rows)
    for label, count in rows:
        console.print(f"{label:<{width}}  {count:>12,}", highlight=False, markup=False)
    for path in summary["output"]:
        console.print(f"written: {path}", soft_wrap=True, highlight=False, markup=False)
    if summary.get("dry_run"):
        console.print("nothing was written (--dry-run)")
