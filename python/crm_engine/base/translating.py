"""What DuckDB does with signals and errors, as the rest of crm_engine expects it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from crm_engine.errors import StoreError


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Answers Ctrl-C, SIGTERM and SIGHUP after the block: DuckDB polls Python's handlers and would stop in the midst of it."""
    came: list[tuple[int, Any]] = []
    before: dict[int, Any] = {}
    # Handlers run in the main thread alone, and only it may change them; in any other thread DuckDB is not stopped.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, lambda *told: came.append(told))
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        for held, frame in came[:1]:
            before[held](held, frame)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind."""
    lines = str(error).splitlines()
    return lines[0][:300] if lines else type(error).__name__


#: What DuckDB and SQLite say when the disk is full.
_FULL = ("No space left", "disk is full", "database or disk", "Disk quota exceeded", "Could not write all bytes", "disk I/O error")


@contextlib.contextmanager
def translated(duckdb: ModuleType) -> Iterator[None]:
    """DuckDB's errors as those of crm_engine. Their texts may quote data, so only what is about files is passed on."""
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        # So DuckDB ends a statement in which Python's handler of a signal raised.
        if str(error) != "Query interrupted":
            raise
        raise (error.__cause__ or KeyboardInterrupt()) from None
    except duckdb.OutOfMemoryException as error:
        raise StoreError("DuckDB reached its memory limit; give a larger memory_limit=...") from error
    except duckdb.Error as error:
        text = first_line(error)
        if any(sign in str(error) for sign in _FULL):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        if "ermission denied" in text:
            raise PermissionError(errno.EACCES, "a file of the base may not be read or written") from error
        if isinstance(error, duckdb.IOException | duckdb.CatalogException | duckdb.BinderException | duckdb.TransactionException):
            raise StoreError(f"the base's tables cannot be read or written: {text}") from error
        raise StoreError(f"the base's tables cannot be read or written ({type(error).__name__})") from error
