"""One way to open everything: paths, globs, folders, ``-`` for standard input, and Arrow objects.

::

    for source in open_sources(["exports/*.csv", "crm.xlsx", table]):
        for batch, rows in source.batches():
            ...  # every column is text; rows says where in the file each row stood
        print(source.report()["counts"], source.rejects, source.skipped)

A file is one source, a workbook one per sheet, an Arrow object one. All values are text, so that leading zeros, long numbers
and the word "NA" survive; numbers that come typed are written as people write them.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from crm_engine import _core
from crm_engine.arrow_text import as_text as as_text
from crm_engine.errors import ConfigError, FileFormatError
from crm_engine.input_paths import TYPED_SUFFIXES, left_out_of, paths_of
from crm_engine.input_paths import nearest_file as nearest_file
from crm_engine.table_files import UNREADABLE, format_error

Progress = Callable[[str, int, int], Any]

_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class ReadOptions:
    """What the caller knows better than detection does; everything is optional.

    ``header_row`` counts from 1, and 0 means that there is none; ``sheet`` is a name or a number from 1; an empty ``quote`` means
    that quotes are ordinary characters. ``limits`` bounds what an untrusted file may ask for (see ``docs/files.md``).
    """

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header_row: int | None = None
    skip_rows: int | None = None
    sheet: str | int | None = None
    batch_rows: int | None = None
    threads: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """What the native readers take."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        if "sheet" in known:
            known["sheet"] = str(known["sheet"])
        return json.dumps(known)


class Reject(NamedTuple):
    """A row that could not be read, with what stood there."""

    file: str
    row: int
    column: str | None
    reason: str
    raw: str


class Skipped(NamedTuple):
    """A row that was left out because it is no data: a title, a total, a repeated header, a blank line."""

    file: str
    row: int
    reason: str
    raw: str


class TextBatch(NamedTuple):
    """A ``pyarrow.RecordBatch`` of text columns and, per row, where it stood in the file (from 1)."""

    batch: Any
    source_rows: Any


class SupportsRead(Protocol):
    """A stream of bytes, read forward."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


class Source(ABC):
    """One table, read forward once.

    ``name`` is the file as the caller named it, with the sheet behind it where a workbook has several (``crm.xlsx#Clients``);
    ``columns`` are its columns. ``rejects`` and ``skipped`` grow while batches are read. ``native`` is the native reader, where there
    is one: a kernel may take it over. ``again`` opens the table anew, where it stands in a file that can be read twice.
    """

    name: str
    columns: list[str]
    rejects: list[Reject]
    skipped: list[Skipped]
    native: _core.FileTable | None = None
    again: Callable[[], Source | None] | None = None
    #: What has to be there while it is read.
    kept: object = None

    @abstractmethod
    def batches(self) -> Iterator[TextBatch]:
        """The rows, batch by batch."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """What was found out about the file and why: format, encoding, dialect, header row, warnings, counts."""

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema`` of the batches: every column is text."""
        return pa.schema([pa.field(name, pa.string()) for name in self.columns])

    def reader(self) -> Any:
        """The rows as a ``pyarrow.RecordBatchReader``."""
        return pa.RecordBatchReader.from_batches(self.schema, (text.batch for text in self.batches()))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.reader().__arrow_c_stream__(requested_schema)


class FileSource(Source):
    """A text file or a sheet, read natively."""

    def __init__(self, name: str, native: _core.FileTable) -> None:
        self.name = name
        self.native = native
        self.columns = native.column_names
        self.rejects = []
        self.skipped = []

    def batches(self) -> Iterator[TextBatch]:
        assert self.native is not None
        while (text := self.native.next_batch()) is not None:
            self.rejects += [Reject(self.name, *row) for row in self.native.drain_rejects()]
            self.skipped += [Skipped(self.name, *row) for row in self.native.drain_skipped()]
            yield TextBatch(*text)

    def report(self) -> dict[str, Any]:
        assert self.native is not None
        report: dict[str, Any] = json.loads(self.native.report)
        return report


class ArrowSource(Source):
    """Anything that Arrow reads: Parquet, Arrow IPC, and objects with ``__arrow_c_stream__``; every column is cast to text."""

    def __init__(self, name: str, kind: str, schema: Any, batches: Iterable[Any]) -> None:
        self.name = name
        self.columns = unique_names(schema.names)
        self.rejects = []
        self.skipped = []
        #: What is to be said of how it was found, for the report.
        self.warnings: list[str] = []
        self._kind = kind
        self._batches = iter(batches)
        self._n_rows = 0

    def batches(self) -> Iterator[TextBatch]:
        while True:
            try:
                batch = next(self._batches, None)
            except (*UNREADABLE, OSError) as error:
                raise format_error(self.name, error) from error
            if batch is None:
                return
            first = self._n_rows + 1
            self._n_rows += batch.num_rows
            try:
                columns = [as_text(column) for column in batch.columns]
            except (*UNREADABLE, OverflowError, ValueError) as error:
                # Dates and times that the format can hold and no calendar does, say.
                raise format_error(self.name, error) from error
            rows = pa.array(range(first, self._n_rows + 1), pa.uint64())
            text = pa.RecordBatch.from_arrays(columns, schema=self.schema) if columns else batch
            yield TextBatch(text, rows)

    def report(self) -> dict[str, Any]:
        counts = {"rows_in": self._n_rows, "yielded": self._n_rows, "rejected": 0, "skipped": 0}
        reasons = [f"{self._kind}: columns are typed and were cast to text"]
        about = {"file": self.name, "format": self._kind, "columns": self.columns}
        return {**about, "reasons": reasons, "warnings": list(self.warnings), "counts": counts}


def open_sources(
    sources: Any,
    options: ReadOptions | Mapping[str, Any] | None = None,
    *,
    progress: Progress | None = None,
) -> list[Source]:
    """Opens paths, globs, folders, ``-`` (standard input) and Arrow objects, one or a list of them; a source that is open stays as it is.

    A path that does not exist is a ``FileNotFoundError`` that names a file of a similar name, a file that cannot be what it claims to be a
    ``FileFormatError``, anything else than these a ``ConfigError``.
    """
    if not isinstance(options, ReadOptions):
        try:
            options = ReadOptions(**(options or {}))
        except TypeError as error:
            raise ConfigError(f"read options: {error}") from error
    one = isinstance(sources, str | os.PathLike) or hasattr(sources, "__arrow_c_stream__") or hasattr(sources, "read")
    if not one and (isinstance(sources, bytes | Mapping) or not isinstance(sources, Iterable)):
        raise _no_source(sources)
    opened: list[Source] = []
    seen: set[str] = set()
    for number, source in enumerate([sources] if one else list(sources), 1):
        if isinstance(source, Source):
            opened.append(source)
        elif hasattr(source, "__arrow_c_stream__"):
            opened.append(_arrow_object(source, f"table_{number}"))
        elif hasattr(source, "__arrow_c_array__"):
            opened.append(_arrow_object(pa.table(pa.record_batch(source)), f"table_{number}"))
        elif isinstance(source, str) and source == "-":
            opened += _open_stream("<stdin>", sys.stdin.buffer, options, progress)
        elif hasattr(source, "read"):
            opened += _open_stream(str(getattr(source, "name", f"stream_{number}")), source, options, progress)
        elif isinstance(source, str | os.PathLike):
            n_before = len(opened)
            for path in paths_of(os.fspath(source)):
                key = os.path.realpath(path)
                # Overlapping globs name a file twice; its rows are there once.
                if key not in seen:
                    seen.add(key)
                    opened += _open_path(path, options, progress)
            if len(opened) > n_before and isinstance(first := opened[n_before], ArrowSource) and (told := left_out_of(os.fspath(source))):
                first.warnings.append(told)
        else:
            raise _no_source(source)
    return opened


def _no_source(given: Any) -> ConfigError:
    return ConfigError(
        f"cannot read a {type(given).__name__}: give a path, '-', an object that offers "
        "Arrow (pyarrow, polars, pandas, duckdb), or a list of these"
    )


def _open_path(path: str, options: ReadOptions, progress: Progress | None) -> list[Source]:
    if not stat.S_ISREG(os.stat(path).st_mode):
        # A named pipe or `<(...)`: what is read of it is gone, so it is read once, forward.
        return _open_stream(path, _Once(path), options, progress)
    opened = _open_file(path, options, progress)
    for place, source in enumerate(opened):
        source.again = partial(_reopen, path, options, place)
    return opened


def _reopen(path: str, options: ReadOptions, place: int) -> Source | None:
    opened = _open_file(path, options, None)
    return opened[place] if place < len(opened) else None


def _open_file(path: str, options: ReadOptions, progress: Progress | None) -> list[Source]:
    with open(path, "rb") as file:
        head = file.read(8)
    if head.startswith(b"PAR1"):
        return [_parquet(path, path)]
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")) and (head[:6] == b"ARROW1" or path.lower().endswith(TYPED_SUFFIXES)):
        return [_arrow_ipc(path, path)]
    if path.lower().endswith(TYPED_SUFFIXES):
        raise FileFormatError(f"{path}: is named as a Parquet or Arrow file and is none", file=path)
    return _native(path, _core.open_file(path, options.to_json(), None, progress))


def _open_stream(name: str, stream: SupportsRead, options: ReadOptions, progress: Progress | None) -> list[Source]:
    head = stream.read(8)
    if isinstance(head, str):
        raise ConfigError(f"{name} yields text; open it in binary mode")
    rest: Any = _Chained(head, stream)
    # Web pages and XML spreadsheets begin so, whatever encoding they are in.
    is_markup = head.strip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")
    if not is_markup and not head.startswith((b"PAR1", b"ARROW1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\xff\xff\xff\xff")):
        return _native(name, _core.open_file(name, options.to_json(), rest, progress))
    # These are read by seeking: they go through a file that vanishes when its sources do.
    suffix = os.path.splitext(name)[1] or ".spool"
    with tempfile.NamedTemporaryFile(suffix=suffix, delete=False) as spool:
        while chunk := rest.read(1 << 20):
            spool.write(chunk)
    # The native readers open it again for each of several sheets: it is there as long as one of the sources is.
    kept = _Kept(Path(spool.name))
    if head.startswith(b"PAR1"):
        return [_parquet(name, pa.OSFile(spool.name))]
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return [_arrow_ipc(name, spool.name)]
    sources = _native(name, _core.open_file(spool.name, options.to_json(), None, progress))
    for source in sources:
        source.kept = kept
    return sources


class _Kept:
    """A file that goes when nothing refers to this any more."""

    def __init__(self, path: Path) -> None:
        weakref.finalize(self, path.unlink, missing_ok=True)


class _Once:
    """A pipe by its path, closed at its end."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - as long as somebody reads

    def read(self, size: int) -> bytes:
        if self._file.closed:
            return b""
        if not (data := self._file.read(size)):
            self._file.close()
        return data


class _Chained:
    """What was read ahead, then the rest."""

    def __init__(self, head: bytes, rest: SupportsRead) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._rest.read(size)


def _native(name: str, tables: list[_core.FileTable]) -> list[Source]:
    sources: list[Source] = []
    for table in tables:
        sheet = json.loads(table.report).get("sheet")
        sources.append(FileSource(f"{name}#{sheet}" if sheet and len(tables) > 1 else name, table))
    return sources


def _parquet(name: str, where: Any) -> Source:
    try:
        file = pq.ParquetFile(where)
        return ArrowSource(name, "parquet", file.schema_arrow, file.iter_batches(batch_size=_BATCH_ROWS))
    except (*UNREADABLE, OSError) as error:
        raise format_error(name, error) from error


def _arrow_ipc(name: str, path: str) -> Source:
    try:
        source = pa.memory_map(path)
        try:
            file = pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            stream = pa.ipc.open_stream(source)
            return ArrowSource(name, "arrow", stream.schema, stream)
        return ArrowSource(name, "arrow", file.schema, (file.get_batch(idx) for idx in range(file.num_record_batches)))
    except (*UNREADABLE, OSError) as error:
        raise format_error(name, error) from error


def _arrow_object(source: Any, name: str) -> Source:
    reader = pa.RecordBatchReader.from_stream(source)
    return ArrowSource(name, "arrow", reader.schema, reader)


def unique_names(names: Iterable[str]) -> list[str]:
    """Names as columns of a table need them: not empty, no two alike."""
    unique: list[str] = []
    wanted = [name or f"column_{number}" for number, name in enumerate(names, 1)]
    for name in wanted:
        candidate, number = name, 1
        while candidate in unique or (number > 1 and candidate in wanted):
            number += 1
            candidate = f"{name}_{number}"
        unique.append(candidate)
    return unique
