"""``dedupe``: rows in, contacts out, in one run."""

from __future__ import annotations

import difflib
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from crm_engine import _core
from crm_engine.errors import ConfigError
from crm_engine.model import Model
from crm_engine.result import DedupeResult
from crm_engine.sources import Source, TextBatch, open_sources

Progress = Callable[[str, int, int], Any]


def dedupe(
    source: Any,
    config: Mapping[str, Any] | None = None,
    *,
    model: Model | None = None,
    progress: Progress | None = None,
    memory_limit: int | str | None = None,
    tmp_dir: str | os.PathLike[str] | None = None,
    max_cluster_share: float | None = None,
) -> DedupeResult:
    """Finds out which rows are the same contact and merges them to golden records; the rows themselves are kept.

    ``source`` is a path, a glob, a folder of Parquet, ``-``, anything that offers an Arrow stream (pyarrow, polars, pandas, duckdb),
    or a list of these. ``config`` overrides what would be found out (see the config's JSON Schema); ``model`` decides with the weights of
    an earlier run instead of fitting new ones. ``progress`` is called with (stage, done, total). ``memory_limit`` (bytes, or ``"2.5GiB"``)
    bounds what the run holds: what exceeds it is spooled to ``tmp_dir``, and where that does not help the run ends with a ``LimitError``.
    A cluster that takes more than ``max_cluster_share`` (0 to 1) of all rows ends it too.

    >>> import pyarrow as pa
    >>> people = pa.table({
    ...     "id": ["1", "2", "3"],
    ...     "name": ["Anna Ozola", "OZOLA ANNA", "Jānis Bērziņš"],
    ...     "email": ["anna@inbox.lv", "Anna@Inbox.lv", "janis@inbox.lv"],
    ... })
    >>> result = dedupe(people)
    >>> result.contacts.num_rows
    2

    Raises ``FileNotFoundError``, ``FileFormatError``, ``ConfigError``, ``LimitError``; see ``crm_engine.errors``.
    """
    settings = dict(config or {})
    for name, value in (("memory_limit", memory_limit), ("max_cluster_share", max_cluster_share), ("tmp_dir", tmp_dir)):
        if value is not None:
            settings[name] = value
    sources = open_sources(source, settings.pop("read", None), progress=progress)
    if not sources:
        raise ConfigError("nothing to read: give at least one file or table")
    tables = _with_roles(sources, settings.pop("mapping", None) or {})
    declared = [(_source_name(table.source.name), table.source.name, table.columns) for table in tables]
    run = _core.DedupeRun(_run_options(settings, tables), declared, model.text if model is not None else None)
    n_rows = 0
    for number, table in enumerate(tables):
        for batch, rows in table.batches:
            run.push(number, batch, rows)
            n_rows += batch.num_rows
            if progress is not None:
                progress("reading", n_rows, 0)
    outcome = run.finish(progress)
    rejects = [reject for source in sources for reject in source.rejects]
    skipped = [row for source in sources for row in source.skipped]
    return DedupeResult(outcome, _summary(outcome, tables), rejects, skipped)


class _Table(NamedTuple):
    """A source whose columns are understood; what was read for that comes again in ``batches``."""

    source: Source
    columns: list[tuple[str, str | None]]
    row_counters: list[str]
    batches: Iterator[TextBatch]


def _with_roles(sources: list[Source], mapping: Mapping[str, str | None]) -> list[_Table]:
    """Finds the roles of all columns; files of the same header are understood alike, by the first of them."""
    unknown = [name for name in mapping if not any(name in source.columns for source in sources)]
    if unknown:
        near = difflib.get_close_matches(unknown[0], {name for source in sources for name in source.columns}, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"the mapping names '{unknown[0]}', which is no column of the input{hint}")
    known: dict[tuple[str, ...], tuple[list[tuple[str, str | None]], list[str]]] = {}
    tables = []
    for source in sources:
        batches = source.batches()
        header = tuple(source.columns)
        if header not in known:
            first = next(batches, None)
            found = [] if first is None else json.loads(_core.detect_roles(pa.Table.from_batches([first.batch])))
            roles = {column["column"]: column["role"] for column in found} | {name: mapping[name] for name in header if name in mapping}
            counters = [column["column"] for column in found if column["counts_rows"] and column["role"] is None]
            known[header] = [(name, roles.get(name)) for name in header], counters
            if first is not None:
                batches = itertools.chain([first], batches)
        tables.append(_Table(source, *known[header], batches))
    return tables


#: Settings of the run itself; all others are those of resolving.
_RUN_SETTINGS = ("survivorship", "max_cluster_share", "memory_limit", "tmp_dir")


def _run_options(settings: dict[str, Any], tables: list[_Table]) -> str:
    run = {name: settings.pop(name) for name in _RUN_SETTINGS if settings.get(name) is not None}
    if isinstance(run.get("memory_limit"), str):
        run["memory_limit"] = _core.parse_byte_size(run["memory_limit"])
    run["tmp_dir"] = os.fspath(run.get("tmp_dir") or tempfile.gettempdir())
    counters = {name for table in tables for name in table.row_counters}
    settings["ignore"] = sorted({*settings.get("ignore", []), *counters})
    return json.dumps({**run, "resolve": settings})


def _source_name(file: str) -> str:
    """What records of a file without a source column are known by: the file's name without folder and extension."""
    path, separator, sheet = file.partition("#")
    return Path(path).stem + separator + sheet


def _summary(outcome: _core.DedupeOutcome, tables: list[_Table]) -> dict[str, Any]:
    counts = json.loads(outcome.counts())
    reports = [{**table.source.report(), "roles": dict(table.columns)} for table in tables]
    total = {name: sum(report["counts"][name] for report in reports) for name in ("rows_in", "rejected", "skipped")}
    warnings = [f"{report['file']}: {warning}" for report in reports for warning in report.get("warnings", [])]
    return {**total, **counts, "warnings": [*counts["warnings"], *warnings], "sources": reports}
