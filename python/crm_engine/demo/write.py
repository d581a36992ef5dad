"""Writes the demo to a folder: contact exports as four systems write them, related tables, and the truth."""

from __future__ import annotations

import io
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from crm_engine.demo import related
from crm_engine.demo.exports import ExportRows, export_rows
from crm_engine.errors import ConfigError
from crm_engine.output import write_table

#: A worksheet holds 1,048,576 rows; two are the title and the header, and small workbooks are what people have.
_WORKBOOK_ROWS = 1_000_000


@dataclass
class DemoSummary:
    """What was written: rows per file, and the number of distinct entities behind the contacts."""

    directory: str
    contacts: dict[str, int] = field(default_factory=dict)
    related: dict[str, int] = field(default_factory=dict)
    entities: int = 0

    def to_dict(self) -> dict[str, object]:
        """The summary as plain values, for JSON."""
        return asdict(self)


class _Sink(Protocol):
    def write(self, table: pa.Table) -> None: ...
    def __enter__(self) -> _Sink: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class _ParquetSink:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table)

    def __enter__(self) -> _ParquetSink:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self.writer is not None:
            self.writer.close()


class _CsvSink:
    """UTF-8 with commas through pyarrow, or another encoding and delimiter by way of it."""

    def __init__(self, path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> None:
        self.file, self.encoding, self.delimiter, self.started = path.open("wb"), encoding, delimiter, False

    def write(self, table: pa.Table) -> None:
        buffer = io.BytesIO()
        options = pacsv.WriteOptions(include_header=not self.started, delimiter=self.delimiter, quoting_style="needed")
        pacsv.write_csv(table, buffer, options)
        content = buffer.getvalue()
        if self.encoding != "utf-8":
            content = content.decode().encode(self.encoding, errors="strict")
        self.file.write(content)
        self.started = True

    def __enter__(self) -> _CsvSink:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.file.close()


class _WorkbookSink:
    """A Latvian workbook with a title row and a blank row above its header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tables: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        room = _WORKBOOK_ROWS - sum(part.num_rows for part in self.tables)
        if room:
            self.tables.append(table.slice(0, room))

    def __enter__(self) -> _WorkbookSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None and self.tables:
            title = "Klientu saraksts 2026. gada 1. novembrī"
            write_table(pa.concat_tables(self.tables), self.path, sheet="Klienti", style={"title": title})


def write_demo(directory: str | Path, *, rows: int = 2_000, seed: int = 1) -> DemoSummary:
    """Writes a small business to ``directory``: four overlapping exports, what belongs to them, and the truth.

    ``rows`` is the number of contact rows over all four exports; the same ``rows`` and ``seed`` give the same content. Raises
    ``ConfigError`` if ``rows`` is not positive or the folder holds files already.

    >>> import tempfile, crm_engine.demo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     summary = crm_engine.demo.write_demo(folder + "/demo", rows=200)
    >>> sum(summary.contacts.values())
    200
    """
    target = Path(directory)
    if rows < 1:
        raise ConfigError(f"rows is {rows}, and at least 1 is needed")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} exists and is not an empty folder; name a new one")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        folder = Path(temporary) / "demo"
        folder.mkdir()
        summary = _write_all(folder, rows, seed)
        summary.directory = str(target)
        if target.exists():
            target.rmdir()
        folder.rename(target)
    return summary


def _write_all(folder: Path, rows: int, seed: int) -> DemoSummary:
    summary = DemoSummary(directory="")
    entities = []
    with ExitStack() as stack:
        sinks: dict[str, _Sink] = {}

        def write(name: str, table: pa.Table, counts: dict[str, int]) -> None:
            if name not in sinks:
                sinks[name] = stack.enter_context(_sink_for(folder / name))
            sinks[name].write(table)
            counts[name] = counts.get(name, 0) + table.num_rows

        truth = stack.enter_context(_CsvSink(folder / "truth.csv"))
        for part in export_rows(rows, seed):
            entities.append(part.entities)
            write(part.export.file_name, part.table, summary.contacts)
            truth.write(_truth(part))
            for name, table in related.related_tables(part, seed):
                write("interactions.parquet" if name == "interactions" else f"{name}.csv", table, summary.related)
        for name, table in (("campaigns", related.campaigns()), ("costs", related.costs(rows, seed)), ("plans", related.plans(rows))):
            write(f"{name}.csv", table, summary.related)
    summary.entities = len(np.unique(np.concatenate(entities)))
    return summary


def _truth(part: ExportRows) -> pa.Table:
    """Which entity stands behind each row: rows with one `true_id` are the same person or company."""
    return pa.table(
        {
            "source_file": pa.array([part.export.file_name]).take(pa.array(np.zeros(len(part.keys), int))),
            "source_key": part.keys,
            "true_id": pc.binary_join_element_wise("E", pa.array(part.entities).cast(pa.string()), ""),
        }
    )


def _sink_for(path: Path) -> _Sink:
    if path.suffix == ".parquet":
        return _ParquetSink(path)
    if path.suffix == ".xlsx":
        return _WorkbookSink(path)
    if path.name.startswith("bitrix24"):
        return _CsvSink(path, encoding="cp1251", delimiter=";")
    return _CsvSink(path)
