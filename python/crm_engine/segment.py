"""Segments: who belongs to what, by rules over contacts and everything that belongs to them.

::

    result = crm.segment("contacts.parquet", "segments.yaml", related={"orders": "orders.parquet"})
    result.counts                # {"vip": 412, ...}
    result.members               # segment, contact_id
    result.mask("vip")           # NumPy bool, in the contacts' order
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.readable import ReadableTable, contact_key, first_column
from crm_engine.rules import RuleFile, load_rules
from crm_engine.segment_passes import SegmentPasses
from crm_engine.told_once import dates_told_once
from crm_engine.written import check_date_order

Progress = Callable[[str, int, int], Any]

#: What a time column is called where nobody says, in the order in which they are tried.
_TIME_NAMES = (
    "occurred_at", "happened_at", "placed_at", "ordered_at", "paid_at", "received_at", "sent_at", "entered_at", "event_time", "time", "ts",
    "timestamp", "date", "at", "created_at",
)  # fmt: skip


@dates_told_once
def segment(
    contacts: Any,
    rules: Any,
    related: Mapping[str, Any] | None = None,
    *,
    today: datetime.date | str | None = None,
    previous: Any = None,
    key: str | None = None,
    threads: int | None = None,
    memory_limit: int | str | None = None,
    date_order: str | None = None,
    progress: Progress | None = None,
) -> SegmentResult:
    """Finds the members of every segment.

    ``contacts`` and the values of ``related`` are paths or anything that offers an Arrow stream; ``rules`` is a path, YAML text, a dict,
    or ``"builtin:NAME"``. ``today`` is what the rules mean by it: by default the rules file's own, or else the day of the run.
    ``previous`` is an earlier result or its ``memberships`` (a table or a file): then ``entered`` and ``left`` tell what changed.
    ``date_order`` (``dmy``, ``mdy``) says how dates of text files are read that can be read in two ways and whose column does not tell.
    ``key`` names the column that identifies a contact, ``contact_id`` or ``id`` by default.
    ``memory_limit`` (bytes, or ``"2.5GiB"``) bounds what the run holds beside tables that are in memory already: where all contacts with
    their features are too many, they are taken a stretch at a time, and the related tables are read once for each. The result is the same;
    ``LimitError`` says when the limit is too small for it.

    >>> import crm_engine as crm, pyarrow as pa
    >>> contacts = pa.table({"contact_id": [1, 2, 3], "city": ["Riga", "Oslo", None]})
    >>> crm.segment(contacts, {"segments": {"riga": "city = 'Riga'"}}).counts
    {'riga': 1}
    """
    file = load_rules(rules)
    if not file.segments and not file.assign:
        raise ConfigError("the rules have neither segments nor an assignment")
    day = _day(today) or file.today or datetime.date.today()
    check_date_order(date_order)
    people = ReadableTable.open(contacts, "contacts", date_order=date_order)
    key = contact_key(people.schema, key)
    tables = {name: ReadableTable.open(table, name, date_order=date_order) for name, table in (related or {}).items()}
    declared = [(name, table.schema, *_references(name, table.schema, key, file)) for name, table in tables.items()]
    limit = _core.parse_byte_size(memory_limit) if isinstance(memory_limit, str) else memory_limit
    run = _core.SegmentRun(file.spec(day), people.schema, key, declared, threads or len(os.sched_getaffinity(0)), limit)
    passes = SegmentPasses(run, people, key, tables, progress)
    passes.run()
    return SegmentResult(run, passes, file, day, _memberships_of(previous))


class SegmentResult:
    """Who belongs to which segment."""

    def __init__(
        self,
        run: _core.SegmentRun,
        passes: SegmentPasses,
        file: RuleFile,
        today: datetime.date,
        previous: pa.Table | None,
    ) -> None:
        self._run = run
        self._passes = passes
        self._previous = previous
        self.today = today
        self.titles = file.titles
        self.segments, self._assignments = run.names()
        self.contacts, counts, self.warnings = run.summary()
        #: Members of each segment, in the order of the rules.
        self.counts: dict[str, int] = dict(zip(self.segments, counts, strict=True))

    @cached_property
    def contact_ids(self) -> Any:
        """The contacts' keys, in the order of the masks."""
        arrays = [_decoded(array) for array in self._run.contact_keys()]
        return pa.chunked_array(arrays) if arrays else pa.chunked_array([], type=pa.string())

    def mask(self, name: str) -> npt.NDArray[np.bool_]:
        """Which contacts are members, in the order of the contacts."""
        mask: npt.NDArray[np.bool_] = self._mask(name).to_numpy(zero_copy_only=False)
        return mask

    def _mask(self, name: str) -> Any:
        if name not in self.counts:
            raise ConfigError(f"there is no segment '{name}'; the segments are {', '.join(self.segments[:20])}")
        return self._run.mask(self.segments.index(name))

    def of(self, name: str) -> Any:
        """The keys of one segment's members."""
        return self.contact_ids.filter(self._mask(name))

    @cached_property
    def members(self) -> pa.Table:
        """One row per membership: ``segment``, ``contact_id``, in the order of segments and contacts."""
        return pa.Table.from_batches(list(self.member_batches()), self._member_schema)

    @property
    def _member_schema(self) -> pa.Schema:
        return pa.schema([("segment", pa.dictionary(pa.int32(), pa.string())), ("contact_id", self.contact_ids.type)])

    def member_batches(self) -> Iterator[pa.RecordBatch]:
        """``members``, a segment at a time: for results larger than memory."""
        names = pa.array(self.segments, pa.string())
        for number, name in enumerate(self.segments):
            for ids in self.of(name).chunks:
                if len(ids):
                    labels = pa.DictionaryArray.from_arrays(np.full(len(ids), number, np.int32), names)
                    yield pa.record_batch([labels, ids], schema=self._member_schema)

    @cached_property
    def memberships(self) -> pa.Table:
        """``members`` with ``entered_on``, kept from ``previous`` for those who were members before; the next run's ``previous``."""
        known = self._known
        parts = []
        for name in self.segments:
            ids = self.of(name).combine_chunks()
            ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
            dates = pa.repeat(pa.scalar(self.today, pa.date32()), len(ids))
            if name in known:
                before, entered = known[name]
                places = pc.index_in(ids, before.cast(ids.type))
                dates = pc.if_else(pc.is_valid(places), entered.take(places), dates)
            labels = pa.DictionaryArray.from_arrays(
                np.full(len(ids), self.segments.index(name), np.int32), pa.array(self.segments, pa.string())
            )
            parts.append(pa.table({"segment": labels, "contact_id": ids, "entered_on": dates}))
        empty = pa.schema([*self._member_schema, ("entered_on", pa.date32())])
        return pa.concat_tables(parts) if parts else empty.empty_table()

    @cached_property
    def _known(self) -> dict[str, tuple[Any, Any]]:
        if self._previous is None:
            return {}
        table = self._previous
        names = table["segment"].cast(pa.string())
        found = {}
        for name in pc.unique(names).to_pylist():
            rows = table.filter(pc.and_(pc.equal(names, name), pc.is_valid(table["contact_id"]))).combine_chunks()
            entered = rows["entered_on"].cast(pa.date32()) if "entered_on" in rows.column_names else pa.nulls(len(rows), pa.date32())
            found[name] = (_flat(_decoded(rows["contact_id"])), _flat(entered))
        return found

    @cached_property
    def entered(self) -> pa.Table:
        """Who became a member since ``previous``: ``segment``, ``contact_id``, ``entered_on``. Without ``previous`` it is everybody."""
        rows = []
        table = self.memberships
        names = table["segment"].cast(pa.string())
        for name in self.segments:
            own = table.filter(pc.equal(names, name))
            if name in self._known:
                before = self._known[name][0].cast(own["contact_id"].type)
                own = own.filter(pc.invert(pc.is_in(own["contact_id"], before)))
            rows.append(own)
        return pa.concat_tables(rows) if rows else table

    @cached_property
    def left(self) -> pa.Table:
        """Who is no member any more: ``segment``, ``contact_id``, ``entered_on``, ``left_on``. A segment that is gone lost everybody."""
        rows = []
        for name, (before, entered) in self._known.items():
            if name in self.counts:
                gone = pc.invert(pc.is_in(before, _flat(self.of(name)).cast(before.type)))
                before, entered = before.filter(gone), entered.filter(gone)
            rows.append(
                pa.table(
                    {
                        "segment": pa.array([name] * len(before), pa.string()),
                        "contact_id": before.cast(self.contact_ids.type),
                        "entered_on": entered,
                        "left_on": pa.repeat(pa.scalar(self.today, pa.date32()), len(before)),
                    }
                )
            )
        schema = pa.schema(
            [("segment", pa.string()), ("contact_id", self.contact_ids.type), ("entered_on", pa.date32()), ("left_on", pa.date32())]
        )
        return pa.concat_tables(rows) if rows else schema.empty_table()

    @cached_property
    def assigned(self) -> pa.Table:
        """One row per contact: ``contact_id`` and a column per assignment with the name of the first choice that fits."""
        columns = {"contact_id": self.contact_ids}
        for number, (name, choices) in enumerate(self._assignments):
            numbers = self._run.assigned(number).cast(pa.int32())
            columns[name] = pa.DictionaryArray.from_arrays(numbers, pa.array(choices, pa.string()))
        return pa.table(columns)

    @property
    def wide(self) -> pa.Table:
        """One row per contact: ``contact_id`` and a boolean column per segment."""
        return pa.table({"contact_id": self.contact_ids, **{name: self._mask(name) for name in self.segments}})

    def overlap(self) -> pa.Table:
        """How many members each pair of segments shares: ``segment`` and a column per segment."""
        shared = np.asarray(self._run.overlap(), np.int64).reshape(len(self.segments), len(self.segments))
        return pa.table({"segment": self.segments, **{name: shared[:, place] for place, name in enumerate(self.segments)}})

    def explain(self, contact_id: Any) -> list[dict[str, Any]]:
        """For one contact: per segment whether it is a member, and each predicate with its value and what it looked at."""
        ids = self.contact_ids
        try:
            value = pa.scalar(contact_id).cast(ids.type) if not isinstance(contact_id, pa.Scalar) else contact_id
            place = pc.index(ids, value).as_py()
        except pa.ArrowInvalid:
            # A word where contacts have numbers, say.
            place = -1
        if place < 0:
            raise ConfigError("there is no such contact")
        found: list[dict[str, Any]] = json.loads(self._passes.explain(place))
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """Counts, for a report or a log."""
        groups: dict[str, dict[str, int]] = {}
        for name, choices in self._assignments:
            column = self.assigned[name].cast(pa.string())
            found = {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}
            groups[name] = {choice: found.get(choice, 0) for choice in choices}
        summary: dict[str, Any] = {"today": self.today.isoformat(), "contacts": self.contacts, "segments": self.counts}
        if groups:
            summary["assigned"] = groups
        if self._previous is not None:
            summary |= {"entered": _tally(self.entered, self.segments), "left": _tally(self.left, self.segments)}
        if self.warnings:
            summary["warnings"] = self.warnings
        return summary

    def __repr__(self) -> str:
        return (
            f"<SegmentResult of {self.contacts} contacts: {', '.join(f'{name} {count}' for name, count in list(self.counts.items())[:8])}>"
        )


def _tally(table: pa.Table, segments: list[str]) -> dict[str, int]:
    found = {entry["values"]: entry["counts"] for entry in pc.value_counts(table["segment"].cast(pa.string())).to_pylist()}
    return {name: found.get(name, 0) for name in segments} | {name: count for name, count in found.items() if name not in segments}


def _decoded(array: Any) -> Any:
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _flat(array: Any) -> Any:
    if isinstance(array, pa.ChunkedArray):
        return array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    return array


def _day(today: datetime.date | str | None) -> datetime.date | None:
    if isinstance(today, datetime.datetime):
        return today.date()
    if isinstance(today, str):
        try:
            return datetime.date.fromisoformat(today)
        except ValueError:
            raise ConfigError(f"'{today}' is not a date such as 2026-11-01") from None
    return today


def _references(name: str, schema: pa.Schema, key: str, file: RuleFile) -> tuple[str, str | None]:
    """The columns of a related table that refer to the contact and to time."""
    declared = file.tables.get(name, {})
    for column in declared.values():
        if column not in schema.names:
            raise SchemaError(f"'{name}' has no column '{column}', which the rules declare under tables")
    contact = declared.get("contact") or first_column(
        schema.names,
        ("contact_id", key),
        f"'{name}' has no column 'contact_id'; say which one refers to contacts: tables: {{{name}: {{contact: COLUMN}}}} in a rules file",
    )
    time = declared.get("time")
    if time is None:
        moments = [one.name for one in schema if pa.types.is_timestamp(one.type) or pa.types.is_date(one.type)]
        time = next((known for known in _TIME_NAMES if known in moments), moments[0] if len(moments) == 1 else None)
    return contact, time


def _memberships_of(previous: Any) -> pa.Table | None:
    if previous is None:
        return None
    if isinstance(previous, SegmentResult):
        return previous.memberships
    table = ReadableTable.open(previous, "previous").table()
    for column in ("segment", "contact_id"):
        if column not in table.column_names:
            raise SchemaError(f"the previous memberships have no column '{column}'")
    return table
