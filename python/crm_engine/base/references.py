"""Whom a row is about: keys of a source, ids of contacts, telephones and addresses, each in the form that the base knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core

if TYPE_CHECKING:
    from crm_engine.base.base import Base


def record_ids_of_keys(sources: pa.ChunkedArray, keys: pa.ChunkedArray) -> pa.Array:
    """The record that (source, key) names, whether or not it has arrived."""
    return pa.array(_core.record_ids(flat(sources), flat(keys)))


def record_ids_of_contacts(contact_ids: pa.ChunkedArray) -> pa.Array:
    """The founding record of each contact: it follows the contact through every merge."""
    return pa.array(_core.founding_records(flat(contact_ids)))


def reference_values(base: Base, kind: str, values: pa.ChunkedArray) -> pa.Array:
    """Telephones or e-mail addresses as golden records show them; the first where a cell holds several, as written where it is none."""
    lists = pa.array(_core.normal_values(kind, flat(values), phone_region(base)))
    first = pc.list_element(pc.if_else(pc.is_valid(lists), lists, pa.scalar([None], lists.type)), 0)
    return pc.coalesce(first, flat(values))


def phone_region(base: Base) -> str | None:
    """The country whose numbering plan national numbers follow, as the pinned model has it."""
    index = base._index.opened()
    model = index.model()
    pinned: str | None = json.loads(model).get("reading", {}).get("others", {}).get("phone_region") if model else None
    configured: str | None = json.loads(index.options()).get("resolve", {}).get("phone_region")
    return pinned or configured


def flat(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One array of texts."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return array.cast(pa.string()) if not pa.types.is_string(array.type) else array
