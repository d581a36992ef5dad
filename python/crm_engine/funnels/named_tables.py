"""The tables of a funnel by name."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa

from crm_engine.config import nearest
from crm_engine.errors import ConfigError


class NamedTables:
    """What has tables as attributes (``TABLES``), and further breakdowns by the names that the config gives them."""

    #: The attributes that are tables, or methods that make one, in the order in which a workbook has them.
    TABLES: ClassVar[tuple[str, ...]] = ()
    #: Those of them with a row per deal or contact, which a workbook is spared.
    LONG_TABLES: ClassVar[tuple[str, ...]] = ()
    breakdowns: dict[str, pa.Table]

    def table_names(self) -> list[str]:
        """The names that :meth:`table` knows."""
        own = [name for name in self.TABLES if name in self.LONG_TABLES or getattr(self, name) is not None]
        return [*own, *(name for name in self.breakdowns if name not in own)]

    def table(self, name: str) -> pa.Table:
        """One of the tables, or of the further breakdowns."""
        known = self.table_names()
        if name not in known:
            raise ConfigError(f"this funnel has no table {name!r}; it has {', '.join(known)}{nearest(name, known)}")
        if name not in self.TABLES:
            return self.breakdowns[name]
        found = getattr(self, name)
        return found() if callable(found) else found
