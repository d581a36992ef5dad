"""Parquet files that the engine writes itself, at full speed, to be registered as parts of a table."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_ROW_GROUP_ROWS = 128 * 1024
#: Columns whose values hardly repeat: a dictionary of them costs time and saves nothing.
_DISTINCT = frozenset({
    "alias", "birth_date", "contact_id", "content_hash", "created_at", "email", "full_name", "match_probability", "match_weight", "note", "phone",
    "postcode", "raw", "record_id", "record_id_a", "record_id_b", "row_id", "social", "source_key", "source_row", "street", "tax_id", "updated_at",
    "website",
})  # fmt: skip


class TableFile:
    """A file on its way; a part of the base only once it is registered."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"engine-{secrets.token_hex(12)}.parquet"
        self.n_rows = 0
        self._schema = schema
        self._pending: list[pa.RecordBatch] = []
        self._n_pending = 0
        self._is_finished = False
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._writer = pq.ParquetWriter(self.path, schema, compression="zstd", compression_level=1, use_dictionary=_with_dictionary(schema))

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Adds rows; they are gathered to row groups of some size, as tiny ones make Parquet slow to read."""
        for batch in batches:
            self._pending.append(batch)
            self._n_pending += batch.num_rows
            self.n_rows += batch.num_rows
            if self._n_pending >= _ROW_GROUP_ROWS:
                self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_batches(self._pending, self._schema), row_group_size=_ROW_GROUP_ROWS)
        self._pending, self._n_pending = [], 0

    def finish(self) -> int:
        """Ends the file, waits until it is on disk, and returns the number of its rows; nothing is left to do the second time."""
        if not self._is_finished:
            self._flush()
            self._writer.close()
            _sync(self.path)
            self._is_finished = True
        return self.n_rows


def _with_dictionary(schema: pa.Schema) -> list[str]:
    """The columns, by their paths in Parquet, that are written with a dictionary."""
    paths = []
    for field in schema:
        if field.name in _DISTINCT:
            continue
        if pa.types.is_map(field.type):
            # The names of columns repeat in each row, the cells under them do not.
            paths.append(f"{field.name}.key_value.key")
        elif pa.types.is_list(field.type):
            paths.append(f"{field.name}.list.element")
        else:
            paths.append(field.name)
    return paths


def table_folder(data: Path, table: str) -> Path:
    """Where the files of a table of any name lie."""
    name = table if table.isidentifier() and table.isascii() else f"table-{table.encode().hex()[:64]}"
    return data / "main" / name


def _sync(path: Path) -> None:
    """Waits until a file is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
