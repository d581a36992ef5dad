"""Tables that are read several times, some columns at a time: Parquet, Arrow, text files and workbooks behind one interface."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from crm_engine import table_files
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.text_columns import typed_columns, without_loss

_BATCH_ROWS = 131_072


def first_column(names: Iterable[str], wanted: Iterable[str], message: str) -> str:
    """The first of ``wanted`` that is among ``names``; ``SchemaError`` with ``message`` if none is."""
    known = list(names)
    for name in wanted:
        if name in known:
            return name
    raise SchemaError(message)


def contact_key(schema: pa.Schema, key: str | None) -> str:
    """The column that identifies a contact: ``key``, or else ``contact_id`` or ``id``."""
    key = key or first_column(
        schema.names, ("contact_id", "id"), "contacts have neither 'contact_id' nor 'id'; name the column that identifies one: key=..."
    )
    if key not in schema.names:
        raise SchemaError(f"contacts have no column '{key}'")
    return key


#: Reads some columns of the rows from one number on, so many or all.
_Read = Callable[[list[str], int, int | None], Any]


class ReadableTable:
    """A table that can be read several times, some columns and rows at a time."""

    def __init__(self, schema: pa.Schema, rows: int, read: _Read, texts: pa.Table | None = None) -> None:
        self.schema = schema
        self.rows = rows
        self._read = read
        self._texts = texts

    def reader(self, columns: list[str], first: int = 0, count: int | None = None) -> Any:
        """These columns as a ``RecordBatchReader``: all rows, or ``count`` of them (else all) from number ``first`` on."""
        return self._read(columns, first, count)

    def table(self) -> pa.Table:
        return self.reader(list(self.schema.names)).read_all()

    def whole(self) -> pa.Table:
        """The table with nothing lost: a column some of whose values could not be read as the others is the text that the file has."""
        return self.table() if self._texts is None else without_loss(self.table(), self._texts)

    @classmethod
    def open(cls, source: Any, name: str, *, date_order: str | None = None) -> ReadableTable:
        """What ``source`` is; in text files dates that can be read in two ways follow ``date_order``."""
        if isinstance(source, pa.RecordBatch):
            source = pa.Table.from_batches([source])
        if isinstance(source, pa.Table):
            table = source
            return cls(table.schema, len(table), lambda columns, first, count: table.select(columns).slice(first, count).to_reader())
        if hasattr(source, "__arrow_c_stream__"):
            return cls.open(pa.RecordBatchReader.from_stream(source).read_all(), name)
        if isinstance(source, str | os.PathLike):
            if table_files.is_parquet(source):
                return cls._parquet(source)
            if table_files.is_arrow(source):
                return cls.open(table_files.read_arrow(source), name)
            texts = table_files.read_text(source)
            typed = typed_columns(texts, name, date_order)
            return cls(typed.schema, len(typed), lambda columns, first, count: typed.select(columns).slice(first, count).to_reader(), texts)
        raise ConfigError(f"{name} is a path or an Arrow table, not a {type(source).__name__}")

    @classmethod
    def _parquet(cls, path: str | os.PathLike[str]) -> ReadableTable:
        import pyarrow.parquet as pq

        files = table_files.parquet_files(path)
        with table_files.told(files[0]):
            schema = pq.read_schema(files[0])
        rows = 0
        for file in files:
            with table_files.told(file):
                rows += pq.read_metadata(file).num_rows

        def read(columns: list[str], first: int, count: int | None) -> Any:
            few = _few_values(files[0], columns)
            wanted = pa.schema(
                [pa.field(name, pa.dictionary(pa.int32(), pa.string())) if name in few else schema.field(name) for name in columns]
            )

            def batches() -> Iterator[pa.RecordBatch]:
                skip, left = first, rows - first if count is None else count
                for file in files:
                    with table_files.told(file), pq.ParquetFile(file, read_dictionary=sorted(few)) as parquet:
                        groups, skip = _groups_from(parquet.metadata, skip)
                        for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=groups, columns=columns) if groups else ():
                            if left <= 0:
                                return
                            chosen = batch.slice(skip, left).select(columns)
                            skip = max(skip - len(batch), 0)
                            left -= len(chosen)
                            if len(chosen):
                                yield chosen if chosen.schema.equals(wanted) else chosen.cast(wanted)

            return pa.RecordBatchReader.from_batches(wanted, batches())

        return cls(schema, rows, read)


def _groups_from(metadata: Any, skip: int) -> tuple[list[int], int]:
    """The row groups of a file after so many rows, and how many rows are then still to be skipped."""
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if skip < rows:
            return list(range(group, metadata.num_row_groups)), skip
        skip -= rows
    return [], skip


def _few_values(path: Path, columns: list[str]) -> set[str]:
    """The text columns that Parquet holds as short dictionaries: reading them so saves making every text anew."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    schema = metadata.schema.to_arrow_schema()
    few = {name for name in columns if name in schema.names and (pa.types.is_string(schema.field(name).type))}
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            name = column.path_in_schema
            # Two bytes a value hold a number below 65,536; longer ones mean that texts themselves are stored.
            if name in few and (not column.has_dictionary_page or column.total_uncompressed_size > 2.5 * column.num_values + 65_536):
                few.discard(name)
    return few
