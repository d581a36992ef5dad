"""What the commands of a base share: where it is, how long to wait for its lock, previews, and the account of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from crm_engine.base import Base, Run
    from crm_engine.cli.terminal import Terminal

Command = TypeVar("Command", bound=Callable[..., Any])

base_option = click.option(
    "--base",
    "path",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="BASE",
    help="The base: a folder that `init` made.",
)
base_argument = click.argument("path", required=False, type=click.Path(file_okay=False, path_type=Path), metavar="BASE")
base_again_option = click.option(
    "--base", "again", type=click.Path(file_okay=False, path_type=Path), metavar="BASE", help="The same as the argument BASE."
)
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0,
    metavar="SECONDS",
    help="Wait so long for another writer to end before giving up (exit code 4).",
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")


def the_base(path: Path | None, again: Path | None) -> Path:
    """The base of a command that takes it as an argument or, as the other commands do, by ``--base``."""
    if (path is None) == (again is None):
        raise click.UsageError("say which base, once: as the argument BASE, or by --base BASE")
    chosen = path if path is not None else again
    assert chosen is not None
    return chosen


def changing_options(command: Command) -> Command:
    """``--base``, ``--wait``, ``--dry-run``."""
    for option in (dry_run_option, wait_option, base_option):
        command = option(command)
    return command


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Base]:
    """The base at a path, closed at the end."""
    from crm_engine.base import Base

    with Base.open(path) as base:
        yield base


def is_base(path: Path | str | None) -> bool:
    """Whether a path is a base."""
    return path is not None and (Path(path) / "catalog.sqlite").is_file()


#: Counts whose meaning the account tells.
_TOLD = {
    "rows_in": ("rows in", ""),
    "new": ("  new", ""),
    "updated": ("  updated", "a newer version of a known record"),
    "unchanged": ("  unchanged", ""),
    "duplicates": ("  duplicates", "of a row in the same input"),
    "rejected": ("  rejected", "see the table rejects"),
    "skipped": ("  skipped", "blank lines, titles, totals: see the table skipped"),
    "erased": ("    of people erased", "kept out"),
    "contacts_created": ("contacts created", ""),
    "contacts_updated": ("contacts updated", ""),
    "contacts_merged": ("contacts merged", "into others that a record bridged; see aliases"),
    "contacts_split": ("contacts split off", ""),
    "contacts_gone": ("contacts gone", ""),
    "to_review": ("to review", "uncertain pairs: crm-engine review"),
    "gone": ("gone from the source", "marked, not deleted"),
    "decisions": ("pairs of records", "that a decision is about"),
    "changed": ("  changed", "decided otherwise than before, or for the first time"),
    "selected": ("contacts chosen", ""),
    "edits": ("cells set", ""),
    "orphans": ("orphans", "rows whose contact is not there yet"),
    "clashes": ("clashes", "rows that share another row's key and differ"),
    "perhaps_changed": ("perhaps changed", "new rows that may be earlier ones with changes: there is no row key"),
    "without_reference": ("without a contact key", ""),
}
_ALWAYS = ("rows_in", "new", "updated", "unchanged")


def show_run(terminal: Terminal, run: Run) -> None:
    """Ends a changing command: warnings, then the account."""
    for warning in run.warnings:
        terminal.warn(warning)
    terminal.result(run.summary, lambda console: _account(console, run))


def _account(console: Console, run: Run) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, value in run.counts.items():
        label, note = _TOLD.get(name, (name.replace("_", " "), ""))
        if isinstance(value, dict):
            for part, count in value.items():
                table.add_row(f"{label}: {part}", f"{count:,}" if isinstance(count, int) else str(count), "")
        elif value or (name in _ALWAYS and "rows_in" in run.counts):
            style = "yellow" if name in ("rejected", "orphans", "clashes", "perhaps_changed") else ""
            table.add_row(label, Text(f"{value:,}" if isinstance(value, int) else str(value), style=style), note if value else "")
    if table.row_count:
        console.print(table)
    if run.dry_run:
        console.print(Text("nothing was changed (--dry-run)", style="yellow"))
    elif run.nothing_new:
        console.print("nothing new; no run was made")
    else:
        console.print(Text.assemble("run ", (str(run.run_id), "bold")))
