"""What a run of ``dedupe`` returns: tables, counts, the model, and explanations."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crm_engine import _core
from crm_engine.model import Model
from crm_engine.output import atomic_directory

Progress = Callable[[str, int, int], Any]

#: The tables of a result, as ``write`` names their files.
TABLES = ("contacts", "records", "lineage", "pairs", "rejects", "skipped")

REJECTS_SCHEMA = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("column", pa.string()), ("reason", pa.string()), ("raw", pa.string())]
)
SKIPPED_SCHEMA = pa.schema([("file", pa.string()), ("row", pa.int64()), ("reason", pa.string()), ("raw", pa.string())])

#: Most values of these columns and roles are different: a dictionary of them would only be built to be thrown away.
_DISTINCT_COLUMNS = {"record_id", "contact_id", "record_id_a", "record_id_b", "source_row", "match_weight", "match_probability"}
_DISTINCT_ROLES = {"source_key", "email", "phone", "tax_id", "birth_date", "street", "created_at", "updated_at"}

#: The columns that the tables are sorted by, or nearly: only there does the range of a row group's values spare a reader anything.
_ORDERED_COLUMNS = {"source_file", "source_row", "match_weight", "match_probability", "file", "row"}


class DedupeResult:
    """The outcome of ``crm_engine.dedupe``.

    Tables are made when they are first asked for and kept; ``write`` and ``batches`` stream them in bounded memory instead.
    """

    def __init__(self, outcome: _core.DedupeOutcome, summary: dict[str, Any], rejects: Sequence[Any], skipped: Sequence[Any]) -> None:
        self._outcome = outcome
        self._rejects = rejects
        self._skipped = skipped
        #: The account of the run, JSON-serialisable: ``rows_in`` = ``records`` + ``skipped`` + ``rejected``; ``contacts``,
        #: ``merged_contacts`` (those of several records), ``pairs_to_review``, ``warnings``, and what was found out per source.
        self.summary: dict[str, Any] = summary

    @property
    def model(self) -> Model:
        """The model that decided: fitted on this run's data, or the one that was given."""
        return Model(self._outcome.model())

    @cached_property
    def _golden(self) -> tuple[pa.Table, pa.Table]:
        contacts, lineage = [], []
        for batch_of_contacts, batch_of_lineage in self._golden_batches():
            contacts.append(batch_of_contacts)
            lineage.append(batch_of_lineage)
        return (
            pa.Table.from_batches(contacts, self._outcome.schema("contacts")),
            pa.Table.from_batches(lineage, self._outcome.schema("lineage")),
        )

    @property
    def contacts(self) -> pa.Table:
        """One golden record per contact: ``contact_id``, ``n_records``, the roles found, and the custom columns."""
        return self._golden[0]

    @property
    def lineage(self) -> pa.Table:
        """One row per contact of several records: per column the ``record_id`` that its value came from (a list for lists)."""
        return self._golden[1]

    @cached_property
    def records(self) -> pa.Table:
        """Every input row with all its columns, and ``record_id``, ``contact_id``, ``source_file``, ``source_row``."""
        return pa.Table.from_batches(self.batches("records"), self._outcome.schema("records"))

    @cached_property
    def pairs(self) -> pa.Table:
        """The pairs at or above the review threshold, strongest first.

        ``record_id_a`` < ``record_id_b``, ``match_weight`` (bits), ``match_probability``, ``decision`` (``match``: in one contact;
        ``review``: uncertain, not merged; ``split``: strong, but kept apart by what speaks against it), and per comparison the level.
        """
        return pa.Table.from_batches(self.batches("pairs"), self._outcome.schema("pairs"))

    @cached_property
    def rejects(self) -> pa.Table:
        """Rows that could not be read: file, row, column, reason, raw text."""
        return _table(self._rejects, REJECTS_SCHEMA)

    @cached_property
    def skipped(self) -> pa.Table:
        """Rows that are no data (titles, totals, repeated headers): file, row, reason, raw text."""
        return _table(self._skipped, SKIPPED_SCHEMA)

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """Streams one of the tables without keeping it.

        >>> sum(batch.num_rows for batch in result.batches("records")) == result.summary["records"]
        True
        """
        if table in ("rejects", "skipped"):
            yield from getattr(self, table).to_batches()
        elif table in ("contacts", "lineage"):
            for golden in self._golden_batches():
                yield golden[0 if table == "contacts" else 1]
        elif table in ("records", "pairs"):
            start = 0
            while (batch := self._outcome.portion(table, start)) is not None:
                start += batch.num_rows
                yield batch
        else:
            raise KeyError(f"no table {table!r}; there are {', '.join(TABLES)}")

    def schema(self, table: str) -> pa.Schema:
        """The schema of one of the tables."""
        if table == "rejects":
            return REJECTS_SCHEMA
        return SKIPPED_SCHEMA if table == "skipped" else self._outcome.schema(table)

    def reader(self, table: str) -> pa.RecordBatchReader:
        """One of the tables as a ``pyarrow.RecordBatchReader``, in bounded memory."""
        return pa.RecordBatchReader.from_batches(self.schema(table), self.batches(table))

    def explain(self, record_id_a: int, record_id_b: int) -> dict[str, Any]:
        """Why two records were, or were not, held to be the same contact.

        Returns ``match_weight``, ``match_probability``, ``same_contact`` and ``comparisons``: per comparison the level reached, the two
        values, and the weight it gave (bits).
        """
        explained: dict[str, Any] = json.loads(self._outcome.explain(record_id_a, record_id_b))
        return explained

    def write(self, directory: str | os.PathLike[str], *, progress: Progress | None = None) -> None:
        """Writes all tables as Parquet, ``summary.json`` and ``model.json`` into ``directory``, all of them or none.

        >>> result.write("out")
        >>> sorted(path.name for path in Path("out").iterdir())
        ["contacts.parquet", "lineage.parquet", "model.json", "pairs.parquet", ...]
        """
        with atomic_directory(directory) as folder:
            _Writing(self, folder, progress).run()

    def _golden_batches(self) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        reader = self._outcome.golden()
        while (golden := reader.next()) is not None:
            yield golden

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.summary[name]:,} {name}" for name in ("rows_in", "records", "contacts") if name in self.summary)
        return f"DedupeResult({counts})"


class _Writing:
    """Writes a result's files: golden records and lineage on the calling thread, the rest beside it on another."""

    def __init__(self, result: DedupeResult, folder: Path, progress: Progress | None) -> None:
        self._result = result
        self._folder = folder
        self._progress = progress
        self._stop = threading.Event()

    def run(self) -> None:
        with ThreadPoolExecutor(1, "crm-write") as pool:
            rest = pool.submit(self._write_rest)
            try:
                self._write_golden()
                rest.result()
            except BaseException:
                # Ctrl-C included: the pool waits for its thread at the end of the block, and that must not write on to the end.
                self._stop.set()
                raise
        (self._folder / "model.json").write_text(self._result.model.text, encoding="utf-8")
        summary = json.dumps(self._result.summary, ensure_ascii=False, indent=2)
        (self._folder / "summary.json").write_text(summary + "\n", encoding="utf-8")

    def _write_golden(self) -> None:
        n_written, n_contacts = 0, self._result.summary.get("contacts", 0)
        with self._writer("contacts") as contacts, self._writer("lineage") as lineage:
            for batch_of_contacts, batch_of_lineage in self._result._golden_batches():
                contacts.write_batch(batch_of_contacts)
                lineage.write_batch(batch_of_lineage)
                n_written += batch_of_contacts.num_rows
                if self._progress is not None:
                    self._progress("writing", n_written, n_contacts)
                if self._stop.is_set():
                    break

    def _write_rest(self) -> None:
        try:
            for table in ("records", "pairs", "rejects", "skipped"):
                with self._writer(table) as writer:
                    for batch in self._result.batches(table):
                        if self._stop.is_set():
                            return
                        writer.write_batch(batch)
        except BaseException:
            # Whatever it is, it comes out of `rest.result()`; until then the golden records need not go on.
            self._stop.set()
            raise

    def _distinct_columns(self) -> set[str]:
        roles = [source["roles"] for source in self._result.summary.get("sources", [])]
        of_input = {column for table in roles for column, role in table.items() if role in _DISTINCT_ROLES}
        return _DISTINCT_COLUMNS | _DISTINCT_ROLES | of_input

    def _writer(self, table: str) -> contextlib.AbstractContextManager[Any]:
        schema = self._result.schema(table)
        dictionary = [] if table == "lineage" else [name for name in schema.names if name not in self._distinct_columns()]
        writer: contextlib.AbstractContextManager[Any] = pq.ParquetWriter(
            self._folder / f"{table}.parquet",
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=dictionary,
            write_statistics=[name for name in schema.names if name in _ORDERED_COLUMNS],
        )
        return writer


def _table(rows: Sequence[Any], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)
