"""What the columns of a table mean: judged over its first rows, and over rows of all of it where those leave a column open."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.sources import Source, TextBatch

#: Rows that the roles are judged over, however the source cuts them into batches.
HEAD_ROWS = 131_072
#: Rows drawn from all of a table for columns that its head leaves open.
SAMPLED_ROWS = 8_192

#: Roles that several columns may hold.
_SEVERAL = frozenset([*_core.list_roles(), "street", "note"])


def detect_roles(source: Source, batches: Iterator[TextBatch]) -> tuple[list[dict[str, Any]], Iterator[TextBatch]]:
    """Per column of ``source`` its role and why, and all batches again; ``batches`` are those of the source, unread.

    A column that is empty in the head, or whose header promises what its values there do not show, is judged over rows drawn from the whole
    table, where the source can be read a second time: a regular file can, a pipe cannot. A table that the head explains is read once.
    """
    head: list[TextBatch] = []
    n_rows = 0
    while n_rows < HEAD_ROWS and (text := next(batches, None)) is not None:
        head.append(text)
        n_rows += text.batch.num_rows
    looked_at = [text.batch for text in head]
    if n_rows > HEAD_ROWS:
        looked_at[-1] = looked_at[-1].slice(0, looked_at[-1].num_rows - (n_rows - HEAD_ROWS))
    found = _detect(pa.Table.from_batches(looked_at, source.schema))
    following = next(batches, None) if n_rows >= HEAD_ROWS else None
    if following is not None:
        head.append(following)
    open_columns = [place for place, column in enumerate(found) if column["is_open"]]
    if open_columns and (n_rows > HEAD_ROWS or following is not None) and source.again is not None:
        whole = source.again()
        # A file that changed in between is taken as it was.
        if whole is not None and whole.columns == source.columns:
            _settle(found, open_columns, _detect(_sample(whole, open_columns)))
    return found, itertools.chain(head, batches)


def _detect(rows: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_core.detect_roles(rows))
    return found


def _settle(found: list[dict[str, Any]], open_columns: list[int], of_whole: list[dict[str, Any]]) -> None:
    """Gives the columns that the head left open the roles that the whole table shows, where they are free."""
    taken = {column["role"] for column in found}
    for place in open_columns:
        role = of_whole[place]["role"]
        if role is not None and (role in _SEVERAL or role not in taken):
            found[place] = of_whole[place]
            taken.add(role)


def _sample(source: Source, columns: list[int]) -> Any:
    """Rows of all of ``source`` with a value in one of ``columns``, drawn by their place in it."""
    kept = source.schema.empty_table()
    keys = np.empty(0, np.uint64)
    n_rows = 0
    for batch, _ in source.batches():
        places = np.arange(n_rows, n_rows + batch.num_rows, dtype=np.uint64)
        n_rows += batch.num_rows
        filled = np.zeros(batch.num_rows, bool)
        for column in columns:
            has_value = pc.fill_null(pc.greater(pc.utf8_length(batch.column(column)), 0), False)
            filled |= np.asarray(has_value.to_numpy(zero_copy_only=False), bool)
        chosen = np.flatnonzero(filled)
        if len(chosen):
            kept = pa.concat_tables([kept, pa.Table.from_batches([batch]).take(pa.array(chosen))])
            keys = np.concatenate([keys, _scattered(places[chosen])])
            lowest = np.argsort(keys, kind="stable")[:SAMPLED_ROWS]
            kept, keys = kept.take(pa.array(lowest)), keys[lowest]
    return kept


def _scattered(places: Any) -> Any:
    """A number per place that says nothing of it, the same in every run (the finalizer of splitmix64)."""
    mixed = places + np.uint64(0x9E37_79B9_7F4A_7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return mixed ^ (mixed >> np.uint64(31))
