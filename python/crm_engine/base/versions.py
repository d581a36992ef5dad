"""Which rows of an input are new versions of a record, and which version is current afterwards.

For one key the version of the highest ``updated_at`` is current; where versions have none, that of the latest run. The index says of each
row what it is; here that becomes rows of ``records`` (every version once), ``sightings`` (a version seen again, so that a run can be undone
exactly) and ``superseded`` (the versions that are not current).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_engine.base.lake import Cursor

#: What the index says of a row, as small numbers.
STATUSES = ("new", "updated", "unchanged", "older", "duplicate", "replaces")
NEW, UPDATED, UNCHANGED, OLDER, DUPLICATE, REPLACES = range(6)

Longs = npt.NDArray[np.int64]


def signed(hashes: pa.Array) -> Longs:
    """Hashes (uint64) as the tables hold them."""
    return np.asarray(hashes.to_numpy(zero_copy_only=False)).astype(np.uint64).view(np.int64)


@dataclass
class Judged:
    """What an input comes to."""

    #: Per row, in the order of the input: whether it is stored as a version.
    stored: npt.NDArray[np.bool_]
    #: Rows whose version was known already: seen again.
    seen: npt.NDArray[np.bool_]
    #: Versions that are no longer, or never were, current.
    superseded: tuple[Longs, Longs]
    #: Versions that are current again.
    restored: tuple[Longs, Longs]
    counts: dict[str, int] = field(default_factory=dict)
    #: All records of the input, each once.
    record_ids: Longs = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def changes(self) -> bool:
        """Whether the base has other versions, or others that are current, than before; else all of the input was known."""
        return bool(self.stored.any()) or len(self.superseded[0]) > 0 or len(self.restored[0]) > 0


def judge(cursor: Cursor, record_ids: Longs, hashes: Longs, statuses: npt.NDArray[np.int8], known: Any) -> Judged:
    """``known(record_ids)`` gives the hashes that were current before the run, and whether there was one."""
    n_rows = len(record_ids)
    order = np.argsort(record_ids, kind="stable")
    ids_sorted = record_ids[order]
    firsts = np.ones(n_rows, bool)
    firsts[1:] = ids_sorted[1:] != ids_sorted[:-1]
    repeated_ids = np.unique(ids_sorted[~firsts])
    single = ~np.isin(record_ids, repeated_ids)

    needs_past = np.isin(statuses, (UPDATED, OLDER, DUPLICATE, REPLACES)) | ~single
    past = _superseded(cursor, np.unique(record_ids[needs_past]))
    was_superseded = _contains(past, record_ids, hashes)

    stored = single & ((statuses == NEW) | (np.isin(statuses, (UPDATED, OLDER)) & ~was_superseded))
    seen = single & ((statuses == UNCHANGED) | (np.isin(statuses, (UPDATED, OLDER)) & was_superseded))
    updated = single & (statuses == UPDATED)
    before, _ = known(record_ids[updated])
    stale = single & (statuses == OLDER) & ~was_superseded
    judged = Judged(
        stored=stored,
        seen=seen,
        superseded=(np.concatenate([record_ids[updated], record_ids[stale]]), np.concatenate([before, hashes[stale]])),
        restored=(record_ids[updated & was_superseded], hashes[updated & was_superseded]),
        counts={
            "new": int((single & (statuses == NEW)).sum()),
            "updated": int(updated.sum()),
            "unchanged": int((single & np.isin(statuses, (UNCHANGED, OLDER))).sum()),
            "duplicates": int(n_rows - firsts.sum()),
            "older": int((single & (statuses == OLDER)).sum()),
        },
        record_ids=ids_sorted[firsts],
    )
    if len(repeated_ids):
        _judge_repeated(judged, np.flatnonzero(~single), record_ids, hashes, statuses, past, known(repeated_ids), repeated_ids)
    return judged


def _judge_repeated(
    judged: Judged,
    rows: Longs,
    record_ids: Longs,
    hashes: Longs,
    statuses: npt.NDArray[np.int8],
    past: set[tuple[int, int]],
    known: tuple[Longs, npt.NDArray[np.bool_]],
    ids: Longs,
) -> None:
    """Records of which the input has several rows: every version is kept, one is current."""
    groups: dict[int, list[int]] = defaultdict(list)
    for row in rows.tolist():
        groups[int(record_ids[row])].append(row)
    current_before = {int(i): int(h) if k else None for i, h, k in zip(ids, *known, strict=True)}
    superseded, restored = [], []
    for record, group in groups.items():
        before = current_before[record]
        current = before
        for row in group:
            if statuses[row] in (NEW, UPDATED, UNCHANGED, REPLACES):
                current = int(hashes[row])
        versions: dict[int, int] = {}
        for row in group:
            versions.setdefault(int(hashes[row]), row)
        for version, row in versions.items():
            if version == before or (record, version) in past:
                judged.seen[row] = True
            else:
                judged.stored[row] = True
                if version != current:
                    superseded.append((record, version))
        if current != before and before is not None:
            superseded.append((record, before))
        if current is not None and (record, current) in past:
            restored.append((record, current))
        judged.counts["new" if before is None else "unchanged" if current == before else "updated"] += 1
    judged.superseded = _joined(judged.superseded, superseded)
    judged.restored = _joined(judged.restored, restored)


def _joined(columns: tuple[Longs, Longs], more: list[tuple[int, int]]) -> tuple[Longs, Longs]:
    if not more:
        return columns
    added = np.array(more, np.int64)
    return np.concatenate([columns[0], added[:, 0]]), np.concatenate([columns[1], added[:, 1]])


def _superseded(cursor: Cursor, record_ids: Longs) -> set[tuple[int, int]]:
    """The versions of these records that were not current before."""
    if not len(record_ids):
        return set()
    with cursor.known(_asked=pa.table({"id": record_ids})):
        found = cursor.rows("SELECT id, content_hash FROM superseded WHERE table_name = 'records' AND id IN (SELECT id FROM _asked)")
    return {(int(record), int(version)) for record, version in found}


def _contains(versions: set[tuple[int, int]], record_ids: Longs, hashes: Longs) -> npt.NDArray[np.bool_]:
    if not versions:
        return np.zeros(len(record_ids), bool)
    known_ids = np.unique(np.array([record for record, _ in versions], np.int64))
    found = np.isin(record_ids, known_ids)
    for row in np.flatnonzero(found):
        found[row] = (int(record_ids[row]), int(hashes[row])) in versions
    return found
