"""Batches that must be looked at twice: in memory while they are few, in a file of the base's folder beyond that."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

_IN_MEMORY = 384 << 20


class Spool:
    """Keeps batches of one schema in their order."""

    def __init__(self, folder: Path, schema: pa.Schema, *, in_memory: int = _IN_MEMORY) -> None:
        self._folder = folder
        self._schema = schema
        self._limit = in_memory
        self._batches: list[pa.RecordBatch] = []
        self._n_bytes = 0
        self._path: Path | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds a batch."""
        if self._writer is not None:
            self._writer.write_batch(batch)
            return
        self._batches.append(batch)
        self._n_bytes += batch.nbytes
        if self._n_bytes > self._limit:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            # Named by the process, so that what a killed one leaves is recognised.
            self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}"
            self._writer = pa.ipc.new_file(str(self._path), self._schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
            for kept in self._batches:
                self._writer.write_batch(kept)
            self._batches = []

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All batches again."""
        yield from self._batches
        if self._writer is not None:
            self._writer.close()
            with pa.memory_map(str(self._path)) as source:
                reader = pa.ipc.open_file(source)
                for number in range(reader.num_record_batches):
                    yield reader.get_batch(number)

    def close(self) -> None:
        """Lets go of all of it."""
        self._batches = []
        if self._writer is not None:
            with contextlib.suppress(OSError, pa.ArrowInvalid):
                self._writer.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
