"""The DuckLake of a base: opening it, transactions, and Parquet that the engine writes and registers itself.

DuckDB is an extra; its two extensions come as wheels that carry DuckDB's own signature and are loaded by their path, so that no
network is needed. Where the wheels are absent DuckDB is asked to ``INSTALL`` them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from crm_engine.base.bounds import Bounds
from crm_engine.base.table_files import TableFile, table_folder
from crm_engine.base.translating import first_line, signals_held, translated
from crm_engine.errors import ConfigError, CrmError, StoreError

DUCKDB_VERSION = "1.5.5"
_EXTENSIONS = ("sqlite_scanner", "ducklake")
#: The catalog's name inside DuckDB.
LAKE = "lake"
#: Without these two concurrent readers fail while a writer commits.
_ATTACH_OPTIONS = "META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT 5000"
_FETCHED_ROWS = 128 * 1024
#: Fewer rows than this are not worth a file that the engine writes itself.
_FEW = 1_000


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds.

    >>> print(quoted('the "best" orders'))
    "the ""best"" orders"
    """
    return '"' + name.replace('"', '""') + '"'


def stored(name: str) -> str:
    """A table of the catalog as SQL takes it: by its name alone a temporary table of that name would be meant.

    >>> print(stored("orders"))
    lake.main."orders"
    """
    return f"{LAKE}.main.{quoted(name)}"


def literal(text: str) -> str:
    """A text as an SQL literal, for the few places that take no parameter."""
    return "'" + text.replace("'", "''") + "'"


def require_duckdb() -> ModuleType:
    """DuckDB, or an error that names the extra which brings it."""
    try:
        import duckdb
    except ImportError:
        raise ConfigError("a base needs DuckDB; install it with: pip install 'crm_engine[base]'") from None
    if duckdb.__version__ != DUCKDB_VERSION:
        raise ConfigError(
            f"a base needs duckdb {DUCKDB_VERSION}, and {duckdb.__version__} is installed; run: pip install 'crm_engine[base]'"
        )
    return duckdb


class Lake:
    """The tables of one base. Every thread works through a cursor of its own; one transaction at a time writes."""

    def __init__(self, folder: Path, *, create: bool = False, memory_limit: int | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._duckdb = require_duckdb()
        # Readers and writers of other processes spill beside each other.
        self._scratch = folder / "tmp" / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._memory_limit = memory_limit
        config: dict[str, Any] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "temp_directory": str(self._scratch),
        }
        if memory_limit is not None:
            config["memory_limit"] = f"{memory_limit}B"
        self._connection = self._duckdb.connect(":memory:", config=config)
        try:
            # Where it takes the process for an interactive one (`python -c`, a notebook) it draws on standard output what takes seconds.
            self._connection.execute("SET enable_progress_bar = false")
            for name in _EXTENSIONS:
                self._load(name)
            catalog = folder / "catalog.sqlite"
            # The catalog remembers where it was made; a base may be moved and copied all the same.
            where = f"DATA_PATH {literal(str(self.data) + '/')}, " + ("" if create else "OVERRIDE_DATA_PATH true, ")
            with translated(self._duckdb):
                self._connection.execute(f"ATTACH {literal(f'ducklake:sqlite:{catalog}')} AS {LAKE} ({where}{_ATTACH_OPTIONS})")
                self._connection.execute(f"USE {LAKE}")
        except BaseException:
            # Ctrl-C included, which DuckDB heeds in the midst of ATTACH: nobody else could close the connection. It goes on to the caller.
            self._connection.close()
            raise

    def _load(self, name: str) -> None:
        path = extension_path(name)
        try:
            if path is None:
                self._connection.execute(f"INSTALL {name}")
                self._connection.execute(f"LOAD {name}")
            else:
                self._connection.execute(f"LOAD {literal(path)}")
        except self._duckdb.Error as error:
            wheel = f"duckdb-extension-{name.replace('_', '-')}=={DUCKDB_VERSION}"
            raise StoreError(
                f"DuckDB's extension {name} cannot be loaded ({first_line(error)}); install its wheel with: pip install '{wheel}'"
            ) from None

    @contextlib.contextmanager
    def within(self, bounds: Bounds) -> Iterator[None]:
        """Bounds what DuckDB takes in the block; beyond that it spools to ``bounds.tmp_dir`` or the base's own folder."""
        back = []
        if bounds.of_duckdb is not None and self._set("memory_limit", f"{bounds.of_duckdb}B"):
            back.append(("memory_limit", f"{self._memory_limit}B" if self._memory_limit is not None else None))
        if bounds.tmp_dir is not None and self._set("temp_directory", str(bounds.tmp_dir / f"crm-engine-{self._scratch.name}")):
            back.append(("temp_directory", str(self._scratch)))
        try:
            yield
        finally:
            for name, value in back:
                self._set(name, value)

    def _set(self, name: str, value: str | None) -> bool:
        """Sets an option of DuckDB, or its default; ``False`` where it does not take it, such as another folder once it has spooled to one."""
        with contextlib.suppress(self._duckdb.Error):
            self._connection.execute(f"RESET GLOBAL {name}" if value is None else f"SET GLOBAL {name} = {literal(value)}")
            return True
        return False

    def close(self) -> None:
        """Ends all cursors."""
        self._connection.close()

    def cursor(self) -> Cursor:
        """A cursor of its own for one thread or one transaction."""
        cursor = Cursor(self, self._connection.cursor())
        cursor.execute(f"USE {LAKE}")
        return cursor

    @contextlib.contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor that sees one state of the base throughout."""
        cursor = self.cursor()
        try:
            cursor.execute("BEGIN")
            yield cursor
        finally:
            cursor.close()

    def stream(self, sql: str, parameters: Sequence[Any] = (), *, rows: int = 65_536) -> pa.RecordBatchReader:
        """The rows of a query, as they are asked for; the state is that of this moment."""
        cursor = self.cursor()
        reader = cursor.stream(sql, parameters, rows=rows)

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                with cursor.asking():
                    yield from reader
            finally:
                cursor.close()

        return pa.RecordBatchReader.from_batches(reader.schema, batches())


class Cursor:
    """A connection to the tables whose errors are those of crm_engine."""

    def __init__(self, lake: Lake, connection: Any) -> None:
        self.lake = lake
        self._connection = connection
        self._may_run_on = False

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """For what is asked of DuckDB: translates its errors, and notes where a statement may run on behind an exception of Python's."""
        try:
            with translated(self.lake._duckdb):
                yield
        except (CrmError, OSError, GeneratorExit):
            raise
        except BaseException:
            self._may_run_on = True
            raise

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Runs a statement."""
        with self.asking():
            self._connection.execute(sql, list(parameters))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        with self.asking():
            found: list[tuple[Any, ...]] = self._connection.execute(sql, list(parameters)).fetchall()
        return found

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first value of the first row."""
        found = self.rows(sql, parameters)
        return found[0][0] if found else None

    def table(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """All rows as an Arrow table."""
        with self.asking():
            return self._connection.execute(sql, list(parameters)).to_arrow_table()

    def stream(self, sql: str, parameters: Sequence[Any] = (), *, rows: int = 65_536) -> pa.RecordBatchReader:
        """The rows of a query, batch by batch."""
        with self.asking():
            return self._connection.execute(sql, list(parameters)).to_arrow_reader(rows)

    def register(self, name: str, data: Any) -> None:
        """Makes an Arrow table known to SQL under a name of ours."""
        self._connection.register(name, data)

    def unregister(self, name: str) -> None:
        """Forgets an Arrow table."""
        self._connection.unregister(name)

    @contextlib.contextmanager
    def known(self, **tables: Any) -> Iterator[None]:
        """Arrow tables under names of ours, for the statements of the block."""
        for name, data in tables.items():
            self.register(name, data)
        try:
            yield
        finally:
            for name in tables:
                self.unregister(name)

    def close(self) -> None:
        """Ends the cursor; a transaction that was not committed is rolled back."""
        with contextlib.suppress(self.lake._duckdb.Error):
            # Closing would wait for what Ctrl-C ended for Python only. Elsewhere nothing is interrupted: the rollback would be.
            if self._may_run_on:
                self._connection.interrupt()
            self._connection.close()


class Transaction(Cursor):
    """A write transaction: Parquet files that it wrote vanish if it is not committed."""

    def __init__(self, lake: Lake) -> None:
        connection = lake._connection.cursor()
        super().__init__(lake, connection)
        self.files: list[Path] = []
        self.execute(f"USE {LAKE}")
        self.execute("BEGIN")
        self.committed = False
        #: COMMIT ended with an error: whether the catalog has the transaction is not known.
        self.is_doubtful = False

    def insert(self, table: str, data: pa.Table | Iterator[pa.RecordBatch], schema: pa.Schema | None = None) -> int:
        """Adds rows to a table: few go through DuckDB, many as a Parquet file that is registered. Columns go by name; returns the count."""
        if isinstance(data, pa.Table):
            schema, data = data.schema, iter(data.to_batches())
        assert schema is not None
        addition = Addition(self, table, schema)
        addition.add(data)
        return addition.finish()

    def insert_query(self, table: str, sql: str) -> int:
        """Adds the rows of a query, whose columns go by name; returns the count."""
        reader = self.stream(sql, rows=_FETCHED_ROWS)
        # Read whole before anything is inserted, where it is small: one cursor does one thing at a time.
        return self.insert(table, reader, reader.schema)

    def register_file(self, table: str, path: Path) -> None:
        """Makes a file that ``write`` wrote a part of a table."""
        self.execute(f"CALL ducklake_add_data_files({literal(LAKE)}, {literal(table)}, {literal(str(path))})")

    def commit(self) -> None:
        """Makes everything visible at once. A commit that has begun finishes: Ctrl-C and SIGTERM are answered after it."""
        with signals_held():
            self.is_doubtful = True
            self.execute("COMMIT")
            self.committed, self.is_doubtful = True, False

    def close(self) -> None:
        super().close()
        if self.committed:
            return
        # A commit that failed may have reached the catalog all the same: what it names stays.
        try:
            known = catalog_files(self.lake.folder) if self.is_doubtful else set()
        except StoreError:
            # Where the catalog cannot be asked nothing is taken away; the next writer removes what is idle.
            return
        for path in self.files:
            if path.name not in known:
                with contextlib.suppress(OSError):
                    path.unlink()


class Addition:
    """Rows on their way into a table: a few are kept and go through DuckDB, more go to a Parquet file that is registered.

    Nothing of it is in the table before ``finish``.
    """

    def __init__(self, transaction: Transaction, table: str, schema: pa.Schema) -> None:
        self._transaction = transaction
        self._table = table
        self.schema = schema
        self._few: list[pa.RecordBatch] = []
        self._n_few = 0
        self._file: TableFile | None = None

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Adds rows."""
        with translated(self._transaction.lake._duckdb):
            for batch in batches:
                if self._file is None:
                    self._few.append(batch)
                    self._n_few += batch.num_rows
                    if self._n_few < _FEW:
                        continue
                    self._file = TableFile(table_folder(self._transaction.lake.data, self._table), self.schema)
                    self._transaction.files.append(self._file.path)
                    batch, self._few = self._few, []
                    self._file.add(batch)
                else:
                    self._file.add([batch])

    @contextlib.contextmanager
    def seen_as(self, name: str) -> Iterator[None]:
        """The rows under a name of ours, for the statements of the block; nothing may be added after."""
        if self._file is None:
            with self._transaction.known(**{name: pa.Table.from_batches(self._few, self.schema)}):
                yield
            return
        self._file.finish()
        self._transaction.execute(
            f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT * FROM read_parquet({literal(str(self._file.path))})"
        )
        yield
        self._transaction.execute(f"DROP VIEW temp.{quoted(name)}")

    def finish(self) -> int:
        """Makes the rows a part of the table and returns how many they are."""
        if self._file is not None:
            n_rows = self._file.finish()
            self._transaction.register_file(self._table, self._file.path)
            return n_rows
        if self._n_few:
            columns = ", ".join(quoted(name) for name in self.schema.names)
            with self._transaction.known(_rows=pa.Table.from_batches(self._few, self.schema)):
                self._transaction.execute(f"INSERT INTO {quoted(self._table)} ({columns}) SELECT {columns} FROM _rows")
        return self._n_few


def extension_path(name: str) -> str | None:
    """Where the wheel of an extension put its file, ``None`` where there is no wheel."""
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "extensions" / f"v{DUCKDB_VERSION}" / f"{name}.duckdb_extension"
    return str(path) if path.exists() else None


def name_data_folder(made_in: Path, final: Path) -> None:
    """Tells the catalog where the base will stand, for those who open it with DuckDB alone."""
    with contextlib.closing(sqlite3.connect(made_in / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("UPDATE ducklake_metadata SET value = ? WHERE key = 'data_path'", [f"{final.absolute() / 'data'}/"])


def catalog_files(folder: Path) -> set[str]:
    """The names of the data files that the catalog of a base knows, read past DuckDB."""
    known: set[str] = set()
    try:
        with contextlib.closing(sqlite3.connect(f"file:{folder / 'catalog.sqlite'}?mode=ro", uri=True)) as catalog:
            for table in ("ducklake_data_file", "ducklake_delete_file", "ducklake_files_scheduled_for_deletion"):
                known.update(Path(row[0]).name for row in catalog.execute(f"SELECT path FROM {table}"))
    except sqlite3.Error as error:
        raise StoreError(f"the base's catalog cannot be read: {error}") from error
    return known


def typed_table(columns: Mapping[str, Sequence[Any] | pa.Array], schema: pa.Schema) -> pa.Table:
    """A table of a schema from columns by name."""
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
