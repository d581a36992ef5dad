"""Columns of numbers from whatever came: money as decimals, all else as floating point, with errors that name the row."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.columns import chunked, trimmed
from crm_engine.errors import SchemaError, UnreadAmountsWarning
from crm_engine.written_numbers import written_numbers


def money(values: Any, name: str, of: str) -> pa.ChunkedArray:
    """A column as decimals; floating point numbers are rounded to cents, text keeps its own digits.

    What is infinite or nan is none, with an :class:`~crm_engine.errors.UnreadAmountsWarning`; text that is no amount is an error.
    """
    amounts, unread = amounts_of(values, name, of)
    if unread is not None:
        raise SchemaError(
            f"{of}: row {unread + 1} of column {name!r} is no amount; write it as 1234.50 or 1 234,50, with one decimal sign in the whole "
            "column, and a currency by its code or sign beside it (12 EUR, €12), or in a column of its own"
        )
    return amounts


def amounts_of(values: Any, name: str, of: str) -> tuple[pa.ChunkedArray, int | None]:
    """A column as decimals as in :func:`money`, null where a text is no amount, and the place of the first such text."""
    values = chunked(values)
    kind = values.type
    if pa.types.is_decimal(kind):
        return values.cast(pa.decimal128(38, kind.scale)), None
    if pa.types.is_integer(kind):
        return values.cast(pa.decimal128(38, 0)), None
    if pa.types.is_floating(kind):
        return pc.round(finite(values.cast(pa.float64()), name, of), 2).cast(pa.decimal128(38, 2), safe=False), None
    if pa.types.is_null(kind):
        return values.cast(pa.decimal128(38, 2)), None
    if pa.types.is_dictionary(kind):
        return amounts_of(values.cast(kind.value_type), name, of)
    text, unread = _plain(_numeric(values, name, of), r"^[+-]?\d{1,28}(\.\d{1,9})?$")
    digits = pc.max(pc.utf8_length(pc.replace_substring_regex(text, r"^[^.]*\.?", ""))).as_py() or 0
    return text.cast(pa.decimal128(38, max(2, digits))), unread


def numbers(values: Any, name: str, of: str) -> np.ndarray:
    """A column as floating point numbers with NaN for none: for durations and ratings, never for money; what is infinite is none, as in
    :func:`money`."""
    values = chunked(values)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not (
        pa.types.is_integer(values.type)
        or pa.types.is_floating(values.type)
        or pa.types.is_decimal(values.type)
        or pa.types.is_null(values.type)
    ):
        values, unread = _plain(_numeric(values, name, of), r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
        if unread is not None:
            raise SchemaError(
                f"{of}: row {unread + 1} of column {name!r} is no number; write it as 1234.5 or 1 234,5, with one decimal sign in the "
                "whole column"
            )
    return np.asarray(finite(values.cast(pa.float64()), name, of, or_nan=True).to_numpy(zero_copy_only=False), dtype=float)


def finite(values: pa.ChunkedArray, name: str, of: str, *, or_nan: bool = False) -> pa.ChunkedArray:
    """Floating point numbers without those that are infinite or nan, which are told; ``or_nan`` takes nan for none in silence."""
    odd = pc.is_inf(values) if or_nan else pc.invert(pc.is_finite(values))
    return _without(values, odd, name, of)


def _numeric(values: pa.ChunkedArray, name: str, of: str) -> pa.ChunkedArray:
    """Texts of numbers, trimmed, without ``inf`` and ``nan`` as programs write them."""
    text = trimmed(values)
    return _without(text, pc.match_substring_regex(text, r"^[+-]?(inf|infinity|nan)$", ignore_case=True), name, of)


def _without(values: pa.ChunkedArray, odd: pa.ChunkedArray, name: str, of: str) -> pa.ChunkedArray:
    odd = pc.fill_null(odd, False)
    n_odd = pc.sum(odd).as_py() or 0
    if not n_odd:
        return values
    warnings.warn(UnreadAmountsWarning(of, name, n_odd, pc.index(odd, True).as_py() + 1), stacklevel=4)
    return pc.if_else(odd, pa.scalar(None, values.type), values)


def _plain(text: pa.ChunkedArray, pattern: str) -> tuple[pa.ChunkedArray, int | None]:
    """Numbers as programs write them, null where a text is none, and the place of the first such text. Groups of digits and decimal commas
    are looked for where not all are written so."""
    good = pc.match_substring_regex(text, pattern)
    if pc.all(good).as_py() is not False:
        return text, None
    read = written_numbers(text).values
    good = pc.fill_null(pc.match_substring_regex(read, pattern), False)
    unread: int = pc.index(pc.or_(good, pc.is_null(text)), False).as_py()
    return pc.if_else(good, read, pa.scalar(None, pa.string())), None if unread < 0 else unread
