"""What holds two records in one contact whose own pair does not: the pairs that lead from one to the other."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

#: Below it a pair does not speak for one contact by itself, and what holds its records together is to be told.
IMPROBABLE = 0.5

#: (record, record, match weight) of a pair; a weight is ``inf`` where a person said that the two are the same.
Link = tuple[int, int, float]


def chain_of(links: Iterable[Link], start: int, end: int) -> list[dict[str, Any]] | None:
    """The pairs that lead from one record to another, such that the weakest of them is as strong as can be; ``None`` where none lead.

    Of each pair the ``record_id_a`` it comes from, the ``record_id_b`` it leads to, and its ``match_weight`` in bits (``None`` where a
    person decided). The pair of the two records itself is no answer and is left aside.

    >>> [(one["record_id_a"], one["record_id_b"]) for one in chain_of([(1, 2, 9.0), (2, 3, 7.0), (1, 4, 3.0), (4, 3, 9.0)], 1, 3)]
    [(1, 2), (2, 3)]
    """
    near: dict[int, list[tuple[int, float]]] = {}
    for a, b, weight in links:
        if {a, b} != {start, end}:
            near.setdefault(a, []).append((b, weight))
            near.setdefault(b, []).append((a, weight))
    came: dict[int, tuple[int, float]] = {}
    # By the weakest pair on the way, then by how many pairs there are: the first way to reach a record is its best.
    waiting = [(-float("inf"), 0, start, start, float("inf"))]
    while waiting:
        weakest, length, record, before, weight = heapq.heappop(waiting)
        if record in came:
            continue
        came[record] = (before, weight)
        if record == end:
            break
        for other, next_weight in near.get(record, ()):
            if other not in came:
                heapq.heappush(waiting, (max(weakest, -next_weight), length + 1, other, record, next_weight))
    if end not in came:
        return None
    chain: list[dict[str, Any]] = []
    while end != start:
        before, weight = came[end]
        told = weight if weight != float("inf") else None
        chain.append({"record_id_a": before, "record_id_b": end, "match_weight": told})
        end = before
    return chain[::-1]
