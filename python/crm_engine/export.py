"""A base's contacts and tables as files, and edited cards back into the base."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crm_engine.audience import Audience, audience
from crm_engine.edited import Edits, Template, card_columns, has_cards, read_edits, write_cards
from crm_engine.errors import ConfigError, LockedError
from crm_engine.output import check_output, write_table

if TYPE_CHECKING:
    from crm_engine.base import Base, Run

Progress = Callable[[str, int, int], Any]


@dataclass
class Exported:
    """What an export wrote, and for contacts who is in it and who was left out."""

    rows: int
    warnings: list[str]
    audience: Audience | None = None


def export(
    base: Base,
    path: str | os.PathLike[str],
    *,
    table: str | None = None,
    rules: Any = None,
    segments: Sequence[str] = (),
    columns: Sequence[str] = (),
    template: Template | None = None,
    purpose: str | None = None,
    suppress: Iterable[Any] = (),
    today: Any = None,
    date_order: str | None = None,
    wait: float = 0,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Writes contacts of a base (all, or the members of ``segments`` of ``rules``, see ``Base.segment``), or one of its other tables.

    Contacts are written as cards (see ``crm_engine.edited``), so that ``import_cards`` takes back what somebody edits; ``purpose`` and
    ``suppress`` leave out who must not be written to (see ``crm_engine.audience``). The export is noted in the base's history, because an
    erasure tells which exports may still hold the person; another writer is waited for up to ``wait`` seconds, and that the note could not
    be made is a warning. With ``dry_run`` nothing is written or noted, and all that would be refused is.

    Raises ``SchemaError`` for an unknown table, ``ConfigError`` for an unknown column or format, or a folder that is not there.
    """
    check_output(path)
    if table is not None and table != "contacts":
        if template is not None or segments or purpose is not None or suppress:
            raise ConfigError(f"templates, segments, purposes and suppression lists are for contacts, not for the table '{table}'")
        rows = base.table(table, list(columns) or None).read_all()
        exported = Exported(rows.num_rows, [] if dry_run else write_table(rows, path, sheet=table, progress=progress))
    else:
        members = base.segment(rules, today=today, date_order=date_order, keep=False) if segments else None
        chosen = audience(
            base.contacts().read_all(), members, segments, purpose=purpose, suppress=suppress, key="contact_id", aliases=_aliases(base)
        )
        if dry_run:
            card_columns(chosen.table.column_names, template=template, columns=columns)
            warnings = []
        else:
            warnings = write_cards(chosen.table, path, template=template, columns=columns, progress=progress)
        exported = Exported(
            chosen.table.num_rows, [*(members.warnings if members is not None else []), *chosen.warnings, *warnings], chosen
        )
    if dry_run:
        return exported
    try:
        with base._writing("export", target=os.fspath(path), wait=wait) as writing:
            writing.run.counts = {"rows": exported.rows, "table": table or "contacts"}
    except LockedError:
        exported.warnings.append("another process writes to the base: this export could not be noted in its history")
    return exported


@dataclass
class CardImport:
    """What became of an edited file."""

    edited: Edits
    runs: list[Run]

    @property
    def summary(self) -> dict[str, Any]:
        """The account, JSON-serialisable."""
        return {**self.edited.counts, "runs": [run.summary for run in self.runs]}


def import_cards(
    base: Base,
    path: str | os.PathLike[str],
    *,
    template: Template | None = None,
    source_name: str | None = None,
    allow_large_merges: bool = False,
    wait: float = 0,
    dry_run: bool = False,
) -> CardImport:
    """Takes an edited file of cards into a base: changed cells become edits, rows without a ``contact_id`` are matched as any import.

    The lineage of an edit says "edited in FILE". Conflicts and refused rows are in ``edited.conflicts`` and ``edited.problems``; nothing
    of them is taken.
    """
    # Compared, edited and imported under one lock: what the base says must not change between.
    with base._lock.held("cards", wait=wait):
        edited = read_edits(path, base.contacts(), template=template, aliases=_aliases(base))
        name = Path(path).name
        runs = []
        if edited.edits.num_rows:
            runs.append(base.edit(edited.edits, origin=f"edited in {name}", wait=wait, dry_run=dry_run))
        if edited.new.num_rows:
            filled = [column for column in edited.new.column_names if edited.new[column].null_count < edited.new.num_rows]
            known = source_name or Path(path).stem
            try:
                runs.append(
                    base.import_contacts(
                        edited.new.select(filled), source_name=known, allow_large_merges=allow_large_merges, wait=wait, dry_run=dry_run
                    )
                )
            except BaseException as error:
                if runs and runs[0].run_id is not None:
                    error.add_note(f"the edited cells were taken before that, as run {runs[0].run_id}")
                raise
    return CardImport(edited, runs)


def is_of_base(base: Base, path: str | os.PathLike[str]) -> bool:
    """Whether a file holds cards of this base: a column ``contact_id`` with an id that the base knows, or knew."""
    ids = has_cards(path)
    if ids is None:
        return False
    wanted = pa.array(ids, pa.string())
    known = (base.contacts(["contact_id"]), base.table("aliases", [base.table("aliases").schema.names[0]]))
    return any(pa.compute.any(pa.compute.is_in(batch.column(0), wanted)).as_py() for reader in known for batch in reader)


def _aliases(base: Base) -> dict[str, str]:
    """Ids that merges took away, and the contacts that bear them now."""
    aliases = base.table("aliases").read_all()
    return dict(zip(*(aliases[name].to_pylist() for name in aliases.column_names[:2]), strict=True))
