"""What the columns and values of related tables are called where they are not called as we call them: the words of ``related_words.yaml``.

Names are compared without case, punctuation and the dots of ``ё``; a column that bears our own name is always the one that counts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from crm_engine.yaml_tree import plain_yaml

#: The stages of the pipeline that is taken where nobody names another, and those at which a deal ends.
STAGES = ("qualification", "presentation", "proposal", "contracting", "won")
DECIDED = ("won", "lost")

#: Tables whose rows belong to a deal, an order or a campaign, or to nobody.
WITHOUT_CONTACTS = ("deal_stages", "order_lines", "payments", "products", "campaigns", "costs", "plans")

_WHO = ("customer_no", "phone", "email")
#: Which of these each table may have; ``events`` are rows of any kind.
_OF_TABLE = {
    "contacts": (*_WHO, "created_at", "owner", "channel"),
    "orders": ("order_id", *_WHO, "amount", "currency", "placed_at", "status", "product", "quantity", "owner"),
    "payments": ("order_id", "deal_id", "amount", "currency", "status", "paid_at", "due_at"),
    "deals": ("deal_id", *_WHO, "stage", "amount", "currency", "owner", "channel", "product", "created_at", "closed_at", "lost_reason"),
    "deal_stages": ("deal_id", "stage", "entered_at"),
    "interactions": (
        *_WHO, "kind", "direction", "channel", "owner", "occurred_at", "outcome", "response_minutes", "solution_minutes", "satisfaction",
    ),
    "tasks": (*_WHO, "owner", "title", "due_at", "done_at"),
    "notes": (*_WHO, "text", "created_at"),
    "documents": (*_WHO, "title", "created_at"),
    "campaigns": ("campaign_id", "name", "channel", "cost", "currency"),
    "campaign_contacts": ("campaign_id", *_WHO, "sent_at", "opened_at", "answered_at"),
    "costs": ("channel", "month", "amount", "currency"),
    "plans": ("period", "owner", "metric", "product", "target", "currency"),
    "events": (*_WHO, "occurred_at", "placed_at", "created_at"),
}  # fmt: skip
#: What stands for one of our columns under another name of ours, so that none is to be looked for.
_INSTEAD = {
    "customer_no": ("contact_id", "source_key"),
    "entered_at": ("changed_at", "at", "time", "created_at"),
    "placed_at": ("ordered_at", "created_at", "time"),
    "occurred_at": ("time", "ts", "timestamp", "at", "placed_at", "event_time", "created_at"),
}
#: The column that tells the rows of a table apart may be called by these alone.
_OWN_ID = {"orders": "order_id", "deals": "deal_id"}
_NUMBER = ("id", "ид", "номер", "no", "nr", "number")


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
def _words() -> tuple[dict[str, list[str]], dict[str, str], dict[str, dict[str, str]]]:
    """Words of our columns; our table by word; by column, our value by word."""
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


def known_columns(names: Iterable[str], table: str) -> dict[str, str]:
    """Our columns that a table has under other names: ours -> its own.

    >>> known_columns(["№ сделки", "Стадия", "amount"], "deals")
    {'deal_id': '№ сделки', 'stage': 'Стадия'}
    """
    own = list(names)
    by_word: dict[str, str] = {}
    for name in own:
        by_word.setdefault(plain(name), name)
    found: dict[str, str] = {}
    for column in _OF_TABLE.get(table, ()):
        if column in own or any(other in own for other in _INSTEAD.get(column, ())):
            continue
        words = [*_words()[0][column], *(_NUMBER if _OWN_ID.get(table) == column else ())]
        match = next((by_word[word] for word in words if word in by_word), None)
        if match is not None and match not in found.values():
            found[column] = match
    return found


def with_known_columns(table: pa.Table, name: str) -> pa.Table:
    """The table with our names beside those that it has for the same columns."""
    for column, own in known_columns(table.column_names, name).items():
        table = table.append_column(column, table[own])
    return table


def words_of(values: np.ndarray, column: str) -> np.ndarray:
    """Texts with our word for each that is known, and all others as they are.

    >>> words_of(np.array(["Звонок", "e-mail", "fax", None], object), "kind").tolist()
    ['call', 'email', 'fax', None]
    """
    known = _words()[2][column]
    ours = {value: known.get(plain(value), value) for value in set(values.tolist()) if value is not None}
    return np.array([ours.get(value) for value in values.tolist()], object)
