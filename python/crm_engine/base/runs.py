"""Runs: every change of a base is one, committed whole or not at all, and never forgotten."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crm_engine.base.lake import Transaction, catalog_files
from crm_engine.base.schema import TABLES, rows_to_table
from crm_engine.errors import ConfigError, CrmError

if TYPE_CHECKING:
    from crm_engine.base.base import Base


@dataclass
class Run:
    """A change: a committed one, or one that was not made, because it was a ``dry_run`` or told ``nothing_new``.

    ``run_id`` is what ``Base.undo`` takes, and ``None`` where no run was made; ``counts`` is the account, JSON-serialisable; ``warnings`` are
    for people.
    """

    run_id: int | None
    kind: str
    target: str | None = None
    source: str | None = None
    undoes: int | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    dry_run: bool = False
    #: What was said the base knew already: no run was made, and nothing stands in the history.
    nothing_new: bool = False

    @property
    def summary(self) -> dict[str, Any]:
        """All of it as one dict."""
        known = {"target": self.target, "source": self.source, "undoes": self.undoes}
        told = {name: value for name, value in known.items() if value is not None}
        more = {"warnings": self.warnings} if self.warnings else {}
        return {
            "run_id": self.run_id,
            "kind": self.kind,
            **told,
            **self.counts,
            **self.detail,
            **more,
            "dry_run": self.dry_run,
            "nothing_new": self.nothing_new,
        }


class Writing:
    """A run that is being made: its transaction, and the id that it will be known by once it is committed."""

    def __init__(self, base: Base, run_id: int, run: Run, transaction: Transaction) -> None:
        self.base = base
        self.run_id = run_id
        self.run = run
        self.transaction = transaction
        self.index_files: list[str] = []
        self._log: list[tuple[str, str, str | None]] = []
        self._after: list[Any] = []

    def log(self, entry: str, name: str, value: Any = None) -> None:
        """Notes what the run was made of; goes when the run is undone."""
        self._log.append((entry, name, None if value is None else str(value)))

    def after_commit(self, action: Any) -> None:
        """Something to do once the run is safe: what it leaves undone a later run or ``verify --repair`` does."""
        self._after.append(action)

    def _finish(self) -> None:
        if self._log:
            self.transaction.insert("run_log", rows_to_table("run_log", [(self.run_id, *entry) for entry in self._log]))
        row = {
            "run_id": self.run_id,
            "kind": self.run.kind,
            "at": dt.datetime.now(dt.UTC).replace(tzinfo=None),
            "target": self.run.target,
            "source": self.run.source,
            "undoes": self.run.undoes,
            "counts": json.dumps(self.run.counts, ensure_ascii=False, sort_keys=True),
            "detail": json.dumps(self.run.detail, ensure_ascii=False, sort_keys=True, default=str),
        }
        self.transaction.insert("runs", pa.Table.from_pylist([row], schema=TABLES["runs"]))


@contextlib.contextmanager
def writing(
    base: Base, kind: str, *, target: str | None = None, source: str | None = None, wait: float = 0, dry_run: bool = False
) -> Iterator[Writing]:
    """One run: the lock, a transaction, a run id; committed when the block ends well, rolled back when it does not, is a dry run, or found
    ``nothing_new``."""
    from crm_engine.base.erasure import clean_if_needed

    with base._lock.held(kind, wait=wait) as crashed:
        if crashed:
            remove_strays(base)
        clean_if_needed(base)
        transaction = Transaction(base._lake)
        writing: Writing | None = None
        try:
            run_id = int(transaction.value("SELECT coalesce(max(run_id), 0) + 1 FROM runs"))
            run = Run(None, kind, target, source, dry_run=dry_run)
            writing = Writing(base, run_id, run, transaction)
            yield writing
            if dry_run or run.nothing_new:
                return
            writing._finish()
            transaction.commit()
            run.run_id = run_id
        except BaseException as error:
            if transaction.committed or (transaction.is_doubtful and _is_there(base, run_id)):
                base._committed()
                error.add_note(f"run {run_id} was committed before that")
            raise
        finally:
            transaction.close()
            if writing is not None and not transaction.committed:
                _drop_index_files(base, writing.index_files)
        base._committed()
        for action in writing._after:
            action()
        close_to_others(base.path)


def _drop_index_files(base: Base, names: list[str]) -> None:
    """Removes the segments of a run that came to nothing. Those that the tables name stay: the commit may have reached them all the same, and
    a rebuilt index may begin with the very file that is there, because a file is named after its content."""
    if not names:
        return
    try:
        known = _registered(base)
    except CrmError:
        # Where the tables cannot be read nothing is known to be idle; the next writer removes what is.
        return
    for name in set(names) - known:
        with contextlib.suppress(OSError):
            (base._index_folder / name).unlink()


def _is_there(base: Base, run_id: int) -> bool:
    with base._lake.reading() as cursor:
        return bool(cursor.value("SELECT EXISTS (SELECT 1 FROM runs WHERE run_id = ?)", [run_id]))


def _registered(base: Base) -> set[str]:
    with base._lake.reading() as cursor:
        return {row[0] for row in cursor.rows("SELECT file FROM index_files")}


def remove_strays(base: Base, *, dry_run: bool = False) -> int:
    """Removes files that a writer which died left behind: those that no state of the base knows. The caller holds the lock.

    Returns how many data files these are; with ``dry_run`` they stay.
    """
    known = catalog_files(base.path) | _registered(base)
    strays = [path for path in base._lake.data.rglob("*") if path.is_file() and path.name not in known]
    if dry_run:
        return len(strays)
    n_removed = 0
    for path in strays:
        with contextlib.suppress(OSError):
            path.unlink()
            n_removed += 1
    for entry in (base.path / "tmp").glob("*"):
        process = entry.name.partition("-")[0]
        if not (process.isdigit() and _is_alive(int(process))):
            _remove(entry)
    return n_removed


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def close_to_others(folder: Path) -> None:
    """Files 0600, folders 0700: DuckDB makes its own with the process's umask (the folder above them is closed in any case)."""
    for root, folders, files in os.walk(folder):
        for names, mode in ((folders, 0o700), (files, 0o600)):
            for name in names:
                path = os.path.join(root, name)
                with contextlib.suppress(OSError):
                    if os.stat(path).st_mode & 0o077:
                        os.chmod(path, mode)


#: What ``base.runs()`` shows.
RUNS_SQL = """
    SELECT r.run_id, r.kind, r.at, r.target, r.source, r.undoes, u.undone_by, r.counts, r.detail
    FROM runs r LEFT JOIN (SELECT undoes, max(run_id) AS undone_by FROM runs WHERE undoes IS NOT NULL GROUP BY undoes) u
      ON u.undoes = r.run_id
    ORDER BY r.run_id
"""


def require_run(cursor: Any, run_id: int) -> dict[str, Any]:
    """A run as a dict, or an error that says which there are."""
    table = cursor.table(f"SELECT * FROM ({RUNS_SQL}) WHERE run_id = ?", [run_id])
    if table.num_rows == 0:
        last = cursor.value("SELECT max(run_id) FROM runs")
        raise ConfigError(f"there is no run {run_id}; " + (f"the runs are 1 to {last}" if last else "the base has no runs yet"))
    found: dict[str, Any] = table.to_pylist()[0]
    return found


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
