"""A person's word on pairs of records: kept for good, whatever is imported later, until it is taken back."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.base.deriving import derive
from crm_engine.base.runs import Run, Writing
from crm_engine.base.schema import rows_to_table
from crm_engine.config import nearest
from crm_engine.errors import ConfigError, SchemaError

if TYPE_CHECKING:
    from crm_engine.base.base import Base
    from crm_engine.base.lake import Cursor

#: ``same`` must be one contact, ``different`` must not; ``later`` asks again; ``none`` takes an earlier word back.
DECISIONS = ("same", "different", "later", "none")
#: Splitting a contact apart says a word on every pair of its records.
_MAX_PAIRS = 500_000

#: The last word on each pair.
LAST_WORDS = """
    SELECT record_id_a, record_id_b, decision, origin, run_id FROM decisions
    QUALIFY row_number() OVER (PARTITION BY record_id_a, record_id_b ORDER BY run_id DESC) = 1
"""


def decide(
    base: Base,
    pairs: Any,
    decision: str | None,
    *,
    origin: str | None,
    wait: float,
    dry_run: bool,
    kind: str = "decide",
    target: str | None = None,
) -> Run:
    """See ``Base.decide``."""
    rows, may_be_unknown = _decisions_of(pairs, decision)
    if not rows:
        raise ConfigError("no pair to decide on was given")
    with base._writing(kind, target=target, wait=wait, dry_run=dry_run) as writing:
        if not may_be_unknown:
            _require_records(writing.transaction, {record for a, b, _ in rows for record in (a, b)})
        n_changed = _say(writing, rows, origin)
        words = {word: sum(1 for row in rows if row[2] == word) for word in DECISIONS if any(row[2] == word for row in rows)}
        writing.run.counts = {"decisions": len(rows), "changed": n_changed, **words}
        writing.run.nothing_new = not n_changed
        # Where no import has come yet there is nothing to derive: the first one looks for words on the records that it brings.
        if n_changed and base._index.opened().model() is not None:
            change = base._index.opened().change(writing.run_id)
            push_words(change, [(a, b, word) for a, b, word in rows])
            writing.run.counts |= derive(writing, change).counts
    return writing.run


def push_words(change: Any, words: Sequence[tuple[int, int, str]]) -> None:
    """Tells the index; for it ``later`` is no word."""
    by_verdict: dict[str, list[tuple[int, int]]] = {}
    for a, b, word in words:
        by_verdict.setdefault(word if word in ("same", "different") else "none", []).append((a, b))
    for verdict, pairs in sorted(by_verdict.items()):
        sides = zip(*pairs, strict=True)
        change.decide(*(pa.array(side, pa.int64()) for side in sides), verdict)


def _say(writing: Writing, rows: Sequence[tuple[int, int, str]], origin: str | None) -> int:
    """Keeps the decisions; returns how many differ from the last word on their pair."""
    table = rows_to_table("decisions", [(writing.run_id, a, b, word, origin) for a, b, word in rows])
    with writing.transaction.known(_said=table):
        same = writing.transaction.value(
            f"SELECT count(*) FROM _said s JOIN ({LAST_WORDS}) l USING (record_id_a, record_id_b) WHERE l.decision = s.decision"
        )
    writing.transaction.insert("decisions", table)
    return len(rows) - int(same)


def _decisions_of(pairs: Any, decision: str | None) -> tuple[list[tuple[int, int, str]], bool]:
    """(a, b, decision) with a < b, one per pair, and whether records may be ones that have not arrived (a table of decisions may name them)."""
    if decision is not None and decision not in DECISIONS:
        raise ConfigError(f"a decision is one of {', '.join(DECISIONS)}, not '{decision}'{nearest(str(decision), DECISIONS)}")
    if hasattr(pairs, "__arrow_c_stream__") or isinstance(pairs, pa.RecordBatch):
        triples, is_table = _from_table(pa.table(pairs), decision), True
    else:
        if decision is None:
            raise ConfigError("say the decision: same, different, later or none")
        triples, is_table = [(*_record_pair(pair), decision) for pair in pairs], False
    words: dict[tuple[int, int], str] = {}
    for a, b, word in triples:
        if a == b:
            raise ConfigError(f"a decision is about two records, and both are {a}")
        words[min(a, b), max(a, b)] = word
    return [(a, b, word) for (a, b), word in words.items()], is_table


def _from_table(table: pa.Table, decision: str | None) -> list[tuple[int, int, str]]:
    names = table.column_names
    if {"record_id_a", "record_id_b"} <= set(names):
        columns = [_numbers(table[name], name) for name in ("record_id_a", "record_id_b")]
    elif {"source_a", "source_key_a", "source_b", "source_key_b"} <= set(names):
        columns = [
            pa.array(
                _core.record_ids(*(pc.cast(table[f"{part}_{side}"], pa.string()).combine_chunks() for part in ("source", "source_key")))
            )
            for side in ("a", "b")
        ]
    else:
        raise SchemaError(
            f"a table of decisions has the columns record_id_a and record_id_b, or source_a, source_key_a, source_b and source_key_b; "
            f"this one has {', '.join(names)}"
        )
    if decision is None and "decision" not in names:
        raise SchemaError("a table of decisions has a column 'decision' (same, different, later, none), or the decision is given with it")
    words = [decision] * table.num_rows if decision is not None else pc.cast(table["decision"], pa.string()).to_pylist()
    triples = []
    for row, (a, b, word) in enumerate(zip(*(column.to_pylist() for column in columns), words, strict=True), 1):
        if word is None or not word.strip():
            continue
        said = word.strip().casefold()
        if said not in DECISIONS:
            raise SchemaError(f"row {row}: a decision is one of {', '.join(DECISIONS)}")
        if a is None or b is None:
            raise SchemaError(f"row {row}: a decision names two records")
        triples.append((a, b, said))
    return triples


def _numbers(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        raise SchemaError(f"column '{name}' holds record ids, which are whole numbers") from None


def _record_pair(pair: Any) -> tuple[int, int]:
    try:
        a, b = pair
    except (TypeError, ValueError):
        raise ConfigError("a pair is two record ids, or two contact ids") from None
    return record_of(a), record_of(b)


def record_of(named: Any) -> int:
    """A record by its ``record_id``, or by the contact that it founded."""
    text = str(named).strip()
    if text.isascii() and text.isdecimal() and int(text) < 2**63:
        return int(text)
    founding: int | None = pa.array(_core.founding_records(pa.array([text])))[0].as_py()
    if founding is None:
        raise ConfigError(f"'{text}' is neither a record_id nor a contact_id")
    return founding


def _require_records(cursor: Cursor, records: set[int]) -> None:
    asked = pa.table({"record_id": pa.array(sorted(records), pa.int64())})
    with cursor.known(_asked=asked):
        missing = cursor.rows("SELECT record_id FROM _asked ANTI JOIN record_contact USING (record_id) ORDER BY 1 LIMIT 3")
    if missing:
        raise ConfigError(f"the base has no record {', '.join(str(row[0]) for row in missing)}")


def members(cursor: Cursor, contact_id: str) -> list[int]:
    """The records of a contact, or an error that says where an old id went."""
    found = [row[0] for row in cursor.rows("SELECT record_id FROM record_contact WHERE contact_id = ? ORDER BY 1", [contact_id])]
    if not found:
        founding = pa.array(_core.founding_records(pa.array([contact_id])))[0].as_py()
        survivor = cursor.value("SELECT contact_id FROM record_contact WHERE record_id = ?", [founding]) if founding is not None else None
        hint = f"; its records are now in {survivor}" if survivor else ""
        raise ConfigError(f"the base has no contact '{contact_id}'{hint}")
    return found


def split(base: Base, contact_id: str, records: Iterable[Any] | None, *, wait: float, dry_run: bool) -> Run:
    """See ``Base.split``."""
    with base._lock.held("split", wait=wait):
        with base._lake.reading() as cursor:
            whole = members(cursor, contact_id)
        pairs = _pairs_to_part(contact_id, whole, records)
        return decide(base, pairs, "different", origin="split", wait=wait, dry_run=dry_run, kind="split", target=contact_id)


def _pairs_to_part(contact_id: str, whole: list[int], records: Iterable[Any] | None) -> list[tuple[int, int]]:
    """The pairs of a contact's records of which a split says that they are different people."""
    if len(whole) < 2:
        raise ConfigError(f"contact {contact_id} has one record; there is nothing to split")
    if records is None:
        pairs = list(itertools.combinations(whole, 2)) if len(whole) ** 2 < 2 * _MAX_PAIRS else None
    else:
        apart = sorted({record_of(record) for record in records})
        strangers = [record for record in apart if record not in set(whole)]
        if strangers:
            raise ConfigError(f"record {strangers[0]} does not belong to contact {contact_id}")
        stay = [record for record in whole if record not in set(apart)]
        if not stay or not apart:
            raise ConfigError("name some of the contact's records, not none or all: they leave it together")
        pairs = list(itertools.product(apart, stay)) if len(apart) * len(stay) < _MAX_PAIRS else None
    if pairs is None:
        raise ConfigError(
            f"contact {contact_id} has {len(whole):,} records, too many to split pair by pair; undo the import that merged them"
        )
    return pairs


#: Uncertain pairs: those of different contacts that nobody has decided on, the most probable first.
def review_sql(limit: int | None) -> str:
    """The query of ``Base.review``."""
    return f"""
        SELECT e.record_id_a, e.record_id_b, a.contact_id AS contact_id_a, b.contact_id AS contact_id_b, e.match_weight, e.match_probability,
               w.decision
        FROM edges e JOIN record_contact a ON a.record_id = e.record_id_a JOIN record_contact b ON b.record_id = e.record_id_b
        LEFT JOIN ({LAST_WORDS}) w ON w.record_id_a = least(e.record_id_a, e.record_id_b) AND w.record_id_b = greatest(e.record_id_a, e.record_id_b)
        WHERE a.contact_id <> b.contact_id AND (w.decision IS NULL OR w.decision IN ('later', 'none'))
        ORDER BY e.match_weight DESC, e.record_id_a, e.record_id_b {"" if limit is None else f"LIMIT {int(limit)}"}
    """


def portable_sql() -> str:
    """The query of ``Base.decisions``."""
    return f"""
        WITH known AS (SELECT record_id, any_value(source) AS source, any_value(source_key) AS source_key FROM records GROUP BY record_id)
        SELECT w.record_id_a, w.record_id_b, w.decision, w.origin, w.run_id, a.source AS source_a, a.source_key AS source_key_a,
               b.source AS source_b, b.source_key AS source_key_b
        FROM ({LAST_WORDS}) w LEFT JOIN known a ON a.record_id = w.record_id_a LEFT JOIN known b ON b.record_id = w.record_id_b
        WHERE w.decision <> 'none' ORDER BY w.record_id_a, w.record_id_b
    """
