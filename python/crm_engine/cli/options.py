"""The options that commands share, as decorators.

::

    @click.command()
    @input_argument
    @output_option
    @terminal_options
    def command(terminal: Terminal, files: tuple[str, ...], output: str) -> None: ...
"""

from __future__ import annotations

import functools
import glob
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crm_engine.cli.terminal import Terminal

Command = TypeVar("Command", bound=Callable[..., Any])

if TYPE_CHECKING:  # generic since click 8.4
    _TextType = click.ParamType[str]
    _NumberType = click.ParamType[int]
else:
    _TextType = _NumberType = click.ParamType


def terminal_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``, ``--quiet``, ``--verbose``, ``--debug``; the command gets a ``Terminal`` as ``terminal``."""

    @functools.wraps(command)
    def with_terminal(*args: Any, as_json: bool, quiet: bool, verbose: bool, **options: Any) -> Any:
        context = click.get_current_context()
        context.find_root().ensure_object(dict)["command"] = context.command
        return command(*args, terminal=Terminal(as_json=as_json, quiet=quiet, verbose=verbose), **options)

    for option in (
        debug_option,
        click.option("-v", "--verbose", is_flag=True, help="Say more on standard error."),
        click.option("-q", "--quiet", is_flag=True, help="No progress and no account; warnings and errors only."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output."),
    ):
        with_terminal = option(with_terminal)
    return with_terminal


def _set_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().ensure_object(dict)["debug"] = True


debug_option = click.option(
    "--debug", is_flag=True, is_eager=True, expose_value=False, callback=_set_debug, help="Show where an error arose."
)


class InputPath(_TextType):
    """A file, a folder, a glob pattern, or ``-`` for standard input; what matches nothing is wrong usage."""

    name = "file"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        text = str(value)
        if text == "-" or os.path.exists(text):
            return text
        if not glob.has_magic(text):
            from crm_engine.sources import nearest_file

            self.fail(f"{text}: no such file or folder{nearest_file(text)}", parameter, context)
        if not glob.glob(text, recursive=True):
            self.fail(f"{text}: no file matches this pattern", parameter, context)
        return text

    def shell_complete(self, context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


input_argument = click.argument("files", nargs=-1, required=True, type=InputPath(), metavar="FILES...")

output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where the result goes: a file (.parquet .csv .tsv .xlsx .arrow .jsonl .json) or a folder.",
)

config_option = click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Settings as YAML; see `crm-engine dedupe --schema`."
)

mapping_option = click.option(
    "--mapping",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What the columns mean, as YAML; `crm-engine profile FILE --write-mapping` writes one to edit.",
)

phone_region_option = click.option(
    "--phone-region",
    metavar="CC",
    help="Two-letter country of telephone numbers without a country code (DE); found from the data otherwise.",
)

date_order_option = click.option(
    "--date-order",
    type=click.Choice(["dmy", "mdy", "ymd"]),
    help="How dates that can be read in two ways, such as 03/04/1985, are read; found from their column otherwise.",
)

strict_option = click.option("--strict", is_flag=True, help="End with exit code 3 if any row was rejected.")

source_name_option = click.option(
    "--source-name",
    metavar="NAME",
    help="What to call the source of all FILES, where they have no source column; each file's name otherwise.",
)

threads_option = click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads to use; as many as the machine has otherwise."
)


class ByteSize(_NumberType):
    """A size as people write it: ``2.5GiB``, ``800MB``."""

    name = "size"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        from crm_engine import ConfigError, _core

        if isinstance(value, int):
            return value
        try:
            return _core.parse_byte_size(value)
        except ConfigError as error:
            self.fail(str(error), parameter, context)


def memory_options(command: Command) -> Command:
    """``--memory-limit`` and ``--tmp-dir``."""
    command = click.option(
        "--tmp-dir", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where to spool what exceeds the memory limit."
    )(command)
    return click.option(
        "--memory-limit", type=ByteSize(), metavar="SIZE", help="Keep below this much memory (2.5GiB), spooling the rest to disk."
    )(command)
