"""Contacts of events as whole numbers, as the kernel takes them, and the same contacts in the table of contacts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.columns import first_column, ids
from crm_engine.errors import SchemaError


def numbered(values: pa.ChunkedArray, name: str) -> tuple[pa.ChunkedArray, pa.Array | None]:
    """Contacts as int64: integers as they are, anything else numbered; then the second result is what the numbers stand for."""
    if pa.types.is_integer(values.type):
        if pa.types.is_uint64(values.type) and (pc.max(values).as_py() or 0) > np.iinfo(np.int64).max:
            raise SchemaError(f"events: column {name!r} has numbers beyond 2^63; cast it to text")
        return values.cast(pa.int64()), None
    if not (pa.types.is_dictionary(values.type) or pa.types.is_floating(values.type)):
        values = values.dictionary_encode()
    elif pa.types.is_floating(values.type):
        values = ids(values).dictionary_encode()
    values = values.unify_dictionaries()
    if values.num_chunks == 0:
        return pa.chunked_array([], pa.int64()), pa.array([], pa.string())
    # Ids are read once per distinct one; some may mean the same, and an empty one is none.
    encoded = ids(values.chunk(0).dictionary).dictionary_encode().unify_dictionaries()
    known = encoded.chunk(0).dictionary if encoded.num_chunks else pa.array([], pa.string())
    places = pa.chunked_array([chunk.indices.cast(pa.int64()) for chunk in encoded.chunks], pa.int64())
    return pa.chunked_array([places.take(chunk.indices).combine_chunks() for chunk in values.chunks], pa.int64()), known


class StreamNumbers:
    """Numbers contacts as they come: each value keeps the number it was given first, whatever else its batch holds."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, values: pa.ChunkedArray) -> pa.Array:
        """The numbers of some contacts; null and empty text have none."""
        encoded = ids(values, is_part=True).combine_chunks().dictionary_encode()
        known = self._numbers
        of_value = pa.array([known.setdefault(value, len(known)) for value in encoded.dictionary.to_pylist()], pa.int64())
        return of_value.take(encoded.indices)

    def values(self) -> pa.Array:
        """What the numbers stand for."""
        return pa.array(list(self._numbers), pa.string())


def contacts_key(contacts: pa.Table, options: dict[str, Any]) -> str:
    """The column of the contacts that says who is who."""
    names = (str(options.get("contact", "contact_id")), "contact_id", "id")
    return str(options.get("contacts_key") or first_column(contacts, names, "contacts", "contacts_key"))


def numbers_of(keys: pa.ChunkedArray, values: pa.Array | None, name: str) -> pa.ChunkedArray:
    """The contacts of ``contacts`` by the numbers that the events have given them: ``values`` is what these stand for, if not themselves."""
    if values is not None:
        return pc.index_in(ids(keys), value_set=values).cast(pa.int64())
    if pa.types.is_integer(keys.type):
        return keys.cast(pa.int64())
    keys = ids(keys)
    whole = pc.if_else(pc.match_substring_regex(keys, r"^-?\d{1,18}$"), keys, pa.scalar(None, pa.string()))
    if len(whole) and whole.null_count == len(whole) > keys.null_count:
        raise SchemaError(
            f"contacts: no value of column {name!r} is a whole number, and the events' contacts are; name another by contacts_key"
        )
    return whole.cast(pa.int64())
