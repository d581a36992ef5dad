"""What became of every row: those that could not be read, and those that are no data, are kept with their reason."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from crm_engine.base.schema import rows_to_table
from crm_engine.sources import Source

if TYPE_CHECKING:
    from crm_engine.base.runs import Writing


def log_inputs(writing: Writing, table: str, sources: list[Source]) -> tuple[int, int]:
    """Keeps the rejected and skipped rows of the inputs and notes the files; returns how many there were of each.

    Called when all batches were read.
    """
    run_id = writing.run_id
    rejects = [(run_id, table, *reject) for source in sources for reject in source.rejects]
    skipped = [(run_id, table, *row) for source in sources for row in source.skipped]
    writing.transaction.insert("rejects", rows_to_table("rejects", rejects))
    writing.transaction.insert("skipped", rows_to_table("skipped", skipped))
    for source in sources:
        report = source.report()
        writing.log("file", os.path.basename(source.name), report["counts"].get("rows_in"))
        writing.run.warnings += [f"{source.name}: {warning}" for warning in report.get("warnings", [])]
    return len(rejects), len(skipped)
