# ruff: noqa: E501
"""Whole files as offices, banks, laboratories and survey tools publish them, made up, with the table that a person would see in each.

Each has several oddities at once: titles and notes, units, totals, group titles, missing-value marks, spare columns, national dialects. Where
a person might keep a row or not (a total, a row of units), either is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from pollution_single import Polluted
from pollution_single import _dump as dump
from pollution_tables import Rows

Made = tuple[str | bytes, list[tuple[list[str] | None, Rows]]]
_AREAS = [
    "Barking",
    "Barnet",
    "Bexley",
    "Brent",
    "Bromley",
    "Camden",
    "Croydon",
    "Ealing",
    "Enfield",
    "Greenwich",
    "Hackney",
    "Harrow",
    "Islington",
]
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def files(n_seeds: int = 3) -> Iterator[Polluted]:
    """Every template, filled ``n_seeds`` times."""
    for name, make in TEMPLATES.items():
        for seed in range(n_seeds):
            content, readings = make(random.Random(f"{name} {seed}"))
            yield Polluted(f"{name}-{seed}", name, content if isinstance(content, bytes) else content.encode(), readings)


def _spending(numbers: random.Random, n_rows: int = 60) -> tuple[list[str], Rows]:
    header = ["Body Name", "Date", "Transaction Number", "Amount (£)", "Supplier Name", "Expense Area", "Expense Type"]
    rows = [
        [
            "Borough of Ealing",
            f"{numbers.randint(1, 28):02d}/{numbers.randint(1, 12):02d}/2014",
            str(51_000 + idx),
            f"{numbers.randrange(50_000, 9_000_000) / 100:,.2f}",
            numbers.choice(["ACME CATERING LTD", "Brown, Green & Co", "REDACTED PERSONAL DATA", "City of Westminster"]),
            numbers.choice(["Adults", "Children, Schools & Families", "Environment"]),
            numbers.choice(["Agency Staff", "Repairs", "Grants - voluntary"]),
        ]
        for idx in range(n_rows)
    ]
    return header, rows


def _spend_plain(numbers: random.Random) -> Made:
    header, rows = _spending(numbers)
    return dump([header, *rows]).encode("cp1252"), [(header, rows)]


def _spend_spare(numbers: random.Random) -> Made:
    header, rows = _spending(numbers)
    spare = [""] * numbers.randint(2, 9)
    empty = [[""] * (len(header) + len(spare))] * numbers.randint(5, 200)
    return dump([[*header, *spare], *[[*row, *spare] for row in rows], *empty]).encode("cp1252"), [(header, rows)]


def _spend_titled(numbers: random.Random) -> Made:
    header, rows = _spending(numbers)
    pad = [""] * (len(header) - 1)
    total = ["Total", "", "", f"{numbers.randrange(10**8) / 100:,.2f}", "", "", ""]
    content = dump([["Payments over £500 - March 2014", *pad], ["", *pad], header, *rows, ["", *pad], total])
    return content.encode("cp1252"), [(header, rows), (header, [*rows, total])]


def _statistics(numbers: random.Random) -> Made:
    years = [str(2008 + idx) for idx in range(6)]
    header = ["Code", "Area", *years]
    rows = [[f"E0900{idx:04d}", area, *[f"{numbers.randint(1000, 900_000):,}" for _ in years]] for idx, area in enumerate(_AREAS)]
    pad = [""] * 7
    content = dump(
        [["Table 1: Mid-year estimates of population", *pad], ["", *pad], header, *rows, ["", *pad], ["Source: Office of Numbers", *pad]]
    )
    return content, [(header, rows)]


def _two_levels(numbers: random.Random) -> Made:
    top = ["", "2011", "", "", "2012", "", ""]
    below = ["Area", "Male", "Female", "All", "Male", "Female", "All"]
    header = ["Area", "2011 Male", "2011 Female", "2011 All", "2012 Male", "2012 Female", "2012 All"]
    rows = [[area, *[str(numbers.randint(10, 9000)) for _ in range(6)]] for area in _AREAS]
    return "Table 4 Claimants by sex,,,,,,\n\n" + dump([top, below, *rows], end="\n") + "\n1. Figures are rounded,,,,,,\n", [(header, rows)]


def _months(numbers: random.Random) -> Made:
    header = ["Measure", *[f"{month}-13" for month in _MONTHS]]
    rows = [
        [name, *[f"{numbers.random() * 100:.1f}%" for _ in _MONTHS]]
        for name in ("Calls answered", "Letters answered in 10 days", "Bins missed", "Rent collected", "Sickness", "Staff turnover")
    ]
    return dump([header, *rows]), [(header, rows)]


def _laboratory(numbers: random.Random) -> Made:
    rows = [[f"{idx * 0.5:.1f}", *[f"{numbers.gauss(0, 1):.6E}" for _ in range(4)]] for idx in range(80)]
    return dump(rows, "\t", "\n"), [(None, rows)]


def _matrix(numbers: random.Random) -> Made:
    rows = [[f"{numbers.random():.5f}" for _ in range(40)] for _ in range(30)]
    return dump(rows, ",", "\n"), [(None, rows)]


def _aligned(numbers: random.Random) -> Made:
    header = ["time", "load", "strain", "temp"]
    rows = [[f"{idx * 10}", f"{numbers.gauss(100, 60):.2f}", f"{numbers.random():.5f}", f"{numbers.randint(-5, 120)}"] for idx in range(60)]
    return "".join("".join(cell.rjust(12) for cell in row) + "\n" for row in [header, *rows]), [(header, rows)]


def _instrument(numbers: random.Random) -> Made:
    header, units = ["Zeit", "Kraft", "Weg", "Kanal"], ["s", "kN", "mm", ""]
    rows = [
        [
            f"{idx / 10:.1f}".replace(".", ","),
            f"{numbers.gauss(5, 2):.3f}".replace(".", ","),
            f"{numbers.random() * 9:.3f}".replace(".", ","),
            "A",
        ]
        for idx in range(90)
    ]
    preamble = "Prüfstand;MX-12\r\nPrüfer;J. Köhler\r\nDatum;12.03.2015\r\n\r\n"
    joined = ["Zeit s", "Kraft kN", "Weg mm", "Kanal"]
    content = preamble + dump([header, units, *rows], ";")
    return content.encode("cp1252"), [(joined, rows), (header, [units, *rows])]


def _questions(numbers: random.Random) -> Made:
    top = ["RespondentID", "StartDate", "Which services do you use?", "", "", "How satisfied are you?", "Any other comments?"]
    below = ["", "", "Library", "Pool", "Park", "Response", "Open-Ended Response"]
    header = [
        "RespondentID",
        "StartDate",
        "Which services do you use? Library",
        "Which services do you use? Pool",
        "Which services do you use? Park",
    ]
    header += ["How satisfied are you? Response", "Any other comments? Open-Ended Response"]
    comments = ["", "More bins, please", 'The "new" pool is cold', "Thank you\nfor asking", "No"]
    rows = [
        [
            str(3_100_000_000 + idx * 977),
            f"{numbers.randint(1, 12):02d}/{numbers.randint(1, 28):02d}/2016",
            *[name if numbers.random() < 0.5 else "" for name in ("Library", "Pool", "Park")],
            numbers.choice(["Very satisfied", "Satisfied", "Dissatisfied"]),
            numbers.choice(comments),
        ]
        for idx in range(50)
    ]
    return dump([top, below, *rows]), [(header, rows)]


def _comments(numbers: random.Random) -> Made:
    header = ["Id", "Rating", "Comment"]
    words = "the staff were helpful but waiting took far too long, and nobody said why".split()
    rows = [
        [
            str(idx),
            str(numbers.randint(1, 5)),
            "\n".join(" ".join(numbers.choices(words, k=numbers.randint(4, 20))) for _ in range(numbers.randint(1, 4))),
        ]
        for idx in range(1, 50)
    ]
    return dump([header, *rows]), [(header, rows)]


def _glossary(numbers: random.Random) -> Made:
    header = ["Field name", "Description", "Format", "Mandatory"]
    words = "code of the area in which the case was opened, or closed if later".split()
    rows = [
        [f"FLD_{idx:02d}", " ".join(numbers.choices(words, k=9)), numbers.choice(["Text", "Date", "Number"]), numbers.choice(["Yes", "No"])]
        for idx in range(25)
    ]
    return dump([header, *rows]), [(header, rows)]


def _list(numbers: random.Random) -> Made:
    rows = [[f"{area}.office@council{numbers.randint(1, 9)}.example"] for area in _AREAS]
    return dump([["Email"], *rows]), [(["Email"], rows)]


def _no_header_register(numbers: random.Random) -> Made:
    rows = [
        [
            "{" + f"{numbers.getrandbits(64):016X}" + "}",
            str(numbers.randrange(50_000, 900_000, 500)),
            f"20{numbers.randint(10, 20)}-{numbers.randint(1, 12):02d}-{numbers.randint(1, 28):02d} 00:00",
            f"SW{numbers.randint(1, 20)} {numbers.randint(1, 9)}AB",
            numbers.choice("DSTF"),
            numbers.choice("YN"),
            str(numbers.randint(1, 200)),
            "",
            numbers.choice(["HIGH STREET", "MILL LANE"]),
            "LONDON",
        ]
        for _ in range(70)
    ]
    return dump(rows, end="\n", always=True), [(None, rows)]


def _bank(numbers: random.Random) -> Made:
    header = ["Buchungstag", "Valuta", "Auftraggeber/Empfänger", "Verwendungszweck", "Betrag", "Währung"]
    rows = [
        [
            f"{idx % 28 + 1:02d}.05.2020",
            f"{idx % 28 + 1:02d}.05.2020",
            numbers.choice(["Müller GmbH", "Stadtwerke Köln", "Bäckerei Groß"]),
            numbers.choice(["Rechnung 4711; Mai", "Miete", "Danke"]),
            f"{numbers.randrange(-90_000, 90_000) / 100:.2f}".replace(".", ","),
            "EUR",
        ]
        for idx in range(40)
    ]
    preamble = '"Kontonummer:";"DE00 1234"\n\n"Von:";"01.05.2020"\n"Bis:";"31.05.2020"\n\n'
    return (preamble + dump([header, *rows], ";", "\n", always=True)).encode("cp1252"), [(header, rows)]


def _grouped(numbers: random.Random) -> Made:
    header = ["Directorate", "Service", "Budget", "Actual", "Variance"]
    rows = []
    for group in ("Adults", "Places", "Resources"):
        for idx, service in enumerate(numbers.sample(_AREAS, 5)):
            budget, actual = numbers.randint(100, 9000), numbers.randint(100, 9000)
            rows.append([group if idx == 0 else "", service, str(budget), str(actual), str(budget - actual)])
    return "Budget monitoring,,,,\n" + dump([header, *rows], end="\n"), [(header, rows)]


def _stacked(numbers: random.Random) -> Made:
    header = ["School", "Pupils", "Places", "Opened"]
    rows = [
        [f"{area} Primary", str(numbers.randint(100, 600)), str(numbers.randint(100, 700)), str(numbers.randint(1880, 2015))]
        for area in _AREAS * 2
    ]
    other = dump([["Type", "Count"], ["Primary", "26"], ["Secondary", "4"], ["Special", "1"]], end="\n")
    return "Schools 2016\n" + dump([header, *rows], end="\n") + "\nSummary by type\n" + other, [(header, rows)]


def _missing_marks(numbers: random.Random) -> Made:
    header = ["geo", *[str(year) for year in range(2005, 2015)]]
    rows = [
        [code, *[numbers.choice([f"{numbers.random() * 30:.1f}", f"{numbers.random() * 30:.1f} p", ":", "..", ": c"]) for _ in header[1:]]]
        for code in "AT BE BG CY CZ DE DK EE EL ES FI FR".split()
    ]
    return dump([header, *rows], "\t", "\n"), [(header, rows)]


def _row_names(numbers: random.Random) -> Made:
    header = ["Sepal.Length", "Sepal.Width", "Species"]
    rows = [
        [str(idx), f"{numbers.random() * 8:.1f}", f"{numbers.random() * 4:.1f}", numbers.choice(["setosa", "virginica"])]
        for idx in range(1, 61)
    ]
    text = " ".join(f'"{name}"' for name in header) + "\n"
    text += "".join(f'"{row[0]}" {row[1]} {row[2]} "{row[3]}"\n' for row in rows)
    return text, [(["column_1", *header], rows)]


def _row_names_csv(numbers: random.Random) -> Made:
    header = ["mpg", "cyl", "hp"]
    rows = [
        [f"Car {name}", f"{numbers.random() * 30:.1f}", str(numbers.choice([4, 6, 8])), str(numbers.randint(60, 300))] for name in _AREAS
    ]
    text = '"",' + ",".join(f'"{name}"' for name in header) + "\n" + "".join(f'"{row[0]}",{",".join(row[1:])}\n' for row in rows)
    return text, [(["column_1", *header], rows)]


def _unicode_text(numbers: random.Random) -> Made:
    header, rows = (
        ["Vārds", "Pilsēta", "Summa"],
        [["Jānis", "Rīga", "12,5"], ["Līga", "Cēsis", "7,25"], ["Ģirts", "Ķekava", "100"], ["Žanete", "Ogre", "3,1"]],
    )
    return dump([header, *rows], "\t").encode("utf-16"), [(header, rows)]


def _mac(numbers: random.Random) -> Made:
    header = ["Site", "Species", "Count", "Observed"]
    rows = [
        [
            numbers.choice(_AREAS),
            numbers.choice(["Larus canus", "Corvus corax"]),
            str(numbers.randint(0, 90)),
            f"{numbers.randint(1, 28)}-Mar-09",
        ]
        for _ in range(40)
    ]
    return dump([header, *rows], end="\r"), [(header, rows)]


def _points(numbers: random.Random) -> Made:
    header = ["the_geom", "NAME", "EASTING", "NORTHING"]
    rows = [
        [
            f"POINT ({numbers.random():.6f} {50 + numbers.random():.6f})" if idx % 2 else f"LINESTRING ({idx} 1, 2 3)",
            _AREAS[idx % 13],
            str(numbers.randint(500_000, 560_000)),
            str(numbers.randint(150_000, 200_000)),
        ]
        for idx in range(30)
    ]
    return dump([header, *rows], end="\n"), [(header, rows)]


def _console(numbers: random.Random) -> Made:
    header = ["id", "name", "amount"]
    rows = [[str(idx), numbers.choice(_AREAS), f"{numbers.random() * 99:.2f}"] for idx in range(1, 30)]
    widths = [max(len(row[idx]) for row in [header, *rows]) for idx in range(3)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(lines) + f"\n({len(rows)} rows)\n", [(header, rows)]


def _commented(numbers: random.Random) -> Made:
    header = ["year", "month", "anomaly"]
    rows = [[str(1990 + idx // 12), str(idx % 12 + 1), f"{numbers.gauss(0, 1):.3f}"] for idx in range(60)]
    return "# Monthly anomalies, degrees C\n# Base period: 1961-1990\n#\n" + dump([header, *rows], end="\n"), [(header, rows)]


def _percent_comments(numbers: random.Random) -> Made:
    rows = [[str(1990 + idx // 12), str(idx % 12 + 1), f"{numbers.gauss(0, 1):.3f}"] for idx in range(60)]
    return "% Monthly anomalies, in degrees\n% Base period: 1961-1990\n% year month anomaly\n" + dump(rows, "\t", "\n"), [(None, rows)]


def _codes(numbers: random.Random) -> Made:
    header = ["LSOA_CODE", "LSOA_NAME", "LAD_CODE", "LAD_NAME"]
    rows = [
        [f"E0100{idx:04d}", f"{_AREAS[idx % 13]} {idx:03d}{numbers.choice('ABCD')}", f"E0900{idx % 13:04d}", _AREAS[idx % 13]]
        for idx in range(60)
    ]
    return dump([header, *rows], end="\n"), [(header, rows)]


def _ragged_notes(numbers: random.Random) -> Made:
    header = ["Date", "Minister", "Gift", "Given or received", "Value (£)"]
    rows = [
        [
            f"{numbers.randint(1, 28)} June",
            "Rt Hon A. Person",
            numbers.choice(["Nil return", "Rug", "Tea, and a cup"]),
            numbers.choice(["Given", "Received"]),
            numbers.choice(["Over limit", "95", "Under 140", "N/A"]),
        ]
        for _ in range(14)
    ]
    return "GIFTS GIVEN AND RECEIVED BY MINISTERS\nApril - June 2013\n" + dump([header, *rows]), [(header, rows)]


def _organogram(numbers: random.Random) -> Made:
    header = ["Post Unique Reference", "Name", "Grade", "Job Title", "Contact Phone", "Contact E-mail", "Reports to Senior Post", "FTE"]
    rows = [
        [
            str(9000 + idx),
            numbers.choice(["N/D", "Vacant", "A. Person"]),
            numbers.choice(["SCS1", "SCS2"]),
            "Deputy Director, Policy",
            "020 7946 0018",
            "post@works.example",
            "XX" if idx == 0 else "9000",
            "1.00",
        ]
        for idx in range(20)
    ]
    return dump([header, *rows], always=True), [(header, rows)]


def _wrapped_lines(numbers: random.Random) -> Made:
    header = ["Ref", "Name", "Amount"]
    rows = [[str(idx), f"Smith, {numbers.choice(_AREAS)}", f"{numbers.random() * 9:.2f}"] for idx in range(30)]
    inner = dump([header, *rows], end="\n").splitlines()
    return "".join('"' + line.replace('"', '""') + '"\n' for line in inner), [(header, rows)]


TEMPLATES: dict[str, Callable[[random.Random], Made]] = {
    name.removeprefix("_").replace("_", " "): make
    for name, make in list(globals().items())
    if name.startswith("_") and callable(make) and getattr(make, "__annotations__", {}).get("return") == "Made"
}
