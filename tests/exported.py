"""Whole files as databases, spreadsheets and statistics packages export them, with what they say: (name, content, header, rows)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pollution_bases import Rows, dump, quoted

Made = tuple[str, bytes, list[str], Rows]

_FIRST = "Anna Ivars Peteris Laura Zane Marta Karlis Edgars Ilze Juris Andris Dace".split()
_LAST = "Kalnina Berzins Ozols Egle Liepa Kruze Vitols Abele Zarins Petrov Smith Jones".split()
_CITY = "Riga Liepaja Ventspils Jelgava Cesis Valmiera".split()
HEADER = ["Client ID", "Name", "E-mail", "Phone", "City", "Since"]


def contacts(n_rows: int = 24) -> Rows:
    """Contacts under ``HEADER``."""
    rows = []
    for idx in range(n_rows):
        first, last = _FIRST[idx % 12], _LAST[(idx * 5 + 3) % 12]
        mail, phone = f"{first.lower()}.{last.lower()}{idx}@example.com", f"+371 2{idx * 7919 % 10_000_000:07d}"
        since = f"20{10 + idx % 14}-{1 + idx % 12:02d}-{1 + idx % 27:02d}"
        rows.append([f"C-{1000 + idx}", f"{first} {last}", mail, phone, _CITY[idx % 6], since])
    return rows


def _joined(rows: Rows, delimiter: str, begin: str = "", end: str = "\n") -> str:
    return "".join(begin + delimiter.join(row) + end for row in rows)


def exports() -> Iterator[Made]:
    """All of them."""
    rows = contacts()
    table = [HEADER, *rows]

    def made(name: str, text: str | bytes, header: list[str] = HEADER, truth: Rows = rows) -> Made:
        return name, text.encode() if isinstance(text, str) else text, header, truth

    yield made("hash-metadata", "# title: Contacts\n# source: CRM, v3\n#\n" + dump(HEADER, rows))
    yield made("hash-header", "# exported by a tool\n#" + dump(HEADER, rows))
    for name, begin in (("slashes", "// "), ("percent", "% "), ("semicolon", "; "), ("stars", "*** ")):
        yield made(f"notes-{name}", f"{begin}generated\n{begin}in May, 2024\n" + dump(HEADER, rows))
    yield made("footnotes", dump(HEADER, rows) + "\n* provisional\n1) as of 1 January\nSource: CRM, 2024\n")
    yield made("key-value-preamble", 'Report,Clients\nDate,2024-05-01\nUser,"admin, sales"\n\n' + dump(HEADER, rows))
    yield made("blank-after-header", dump(HEADER, []) + "\n" + dump(None, rows))
    yield made("two-marks", b"\xef\xbb\xbf" * 2 + dump(HEADER, rows).encode())
    halves = [dump(HEADER, rows[:12]).encode(), dump(HEADER, rows[12:]).encode()]
    yield made("put-together", b"".join(b"\xef\xbb\xbf" + half for half in halves))
    yield made("returns-twice", _joined(table, ",", end="\r\r\n"))
    yield made("separators-of-ascii", _joined(table, "\x1f", end="\x1e"))
    yield made("record-separator", _joined(table, ",", end="\x1e"))
    yield made("form-feeds", "".join(("\f" if at else "") + f"Page {at // 8 + 1}\n" + dump(HEADER, rows[at : at + 8]) for at in (0, 8, 16)))
    yield made("whole-lines-in-quotes", _joined(table, ",", '"', '"\n'))
    yield made("pipes-at-edges", _joined(table, " | ", "| ", " |\n"))
    yield made("first-column-blank", ",,,,,,\n" + _joined(table, ",", ","))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table]
    rule = "+-" + "-+-".join("-" * width for width in widths) + "-+\n"
    yield made("mysql-box", rule + _joined(padded[:1], " | ", "| ", " |\n") + rule + _joined(padded[1:], " | ", "| ", " |\n") + rule)
    marks = ["---", ":---", ":---:", "---:", "---", "---"]
    yield made("markdown", _joined([HEADER, marks, *rows], " | ", "| ", " |\n").replace("| --- |", "|---|"))
    yield from _numbers(made)
    yield from _quotes(made, rows)


def _numbers(made: Callable[..., Made]) -> Iterator[Made]:
    years = [[f"{_CITY[idx % 6]} {idx}", *(str(1000 + idx * 7 + year) for year in range(5))] for idx in range(24)]
    yield made(
        "years", dump(["", "2019", "2020", "2021", "2022", "2023"], years), ["column_1", "2019", "2020", "2021", "2022", "2023"], years
    )
    groups = ["", "2022", "", "2023", ""], ["City", "Men", "Women", "Men", "Women"]
    short = [row[:5] for row in years]
    header = ["City", "2022 Men", "2022 Women", "2023 Men", "2023 Women"]
    yield made("groups-of-years", dump(groups[0], [groups[1], *short]), header, short)
    named = [[f"car {idx}", str(20 + idx), str(idx % 4 + 4)] for idx in range(24)]
    text = '"mpg","cyl"\n' + "".join(f'"{name}",{mpg},{cyl}\n' for name, mpg, cyl in named)
    yield made("names-of-rows-as-in-r", text, ["column_1", "mpg", "cyl"], named)
    people = [[row[1], row[2], row[5]] for row in contacts()]
    yield made("first-name-missing", dump(["mail", "since"], people), ["column_1", "mail", "since"], people)
    bank = [[f"{1 + idx % 27:02d}.05.2024", f"Payment {idx}", f"-{idx * 10},00", "EUR"] for idx in range(24)]
    begin, end = '"Account";"LV80BANK0000435195001"\n"Opening balance";"1 000,00"\n', '"Closing balance";"1 234,00"\n'
    header = ["Date", "Details", "Amount", "Currency"]
    yield made("bank-statement", begin + dump(header, bank, ";", always=True) + end, header, bank)


def _quotes(made: Callable[..., Made], contact_rows: Rows) -> Iterator[Made]:
    said = [[row[0], f'said "yes, {idx}" twice' if idx % 3 == 0 else "ok", row[4]] for idx, row in enumerate(contact_rows)]
    escaped = "".join(",".join('"' + cell.replace('"', '\\"') + '"' for cell in row) + "\n" for row in [["id", "note", "city"], *said])
    yield made("quotes-behind-backslashes", escaped, ["id", "note", "city"], said)
    texts = [[f"{idx:05d}", row[1], row[3]] for idx, row in enumerate(contact_rows)]
    told = [[f'="{row[0]}"', row[1], f'="{row[2]}"'] for row in texts]
    yield made("formulas-of-text", _joined([["id", "name", "phone"], *told], ","), ["id", "name", "phone"], texts)
    in_quotes = [[quoted(cell, ",", always=True) for cell in row] for row in told]
    yield made("formulas-of-text-in-quotes", _joined([["id", "name", "phone"], *in_quotes], ","), ["id", "name", "phone"], texts)
    notes = [[row[0], row[1], "one\ntwo" if idx % 7 == 3 else "ok", row[5]] for idx, row in enumerate(contact_rows)]
    yield made(
        "line-breaks-without-quotes", _joined([["id", "name", "note", "since"], *notes], "|"), ["id", "name", "note", "since"], notes
    )
    tabs = [[row[0], row[1] + ("\tJr" if idx % 5 == 0 else ""), row[4]] for idx, row in enumerate(contact_rows)]
    yield made("tabs-in-quotes", dump(["id", "name", "city"], tabs, "\t"), ["id", "name", "city"], tabs)
