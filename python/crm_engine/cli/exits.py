"""What becomes of an exception: one message on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from crm_engine.cli.wording import as_options
from crm_engine.errors import ConfigError, CrmError, FileFormatError, InternalError, LockedError, RuleError

DONE = 0
FAILED = 1
USAGE = 2
REJECTED = 3
LOCKED = 4
INTERRUPTED = 130
TERMINATED = 143


class RejectedRows(Exception):  # noqa: N818 - not an error: the run is done, its exit code is another
    """The run is done, some rows were rejected, and ``--strict`` was given."""

    def __init__(self, n_rejected: int) -> None:
        super().__init__(f"{n_rejected:,} rows were rejected (--strict)" if n_rejected != 1 else "1 row was rejected (--strict)")


class Terminated(BaseException):
    """The process was asked to end (SIGTERM); raised so that nothing half-written stays behind."""


def report(error: BaseException, *, debug: bool, command: click.Command | None = None) -> int:
    """Says on standard error what ``error``, which ended ``command``, means for the user; returns the exit code."""
    if debug and not isinstance(error, RejectedRows):
        traceback.print_exception(error, file=sys.stderr)
    code = exit_code(error)
    message = _message(error)
    if message:
        label = "done, but" if isinstance(error, RejectedRows) else "error:"
        click.secho(label, err=True, fg="yellow" if isinstance(error, RejectedRows) else "red", bold=True, nl=False)
        click.echo(f" {as_options(message, command)}", err=True)
    return code


def exit_code(error: BaseException) -> int:
    """The exit code of an exception that ended a command."""
    if isinstance(error, (ConfigError, RuleError, click.UsageError)):
        return USAGE
    if isinstance(error, RejectedRows):
        return REJECTED
    if isinstance(error, LockedError):
        return LOCKED
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED
    if isinstance(error, Terminated):
        return TERMINATED
    if isinstance(error, BrokenPipeError):
        return DONE
    return FAILED


def _message(error: BaseException) -> str:
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return "; ".join(["interrupted", *_notes(error), "nothing was left half-written"])
    if isinstance(error, Terminated):
        return "; ".join(["terminated", *_notes(error), "nothing was left half-written"])
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, FileFormatError):
        return _located(error)
    if isinstance(error, RuleError):
        return str(error)
    if isinstance(error, InternalError):
        return f"{error} (run again with --debug to see where)"
    if isinstance(error, (CrmError, RejectedRows)):
        return "; ".join([str(error), *_notes(error)])
    if isinstance(error, BrokenPipeError):
        return ""
    if isinstance(error, OSError):
        return "; ".join([_os_message(error), *_notes(error)])
    if isinstance(error, MemoryError):
        return "memory ran out; give --memory-limit so that the run spools to disk"
    # The text of an unforeseen exception may quote a contact's data, so only its kind and place are told.
    return f"a fault of crm_engine itself: {type(error).__name__}{_place(error)}; run again with --debug and report what it shows"


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


def _located(error: FileFormatError) -> str:
    message = str(error)
    if error.file and os.path.basename(error.file) not in message:
        where = error.file
        if error.row is not None and "row" not in message:
            where += f", row {error.row}"
        return f"{where}: {message}"
    return message


def _os_message(error: OSError) -> str:
    what = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        what = "no space left on the device; free some, or point -o or --tmp-dir elsewhere"
    elif error.errno == errno.EACCES:
        what = "permission denied"
    elif error.errno == errno.ENOENT:
        what = "no such file or folder"
    what = what[:1].lower() + what[1:]
    return f"{os.fsdecode(error.filename)}: {what}" if error.filename is not None else what


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "crm_engine" in frame.filename]
    if not ours:
        return ""
    return f" in {os.path.basename(ours[-1].filename)}, line {ours[-1].lineno}"
