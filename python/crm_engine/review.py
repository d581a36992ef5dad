"""The review loop: uncertain contacts as a workbook that people fill in, and their word read back.

::

    crm.write_review("out/", "review.xlsx")            # of a folder that `dedupe` wrote, or of a base
    review = crm.read_review("review.xlsx")            # also partly filled in, sorted, with rows deleted
    review.decisions                                   # record_id_a, record_id_b, decision

The workbook has a group per uncertain contact: row A, and beneath it the contacts that may be the same (B, C, ...), with a drop-down
*Decision* each: same, different, later. In a base the last row of a group, *keep*, chooses per field whose value to keep.
Every row bears what it is about in hidden columns, so the order of the rows does not matter.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crm_engine.cards import cards_of, misfit
from crm_engine.errors import ConfigError, FileFormatError
from crm_engine.output import output_format, write_sheets
from crm_engine.sources import ReadOptions, open_sources

Progress = Callable[[str, int, int], Any]

DECISIONS = ("same", "different", "later")
DECISIONS_SCHEMA = pa.schema([("record_id_a", pa.int64()), ("record_id_b", pa.int64()), ("decision", pa.string())])

#: Contacts beside the first of a group; further ones begin a group of their own.
_MOST_BESIDE = len(string.ascii_uppercase) - 1
#: Columns of ours in the sheet; the others are the contacts'.
_OWN = ("Decision", "Group", "Row", "Probability", "Records")
_HIDDEN = ("contact_id", "pairs", "letters", "records", "records_a")
#: Records of a contact that a decision links; a cell cannot hold many more.
_MOST_RECORDS = 1000
#: Columns that say where a contact is from, not what it is: shown last, never coloured.
_OF_THE_SOURCE = ("contact_type", "source", "source_key", "created_at", "updated_at")
_KEEP = "keep"
_HINT = "same: one contact with row A of the group\ndifferent: another contact\nlater: leave it open"
_HOW_TO = (
    "Each group shows a contact (row A) and those that may be the same (rows B, C, ...).",
    "Yellow cells differ, orange cells are empty where the other row has a value.",
    "Choose a Decision in the rows B, C, ...: same (as row A), different, or later. Rows without one stay open.",
    "Rows may be sorted, filtered and deleted; the hidden columns at the right must stay.",
)
_HOW_TO_KEEP = (
    "In the row 'keep' choose per field whose value the merged contact shows, A, B, ..., or type another value.",
    "An empty cell in that row leaves the choice to the rules.",
)


@dataclass
class Group:
    """A contact and those that may be the same, the likeliest first."""

    center: str
    #: (contact_id, match_probability, pairs of record ids between the two, the strongest first)
    others: list[tuple[str, float, list[tuple[int, int]]]]


@dataclass
class Keep:
    """Values that somebody chose for a group: column to the letter of a row, or to a text."""

    contacts: dict[str, str]
    chosen: dict[str, str]


@dataclass
class Review:
    """What people said in a workbook."""

    #: ``record_id_a`` < ``record_id_b``, ``decision``; rows without a decision are not in it.
    decisions: pa.Table
    #: Contacts called the same: (of row A, of this row).
    merged: set[tuple[str, str]] = field(default_factory=set)
    keeps: list[Keep] = field(default_factory=list)
    #: The cards as the workbook shows them, by contact.
    cards: dict[str, dict[str, str | None]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    #: How often each decision was made, counted by rows of the workbook.
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DECISIONS, 0))


def write_review(
    source: Any, path: str | os.PathLike[str], *, limit: int | None = 1000, progress: Progress | None = None
) -> dict[str, Any]:
    """Writes the uncertain pairs of ``source`` as a workbook; returns ``groups``, ``pairs``, ``pairs_left`` and ``warnings``.

    ``source`` is a folder that ``dedupe`` wrote, or a base. ``limit`` bounds the pairs of contacts, the likeliest first; ``None`` takes
    all of them.

    Raises ``ConfigError`` where the target is no workbook or the folder no result.
    """
    target = Path(path)
    if output_format(target) != ".xlsx":
        raise ConfigError(f"{target}: a review is filled in by people; write a workbook (.xlsx)")
    is_base = hasattr(source, "review")
    pairs = _pairs_of_base(source) if is_base else _pairs_of_result(Path(source))
    between, n_pairs = _between_contacts(pairs, limit)
    groups = _groups(between)
    wanted = {contact for group in groups for contact in (group.center, *(other[0] for other in group.others))}
    contacts = source.contacts() if is_base else pq.ParquetFile(Path(source) / "contacts.parquet").iter_batches()
    cards = _cards(contacts, wanted)
    table, style = _sheet(groups, cards, _records_of(source, wanted, is_base=is_base), with_keep=is_base)
    how_to = pa.table({"How to": [*_HOW_TO, *(_HOW_TO_KEEP if is_base else ())]})
    styles = {"Review": style, "How to": {"no_filter": True, "columns": {"How to": {"width": 120, "wrap": True}}}}
    warnings = write_sheets({"Review": table, "How to": how_to}, target, styles=styles, progress=progress)
    return {"groups": len(groups), "pairs": len(between), "pairs_left": n_pairs - len(between), "warnings": warnings}


def read_review(path: str | os.PathLike[str]) -> Review:
    """Reads a workbook of ``write_review`` back, as far as it is filled in; a file that is none is a ``FileFormatError``."""
    where = os.fspath(path)
    rows = list(_rows(where))
    words: dict[tuple[int, int], str] = {}
    review = Review(pa.table({name: [] for name in DECISIONS_SCHEMA.names}, schema=DECISIONS_SCHEMA))
    n_misplaced = 0
    for number, row in rows:
        if row["Row"] == _KEEP:
            chosen = {name: value for name, value in row.items() if value and name not in _OWN and name not in _HIDDEN}
            if chosen:
                review.keeps.append(Keep(_letters(row["letters"]), chosen))
            continue
        review.cards[row["contact_id"] or ""] = row
        word = (row["Decision"] or "").strip().casefold()
        if not word:
            continue
        if word not in DECISIONS:
            raise FileFormatError(
                f"{where}, row {number}: a decision is one of {', '.join(DECISIONS)}", file=where, row=number, column="Decision"
            )
        if not row["pairs"]:
            n_misplaced += 1
            continue
        pairs = [_pair(text, where, number) for text in row["pairs"].split()]
        if word == "same":
            review.merged.add((_letters(row["letters"])["A"], row["contact_id"] or ""))
        review.counts[word] += 1
        # The cards are one: a link between two of their records, and all records of each card to these. To keep cards apart each
        # link between them is cut.
        for pair in _links(pairs[0], row) if word == "same" else pairs:
            words[pair] = word
    if n_misplaced:
        review.warnings.append(f"{n_misplaced} decisions stand in rows A, where there is nothing to decide, and were left aside")
    ordered = sorted(words.items())
    columns = [[pair[0] for pair, _ in ordered], [pair[1] for pair, _ in ordered], [word for _, word in ordered]]
    review.decisions = pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, DECISIONS_SCHEMA.types, strict=True)], DECISIONS_SCHEMA
    )
    return review


def is_review(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a workbook that ``write_review`` made."""
    try:
        next(_rows(os.fspath(path)), None)
    except (FileFormatError, OSError):
        return False
    return True


@dataclass
class Reviewed:
    """What a base was told: a run for the decisions, and one for the values to keep, as far as there were any."""

    runs: list[Any]
    counts: dict[str, int]
    warnings: list[str]


def apply_review(base: Any, path: str | os.PathLike[str], *, wait: float = 0, dry_run: bool = False) -> Reviewed:
    """Tells a base what people said: the decisions as one run, the values to keep as another.

    A value is kept where its row was called the same as row A; with ``dry_run`` only the decisions are tried.
    """
    review = read_review(path)
    origin = Path(path).name
    # Both under one lock: nobody changes the contacts between the decisions and the values.
    with base._lock.held("decide", wait=wait):
        edits = _edits(review, base) if review.keeps else []
        runs = [base.decide(review.decisions, origin=origin, wait=wait, dry_run=dry_run)] if review.decisions.num_rows else []
        if edits and not dry_run:
            aliases = base.table("aliases").read_all()
            survivor = dict(zip(*(aliases[name].to_pylist() for name in aliases.column_names[:2]), strict=True))
            rows = [{**edit, "contact_id": survivor.get(edit["contact_id"], edit["contact_id"])} for edit in edits]
            runs.append(base.edit(rows, origin=f"chosen in {origin}", wait=wait))
    return Reviewed(runs, {**review.counts, "values_kept": len(edits)}, review.warnings)


def _edits(review: Review, base: Any) -> list[dict[str, Any]]:
    wanted = {contact for keep in review.keeps for contact in keep.contacts.values()}
    cards = _cards(base.contacts(), wanted)
    rows = {card["contact_id"]: card for card in cards.to_pylist()}
    edits = []
    for keep in review.keeps:
        center = keep.contacts["A"]
        for column, choice in keep.chosen.items():
            letter = choice.strip().upper()
            contact = keep.contacts.get(letter)
            if contact is None:
                if reason := misfit(column, choice):
                    review.warnings.append(f"a value that was typed for {column} {reason}; it was left aside")
                    continue
                value: str | None = choice
            elif letter == "A" or (center, contact) in review.merged:
                # A card that was merged meanwhile (by this very review, given twice) is known from the workbook alone.
                value = rows.get(contact, review.cards.get(contact, {})).get(column)
            else:
                review.warnings.append("a value is to be kept of a row that was not called the same as row A; it was left aside")
                continue
            edits.append({"contact_id": center, "column": column, "value": value})
    return edits


# --- what is uncertain --------------------------------------------------------------------------------------------------------


def _pairs_of_base(base: Any) -> pa.Table:
    return base.review().select(["record_id_a", "record_id_b", "contact_id_a", "contact_id_b", "match_probability"])


def _pairs_of_result(folder: Path) -> pa.Table:
    """The pairs of a result that are not matched, with the contacts of their records."""
    missing = next((name for name in ("pairs", "records", "contacts") if not (folder / f"{name}.parquet").exists()), None)
    if missing is not None:
        raise ConfigError(f"{folder} holds no result of `crm-engine dedupe`: {missing}.parquet is missing")
    pairs = pq.read_table(folder / "pairs.parquet", columns=["record_id_a", "record_id_b", "match_probability", "decision"])
    pairs = pairs.filter(pc.not_equal(pairs["decision"], "match"))
    records = pq.read_table(folder / "records.parquet", columns=["record_id", "contact_id"])
    contact_ids = pc.cast(records["contact_id"], pa.string()).combine_chunks()
    for side in ("a", "b"):
        places = pc.index_in(pairs[f"record_id_{side}"], records["record_id"].combine_chunks())
        pairs = pairs.append_column(f"contact_id_{side}", contact_ids.take(places.combine_chunks()))
    return pairs


def _between_contacts(pairs: pa.Table, limit: int | None) -> tuple[dict[tuple[str, str], tuple[float, list[tuple[int, int]]]], int]:
    """Pairs of contacts with the pairs of records between them, the likeliest first; and how many there are in all."""
    names = ("contact_id_a", "contact_id_b", "match_probability", "record_id_a", "record_id_b")
    found: dict[tuple[str, str], list[tuple[float, tuple[int, int]]]] = {}
    for a, b, probability, record_a, record_b in zip(*(pairs[name].to_pylist() for name in names), strict=True):
        if a != b:
            records = (min(record_a, record_b), max(record_a, record_b))
            found.setdefault((min(a, b), max(a, b)), []).append((probability, records))
    between = {}
    for contacts, of_pair in found.items():
        of_pair.sort(key=lambda one: (-one[0], one[1]))
        between[contacts] = (of_pair[0][0], [records for _, records in of_pair])
    ordered = sorted(between.items(), key=lambda entry: (-entry[1][0], entry[0]))
    return dict(ordered[:limit]), len(ordered)


def _groups(between: Mapping[tuple[str, str], tuple[float, list[tuple[int, int]]]]) -> list[Group]:
    """Stars around the contacts with the most uncertain pairs; each pair is in one of them."""
    edges: dict[str, list[tuple[str, str]]] = {}
    for pair in between:
        for contact in pair:
            edges.setdefault(contact, []).append(pair)
    left = set(between)
    groups = []
    for center in sorted(edges, key=lambda contact: (-len(edges[contact]), contact)):
        others = [(pair[0] if pair[1] == center else pair[1], *between[pair]) for pair in edges[center] if pair in left]
        left -= set(edges[center])
        others.sort(key=lambda other: (-other[1], other[0]))
        groups += [Group(center, others[start : start + _MOST_BESIDE]) for start in range(0, len(others), _MOST_BESIDE)]
    return sorted(groups, key=lambda group: (-group.others[0][1], group.center))


def _cards(batches: Any, wanted: set[str]) -> pa.Table:
    """The golden records of these contacts, all columns as text; those that are empty throughout are left out."""
    table = cards_of(batches, wanted)
    return table.select([name for name in table.column_names if name == "contact_id" or table[name].null_count < table.num_rows])


def _records_of(source: Any, wanted: set[str], *, is_base: bool) -> dict[str, str]:
    """The record ids of each of these contacts, as one text."""
    if is_base:
        table = source.table("record_contact").read_all().select(["record_id", "contact_id"])
    else:
        table = pq.read_table(Path(source) / "records.parquet", columns=["record_id", "contact_id"])
    chosen = table.filter(pc.is_in(pc.cast(table["contact_id"], pa.string()), pa.array(sorted(wanted), pa.string())))
    records: dict[str, list[int]] = {}
    for record, contact in zip(chosen["record_id"].to_pylist(), chosen["contact_id"].to_pylist(), strict=True):
        records.setdefault(contact, []).append(record)
    return {contact: " ".join(map(str, sorted(ids)[:_MOST_RECORDS])) for contact, ids in records.items()}


# --- the sheet ----------------------------------------------------------------------------------------------------------------


def _sheet(groups: Sequence[Group], cards: pa.Table, records: Mapping[str, str], *, with_keep: bool) -> tuple[pa.Table, dict[str, Any]]:
    by_id = {card["contact_id"]: card for card in cards.to_pylist()}
    fields = [name for name in cards.column_names if name not in ("contact_id", "n_records", *_OWN, *_HIDDEN)]
    fields.sort(key=lambda name: name in _OF_THE_SOURCE)
    names = [*_OWN, *fields, *_HIDDEN, "\u2063choices", "\u2063decision", *(f"\u2063{name}" for name in fields)]
    columns: dict[str, list[Any]] = {name: [] for name in names}

    def add(row: Mapping[str, Any]) -> None:
        for name, column in columns.items():
            column.append(row.get(name))

    for number, group in enumerate(groups, 1):
        members = [group.center, *(other[0] for other in group.others)]
        letters = string.ascii_uppercase[: len(members)]
        told = " ".join(f"{letter}={contact}" for letter, contact in zip(letters, members, strict=True))
        of_group = [by_id.get(contact, {}) for contact in members]
        for place, (letter, contact) in enumerate(zip(letters, members, strict=True)):
            card = of_group[place]
            others = of_group[1:] if place == 0 else of_group[:1]
            row = {"Group": number, "Row": letter, "Records": card.get("n_records"), "contact_id": contact, "letters": told}
            row |= {name: card.get(name) for name in fields}
            compared = [name for name in fields if name not in _OF_THE_SOURCE]
            row |= {f"\u2063{name}": _colour(card.get(name), [other.get(name) for other in others]) for name in compared}
            if place:
                _, probability, pairs = group.others[place - 1]
                row |= {"Probability": round(probability, 4), "pairs": " ".join(f"{a}:{b}" for a, b in pairs)}
                row |= {"records": records.get(contact), "records_a": records.get(group.center)}
            add(row | {"\u2063decision": "grey" if place == 0 else None})
        if with_keep:
            keep = {"Group": number, "Row": _KEEP, "contact_id": group.center, "letters": told, "\u2063choices": "\n".join(letters)}
            add(keep | {f"\u2063{name}": "grey" for name in fields} | {"\u2063decision": "grey"})
    kinds = {"Group": pa.int64(), "Probability": pa.float64()}
    table = pa.table({name: pa.array(column, kinds.get(name, pa.string())) for name, column in columns.items()})
    style: dict[str, Any] = {name: {"highlight_by": f"\u2063{name}"} for name in fields}
    style["Decision"] = {"choices": list(DECISIONS), "width": 12, "header": "orange", "hint": _HINT, "highlight_by": "\u2063decision"}
    style["Probability"] = {"format": "0.00", "width": 12}
    style["Records"] = {"numbers": True, "width": 10}
    style |= {name: {"hidden": True, "header": "grey"} for name in _HIDDEN}
    choices = {"row_choices_by": "\u2063choices", "row_choices_columns": fields}
    return table, {"columns": style, "freeze_columns": 3, **choices}


def _colour(value: str | None, others: Sequence[str | None]) -> str | None:
    """Of a cell beside those it is compared with."""
    filled = [other for other in others if other]
    if not value:
        return "orange" if filled else None
    return "yellow" if any(_form(other) != _form(value) for other in filled) else None


def _form(text: str) -> frozenset[str]:
    return frozenset(part.strip().casefold() for part in text.split("; "))


# --- back ---------------------------------------------------------------------------------------------------------------------


def _rows(where: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The rows of the review's sheet with their numbers."""
    wanted = {"Decision", "Row", *_HIDDEN}
    for source in open_sources(where, ReadOptions(header_row=1)):
        if not wanted <= set(source.columns):
            continue
        for text in source.batches():
            numbers = text.source_rows.to_pylist()
            yield from zip(numbers, text.batch.to_pylist(), strict=True)
        return
    raise FileFormatError(
        f"{where}: is no review as `crm-engine review` writes it: it lacks Decision, Row or the hidden {', '.join(_HIDDEN)}",
        file=where,
    )


def _letters(text: str | None) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in (text or "A=").split() if "=" in entry)


def _links(pair: tuple[int, int], row: Mapping[str, str | None]) -> list[tuple[int, int]]:
    """The pairs of records that make the two cards of a row one: their link, and each card's records to its end of the link."""
    of_a = [int(text) for text in (row["records_a"] or "").split() if text.isdigit()]
    of_row = [int(text) for text in (row["records"] or "").split() if text.isdigit()]
    end_a, end = pair if pair[0] in of_a else (pair[1], pair[0])
    links = [pair]
    for center, records in ((end_a, of_a), (end, of_row)):
        links += [(min(center, record), max(center, record)) for record in records if record != center]
    return links


def _pair(text: str, where: str, number: int) -> tuple[int, int]:
    a, _, b = text.partition(":")
    if not (a.isdigit() and b.isdigit()):
        raise FileFormatError(f"{where}, row {number}: the hidden column 'pairs' was changed", file=where, row=number, column="pairs")
    return min(int(a), int(b)), max(int(a), int(b))
