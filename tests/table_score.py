# ruff: noqa: E501
"""How well a loaded table agrees with what it should be, scored from 0 to 10 as the Pollock study scores."""

from __future__ import annotations

from collections import Counter

Loaded = tuple[list[str] | None, list[list[str]]]


def score(truth: Loaded, loaded: Loaded) -> float:
    """1 for having been loaded, and precision, recall and F1 of header cells, records and cells; names of a table without a header do not count."""
    wanted_names, wanted_rows = truth
    names, rows = loaded
    if wanted_names is None:
        names = wanted_names = []
    return 1 + sum(
        _overlap(Counter(names or []), Counter(wanted_names))
        + _overlap(Counter(map(tuple, rows)), Counter(map(tuple, wanted_rows)))
        + _overlap(_cells(rows), _cells(wanted_rows))
    )


def _cells(rows: list[list[str]]) -> Counter[str]:
    return Counter(cell for row in rows for cell in row)


def _overlap(found: Counter, wanted: Counter) -> list[float]:
    n_both = sum((found & wanted).values())
    precision = n_both / sum(found.values()) if found else float(not wanted)
    recall = n_both / sum(wanted.values()) if wanted else float(not found)
    return [precision, recall, 2 * precision * recall / (precision + recall) if n_both else float(not wanted and not found)]
