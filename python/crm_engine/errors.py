"""The exceptions of crm_engine.

::

    CrmError
    ├── ConfigError        a wrong option, mapping or config file (also a ValueError)
    ├── SchemaError        a table lacks a column or has one of the wrong type
    ├── RuleError          a rule does not parse or does not fit the schema
    ├── FileFormatError    a file cannot be read as what it claims to be
    ├── StoreError         a base is damaged or cannot be written
    ├── LockedError        another process holds the base
    ├── LimitError         a limit on memory or size was reached
    └── InternalError      a fault of crm_engine itself

What the operating system says (``FileNotFoundError``, ``PermissionError``, ...) stays itself. :class:`UnreadRowsWarning`,
:class:`UnreadAmountsWarning` and :class:`AmbiguousDatesWarning` are warnings: the result stands, without some rows or amounts of its
input, or with one of two readings of its dates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class CrmError(Exception):
    """The root of every exception that crm_engine raises itself."""


class ConfigError(CrmError, ValueError):
    """An option, a mapping or a config file is wrong."""


class SchemaError(CrmError):
    """A table lacks a column that is needed, or has it in the wrong type."""


class RuleError(CrmError):
    """A rule does not parse or does not fit the schema.

    ``line`` and ``column`` count from 1; ``nearest`` is the nearest valid name, where a name was unknown.
    """

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None, nearest: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.nearest = nearest


class FileFormatError(CrmError):
    """A file cannot be read as what it claims to be; ``row`` counts from 1."""

    def __init__(self, message: str, *, file: str | None = None, row: int | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.row = row
        self.column = column


class StoreError(CrmError):
    """A base or a spool is damaged or cannot be written."""


class LockedError(CrmError):
    """Another process holds the base; trying again later helps."""


class LimitError(CrmError):
    """A limit on memory, size or count was reached."""


class InternalError(CrmError):
    """A fault of crm_engine itself."""


class UnreadRowsWarning(UserWarning):
    """Rows of a text file or workbook could not be read and are left out of the result.

    ``file`` names the table, ``n_rows`` how many rows; the message names the first of them and what is wrong with it, never its cells.
    """

    def __init__(self, file: str, n_rows: int, rejects: Sequence[Any] = ()) -> None:
        rows = "1 row" if n_rows == 1 else f"{n_rows:,} rows"
        first = f" (row {rejects[0].row}: {rejects[0].reason})" if rejects else ""
        super().__init__(f"{file}: {rows} could not be read and {'is' if n_rows == 1 else 'are'} left out{first}")
        self.file = file
        self.n_rows = n_rows


class UnreadAmountsWarning(UnreadRowsWarning):
    """Amounts or other numbers of a table could not be read; their rows count, without that number.

    ``file`` names the table, ``column`` the column, ``n_rows`` how many rows; the message names the first of them, and says what the values
    are and what became of them, never which they are.
    """

    def __init__(self, table: str, column: str, n_rows: int, first_row: int, fault: str = "infinite or nan, and not counted") -> None:
        what, are = ("1 value", "is") if n_rows == 1 else (f"{n_rows:,} values", "are")
        where = f"row {first_row:,}" if n_rows == 1 else f"the first in row {first_row:,}"
        UserWarning.__init__(self, f"{table}: {what} of column {column!r} {are} {fault} ({where})")
        self.file = table
        self.column = column
        self.n_rows = n_rows


class AmbiguousDatesWarning(UserWarning):
    """Dates can be read day first or month first, and nothing says which; the day was taken. ``columns`` has each (table, column), once."""

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        named: dict[str, list[str]] = {}
        for table, column in columns:
            named.setdefault(table, []).append(repr(column))
        if len(columns) == 1:
            what = f"{columns[0][0]}: the dates of column {columns[0][1]!r}"
        else:
            what = "the dates of " + ", ".join(f"{table} ({', '.join(names)})" for table, names in named.items())
        super().__init__(
            f"{what} can be read with the day or the month first, and were read with the day first; "
            "say which with date_order=... (dmy or mdy)"
        )
        self.columns = list(columns)
