"""``dedupe``: rows in, contacts out, in one run."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from crm_engine import _core
from crm_engine.errors import ConfigError
from crm_engine.model import Model
from crm_engine.result import DedupeResult
from crm_engine.sources import Source, open_sources

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
    sources = open_sources(source, progress=progress)
    if not sources:
        raise ConfigError("nothing to read: give at least one file or table")
    options: dict[str, Any] = dict(config or {})
    if max_cluster_share is not None:
        options["max_cluster_share"] = max_cluster_share
    if memory_limit is not None:
        options["memory_limit"] = memory_limit
    if isinstance(options.get("memory_limit"), str):
        options["memory_limit"] = _core.parse_byte_size(options["memory_limit"])
    options["tmp_dir"] = os.fspath(tmp_dir or tempfile.gettempdir())
    run = _core.DedupeRun(json.dumps(options))
    n_rows = 0
    for table in sources:
        n_rows = _take(run, table, n_rows, progress)
    outcome = run.finish(progress)
    rejects = [reject for table in sources for reject in table.rejects]
    skipped = [row for table in sources for row in table.skipped]
    return DedupeResult(outcome, _summary(outcome, sources), rejects, skipped)


def _take(run: _core.DedupeRun, source: Source, n_rows: int, progress: Progress | None) -> int:
    number = None
    for batch, rows in source.batches():
        if number is None:
            number = run.add_source(_source_name(source.name), source.name, _roles(source, batch))
        run.push(number, batch, rows)
        n_rows += batch.num_rows
        if progress is not None:
            progress("reading", n_rows, 0)
    return n_rows


def _source_name(file: str) -> str:
    """What records of a file without a source column are known by: the file's name without folder and extension."""
    path, separator, sheet = file.partition("#")
    return Path(path).stem + separator + sheet


def _roles(source: Source, batch: Any) -> list[tuple[str, str | None]]:
    """What the columns mean, found from their headers and the first rows."""
    found = json.loads(_core.detect_roles(pa.Table.from_batches([batch])))
    return [(name, column["role"]) for name, column in zip(source.columns, found, strict=True)]


def _summary(outcome: _core.DedupeOutcome, sources: list[Source]) -> dict[str, Any]:
    counts = json.loads(outcome.counts())
    reports = [source.report() for source in sources]
    rejected = sum(report["counts"]["rejected"] for report in reports)
    skipped = sum(report["counts"]["skipped"] for report in reports)
    rows_in = sum(report["counts"]["rows_in"] for report in reports)
    return {"rows_in": rows_in, "rejected": rejected, "skipped": skipped, **counts, "sources": reports}
