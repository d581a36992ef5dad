"""The key index of a base, as the native module holds it: opened once, refreshed when another run was committed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from crm_engine import _core
from crm_engine.base.lake import Transaction
from crm_engine.base.schema import rows_to_table
from crm_engine.errors import StoreError

if TYPE_CHECKING:
    from crm_engine.base.base import Base


class Index:
    """Opens the registered segments when they are first needed and again when they have changed."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._native: _core.BaseIndex | None = None
        self._stamp: tuple[int, ...] | None = None
        self._lock = threading.Lock()

    def create(self, options: str, model: str | None) -> list[str]:
        """Makes the first segment of an empty base; returns the files to register."""
        native = _core.BaseIndex.create(str(self._base._index_folder), options, model)
        return list(native.segments())

    def register(self, transaction: Transaction, files: list[str], run_id: int, *, after: int = 0) -> None:
        """Makes segment files a part of the state that the transaction commits; ``after`` counts those of the run before them."""
        transaction.insert("index_files", rows_to_table("index_files", [(file, run_id, place) for place, file in enumerate(files, after)]))

    def opened(self) -> _core.BaseIndex:
        """The index of the last committed state."""
        stamp = self._catalog_stamp()
        with self._lock:
            if self._native is None or stamp != self._stamp:
                files = self._registered()
                try:
                    self._native = self._with(files)
                except StoreError:
                    # Between the list and the files a compaction may have come, which removes those that it replaced.
                    now = self._registered()
                    if now == files:
                        raise
                    self._native = self._with(now)
                self._stamp = stamp
            return self._native

    def _with(self, files: list[str]) -> _core.BaseIndex:
        """The segments of these names, those that are open already not opened again."""
        if self._native is None:
            return _core.BaseIndex.open(str(self._base._index_folder), files)
        if list(self._native.segments()) != files:
            self._native.refresh(files)
        return self._native

    def changed(self) -> None:
        """A run was committed: the next use looks again."""
        with self._lock:
            self._stamp = None

    def close(self) -> None:
        """Lets go of the segments."""
        with self._lock:
            self._native = None

    def _registered(self) -> list[str]:
        with self._base._lake.reading() as cursor:
            return [row[0] for row in cursor.rows("SELECT file FROM index_files ORDER BY run_id, position")]

    def _catalog_stamp(self) -> tuple[int, ...]:
        """Changes with every commit; two file stats, so that ``find`` can afford to look each time."""
        stamp: list[int] = []
        for name in ("catalog.sqlite", "catalog.sqlite-wal"):
            try:
                found = (self._base.path / name).stat()
                stamp += [found.st_mtime_ns, found.st_size, found.st_ino]
            except FileNotFoundError:
                stamp += [0, 0, 0]
        return tuple(stamp)
