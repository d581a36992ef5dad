"""Segments over a base: its contacts with its related tables, and memberships kept from run to run."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crm_engine.base.reading import related_names
from crm_engine.rules import load_rules
from crm_engine.segment import SegmentResult
from crm_engine.segment import segment as segment_tables

if TYPE_CHECKING:
    from crm_engine.base.base import Base


def segment(base: Base, rules: Any, *, today: Any, keep: bool, wait: float, **options: Any) -> SegmentResult:
    """See ``Base.segment``."""
    file = load_rules(rules)
    known_by = rules_name(file)
    with base._lake.reading() as cursor:
        names = related_names(cursor)
        previous = cursor.table("SELECT segment, contact_id, entered_on FROM memberships WHERE rules = ?", [known_by])
    text = json.dumps([file.features, file.segments, file.assign], ensure_ascii=False, default=str)
    # Only tables that the rules may speak of are read.
    related = {name: base.table(name) for name in names if name in text or name in file.tables}
    known = previous if previous.num_rows else None
    result = segment_tables(base.contacts(), file, related, today=today, previous=known, **options)
    if keep:
        with base._writing("segment", target=", ".join(result.segments)[:200], wait=wait) as writing:
            transaction = writing.transaction
            transaction.execute("DELETE FROM memberships WHERE rules = ?", [known_by])
            members = result.memberships
            columns = [pa.repeat(pa.scalar(known_by), len(members)), *(members[name] for name in ("segment", "contact_id", "entered_on"))]
            kinds = (pa.string(), pa.string(), pa.string(), pa.date32())
            cast = [pa.chunked_array([column]) if isinstance(column, pa.Array) else column for column in columns]
            transaction.insert(
                "memberships",
                pa.table([c.cast(k) for c, k in zip(cast, kinds, strict=True)], names=["rules", "segment", "contact_id", "entered_on"]),
            )
            writing.run.counts = {
                "segments": dict(result.counts), "entered": result.entered.num_rows, "left": result.left.num_rows,
            }  # fmt: skip
    return result


def rules_name(file: Any) -> str:
    """What memberships of these rules are kept under: the names of their segments, so that a rule may be changed and still be compared."""
    names = sorted(str(segment["name"]) for segment in file.segments)
    return hashlib.blake2b(json.dumps(names, ensure_ascii=False).encode(), digest_size=8).hexdigest()
