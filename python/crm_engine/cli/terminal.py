"""How a command talks: its result on standard output, progress and messages on standard error."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from crm_engine.cli.wording import as_options, messages_as_options
from crm_engine.errors import AmbiguousDatesWarning, UnreadRowsWarning

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[str, int, int], Any]

#: A pipe has no width of its own to fit tables to; most of them need no more than this.
_PIPE_WIDTH = 140


class Terminal:
    """The two output streams of one command, as its options want them."""

    def __init__(self, *, as_json: bool, quiet: bool, verbose: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.stdout_taken = False
        #: Warnings about the rows read, kept until the end: ``--json`` prints one object, and they belong into it.
        self.heard: list[UnreadRowsWarning | AmbiguousDatesWarning] = []

    def note(self, text: str) -> None:
        """A message on standard error, unless ``--quiet``."""
        if not self.quiet:
            click.echo(text, err=True)

    def detail(self, text: str) -> None:
        """A message on standard error with ``--verbose``."""
        if self.verbose and not self.quiet:
            click.secho(text, err=True, dim=True)

    def warn(self, text: str) -> None:
        """A warning on standard error: shown whatever ``--quiet`` says, because it concerns the result."""
        click.secho("warning:", err=True, fg="yellow", bold=True, nl=False)
        click.echo(f" {as_options(text)}", err=True)

    def hear(self, message: Warning | str, *_: Any, **__: Any) -> None:
        """Shows a Python warning; in place of ``warnings.showwarning`` while a command runs."""
        if isinstance(message, UnreadRowsWarning | AmbiguousDatesWarning):
            if str(message) in map(str, self.heard):
                return
            self.heard.append(message)
        self.warn(str(message))

    @property
    def unread(self) -> list[UnreadRowsWarning]:
        """What was heard of rows that could not be read."""
        return [warning for warning in self.heard if isinstance(warning, UnreadRowsWarning)]

    def result(self, summary: dict[str, Any], show: Callable[[Console], None]) -> None:
        """Ends a command: with ``--json`` prints the summary as one JSON object, otherwise lets ``show`` print for people.

        Where standard output carries the data itself, the readable form goes to standard error.
        """
        if self.heard:
            summary = {**summary, "warnings": [*summary.get("warnings", []), *map(str, self.heard)]}
        if self.as_json:
            print_json(messages_as_options(summary))
        elif not self.quiet:
            show(console(stderr=self.stdout_taken))

    @property
    def progressing(self) -> bool:
        """Whether somebody watches standard error."""
        return not self.quiet and sys.stderr.isatty()

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """A progress callback that draws on standard error where that is a terminal, otherwise ``None``."""
        if not self.progressing:
            yield None
            return
        with _Bars() as bars:
            yield bars.update


def console(*, stderr: bool = False) -> Console:
    """A rich console that neither guesses markup in data nor cuts what goes into a pipe."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _PIPE_WIDTH, highlight=False, markup=False, emoji=False, soft_wrap=False)


def print_json(value: Any) -> None:
    """Prints one JSON value on standard output."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    text = json.dumps(value, ensure_ascii=not encoding.startswith("utf"), indent=2, default=_plain)
    click.echo(text)
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    """What JSON does not know: NumPy scalars, dates, paths."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


class _Bars:
    """One line per stage: what, a bar where the total is known, count, time."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._current: str | None = None
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[count]}", justify="right"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def update(self, stage: str, done: int, total: int) -> None:
        with self._lock:
            if stage not in self._tasks:
                self._finish(self._current)
                self._tasks[stage] = self._progress.add_task(stage.replace("_", " "), total=total or None, count="")
            self._current = stage
            count = f"{done:,} of {total:,}" if total else f"{done:,}"
            self._progress.update(self._tasks[stage], completed=done, total=total or None, count=count)

    def _finish(self, stage: str | None) -> None:
        if stage is not None:
            task = self._progress.tasks[self._tasks[stage]]
            total = task.total if task.total is not None else max(task.completed, 1)
            self._progress.update(task.id, total=total, completed=total)

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
