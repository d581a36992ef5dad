"""``reconcile``: two lists of the same contacts side by side; what matches, what differs, what is missing where."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from crm_engine import _core
from crm_engine.config import ColumnMapping, Settings, load_config, load_mapping
from crm_engine.dedupe import InputTable, read_into, resolve_options, run_options, source_name_of, summary_of, with_roles
from crm_engine.errors import ConfigError, FileFormatError
from crm_engine.model import Model
from crm_engine.output import atomic_directory, output_format, write_table
from crm_engine.result import REJECTS_SCHEMA, SKIPPED_SCHEMA, _table
from crm_engine.sources import Source, open_sources

Progress = Callable[[str, int, int], Any]
MappingSource = str | os.PathLike[str] | Mapping[str, Any]

#: The tables of a result, as ``write`` names their files.
TABLES = ("matched", "differences", "only_left", "only_right", "to_review", "rejects", "skipped")


def reconcile(
    left: Any,
    right: Any,
    config: str | os.PathLike[str] | Mapping[str, Any] | Settings | None = None,
    *,
    key: str | Sequence[str] = (),
    same: Mapping[str, str] | None = None,
    as_written: Sequence[str] = (),
    mapping: MappingSource | None = None,
    left_mapping: MappingSource | None = None,
    right_mapping: MappingSource | None = None,
    left_name: str | None = None,
    right_name: str | None = None,
    decisions: str | os.PathLike[str] | None = None,
    model: Model | None = None,
    progress: Progress | None = None,
    memory_limit: int | str | None = None,
    tmp_dir: str | os.PathLike[str] | None = None,
) -> ReconcileResult:
    """Finds out which row of ``left`` is which row of ``right``, and compares them field by field.

    Both sides are what ``dedupe`` reads: a path, a glob, a folder of Parquet, any Arrow table, or a list of these. Their headers and
    languages may differ: columns answer each other by their roles, other columns by their names, or by ``same`` (left column to right
    column). Values are compared by what they mean (``+371 29123456`` is ``29 123 456``, *Щербаков* is *Shcherbakov*), except in the
    fields of ``as_written``; what is shown are the originals.

    Rows are matched by the evidence of all columns, as ``dedupe`` does; rows that share a value of a ``key`` (a role such as
    ``tax_id``, a column, or ``left column=right column``) are matched in any case. ``mapping`` says what columns mean on both sides,
    ``left_mapping`` and ``right_mapping`` on one. ``decisions`` is a workbook of an earlier run with its column *Decision* filled in.

    >>> import pyarrow as pa
    >>> erp = pa.table({"Kods": ["1", "2"], "Vārds": ["Anna Ozola", "Jānis Bērziņš"], "Tālrunis": ["29 123 456", "26 111 222"]})
    >>> crm = pa.table({"name": ["OZOLA ANNA", "Zane Liepa"], "phone": ["+371 29123456", "+371 20000111"]})
    >>> result = reconcile(erp, crm, left_name="erp", right_name="crm")
    >>> result.summary["matched"], result.summary["only_left"], result.summary["only_right"]
    (1, 1, 1)

    Raises what ``dedupe`` raises.
    """
    settings = config if isinstance(config, Settings) else load_config(config, mapping=mapping, memory_limit=memory_limit, tmp_dir=tmp_dir)
    sides = _open_sides((left, right), settings, (left_mapping, right_mapping), progress)
    names = _side_names(sides, (left_name, right_name))
    tables = [table for side in sides for table in side]
    resolve = resolve_options(settings, tables, is_fitted=model is not None)
    declared = [
        (_source_of(table, name, side), table.source.name, table.columns) for side, name in zip(sides, names, strict=True) for table in side
    ]
    run = _core.DedupeRun(run_options(settings, resolve), declared, model.text if model is not None else None)
    read_into(run, tables, progress)
    outcome = run.finish(progress)
    options = {
        "n_left_tables": len(sides[0]),
        "keys": [key] if isinstance(key, str) else list(key),
        "twins": list((same or {}).items()),
        "as_written": list(as_written),
        "decisions": _read_decisions(decisions) if decisions is not None else [],
    }
    reconciliation = outcome.reconcile(json.dumps(options), progress)
    return ReconcileResult(outcome, reconciliation, names, sides, resolve)


class ReconcileResult:
    """The outcome of ``crm_engine.reconcile``.

    Tables are made when they are first asked for; ``reader`` and ``write`` stream them instead.
    """

    def __init__(
        self,
        outcome: _core.DedupeOutcome,
        reconciliation: _core.Reconciliation,
        names: tuple[str, str],
        sides: tuple[list[InputTable], list[InputTable]],
        resolve: dict[str, Any],
    ) -> None:
        self._outcome = outcome
        self._reconciliation = reconciliation
        #: What the two sides are called.
        self.names = names
        #: Per side the names of its columns and what they mean.
        self.roles = tuple({name: role for table in side for name, role in table.columns} for side in sides)
        sources = [table.source for side in sides for table in side]
        self._rejects = [reject for source in sources for reject in source.rejects]
        self._skipped = [row for source in sources for row in source.skipped]
        #: The account, JSON-serialisable. Per side: ``left_rows`` = ``matched`` + ``left_duplicates`` + ``only_left``.
        self.summary: dict[str, Any] = _account(outcome, reconciliation, names, sides, resolve)

    @cached_property
    def matched(self) -> pa.Table:
        """A row per matched pair, both sides' values beside each other; and a row per further row of a side that is the same contact."""
        return self.reader("matched").read_all()

    @cached_property
    def differences(self) -> pa.Table:
        """A row per field that differs: ``contact``, ``field``, ``left_value``, ``right_value``, ``difference``, ``newer``, rows and keys.

        ``difference`` is ``different``, ``partly`` (one says a part of what the other says), ``only_left`` or ``only_right``; ``newer`` is
        ``left``, ``right`` or ``same`` where both sides have ``updated_at``.
        """
        return self.reader("differences").read_all()

    @cached_property
    def only_left(self) -> pa.Table:
        """The rows that the right side does not have, with all their columns."""
        return self.reader("only_left").read_all()

    @cached_property
    def only_right(self) -> pa.Table:
        """The rows that the left side does not have, with all their columns."""
        return self.reader("only_right").read_all()

    @cached_property
    def to_review(self) -> pa.Table:
        """Uncertain pairs, the likeliest first; their rows are counted in ``only_left`` and ``only_right``, unless matched elsewhere."""
        return self.reader("to_review").read_all()

    @cached_property
    def rejects(self) -> pa.Table:
        """Rows that could not be read: file, row, column, reason, raw text."""
        return _table(self._rejects, REJECTS_SCHEMA)

    @cached_property
    def skipped(self) -> pa.Table:
        """Rows that are no data (titles, totals, repeated headers): file, row, reason, raw text."""
        return _table(self._skipped, SKIPPED_SCHEMA)

    @property
    def model(self) -> Model:
        """The model that decided."""
        return Model(self._outcome.model())

    def reader(self, table: str) -> pa.RecordBatchReader:
        """One of the tables as a ``pyarrow.RecordBatchReader``."""
        if table in ("rejects", "skipped"):
            return getattr(self, table).to_reader()
        if table not in TABLES:
            raise KeyError(f"no table {table!r}; there are {', '.join(TABLES)}")
        schema = self._reconciliation.schema(table)
        return pa.RecordBatchReader.from_batches(schema, self._portions(table))

    def _portions(self, table: str) -> Iterator[pa.RecordBatch]:
        start = 0
        while (batch := self._reconciliation.portion(table, start)) is not None:
            start += batch.num_rows
            yield batch

    def write(self, path: str | os.PathLike[str], *, progress: Progress | None = None) -> list[str]:
        """Writes a workbook (``.xlsx``), or else a folder of Parquet files with ``summary.json``, whole or not at all; returns warnings."""
        target = Path(path)
        if target.is_dir() or not target.suffix:
            with atomic_directory(target) as folder:
                for table in TABLES:
                    write_table(self.reader(table), folder / f"{table}.parquet", progress=progress)
                text = json.dumps(self.summary, ensure_ascii=False, indent=2)
                (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
            return []
        if output_format(target) != ".xlsx":
            raise ConfigError(f"{target}: a comparison has several tables; write a workbook (.xlsx), or a folder of Parquet files")
        from crm_engine.reconcile_workbook import write_workbook

        return write_workbook(self, target, progress)

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.summary[name]:,} {name}" for name in ("matched", "different", "only_left", "only_right", "to_review"))
        return f"ReconcileResult({counts})"


def _open_sides(
    inputs: tuple[Any, Any], settings: Settings, mappings: tuple[MappingSource | None, MappingSource | None], progress: Progress | None
) -> tuple[list[InputTable], list[InputTable]]:
    of_side = [_side_mapping(settings.mapping, own) for own in mappings]
    opened: list[list[Source]] = []
    for name, source, mapping in zip(("left", "right"), inputs, of_side, strict=True):
        sources = open_sources(source, mapping.read, progress=progress)
        if not sources:
            raise ConfigError(f"nothing to read on the {name} side: give at least one file or table")
        opened.append(sources)
    if mappings == (None, None):
        # A mapping for both sides may name a column that only one of them has.
        tables = with_roles([*opened[0], *opened[1]], settings.mapping)
        return tables[: len(opened[0])], tables[len(opened[0]) :]
    return with_roles(opened[0], of_side[0]), with_roles(opened[1], of_side[1])


def _side_mapping(shared: ColumnMapping, own: MappingSource | None) -> ColumnMapping:
    if own is None:
        return shared
    said = load_mapping(own)
    return ColumnMapping(columns={**shared.columns, **said.columns}, read={**shared.read, **said.read})


def _side_names(sides: tuple[list[InputTable], list[InputTable]], given: tuple[str | None, str | None]) -> tuple[str, str]:
    """What the sides are called: as given, or as their files, unless that does not tell them apart."""
    found = [name or source_name_of(side[0].source.name).partition("#")[0] for name, side in zip(given, sides, strict=True)]
    if found[0] == found[1]:
        if given[0] and given[1]:
            raise ConfigError(f"both sides are called {found[0]!r}; give them different names")
        found = [name or f"{text} ({side})" for name, text, side in zip(given, found, ("left", "right"), strict=True)]
    return found[0], found[1]


def _source_of(table: InputTable, side_name: str, side: list[InputTable]) -> str:
    """A side of several tables needs their names too: a key of one sheet is not that of another."""
    return side_name if len(side) == 1 else f"{side_name}/{source_name_of(table.source.name)}"


def _account(
    outcome: _core.DedupeOutcome,
    reconciliation: _core.Reconciliation,
    names: tuple[str, str],
    sides: tuple[list[InputTable], list[InputTable]],
    resolve: dict[str, Any],
) -> dict[str, Any]:
    tables = [table for side in sides for table in side]
    whole = summary_of(outcome, tables)
    counts: dict[str, Any] = json.loads(reconciliation.counts())
    counts["matched_by"] = dict(counts["matched_by"])
    reports, n_left = whole["sources"], len(sides[0])
    per_side = {}
    for name, of_side in (("left", reports[:n_left]), ("right", reports[n_left:])):
        for count in ("rows_in", "skipped", "rejected"):
            per_side[f"{name}_{count}"] = sum(report["counts"][count] for report in of_side)
    warnings = list(whole["warnings"])
    if not counts["fields"]:
        warnings.append("no column of the left side answers one of the right side: map the columns, or name them with same=...")
    if counts["unknown_decisions"]:
        warnings.append(f"{counts['unknown_decisions']} decisions speak of rows that are not there any more, and were left aside")
    if counts["undecided"]:
        warnings.append(
            f"{counts['undecided']} rows share a key with so many others that nothing tells which is whose, and were left unpaired: "
            "give a key=... that identifies"
        )
    totals = {name: whole[name] for name in ("rows_in", "skipped", "rejected")}
    return {
        "left": names[0],
        "right": names[1],
        **totals,
        **per_side,
        **counts,
        "warnings": warnings,
        "sources": reports,
        "config": resolve,
    }


def _read_decisions(path: str | os.PathLike[str]) -> list[tuple[int, int, bool]]:
    """The decided pairs of an earlier workbook, or of the table ``to_review`` in another format."""
    where = os.fspath(path)
    sources = open_sources(where)
    wanted = {"decision", "left_record_id", "right_record_id"}
    for source in sources:
        names = {name.strip().lower(): name for name in source.columns}
        if not wanted <= set(names):
            continue
        decided = []
        for text in source.batches():
            columns = [text.batch.column(names[name]).to_pylist() for name in ("decision", "left_record_id", "right_record_id")]
            for decision, left, right in zip(*columns, strict=True):
                word = (decision or "").strip().lower()
                if word in ("", "later"):
                    continue
                if word not in ("same", "different") or not (left or "").isdigit() or not (right or "").isdigit():
                    raise FileFormatError(f"{where}: a decision is 'same', 'different' or 'later', beside the ids of two rows", file=where)
                decided.append((int(left), int(right), word == "same"))
        return decided
    raise FileFormatError(
        f"{where}: holds no decisions: a sheet with the columns Decision, left_record_id and right_record_id, as `reconcile` writes it",
        file=where,
    )
