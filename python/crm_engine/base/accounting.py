"""What became of every row: those that could not be read, and those that are no data, are kept with their reason."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_engine.base.schema import rows_to_table
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


def log_inputs(writing: Writing, table: str, sources: list[Source]) -> Logged:
    """Keeps the rejected and skipped rows of the inputs and notes the files.

    Called when all batches were read.
    """
    run_id = writing.run_id
    rejects = [(run_id, table, *reject) for source in sources for reject in source.rejects]
    skipped = [(run_id, table, *row) for source in sources for row in source.skipped]
    has_news = _keep(writing, "rejects", rejects) | _keep(writing, "skipped", skipped)
    for source in sources:
        report = source.report()
        writing.log("file", os.path.basename(source.name), report["counts"].get("rows_in"))
        writing.run.warnings += [f"{source.name}: {warning}" for warning in report.get("warnings", [])]
    return Logged(len(rejects), len(skipped), has_news)


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
