"""What to say where rows of a related table come again, but not by the keys by which they came before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_engine.base.lake import literal, stored

if TYPE_CHECKING:
    from crm_engine.base.related import Plan
    from crm_engine.base.runs import Writing


def warn_of_other_keys(writing: Writing, plan: Plan) -> None:
    """Adds to the run's warnings; called when its rows were judged and put into the table."""
    if plan.row_key is None:
        _warn_of_changed(writing, plan)
    else:
        _warn_of_twice(writing, plan)
    if plan.contact_key is not None:
        _warn_of_other_references(writing, plan)


def _keyless(writing: Writing, plan: Plan) -> str:
    """Rows of the table that are current, came before this run, and have no key: they are known by their content."""
    name = literal(plan.table)
    return f"""
        SELECT t.* FROM {stored(plan.table)} t
        WHERE t._run_id < {writing.run_id} AND starts_with(t._row_key, 'content ') AND t._row_source IN (SELECT _row_source FROM temp.judged)
          AND NOT EXISTS (SELECT 1 FROM superseded s WHERE s.table_name = {name} AND s.id = t._row_id AND s.content_hash = t._content_hash)
    """


def _warn_of_changed(writing: Writing, plan: Plan) -> None:
    """A list that comes again with some rows new, where rows of the same contacts that were in it the last time are missing, has rows that
    were changed, or so it seems."""
    transaction, counts = writing.transaction, writing.run.counts
    last = transaction.value(
        "SELECT max(run_id) FROM related_tables JOIN runs USING (run_id) WHERE table_name = ? AND run_id < ? AND source IS NOT DISTINCT FROM ?",
        [plan.table, writing.run_id, plan.source_name],
    )
    if not counts["new"] or last is None:
        return
    # Where no row came again, and no file of that name came before, these are further rows rather than a list anew.
    of_file = "true" if counts["unchanged"] else "_source_file IN (SELECT _file FROM temp.judged)"
    seen = f"SELECT id FROM sightings WHERE table_name = {literal(plan.table)} AND run_id = {last}"
    n_missing, n_changed = transaction.rows(f"""
        WITH missing AS (SELECT _record_id, _ref_value FROM ({_keyless(writing, plan)}) WHERE (_run_id = {last} OR _row_id IN ({seen})) AND {of_file}
                         AND _row_id NOT IN (SELECT _row_id FROM temp.judged WHERE _status = 'unchanged')),
        fresh AS (SELECT _record_id, _ref_value FROM {stored(plan.table)} WHERE _run_id = {writing.run_id})
        SELECT (SELECT count(*) FROM missing), count(*) FROM fresh f WHERE EXISTS (
            SELECT 1 FROM missing m WHERE m._record_id IS NOT DISTINCT FROM f._record_id AND m._ref_value IS NOT DISTINCT FROM f._ref_value)""")[
        0
    ]
    n_changed = min(int(n_changed), int(n_missing))
    if n_changed:
        counts["perhaps_changed"] = n_changed
        writing.run.warnings.append(
            f"{plan.table}: {n_changed:,} of the new rows are of contacts of whom as many rows of the last import did not come again. Where the list "
            "holds only its latest rows, that is as it should be; where rows were changed, the earlier ones stay beside them, since rows without a "
            "key are known by their content: name a column that identifies them with row_key=... in a base of which all files are still there"
        )


def _warn_of_twice(writing: Writing, plan: Plan) -> None:
    """Rows that came without a key before, and have one now, are other rows."""
    n_twice, first = writing.transaction.rows(f"""
        SELECT count(*), min(e._run_id) FROM ({_keyless(writing, plan)}) e
        WHERE e._content_hash IN (SELECT _content_hash FROM temp.judged WHERE _status = 'new')""")[0]
    if n_twice:
        writing.run.warnings.append(
            f"{plan.table}: {int(n_twice):,} rows were taken in before without a row key, by run {first} first, and are now there twice; undo the "
            "imports that had none"
        )


def _warn_of_other_references(writing: Writing, plan: Plan) -> None:
    """A row that is known keeps what it was told of its contact, also where another column would say it now."""
    n_other, first = writing.transaction.rows(f"""
        SELECT count(*), min(t._run_id) FROM temp.judged j
        JOIN {stored(plan.table)} t ON t._row_id = j._row_id AND t._content_hash = j._content_hash
        LEFT JOIN temp.referred r ON r.source = j._row_source AND r.value = j._reference
        WHERE j._status = 'unchanged'
          AND (t._ref_kind IS DISTINCT FROM {literal(str(plan.reference))} OR t._record_id IS DISTINCT FROM r.record_id
               OR (t._ref_kind = 'email' AND t._ref_value IS DISTINCT FROM r.ref_value))""")[0]
    if n_other:
        writing.run.warnings.append(
            f"{plan.table}: {int(n_other):,} rows are known already and keep whose they are; to say it by '{plan.contact_key}' instead, undo the imports "
            f"that brought them (run {first} was the first) and import the file again"
        )
