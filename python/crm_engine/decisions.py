"""Decisions: a person's word that two records are the same contact, or different ones.

A decision names two records by their ``record_id`` and says ``same``, ``different`` or ``later``. The table may be the ``pairs`` of an
earlier run with its ``decision`` column edited: what the machine wrote there (``match``, ``review``, ``split``) is no decision and is
passed over.

>>> read_decisions([(11, 12, "same"), (11, 13, "different"), (12, 13, "later")])
[(11, 12, True), (11, 13, False)]
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crm_engine.config import nearest
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.sources import open_sources

#: What a run is told: two record ids, and whether they are the same contact.
Decision = tuple[int, int, bool]

COLUMNS = ("record_id_a", "record_id_b", "decision")
_WORDS = {"same": True, "different": False}
#: Words that decide nothing: a person's "later", and what the machine writes into ``pairs``.
_OPEN = frozenset({"", "later", "match", "review", "split"})


def read_decisions(given: Any) -> list[Decision]:
    """Decisions from a file (any that ``dedupe`` reads), an Arrow table, or tuples of two ids and a word; the last word counts."""
    if given is None:
        return []
    if isinstance(given, (str, os.PathLike)) or hasattr(given, "__arrow_c_stream__"):
        rows, where = _rows_of_table(given)
    elif isinstance(given, Iterable):
        rows, where = list(given), "decisions"
    else:
        raise ConfigError(f"decisions: a {type(given).__name__} is neither a file, a table, nor a list of (record_id, record_id, decision)")
    decided = (_decision(row, number, where) for number, row in enumerate(rows, start=1))
    return [decision for decision in decided if decision is not None]


def _rows_of_table(given: Any) -> tuple[list[tuple[Any, ...]], str]:
    where = os.fspath(given) if isinstance(given, (str, os.PathLike)) else "decisions"
    if isinstance(given, (str, os.PathLike)) and not Path(given).is_file():
        raise FileNotFoundError(f"{where}: there is no such file of decisions")
    rows: list[tuple[Any, ...]] = []
    for source in open_sources(given, {}):
        # Reading finds the header.
        batches = list(source.batches())
        for column in COLUMNS:
            if column not in source.columns:
                raise SchemaError(f"{where}: has no column '{column}'{nearest(column, source.columns)}; there must be {', '.join(COLUMNS)}")
        for batch in batches:
            columns = [batch.batch.column(source.columns.index(column)).to_pylist() for column in COLUMNS]
            rows.extend(zip(*columns, strict=True))
    return rows, where


def _decision(row: Any, number: int, where: str) -> Decision | None:
    try:
        first, second, said = row
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: decision {number} is not two record ids and a word") from None
    word = str(said or "").strip().lower()
    if word in _OPEN:
        return None
    if word not in _WORDS:
        raise ConfigError(f"{where}: decision {number} says '{word}', and must say same, different or later{nearest(word, _WORDS)}")
    try:
        ids = int(first), int(second)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: decision {number} names a record_id that is no whole number") from None
    if ids[0] == ids[1]:
        raise ConfigError(f"{where}: decision {number} names one record twice")
    return *ids, _WORDS[word]
