"""What became of every row: those that could not be read, and those that are no data, are kept with their reason."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_engine.base.schema import rows_to_table
from crm_engine.base.suppression import Suppression
from crm_engine.dedupe import source_name_of
from crm_engine.sources import Source

if TYPE_CHECKING:
    from crm_engine.base.runs import Writing


@dataclass
class Logged:
    """What was noted of an input."""

    n_rejected: int
    n_skipped: int
    #: Whether some of these rows are not in the base from an earlier import of the file.
    has_news: bool


def log_inputs(writing: Writing, table: str, sources: list[Source], source_name: str | None) -> Logged:
    """Keeps the rejected and skipped rows of the inputs and notes the files; of rows of people who were erased the place and reason, not the text.

    ``source_name`` is whose keys the rows have; each file's own name where it is not given. Called when all batches were read.
    """
    run_id = writing.run_id
    rejects = [(run_id, table, *reject) for source in sources for reject in source.rejects]
    skipped = [(run_id, table, *row) for source in sources for row in source.skipped]
    if rejects or skipped:
        suppression = Suppression(writing)
        rejects, skipped = (_without_erased(suppression, rows, source_name) for rows in (rejects, skipped))
    has_news = _keep(writing, "rejects", rejects) | _keep(writing, "skipped", skipped)
    for source in sources:
        report = source.report()
        writing.log("file", os.path.basename(source.name), report["counts"].get("rows_in"))
        writing.run.warnings += [f"{source.name}: {warning}" for warning in report.get("warnings", [])]
    return Logged(len(rejects), len(skipped), has_news)


def _without_erased(suppression: Suppression, rows: list[tuple[Any, ...]], source_name: str | None) -> list[tuple[Any, ...]]:
    """The rows; their raw text, which comes last, is gone where it names somebody who was erased."""
    if not suppression.is_needed:
        return rows
    kept = []
    by_file = itertools.groupby(rows, key=lambda row: row[2])
    for file, of_file in by_file:
        listed = list(of_file)
        named = suppression.named([row[-1] for row in listed], source_name or source_name_of(file))
        kept += [(*row[:-1], None) if is_named else row for row, is_named in zip(listed, named, strict=True)]
    return kept


def _keep(writing: Writing, name: str, rows: list[tuple[Any, ...]]) -> bool:
    """Puts the rows into ``rejects`` or ``skipped``; returns whether some of them have not been there."""
    if not rows:
        return False
    noted = rows_to_table(name, rows)
    said = ", ".join(f'"{column}"' for column in noted.column_names if column != "run_id")
    with writing.transaction.known(_noted=noted):
        n_new = writing.transaction.value(f"SELECT count(*) FROM (SELECT {said} FROM _noted EXCEPT SELECT {said} FROM {name})")
    writing.transaction.insert(name, noted)
    return bool(n_new)
