"""Segments over a base: its contacts with its related tables, and memberships kept from run to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crm_engine.base.reading import related_names
from crm_engine.base.schema import TABLES
from crm_engine.errors import ConfigError
from crm_engine.related_words import known_columns, table_of, with_columns
from crm_engine.rules import RuleFile, load_rules
from crm_engine.segment import SegmentResult
from crm_engine.segment import segment as segment_tables
from crm_engine.text_columns import typed_columns
from crm_engine.told_once import dates_told_once
from crm_engine.written import check_date_order

if TYPE_CHECKING:
    from crm_engine.base.base import Base
    from crm_engine.base.runs import Writing


@dates_told_once
def segment(base: Base, rules: Any, *, today: Any, date_order: str | None, keep: bool, wait: float, **options: Any) -> SegmentResult:
    """See ``Base.segment``."""
    check_date_order(date_order)
    file = load_rules(rules)
    with base._lake.reading() as cursor:
        names = related_names(cursor)
        previous = cursor.table(f"SELECT segment, contact_id, entered_on FROM memberships WHERE {_OF_THESE}", [_names(file.segments)])

    def typed(name: str) -> pa.Table:
        return typed_columns(base.table(name).read_all(), name, date_order, are_stored=True)

    # Only tables that the rules speak of are read.
    related = {ours: _with_known_columns(typed(own), ours) for ours, own in _spoken_of(file, names).items()}
    known = previous if previous.num_rows else None
    result = segment_tables(typed("contacts"), file, related, today=today, previous=known, **options)
    if keep:
        with base._writing("segment", target=", ".join(result.segments)[:200], wait=wait) as writing:
            _keep(writing, result)
    return result


def _spoken_of(file: RuleFile, names: list[str]) -> dict[str, str]:
    """The tables that the rules speak of, with what the base calls them: the same, or as well a word for it (``заказы`` for ``orders``)."""
    found = {name: name for name in names if file.speaks_of(name)}
    taken = {name.casefold() for name in names}
    for name in names:
        ours = table_of(name)
        if ours in taken or not file.speaks_of(ours):
            continue
        if ours in found:
            raise ConfigError(
                f"the base's tables {found[ours]!r} and {name!r} may each be {ours!r}; the rules should name the one that is meant"
            )
        found[ours] = name
    return found


def _with_known_columns(table: pa.Table, name: str) -> pa.Table:
    """The table with our columns beside those that it has under other names, as funnels and analyses read it."""
    return with_columns(table, known_columns(table, table_of(name)))


#: A base knows a segment by its name, whichever rules file defines it and whatever else stands there.
_OF_THESE = "segment IN (SELECT unnest(?))"


def _keep(writing: Writing, result: SegmentResult) -> None:
    """Puts the members of these segments in the place of those that were kept; other segments stay as they are."""
    writing.transaction.execute(f"DELETE FROM memberships WHERE {_OF_THESE}", [result.segments])
    schema = TABLES["memberships"]
    # One that nobody is in has a row without a contact: it was looked at, and whoever is in it next has entered.
    empty = [{"segment": name} for name, count in result.counts.items() if not count]
    writing.transaction.insert("memberships", pa.concat_tables([result.memberships.cast(schema), pa.Table.from_pylist(empty, schema)]))
    writing.run.counts = {"segments": dict(result.counts), "entered": result.entered.num_rows, "left": result.left.num_rows}


def _names(segments: list[dict[str, Any]]) -> list[str]:
    return [str(segment["name"]) for segment in segments]
