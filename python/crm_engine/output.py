"""Writing tables to files, each whole or not at all.

The extension chooses the format: ``.parquet``, ``.csv``, ``.tsv``, ``.xlsx``, ``.arrow``, ``.jsonl`` or ``.json`` (one array of objects);
``.gz`` behind one of the text formats compresses it. CSV and workbooks never carry a
live formula: what a spreadsheet might run is guarded by an apostrophe in CSV, and is a text cell in a workbook. Reading such a
CSV back with crm_engine takes exactly that apostrophe away again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from crm_engine import _core
from crm_engine.errors import ConfigError

Progress = Callable[[str, int, int], Any]

FORMATS = (".parquet", ".csv", ".tsv", ".xlsx", ".arrow", ".jsonl", ".json")
_ALIASES = {".feather": ".arrow", ".ipc": ".arrow", ".ndjson": ".jsonl", ".pq": ".parquet", ".tab": ".tsv"}
_COMPRESSED = tuple(f"{suffix}.gz" for suffix in (".csv", ".tsv", ".jsonl", ".json"))


def output_format(path: str | os.PathLike[str]) -> str:
    """The format that the extension of ``path`` chooses, as its usual extension.

    >>> output_format("contacts.XLSX"), output_format("contacts.csv.gz")
    ('.xlsx', '.csv.gz')
    """
    name = Path(path)
    compressed = ".gz" if name.suffix.lower() == ".gz" else ""
    plain = Path(name.stem if compressed else name.name).suffix.lower()
    suffix = _ALIASES.get(plain, plain) + compressed
    if suffix not in FORMATS + _COMPRESSED:
        known = ", ".join((*FORMATS, _COMPRESSED[0]))
        what = f"the extension {suffix!r} is" if suffix else "a name without an extension is"
        raise ConfigError(f"{os.fspath(path)}: {what} no output format; use one of {known}")
    return suffix


def check_output(path: str | os.PathLike[str]) -> None:
    """Raises what writing to ``path`` would raise before its first byte: an unknown format, a folder that is missing or closed to us."""
    output_format(path)
    target, mode = _target(path)
    if mode is not None and not stat.S_ISREG(mode):
        return
    if not target.parent.is_dir():
        raise ConfigError(f"{os.fspath(path)}: the folder {target.parent} does not exist")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise _cannot_write(errno.EACCES, path)


def write_table(
    data: Any,
    path: str | os.PathLike[str],
    *,
    sheet: str | None = None,
    style: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Writes a table, or anything else that offers an Arrow stream, to ``path``; returns warnings.

    ``sheet`` names the sheet of a workbook (the file's stem otherwise), ``style`` is its look: see ``write_sheets``.
    """
    target = Path(path)
    if output_format(target) == ".xlsx":
        name = sheet or target.stem
        return write_sheets({name: data}, target, styles={name: style or {}}, progress=progress)
    with atomic_file(target) as scratch, _Stream(data) as stream:
        _write_stream(stream, scratch, output_format(target), progress)
    return []


def write_sheets(
    sheets: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    styles: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Writes one workbook of several sheets; returns warnings.

    ``styles`` has a dict per sheet: ``freeze_columns`` (int), ``no_filter`` (bool), ``hidden``, ``read_only`` (nobody edits it:
    faster), ``title`` (a line above the header), ``row_style_by`` (another column of the table, not written, that makes a row a
    ``heading``, ``strong`` or ``muted``), ``row_choices_by`` (another such column: a row's own drop-down list, a value per line, in the
    columns of ``row_choices_columns``) and ``columns``, which for a column's name has any of ``label``, ``width``, ``format`` (a
    spreadsheet's number format), ``text`` (write numbers as text), ``numbers`` and ``dates`` (texts that are plain numbers, ISO dates,
    become such), ``choices`` (a drop-down list), ``header`` (the header's colour: blue, green, orange, red, grey), ``hint`` (a note at
    the header), ``highlight_by`` (another column of the table, not written, that is true or names a colour where the cell is to be
    marked), ``hidden``, ``wrap``.
    """
    target = Path(path)
    if output_format(target) != ".xlsx":
        raise ConfigError(f"{target}: several sheets need a workbook; use the extension .xlsx")
    unknown = sorted(set(styles or {}) - set(sheets))
    if unknown:
        raise ConfigError(f"a style is given for a sheet {unknown[0]!r} that is not written")
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(atomic_file(target))
        streams = [(name, stack.enter_context(_Stream(data)), json.dumps((styles or {}).get(name, {}))) for name, data in sheets.items()]
        report = _core.write_workbook(streams, scratch, scratch.parent, progress)
    warnings: list[str] = json.loads(report)["warnings"]
    return warnings


def _write_stream(stream: _Stream, path: Path, suffix: str, progress: Progress | None) -> None:
    if suffix.endswith(".gz"):
        with _beside(path) as plain:
            _write_stream(stream, plain, suffix.removesuffix(".gz"), progress)
            with open(plain, "rb") as read, pa.output_stream(str(path), compression="gzip") as write:
                shutil.copyfileobj(read, write, 1 << 20)
    elif suffix in (".csv", ".tsv"):
        _core.write_csv(stream, path, progress, tabs=suffix == ".tsv")
    elif suffix == ".jsonl":
        _core.write_json_lines(stream, path, progress)
    elif suffix == ".json":
        with _beside(path) as lines:
            _core.write_json_lines(stream, lines, progress)
            _json_array(lines, path)
    else:
        reader = stream.reader
        with contextlib.ExitStack() as stack:
            if suffix == ".parquet":
                writer = stack.enter_context(pa.parquet.ParquetWriter(path, reader.schema, compression="zstd"))
                write = writer.write_table
            else:
                writer = stack.enter_context(pa.ipc.new_file(path, reader.schema))
                write = writer.write_table
            n_rows = 0
            for table in _row_groups(reader):
                write(table)
                n_rows += table.num_rows
                if progress is not None:
                    progress("write", n_rows, 0)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A file beside ``path`` for what is written on the way to it."""
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(6)}.part")
    try:
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


def _json_array(lines: Path, path: Path) -> None:
    """One JSON array of the objects that stand on the lines of a file."""
    with open(lines, "rb") as objects, open(path, "wb") as array:
        before = b"[\n"
        for line in objects:
            array.write(before + line.rstrip(b"\n"))
            before = b",\n"
        array.write(b"\n]\n" if before == b",\n" else b"[]\n")


def _row_groups(reader: pa.RecordBatchReader, rows: int = 256 * 1024) -> Iterator[pa.Table]:
    """Batches gathered to tables of some size: tiny row groups make Parquet slow to read."""
    pending: list[pa.RecordBatch] = []
    n_pending = 0
    for batch in reader:
        pending.append(batch)
        n_pending += batch.num_rows
        if n_pending >= rows:
            yield pa.Table.from_batches(pending, reader.schema)
            pending, n_pending = [], 0
    yield pa.Table.from_batches(pending, reader.schema)


class _Stream:
    """An Arrow stream that remembers the exception its producer raised.

    Through Arrow's C interface an exception becomes a text; leaving the context raises the original instead.
    """

    def __init__(self, data: Any) -> None:
        if isinstance(data, pa.RecordBatch):
            data = pa.Table.from_batches([data])
        if isinstance(data, pa.Table):
            self.reader = data.to_reader()
        elif isinstance(data, pa.RecordBatchReader) or hasattr(data, "__arrow_c_stream__"):
            source = data if isinstance(data, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(data)
            self.reader = pa.RecordBatchReader.from_batches(source.schema, self._remembering(source))
        else:
            raise TypeError(f"cannot write {type(data).__name__}: it is neither a table nor offers an Arrow stream")
        self._error: BaseException | None = None

    def _remembering(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except BaseException as error:
            self._error = error
            raise

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.reader.__arrow_c_stream__(requested_schema)

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._error is not None and error is not None and error is not self._error:
            raise self._error


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A scratch path beside ``path`` that becomes ``path`` when the block ends well, and vanishes when it does not.

    The data is on disk before the name changes. A link is followed; the mode of a file that is replaced is kept. What is no
    regular file (``/dev/stdout``, a pipe) is written directly.
    """
    target, mode = _target(path)
    if mode is not None and not stat.S_ISREG(mode):
        yield target
        return
    # The extension stays: writers that look at it see the same one.
    scratch = target.with_name(f".{target.stem[:100]}.{secrets.token_hex(6)}.part{target.suffix}")
    try:
        os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        # The name that the user gave says more than that of the scratch file.
        raise _cannot_write(error.errno, path) from None
    try:
        if mode is not None:
            with contextlib.suppress(OSError):
                os.chmod(scratch, stat.S_IMODE(mode))
        yield scratch
        _sync(scratch)
        os.replace(scratch, target)
        _sync(target.parent)
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) in (scratch, scratch.parent):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            scratch.unlink()


def _target(path: str | os.PathLike[str]) -> tuple[Path, int | None]:
    """What a file is written to, links followed, and the mode of what is there; a folder is an error."""
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target, None
    except NotADirectoryError:
        raise NotADirectoryError(errno.ENOTDIR, "a part of the path is a file", os.fspath(path)) from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory, not a file to write", os.fspath(path))
    return target, mode


def _cannot_write(number: int | None, path: str | os.PathLike[str]) -> OSError:
    number = number or errno.EIO
    return OSError(number, f"cannot write here: {os.strerror(number)}", os.fspath(path))


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A scratch directory whose files move to the directory ``path`` when the block ends well.

    ``path`` is created where it is missing; other files in it stay. Until the block ends nothing in it changes.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, not a directory to write to", os.fspath(path))
    existed = target.exists()
    base = target if existed else target.parent
    scratch = base / f".{target.name[:100]}.{secrets.token_hex(6)}.part"
    try:
        if not existed:
            target.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir()
    except OSError as error:
        raise _cannot_write(error.errno, path) from None
    try:
        yield scratch
        for directory, _, names in os.walk(scratch):
            for name in names:
                _sync(Path(directory) / name)
        if existed:
            for entry in sorted(scratch.iterdir()):
                _replace(entry, target / entry.name)
        else:
            os.rename(scratch, target)
        _sync(target)
        _sync(base)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(exist_ok=True)
        for entry in sorted(source.iterdir()):
            _replace(entry, target / entry.name)
    else:
        os.replace(source, target)


def _sync(path: Path) -> None:
    """Waits until a file or directory is on disk; some file systems cannot sync directories."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def guard_formula(text: str) -> str:
    """``text`` with an apostrophe before it if a spreadsheet might run it; phones and plain numbers stay.

    >>> guard_formula("=1+1"), guard_formula("+7 912 345-67-89")
    ("'=1+1", '+7 912 345-67-89')
    """
    return _core.guard_formula(text)


def strip_formula_guard(text: str) -> str:
    """``text`` without the apostrophe that ``guard_formula`` put before it.

    >>> strip_formula_guard("'=1+1"), strip_formula_guard("'s-Hertogenbosch")
    ('=1+1', "'s-Hertogenbosch")
    """
    return _core.strip_formula_guard(text)
