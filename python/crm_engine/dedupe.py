"""``dedupe``: rows in, contacts out, in one run."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crm_engine import _core
from crm_engine.config import ColumnMapping, Settings, load_config
from crm_engine.decisions import read_decisions
from crm_engine.detection import detect_roles
from crm_engine.errors import ConfigError
from crm_engine.model import Model
from crm_engine.result import DedupeResult
from crm_engine.sources import Source, TextBatch, open_sources

Progress = Callable[[str, int, int], Any]

#: A table with none of these says neither who a contact is nor how to reach one.
_TELLING_ROLES = {"full_name", "family_name", "given_name", "company_name", "email", "phone", "tax_id", "social"}
_NO_CONTACTS = (
    "no column tells a name, company, e-mail, phone or tax id, so its rows were taken as contacts that match nothing; "
    "leave the file out, or name the columns' roles in a mapping"
)


def dedupe(
    source: Any,
    config: str | os.PathLike[str] | Mapping[str, Any] | Settings | None = None,
    *,
    mapping: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    source_name: str | None = None,
    model: Model | None = None,
    decisions: Any = None,
    progress: Progress | None = None,
    memory_limit: int | str | None = None,
    tmp_dir: str | os.PathLike[str] | None = None,
    max_cluster_share: float | None = None,
) -> DedupeResult:
    """Finds out which rows are the same contact and merges them to golden records; the rows themselves are kept.

    ``source`` is a path, a glob, a folder of Parquet, ``-``, anything that offers an Arrow stream (pyarrow, polars, pandas, duckdb),
    or a list of these. ``config`` (a YAML file or a dict, see ``docs/config.md``) and ``mapping`` (column to role, or a mapping file)
    override what would be found out; ``source_name`` is what records are known by instead of their file's name; ``model`` decides as in an
    earlier run instead of being fitted anew: it holds the weights, and how cells were read, so a pair weighs the same among any other rows.
    ``decisions`` are a person's words on pairs: a file or table with ``record_id_a``, ``record_id_b`` and ``decision`` (``same``,
    ``different``), such as an edited ``pairs``, or tuples of these; they hold whatever the weights say.
    ``progress`` is called with (stage, done, total).
    ``memory_limit`` (bytes, or ``"2.5GiB"``) bounds what the run holds: what exceeds it is spooled to ``tmp_dir``,
    and where that does not help the run ends with a ``LimitError``.
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
    overrides = {"memory_limit": memory_limit, "max_cluster_share": max_cluster_share, "tmp_dir": tmp_dir, "source_name": source_name}
    settings = config if isinstance(config, Settings) else load_config(config, mapping=mapping, **overrides)
    sources = open_sources(source, settings.mapping.read, progress=progress)
    if not sources:
        raise ConfigError("nothing to read: give at least one file or table")
    decided = read_decisions(decisions)
    tables = with_roles(sources, settings.mapping)
    declared = [(settings.source_name or source_name_of(table.source.name), table.source.name, table.columns) for table in tables]
    resolve = resolve_options(settings, tables, is_fitted=model is not None)
    run = _core.DedupeRun(run_options(settings, resolve), declared, model.text if model is not None else None)
    read_into(run, tables, progress)
    outcome = run.finish(progress, decided)
    rejects = [reject for source in sources for reject in source.rejects]
    skipped = [row for source in sources for row in source.skipped]
    return DedupeResult(outcome, {**summary_of(outcome, tables), "config": resolve}, rejects, skipped)


class InputTable(NamedTuple):
    """A source whose columns are understood; what was read for that comes again in ``batches``."""

    source: Source
    columns: list[tuple[str, str | None]]
    row_counters: list[str]
    batches: Iterator[TextBatch]


def with_roles(sources: list[Source], mapping: ColumnMapping) -> list[InputTable]:
    """Finds the roles of all columns; files of the same header are understood alike, by the first of them."""
    mapping.check_columns(dict.fromkeys(column for source in sources for column in source.columns))
    known: dict[tuple[str, ...], tuple[list[tuple[str, str | None]], list[str]]] = {}
    tables = []
    for source in sources:
        batches = source.batches()
        header = tuple(source.columns)
        if header not in known:
            found, batches = detect_roles(source, batches)
            roles = mapping.apply([(column["column"], column["role"]) for column in found])
            counts = {column["column"] for column in found if column["counts_rows"]}
            understood = roles, [name for name, role in roles if role is None and name in counts]
            first = next(batches, None)
            if first is None:
                # A table without rows shows nothing to the others of its header.
                tables.append(InputTable(source, *understood, batches))
                continue
            known[header], batches = understood, itertools.chain([first], batches)
        tables.append(InputTable(source, *known[header], batches))
    return tables


def read_into(run: _core.DedupeRun, tables: Sequence[InputTable], progress: Progress | None) -> None:
    """Hands all rows of the tables to the run."""
    n_rows = 0
    for number, table in enumerate(tables):
        for batch, rows in table.batches:
            run.push(number, batch, rows)
            n_rows += batch.num_rows
            if progress is not None:
                progress("reading", n_rows, 0)


def resolve_options(settings: Settings, tables: list[InputTable], *, is_fitted: bool) -> dict[str, Any]:
    # A fitted model knows which columns take part; what looks like a counter among a few rows must not take one away.
    counters = set() if is_fitted else {name for table in tables for name in table.row_counters}
    return {**settings.resolve, "ignore": sorted({*settings.resolve.get("ignore", []), *settings.mapping.ignored, *counters})}


def run_options(settings: Settings, resolve: dict[str, Any]) -> str:
    run = {
        "max_cluster_share": settings.max_cluster_share,
        "memory_limit": settings.memory_limit,
        "survivorship": settings.survivorship or None,
    }
    known = {name: value for name, value in run.items() if value is not None}
    return json.dumps({**known, "tmp_dir": settings.tmp_dir or tempfile.gettempdir(), "resolve": resolve})


def source_name_of(file: str) -> str:
    """What records of a file without a source column are known by: the file's name without folder and extension."""
    path, separator, sheet = file.partition("#")
    return Path(path).stem + separator + sheet


def summary_of(outcome: _core.DedupeOutcome, tables: list[InputTable]) -> dict[str, Any]:
    counts = json.loads(outcome.counts())
    # A table is known by the name that its records have: of several sheets a report knows the workbook alone.
    reports = [{**table.source.report(), "file": table.source.name, "roles": dict(table.columns)} for table in tables]
    total = {name: sum(report["counts"][name] for report in reports) for name in ("rows_in", "rejected", "skipped")}
    warnings = [f"{report['file']}: {warning}" for report in reports for warning in report.get("warnings", [])]
    silent = tables_without_contacts(tables)
    return {**total, **counts, "warnings": [*counts["warnings"], *silent, *warnings], "sources": reports}


def tables_without_contacts(tables: Sequence[InputTable]) -> list[str]:
    """A warning for each table of which no column says who a contact is or how to reach one."""
    return [f"{table.source.name}: {_NO_CONTACTS}" for table in tables if _TELLING_ROLES.isdisjoint(role for _, role in table.columns)]
