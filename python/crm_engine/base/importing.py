"""Contacts in: new records join existing contacts or found new ones, changed ones become new versions, the rest is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.base.accounting import Logged, log_inputs
from crm_engine.base.bounds import Bounds
from crm_engine.base.cells import CELLS, to_cells
from crm_engine.base.decisions import LAST_WORDS, push_words
from crm_engine.base.deriving import Derived, derive
from crm_engine.base.edits import push_edits
from crm_engine.base.runs import Run, Writing
from crm_engine.base.schema import TABLES, rows_to_table
from crm_engine.base.snapshots import mark_gone, reappear
from crm_engine.base.spool import Spool
from crm_engine.base.suppression import Suppression
from crm_engine.base.versions import STATUSES, Judged, judge, signed
from crm_engine.config import load_config
from crm_engine.dedupe import InputTable, source_name_of, tables_without_contacts, with_roles
from crm_engine.errors import ConfigError, LimitError
from crm_engine.sources import Progress, open_sources

if TYPE_CHECKING:
    from crm_engine.base.base import Base

_SPOOLED = pa.schema(
    [
        ("record_id", pa.int64()),
        ("content_hash", pa.int64()),
        ("source", pa.string()),
        ("source_key", pa.string()),
        ("updated_at", pa.int64()),
        ("layout_id", pa.int64()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("cells", CELLS),
    ]
)


def import_contacts(
    base: Base,
    source: Any,
    *,
    source_name: str | None,
    mapping: Any,
    snapshot: bool,
    allow_large_merges: bool,
    wait: float,
    dry_run: bool,
    progress: Progress | None,
    memory_limit: int | str | None,
    tmp_dir: Any,
) -> Run:
    """See ``Base.import_contacts``."""
    settings = load_config(None, mapping=mapping, memory_limit=memory_limit, tmp_dir=tmp_dir)
    sources = open_sources(source, settings.mapping.read, progress=progress)
    if not sources:
        raise ConfigError("nothing to read: give at least one file or table")
    inputs = with_roles(sources, settings.mapping)
    bounds = Bounds(settings.memory_limit, Path(settings.tmp_dir) if settings.tmp_dir else None)
    with (
        base._lake.within(bounds),
        base._writing("import", target="contacts", source=source_name, wait=wait, dry_run=dry_run) as writing,
    ):
        taking = _Taking(writing, Suppression(writing), bounds)
        try:
            for table in inputs:
                taking.take(table, source_name or source_name_of(table.source.name), progress)
            judged = taking.judge()
            taking.store(judged)
            taking.recall(judged)
        finally:
            taking.close()
        n_back = reappear(writing, judged.record_ids)
        n_gone = mark_gone(writing, taking.sources, judged.record_ids) if snapshot else 0
        derived = derive(writing, taking.change, progress)
        _refuse_large_merges(writing, derived, allow=allow_large_merges)
        logged = log_inputs(writing, "contacts", sources, source_name)
        writing.run.warnings += tables_without_contacts(inputs)
        _account(writing, taking, judged, derived, logged)
        # The same file again: the base says all of it already, and a run that says it again would be a version of nothing.
        writing.run.nothing_new = not (judged.changes or n_back or n_gone or logged.has_news or taking.has_new_layout)
        if snapshot:
            writing.run.counts["gone"] = n_gone
            if n_gone:
                writing.run.warnings.append(f"{n_gone:,} records of the source are no longer in it; they are marked as gone, and kept")
    return writing.run


class _Taking:
    """Rows on their way in: pushed to the index, spooled, then stored where they are new versions."""

    def __init__(self, writing: Writing, suppression: Suppression, bounds: Bounds) -> None:
        self.writing = writing
        self.index = writing.base._index.opened()
        self.change = self.index.change(writing.run_id, bounds.memory_limit)
        self.sources: set[str] = set()
        self.n_suppressed = 0
        self.n_rows = 0
        #: Whether some columns are understood as no import understood them before; known once ``store`` has run.
        self.has_new_layout = False
        self._suppression = suppression
        self._spool = Spool(bounds.tmp_dir or writing.base.path / "tmp", _SPOOLED, in_memory=bounds.rows_in_memory)
        self._layouts: list[tuple[int, int, int, str, str | None]] = []
        self._ids: list[Any] = []
        self._hashes: list[Any] = []
        self._statuses: list[Any] = []

    def take(self, table: InputTable, source: str, progress: Progress | None) -> None:
        """Pushes the rows of one table of the input."""
        layout = self.change.declare(source, table.columns)
        layout_id = layout_id_of(source, table.columns)
        self._layouts += [(layout_id, self.writing.run_id, place, name, role) for place, (name, role) in enumerate(table.columns)]
        by_role: dict[str, list[str]] = {}
        for name, role in table.columns:
            by_role.setdefault(role or "", []).append(name)
        for batch, rows in table.batches:
            rows = pa.array(rows).cast(pa.int64())
            sources = _named(batch, by_role.get("source", []), source)
            keys = _named(batch, by_role.get("source_key", []), None)
            if self._suppression.is_needed:
                kept = self._suppression.kept(batch, table.columns, sources, keys)
                self.n_suppressed += len(batch) - int(pc.sum(kept).as_py() or 0)
                batch, rows, sources, keys = batch.filter(kept), rows.filter(kept), sources.filter(kept), keys.filter(kept)
            if not len(batch):
                continue
            known = self.change.push(layout, batch)
            self._keep(known, batch, sources, keys, layout_id, table.source.name, rows)
            if progress is not None:
                progress("reading", self.n_rows, 0)

    def _keep(self, known: Any, batch: Any, sources: Any, keys: Any, layout_id: int, file: str, rows: Any) -> None:
        n = len(batch)
        hashes = signed(known.column("version_hash"))
        self._ids.append(np.asarray(known.column("record_id").to_numpy(zero_copy_only=False)))
        self._hashes.append(hashes)
        codes = pc.index_in(known.column("status"), pa.array(STATUSES))
        self._statuses.append(np.asarray(codes.to_numpy(zero_copy_only=False)).astype(np.int8))
        self.sources.update(pc.unique(sources).to_pylist())
        columns = [
            known.column("record_id"), pa.array(hashes), sources, keys, known.column("updated_at"),
            pa.repeat(pa.scalar(layout_id, pa.int64()), n), pa.repeat(pa.scalar(file), n), rows, to_cells(batch),
        ]  # fmt: skip
        self._spool.add(
            pa.RecordBatch.from_arrays(
                [c if c.type == f.type else c.cast(f.type) for c, f in zip(columns, _SPOOLED, strict=True)], schema=_SPOOLED
            )
        )
        self.n_rows += n

    def judge(self) -> Judged:
        """What the rows come to, all of them together."""

        def known(record_ids: Any) -> tuple[Any, Any]:
            found = self.index.lookup(pa.array(record_ids, pa.int64()))
            hashes = signed(pc.fill_null(found.column("version_hash"), 0))
            return hashes, np.asarray(found.column("is_known").to_numpy(zero_copy_only=False))

        empty = np.zeros(0, np.int64)
        ids, hashes = (np.concatenate(parts) if parts else empty for parts in (self._ids, self._hashes))
        statuses = np.concatenate(self._statuses) if self._statuses else empty.astype(np.int8)
        return judge(self.writing.transaction, ids, hashes, statuses, known)

    def store(self, judged: Judged) -> None:
        """Writes the new versions, and what became of the others."""
        transaction = self.writing.transaction
        transaction.insert("records", self._rows("records", judged.stored), TABLES["records"])
        transaction.insert("sightings", self._rows("sightings", judged.seen), TABLES["sightings"])
        transaction.insert("superseded", _versions(judged.superseded))
        if len(judged.restored[0]):
            with transaction.known(_restored=_versions(judged.restored)):
                transaction.execute(
                    "DELETE FROM superseded WHERE table_name = 'records' AND (id, content_hash) IN (SELECT (id, content_hash) FROM _restored)"
                )
        layouts = list(dict.fromkeys(self._layouts))
        known = {row[0] for row in transaction.rows("SELECT DISTINCT layout_id FROM layouts")}
        self.has_new_layout = any(layout[0] not in known for layout in layouts)
        if self.has_new_layout and judged.counts["unchanged"]:
            self._warn_of_other_roles([layout for layout in layouts if layout[0] not in known])
        transaction.insert("layouts", rows_to_table("layouts", layouts))

    def _warn_of_other_roles(self, layouts: list[tuple[int, int, int, str, str | None]]) -> None:
        """Rows that are known keep the meaning that their columns had when they came: a mapping that is mended afterwards does not reach them."""
        former: dict[tuple[str, str | None], int] = {}
        transaction = self.writing.transaction
        # Another source may mean something else by a column of the same name.
        with transaction.known(_sources=pa.table({"source": pa.array(sorted(self.sources), pa.string())})):
            meanings = transaction.rows("""
                SELECT column_name, role, min(run_id) FROM layouts
                WHERE layout_id IN (SELECT DISTINCT layout_id FROM records WHERE source IN (SELECT source FROM _sources)) GROUP BY ALL""")
        for name, role, run_id in meanings:
            former[name, role] = int(run_id)
        names = {name for name, _ in former}
        other = {name: role for _, _, _, name, role in layouts if name in names and (name, role) not in former}
        if not other:
            return
        told = ", ".join(f"'{name}' as {role or 'a custom field'}" for name, role in list(other.items())[:5])
        first = min(run_id for (name, _), run_id in former.items() if name in other)
        self.writing.run.warnings.append(
            f"columns are understood otherwise than before ({told}); rows that are known already keep what their columns meant when they came: "
            f"undo that import (run {first} was the first) and import the file again"
        )

    def _rows(self, table: str, chosen: npt.NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
        """The chosen rows of the input as rows of a table."""
        start = 0
        for batch in self._spool.batches():
            mask = chosen[start : start + len(batch)]
            start += len(batch)
            if not mask.any():
                continue
            rows = batch if mask.all() else batch.filter(pa.array(mask))
            columns = dict(zip(rows.schema.names, rows.columns, strict=True))
            columns |= {"id": columns["record_id"], "table_name": pa.repeat(pa.scalar("records"), len(rows))}
            columns["run_id"] = pa.repeat(pa.scalar(self.writing.run_id, pa.int64()), len(rows))
            yield pa.RecordBatch.from_arrays([columns[field.name] for field in TABLES[table]], schema=TABLES[table])

    def recall(self, judged: Judged) -> None:
        """Tells the index of decisions on, and edits of, records that came: they may have been there before their records."""
        transaction = self.writing.transaction
        if not transaction.value("SELECT EXISTS (SELECT 1 FROM decisions) OR EXISTS (SELECT 1 FROM edits)"):
            return
        came = "(SELECT record_id FROM _came)"
        with transaction.known(_came=pa.table({"record_id": judged.record_ids})):
            words = transaction.rows(
                f"SELECT record_id_a, record_id_b, decision FROM ({LAST_WORDS}) WHERE record_id_a IN {came} OR record_id_b IN {came} ORDER BY ALL"
            )
            edits = transaction.rows(
                f"SELECT record_id, column_name, value, origin, edit_order FROM edits WHERE record_id IN {came} ORDER BY edit_order"
            )
        push_words(self.change, [word for word in words if word[2] in ("same", "different")])
        push_edits(self.change, edits)

    def close(self) -> None:
        """Lets go of what was spooled."""
        self._spool.close()


def layout_id_of(source: str, columns: list[tuple[str, str | None]]) -> int:
    """A number for a way in which columns are understood."""
    import hashlib

    digest = hashlib.blake2b(json.dumps([source, columns], ensure_ascii=False).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _named(batch: pa.RecordBatch, columns: list[str], otherwise: str | None) -> pa.Array:
    """The first filled cell of some columns, trimmed."""
    found = pa.nulls(len(batch), pa.string())
    for name in columns:
        text = pc.utf8_trim_whitespace(batch.column(name))
        found = pc.coalesce(found, pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text))
    return pc.fill_null(found, otherwise) if otherwise is not None else found


def _versions(versions: tuple[Any, Any]) -> pa.Table:
    columns = [["records"] * len(versions[0]), *versions]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, TABLES["superseded"], strict=True)], schema=TABLES["superseded"])


#: A contact that grows to more than this share of all records, or an import that absorbs more than this share of the contacts that were
#: there, is rather a column understood wrongly than people who met.
_LARGE_CONTACT, _LARGE_CONTACT_SHARE = 200, 0.02
_MANY_MERGED, _MANY_MERGED_SHARE = 100, 0.1


def _refuse_large_merges(writing: Writing, derived: Derived, *, allow: bool) -> None:
    n_records = derived.n_records
    reasons = []
    n_merged, n_before = derived.counts["contacts_merged"], derived.n_contacts_before
    if n_merged > max(_MANY_MERGED, _MANY_MERGED_SHARE * n_before):
        reasons.append(f"{n_merged:,} of {n_before:,} contacts that were there would be merged with others")
    for contact, before, after in derived.largest:
        if after - before > max(_LARGE_CONTACT, _LARGE_CONTACT_SHARE * n_records):
            reasons.append(f"contact {contact} would grow from {before:,} to {after:,} records")
    if not reasons:
        return
    told = "; ".join(reasons)
    if allow or writing.run.dry_run:
        writing.run.warnings.append(f"large merges: {told}")
        return
    raise LimitError(
        f"the import was stopped, nothing was changed: {told}. Perhaps a column is understood wrongly (see crm-engine profile, mapping=...), "
        "or one value stands in many rows. If it is right, say allow_large_merges=True"
    )


def _account(writing: Writing, taking: _Taking, judged: Judged, derived: Derived, logged: Logged) -> None:
    run = writing.run
    n_erased = taking.n_suppressed
    run.counts = {
        "rows_in": taking.n_rows + n_erased + logged.n_rejected + logged.n_skipped,
        "new": judged.counts["new"],
        "updated": judged.counts["updated"],
        "unchanged": judged.counts["unchanged"],
        "duplicates": judged.counts["duplicates"],
        "rejected": logged.n_rejected + n_erased,
        "skipped": logged.n_skipped,
        **derived.counts,
    }
    if n_erased:
        run.counts["erased"] = n_erased
        run.warnings.append(f"{n_erased:,} rows belong to people who were erased; they were kept out")
    if judged.counts["older"]:
        run.counts["older"] = judged.counts["older"]
