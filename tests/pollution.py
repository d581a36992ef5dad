# ruff: noqa: E501
"""Clean tables polluted one way at a time, with the truth: what a reader without parameters should give.

The kinds follow what studies of real files found (titles, totals, several tables, odd dialects, stray quotes, lost delimiters, encodings).
Everything is deterministic. A case is ``decidable`` when its bytes leave one sensible reading; for the others (no header above text columns,
KOI8-R against cp1251 on three letters) a reader can only guess, and they are counted apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from pollution_bases import Base, Case, Made, bases, dump, line, quoted
from pollution_encodings import encodings, languages


def _with_lines(base: Base, change: Callable[[list[str]], list[str]], delimiter: str = ",") -> bytes:
    return ("\n".join(change(dump(base.header, base.rows, delimiter).splitlines())) + "\n").encode()


def cases(long: bool = False) -> Iterator[Case]:
    """All cases; every one of some 1,600 with ``long``, otherwise a subset with each kind."""
    seen: set[str] = set()
    for number, case in enumerate(_all_cases()):
        if long or number % 4 == 0 or case.kind not in seen:
            seen.add(case.kind)
            yield case


def _all_cases() -> Iterator[Case]:
    for base in bases():
        for make in (_dialects, _line_ends, encodings, _above, _below, _between, _headers, _rows_damaged, _quotes_damaged, _sizes, _cells):
            for name, content, header, rows, *decidable in make(base):
                kind = name.split("/")[0]
                yield Case(f"{base.name}/{name}", kind, content, header, rows, decidable[0] if decidable else True)
    yield from languages()


def _dialects(base: Base) -> Made:
    header, rows = base.header, base.rows
    for delimiter in [
        ";",
        "\t",
        "|",
        ":",
        "~",
        "^",
        "#",
        "!",
        "\x01",
        "\x1f",
        "||",
        "::",
        ";;",
        "|~|",
        "~|~",
        "<>",
        "@@",
        "\t\t",
        " | ",
        ", ",
        "; ",
        "¦",
        "§",
        " ",
    ]:
        yield f"delimiter/{delimiter!r}", dump(header, rows, delimiter).encode(), header, rows
    for always in (False, True):
        yield (
            f"quote/single-{always}",
            dump(header, rows, quote="'", always=always).encode(),
            header,
            rows,
            base.name not in ("numbers", "texts") or always,
        )
        yield f"quote/double-{always}", dump(header, rows, always=always).encode(), header, rows
        yield f"quote/typographic-{always}", dump(header, rows, quote="“", close="”", always=always).encode(), header, rows
        yield f"escape/backslash-{always}", dump(header, rows, escape="\\", always=always).encode(), header, rows
    for delimiter in (";", "\t", "|"):
        yield f"quote/all-{delimiter!r}", dump(header, rows, delimiter, always=True).encode(), header, rows
    escaped = "".join(",".join(cell.replace("\\", "\\\\").replace(",", "\\,") for cell in row) + "\n" for row in [header, *rows])
    yield "escape/delimiter", escaped.encode(), header, rows
    commas = [[cell.replace(".", ",") if cell.replace(".", "").isdigit() and "." in cell else cell for cell in row] for row in rows]
    yield "delimiter/decimal-comma", dump(header, commas, ";").encode(), header, commas
    for delimiter in (",", ";", "|"):
        yield f"sep-line/{delimiter}", (f"sep={delimiter}\r\n" + dump(header, rows, delimiter, end="\r\n")).encode(), header, rows
    blanks = "".join(" , ".join(quoted(cell, ",") for cell in row) + "\n" for row in [header, *rows])
    yield "blanks/both", blanks.encode(), header, rows
    widths = [max(len(row[idx]) for row in [header, *rows]) for idx in range(len(header))]
    padded = "".join(
        "|".join(quoted(cell, "|").ljust(width) for cell, width in zip(row, widths, strict=True)) + "\n" for row in [header, *rows]
    )
    yield "blanks/padded", padded.encode(), header, rows


def _line_ends(base: Base) -> Made:
    header, rows = base.header, base.rows
    for name, end in (("crlf", "\r\n"), ("cr", "\r"), ("lf", "\n")):
        text = dump(header, rows, end=end)
        yield f"line-end/{name}", text.encode(), header, rows
        yield f"line-end/{name}-none-at-end", text.removesuffix(end).encode(), header, rows
        yield f"line-end/{name}-two-at-end", (text + end).encode(), header, rows
    ends = itertools.cycle(["\n", "\r\n", "\r"])
    yield "line-end/mixed", "".join(line(row) + next(ends) for row in [header, *rows]).encode(), header, rows
    ends = itertools.cycle(["\n", "\r\n"])
    yield "line-end/mixed-two", "".join(line(row) + next(ends) for row in [header, *rows]).encode(), header, rows
    for end in ("\n", "\r\n"):
        broken = [[*row[:-1], row[-1] + f"{end}second line" if idx % 5 == 0 else row[-1]] for idx, row in enumerate(rows)]
        yield f"line-end/in-cells-{end!r}", dump(header, broken, end=end).encode(), header, broken
    lf_cells = [[*row[:-1], row[-1] + "\nsecond" if idx % 5 == 0 else row[-1]] for idx, row in enumerate(rows)]
    yield "line-end/lf-in-cells-of-crlf", dump(header, lf_cells, end="\r\n").encode(), header, lf_cells
    for row in (3, 17, 38):
        lines = [line(cells) for cells in [header, *rows]]
        text = "\n".join(lines[: row + 1]) + "\r" + "\n".join(lines[row + 1 :]) + "\n"
        yield f"line-end/one-cr-{row}", text.encode(), header, rows


def _above(base: Base) -> Made:
    table = dump(base.header, base.rows)
    n_delimiters = len(base.header) - 1
    titles = {
        "one": "Contact export 2024\n",
        "blank": "Contact export 2024\n\n",
        "three": "Company Ltd\nContact export\nPeriod: January to March\n",
        "five": "Company Ltd\nContact export\n\nPeriod: 2024-01-01 - 2024-03-31\nPrinted by: Olga\n\n",
        "padded": "Contact export" + "," * n_delimiters + "\n" + "," * n_delimiters + "\n",
        "padded-two": "Report" + "," * n_delimiters + "\nDate,2024-05-01" + "," * (n_delimiters - 1) + "\n",
        "note": "This file holds contacts; do not edit it. Questions, wishes: call us\n",
        "blank-lines": "\n\n\n",
        "russian": "Отчёт по клиентам за 2024 год\n\n",
    }
    for name, title in titles.items():
        decidable = n_delimiters > 2 or not name.startswith("padded")
        yield f"title/{name}", (title + table).encode(), base.header, base.rows, decidable
    for prefix in ("#", "# "):
        yield (
            f"comment/top-{prefix!r}",
            (f"{prefix}made by a tool\n{prefix}on 2024-01-01, by Olga\n" + table).encode(),
            base.header,
            base.rows,
        )
        lines = table.splitlines()
        for at in (5, 20):
            with_comment = [*lines[:at], f"{prefix}checked, up to here", *lines[at:]]
            yield f"comment/within-{prefix!r}-{at}", ("\n".join(with_comment) + "\n").encode(), base.header, base.rows


def _below(base: Base) -> Made:
    table = dump(base.header, base.rows)
    width = len(base.header)
    footers = {
        "total-row": line(["Total", *[""] * (width - 2), "12345.00"]) + "\n",
        "total-row-russian": line(["Итого", *[""] * (width - 2), "12345.00"]) + "\n",
        "total-blank": "\n" + line(["Total:", *[""] * (width - 2), "12345.00"]) + "\n",
        "note": "\nPrinted by Olga on Monday\n",
        "note-no-blank": "Printed by Olga on Monday\n",
        "two-notes": "\nSource: the register\nAll rights reserved\n",
        "padded-note": "Printed by Olga" + "," * (width - 1) + "\n",
        "blank-lines": "\n\n\n",
        "delimiters": "," * (width - 1) + "\n" + "," * (width - 1) + "\n",
        "count": "(40 rows)\n",
    }
    for name, footer in footers.items():
        yield f"footer/{name}", (table + footer).encode(), base.header, base.rows, not (name == "padded-note" and base.name == "texts")


def _between(base: Base) -> Made:
    header, rows = base.header, base.rows
    lines = dump(header, rows).splitlines()
    for every in (5, 10, 20):
        yield (
            f"repeated-header/{every}",
            _with_lines(base, lambda all_lines, n=every: _interleave(all_lines, n, all_lines[0])),
            header,
            rows,
        )
        blank = lambda all_lines, n=every: _interleave(all_lines, n, "")  # noqa: E731
        yield f"blank-lines/{every}", _with_lines(base, blank), header, rows
        yield (
            f"blank-lines/delimiters-{every}",
            _with_lines(base, lambda all_lines, n=every: _interleave(all_lines, n, "," * (len(header) - 1))),
            header,
            rows,
        )
    other = {"less": ["code", "label"], "same": [f"x {name}" for name in header], "more": [*header, "extra one", "extra two"]}
    for name, second in other.items():
        second_rows = [[f"v{row}{idx}" for idx in range(len(second))] for row in range(6)]
        text = "\n".join(lines) + "\n\n" + dump(second, second_rows)
        yield f"several-tables/{name}", text.encode(), header, rows, name != "same"


def _interleave(lines: list[str], every: int, extra: str) -> list[str]:
    out = [lines[0]]
    for number, text in enumerate(lines[1:]):
        if number and number % every == 0:
            out.append(extra)
        out.append(text)
    return out


def _headers(base: Base) -> Made:
    header, rows = base.header, base.rows
    width = len(header)
    yield "no-header/plain", dump(None, rows).encode(), None, rows, base.name != "texts"
    yield "no-header/semicolon", dump(None, rows, ";").encode(), None, rows, base.name != "texts"
    groups = ["Person" if idx == 0 else "Details" if idx == width // 2 else "" for idx in range(width)]
    named = [f"{'Person' if idx < width // 2 else 'Details'} {name}" for idx, name in enumerate(header)]
    typed = base.name != "texts"
    yield "header-rows/groups", (line(groups) + "\n" + dump(header, rows)).encode(), named, rows, typed
    second = [f"({idx + 1} field)" for idx in range(width)]
    joined = [f"{name} {extra}" for name, extra in zip(header, second, strict=True)]
    yield "header-rows/two", (line(header) + "\n" + dump(second, rows)).encode(), joined, rows, typed
    third = [f"unit {name}" for name in header]
    joined = [f"{name} {extra} {unit}" for name, extra, unit in zip(header, second, third, strict=True)]
    yield "header-rows/three", (line(header) + "\n" + line(second) + "\n" + dump(third, rows)).encode(), joined, rows, typed
    for at in range(min(width, 4)):
        empty = [*header[:at], "", *header[at + 1 :]]
        yield f"header-cells/empty-{at}", dump(empty, rows).encode(), [*header[:at], f"column_{at + 1}", *header[at + 1 :]], rows
        if at:
            double = [*header[:at], header[0], *header[at + 1 :]]
            yield f"header-cells/double-{at}", dump(double, rows).encode(), [*header[:at], f"{header[0]}_2", *header[at + 1 :]], rows
    numeric = [header[0], *[str(2019 + idx) for idx in range(1, width)]]
    yield "header-cells/numbers", dump(numeric, rows).encode(), numeric, rows, base.name != "numbers" or True
    padded = [f"  {name} " for name in header]
    yield "header-cells/blanks", (",".join(padded) + "\n" + dump(None, rows)).encode(), header, rows
    yield "trailing-delimiter/all", "".join(line(row) + ",\n" for row in [header, *rows]).encode(), header, rows
    yield "trailing-delimiter/rows", (line(header) + "\n" + "".join(line(row) + ",\n" for row in rows)).encode(), header, rows
    numbered = [[str(idx), *row] for idx, row in enumerate(rows, 1)]
    yield "row-numbers/empty-name", dump(["", *header], numbered).encode(), ["column_1", *header], numbered
    yield (
        "row-numbers/no-name",
        dump(header, [[str(idx), *row] for idx, row in enumerate(rows, 1)]).encode(),
        ["column_1", *header],
        numbered,
    )
    if width > 5:
        grouped = sorted(rows, key=lambda row: row[5])
        merged = [[row[5] if not idx or grouped[idx - 1][5] != row[5] else "", *row[:5], *row[6:]] for idx, row in enumerate(grouped)]
        order = [header[5], *header[:5], *header[6:]]
        yield "merged-cells/first-column", dump(order, merged).encode(), order, merged


def _rows_damaged(base: Base) -> Made:
    header, rows = base.header, base.rows
    width = len(header)
    picks = [(row, col) for row in (0, 9, 22, 39) for col in range(width)]
    for row, col in picks:
        lines = [[quoted(cell, ",") for cell in cells] for cells in rows]
        # A cell too few: the row ends early.
        short = [cells.copy() for cells in lines]
        short[row] = short[row][: max(col, 2 if width > 2 else 1)]
        truth = [cells.copy() for cells in rows]
        truth[row] = [*truth[row][: max(col, 2 if width > 2 else 1)], *[""] * (width - max(col, 2 if width > 2 else 1))]
        if col > 1:
            body = line(header) + "\n" + "".join(",".join(cells) + "\n" for cells in short)
            n_left = max(col, 2)
            yield f"short-row/{row}-{col}", body.encode(), header, truth, row != 39 or n_left * 2 >= width
        # A delimiter within a cell that nobody quoted.
        long_row = [cells.copy() for cells in lines]
        cell = rows[row][col]
        if cell and not any(mark in cell for mark in ',"'):
            at = max(1, len(cell) // 2)
            split = [cells.copy() for cells in rows]
            split[row][col] = cell[:at] + "," + cell[at:]
            long_row[row][col] = split[row][col]
            body = line(header) + "\n" + "".join(",".join(cells) + "\n" for cells in long_row)
            yield f"long-row/{row}-{col}", body.encode(), header, split, base.name not in ("numbers", "texts")
        # Two cells more than there should be, empty ones.
        more = [cells.copy() for cells in lines]
        more[row] = [*more[row], "", ""]
        if col == 0:
            body = line(header) + "\n" + "".join(",".join(cells) + "\n" for cells in more)
            yield f"long-row/empty-{row}", body.encode(), header, rows
            for other in (";", "\t", "|"):
                mixed = [line(cells) for cells in rows]
                mixed[row] = other.join(rows[row])
                if other not in "".join(rows[row]) and "," not in "".join(rows[row]):
                    yield f"row-delimiter/{row}-{other!r}", (line(header) + "\n" + "\n".join(mixed) + "\n").encode(), header, rows
            if width > 4:
                mixed = [line(cells) for cells in rows]
                target = rows[row].copy()
                target[1] = "Doe, Jane"
                truth = [cells.copy() for cells in rows]
                truth[row] = target
                mixed[row] = line(target, quote="'")
                if '"' not in "".join(target) and "'" not in "".join(target):
                    yield f"row-quote/{row}", (line(header) + "\n" + "\n".join(mixed) + "\n").encode(), header, truth


def _quotes_damaged(base: Base) -> Made:
    header, rows = base.header, base.rows
    width = len(header)
    for row, col in [(row, col) for row in (0, 13, 39) for col in range(width)]:
        cell = rows[row][col]
        if any(mark in cell for mark in ',"') or len(cell) < 2:
            continue
        for name, damaged in {
            "first": '"' + cell,
            "last": cell + '"',
            "middle": cell[: len(cell) // 2] + '"' + cell[len(cell) // 2 :],
        }.items():
            truth = [cells.copy() for cells in rows]
            truth[row][col] = damaged
            lines = [[quoted(text, ",") for text in cells] for cells in rows]
            lines[row][col] = damaged
            body = line(header) + "\n" + "".join(",".join(cells) + "\n" for cells in lines)
            yield f"stray-quote/{name}-{row}-{col}", body.encode(), header, truth
        # Everything is quoted, and within one cell stands a quote that nobody doubled.
        inner = cell[: len(cell) // 2] + '"' + cell[len(cell) // 2 :]
        truth = [cells.copy() for cells in rows]
        truth[row][col] = inner
        lines = [[quoted(text, ",", always=True) for text in cells] for cells in rows]
        lines[row][col] = f'"{inner}"'
        body = line(header, always=True) + "\n" + "".join(",".join(cells) + "\n" for cells in lines)
        yield f"stray-quote/undoubled-{row}-{col}", body.encode(), header, truth
        # ... or the closing quote is missing.
        lines[row][col] = f'"{cell}'
        body = line(header, always=True) + "\n" + "".join(",".join(cells) + "\n" for cells in lines)
        truth = [cells.copy() for cells in rows]
        yield f"open-quote/{row}-{col}", body.encode(), header, truth, False
        middle = f'{cell} "a, b" end'
        truth = [cells.copy() for cells in rows]
        truth[row][col] = middle
        lines = [[quoted(text, ",") for text in cells] for cells in rows]
        lines[row][col] = middle
        body = line(header) + "\n" + "".join(",".join(cells) + "\n" for cells in lines)
        yield f"stray-quote/around-delimiter-{row}-{col}", body.encode(), header, truth


def _sizes(base: Base) -> Made:
    header, rows = base.header, base.rows
    yield "size/header-only", dump(header, []).encode(), header, []
    yield "size/one-row", dump(header, rows[:1]).encode(), header, rows[:1], base.name != "texts"
    yield "size/two-rows", dump(header, rows[:2]).encode(), header, rows[:2], base.name != "texts"
    yield "size/one-column", dump(header[1:2], [row[1:2] for row in rows]).encode(), header[1:2], [row[1:2] for row in rows]
    yield "size/two-columns", dump(header[:2], [row[:2] for row in rows]).encode(), header[:2], [row[:2] for row in rows]
    many = [row for _ in range(40) for row in rows]
    yield "size/many-rows", dump(header, many).encode(), header, many


def _cells(base: Base) -> Made:
    header, rows = base.header, base.rows
    for name, value in {
        "nul": "a\0b",
        "tab": "a\tb",
        "quotes": '"quoted" text',
        "hash": "#1",
        "apostrophe": "'tis",
        "long": "x" * 5000,
        "blank": " ",
        "pipe": "a|b;c",
    }.items():
        changed = [[*row[:-1], value] if idx % 7 == 3 else row for idx, row in enumerate(rows)]
        yield f"cell/{name}", dump(header, changed).encode(), header, changed
    sparse = [[cell if (idx + col) % 3 else "" for col, cell in enumerate(row)] for idx, row in enumerate(rows)]
    yield "cell/sparse", dump(header, sparse).encode(), header, sparse, base.name not in ("texts",)
    zeros = [[f"00{row[0]}", *row[1:-1], "NA"] for row in rows]
    yield "cell/zeros-and-na", dump(header, zeros).encode(), header, zeros
