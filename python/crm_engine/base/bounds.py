"""How much memory an import may take, and where it spools the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_ROWS_IN_MEMORY = 384 << 20


@dataclass(frozen=True)
class Bounds:
    """``memory_limit`` in bytes; ``None`` bounds nothing but the rows that are kept to be looked at twice."""

    memory_limit: int | None = None
    tmp_dir: Path | None = None

    @property
    def rows_in_memory(self) -> int:
        """Bytes of rows that stay in memory until it is known which of them are new; more are spooled."""
        return _ROWS_IN_MEMORY if self.memory_limit is None else min(_ROWS_IN_MEMORY, self.memory_limit // 8)

    @property
    def of_duckdb(self) -> int | None:
        """Bytes that DuckDB may take before it spools: what resolving holds at the same time takes the other half."""
        return None if self.memory_limit is None else max(self.memory_limit // 2, _LEAST_OF_DUCKDB)


#: With less than this DuckDB cannot even join small tables.
_LEAST_OF_DUCKDB = 128 << 20
