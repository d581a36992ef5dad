"""Where the tables of an analysis or a funnel are: in a folder of files, in a mapping, or in a base."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crm_engine.errors import ConfigError, SchemaError
from crm_engine.related_words import table_of
from crm_engine.table_files import has_parquet_files

#: The tables that have a meaning of their own; any other name works where one is asked for.
TABLES = (
    "contacts", "orders", "order_lines", "products", "payments", "deals", "deal_stages", "interactions", "tasks", "notes", "documents",
    "campaigns", "campaign_contacts", "costs", "plans", "relations",
)  # fmt: skip
#: Endings of table files; of two files for one table the one whose ending comes first here is read.
_SUFFIXES = (
    ".parquet", ".pq", ".parq", ".arrow", ".feather", ".ipc", ".csv", ".tsv", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".jsonl", ".json",
    ".csv.gz", ".tsv.gz",
)  # fmt: skip


class TableSources:
    """Tables by name; ``where`` says in messages where they are."""

    def __init__(self, tables: Any) -> None:
        self._mapping: dict[str, Any] | None = None
        self._base: Any = None
        #: What a user should know of the files.
        self.warnings: list[str] = []
        if isinstance(tables, Mapping):
            self._mapping, self.where = dict(tables), "the tables given"
        elif isinstance(tables, str | os.PathLike):
            if not Path(tables).is_dir():
                raise ConfigError(
                    f"{os.fspath(tables)} is no folder; give a folder with files such as orders.csv, or a mapping of names to tables"
                )
            self._files = _files_by_table(Path(tables))
            self.where = os.fspath(tables)
        elif hasattr(tables, "table"):
            self._base, self.where = tables, "the base"
        else:
            raise ConfigError(f"cannot analyse a {type(tables).__name__}; give a folder, a mapping of names to tables, or a base")

    @property
    def is_base(self) -> bool:
        """Whether the tables are those of a base, which has found whose each row is."""
        return self._base is not None

    def names(self) -> list[str]:
        """What there is."""
        if self._mapping is not None:
            return [*self._mapping]
        return list(self._files if self._base is None else self._base.tables())

    def get(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """A table as it was given, or nothing; of a base's only these columns."""
        if self._base is not None:
            return self._of_base(name, columns)
        own = self.called(name)
        if own is None:
            return None
        return self._file(own, name) if self._mapping is None else self._mapping[own]

    def _of_base(self, name: str, columns: Sequence[str] | None) -> Any:
        def asked(called: str) -> Any:
            return self._base.table(called) if columns is None else self._base.table(called, columns)

        try:
            return asked(name)
        except (ConfigError, SchemaError, KeyError):
            # A base says so of tables that it does not have; what is wrong with the base itself is told.
            pass
        own = self.called(name)
        try:
            return None if own is None else asked(own)
        except (ConfigError, SchemaError, KeyError):
            return None

    def called(self, name: str) -> str | None:
        """What the table is called here: by its own name, or else by a word for it."""
        names = self.names()
        own = next((each for each in (name, name.casefold()) if each in names), None)
        by_word = [each for each in names if table_of(str(each)) == name and each != own]
        if own is None and len(by_word) > 1:
            both = " and ".join(repr(each) for each in by_word)
            raise ConfigError(f"{self.where}: {both} may each be the table {name!r}; call the one that is meant {name!r}")
        return own if own is not None else next(iter(by_word), None)

    def _file(self, own: str, name: str) -> Path | None:
        found = self._files[own]
        if len(found) > 1:
            others = ", ".join(path.name for path in found[1:])
            self.warnings.append(f"{self.where}: {found[0].name} is read as {name}, and {others} beside it is not")
        return found[0] if found else None


def is_table_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a folder has a file that bears the name of a known table."""
    return Path(path).is_dir() and not {table_of(name) for name in _files_by_table(Path(path))}.isdisjoint(TABLES)


def _files_by_table(folder: Path) -> dict[str, list[Path]]:
    """The files of each name, the one to be read first; a folder of Parquet files, at any depth, is a table too."""
    found: dict[str, list[tuple[int, str, Path]]] = {}
    for path in folder.iterdir():
        name = path.name.casefold()
        if path.is_dir():
            if not name.startswith(".") and has_parquet_files(path):
                found.setdefault(name, []).append((0, path.name, path))
            continue
        for place, suffix in enumerate(_SUFFIXES):
            if name.endswith(suffix):
                found.setdefault(name.removesuffix(suffix), []).append((place, path.name, path))
    return {name: [path for _, _, path in sorted(files)] for name, files in sorted(found.items())}
