"""One pollution per file, in every row and column in turn, after the kinds that the Pollock study (VLDB 2023) describes.

The tables are of `pollution_tables.py`. Where two readings of a damaged row are both sensible (a lost delimiter: the cells behind it move
to the left; a delimiter too many: it is content, or an empty cell), either is right; a loader that gives up the row gets what is left.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pollution_tables
from pollution_tables import Rows, Table


@dataclass(frozen=True)
class Polluted:
    """A file, and the tables that it may sensibly be read as; the header is ``None`` where it has none."""

    name: str
    kind: str
    content: bytes
    readings: list[tuple[list[str] | None, Rows]] = field(repr=False)
    decidable: bool = True


def _quoted(cell: str, delimiter: str, quote: str = '"', always: bool = False, escape: str | None = None) -> str:
    if always or any(mark in cell for mark in (delimiter, quote, "\n", "\r")):
        inner = cell.replace(quote, quote * 2) if escape is None else cell.replace(escape, escape * 2).replace(quote, escape + quote)
        return quote + inner + quote
    return cell


def _dump(rows: Rows, delimiter: str = ",", end: str = "\r\n", **dialect: object) -> str:
    return "".join(delimiter.join(_quoted(cell, delimiter, **dialect) for cell in row) + end for row in rows)  # type: ignore[arg-type]


def _line(row: list[str], delimiter: str = ",", **dialect: object) -> str:
    return _dump([row], delimiter, "", **dialect)


def files(share: float = 1.0) -> Iterator[Polluted]:
    """All files; with a smaller ``share`` that part of the damaged rows, and every other kind."""
    for table in pollution_tables.tables():
        for made in (_whole_files(table), _shapes(table), _dialects(table), _columns(table)):
            for name, content, header, rows, *decidable in made:
                bytes_ = content if isinstance(content, bytes) else content.encode()
                yield Polluted(f"{table.name}/{name}", name.split("-")[0], bytes_, [(header, rows)], decidable[0] if decidable else True)
        yield from _damaged_rows(table, share)


def _whole_files(table: Table) -> Iterator[tuple]:
    header, rows = table.header, table.rows
    text = _dump([header, *rows])
    yield "clean", text, header, rows
    yield "no payload", "", None, []
    yield "trailing newline-none", text.removesuffix("\r\n"), header, rows
    yield "trailing newline-two", text + "\r\n", header, rows
    yield "encoding-bom", text.encode("utf-8-sig"), header, rows
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield f"encoding-{encoding}", text.encode(encoding), header, rows
    western = {
        "Ltd": "Société",
        "Agree": "D’accord – oui",
        "LIMITED": "GmbH & Co. Köln",
        "Chair": "Chaise longue à bascule",
        "Office": "Büro",
        "Leeds": "Besançon",
    }
    changed = [[next((cell.replace(word, new) for word, new in western.items() if word in cell), cell) for cell in row] for row in rows]
    if any(ord(char) > 127 for row in changed for cell in row for char in cell) and table.name not in ("addresses", "sparse"):
        yield "encoding-western", _dump([header, *changed]).encode("cp1252"), header, changed
    for name, end in (("lf", "\n"), ("cr", "\r"), ("crlf", "\r\n")):
        plain = [[cell.replace("\n", " ") for cell in row] for row in rows]
        yield f"record delimiter-{name}", _dump([header, *plain], end=end), header, plain


def _shapes(table: Table) -> Iterator[tuple]:
    header, rows = table.header, table.rows
    width = len(header)
    text = _dump([header, *rows])
    yield "header none-plain", _dump(rows), None, rows, table.is_typed
    yield "header only", _dump([header]), header, []
    yield "one data row", _dump([header, rows[0]]), header, rows[:1], table.is_typed
    for n_rows in (2, 3):
        parts = [[f"{name} {number}" if name else "" for name in header] for number in range(1, n_rows + 1)]
        joined = [" ".join(part[idx] for part in parts) for idx in range(width)]
        yield f"header rows-{n_rows}", _dump([*parts, *rows]), joined, rows, table.is_typed
    for n_rows in (2, 3):
        yield f"header rows-same {n_rows}", _dump([*[header] * n_rows, *rows]), header, rows, table.is_typed
    preambles = {
        "one": "Monthly figures of the works department\r\n",
        "two": "Monthly figures\r\nProvisional, subject to revision\r\n\r\n",
        "padded": "Monthly figures" + "," * (width - 1) + "\r\n" + "," * (width - 1) + "\r\n",
        "key-value": "Instrument:,A-12\r\nOperator:,J. Doe\r\nDate:,2020-01-01\r\n\r\n",
        "long": "".join(f"Note {number}: some words about the method\r\n" for number in range(9)),
    }
    for name, preamble in preambles.items():
        yield f"preamble-{name}", preamble + text, header, rows, width > 4 or name != "padded"
    footnotes = {
        "one": "Source: the works department\r\n",
        "blank": "\r\nSource: the works department\r\n* provisional\r\n",
        "padded": "," * (width - 1) + "\r\nSource: the works department" + "," * (width - 1) + "\r\n",
        "empty": ("," * (width - 1) + "\r\n") * 30,
    }
    for name, footnote in footnotes.items():
        yield f"footnote-{name}", text + footnote, header, rows, table.is_typed or name != "padded"
    second = {"less": header[: max(2, width // 2)], "same": [f"other {name}" for name in header], "more": [*header, "extra", "more"]}
    for name, names in second.items():
        more = [[f"{idx}{number}x" for number in range(len(names))] for idx in range(4)]
        yield f"multiple tables-{name}", text + "\r\n" + _dump([names, *more]), header, rows, table.is_typed and name != "same"


def _dialects(table: Table) -> Iterator[tuple]:
    header, rows = table.header, table.rows
    for delimiter in (";", "\t", "|", " ", ", ", ":", "^", "~", "||"):
        if delimiter == ", ":
            lines = [", ".join(_quoted(cell, ",") for cell in row) + "\r\n" for row in [header, *rows]]
            yield "delimiter-comma blank", "".join(lines), header, rows
        elif delimiter == " ":
            # A tool that put blanks for commas, and no quotes where words are divided by them, leaves what nobody can tell.
            yield "delimiter-blank", _dump([header, *rows], " "), header, rows, table.is_typed
        else:
            yield f"delimiter-{delimiter!r}", _dump([header, *rows], delimiter), header, rows
    yield "quotation-single", _dump([header, *rows], quote="'"), header, rows, table.is_typed
    swapped = _dump([header, *rows]).replace('""', "\0").replace('"', "'").replace("\0", '"')
    yield "quotation-swapped", swapped, header, rows, table.is_typed
    yield "quotation-single all", _dump([header, *rows], quote="'", always=True), header, rows
    yield "quotation-all", _dump([header, *rows], always=True), header, rows
    yield "quotation-semicolon all", _dump([header, *rows], ";", always=True), header, rows
    for name, escape in (("backslash", "\\"), ("nul", "\0"), ("caret", "^")):
        yield f"escape-{name}", _dump([header, *rows], escape=escape), header, rows
        yield f"escape-{name} all", _dump([header, *rows], always=True, escape=escape), header, rows
    euro = [
        [cell.replace(",", "").replace(".", ",") if cell.replace(",", "").replace(".", "", 1).isdigit() else cell for cell in row]
        for row in rows
    ]
    yield "delimiter-decimal comma", _dump([header, *euro], ";"), header, euro


def _columns(table: Table) -> Iterator[tuple]:
    header, rows = table.header, table.rows
    width = len(header)
    for at in range(min(width, 5)):
        empty = ["" if idx == at else name for idx, name in enumerate(header)]
        yield f"column names-empty {at}", _dump([empty, *rows]), [*header[:at], f"column_{at + 1}", *header[at + 1 :]], rows, table.is_typed
        if at:
            twice = [header[0] if idx == at else name for idx, name in enumerate(header)]
            yield f"column names-twice {at}", _dump([twice, *rows]), [*header[:at], f"{header[0]}_2", *header[at + 1 :]], rows
    commas = [f"{name}, in full" for name in header]
    yield "column names-commas", _dump([commas, *rows]), commas, rows
    lines = [f"{name}\n(of all)" for name in header]
    yield "column names-lines", _dump([lines, *rows]), [f"{name} (of all)" for name in header], rows
    yield "trailing delimiter-all", "".join(_line(row) + ",\r\n" for row in [header, *rows]), header, rows
    yield "trailing delimiter-many", "".join(_line(row) + ",,,,\r\n" for row in [header, *rows]), header, rows
    yield (
        "row numbers-named",
        _dump([["", *header], *[[str(idx), *row] for idx, row in enumerate(rows)]]),
        ["column_1", *header],
        [[str(idx), *row] for idx, row in enumerate(rows)],
    )


def _damaged_rows(table: Table, share: float) -> Iterator[Polluted]:
    header, rows = table.header, table.rows
    numbers = random.Random(f"{table.name} {share}")
    for row in range(-1, len(rows)):
        for col in range(len(header)):
            if numbers.random() >= share:
                continue
            for kind, damaged, readings in _damages(rows[row] if row >= 0 else header, col, len(header)):
                lines = [_line(header), *[_line(cells) for cells in rows]]
                lines[row + 1] = damaged
                tables: list[tuple[list[str] | None, Rows]] = []
                for reading in readings:
                    if row >= 0:
                        tables.append((header, [*rows[:row], reading, *rows[row + 1 :]]))
                    else:
                        tables.append((reading, rows))
                # A header with a cell too few or too many names columns that nobody can know.
                decidable = row >= 0 and (table.is_typed or kind not in ("cell more", "delimiter within"))
                content = ("\r\n".join(lines) + "\r\n").encode()
                yield Polluted(f"{table.name}/{kind}-{row}-{col}", kind, content, tables, decidable)


def _damages(cells: list[str], col: int, width: int) -> Iterator[tuple[str, str, Rows]]:
    """The damaged line, and what it may be read as."""
    quoted = [_quoted(cell, ",") for cell in cells]
    cell = cells[col]
    is_plain = quoted[col] == cell
    if col + 1 < width and is_plain and quoted[col + 1] == cells[col + 1]:
        merged = [*cells[:col], cell + cells[col + 1], *cells[col + 2 :]]
        line = ",".join([*quoted[:col], cell + cells[col + 1], *quoted[col + 2 :]])
        yield "delimiter less", line, [[*merged, ""], [*merged[: col + 1], "", *merged[col + 1 :]], cells]
    if width > 1 and any(cells[:col] + cells[col + 1 :]):
        without = [*cells[:col], *cells[col + 1 :]]
        yield "cell less", ",".join([*quoted[:col], *quoted[col + 1 :]]), [[*without, ""], [*cells[:col], "", *cells[col + 1 :]]]
    yield "cell more", ",".join([*quoted[:col], "", *quoted[col:]]), [cells, [*cells[:col], "", *cells[col:]]]
    if is_plain and len(cell) > 1:
        at = len(cell) // 2
        split = [*cells[:col], cell[:at], cell[at:], *cells[col + 1 :]]
        joined = [*cells[:col], f"{cell[:at]},{cell[at:]}", *cells[col + 1 :]]
        yield "delimiter within", ",".join([*quoted[:col], f"{cell[:at]},{cell[at:]}", *quoted[col + 1 :]]), [joined, split, cells]
    if is_plain and cell:
        at = len(cell) // 2
        for name, damaged in {"begin": '"' + cell, "end": cell + '"', "middle": cell[:at] + '"' + cell[at:]}.items():
            readings = [[*cells[:col], damaged, *cells[col + 1 :]], cells]
            yield f"quote {name}", ",".join([*quoted[:col], damaged, *quoted[col + 1 :]]), readings
        inner = f"{cell[:at]}{chr(34)}{cell[at:]}"
        readings = [[*cells[:col], inner, *cells[col + 1 :]], cells]
        yield "quote undoubled", ",".join([*quoted[:col], f'"{inner}"', *quoted[col + 1 :]]), readings
    if col == 0:
        for name, delimiter in (("semicolon", ";"), ("tab", "\t"), ("blank", " ")):
            if not any(delimiter in text for text in cells):
                yield f"row delimiter {name}", _line(cells, delimiter), [cells]
        if all(cells[1:]):
            yield "row delimiter comma blank", ", ".join(quoted), [cells]
        yield "row quotation", _line(cells, quote="'", always=True), [cells, [f"'{text}'" for text in cells]]
        yield "row delimiter first", "," + ",".join(quoted), [cells, ["", *cells]]
        yield "row delimiter last", ",".join(quoted) + ",", [cells]
