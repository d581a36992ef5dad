"""Related tables: orders, deals, calls, and whatever else belongs to a contact.

A row is known by (source, ``row_key``), or by its content where it has no key. Its contact is never written into it: a row keeps what it
was told (a key in a source, a phone, an e-mail address), and reading resolves that. So rows follow their contacts through merges, splits
and undo, and an orphan is attached when its contact arrives, without a row being rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.base.accounting import log_inputs
from crm_engine.base.lake import Cursor, Transaction, literal, quoted, stored
from crm_engine.base.reading import related_names, resolved_rows
from crm_engine.base.references import flat, record_ids_of_contacts, record_ids_of_keys, reference_values
from crm_engine.base.related_columns import CONTACT_KEYS, cell, ensure_table, known_columns, physical_names, remember_columns, usual_name
from crm_engine.base.related_warnings import warn_of_other_keys
from crm_engine.base.runs import Run, Writing
from crm_engine.base.schema import OTHER_RECORD, RELATED_COLUMNS, RESERVED
from crm_engine.base.suppression import IDENTIFYING, Suppression
from crm_engine.config import load_mapping, nearest
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.related_words import WITHOUT_CONTACTS, named_for, nouns_for, own_id_of, table_of
from crm_engine.sources import Progress, Source, open_sources

if TYPE_CHECKING:
    from crm_engine.base.base import Base

#: What the column is called beside the contact's key that holds the key of another contact: whom it works for, who referred it.
_OTHER = ("other_{}", "related_{}", "to_{}", "{}_2")
_BY_VALUE = {"phone": "phone", "email": "email", "e_mail": "email", "telephone": "phone", "mobile": "phone"}


@dataclass
class Plan:
    """Which columns of an import say what."""

    table: str
    columns: list[str]
    physical: dict[str, str]
    row_key: str | None
    contact_key: str | None
    #: ``key`` (in a source), ``contact`` (a ``contact_id``), ``phone`` or ``email``.
    reference: str | None
    #: The column of the other contact's key, of the same kind as ``contact_key``.
    other_key: str | None = None
    #: Whose keys these are where a row does not say.
    source_name: str = ""
    #: The column in which a row says it.
    source_column: str | None = None


def import_related(
    base: Base,
    name: str,
    source: Any,
    *,
    row_key: str | None,
    contact_key: str | None,
    source_name: str | None,
    mapping: Any,
    wait: float,
    dry_run: bool,
    progress: Progress | None,
) -> Run:
    """See ``Base.import_related``."""
    _check_name(name)
    read = load_mapping(mapping).read if mapping is not None else {}
    sources = open_sources(source, read, progress=progress)
    if not sources:
        raise ConfigError("nothing to read: give at least one file or table")
    columns = list(dict.fromkeys(column for one in sources for column in one.columns))
    with base._writing("import", target=name, source=source_name, wait=wait, dry_run=dry_run) as writing:
        plan = _plan(writing, name, columns, row_key, contact_key)
        _stage(writing, plan, sources, progress)
        _name_source(writing, plan, source_name)
        n_erased = _keep_out(writing, plan)
        _refer(writing, plan)
        has_new_columns = not set(plan.columns) <= known_columns(writing.transaction, plan.table)
        counts = _apply(writing, plan)
        logged = log_inputs(writing, plan.table, sources, plan.source_name)
        n_in = counts.pop("staged") + n_erased + logged.n_rejected + logged.n_skipped
        writing.run.counts = {"rows_in": n_in, **counts, "rejected": logged.n_rejected + n_erased, "skipped": logged.n_skipped}
        writing.run.nothing_new = not (counts["new"] or counts["updated"] or has_new_columns or logged.has_news)
        if n_erased:
            writing.run.counts["erased"] = n_erased
            writing.run.warnings.append(f"{name}: {n_erased:,} rows belong to people who were erased; they were kept out")
        writing.run.source = plan.source_name
        _warn(writing, plan)
        warn_of_other_keys(writing, plan)
    return writing.run


def _check_name(name: str) -> None:
    if not name or name != name.strip() or len(name) > 100 or any(ord(letter) < 32 for letter in name):
        raise ConfigError("a related table needs a name of 1 to 100 letters")
    if name.casefold() in RESERVED or name.startswith("_") or name.casefold().startswith("ducklake"):
        hint = "; contacts are imported as such, not as a related table" if name.casefold() == "contacts" else ""
        raise ConfigError(f"'{name}' is the name of a table of the base itself; choose another{hint}")


def _plan(writing: Writing, name: str, columns: list[str], row_key: str | None, contact_key: str | None) -> Plan:
    transaction = writing.transaction
    name = next((known for known in related_names(transaction) if known.casefold() == name.casefold()), name)
    writing.run.target = name
    for parameter, column in (("row_key=...", row_key), ("contact_key=...", contact_key)):
        if column is not None and column not in columns:
            raise SchemaError(
                f"{name} has no column '{column}' for {parameter}{nearest(column, columns)}; its columns are {', '.join(columns)}"
            )
    folded = {usual_name(column): column for column in reversed(columns)}
    row_key = row_key or next(_row_keys(name, columns, folded), None)
    contact_key = contact_key or next((column for column in _contact_keys(columns, folded) if column != row_key), None)
    reference = _reference_of(contact_key) if contact_key is not None else None
    other_key = None
    if contact_key is not None and reference in ("key", "contact"):
        usual = usual_name(contact_key)
        usual_names = (pattern.format(usual) for pattern in _OTHER)
        other_key = next((folded[usual] for usual in usual_names if usual in folded), None)
    return Plan(name, columns, physical_names(transaction, name, columns), row_key, contact_key, reference, other_key)


def _row_keys(name: str, columns: Sequence[str], folded: Mapping[str, str]) -> Iterator[str]:
    """Columns that usually tell the rows of the table apart: by our names, then by the words that analyses know them by."""
    one = name.casefold().removesuffix("s")
    stems = (one, name.casefold(), one.replace("_", ""))
    usual = ["row_key", *(stem + ending for stem in stems for ending in ("_id", "_no", "_number", "_key")), "id", "record_id"]
    yield from (folded[each] for each in usual if each in folded)
    if (own_id := own_id_of(name)) is not None:
        yield from named_for(columns, own_id)


def _contact_keys(columns: Sequence[str], folded: Mapping[str, str]) -> Iterator[str]:
    """Columns that usually say whose row it is, in the same way."""
    yield from (folded[usual] for usual in CONTACT_KEYS if usual in folded)
    for ours in ("customer_no", "phone", "email"):
        yield from named_for(columns, ours)


def _reference_of(contact_key: str) -> str:
    """What the values of the column are."""
    usual = usual_name(contact_key)
    if usual == "contact_id":
        return "contact"
    by_word = next((ours for ours in ("phone", "email") if named_for([contact_key], ours)), "key")
    return _BY_VALUE.get(usual, by_word)


def _name_source(writing: Writing, plan: Plan, source_name: str | None) -> None:
    """Whose keys these are: as was said; else as a column ``source`` says, if it names sources of the base (a deal's ``source`` is mostly
    where the lead came from); else those of the only source that there is."""
    column = next((column for column in plan.columns if column.casefold() == "source"), None)
    named: set[str] = set()
    if source_name is None and column is not None:
        named = {row[0] for row in writing.transaction.rows(f"SELECT DISTINCT {cell(plan, column)} FROM temp.staged")} - {None}
        known = set(known_sources(writing.transaction))
        if named & known or not known:
            plan.source_column = column
            if unknown := sorted(named - known):
                writing.run.warnings.append(_unknown_source(plan, unknown, known))
    plan.source_name = source_name or plan.table
    if source_name is None and plan.source_column is None and plan.reference == "key":
        plan.source_name = _only_source(writing.transaction, sorted(named))
    elif source_name is not None and plan.reference == "key" and source_name not in (there := known_sources(writing.transaction)):
        writing.run.warnings.append(_unknown_source(plan, [source_name], there))


def _unknown_source(plan: Plan, named: Sequence[str], known: Iterable[str]) -> str:
    told = f"; its sources are {', '.join(sorted(known)[:20])}" if known else ""
    return f"{plan.table}: the base has no contacts of the source {', '.join(named[:5])}{told}. The rows wait for them"


def known_sources(cursor: Cursor) -> list[str]:
    """The sources of a base's contacts."""
    return [row[0] for row in cursor.rows("SELECT DISTINCT source FROM records ORDER BY 1")]


def _only_source(transaction: Transaction, named: Sequence[str]) -> str:
    """The source of all contacts where there is but one; ``named`` are what a column says instead."""
    known = known_sources(transaction)
    if len(known) == 1:
        return known[0]
    told = f" (the base has {', '.join(known[:20])})" if known else ""
    if named:
        told += f"; the column 'source' names {', '.join(named[:5])}, of which the base has no contacts: import those first if these are sources"
    raise ConfigError(f"say with source_name=... which source's keys these are{told}")


def _stage(writing: Writing, plan: Plan, sources: list[Source], progress: Progress | None) -> None:
    """All rows of the input as text in a temporary table."""
    transaction = writing.transaction
    payload = ", ".join(f"{quoted(plan.physical[column])} VARCHAR" for column in plan.columns)
    transaction.execute(f"CREATE OR REPLACE TEMP TABLE staged (_file VARCHAR, _row BIGINT, {payload})")
    n_rows = 0
    for source in sources:
        names = ["_file", "_row", *(plan.physical[column] for column in source.columns)]
        for batch, rows in source.batches():
            rows = pa.array(rows).cast(pa.int64())
            arrays = [pa.repeat(pa.scalar(source.name), len(batch)), rows, *batch.columns]
            with transaction.known(_batch=pa.table(arrays, names)):
                listed = ", ".join(quoted(column) for column in names)
                transaction.execute(f"INSERT INTO temp.staged ({listed}) SELECT {listed} FROM _batch")
            n_rows += len(batch)
            if progress is not None:
                progress("reading", n_rows, 0)


def _keep_out(writing: Writing, plan: Plan) -> int:
    """Takes the rows out that refer to people who were erased; says how many these were."""
    transaction = writing.transaction
    suppression = Suppression(writing)
    if not suppression.is_needed or plan.contact_key is None:
        return 0
    before = int(transaction.value("SELECT count(*) FROM temp.staged"))
    for key in (plan.contact_key, plan.other_key):
        if key is not None:
            _keep_out_by(transaction, plan, suppression, key)
    return before - int(transaction.value("SELECT count(*) FROM temp.staged"))


def _keep_out_by(transaction: Transaction, plan: Plan, suppression: Suppression, key: str) -> None:
    source, value = _source_cell(plan), cell(plan, key)
    pairs = transaction.table(f"SELECT DISTINCT {source} AS source, {value} AS value FROM temp.staged WHERE {value} IS NOT NULL")
    batch = pa.record_batch([flat(pairs["value"])], ["value"])
    keys = batch.column(0) if plan.reference == "key" else pa.nulls(len(batch), pa.string())
    role = plan.reference if plan.reference in IDENTIFYING else None
    kept = suppression.kept(batch, [("value", role)], flat(pairs["source"]), keys)
    with transaction.known(_erased=pairs.filter(pc.invert(kept))):
        transaction.execute(f"DELETE FROM temp.staged WHERE ({source}, {value}) IN (SELECT (source, value) FROM _erased)")


def _source_cell(plan: Plan) -> str:
    """Whose key a staged row has."""
    return f"coalesce({cell(plan, plan.source_column)}, {literal(plan.source_name)})" if plan.source_column else literal(plan.source_name)


def _refer(writing: Writing, plan: Plan) -> None:
    """``keyed``: the staged rows with their identity, and whom they are about."""
    transaction = writing.transaction
    content = ", ".join(
        f"CASE WHEN {quoted(plan.physical[column])} <> '' THEN {literal(column)} || chr(30) || {quoted(plan.physical[column])} END"
        for column in sorted(plan.columns)
    )
    key = cell(plan, plan.row_key) if plan.row_key else "NULL::VARCHAR"
    reference = cell(plan, plan.contact_key) if plan.contact_key else "NULL::VARCHAR"
    other = cell(plan, plan.other_key) if plan.other_key else "NULL::VARCHAR"
    transaction.execute(f"""
        CREATE OR REPLACE TEMP TABLE hashed AS
        SELECT *, {_source_cell(plan)} AS _row_source, {key} AS _key, {reference} AS _reference, {other} AS _other,
               (md5_number_upper(concat_ws(chr(31), {content})) >> 1)::BIGINT AS _content_hash
        FROM temp.staged
    """)
    # Rows of one key and other content are kept beside each other; the same row twice is there once if it has a key. Without a key two
    # equal rows are two: a client may well call twice in a minute.
    transaction.execute("""
        CREATE OR REPLACE TEMP TABLE keyed AS
        SELECT *, (md5_number_upper(concat_ws(chr(31), 'row', _row_source, _row_key, _occurrence)) >> 1)::BIGINT AS _row_id
        FROM (SELECT *, coalesce(_key, 'content ' || _content_hash) AS _row_key,
                     row_number() OVER (PARTITION BY _row_source, _key, _content_hash ORDER BY _file, _row) AS _nth,
                     CASE WHEN _key IS NULL THEN row_number() OVER (PARTITION BY _row_source, _key, _content_hash ORDER BY _file, _row)
                          ELSE dense_rank() OVER (PARTITION BY _row_source, _key ORDER BY _content_hash) END::INTEGER - 1 AS _occurrence
              FROM temp.hashed)
    """)
    pairs = transaction.table("""
        SELECT DISTINCT _row_source AS source, value FROM (SELECT _row_source, unnest([_reference, _other]) AS value FROM temp.keyed)
        WHERE value IS NOT NULL""")
    transaction.execute("CREATE OR REPLACE TEMP TABLE referred (source VARCHAR, value VARCHAR, record_id BIGINT, ref_value VARCHAR)")
    if pairs.num_rows == 0:
        return
    n = pairs.num_rows
    if plan.reference == "key":
        keys = pairs["value"]
        if usual_name(plan.contact_key or "").split("_")[-1] == "ids":
            # `Associated Contact IDs` lists several, the main one first.
            keys = pc.utf8_trim_whitespace(pc.replace_substring_regex(keys, ";.*$", ""))
        record_ids, values = record_ids_of_keys(pairs["source"], keys), pa.nulls(n, pa.string())
    elif plan.reference == "contact":
        record_ids, values = record_ids_of_contacts(pairs["value"]), pa.nulls(n, pa.string())
    else:
        record_ids, values = pa.nulls(n, pa.int64()), reference_values(writing.base, str(plan.reference), pairs["value"])
    table = pa.table({"source": pairs["source"], "value": pairs["value"], "record_id": record_ids, "ref_value": values})
    with transaction.known(_referred=table):
        transaction.execute("INSERT INTO temp.referred SELECT * FROM _referred")


def _apply(writing: Writing, plan: Plan) -> dict[str, int]:
    """Puts new and changed rows into the table; returns the counts."""
    transaction, run_id, name = writing.transaction, writing.run_id, plan.table
    ensure_table(transaction, plan)
    table = literal(name)
    transaction.execute(f"""
        CREATE OR REPLACE TEMP TABLE known AS
        SELECT t._row_id, t._content_hash, s.id IS NULL AS is_current
        FROM {stored(name)} t LEFT JOIN superseded s ON s.table_name = {table} AND s.id = t._row_id AND s.content_hash = t._content_hash
        WHERE t._row_id IN (SELECT _row_id FROM temp.keyed)
    """)
    transaction.execute("""
        CREATE OR REPLACE TEMP TABLE judged AS
        SELECT k.*, CASE WHEN k._key IS NOT NULL AND k._nth > 1 THEN 'duplicate'
                         WHEN same.is_current THEN 'unchanged' WHEN same._row_id IS NOT NULL THEN 'restored'
                         WHEN other._row_id IS NOT NULL THEN 'updated' ELSE 'new' END AS _status
        FROM temp.keyed k
        LEFT JOIN temp.known same ON same._row_id = k._row_id AND same._content_hash = k._content_hash
        LEFT JOIN (SELECT DISTINCT _row_id FROM temp.known) other ON other._row_id = k._row_id
    """)
    payload = ", ".join(quoted(plan.physical[column]) for column in plan.columns)
    of_row = ", ".join(f"j.{quoted(plan.physical[column])}" for column in plan.columns)
    system = ", ".join(quoted(f"_{column}") for column in RELATED_COLUMNS.names)
    other, of_other, join = ("", "", "")
    if plan.other_key is not None:
        other, of_other = f"{OTHER_RECORD}, ", "o.record_id, "
        join = "LEFT JOIN temp.referred o ON o.source = j._row_source AND o.value = j._other"
    transaction.execute(f"""
        INSERT INTO {stored(name)} ({system}, {other}{payload})
        SELECT j._row_id, j._content_hash, {run_id}, j._row_source, j._row_key, j._occurrence, r.record_id,
               {"NULL" if plan.reference is None else literal(plan.reference)}, r.ref_value, j._file, j._row, {of_other}{of_row}
        FROM temp.judged j LEFT JOIN temp.referred r ON r.source = j._row_source AND r.value = j._reference {join}
        WHERE j._status IN ('new', 'updated')
    """)
    transaction.execute(
        f"INSERT INTO sightings SELECT {table}, _row_id, _content_hash, {run_id}, NULL, _file, _row FROM temp.judged "
        "WHERE _status IN ('unchanged', 'restored')"
    )
    transaction.execute(f"""
        INSERT INTO superseded SELECT {table}, k._row_id, k._content_hash FROM temp.known k
        WHERE k.is_current AND k._row_id IN (SELECT _row_id FROM temp.judged WHERE _status IN ('updated', 'restored'))
    """)
    transaction.execute(f"""
        DELETE FROM superseded WHERE table_name = {table} AND (id, content_hash) IN
            (SELECT (_row_id, _content_hash) FROM temp.judged WHERE _status = 'restored')
    """)
    remember_columns(writing, plan)
    found = dict(transaction.rows("SELECT _status, count(*) FROM temp.judged GROUP BY 1"))
    return {
        "staged": sum(found.values()),
        "new": found.get("new", 0),
        "updated": found.get("updated", 0) + found.get("restored", 0),
        "unchanged": found.get("unchanged", 0),
        "duplicates": found.get("duplicate", 0),
        "clashes": int(transaction.value("SELECT count(*) FROM temp.judged WHERE _key IS NOT NULL AND _occurrence > 0 AND _nth = 1")),
        "without_reference": int(transaction.value("SELECT count(*) FROM temp.judged WHERE _reference IS NULL AND _status <> 'duplicate'")),
        "orphans": int(
            transaction.value(
                f"SELECT count(*) FROM ({resolved_rows(transaction, name)}) WHERE _contact_id IS NULL "
                "AND _row_id IN (SELECT _row_id FROM temp.judged WHERE _reference IS NOT NULL)"
            )
        ),
    }


def _warn(writing: Writing, plan: Plan) -> None:
    counts, run = writing.run.counts, writing.run
    if plan.contact_key is None and table_of(plan.table) not in WITHOUT_CONTACTS:
        perhaps = nouns_for(plan.columns, "customer_no")
        hint = f" (perhaps '{perhaps[0]}', if it holds keys and not names)" if perhaps else ""
        run.warnings.append(f"{plan.table}: no column says whose rows these are; name it with contact_key=...{hint}")
    elif plan.contact_key is not None and counts["without_reference"]:
        run.warnings.append(
            f"{plan.table}: {counts['without_reference']:,} rows have no value in '{plan.contact_key}' and belong to nobody; they are kept"
        )
    if counts["orphans"]:
        run.warnings.append(
            f"{plan.table}: {counts['orphans']:,} rows belong to no contact yet; they are kept, and attached when it arrives"
        )
    if counts["clashes"]:
        run.warnings.append(f"{plan.table}: {counts['clashes']:,} rows share the key of another row and differ from it; all are kept")
    run.detail = {"row_key": plan.row_key, "contact_key": plan.contact_key, "reference": plan.reference}
    if plan.other_key is not None:
        run.detail["other_key"] = plan.other_key
    if plan.source_column is not None:
        run.detail["source_column"] = plan.source_column
