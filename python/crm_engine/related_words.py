"""What the columns and values of related tables are called where they are not called as we call them: the words of ``related_words.yaml``.

Names are compared without case, punctuation and the dots of ``ё``; a column that bears our own name is always the one that counts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.columns import are_mostly_times, is_text, texts
from crm_engine.yaml_tree import plain_yaml

#: The stages of the pipeline that is taken where nobody names another, and those at which a deal ends.
STAGES = ("qualification", "presentation", "proposal", "contracting", "won")
DECIDED = ("won", "lost")

#: Tables whose rows belong to a deal, an order or a campaign, or to nobody.
WITHOUT_CONTACTS = ("deal_stages", "order_lines", "payments", "products", "campaigns", "costs", "plans")

_WHO = ("phone", "email", "customer_no")
#: Which of these each table may have; ``events`` are rows of any kind.
_OF_TABLE = {
    "contacts": (*_WHO, "created_at", "owner", "channel"),
    "orders": ("order_id", *_WHO, "amount", "currency", "placed_at", "status", "product", "quantity", "owner"),
    "payments": ("order_id", "deal_id", "amount", "currency", "status", "paid_at", "due_at"),
    "deals": (
        "deal_id", *_WHO, "stage", "amount", "currency", "owner", "channel", "product", "created_at", "closed_at", "lost_reason",
        "deal_status",
    ),
    "deal_stages": ("deal_id", "stage", "entered_at"),
    "interactions": (
        *_WHO, "kind", "direction", "channel", "owner", "occurred_at", "outcome", "response_minutes", "solution_minutes", "satisfaction",
    ),
    "tasks": (*_WHO, "owner", "title", "due_at", "done_at", "is_done"),
    "notes": (*_WHO, "text", "created_at"),
    "documents": (*_WHO, "title", "created_at"),
    "campaigns": ("campaign_id", "name", "channel", "cost", "currency"),
    "campaign_contacts": ("campaign_id", *_WHO, "sent_at", "opened_at", "answered_at"),
    "costs": ("channel", "month", "amount", "currency"),
    "plans": ("period", "owner", "metric", "product", "target", "currency"),
    "events": ("customer_no", "occurred_at", "placed_at", "created_at"),
}  # fmt: skip
#: What stands for one of our columns under another name of ours, so that none is to be looked for.
_INSTEAD = {
    "customer_no": ("contact_id", "source_key"),
    "entered_at": ("changed_at", "at", "time", "created_at"),
    "placed_at": ("ordered_at", "created_at", "time"),
    "occurred_at": ("time", "ts", "timestamp", "at", "placed_at", "event_time", "created_at"),
}
#: The column that tells the rows of a table apart may be called by these alone.
_OWN_ID = {"contacts": "customer_no", "orders": "order_id", "deals": "deal_id"}
_NUMBER = ("id", "record id", "ид", "номер", "no", "nr", "number")


def plain(text: str) -> str:
    """A name without case, punctuation and the dots of ``ё``.

    >>> plain("  Кол-во, ШТ. "), plain("№ сделки"), plain("Order_Date")
    ('кол во шт', 'номер сделки', 'order date')
    """
    return " ".join(re.findall(r"\w+", text.casefold().replace("ё", "е").replace("№", " номер ").replace("_", " ")))


@functools.cache
def _read() -> dict[str, Any]:
    return plain_yaml(Path(__file__).with_suffix(".yaml").read_bytes(), "related_words.yaml")


def currency_signs() -> dict[str, str]:
    """The code of each currency by how people write it."""
    return {str(sign): code for code, signs in _read()["currencies"].items() for sign in signs}


@functools.cache
def _nouns() -> dict[str, list[str]]:
    """Words of our columns that may as well be those of names or titles."""
    return {ours: [plain(word) for word in theirs] for ours, theirs in _read()["nouns"].items()}


@functools.cache
def _words() -> tuple[dict[str, list[str]], dict[str, str], dict[str, dict[str, str]]]:
    """Words of our columns without the bare nouns; our table by word; by column, our value by word."""
    read = _read()
    columns = {ours: [plain(ours), *map(plain, theirs)] for ours, theirs in read["columns"].items()}
    tables = {plain(word): ours for ours, theirs in read["tables"].items() for word in theirs}
    values: dict[str, dict[str, str]] = {}
    for column, known in read["values"].items():
        values[column] = {plain(word): ours for ours, theirs in known.items() for word in (ours, *theirs)}
    return columns, tables, values


def table_of(name: str) -> str:
    """The table that a file of this name holds: the name itself where no table of ours is meant."""
    return _words()[1].get(plain(name), name.casefold())


def kind_of_table(name: str) -> str | None:
    """The kind that all interactions of a table of this name are.

    >>> kind_of_table("Звонки"), kind_of_table("activities")
    ('call', None)
    """
    return next((kind for kind, words in _read()["kinds_of_tables"].items() if plain(name) in words), None)


def named_for(columns: Sequence[str], ours: str) -> list[str]:
    """The columns that bear a word for one of ours, the likeliest first; bare nouns, which may be names, come without.

    >>> named_for(["Дата", "Код клиента", "Клиент"], "customer_no")
    ['Код клиента']
    """
    by_word = {plain(own): own for own in reversed(columns)}
    return [by_word[word] for word in _words()[0][ours] if word in by_word]


def nouns_for(columns: Sequence[str], ours: str) -> list[str]:
    """The columns that bear a bare noun for one of ours: its keys, or as well names.

    >>> nouns_for(["Дата", "Код клиента", "Клиент"], "customer_no")
    ['Клиент']
    """
    by_word = {plain(own): own for own in reversed(columns)}
    return [by_word[word] for word in _nouns().get(ours, []) if word in by_word]


def own_id_of(name: str) -> str | None:
    """Which of our columns tells the rows of a related table apart, whatever the table is called.

    >>> own_id_of("Сделки"), own_id_of("orders"), own_id_of("payments")
    ('deal_id', 'order_id', None)
    """
    table = table_of(name)
    return _OWN_ID.get(table) if table != "contacts" else None


def known_columns(table: pa.Table, name: str, are_keys: Callable[[pa.ChunkedArray], bool] | None = None) -> dict[str, str]:
    """Our columns that the table ``name`` has under other names: ours -> its own. ``are_keys`` tells whether values that may be names are
    keys of contacts.

    >>> deals = pa.table({"№ сделки": ["7"], "Стадия": ["won"], "amount": ["5"], "Создана": ["да"]})
    >>> known_columns(deals, "deals")
    {'deal_id': '№ сделки', 'stage': 'Стадия'}
    """
    found: dict[str, str] = {}
    headers = _Headers(table, name)
    for column in _OF_TABLE.get(name, ()):
        if headers.has_itself(column):
            continue
        names = [own for own in headers.candidates(column) if own not in found.values()]
        # What may be a name says whose a row is only where nothing else does, or where contacts are known to be called so.
        is_open = column != "customer_no" or not any(who in found or who in headers.names for who in ("phone", "email"))
        nouns = [own for own in headers.nouns(column) if is_open or (are_keys is not None and are_keys(headers.values(own)))]
        match = next((own for own in [*names, *nouns] if headers.may_be(column, own)), None)
        # Contacts are known by their ``id`` without being told so.
        if match is not None and (name, match) != ("contacts", "id"):
            found[column] = match
    return found


class _Headers:
    """The columns of one table by their words."""

    def __init__(self, table: pa.Table, name: str) -> None:
        self._table, self._own_id = table, _OWN_ID.get(name)
        self.names: list[str] = table.column_names
        self._by_word: dict[str, str] = {}
        for own in self.names:
            self._by_word.setdefault(plain(own), own)
        self._numbers = self._named(_NUMBER)

    def _named(self, words: Sequence[str]) -> list[str]:
        return [self._by_word[word] for word in words if word in self._by_word]

    def values(self, own: str) -> pa.ChunkedArray:
        return self._table.column(self.names.index(own))

    def has_itself(self, column: str) -> bool:
        """Whether there is the column under our name, or another of our names that stands for it."""
        return column in self.names or any(other in self.names and self.may_be(column, other) for other in _INSTEAD.get(column, ()))

    def candidates(self, column: str) -> list[str]:
        """The columns that bear a word for this one, the likeliest first, but for the bare nouns."""
        return self._named(_words()[0][column]) + (self._numbers if column == self._own_id else [])

    def nouns(self, column: str) -> list[str]:
        """The columns that bear a bare noun for this one."""
        return self._named(_nouns().get(column, []))

    def may_be(self, column: str, own: str) -> bool:
        """Whether the values allow it: times are times, and what tells rows apart does not repeat where a number does it."""
        if column.endswith("_at"):
            return are_mostly_times(_dated(self.values(own)))
        if column == "is_done":
            # A status says it too, where one of its values is known.
            return bool(pc.any(pc.is_in(_plain_texts(self.values(own)), value_set=pa.array(list(_words()[2]["is_done"])))).as_py())
        if column == "deal_status":
            # Where it tells of something else the stage is all that is known.
            known = pc.is_in(_plain_texts(self.values(own)), value_set=pa.array(list(_words()[2]["deal_status"])))
            return len(known) > 0 and bool(pc.all(known).as_py())
        if column == self._own_id and self._numbers and own not in self._numbers:
            return bool(pc.count_distinct(self.values(own), mode="all").as_py() == len(self._table))
        return True


def _plain_texts(values: pa.ChunkedArray) -> pa.Array:
    return pa.array([plain(value) for value in pc.unique(texts(values)).to_pylist() if value is not None], pa.string())


def _dated(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of dates without the words that say that there is none."""
    if not is_text(values.type):
        return values
    undated = {plain(word) for word in _read()["undated"]} | {""}
    said = [value for value in pc.unique(values).to_pylist() if value is not None and plain(value) in undated]
    return pc.if_else(pc.is_in(values, value_set=pa.array(said, values.type)), pa.scalar(None, values.type), values) if said else values


def deal_outcomes(deals: pa.Table) -> np.ndarray | None:
    """``won`` or ``lost`` of each deal as a column beside its stage says it, ``open`` or none otherwise; nothing without such a column.

    Some systems keep a won deal at the stage where it was won.
    """
    if "deal_status" not in deals.column_names:
        return None
    return words_of(texts(deals["deal_status"]).to_numpy(zero_copy_only=False), "deal_status")


#: Where a column's metadata keep the name that the file has for it.
_OWN_NAME = b"own name"


def with_columns(table: pa.Table, found: Mapping[str, str]) -> pa.Table:
    """The table with our names beside those that it has for the same columns."""
    for column, own in found.items():
        values = table.column(table.column_names.index(own))
        if column.endswith("_at"):
            values = _dated(values)
        table = table.append_column(pa.field(column, values.type, metadata={_OWN_NAME: own.encode()}), values)
    return table


def own_name(table: pa.Table, column: str) -> str:
    """What the file calls a column, for messages."""
    place = table.schema.get_field_index(column)
    metadata = None if place < 0 else table.schema.field(place).metadata
    return metadata[_OWN_NAME].decode() if metadata and _OWN_NAME in metadata else column


def words_of(values: np.ndarray, column: str) -> np.ndarray:
    """Texts with our word for each that is known, and all others as they are.

    >>> words_of(np.array(["Звонок", "e-mail", "fax", None], object), "kind").tolist()
    ['call', 'email', 'fax', None]
    """
    known = _words()[2][column]
    ours = {value: known.get(plain(value), value) for value in set(values.tolist()) if value is not None}
    return np.array([ours.get(value) for value in values.tolist()], object)
