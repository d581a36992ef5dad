"""Excel and back: contacts as a sheet of cards, and what somebody changed in it.

::

    crm.write_cards(base.contacts(), "contacts.xlsx", template="card.yaml")
    edited = crm.read_edits("contacts.xlsx", base.contacts(), template="card.yaml")
    edited.edits, edited.conflicts, edited.new, edited.problems

The workbook keeps what was exported in a hidden sheet, so a cell has three values: as it was exported, as it is in the sheet, as the
contact has it now. Only what differs between the first two is an edit; where the third differs as well, it is a conflict, and is not
taken. Contacts that were merged since the export keep a row each: what these rows change differently is a conflict too. What a
spreadsheet does to a value by itself (dates, leading zeros, a plus before digits) is no change.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.cards import CardTemplate, all_cards, cards_of, iso_day, misfit
from crm_engine.config import nearest
from crm_engine.errors import ConfigError, FileFormatError
from crm_engine.output import output_format, write_sheets, write_table
from crm_engine.sources import ReadOptions, Source, open_sources
from crm_engine.written_numbers import as_number

Progress = Callable[[str, int, int], Any]
Template = str | os.PathLike[str] | Mapping[str, Any] | CardTemplate

_SHEET = "Contacts"
_EXPORTED = "Exported"
#: The row of the hidden sheet that says what the columns are called in the visible one.
_LABELS = "#labels"
#: Columns that say which contact a card is of.
_IDENTITY = ("contact_id", "n_records", "source", "source_key")

EDITS_SCHEMA = pa.schema([("contact_id", pa.string()), ("column", pa.string()), ("value", pa.string())])
CONFLICTS_SCHEMA = pa.schema(
    [("contact_id", pa.string()), ("column", pa.string()), ("exported", pa.string()), ("edited", pa.string()), ("current", pa.string())]
)
PROBLEMS_SCHEMA = pa.schema([("row", pa.int64()), ("contact_id", pa.string()), ("column", pa.string()), ("reason", pa.string())])


@dataclass
class Edits:
    """What somebody changed in a file of contacts."""

    #: ``contact_id``, ``column``, ``value``: cells that were changed, for ``base.edit``.
    edits: pa.Table
    #: Cells that were changed in the file and since then in the base too; they are not among ``edits``.
    conflicts: pa.Table
    #: Rows without a ``contact_id``: contacts to be matched as in any import.
    new: pa.Table
    #: What a card template refuses, what is no value of its column, or an id that no contact has: ``row``, ``contact_id``, ``column``,
    #: ``reason``. Nothing of such a row is taken.
    problems: pa.Table
    #: ``cards`` rows = ``cards_changed`` + ``cards_unchanged`` + ``cards_refused`` + ``cards_new``.
    counts: dict[str, int]


def write_cards(
    contacts: Any,
    path: str | os.PathLike[str],
    *,
    template: Template | None = None,
    columns: Sequence[str] = (),
    progress: Progress | None = None,
) -> list[str]:
    """Writes contacts for people to edit; returns warnings.

    ``contacts`` is a table or a stream with a column ``contact_id`` (``base.contacts()``, ``result.contacts``). A ``template`` or
    ``columns`` choose columns and their order. In a workbook, lists of values become drop-downs, dates dates, and a hidden sheet keeps
    what was exported; ``.csv``, ``.parquet`` and the others get the same columns alone.

    Raises ``ConfigError`` for an unknown column.
    """
    target = Path(path)
    reader = contacts if isinstance(contacts, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(contacts)
    known = reader.schema.names
    if "contact_id" not in known:
        raise ConfigError(f"cards are of contacts: a column contact_id is needed; there are {', '.join(known[:20])}")
    card = CardTemplate.load(template) if template is not None else None
    chosen = card_columns(known, template=card, columns=columns)
    table = all_cards(reader).select(chosen)
    if output_format(target) != ".xlsx":
        return write_table(table, target, progress=progress)
    style = _sheet_style(card, chosen)
    labels = {name: style["columns"].get(name, {}).get("label", name) for name in chosen}
    labels["contact_id"] = _LABELS
    exported = pa.concat_tables([pa.table({name: pa.array([labels[name]], pa.string()) for name in chosen}), table])
    styles = {_SHEET: style, _EXPORTED: {"hidden": True, "no_filter": True}}
    return write_sheets({_SHEET: table, _EXPORTED: exported}, target, styles=styles, progress=progress)


def card_columns(known: Sequence[str], *, template: Template | None = None, columns: Sequence[str] = ()) -> list[str]:
    """The columns that cards of contacts with the columns ``known`` have. Raises ``ConfigError`` for an unknown one."""
    card = CardTemplate.load(template) if template is not None else None
    for name in columns:
        if name not in known:
            raise ConfigError(f"the contacts have no column '{name}'{nearest(name, known)}")
    wanted = list(columns) or (card.named(known) if card is not None else list(known))
    return ["contact_id", *(name for name in wanted if name != "contact_id")]


def _sheet_style(card: CardTemplate | None, chosen: Sequence[str]) -> dict[str, Any]:
    columns: dict[str, Any] = {name: {"dates": True} for name in chosen if name in ("birth_date", "created_at", "updated_at")}
    if card is not None:
        columns |= {name: columns.get(name, {}) | look for name, look in card.style().items() if name in chosen}
    columns["contact_id"] = {"header": "grey", "text": True, "hint": "Tells whose card it is: leave it as it is. Empty for a new contact."}
    return {"columns": columns, "freeze_columns": 1}


def read_edits(
    path: str | os.PathLike[str],
    current: Any,
    *,
    template: Template | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Edits:
    """Compares an edited file with the contacts as they are now (``base.contacts()``, or any table with ``contact_id``).

    ``aliases`` maps ids that were absorbed since to their survivors. A file without the hidden sheet (a CSV, or a workbook that another
    program rewrote) has no exported values: then whatever differs from the contact is an edit, and a conflict is only what the rows of
    contacts that were merged since say differently.
    """
    where = os.fspath(path)
    card = CardTemplate.load(template) if template is not None else None
    sheets, exported, labels = _read(where)
    names: dict[str, str] = {}
    rows: list[tuple[int, dict[str, str | None]]] = []
    for sheet in sheets:
        of_sheet = _names(sheet.columns, labels, card)
        names |= of_sheet
        rows += _rows(sheet, of_sheet)
    follow = aliases or {}
    wanted = {follow.get(row["contact_id"], row["contact_id"]) for _, row in rows if row["contact_id"]}
    reader = current if isinstance(current, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(current)
    unknown = [name for name in names.values() if name not in reader.schema.names]
    if unknown:
        raise ConfigError(
            f"{where}: the contacts have no column '{unknown[0]}'{nearest(unknown[0], reader.schema.names)}; "
            "give the card template that the file was exported with, or take the column out"
        )
    now = {one["contact_id"]: one for one in cards_of(reader, wanted).to_pylist()}
    comparison = _Comparison(card, exported, now, follow, list(dict.fromkeys(names.values())))
    # A row that the reader took for a note or a total may be a card that somebody began: it is told, not lost.
    for skipped in (row for sheet in sheets for row in sheet.skipped):
        comparison.refuse(skipped.row, None, [("", f"was not read: {skipped.reason}")])
    return comparison.run(rows)


def card_column(source: Source) -> int | None:
    """The place of the column ``contact_id``, which tables of cards have."""
    return next((place for place, name in enumerate(source.columns) if _fold(name) == "contact_id"), None)


def has_cards(path: str | os.PathLike[str]) -> list[str] | None:
    """Ids of the first cards of a file, ``None`` where it has no column ``contact_id``."""
    for source in open_sources(os.fspath(path)):
        if (place := card_column(source)) is not None:
            first = next(source.batches(), None)
            return [] if first is None else [one for one in first.batch.column(place).to_pylist() if one]
    return None


class _Wanted(NamedTuple):
    """A changed cell: the place of its row among the file's rows (its number alone is one per sheet), and the cell before and after."""

    place: int
    before: str | None
    value: str | None


def _met_contacts(written: Iterable[str | None], aliases: Mapping[str, str]) -> set[str]:
    """The contacts that several ids of a file lead to, because they were merged since."""
    first: dict[str, str] = {}
    return {contact for one in written if one and first.setdefault(contact := aliases.get(one, one), one) != one}


class _Comparison:
    """The cards of a file beside what was exported and what is now."""

    def __init__(
        self,
        card: CardTemplate | None,
        exported: Mapping[str, Mapping[str, str | None]],
        now: Mapping[str, Mapping[str, str | None]],
        aliases: Mapping[str, str],
        columns: list[str],
    ) -> None:
        self._card = card
        self._exported = exported
        self._now = now
        self._aliases = aliases
        self._columns = columns
        self._locked = {column.name for column in card.columns if column.locked} if card is not None else set()
        self._edits: list[dict[str, Any]] = []
        self._conflicts: list[dict[str, Any]] = []
        self._problems: list[dict[str, Any]] = []
        self._new: list[dict[str, str | None]] = []
        self._seen: set[str] = set()
        self._met: set[str] = set()
        #: Changed cells by contact and column.
        self._wanted: dict[tuple[str, str], list[_Wanted]] = {}
        self._counts = dict.fromkeys(("cards", "cards_changed", "cards_unchanged", "cards_refused", "cards_new"), 0)

    def run(self, rows: Sequence[tuple[int, dict[str, str | None]]]) -> Edits:
        self._met = _met_contacts((row["contact_id"] for _, row in rows), self._aliases)
        for place, (number, row) in enumerate(rows):
            self._counts["cards"] += 1
            self._counts[f"cards_{self._take(place, number, row)}"] += 1
        n_changed = len(self._settle())
        self._counts["cards_changed"] += n_changed
        self._counts["cards_unchanged"] -= n_changed
        new_columns = [name for name in self._columns if name not in _IDENTITY or name == "source_key"]
        new = pa.table({name: pa.array([row.get(name) for row in self._new], pa.string()) for name in new_columns})
        counts = {**self._counts, "edits": len(self._edits), "conflicts": len(self._conflicts), "problems": len(self._problems)}
        return Edits(
            pa.Table.from_pylist(self._edits, EDITS_SCHEMA),
            pa.Table.from_pylist(self._conflicts, CONFLICTS_SCHEMA),
            new,
            pa.Table.from_pylist(self._problems, PROBLEMS_SCHEMA),
            counts,
        )

    def _take(self, place: int, number: int, row: dict[str, str | None]) -> str:
        """What becomes of a row: new, refused, or unchanged until the edits that it wants are settled."""
        written = row["contact_id"]
        if not written:
            return self.refuse(number, None, self._judge(row)) or self._keep_new(row)
        contact = self._aliases.get(written, written)
        now = self._now.get(contact)
        if now is None:
            return self.refuse(number, written, [("contact_id", "is the id of no contact")]) or "refused"
        if written in self._seen:
            return self.refuse(number, written, [("contact_id", "stands in the file twice")]) or "refused"
        self._seen.add(written)
        before = self._exported.get(written, now)
        there = [name for name in self._columns if name in row and name not in _IDENTITY]
        changed = {name: row[name] for name in there if not is_same_cell(row[name], before.get(name))}
        wrong = [(name, "is not to be changed here") for name in changed if name in self._locked]
        wrong += [(name, reason) for name, reason in self._judge(row) if name in changed]
        judged = {name for name, _ in wrong}
        wrong += [(name, reason) for name, text in changed.items() if name not in judged and (reason := misfit(name, text))]
        if wrong:
            return self.refuse(number, written, wrong) or "refused"
        if contact in self._met and written not in self._exported:
            # What its row was exported with is not known: a cell beside another row's of the same contact may be what somebody wants.
            changed = {name: row[name] for name in there}
        for name, value in changed.items():
            self._wanted.setdefault((contact, name), []).append(_Wanted(place, before.get(name), value))
        return "unchanged"

    def _settle(self) -> set[int]:
        """Takes the edits, once per cell of a contact, and tells the conflicts; returns the rows that an edit comes from."""
        taken: set[int] = set()
        for (contact, name), wanted in self._wanted.items():
            current = self._now[contact].get(name)
            differing = [one for one in wanted if not is_same_cell(one.value, current)]
            if not differing:
                continue
            # Contacts that were merged since the export have several rows, and these may want different values.
            agreed = all(is_same_cell(one.value, wanted[0].value) for one in wanted[1:])
            if agreed and any(is_same_cell(one.before, current) for one in differing):
                self._edits.append({"contact_id": contact, "column": name, "value": differing[0].value})
                taken.update(one.place for one in differing)
                continue
            for one in differing:
                told = {"exported": one.before, "edited": one.value, "current": current}
                self._conflicts.append({"contact_id": contact, "column": name, **told})
        return taken

    def _judge(self, row: Mapping[str, str | None]) -> list[tuple[str, str]]:
        return self._card.problems(row) if self._card is not None else []

    def _keep_new(self, row: dict[str, str | None]) -> str:
        self._new.append(row)
        return "new"

    def refuse(self, number: int, contact: str | None, problems: Sequence[tuple[str, str]]) -> str | None:
        """Notes why a row is not taken."""
        self._problems += [{"row": number, "contact_id": contact, "column": column, "reason": reason} for column, reason in problems]
        return "refused" if problems else None


def _read(where: str) -> tuple[list[Source], dict[str, dict[str, str | None]], dict[str, str]]:
    """The sheets of cards, what was exported by ``contact_id``, and the names of columns by label."""
    sheets = [source for source in open_sources(where) if card_column(source) is not None]
    if not sheets:
        raise FileFormatError(f"{where}: has no column contact_id, so it cannot say whose cards these are", file=where)
    exported: dict[str, dict[str, str | None]] = {}
    labels: dict[str, str] | None = None
    for row in _hidden_rows(where):
        contact = row.pop("contact_id", None)
        if contact == _LABELS:
            labels = {_fold(label or name): name for name, label in row.items()}
        elif labels is None or not contact:
            raise _damaged(where)
        else:
            exported[contact] = row
    return sheets, exported, labels or {}


def _damaged(where: str) -> FileFormatError:
    """What was exported cannot be told any more; to take all that differs as edits is the reader's decision, not ours."""
    return FileFormatError(
        f"{where}: the hidden sheet '{_EXPORTED}', which keeps what was exported, was changed; export the contacts again, or delete the "
        "sheet: then whatever differs from the contacts counts as an edit, and no conflict can be told",
        file=where,
    )


def _hidden_rows(where: str) -> Iterator[dict[str, str | None]]:
    """The rows of the hidden sheet, and of those that continue it."""
    number = 1
    while True:
        name = _EXPORTED if number == 1 else f"{_EXPORTED} ({number})"
        try:
            hidden = open_sources(where, ReadOptions(sheet=name, header_row=1))
        except ConfigError:
            # There is no such sheet, or a sheet cannot be chosen because the file is no workbook.
            return
        except FileFormatError as error:
            raise _damaged(where) from error
        if not hidden or hidden[0].report().get("sheet") != name:
            return
        if "contact_id" not in hidden[0].columns or hidden[0].rejects:
            raise _damaged(where)
        for text in hidden[0].batches():
            yield from text.batch.to_pylist()
        number += 1


def _names(columns: Sequence[str], labels: Mapping[str, str], card: CardTemplate | None) -> dict[str, str]:
    """What the columns of the sheet are: by their labels, else by their names."""
    known = dict(labels)
    if card is not None:
        known |= {_fold(column.label): column.name for column in card.columns}
    names = {column: "contact_id" if _fold(column) == "contact_id" else known.get(_fold(column), column) for column in columns}
    return {column: name for column, name in names.items() if not re.fullmatch(r"column_\d+", name)}


def _fold(name: str) -> str:
    return name.strip().casefold()


def _rows(sheet: Source, names: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str | None]]]:
    for text in sheet.batches():
        columns = {name: pc.utf8_trim_whitespace(text.batch.column(column)).to_pylist() for column, name in names.items()}
        for place, number in enumerate(text.source_rows.to_pylist()):
            yield number, {name: values[place] or None for name, values in columns.items()}


def is_same_cell(one: str | None, other: str | None) -> bool:
    """Whether two cells say the same, as far as a spreadsheet can be blamed for the difference.

    >>> is_same_cell("00042", "42"), is_same_cell("2024-05-01", "2024-05-01T00:00:00"), is_same_cell("ivanov", "Ivanov")
    (True, True, False)
    """
    return one == other or _form(one) == _form(other)


def _form(text: str | None) -> str:
    tidy = " ".join((text or "").split())
    if tidy[:1] == "'":
        tidy = tidy[1:]
    if not tidy or not (tidy[0].isdigit() or tidy[0] in "+-.,"):
        return {"TRUE": "true", "FALSE": "false"}.get(tidy, tidy)
    if (day := iso_day(tidy)) is not None:
        return day
    if re.fullmatch(r"\+?\d+", tidy):
        # By text: a number of more than fifteen digits must not be rounded.
        return tidy.lstrip("+").lstrip("0") or "0"
    number = None
    if len(tidy) <= 16:
        # A program's `1.234` comes back as `1,234` from a spreadsheet whose decimal sign is the comma.
        number = as_number(tidy) if as_number(tidy) is not None else as_number(tidy, decimal=",")
    if number is not None:
        return f"{number:.12g}"
    return tidy.replace("T", " ") if re.match(r"\d{4}-\d\d-\d\dT", tidy) else tidy
