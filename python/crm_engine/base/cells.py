"""Source rows as one column of a map from column name to text, whatever columns a source has, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core

CELLS = pa.map_(pa.string(), pa.string())


def to_cells(batch: pa.RecordBatch) -> pa.Array:
    """The filled cells of each row, in the order of the columns.

    >>> to_cells(pa.record_batch({"name": ["Anna", None], "city": ["", "Riga"]})).to_pylist()
    [[('name', 'Anna')], [('city', 'Riga')]]
    """
    return _core.cells_of(batch).column(0).cast(CELLS)


def from_cells(cells: pa.Array | pa.ChunkedArray, columns: Sequence[str]) -> pa.RecordBatch:
    """The named columns of each row as text, null where a row lacks one.

    >>> from_cells(pa.array([[("name", "Anna")], [("city", "Riga")]], CELLS), ["name", "city"]).to_pylist()
    [{'name': 'Anna', 'city': None}, {'name': None, 'city': 'Riga'}]
    """
    array = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    n_rows = len(array)
    # Without copying: offsets of the part that is meant, keys and items of the whole.
    offsets = np.asarray(array.offsets.to_numpy(zero_copy_only=False)).astype(np.int64)
    start, end = int(offsets[0]), int(offsets[-1])
    keys, items = array.keys.slice(start, end - start), array.items.slice(start, end - start)
    lengths = np.diff(offsets)
    row_of = np.repeat(np.arange(n_rows), lengths)
    place_of = np.asarray(pc.fill_null(pc.index_in(keys, pa.array(list(columns), pa.string())), -1).to_numpy(zero_copy_only=False))
    made = []
    for place in range(len(columns)):
        chosen = np.flatnonzero(place_of == place)
        at = np.full(n_rows, -1, np.int64)
        at[row_of[chosen]] = chosen
        made.append(items.take(pa.array(at, mask=at < 0)))
    return pa.RecordBatch.from_arrays(made, list(columns))
