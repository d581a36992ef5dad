"""Arrow columns as text: what comes typed is written as people write it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def as_text(column: Any) -> Any:
    """An Arrow array as ``pa.string()``, values written as people write them: ``7912`` and not ``7912.0``, lists joined with ``; ``."""
    kind = column.type
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_string(kind):
        return column
    if pa.types.is_dictionary(kind):
        return as_text(column.dictionary).take(column.indices)
    if pa.types.is_floating(kind):
        return _float_text(column)
    if pa.types.is_timestamp(kind):
        # No fraction where there is none, no time at midnight: value by value, so that no text depends on the batch it came in.
        text = pc.replace_substring_regex(column.cast(pa.string()), r"\.0+($|[Z+-])", r"\1")
        return pc.replace_substring_regex(text, r" 00:00:00$", "")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        try:
            return pc.binary_join(column.cast(pa.list_(pa.string())), "; ").cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            texts = (None if value is None else "; ".join(str(part) for part in value) for value in column.to_pylist())
            return pa.array(list(texts), pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        try:
            return column.cast(pa.binary()).cast(pa.string())
        except pa.ArrowInvalid:
            return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = (None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in column.to_pylist())
        return pa.array(list(values), pa.string())


def _float_text(column: Any) -> Any:
    """Whole numbers without a point or an exponent (pandas makes floats of phones with gaps), NaN as null."""
    column = column.cast(pa.float64())
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    # Beyond 2^53 a float no longer knows its last digits.
    whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2**53))
    integers = pc.if_else(whole, column, pa.scalar(0.0)).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, integers, column.cast(pa.string()))
