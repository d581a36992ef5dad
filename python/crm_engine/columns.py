"""Typed columns from whatever came: tables by path or Arrow object, times, ids and categories, with errors that name the place."""

from __future__ import annotations

import datetime as dt
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import table_files
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.told_once import ambiguous_dates
from crm_engine.written import written_months, written_times
from crm_engine.yaml_tree import plain_yaml

PERIODS = ("day", "week", "month", "quarter", "year")


def load_table(source: Any, name: str) -> pa.Table:
    """``source`` as a table: an Arrow object, or a path. Parquet and Arrow files keep their types, all other files are text."""
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if hasattr(source, "__arrow_c_stream__"):
        return pa.table(source)
    if isinstance(source, Mapping):
        return pa.table(dict(source))
    if isinstance(source, str | os.PathLike):
        if table_files.is_parquet(source):
            return table_files.read_parquet(source)
        return table_files.read_arrow(source) if table_files.is_arrow(source) else table_files.read_text(source)
    raise ConfigError(f"{name} is a {type(source).__name__}; give a path or an object that offers Arrow (pyarrow, polars, pandas, duckdb)")


def open_batches(source: Any, name: str) -> pa.RecordBatchReader:
    """``source`` a batch at a time: Parquet and Arrow files and streams are not read whole; what else :func:`load_table` takes is."""
    if hasattr(source, "__arrow_c_stream__") and not isinstance(source, pa.Table):
        return pa.RecordBatchReader.from_stream(source)
    if isinstance(source, str | os.PathLike) and os.path.isfile(source):
        if table_files.is_parquet(source):
            return table_files.parquet_batches(source)
        if table_files.is_arrow(source):
            return table_files.arrow_batches(source)
    return load_table(source, name).to_reader()


def load_config(config: Any, what: str) -> dict[str, Any]:
    """A config as a dict: given as one, as YAML text, or as the path of a YAML file."""
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return dict(config)
    if isinstance(config, os.PathLike) or (
        isinstance(config, str) and "\n" not in config and config.lower().endswith((".yaml", ".yml", ".json"))
    ):
        return plain_yaml(Path(config).read_bytes(), os.fspath(config))
    if isinstance(config, str):
        return plain_yaml(config.encode(), what)
    raise ConfigError(f"the {what} config is a {type(config).__name__}; give a dict, YAML text, or the path of a YAML file")


def check_options(config: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raises for an option that does not exist, with the nearest that does."""
    names = list(known)
    for name in config:
        if name not in names:
            raise ConfigError(f"{where}: unknown option {name!r}{_nearest(str(name), names)}; the options are {', '.join(names)}")


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), 1)
    return f", did you mean {near[0]!r}?" if near else ""


def column(table: pa.Table, name: str, of: str) -> pa.ChunkedArray:
    """A column that must be there."""
    if name not in table.column_names:
        raise SchemaError(
            f"{of} has no column {name!r}{_nearest(name, table.column_names)}; its columns are {', '.join(table.column_names)}"
        )
    if table.column_names.count(name) > 1:
        raise SchemaError(f"{of} has more than one column {name!r}; rename one")
    return table[name]


def first_column(table: pa.Table, names: Sequence[str], of: str, option: str | None) -> str:
    """The first of ``names`` that the table has; ``option`` is the one that names another column, where there is such an option."""
    for name in names:
        if name in table.column_names:
            return name
    remedy = f"name one by the option {option!r}" if option else f"give one of its columns ({', '.join(table.column_names)}) such a name"
    raise SchemaError(f"{of} has none of the columns {', '.join(names)}; {remedy}")


def times(values: Any, name: str, of: str, first_row: int | None = None, *, order: str | None = None) -> pa.ChunkedArray:
    """A column as timestamps; text is ISO 8601 or dates as people write them, one order of day and month for the whole column.

    ``order`` says what comes first (``dmy``, ``mdy``) where the column does not. Where nobody does the day is taken, with an
    :class:`~crm_engine.errors.AmbiguousDatesWarning`. With ``first_row``, the number of rows that came before, the values are a part of the
    column, which cannot tell the order of the whole: ``order``, or else the day first, holds for each value alone.
    """
    values = chunked(values)
    kind = values.type
    if pa.types.is_timestamp(kind):
        return values
    if pa.types.is_date(kind):
        return values.cast(pa.timestamp("s") if pa.types.is_date32(kind) else pa.timestamp("ms"))
    if pa.types.is_null(kind):
        return values.cast(pa.timestamp("us"))
    if pa.types.is_dictionary(kind):
        return times(values.cast(kind.value_type), name, of, first_row, order=order)
    if not is_text(kind):
        raise SchemaError(f"{of}: column {name!r} has the type {kind}, and times are needed; cast it to a timestamp")
    text = trimmed(values)
    zoned = pc.fill_null(pc.match_substring_regex(text, r"(Z|[+-]\d\d:?\d\d)$"), False)
    try:
        if pc.any(zoned).as_py():
            return text.cast(pa.timestamp("us", "UTC"))
        return text.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        pass
    found = written_times(text, order, is_part=first_row is not None)
    read = _with_iso(found.values, text) if found.values.null_count > text.null_count else found.values
    if read.null_count > text.null_count:
        row = int(np.flatnonzero((pc.is_null(read).to_numpy(zero_copy_only=False)) & pc.is_valid(text).to_numpy(zero_copy_only=False))[0])
        order_too = "" if first_row is None else ", or say date_order=... where the month comes first"
        raise SchemaError(
            f"{of}: row {(first_row or 0) + row + 1} of column {name!r} is no date or time; write it as 2026-01-31 or 31.01.2026{order_too}"
        )
    if found.is_ambiguous:
        ambiguous_dates(of, name)
    return read


def are_mostly_times(values: Any) -> bool:
    """Whether this is a column of times: by its type, or as half of the first of its texts are some; nothing speaks against an empty one."""
    values = chunked(values)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not is_text(values.type):
        return bool(pa.types.is_timestamp(values.type) or pa.types.is_date(values.type) or pa.types.is_null(values.type))
    glanced = trimmed(values).drop_null().slice(0, 1000)
    read = _with_iso(written_times(glanced).values, glanced)
    return bool(read.null_count * 2 <= len(read))


def months(values: Any, name: str, of: str, *, order: str | None = None) -> pa.ChunkedArray:
    """A column of months (``2026-01``, ``01.2026``, ``May 2026``), or of any day of them, as the first of each month."""
    values = chunked(values)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not is_text(values.type):
        return pc.floor_temporal(times(values, name, of), unit="month")
    text = trimmed(values)
    found = written_months(text, order)
    if found.values.null_count > text.null_count:
        row = pc.index(pc.and_(pc.is_null(found.values), pc.is_valid(text)), True).as_py()
        raise SchemaError(f"{of}: row {row + 1} of column {name!r} is no month; write it as 2026-01")
    if found.is_ambiguous:
        ambiguous_dates(of, name)
    return found.values


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type is one of texts."""
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def trimmed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts without blanks at their ends; empty ones are none."""
    text = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _with_iso(read: pa.ChunkedArray, text: pa.ChunkedArray) -> pa.ChunkedArray:
    """``read``, and where it is null the texts as ISO 8601, which may name a zone; each distinct one is parsed once."""

    def parse(value: str | None) -> dt.datetime | None:
        try:
            found = dt.datetime.fromisoformat(value) if value is not None else None
        except ValueError:
            return None
        return found.astimezone(dt.UTC).replace(tzinfo=None) if found is not None and found.tzinfo else found

    unread = pc.if_else(pc.is_null(read), text, pa.scalar(None, pa.string())).combine_chunks().dictionary_encode()
    parsed = pa.array([parse(value) for value in unread.dictionary.to_pylist()], pa.timestamp("us"))
    return pc.coalesce(read, pa.chunked_array([parsed.take(unread.indices)]))


def texts(values: Any) -> pa.ChunkedArray:
    """A column as text; empty text is none."""
    values = chunked(values)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    values = values.cast(pa.string())
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


#: Beyond 2^53 a float no longer knows its last digits.
_EXACT = 9_007_199_254_740_992


def ids(values: Any, *, is_part: bool = False) -> pa.ChunkedArray:
    """A column of ids as text. Whole numbers that a program wrote as floats (``17.0``, because some rows have no id) are whole numbers again,
    unless other numbers of the column have fractions; empty text is none. With ``is_part`` the values are some of a column that is never seen
    whole, and each counts alone.

    >>> ids(pa.chunked_array([["1.0", "A-7", ""]])).to_pylist(), ids(pa.chunked_array([["1.0", "1.2"]])).to_pylist()
    (['1', 'A-7', None], ['1.0', '1.2'])
    """
    values = chunked(values)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = values.cast(pa.float64())
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
        is_whole = pc.and_(pc.equal(values, pc.trunc(values)), pc.less(pc.abs(values), _EXACT))
        if pc.all(is_whole).as_py() is not False:
            return values.cast(pa.int64()).cast(pa.string())
        if is_part:
            whole = pc.if_else(is_whole, values, pa.scalar(None, pa.float64())).cast(pa.int64()).cast(pa.string())
            return pc.coalesce(whole, values.cast(pa.string()))
    text = texts(values)
    if pc.any(pc.match_substring_regex(text, r"^\d+\.0+$")).as_py() and (
        is_part or not pc.any(pc.match_substring_regex(text, r"^\d+\.\d*[1-9]\d*$")).as_py()
    ):
        return pc.replace_substring_regex(text, r"^(\d+)\.0+$", r"\1")
    return text


def codes(values: Any) -> tuple[np.ndarray, pa.Array]:
    """Each row's place among the distinct values in ascending order, and these; rows without a value have the number after the last.

    Empty text is no value, as everywhere else: files cannot tell the two apart.
    """
    values = chunked(values)
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    values = values.unify_dictionaries()
    if values.num_chunks == 0:
        return np.zeros(0, np.uint32), pa.array([], values.type.value_type)
    dictionary = values.chunk(0).dictionary
    order = pc.sort_indices(dictionary).to_numpy()
    # A dictionary may name a value twice or not use it; null in a dictionary is no value.
    ordered = dictionary.take(pa.array(order))
    first = np.ones(len(order), bool)
    if len(order) > 1:
        first[1:] = ~pc.fill_null(pc.equal(ordered[1:], ordered[:-1]), False).to_numpy(zero_copy_only=False)
    given = pc.is_valid(ordered)
    if pa.types.is_string(ordered.type) or pa.types.is_large_string(ordered.type):
        given = pc.and_(given, pc.fill_null(pc.not_equal(ordered, ""), False))
    valid = given.to_numpy(zero_copy_only=False)
    n_values = int((first & valid).sum())
    rank = np.full(len(order) + 1, n_values, np.uint32)
    rank[order] = np.where(valid, np.cumsum(first & valid) - 1, n_values)
    found = np.empty(len(values), np.uint32)
    end = 0
    for chunk in values.chunks:
        part = found[end : end + len(chunk)]
        end += len(chunk)
        if len(chunk):
            indices = chunk.indices
            numbers_ = np.frombuffer(indices.buffers()[1], indices.type.to_pandas_dtype())[indices.offset : indices.offset + len(indices)]
            # Where there is no value the index may be anything.
            np.take(rank, numbers_, out=part, mode="clip")
            if indices.null_count:
                # The number after the last is the greatest: what has no value rises to it, without asking row by row.
                absent = indices.is_null().to_numpy(zero_copy_only=False).view(np.uint8)
                np.maximum(part, absent * np.uint32(n_values), out=part)
    return found, ordered.filter(pa.array(first & valid))


def local(values: pa.ChunkedArray, timezone: str | None) -> pa.ChunkedArray:
    """Timestamps as the clock on the wall of ``timezone`` showed them; without a zone they are taken as they are, or as UTC."""
    if values.type.tz is None:
        if timezone is None:
            return values
        values = pc.assume_timezone(values, "UTC")
    if timezone is not None:
        try:
            values = values.cast(pa.timestamp(values.type.unit, timezone))
            return pc.local_timestamp(values)
        except (pa.ArrowInvalid, pa.ArrowException) as error:
            raise ConfigError(f"timezone {timezone!r} is unknown; use a name such as Europe/Riga") from error
    return pc.local_timestamp(values)


def period(values: pa.ChunkedArray, unit: str, timezone: str | None = None) -> pa.ChunkedArray:
    """The first day of each time's period: ``day``, ``week`` (from Monday), ``month``, ``quarter`` or ``year``."""
    if unit not in PERIODS:
        raise ConfigError(f"period {unit!r} is unknown; use one of {', '.join(PERIODS)}")
    days = local(values, timezone).cast(pa.date32(), safe=False)
    if unit == "day":
        return days
    numpy_days = np.concatenate([np.asarray(chunk.cast(pa.int32()).fill_null(0)) for chunk in days.chunks] or [np.zeros(0, np.int32)])
    dates = numpy_days.astype("datetime64[D]")
    if unit == "week":
        starts = dates - ((numpy_days + 3) % 7).astype("timedelta64[D]")
    else:
        months = dates.astype("datetime64[M]").astype(np.int64)
        step = {"month": 1, "quarter": 3, "year": 12}[unit]
        starts = (months - months % step).astype("datetime64[M]").astype("datetime64[D]")
    mask = pc.is_null(days).to_numpy(zero_copy_only=False) if days.null_count else None
    return pa.chunked_array([pa.array(starts.astype(np.int32), pa.int32(), mask=mask).cast(pa.date32())])


def period_codes(values: pa.ChunkedArray, unit: str, timezone: str | None = None) -> tuple[np.ndarray, pa.Array]:
    """``codes(period(...))``, by counting days instead of hashing them."""
    days = local(values, timezone).cast(pa.date32(), safe=False)
    numbers_ = np.concatenate([np.asarray(chunk.cast(pa.int32()).fill_null(0)) for chunk in days.chunks] or [np.zeros(0, np.int32)])
    valid = days.is_valid().to_numpy() if days.null_count else None
    known = numbers_ if valid is None else numbers_[valid]
    if len(known) == 0 or int(known.max()) - int(known.min()) > 200_000:
        return codes(period(values, unit, timezone))
    low, high = int(known.min()), int(known.max())
    calendar = period(
        pa.chunked_array([pa.array(np.arange(low, high + 1, dtype=np.int32), pa.int32()).cast(pa.date32()).cast(pa.timestamp("s"))]), unit
    )
    of_day, starts = codes(calendar)
    seen = np.zeros(high - low + 1, bool)
    seen[known - low] = True
    used = np.zeros(len(starts), bool)
    used[of_day[seen]] = True
    rank = (np.cumsum(used) - 1).astype(np.uint32)
    # Days of rows without a time lie anywhere.
    result = np.take(rank[of_day], numbers_ - low, mode="clip")
    if valid is not None:
        np.copyto(result, int(used.sum()), where=~valid)
    return result, starts.filter(pa.array(used))


def seconds(value: Any, name: str) -> float | None:
    """A length of time: seconds as a number, or text such as ``7 days``, ``12h``, ``90 min``; ``None`` stays."""
    if value is None:
        return None
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ConfigError(f"{name}: {value!r} is no length of time; write seconds, or text such as '7 days'")
    if isinstance(value, int | float):
        found = float(value)
    else:
        import re

        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value)
        unit = match.group(2).lower().rstrip("s") if match else ""
        unit = unit or "s"
        if not match or unit not in _UNITS:
            raise ConfigError(f"{name}: {value!r} is no length of time; write seconds, or text such as '7 days', '12 hours', '90 min'")
        found = float(match.group(1)) * _UNITS[unit]
    if not 0 <= found < 1e11:
        raise ConfigError(f"{name}: {value!r} is out of range")
    return found


_UNITS = {
    "ms": 0.001, "m": 60, "min": 60, "minute": 60, "h": 3_600, "hr": 3_600, "hour": 3_600, "d": 86_400, "day": 86_400,
    "w": 604_800, "week": 604_800, "": 1, "s": 1, "sec": 1, "second": 1, "month": 2_592_000, "year": 31_536_000,
}  # fmt: skip


def chunked(values: Any) -> pa.ChunkedArray:
    """An Arrow array or column as a column."""
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
