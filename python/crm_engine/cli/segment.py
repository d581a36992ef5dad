"""``crm-engine segment``: who belongs to which segment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli.base_options import dry_run_option, is_base, opened, wait_option
from crm_engine.cli.options import ByteSize, InputPath, terminal_options
from crm_engine.cli.reading import tables_option
from crm_engine.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

    from crm_engine.segment import SegmentResult


@click.command("segment", short_help="Find the members of segments: rules over contacts and everything that belongs to them.")
@click.argument("contacts", required=False, type=InputPath(), metavar="CONTACTS")
@click.argument("rules", required=False, nargs=-1, metavar="RULES...")
@click.option("--related", multiple=True, metavar="NAME=FILE", help="A related table: --related orders=orders.parquet. May be repeated.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="Where memberships go: a file, or a folder for all results."
)
@click.option("--wide", is_flag=True, help="Write one row per contact with a yes or no per segment instead of one row per membership.")
@click.option(
    "--previous",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="The memberships of the last run: tells who entered and who left.",
)
@click.option("--overlap", is_flag=True, help="Show how many members each pair of segments shares.")
@click.option("--explain", metavar="CONTACT", help="Show for one contact each predicate and its value.")
@click.option("--key", metavar="COLUMN", help="The column that identifies a contact; contact_id or id by default.")
@click.option("--today", metavar="DATE", help="What the rules mean by today, such as 2026-11-01.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads; all processors by default.")
@click.option(
    "--memory-limit",
    type=ByteSize(),
    metavar="SIZE",
    help="Keep below this much memory (2.5GiB): contacts are taken in parts, and related tables read once for each.",
)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of rules files and end.")
@wait_option
@dry_run_option
@click.option("--list", "list_sets", is_flag=True, help="List the built-in rule sets and end.")
@click.option("--show", metavar="NAME", help="Print a built-in rule set, to copy and change, and end.")
@terminal_options
@tables_option
def command(
    terminal: Terminal,
    contacts: str | None,
    rules: tuple[str, ...],
    related: tuple[str, ...],
    output: Path | None,
    wide: bool,
    previous: Path | None,
    overlap: bool,
    explain: str | None,
    key: str | None,
    today: str | None,
    threads: int | None,
    memory_limit: int | None,
    wait: float,
    dry_run: bool,
    schema: bool,
    list_sets: bool,
    show: str | None,
    date_order: str | None,
) -> None:
    """Find the members of every segment that RULES define. RULES are YAML files, or built-in sets as builtin:NAME. CONTACTS is a table, or
    a base, which keeps the memberships and tells who entered and who left since the last time.

    \b
      crm-engine segment contacts.parquet segments.yaml --related orders=orders.csv -o members.parquet
      crm-engine segment contacts.parquet builtin:rfm --related orders=orders.parquet --overlap
      crm-engine segment contacts.csv segments.yaml --previous members.parquet -o members.parquet
      crm-engine segment contacts.csv segments.yaml --explain c7f3a
      crm-engine segment base/ segments.yaml --dry-run
    """
    from crm_engine import rules as rule_sets
    from crm_engine.output import check_output
    from crm_engine.segment import segment

    if schema:
        click.echo(json.dumps(rule_sets.rules_schema(), indent=2, ensure_ascii=False))
        return
    if list_sets:
        for name, path in rule_sets.builtin_rules().items():
            click.echo(f"{name:<16} {path.read_text('utf-8').splitlines()[0].removeprefix('#').strip()}")
        return
    if show:
        sets = rule_sets.builtin_rules()
        if show not in sets:
            raise click.UsageError(f"there is no built-in rule set '{show}'; the sets are {', '.join(sets)}")
        click.echo(sets[show].read_text("utf-8"), nl=False)
        return
    if contacts is None or not rules:
        raise click.UsageError("name the contacts and at least one rules file")
    if output is not None and output.suffix:
        # Before a base keeps memberships whose file could not be written.
        check_output(output)
    tables, files = related_files(related), rule_files(rules)
    if is_base(contacts):
        if tables or previous or key:
            raise click.UsageError("a base has these itself; leave --related, --previous and --key out")
        base = click.get_current_context().with_resource(opened(Path(contacts)))
        # A question about one contact leaves no trace.
        keep = explain is None and not dry_run
        result = base.segment(files, today=today, date_order=date_order, keep=keep, wait=wait, threads=threads, memory_limit=memory_limit)
    else:
        if wait:
            raise click.UsageError("--wait is for a base, which keeps the memberships; a file is only read")
        result = segment(
            contacts,
            files,
            tables,
            today=today,
            previous=previous,
            key=key,
            threads=threads,
            memory_limit=memory_limit,
            date_order=date_order,
        )
    for warning in result.warnings:
        terminal.warn(warning)
    summary = result.summary
    explanation = result.explain(explain) if explain is not None else None
    if explanation is not None:
        summary["explanation"] = explanation
    if overlap:
        summary["overlap"] = {row["segment"]: {name: row[name] for name in result.segments} for row in result.overlap().to_pylist()}
    if dry_run:
        summary["dry_run"] = True
    elif output is not None:
        summary["output"] = _write(result, output, wide=wide, changed="entered" in summary)
    terminal.result(summary, lambda console: _show(console, result, summary, explanation))


def related_files(pairs: tuple[str, ...]) -> dict[str, str]:
    """``NAME=FILE`` arguments as a dict; wrong ones are wrong usage."""
    tables = {}
    for pair in pairs:
        name, separator, file = pair.partition("=")
        if not separator:
            raise click.UsageError(f"--related takes NAME=FILE, and '{pair}' has no '='")
        if name in tables:
            raise click.UsageError(
                f"--related {name} is given twice; a name is of one table: give each file a name of its own, or join them"
            )
        if not Path(file).exists():
            raise click.UsageError(f"--related {name}: {file}: no such file or folder")
        tables[name] = file
    return tables


def rule_files(names: tuple[str, ...]) -> list[str]:
    """Rules files that exist, and built-in sets."""
    for name in names:
        if not name.startswith("builtin:") and not Path(name).exists():
            raise click.UsageError(f"{name}: no such rules file")
    return list(names)


def _write(result: SegmentResult, output: Path, *, wide: bool, changed: bool) -> list[str]:
    from crm_engine.output import write_table

    if output.suffix:
        write_table(result.wide if wide else result.memberships, output)
        return [str(output)]
    output.mkdir(parents=True, exist_ok=True)
    tables = {"members": result.wide if wide else result.memberships}
    if len(result.assigned.column_names) > 1:
        tables["assigned"] = result.assigned
    if changed:
        tables |= {"entered": result.entered, "left": result.left}
    for name, table in tables.items():
        write_table(table, output / f"{name}.parquet")
    summary = output / "summary.json"
    summary.write_text(json.dumps(result.summary, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return [str(output / f"{name}.parquet") for name in tables] + [str(summary)]


def _show(console: Console, result: SegmentResult, summary: dict[str, Any], explanation: list[dict[str, Any]] | None) -> None:
    from rich.table import Table

    if explanation is not None:
        words = {True: "true", False: "false", None: "null"}
        for segment in explanation:
            console.print(f"{segment['segment']}: {'member' if segment['member'] else 'not a member'}", highlight=False)
            for predicate in segment["predicates"]:
                inputs = ", ".join(f"{name} is {value}" for name, value in predicate["inputs"])
                console.print(
                    f"  {words[predicate['value']]:<5}  {predicate['sql']}" + (f"   ({inputs})" if inputs else ""),
                    highlight=False,
                    markup=False,
                )
        return
    table = Table(title=f"{result.contacts:,} contacts, {result.today}", title_justify="left")
    table.add_column("segment")
    table.add_column("members", justify="right")
    table.add_column("share", justify="right")
    if "entered" in summary:
        table.add_column("entered", justify="right")
        table.add_column("left", justify="right")
    for name, count in result.counts.items():
        title = result.titles.get(name)
        share = f"{count / result.contacts:.1%}" if result.contacts else ""
        row = [f"{name} ({title})" if title else name, f"{count:,}", share]
        if "entered" in summary:
            row += [f"{summary['entered'].get(name, 0):,}", f"{summary['left'].get(name, 0):,}"]
        table.add_row(*row)
    if result.counts:
        console.print(table)
    for group, choices in summary.get("assigned", {}).items():
        console.print(f"{group}: " + ", ".join(f"{name} {count:,}" for name, count in choices.items()), highlight=False, markup=False)
    if "overlap" in summary:
        shared = Table(title="shared members", title_justify="left")
        shared.add_column("")
        for name in result.segments:
            shared.add_column(name, justify="right")
        for name, counts in summary["overlap"].items():
            shared.add_row(name, *(f"{counts[other]:,}" for other in result.segments))
        console.print(shared)
    for path in summary.get("output", []):
        console.print(f"written: {path}", soft_wrap=True, highlight=False, markup=False)
    if summary.get("dry_run"):
        console.print("nothing was kept or written (--dry-run)")
