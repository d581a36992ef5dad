"""In which order a segment run reads its tables: once, or, under a memory limit, once for each stretch of contacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crm_engine import _core
from crm_engine.readable import ReadableTable


class SegmentPasses:
    """The tables of a run, and the run that reads them."""

    def __init__(
        self,
        run: _core.SegmentRun,
        contacts: ReadableTable,
        key: str,
        tables: Mapping[str, ReadableTable],
        progress: Callable[[str, int, int], Any] | None,
    ) -> None:
        self._run = run
        self._contacts = contacts
        self._key = key
        self._tables = tables
        self._progress = progress
        self._columns = sorted({*run.contact_columns(), key})
        #: The contacts whose features the run knows: the first, and how many.
        self._known: tuple[int, int] | None = None

    def run(self) -> None:
        """Ranks contacts where rules ask for it, and decides every segment."""
        related, rankings = self._run.passes()
        if not related:
            self._run.evaluate(self._contacts.reader(self._columns), self._progress)
        else:
            for _ in range(rankings):
                for first, count in self._stretches():
                    self._run.rank(self._contacts.reader(self._columns, first, count))
                self._run.finish_ranking()
            for first, count in self._stretches():
                self._run.evaluate(self._contacts.reader(self._columns, first, count), self._progress)
        self._run.finish()

    def explain(self, place: int) -> str:
        """What every predicate says of contact number ``place``, as JSON."""
        first, count = self._known or (0, 0)
        if self._run.passes()[0] and not first <= place < first + count:
            self._load(place, 1)
        return self._run.explain(self._contacts.reader(self._columns, place, 1), place)

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """The stretches of contacts that memory allows, each with its features known."""
        rows = self._contacts.rows
        length = self._run.stretch(rows)
        first = 0
        while True:
            count = min(length, rows - first)
            if not self._load(first, count):
                # Texts and distinct values are only counted as they come.
                length = (count + 1) // 2
                continue
            yield first, count
            first += count
            if first >= rows:
                return

    def _load(self, first: int, count: int) -> bool:
        """Computes the features of a stretch; ``False`` if that takes more memory than is allowed."""
        if self._known == (first, count):
            return True
        self._known = None
        self._run.begin(first, count)
        # Up to the last contact, so that a key that occurs twice is found wherever its contacts stand.
        self._run.index_contacts(self._contacts.reader([self._key], first))
        for name, wanted in self._run.table_columns():
            if wanted and not self._run.add_related(name, self._tables[name].reader(wanted), self._progress):
                return False
        self._known = (first, count)
        return True
