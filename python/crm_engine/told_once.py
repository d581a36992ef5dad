"""What one call has to say of the dates that it read, once for all columns and tables."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from crm_engine.errors import AmbiguousDatesWarning

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

#: The (table, column) of dates that nothing decided, while a call gathers them.
_gathered: ContextVar[list[tuple[str, str]] | None] = ContextVar("_gathered", default=None)


def ambiguous_dates(table: str, column: str) -> None:
    """Says, or lets the call that is under way say, that a column's dates were read in one of two ways."""
    gathered = _gathered.get()
    if gathered is None:
        warnings.warn(AmbiguousDatesWarning([(table, column)]), stacklevel=3)
    elif (table, column) not in gathered:
        gathered.append((table, column))


def dates_told_once(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Gathers what a function and all that it calls have to say of dates into one warning at its end."""

    @functools.wraps(function)
    def call(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        if _gathered.get() is not None:
            return function(*args, **options)
        gathered: list[tuple[str, str]] = []
        token = _gathered.set(gathered)
        try:
            result = function(*args, **options)
        finally:
            _gathered.reset(token)
        if gathered:
            warnings.warn(AmbiguousDatesWarning(gathered), stacklevel=2)
        return result

    return call
