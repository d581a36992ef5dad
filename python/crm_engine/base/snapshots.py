"""Records that a source no longer has: marked where a file is said to be the source's whole list, never deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from crm_engine.base.lake import Transaction
    from crm_engine.base.runs import Writing


def reappear(writing: Writing, record_ids: Any) -> int:
    """Records that came are there again; returns how many were gone."""
    transaction = writing.transaction
    n_gone = int(transaction.value("SELECT count(*) FROM gone_records"))
    if not n_gone:
        return 0
    with transaction.known(_came=pa.table({"record_id": record_ids})):
        transaction.execute("DELETE FROM gone_records WHERE record_id IN (SELECT record_id FROM _came)")
    return n_gone - int(transaction.value("SELECT count(*) FROM gone_records"))


def mark_gone(writing: Writing, sources: set[str], record_ids: Any) -> int:
    """Marks all records of the sources that did not come; returns how many are gone now that were not before."""
    transaction = writing.transaction
    for source in sorted(sources):
        writing.log("snapshot", source)
    listed = pa.table({"source": pa.array(sorted(sources), pa.string())})
    with transaction.known(_came=pa.table({"record_id": record_ids}), _sources=listed):
        transaction.execute(
            """INSERT INTO gone_records
               SELECT DISTINCT record_id, source, ?::BIGINT FROM records
               WHERE source IN (SELECT source FROM _sources) AND record_id NOT IN (SELECT record_id FROM _came)
                 AND record_id NOT IN (SELECT record_id FROM gone_records)""",
            [writing.run_id],
        )
    return int(transaction.value("SELECT count(*) FROM gone_records WHERE run_id = ?", [writing.run_id]))


def derive_gone(transaction: Transaction) -> None:
    """Marks anew from what is known: a record is gone that a snapshot of its source missed and that has not come since.

    For an undo, after its run's rows were taken away.
    """
    if not transaction.value("SELECT EXISTS (SELECT 1 FROM run_log WHERE entry = 'snapshot') OR EXISTS (SELECT 1 FROM gone_records)"):
        return
    transaction.execute("DELETE FROM gone_records")
    transaction.execute("""
        INSERT INTO gone_records
        SELECT l.record_id, l.source, min(s.run_id)
        FROM (SELECT record_id, any_value(source) AS source, max(run_id) AS run_id FROM
                (SELECT record_id, source, run_id FROM records
                 UNION ALL SELECT id, NULL, run_id FROM sightings WHERE table_name = 'records') GROUP BY record_id) l
        JOIN (SELECT DISTINCT name AS source, run_id FROM run_log WHERE entry = 'snapshot') s ON s.source = l.source AND s.run_id > l.run_id
        GROUP BY ALL
    """)
