"""The related tables of a base or a folder, as columns of numbers: contacts, times in seconds, money in its smallest unit."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.amounts import money, numbers
from crm_engine.analyses.figures import DAY, NEVER
from crm_engine.analyses.table_sources import TableSources
from crm_engine.columns import codes, column, first_column, ids, load_table, local, months, texts, times
from crm_engine.config import nearest
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.related_words import (
    DECIDED,
    STAGES,
    WITHOUT_CONTACTS,
    deal_outcomes,
    kind_of_table,
    known_columns,
    own_name,
    table_of,
    with_columns,
    words_of,
)
from crm_engine.written import check_date_order
from crm_engine.written_currencies import currencies, without_currencies

#: Amounts are summed as cents in 64 bits.
_MOST_MONEY = Decimal(10) ** 15
#: The column that tells the rows of a table apart.
_OWN_IDS = {
    "orders": "order_id", "payments": "payment_id", "deals": "deal_id", "interactions": "interaction_id", "tasks": "task_id", "notes": "note_id",
    "documents": "document_id", "campaigns": "campaign_id",
}  # fmt: skip


class Related:
    """Tables by name, from a folder of files or a mapping; contacts are numbered alike in all of them."""

    def __init__(
        self,
        tables: Any,
        today: dt.date | dt.datetime | None = None,
        timezone: str | None = None,
        date_order: str | None = None,
        *,
        won: Sequence[str] = (),
        lost: Sequence[str] = (),
    ) -> None:
        self.timezone, self.date_order = timezone, check_date_order(date_order)
        self._sources = TableSources(tables)
        self.where = self._sources.where
        self.contact_names: dict[str, int] = {}
        self._rows: dict[str, Rows | None] = {}
        self._owners_of: dict[str, tuple[pa.Array, pa.Array]] = {}
        #: What the stages are called at which a deal is won or lost, beside the words that are known.
        self.outcomes = {**dict.fromkeys(won, "won"), **dict.fromkeys(lost, "lost")}
        #: Our columns that tables have under other names: table -> ours -> its own.
        self.read_as: dict[str, dict[str, str]] = {}
        self._notes: list[str] = []
        self._stages: set[str] = set()
        #: Of each table whose contacts were asked for: rows that name no contact, and rows whose contact is not among the contacts.
        self.unmatched: dict[str, tuple[int, int]] = {}
        self._today = today

    @property
    def today(self) -> dt.date:
        """The day that is taken for today: the one given, or the last day of anything that has happened."""
        if self._today is None:
            last = [
                int(values.max())
                for name, columns in (("orders", "placed_at"), ("interactions", "occurred_at"), ("deals", "created_at"))
                if (rows := self.find(name)) is not None
                and columns in rows.table.column_names
                and len(values := rows.time(columns)[rows.time(columns) != NEVER])
            ]
            last += self._last_decision()
            self._today = dt.date(1970, 1, 1) + dt.timedelta(days=max(last) // DAY) if last else dt.date.today()
        return self._today.date() if isinstance(self._today, dt.datetime) else self._today

    def _last_decision(self) -> list[int]:
        """When the last deal was won or lost; until then the day on which a deal closes is what somebody hopes for."""
        deals = self.find("deals")
        if deals is None or not (deals.has("closed_at") and deals.has("stage")):
            return []
        with contextlib.suppress(SchemaError):
            closed = deals.time("closed_at")
            closed = closed[np.isin(deals.word("stage"), DECIDED) & (closed != NEVER)]
            return [int(closed.max())] if len(closed) else []
        return []

    @property
    def now(self) -> int:
        """The end of today, in seconds."""
        return ((self.today - dt.date(1970, 1, 1)).days + 1) * DAY

    def find(self, name: str) -> Rows | None:
        """A table, or nothing."""
        if name not in self._rows:
            source = self._sources.get(name)
            self._rows[name] = None if source is None else self._open(load_table(source, name), name)
        return self._rows[name]

    def _open(self, table: pa.Table, name: str) -> Rows:
        if other_names := known_columns(table, table_of(name), _tell_apart if name == "contacts" else self._are_contacts):
            self.read_as[name] = other_names
        table = with_columns(table, other_names)
        kind = kind_of_table(str(self._sources.called(name))) if name == "interactions" and "kind" not in table.column_names else None
        rows = Rows(self, name, table if kind is None else table.append_column("kind", pa.array([kind] * len(table), pa.string())))
        self._note_repeats(rows)
        return rows

    def _are_contacts(self, values: pa.ChunkedArray) -> bool:
        """Whether some of these are keys of contacts."""
        contacts = self.find("contacts")
        key = None if contacts is None else contacts.bare_key()
        return key is not None and bool(pc.any(pc.is_in(ids(values).drop_null(), value_set=pc.unique(key))).as_py())

    def of_contact(self, name: str, contact: str, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The rows of a table whose ``contact_id`` is this, of these columns as far as they are there; none without such a table."""
        source = self._sources.get(name, None if columns is None else ["contact_id", *columns])
        if source is None:
            return []
        rows = load_table(source, name)
        if "contact_id" not in rows.column_names:
            return []
        wanted = [column for column in rows.column_names if columns is None or column in columns]
        return list(rows.filter(pc.equal(ids(rows["contact_id"]), contact)).select(wanted).to_pylist())

    def tell(self, summary: dict[str, Any]) -> None:
        """Adds to a summary what a user should know of the tables: warnings, and which columns were read as ours."""
        if self.warnings:
            summary["warnings"] = [*summary.get("warnings", []), *self.warnings]
        if self.read_as:
            summary["read_as"] = self.read_as

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the tables that were read."""
        return [*self._sources.warnings, *self._notes, *self._stages_told(), *self._unmatched_told()]

    def _note_repeats(self, rows: Rows) -> None:
        """Rows that come twice are summed twice; which of them is meant only their owner knows."""
        own_id = _OWN_IDS.get(rows.name)
        if own_id is None or not rows.has(own_id):
            return
        given = ids(rows.table[own_id]).drop_null()
        repeated = len(given) - pc.count_distinct(given).as_py()
        if repeated:
            self._notes.append(
                f"{rows.name}: {repeated} rows repeat a {own_name(rows.table, own_id)!r} that comes before; each row counts, so remove those that are there twice"
            )

    def note_stages(self, stages: set[str]) -> None:
        """Remembers the stages of deals and of their history."""
        self._stages |= stages

    def _stages_told(self) -> list[str]:
        """A warning where no deal is known to be won or lost, because the stages are called otherwise."""
        strange = sorted(self._stages - set(STAGES))
        if not strange or not self._stages.isdisjoint(DECIDED):
            return []
        listed = ", ".join(strange[:5]) + (", ..." if len(strange) > 5 else "")
        return [f"deals: none of the stages ({listed}) is known to be won or lost; say which are with won=... and lost=..."]

    def note_contacts(self, rows: Rows, numbers_: np.ndarray) -> None:
        """Remembers which rows have no contact. A base has looked for each row's contact; elsewhere the table of contacts, if there is one,
        tells which are unknown."""
        if rows.name == "contacts" or rows.name in WITHOUT_CONTACTS:
            return
        contacts = None if self._sources.is_base else self.find("contacts")
        known = None if contacts is None or contacts.own_key() is None else contacts.contact
        unknown = 0 if known is None else int((~np.isin(numbers_, known) & (numbers_ >= 0)).sum())
        self.unmatched[rows.name] = (int((numbers_ < 0).sum()), unknown)

    def _unmatched_told(self) -> list[str]:
        """One warning of all rows that have no match among the contacts."""
        parts = []
        nobodys = "have none in the base, and are nobody's yet" if self._sources.is_base else "name no contact, and are nobody's"
        for place, what in enumerate((nobodys, "name a contact that is not in the table contacts, who counts all the same")):
            counts = {name: found[place] for name, found in self.unmatched.items() if found[place]}
            if counts:
                parts.append(f"{', '.join(f'{n:,} of {name}' for name, n in counts.items())} {what}")
        total = sum(sum(found) for found in self.unmatched.values())
        rows = "1 row has" if total == 1 else f"{total:,} rows have"
        return [f"{rows} no match among the contacts: {'; '.join(parts)}"] if parts else []

    def need(self, *names: str) -> Rows:
        """The first of these tables that is there."""
        for name in names:
            rows = self.find(name)
            if rows is not None:
                return rows
        raise self.missing(names, "this analysis rests on")

    def missing(self, names: Sequence[str], what_for: str) -> ConfigError:
        """What to raise where none of these tables is there."""
        told = " or ".join(repr(name) for name in names)
        near = next((found for name in names if (found := nearest(name, self._sources.names()))), "")
        return ConfigError(f"{self.where}: there is no table {told}, which {what_for}{near}")

    def number(self, keys: pa.ChunkedArray) -> np.ndarray:
        """Contacts as numbers, -1 for none; the same key has the same number in all tables."""
        encoded = keys.dictionary_encode().unify_dictionaries()
        if encoded.num_chunks == 0:
            return np.zeros(0, np.int64)
        known = self.contact_names
        of_value = np.array(
            [known.setdefault(value, len(known)) if value is not None else -1 for value in encoded.chunk(0).dictionary.to_pylist()] + [-1],
            np.int64,
        )
        parts = [of_value[chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy()] for chunk in encoded.chunks]
        return np.concatenate(parts)

    def whose(self, points: pa.ChunkedArray, role: str) -> pa.ChunkedArray:
        """For each phone or e-mail the key of the contact that alone has it, or itself."""
        if role not in self._owners_of:
            self._owners_of[role] = self._find_owners(role)
        known, keys = self._owners_of[role]
        if not len(known):
            return points
        return pc.coalesce(pa.chunked_array([keys]).take(pc.index_in(points, value_set=known)), points)

    def _find_owners(self, role: str) -> tuple[pa.Array, pa.Array]:
        """Phones or e-mails of the contacts that only one of them has, and the keys of these."""
        nobody = pa.array([], pa.string())
        contacts = self.find("contacts")
        if contacts is None or not contacts.has(role) or (key := contacts.own_key()) is None:
            return nobody, nobody
        pairs = pa.table({"point": contact_points(contacts.table[role], role), "key": key})
        pairs = pairs.group_by("point").aggregate([("key", "count_distinct"), ("key", "min")])
        pairs = pairs.filter(pc.and_(pc.is_valid(pairs["point"]), pc.equal(pairs["key_count_distinct"], 1)))
        return pairs["point"].combine_chunks(), pairs["key_min"].combine_chunks()

    def names(self, contacts: np.ndarray) -> pa.Array:
        """The keys of numbered contacts; -1 is none."""
        return pa.array(list(self.contact_names), pa.string()).take(pa.array(contacts, mask=contacts < 0))


class Rows:
    """One table with typed access to its columns."""

    def __init__(self, related: Related, name: str, table: pa.Table) -> None:
        self.related, self.name, self.table = related, name, table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.table.column_names

    @functools.cached_property
    def contact(self) -> np.ndarray:
        """The contact of each row: ``contact_id``, or the source's own key; where a row has nothing else, whoever alone has its phone or
        e-mail in the table of contacts, or else the phone or e-mail itself, however it is written."""
        key = self.own_key()
        for role in ("phone", "email"):
            if role in self.table.column_names:
                points = contact_points(self.table[role], role)
                if self.name != "contacts":
                    points = self.related.whose(points, role)
                key = points if key is None else pc.coalesce(key, points)
        if key is None:
            raise SchemaError(
                f"{self.name} does not say which contact a row belongs to: it has no column contact_id, customer_no, phone or email"
            )
        numbers_ = self.related.number(key if isinstance(key, pa.ChunkedArray) else pa.chunked_array([key]))
        self.related.note_contacts(self, numbers_)
        return numbers_

    def own_key(self) -> pa.ChunkedArray | None:
        """The contact's id or its source's key, with the source before it; nothing without such a column."""
        key = self.bare_key()
        if key is None or self.has("contact_id") or not self.has("source"):
            return key
        return pc.binary_join_element_wise(texts(self.table["source"]), key, ":")

    def bare_key(self) -> pa.ChunkedArray | None:
        """The contact's id or its source's key; nothing without such a column."""
        usual = ("contact_id", "customer_no", "source_key", *(("id",) if self.name == "contacts" else ()))
        name = next((name for name in usual if self.has(name)), None)
        return None if name is None else ids(self.table[name])

    def time(self, name: str) -> np.ndarray:
        """Seconds on the local clock, ``NEVER`` for none."""
        return self._cached("time", name, self._time)

    def _told(self, name: str) -> tuple[pa.ChunkedArray, str, str]:
        """A column, and what the file and the table call it in messages."""
        return column(self.table, name, self.name), own_name(self.table, name), self.name

    def _time(self, name: str) -> np.ndarray:
        values = (
            local(times(*self._told(name), order=self.related.date_order), self.related.timezone)
            .cast(pa.timestamp("s"), safe=False)
            .cast(pa.int64())
        )
        return np.asarray(values.fill_null(NEVER).to_numpy())

    def first_time(self, *names: str) -> np.ndarray:
        """In each row the first of these columns that has a time; one of them must be there. The others are read only where that one says
        nothing, and what is no column of times then means something else."""
        first = first_column(self.table, names, self.name, None)
        found = self.time(first)
        for other in names[names.index(first) + 1 :]:
            if self.has(other) and (found == NEVER).any():
                with contextlib.suppress(SchemaError):
                    found = np.where(found == NEVER, self.time(other), found)
        return found

    def open_tasks(self) -> np.ndarray:
        """Which tasks are not done: those that no time says of, nor a yes or a status."""
        found = self.time("done_at") == NEVER if self.has("done_at") else np.ones(len(self), bool)
        return found & (self.word("is_done") != "yes") if self.has("is_done") else found

    def money(self, name: str = "amount") -> np.ndarray:
        """Cents; none is 0."""
        return self._cached("money", name, self._money)

    def _money(self, name: str) -> np.ndarray:
        own = own_name(self.table, name)
        values = money(self._amounts(name)[0], own, self.name)
        if values.type.scale > 2:
            values = pc.round(values, 2)
        size = pc.abs(values)
        if len(values) and (pc.max(size).as_py() or 0) >= _MOST_MONEY:
            row = pc.index(pc.greater_equal(pc.fill_null(size, Decimal(0)), pa.scalar(_MOST_MONEY, size.type)), True).as_py()
            raise SchemaError(
                f"{self.name}: row {row + 1} of column {own!r} is an amount of more than 15 digits before the point; check the column"
            )
        cents = (
            pc.multiply(values.cast(pa.decimal128(18, 2)), pa.scalar(Decimal(100), pa.decimal128(3, 0)))
            .cast(pa.decimal128(22, 2))
            .cast(pa.decimal128(20, 0))
            .cast(pa.int64())
        )
        return np.asarray(cents.fill_null(0).to_numpy())

    def number(self, name: str) -> np.ndarray:
        """Floating point numbers, NaN for none."""
        return self._cached("number", name, lambda n: numbers(*self._told(n)))

    def ids(self, name: str) -> np.ndarray:
        """Ids of something else than contacts, as texts."""
        return self._cached("ids", name, lambda n: ids(column(self.table, n, self.name)).to_numpy(zero_copy_only=False))

    def text(self, name: str, missing: str | None = None) -> np.ndarray:
        """Texts as objects."""
        return self._cached(f"text or {missing}", name, lambda n: self._text(n, missing))

    def _text(self, name: str, missing: str | None) -> np.ndarray:
        number, values = codes(column(self.table, name, self.name))
        return np.asarray(np.array([*values.cast(pa.string()).to_pylist(), missing], object)[number])

    def word(self, name: str, missing: str | None = None) -> np.ndarray:
        """Texts with our word for what is called otherwise (``won``, ``call``, ``cancelled``, ...); all others as they are."""
        return self._cached(f"word or {missing}", name, lambda n: self._word(n, missing))

    def _word(self, name: str, missing: str | None) -> np.ndarray:
        values = self.text(name, missing)
        if name != "stage":
            return words_of(values, name)
        outcomes = self.related.outcomes
        found = words_of(np.array([outcomes.get(value, value) for value in values.tolist()], object), name)
        if (told := deal_outcomes(self.table)) is not None:
            found = np.where(np.isin(told, DECIDED), told, found)
        self.related.note_stages(set(found.tolist()) - {None, missing})
        return found

    def currency(self, of: str = "amount") -> np.ndarray:
        """The currency of each row: as its column says, or else the amounts themselves; empty where none is given."""
        said = column(self.table, "currency", self.name) if self.has("currency") else None
        found = currencies(said, self._amounts(of)[1] if self.has(of) else None, self.name)
        if found is None:
            return np.full(len(self), "", object)
        return np.asarray(pc.fill_null(found, "").to_numpy(zero_copy_only=False), object)

    def _amounts(self, name: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
        return without_currencies(column(self.table, name, self.name))

    def _cached(self, kind: str, name: str, make: Any) -> np.ndarray:
        cache = self.__dict__.setdefault("_cache", {})
        if (kind, name) not in cache:
            cache[kind, name] = make(name)
        return np.asarray(cache[kind, name])


def _tell_apart(values: pa.ChunkedArray) -> bool:
    """Whether each of these values comes once."""
    return bool(pc.count_distinct(values, mode="all").as_py() == len(values))


def contact_points(values: Any, role: str) -> pa.ChunkedArray:
    """Phones or e-mails in one spelling; what is none of these stays as it is, and a list stands for its first."""
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        values = _first_of(values)
    values = texts(values).combine_chunks()
    places, points = _core.contact_points(values, role, None)
    found = np.full(len(values), None, object)
    found[np.asarray(places)] = points.to_numpy(zero_copy_only=False)
    return pa.chunked_array([pc.coalesce(pa.array(found, pa.string()), values)])


def _first_of(lists: pa.ChunkedArray) -> pa.Array:
    return pa.array([each[0] if each else None for each in lists.to_pylist()], lists.type.value_type)


def month_numbers(rows: Rows, name: str) -> list[int | None]:
    """A column of months, or of any day of them, as months since 1970."""
    first_days = months(column(rows.table, name, rows.name), own_name(rows.table, name), rows.name, order=rows.related.date_order)
    return [None if day is None else (day.year - 1970) * 12 + day.month - 1 for day in first_days.to_pylist()]
