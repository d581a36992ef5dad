"""The command line ``crm-engine``.

Each command is a module of its own that is imported when it is needed; the group here knows only their names. To add one,
write ``cli/NAME.py`` with a click command named ``command`` and add it to ``SECTIONS``.
"""

from __future__ import annotations

import importlib
import importlib.abc
import os
import signal
import sys
from typing import Any

import click

from crm_engine.cli import exits
from crm_engine.cli.options import debug_option

#: The commands as ``--help`` shows them; a command ``NAME`` lives in ``crm_engine.cli.NAME`` as ``command``.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Contacts": ("profile", "dedupe", "explain", "evaluate", "reconcile", "review"),
    "Base": ("init", "import", "find", "decide", "split", "set", "changes"),
    "Upkeep": ("history", "undo", "refit", "erase", "compact", "verify"),
    "Ask": ("segment", "export", "funnel", "analyze", "plan"),
    "Try it": ("demo",),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for names in SECTIONS.values() for name in names]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        # `import` is a word of Python and can name no module.
        module = importlib.import_module(f"crm_engine.cli.{'import_' if name == 'import' else name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(self, context: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(context), 1)
            hint = f"did you mean '{near[0]}'?" if near else f"the commands are {', '.join(self.list_commands(context))}"
            raise click.UsageError(f"there is no command '{args[0]}'; {hint}", context) from error

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.list_commands(context))
        for title, names in SECTIONS.items():
            commands = [(name, self.get_command(context, name)) for name in names]
            rows = [(name.ljust(width), command.get_short_help_str(limit=90)) for name, command in commands if command is not None]
            with formatter.section(title):
                formatter.write_dl(rows)


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from crm_engine import __version__

        click.echo(f"crm-engine {__version__}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version and end.")
@debug_option
def crm_engine() -> None:
    """Turn messy contact exports into one trustworthy contact base.

    \b
      crm-engine dedupe hubspot.csv contacts.xlsx -o contacts.parquet
      crm-engine profile hubspot.csv
      crm-engine dedupe exports/*.csv -o out/ && crm-engine explain out/ 17 42

    \b
    Exit codes: 0 done, 1 the run failed, 2 wrong usage or config, 3 done but rows were
    rejected and --strict was given, 4 the base is locked (try again), 130 Ctrl-C.
    """


class _NoPandas(importlib.abc.MetaPathFinder):
    """Answers that pandas is not there.

    pyarrow imports it, where it is installed, with the first array that it makes, to know pandas' objects when it sees one. None comes from
    a command line, and the import takes longer than many a command.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("the command line does without pandas", name=name)


def main(args: list[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit code."""
    sys.meta_path.insert(0, _NoPandas())
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Runs the command line; returns its exit code and never raises."""
    state: dict[str, Any] = {}
    before = _handle_termination()
    try:
        code = crm_engine.main(args=args, prog_name="crm-engine", standalone_mode=False, obj=state)
        sys.stdout.flush()
        return code if isinstance(code, int) else exits.DONE
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        if error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
            click.echo(f"Try '{error.ctx.command_path} --help'.", err=True)
        return exits.report(error, debug=False)
    except BrokenPipeError:
        return _reader_is_gone()
    except SystemExit as end:
        # Click ends so when the pipe behind standard output was closed.
        return _reader_is_gone() if "Pacify" in type(sys.stdout).__name__ else end.code if isinstance(end.code, int) else exits.FAILED
    except BaseException as error:
        return exits.report(error, debug=bool(state.get("debug")), command=state.get("command"))
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _reader_is_gone() -> int:
    """Whoever read our output has seen enough; the interpreter must not complain again when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return exits.DONE


def _handle_termination() -> Any:
    """SIGTERM unwinds like Ctrl-C, so that scratch files are removed; returns the handler that was there, for a program that goes on."""

    def terminate(_signal: int, _frame: object) -> None:
        raise exits.Terminated

    # Only the main thread may set handlers; elsewhere (a service, a test) the process keeps its own.
    import threading

    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, terminate)
