"""Clean tables of the kinds that offices, shops, statistics offices and laboratories publish; the values are made up, and deterministic."""

from __future__ import annotations

import random
from typing import NamedTuple

Rows = list[list[str]]


class Table(NamedTuple):
    """A clean table, and whether its columns tell its header from its rows (words above numbers or dates do)."""

    name: str
    header: list[str]
    rows: Rows
    is_typed: bool = True


_STREETS = ["High Street", "Mill Lane", "Brīvības iela", "Station Road", "ulica Lenina", "Rue de la Paix", "Church Hill", "Am Markt"]
_TOWNS = ["Leeds", "Riga", "Stoke-on-Trent", "Perm", "Paris", "Bad Aibling", "St. Ives", "Newcastle upon Tyne", "Ogre"]
_GOODS = ["Desk lamp", "Chair", "USB cable", "Notebook", "Kettle", "Printer paper", "Garden hose", "Men's boots"]
_REMARKS = [
    "",
    "delivered late",
    'customer said "never again"',
    "call before delivery, please",
    "",
    "two boxes\nleft at the door",
    "n/a",
    "returned; see #1042",
    "gift wrap",
]
_WORDS = ["amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "ledge"]


def _sales(numbers: random.Random, n_rows: int) -> Table:
    header = ["DATE", "TIME", "Units", "ITEM_NO", "UnitPrice", "Category", "Item", "Link", "Remarks"]
    rows = []
    for idx in range(n_rows):
        item = numbers.randrange(len(_GOODS))
        rows.append(
            [
                f"{idx % 28 + 1:02d}/{idx // 28 % 12 + 1:02d}/2019",
                f"{numbers.randint(1, 12):02d}:{numbers.randrange(60):02d}:{numbers.randrange(60):02d} {numbers.choice(['AM', 'PM'])}",
                str(numbers.randint(1, 40)),
                str(10_000 + item * 37),
                f"${numbers.randrange(100, 99_999) / 100:.2f}",
                ["Office", "Home", "Garden"][item % 3],
                _GOODS[item] + numbers.choice(["", " (white)", ", black", ' 12"', " - large"]),
                f"https://shop.example/item?id={item}&ref={idx}",
                numbers.choice(_REMARKS),
            ]
        )
    return Table("sales", header, rows)


def _addresses(numbers: random.Random) -> Table:
    header = ["Ref", "Name", "Address", "Town", "Postcode", "Telephone", "Opened"]
    rows = []
    for idx in range(60):
        street = numbers.choice(_STREETS)
        rows.append(
            [
                f"AD{idx:04d}",
                f"{numbers.choice(_WORDS).title()} & {numbers.choice(_WORDS).title()} Ltd",
                f"{numbers.randint(1, 200)} {street}, {numbers.choice(['1st floor', 'Unit 4', 'rear'])}" if idx % 3 else street,
                numbers.choice(_TOWNS),
                f"{numbers.choice('ABELS')}{numbers.randint(1, 30)} {numbers.randint(1, 9)}{numbers.choice('ABX')}{numbers.choice('DEF')}",
                f"0{numbers.randint(1000, 1999)} {numbers.randint(100_000, 999_999)}",
                f"{numbers.randint(1990, 2023)}-{numbers.randint(1, 12):02d}-{numbers.randint(1, 28):02d}",
            ]
        )
    return Table("addresses", header, rows)


def _measurements(numbers: random.Random) -> Table:
    header = ["t", "x", "y", "z", "err", "ok"]
    rows = [
        [
            f"{idx * 0.05:.2f}",
            *[f"{numbers.gauss(0, 3):.4f}" for _ in range(3)],
            f"{numbers.random() / 1000:.2e}",
            str(numbers.randint(0, 1)),
        ]
        for idx in range(50)
    ]
    return Table("measurements", header, rows)


def _spending(numbers: random.Random) -> Table:
    header = [
        "Department family",
        "Entity",
        "Date",
        "Expense type",
        "Expense area",
        "Supplier",
        "Transaction number",
        "Amount",
    ]
    rows = []
    for idx in range(90):
        amount = numbers.randrange(50_000, 900_000_000) / 100
        rows.append(
            [
                "Department of Works",
                numbers.choice(["Works HQ", "Roads Agency", "Bridges, Tunnels and Ferries"]),
                f"{numbers.randint(1, 28):02d}/03/2016",
                numbers.choice(["Consultancy", "IT hardware", "Rent & rates", "Training", "Legal fees"]),
                numbers.choice(["Corporate services", "Delivery", "North, East and Yorkshire"]),
                numbers.choice(_WORDS).upper() + numbers.choice([" PLC", " LIMITED", " LLP", " & SONS"]),
                str(5_000_000 + idx * 13),
                f"{amount:,.2f}" if idx % 9 else f"-{amount:,.2f}",
            ]
        )
    return Table("spending", header, rows)


def _words(numbers: random.Random) -> Table:
    header = ["Term", "Meaning", "Used in", "Note"]
    rows = []
    for idx in range(40):
        meaning = " ".join(numbers.choices(_WORDS, k=numbers.randint(3, 9)))
        rows.append([_WORDS[idx % 12] + _WORDS[idx * 5 % 12], meaning, numbers.choice(_TOWNS), numbers.choice(["common", "rare", ""])])
    return Table("words", header, rows, False)


def _survey(numbers: random.Random) -> Table:
    answers = ["Strongly agree", "Agree", "Neither agree nor disagree", "Disagree", "Prefer not to say", ""]
    header = ["Respondent", "Age group", *[f"Q{number}. Is the service {word}?" for number, word in enumerate(_WORDS[:7], 1)], "Score"]
    rows = [
        [f"R-{idx:03d}", numbers.choice(["16-24", "25-44", "45-64", "65+"]), *numbers.choices(answers, k=7), str(numbers.randint(0, 10))]
        for idx in range(70)
    ]
    return Table("survey", header, rows)


def _short(numbers: random.Random) -> Table:
    rows = [[str(idx), numbers.choice(_GOODS), f"{numbers.randrange(1000) / 10:.1f}", f"2020-0{idx}-11"] for idx in range(1, 6)]
    return Table("short", ["No", "Item", "Weight", "Seen"], rows)


def _wide(numbers: random.Random) -> Table:
    header = ["Area code", "Area", *[f"{year} {sex}" for year in range(2001, 2012) for sex in ("male", "female")]]
    rows = [[f"E0{6_000_000 + idx}", numbers.choice(_TOWNS), *[str(numbers.randint(100, 90_000)) for _ in range(22)]] for idx in range(30)]
    return Table("wide", header, rows)


def _sparse(numbers: random.Random) -> Table:
    header = ["Case", "Reported", "Closed", "Officer", "Outcome", "Cost"]
    rows = []
    for idx in range(60):
        is_closed = numbers.random() < 0.4
        rows.append(
            [
                f"{2000 + idx}/{numbers.randint(10, 99)}",
                f"{numbers.randint(1, 28)}.{numbers.randint(1, 12)}.2021",
                f"{numbers.randint(1, 28)}.{numbers.randint(1, 12)}.2022" if is_closed else "",
                numbers.choice(["", "A. Bērziņa", "P. O'Neill"]),
                numbers.choice(["upheld", "dismissed"]) if is_closed else "",
                f"{numbers.randrange(9000) / 100:.2f}" if numbers.random() < 0.5 else "",
            ]
        )
    return Table("sparse", header, rows)


def tables() -> list[Table]:
    """All of them."""
    made = []
    for number, make in enumerate(
        (lambda numbers: _sales(numbers, 84), _addresses, _measurements, _spending, _words, _survey, _short, _wide, _sparse)
    ):
        made.append(make(random.Random(number)))
    return made
