"""Options that say how files are read, where detection should not decide: ``--encoding``, ``--delimiter``, ``--quote``, ...

They win over the mapping file, whose keys of the same names they are. And ``--strict`` for commands that read tables of several files.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crm_engine.cli.exits import RejectedRows
from crm_engine.cli.options import date_order_option, strict_option
from crm_engine.cli.terminal import Terminal

_OPTIONS = (
    click.option("--encoding", metavar="NAME", help="Encoding of text files (utf-8, cp1251, ...); detected otherwise."),
    click.option("--delimiter", metavar="TEXT", help="Delimiter of text files, one or several characters, or 'tab'; detected otherwise."),
    click.option("--quote", metavar="CHAR", help="Quote character of text files; '' means that there is none."),
    click.option("--header-row", type=click.IntRange(min=0), metavar="N", help="Row of the header, from 1; 0 means that there is none."),
    click.option("--skip-rows", type=click.IntRange(min=0), metavar="N", help="Rows at the top that are no data."),
    click.option("--sheet", metavar="NAME", help="The one sheet of a workbook to read, by name or by number from 1."),
)
_NAMES = ("encoding", "delimiter", "quote", "header_row", "skip_rows", "sheet")


def read_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets them within ``mapping``, over what the mapping file says."""

    @functools.wraps(command)
    def with_mapping(*args: Any, mapping: Path | None, **options: Any) -> Any:
        given = {name: value for name in _NAMES if (value := options.pop(name)) is not None}
        return command(*args, mapping=_mapping(mapping, given) if given else mapping, **options)

    for option in reversed(_OPTIONS):
        with_mapping = option(with_mapping)
    return with_mapping


def _mapping(path: Path | None, given: dict[str, Any]) -> Any:
    from crm_engine.config import ColumnMapping, load_mapping

    said = load_mapping(path) if path is not None else ColumnMapping()
    return dataclasses.replace(said, read={**said.read, **given})


def tables_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--date-order`` and ``--strict`` for a command that reads tables: rows that cannot be read are warnings, or else exit code 3."""

    @functools.wraps(command)
    def with_unread(*args: Any, terminal: Terminal, strict: bool, **options: Any) -> Any:
        from crm_engine.errors import AmbiguousDatesWarning, UnreadRowsWarning

        with warnings.catch_warnings():
            warnings.simplefilter("always", UnreadRowsWarning)
            warnings.simplefilter("always", AmbiguousDatesWarning)
            warnings.showwarning = terminal.hear
            result = command(*args, terminal=terminal, **options)
        if strict and terminal.unread:
            raise RejectedRows(sum(warning.n_rows for warning in terminal.unread))
        return result

    return date_order_option(strict_option(with_unread))


def outcome_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--won`` and ``--lost``: what the stages are called at which a deal ends."""
    for outcome in ("lost", "won"):
        told = f"A stage at which a deal is {outcome}, where it is called otherwise; repeatable."
        command = click.option(f"--{outcome}", multiple=True, metavar="STAGE", help=told)(command)
    return command


def tell(terminal: Terminal, summary: dict[str, Any]) -> None:
    """What a user should know of the tables that were read: warnings, and which columns were taken for ours."""
    for warning in summary.get("warnings", ()):
        terminal.warn(warning)
    read_as = summary.get("read_as", {})
    if read_as:
        terminal.note(f"{', '.join(read_as)}: columns were found by their words{'' if terminal.verbose else '; --verbose says which'}")
    for table, columns in read_as.items():
        terminal.detail(f"{table}: {', '.join(f'{ours} is {own!r}' for ours, own in columns.items())}")
