# ruff: noqa: E501
"""What ``pollution`` pollutes: clean tables in several languages, and how they are written as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

Rows = list[list[str]]
#: Polluted files by kind: name, content, header, rows[, decidable].
Made = Iterator[tuple]


@dataclass(frozen=True)
class Case:
    """A polluted file and what it should be read as."""

    name: str
    kind: str
    content: bytes
    header: list[str] | None
    rows: Rows
    decidable: bool = True


class Base(NamedTuple):
    """A clean table."""

    name: str
    header: list[str]
    rows: Rows
    encodings: tuple[str, ...]


ENGLISH = ("Anna Smith;John O'Brien;Mary-Jane Watson;Peter Jones;Lucy Brown;Tom Baker;Alice Cooper;Bob Marley;Eve Adams;Carl Jung").split(
    ";"
)
RUSSIAN = (
    "Иван Петров;Анна Сидорова;Пётр Щукин;Мария Ёлкина;Олег Жуков;Юлия Цой;Сергей Чехов;Ольга Эйхе;Борис Шаляпин;Глеб Хлебников".split(";")
)
LATVIAN = "Jānis Bērziņš;Līga Ozoliņa;Pēteris Kalniņš;Ģirts Ķeniņš;Žanete Šķēle;Ņina Ļaudaka;Anna Āboliņa;Māris Ūdris;Ilze Čakste;Uģis Grīnbergs".split(
    ";"
)
GERMAN = "Jürgen Müller;Käthe Größmann;Björn Weiß;Ute Schröder;Jörg Bäcker;Änne Groß;Max Übermut;Heidi Köhler;Günter Jäger;Zoë Voß".split(
    ";"
)
FRENCH = "François Lefèvre;Éloïse Béranger;Hélène Côté;Benoît Gaël;Anaïs Prévôt;Noël Château;Zoé Müller;Agnès Forêt;Jérôme Dubé;Céline Hôte".split(
    ";"
)
POLISH = "Łukasz Wójcik;Małgorzata Dąbrowska;Paweł Krzyżanowski;Agnieszka Święta;Grażyna Żak;Michał Gęsi;Zofia Ćwik;Jan Kość;Ewa Śliwa;Adam Źródło".split(
    ";"
)
LITHUANIAN = "Žydrūnas Šimkus;Rūta Čepaitė;Ąžuolas Žukauskas;Eglė Ėmužytė;Jūratė Šliūpaitė;Vytautas Ūsas;Mindaugas Įvanauskas;Dovilė Ęžerė;Šarūnas Ž.;Aušrinė Č.".split(
    ";"
)
ESTONIAN = "Jüri Mägi;Õnne Pärn;Ülle Kõiv;Päivi Šmidt;Tõnu Äär;Žanna Öö;Kärt Põld;Mõmmi Jõgi;Ülo Pähn;Märt Tõru".split(";")
COMMENTS = [
    "called twice",
    "wants a quote, urgent",
    'says "later"',
    "",
    "sent the offer",
    "moved, new address",
    "VIP",
    "",
    "do not call",
    "paid in full",
]
CITIES = ["Riga", "London", "Perm", "Ventspils", "Leeds", "Kazan", "Liepaja", "York", "Omsk", "Cesis"]


def contacts(names: list[str], header: list[str], n_rows: int = 40) -> tuple[list[str], Rows]:
    rows = []
    for idx in range(n_rows):
        name = names[idx % len(names)]
        rows.append(
            [
                str(1000 + idx * 7),
                name,
                f"user{idx}@example{idx % 3}.com",
                f"+3712{9000000 + idx * 12345:07d}",
                f"2024-{idx % 12 + 1:02d}-{idx % 28 + 1:02d}",
                CITIES[(idx * 3) % len(CITIES)],
                f"{(idx * 137) % 5000 / 4:.2f}",
                COMMENTS[(idx * 7) % len(COMMENTS)],
            ]
        )
    return header, rows


def bases() -> list[Base]:
    """The clean tables."""
    english = ["id", "name", "email", "phone", "created", "city", "amount", "comment"]
    russian = ["Код", "ФИО", "Эл. почта", "Телефон", "Дата", "Город", "Сумма", "Примечание"]
    latvian = ["Nr", "Vārds", "E-pasts", "Tālrunis", "Datums", "Pilsēta", "Summa", "Piezīmes"]
    made = [
        Base("english", *contacts(ENGLISH, english), ("ascii",)),
        Base("russian", *contacts(RUSSIAN, russian), ("cp1251", "koi8-r", "cp866", "iso8859-5")),
        Base("latvian", *contacts(LATVIAN, latvian), ("cp1257", "iso8859-13", "iso8859-4")),
    ]
    numbers = [[str(idx), f"{20 + idx % 7}.{idx % 10}", f"{idx * idx % 97}", f"{idx % 3}"] for idx in range(1, 41)]
    made.append(Base("numbers", ["station", "temperature", "humidity", "rain"], numbers, ("ascii",)))
    texts = [[ENGLISH[idx % 10], CITIES[idx * 3 % 10], ["gold", "silver", "bronze"][idx % 3] + f" {CITIES[idx % 10]}"] for idx in range(40)]
    made.append(Base("texts", ["name", "city", "level"], texts, ("ascii",)))
    return made


def quoted(cell: str, delimiter: str, quote: str = '"', close: str | None = None, escape: str | None = None, always: bool = False) -> str:
    """A cell as a writer with this dialect writes it."""
    close = close or quote
    if quote and (
        always or any(mark in cell for mark in (delimiter, quote, close, "\n", "\r")) or cell.startswith(" ") or cell.endswith(" ")
    ):
        if escape is not None:
            inner = cell.replace(escape, escape * 2).replace(close, escape + close)
        else:
            inner = cell.replace(close, close * 2) if quote == close else cell
        return quote + inner + close
    return cell


def line(cells: list[str], delimiter: str = ",", **dialect: object) -> str:
    return delimiter.join(quoted(cell, delimiter, **dialect) for cell in cells)  # type: ignore[arg-type]


def dump(header: list[str] | None, rows: Rows, delimiter: str = ",", end: str = "\n", **dialect: object) -> str:
    lines = ([header] if header is not None else []) + rows
    return "".join(line(cells, delimiter, **dialect) + end for cells in lines)
