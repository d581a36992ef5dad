"""Whom ``dedupe`` takes for one person where that goes wrong: namesakes, colleagues, numbered people, rows loaded many times; and roles."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine import detection

GIVEN = "Данияр Айгуль Нурлан Инна Серик Ольга Тимур Дина Марат Алия".split()
FAMILY = "Омаров Серикова Ахметов Белова Ким Попова Сулейменов Ли Жунусов Касымова".split()


def contacts_of(rows: list[dict[str, str]]) -> list[set[int]]:
    """The rows that each contact consists of."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: [row.get(name, "") for row in rows] for name in names})
    groups: dict[str, set[int]] = {}
    for number, contact in enumerate(crm.dedupe(table).records["contact_id"].to_pylist()):
        groups.setdefault(contact, set()).add(number)
    return list(groups.values())


def assert_told_apart(rows: list[dict[str, str]], truth: Sequence[object], most: float) -> None:
    """Nobody is merged with another, and at most ``most`` contacts stand for each."""
    found = contacts_of(rows)
    assert all(len({truth[row] for row in group}) == 1 for group in found), "two are merged"
    assert len(found) <= most * len(set(truth)), "their own rows are not found"


def word(rng: random.Random, n: int) -> str:
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(n))


@pytest.mark.parametrize(("n_rows", "n_names"), [(20, 4), (60, 8), (100, 6)])
def test_namesakes_with_phones_and_mailboxes_of_their_own_stay_apart(n_rows: int, n_names: int) -> None:
    rng = random.Random(n_rows)
    rows = [
        {
            "ФИО": f"{FAMILY[number % n_names]} {GIVEN[number % n_names]}",
            "Город": rng.choice(["Алматы", "Астана", "Шымкент"]),
            "Телефон": f"8 70{rng.randrange(10)} {rng.randrange(100, 999)} {rng.randrange(1000, 9999)}",
            "Email": f"{word(rng, 8)}@gmail.com",
        }
        for number in range(n_rows)
    ]
    assert len(contacts_of(rows)) == n_rows


@pytest.mark.parametrize("n_rows", [2, 3, 5, 10, 15, 40])
def test_people_that_are_numbered_are_not_slips_of_each_other(n_rows: int) -> None:
    rows = [
        {"first name": f"First{n}", "last name": f"Last{n}", "email": f"user{n}@firm.lv", "phone": f"+371 2{n:07}"} for n in range(n_rows)
    ]
    assert len(contacts_of(rows)) == n_rows


def test_colleagues_share_the_firm_and_stay_themselves() -> None:
    rng = random.Random(5)
    rows, truth = [], []
    for firm in range(120):
        name, board, city = (
            f"{word(rng, 7).title()} {word(rng, 6).title()}",
            f"+44 20 7{rng.randrange(10**6):06} {rng.randrange(10)}",
            word(rng, 8),
        )
        for member in range(rng.choice([1, 2, 5])):
            given, family = word(rng, 6).title(), word(rng, 8).title()
            for _ in range(rng.choice([1, 1, 1, 2])):
                mail = rng.choice([f"{given}.{family}@firm{firm}.com".lower(), f"office@firm{firm}.com", ""])
                person = {"First name": given, "Last name": family, "E-mail": mail}
                rows.append({"Client account": name, "Tax id": f"LV4000300{firm:04}", "Phone": board, "Town": city, **person})
                truth.append((firm, member))
    # Whichever mailbox they give.
    assert_told_apart(rows, truth, most=1.03)


def test_couples_share_a_mailbox_and_a_surname_and_stay_two() -> None:
    rng = random.Random(3)
    given = "Anna Boris Clara Dennis Emma Felix Gloria Henry Irene Jacob Karen Louis Maria Nils Olga Paul Rita Simon Tina Victor".split()
    rows, truth = [], []
    for household in range(400):
        surname, mailbox = word(rng, 8).title(), f"{word(rng, 9)}@gmail.com"
        for name in rng.sample(given, 2 if household < 80 else 1):
            for _ in range(1 + (rng.random() < 0.3)):
                rows.append({"first name": name, "last name": surname, "email": mailbox, "city": rng.choice(["Riga", "Ogre", "Cesis"])})
                truth.append((household, name))
    assert_told_apart(rows, truth, most=1.01)


def test_tenants_of_a_hotel_share_its_address_and_switchboard_and_stay_themselves() -> None:
    rng = random.Random(11)
    rows, truth = [], []
    for place in range(60):
        street, phone, city = (
            f"{rng.randrange(1, 99)} {word(rng, 7)} Street",
            f"(702) 38{rng.randrange(10)}-{rng.randrange(1000, 9999)}",
            "Las Vegas",
        )
        for trade in rng.sample(["Steak House", "Oyster Bar", "Noodle Kitchen", "Coffee Shop"], 2):
            name = f"{word(rng, 8).title()} {trade}"
            for spelled in [name, f"The {name}"][: 1 + (place % 4 == 0)]:
                rows.append({"name": spelled, "address": street, "city": city, "phone": phone})
                truth.append(name)
    assert_told_apart(rows, truth, most=1.0)


def test_a_row_loaded_a_thousand_times_is_one_contact() -> None:
    rng = random.Random(3)
    row = {"name": "Anna Ozola", "email": "anna.ozola@inbox.lv", "phone": "+371 29123456", "birth date": "1985-04-03"}
    others = [
        {"name": f"{word(rng, 6)} {word(rng, 8)}".title(), "email": f"{word(rng, 9)}@inbox.lv", "phone": f"+371 2{rng.randrange(10**7):07}",
         "birth date": f"{rng.randrange(1940, 2000)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"}
        for _ in range(9_000)
    ]  # fmt: skip
    found = contacts_of([row] * 1_000 + others)
    assert set(range(1_000)) in found


def test_headers_in_two_languages_and_names_that_no_list_knows() -> None:
    rng = random.Random(1)
    values = {header: [word(rng, 6).title() for _ in range(60)] for header in ("Imię / Nome", "Surname")}
    assert crm.profile(pa.table(values)).roles() == {"Imię / Nome": "given_name", "Surname": "family_name"}
    # Without a word that is known the place beside the family names tells.
    values = {"qq": values["Imię / Nome"], "Surname": values["Surname"]}
    assert crm.profile(pa.table(values)).roles() == {"qq": "given_name", "Surname": "family_name"}


def test_a_column_that_starts_late_is_understood(tmp_path: Path) -> None:
    """Also where the rows that show its role stand far behind those that are looked at first."""
    path = tmp_path / "late.csv"
    n_rows = detection.HEAD_ROWS + 40_000
    with path.open("w", encoding="utf-8") as file:
        file.write("id,last name,xx\n")
        for number in range(n_rows):
            mail = f"user.{number}x@inbox.lv" if number >= n_rows - 20_000 else ""
            file.write(f"{number},Name{number % 700},{mail}\n")
    assert crm.profile(str(path)).roles()["xx"] == "email"


def test_roles_do_not_depend_on_batches() -> None:
    table = pa.table(
        {"id": [str(number) for number in range(300)], "xx": [""] * 150 + [f"user.{number}x@inbox.lv" for number in range(150)]}
    )
    assert {crm.profile(pa.RecordBatchReader.from_batches(table.schema, table.to_batches(size))).roles()["xx"] for size in (1, 7, 300)} == {
        "email"
    }


def test_files_of_one_header_are_understood_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("id,who,xx\n", encoding="utf-8")
    rows = ["1,Anna Ozola,anna@inbox.lv", "2,OZOLA ANNA,Anna@Inbox.lv", "3,Jānis Bērziņš,janis@inbox.lv"]
    (tmp_path / "full.csv").write_text("\n".join(["id,who,xx", *rows]) + "\n", encoding="utf-8")
    for order in itertools.permutations(["empty.csv", "full.csv"]):
        assert crm.dedupe([str(tmp_path / name) for name in order]).contacts.num_rows == 2


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"Telefon": [f"604 {n:03} 684" for n in range(100, 130)], "E-mail": [f"a{n}@wp.pl" for n in range(30)]}, "+48"),
        ({"Telefon": [f"0341 5{n:05}" for n in range(10_000, 10_030)], "Land": ["Deutschland"] * 30}, "+49"),
        ({"Telefon": [f"050 989 7{n:03}" for n in range(100, 130)], "Email": [f"b{n}@mail.com.ua" for n in range(30)]}, "+380"),
    ],
)
def test_national_numbers_are_those_of_the_rows_country(columns: dict[str, list[str]], code: str) -> None:
    phones = crm.dedupe(pa.table(columns)).contacts["phone"].to_pylist()
    assert {number[: len(code)] for numbers in phones for number in numbers} == {code}
