"""``Base``: the one object through which a base is used."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from crm_engine.base import runs as run_making
from crm_engine.base import schema as tables
from crm_engine.base.index import Index
from crm_engine.base.lake import Lake, Transaction
from crm_engine.base.lock import Lock
from crm_engine.base.runs import Run, Writing
from crm_engine.config import Settings
from crm_engine.errors import ConfigError
from crm_engine.model import Model

Progress = Callable[[str, int, int], Any]
Config = str | os.PathLike[str] | Mapping[str, Any]


class Base:
    """A contact base in a directory. Make one with ``Base.create``, open it with ``Base.open``.

    Reading needs no lock and sees the last committed state; every change is a run under the base's lock. One object serves many threads.

    >>> import crm_engine as crm, pyarrow as pa
    >>> base = crm.Base.create("base")
    >>> people = pa.table({"id": ["1", "2"], "name": ["Anna Ozola", "OZOLA ANNA"], "email": ["anna@x.lv", "Anna@X.lv"]})
    >>> base.import_contacts(people, source_name="crm").counts["new"]
    2
    >>> base.contacts().read_all().num_rows
    1
    """

    def __init__(self, path: Path, lake: Lake) -> None:
        self.path = path
        self._lake = lake
        self._lock = Lock(path)
        self._index = Index(self)

    # --- making and opening -----------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: str | os.PathLike[str], model: Model | None = None, *, config: Config | Settings | None = None) -> Base:
        """Makes an empty base in a new or empty directory; ``model`` is pinned at once, otherwise the first import fits one.

        ``config`` (see ``docs/config.md``) says how contacts are resolved and which values win, for good.
        """
        from crm_engine.base.making import make

        return cls.open(make(cls, path, model, config))

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, memory_limit: int | None = None) -> Base:
        """Opens a base. One of a newer crm_engine is refused, tables of an older one are migrated."""
        folder = Path(path)
        if not (folder / "catalog.sqlite").is_file():
            hint = f"make one with: crm-engine init {folder}" if not folder.exists() or folder.is_dir() else "a base is a folder"
            raise ConfigError(f"{folder}: holds no base; {hint}")
        lake = Lake(folder, memory_limit=memory_limit)
        try:
            base = cls(folder, lake)
            base._migrate()
        except BaseException:
            # Ctrl-C included: whatever ends the opening must not leave the files open. It goes on to the caller.
            lake.close()
            raise
        return base

    def _migrate(self) -> None:
        with self._lake.reading() as cursor:
            version = tables.stored_version(cursor)
        tables.require_known(version, str(self.path))
        if version == tables.SCHEMA_VERSION:
            return
        with self._lock.held("migration", wait=60):
            transaction = Transaction(self._lake)
            try:
                version = tables.stored_version(transaction)
                tables.migrate(transaction, version)
                transaction.commit()
            finally:
                transaction.close()

    def close(self) -> None:
        """Lets go of the base's files. Nothing that was committed depends on it."""
        self._index.close()
        self._lake.close()

    def __enter__(self) -> Base:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Base({str(self.path)!r})"

    # --- what the parts of this package share -----------------------------------------------------------------------------------

    @property
    def _index_folder(self) -> Path:
        return self._lake.data / "index"

    def _writing(self, kind: str, **options: Any) -> contextlib.AbstractContextManager[Writing]:
        return run_making.writing(self, kind, **options)

    def _committed(self) -> None:
        self._index.changed()

    # --- reading ----------------------------------------------------------------------------------------------------------------

    @property
    def model(self) -> Model | None:
        """The pinned model; ``None`` until the first import has fitted one."""
        text = self._index.opened().model()
        return Model(text) if text else None

    def contacts(self, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """The golden records: ``contact_id``, ``n_records``, the roles that sources have, then their other columns."""
        from crm_engine.base.reading import read_table

        return read_table(self, "contacts", columns)

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """Any table of the base: ``contacts``, ``records``, ``lineage``, ``edges``, ``decisions``, ``record_contact``, ``aliases``,
        ``rejects``, ``skipped``, ``gone_records``, or a related one, whose rows come with the ``contact_id`` they belong to (null: an orphan).
        """
        from crm_engine.base.reading import read_table

        return read_table(self, name, columns)

    def tables(self) -> dict[str, int]:
        """The tables that ``table`` knows, with their numbers of rows."""
        from crm_engine.base.reading import count_tables

        return count_tables(self)

    def runs(self) -> pa.Table:
        """Every run: ``run_id``, ``kind``, ``at`` (UTC), ``target``, ``source``, ``undoes``, ``undone_by``, ``counts`` and ``detail`` (JSON)."""
        with self._lake.reading() as cursor:
            return cursor.table(run_making.RUNS_SQL)

    def changes(self, since: int = 0) -> pa.Table:
        """What became of contacts in the runs after ``since``: ``run_id``, ``contact_id``, ``change`` (created, updated, merged, split, gone,
        erased), ``fields`` (for updated ones), ``other_contact_id`` (the survivor of a merge, the origin of a split)."""
        with self._lake.reading() as cursor:
            return cursor.table("SELECT * FROM changes WHERE run_id > ? ORDER BY run_id, contact_id, change, other_contact_id", [since])

    def find(self, wanted: Mapping[str, Any], limit: int = 10) -> list[dict[str, Any]]:
        """Contacts that fit ``wanted`` (role to value: ``{"phone": "8 912 345-67-89"}``), the best first.

        Each has ``contact_id``, ``match_weight`` (bits), ``match_probability``, ``reason`` (a text), ``comparisons`` (per comparison the level,
        both values and the weight) and ``contact``, its golden record. Where no key leads to a contact (a city alone, say) the golden records
        are read through for equal values; these have no weight. May be called from many threads.
        """
        from crm_engine.base.finding import find

        return find(self, wanted, limit)

    def explain(self, a: Any, b: Any) -> dict[str, Any]:
        """Why two records (by ``record_id``, or the ``contact_id`` that one founded) are, or are not, held to be the same contact."""
        from crm_engine.base.finding import explain

        return explain(self, a, b)

    # --- importing --------------------------------------------------------------------------------------------------------------

    def import_contacts(
        self,
        source: Any,
        *,
        source_name: str | None = None,
        mapping: Any = None,
        snapshot: bool = False,
        allow_large_merges: bool = False,
        wait: float = 0,
        dry_run: bool = False,
        progress: Progress | None = None,
        memory_limit: int | str | None = None,
        tmp_dir: str | os.PathLike[str] | None = None,
    ) -> Run:
        """Takes in contacts: a path, a glob, ``-``, an Arrow object, an open source, or a list of these.

        ``source_name`` is what the records' source is called where rows do not say (the file's name otherwise); together with the source's
        own key it identifies a record, so that the same file again changes nothing. ``snapshot`` says that the input is the whole list of
        its source: records that are not in it are marked as gone. An import that would merge suspiciously much is a ``LimitError`` unless
        ``allow_large_merges``. ``dry_run`` gives the account and changes nothing.

        ``memory_limit`` (bytes, or ``"2.5GiB"``) bounds what the import holds: rows and the base's own queries spool to ``tmp_dir`` (the
        base's folder otherwise), and where that does not help the import ends with a ``LimitError`` and changes nothing. The base is the
        same with and without.

        The account, ``run.counts``: ``rows_in`` = ``new`` + ``updated`` + ``unchanged`` + ``duplicates`` + ``rejected`` + ``skipped``, then
        what became of contacts.
        """
        from crm_engine.base.importing import import_contacts

        return import_contacts(
            self, source, source_name=source_name, mapping=mapping, snapshot=snapshot, allow_large_merges=allow_large_merges, wait=wait,
            dry_run=dry_run, progress=progress, memory_limit=memory_limit, tmp_dir=tmp_dir,
        )  # fmt: skip

    def import_related(
        self,
        name: str,
        source: Any,
        *,
        row_key: str | None = None,
        contact_key: str | None = None,
        source_name: str | None = None,
        mapping: Any = None,
        wait: float = 0,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Run:
        """Takes in rows that belong to contacts (orders, deals, calls, ...) as the table ``name``.

        ``row_key`` is the column that identifies a row, so that it is updated when it comes again; ``contact_key`` holds the contact's key in
        the source ``source_name``, a phone, an e-mail address or a ``contact_id``. Both are found by their usual names where they are not
        given. A row whose contact is not there is kept as an orphan and attached when the contact arrives.
        """
        from crm_engine.base.related import import_related

        return import_related(
            self, name, source, row_key=row_key, contact_key=contact_key, source_name=source_name, mapping=mapping, wait=wait,
            dry_run=dry_run, progress=progress,
        )  # fmt: skip

    # --- people's word ----------------------------------------------------------------------------------------------------------

    def review(self, limit: int | None = None) -> pa.Table:
        """Uncertain pairs of records in different contacts on which nobody has decided (or said ``later``), the most probable first:
        ``record_id_a``, ``record_id_b``, ``contact_id_a``, ``contact_id_b``, ``match_weight`` (bits), ``match_probability``, ``decision``.
        """
        from crm_engine.base.decisions import review_sql

        with self._lake.reading() as cursor:
            return cursor.table(review_sql(limit))

    def decide(self, pairs: Any, decision: str | None = None, *, origin: str | None = None, wait: float = 0, dry_run: bool = False) -> Run:
        """Keeps a person's word on pairs of records: ``same``, ``different``, ``later``, or ``none``, which takes an earlier word back.

        ``pairs`` are pairs of ``record_id`` (or of ``contact_id``: then of the records that founded them), or a table with ``record_id_a``,
        ``record_id_b`` and ``decision``, such as ``base.decisions()`` of another base gives. A decision outlives every later import. Where all
        pairs were decided so already the run says ``nothing_new``, and is none.
        """
        from crm_engine.base.decisions import decide

        return decide(self, pairs, decision, origin=origin, wait=wait, dry_run=dry_run)

    def decisions(self) -> pa.Table:
        """The last word on each pair, with the sources' own keys, so that another base can take it in."""
        from crm_engine.base.decisions import portable_sql

        with self._lake.reading() as cursor:
            return cursor.table(portable_sql())

    def split(self, contact_id: str, records: Sequence[Any] | None = None, *, wait: float = 0, dry_run: bool = False) -> Run:
        """Takes ``records`` (all of them from each other where not given) out of a contact. They stay apart, whatever is imported later."""
        from crm_engine.base.decisions import split

        return split(self, contact_id, records, wait=wait, dry_run=dry_run)

    def set(
        self,
        values: Mapping[str, Any],
        *,
        where: Any = None,
        contacts: Sequence[str] | None = None,
        today: Any = None,
        wait: float = 0,
        dry_run: bool = False,
    ) -> Run:
        """Sets columns of all contacts that a rule chooses (``where="city = 'Riga' and owner is null"``, or built with ``crm.field``), or of
        those named. ``None`` clears. The value stands above what sources say, until the run is undone or another is set."""
        from crm_engine.base.edits import set_values

        return set_values(self, values, where, contacts, wait=wait, dry_run=dry_run, today=today)

    def edit(self, edits: Any, *, origin: str = "edited", wait: float = 0, dry_run: bool = False) -> Run:
        """Sets single cells: ``edits`` is a table (or a list of dicts) of ``contact_id``, ``column``, ``value`` (text; null clears).

        Cells that have that value already change nothing; where all have, the run says ``nothing_new``, and is none. ``origin`` is told by
        the lineage.
        """
        from crm_engine.base.edits import edit

        return edit(self, edits, origin=origin, wait=wait, dry_run=dry_run)

    # --- history ----------------------------------------------------------------------------------------------------------------

    def undo(self, run_id: int | None, *, go_on: bool = False, wait: float = 0, dry_run: bool = False) -> Run:
        """Makes the base as if a run had never been. Where later runs depend on it they are named and nothing is done, unless ``go_on``.

        The ``run_id`` of a run that was not made, ``None``, is a ``ConfigError``.
        """
        from crm_engine.base.undo import undo

        return undo(self, run_id, go_on=go_on, wait=wait, dry_run=dry_run)

    def erase(self, contact_ids: str | Sequence[str], *, wait: float = 0, dry_run: bool = False) -> Run:
        """Removes people for good: from all tables, the index, the history and the files. Keyed hashes of their identifiers keep them out of
        later imports. Cannot be undone."""
        from crm_engine.base.erasure import erase

        return erase(self, contact_ids, wait=wait, dry_run=dry_run)

    # --- upkeep -----------------------------------------------------------------------------------------------------------------

    def verify(self, *, repair: bool = False, wait: float = 0, dry_run: bool = False) -> dict[str, Any]:
        """Checks every invariant of the base; returns ``checked``, ``contacts``, ``records`` and ``problems`` (empty where all is well).

        ``repair`` derives the index, golden records and all else from the inputs again; with ``dry_run`` it tells what that would change.
        """
        from crm_engine.base.verification import verify

        return verify(self, repair=repair, wait=wait, dry_run=dry_run)

    def compact(self, *, keep_days: float = 7, reject_days: float = 90, wait: float = 0, dry_run: bool = False) -> Run:
        """Joins small files, writes deleted rows out of them, and forgets states of the catalog older than ``keep_days`` and rejected rows
        older than ``reject_days``. What the base says stays the same, undo included."""
        from crm_engine.base.compaction import compact

        return compact(self, wait=wait, keep_days=keep_days, reject_days=reject_days, dry_run=dry_run)

    def refit(self, *, wait: float = 0, dry_run: bool = False, progress: Progress | None = None) -> Run:
        """Fits the model anew on all records and resolves them under it: a run of its own, that ``dry_run`` previews and ``undo`` takes back."""
        from crm_engine.base.rebuilding import refit

        return refit(self, wait=wait, dry_run=dry_run, progress=progress)

    # --- asking -----------------------------------------------------------------------------------------------------------------

    def segment(
        self, rules: Any, *, today: Any = None, date_order: str | None = None, keep: bool = True, wait: float = 0, **options: Any
    ) -> Any:
        """``crm.segment`` over the base's contacts and related tables; ``date_order`` says how dates are read whose column does not tell.

        With ``keep`` the memberships are kept by the names of the segments, so that the next run of a segment of that name tells who
        ``entered`` and who ``left``.
        """
        from crm_engine.base.asking import segment

        return segment(self, rules, today=today, date_order=date_order, keep=keep, wait=wait, **options)

    def funnel(self, config: Any = None, **options: Any) -> Any:
        """How far deals get through stages or, with ``steps`` in ``config``, contacts through steps: over the base's tables, see
        :func:`crm_engine.funnels.over_tables.funnel`."""
        from crm_engine.funnels.over_tables import funnel

        return funnel(self, config, **options)

    def analyze(self, name: str, **options: Any) -> Any:
        """``crm.analyze`` over the base's tables."""
        from crm_engine.analyze import analyze

        return analyze(name, self, **options)

    def plan(self, plans: Any = None, **options: Any) -> Any:
        """``crm.plan`` over the base's tables; ``plans`` is the base's table ``plans`` where not given."""
        from crm_engine.plan import plan

        return plan(self.table("plans").read_all() if plans is None else plans, self, **options)
