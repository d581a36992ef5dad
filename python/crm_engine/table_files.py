"""Files of tables whose columns keep their types: Parquet and Arrow IPC as they are, text files and workbooks as text.

What the funnels, segments and analyses read comes through here: one idea of which file is what, and of what to say when it is none.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from crm_engine.errors import FileFormatError, UnreadRowsWarning

PARQUET_SUFFIXES = (".parquet", ".pq", ".parq")
ARROW_SUFFIXES = (".arrow", ".feather", ".ipc", ".arrows")

#: What pyarrow raises on content that is broken or asks for too much.
UNREADABLE = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, pa.ArrowMemoryError, pa.ArrowKeyError, pa.ArrowIndexError)


def is_parquet(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is a Parquet file or a folder of such."""
    return os.path.isdir(path) or os.fspath(path).lower().endswith(PARQUET_SUFFIXES)


def is_arrow(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is named as an Arrow IPC file or stream."""
    return os.fspath(path).lower().endswith(ARROW_SUFFIXES)


def parquet_files(path: str | os.PathLike[str]) -> list[Path]:
    """The Parquet files of a folder in the order of their names, or the one file; a folder without any is a ``FileFormatError``."""
    if not os.path.isdir(path):
        return [Path(path)]
    files = sorted(file for file in Path(path).rglob("*") if file.suffix.lower() in PARQUET_SUFFIXES and file.is_file())
    if not files:
        raise FileFormatError(f"{path}: a folder without Parquet files", file=os.fspath(path))
    return files


def has_parquet_files(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder has Parquet files, at any depth."""
    return any(file.suffix.lower() in PARQUET_SUFFIXES for file in Path(folder).rglob("*"))


@contextlib.contextmanager
def told(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns what pyarrow raises about content into a ``FileFormatError`` that names the file; errors of the system stay themselves."""
    try:
        yield
    except (*UNREADABLE, OSError) as error:
        raise format_error(path, error) from error


def format_error(path: str | os.PathLike[str], error: Exception) -> Exception:
    """What is raised for ``error``, met in reading ``path``: errors of the system stay themselves."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return FileFormatError(f"{path}: {reason}", file=os.fspath(path))


def read_parquet(path: str | os.PathLike[str]) -> pa.Table:
    """A Parquet file, or the files of a folder one after the other; missing columns are null."""
    import pyarrow.parquet as pq

    tables = []
    for file in parquet_files(path):
        with told(file):
            tables.append(pq.ParquetFile(file).read())
    with told(path):
        return pa.concat_tables(tables, promote_options="permissive") if len(tables) > 1 else tables[0]


def parquet_batches(path: str | os.PathLike[str]) -> pa.RecordBatchReader:
    """A Parquet file a batch at a time."""
    import pyarrow.parquet as pq

    with told(path):
        file = pq.ParquetFile(path)
        return pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())


def arrow_batches(path: str | os.PathLike[str]) -> pa.RecordBatchReader:
    """An Arrow IPC file or stream a batch at a time, mapped into memory."""
    with told(path):
        source = pa.memory_map(os.fspath(path))
        try:
            opened = pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_stream(source)
        return pa.RecordBatchReader.from_batches(opened.schema, (opened.get_batch(idx) for idx in range(opened.num_record_batches)))


def read_arrow(path: str | os.PathLike[str]) -> pa.Table:
    """An Arrow IPC file or stream."""
    with told(path):
        return arrow_batches(path).read_all()


def read_text(source: Any) -> pa.Table:
    """Text files and workbooks, all columns as text; files one below the other.

    Rows that cannot be read are left out with an :class:`~crm_engine.errors.UnreadRowsWarning` per file. A file of a header alone is a
    table without rows.
    """
    from crm_engine.sources import open_sources

    tables = []
    for opened in open_sources(source):
        tables.append(opened.reader().read_all())
        if n_rejected := opened.report()["counts"]["rejected"]:
            warnings.warn(UnreadRowsWarning(opened.name, n_rejected, opened.rejects), stacklevel=3)
    return pa.concat_tables(tables, promote_options="default") if len(tables) > 1 else tables[0]
