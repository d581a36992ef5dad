"""Roles from headers alone (403 headers of real exports), from values alone, and from both."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from crm_engine import _core
from crm_engine.demo import write_demo
from crm_engine.profile import profile


def detect(columns: dict[str, list[str | None]]) -> dict[str, str | None]:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return {column["column"]: column["role"] for column in json.loads(_core.detect_roles(table))}


def header_tables() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    name, rows = "", []
    for line in (Path(__file__).parent / "role_headers.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            if rows:
                yield name, rows
            name, rows = line[3:], []
        elif line and not line.startswith("#"):
            header, _, role = line.rpartition(" = ")
            rows.append((header, role))
    yield name, rows


@pytest.mark.parametrize(("name", "rows"), [pytest.param(*case, id=case[0]) for case in header_tables()])
def test_headers_alone(name: str, rows: list[tuple[str, str]]) -> None:
    found = detect({header: [] for header, _ in rows})
    wrong = {header: (found[header], role) for header, role in rows if (found[header] or "-") != role}
    assert not wrong, f"{name}: header: (found, expected) {wrong}"


VALUES: dict[str, list[str]] = {
    "email": ["anna@inbox.lv", "john.smith@gmail.com", "info@firma.ru", "k_petrov@mail.ru", "x.y@z.co.uk", "o@p.org"],
    "phone": ["+371 29 555 123", "8 (912) 345-67-89", "+44 20 7946 0958", "+7 495 123-45-67", "(212) 555-0123", "+49 30 901820"],
    "birth_date": ["1985-03-12", "1961-11-02", "1990-07-30", "1974-01-15", "1949-12-01", "2001-05-05", "1956-06-06", "1968-10-10"],
    "gender": ["male", "female", "female", "male", "male", "female"],
    "website": ["https://firma.lv", "www.example.com", "http://ooo-romashka.ru/about", "example.org", "shop.example.de", "https://a.io"],
    "country": ["Latvia", "Germany", "Russia", "Latvia", "France", "Poland"],
    "company_name": [
        'ООО "Ромашка"',
        "SIA Zaļais ceļš",
        "Acme Ltd",
        "Müller GmbH",
        "Bright Systems Inc",
        "АО Вектор",
        "Baltic Trade SIA",
        "Foo LLC",
    ],
    "postcode": ["LV-1010", "LV-3001", "LV-5401", "LV-1050", "LV-2010", "LV-4101"],
    "tax_id": ["7707083893", "7736050003", "7702070139", "7728168971", "5003052454", "7706107510"],
    "given_name": ["Анна", "Сергей", "Ольга", "Дмитрий", "Мария", "Иван", "Елена", "Павел"],
    "middle_name": ["Сергеевна", "Иванович", "Петровна", "Дмитриевич", "Олеговна", "Андреевич"],
    "full_name": ["Anna Ozola", "John Smith", "Maria Garcia", "Peter Miller", "Elena Petrova", "Jānis Bērziņš", "Thomas Brown"],
    "street": ["12 Oak Street", "Brīvības iela 55-3", "ул. Ленина, д. 5", "48 Park Avenue", "Hauptstraße 17", "7 Elm Road"],
    "updated_at": [],
}


@pytest.mark.parametrize("role", [role for role, values in VALUES.items() if values])
@pytest.mark.parametrize("header", ["col1", "Поле 3", "Unnamed: 0", "column_2", "F4"])
def test_values_alone(role: str, header: str) -> None:
    assert detect({header: list(VALUES[role])})[header] == role


def test_a_whole_table_without_headers() -> None:
    rng = random.Random(4)
    given = "Anna John Maria Peter Elena Thomas Olga Ivan Liga Karen Paul Laura".split()
    family = "Ozola Smith Garcia Miller Petrova Brown Kalnina Volkov Berzina Wright Novak Jansons Weber Liepa Turner Hughes".split()
    rows = 200
    columns: dict[str, list[str | None]] = {
        "column_1": [str(number) for number in range(1, rows + 1)],
        "column_2": [rng.choice(given) for _ in range(rows)],
        "column_3": [rng.choice(family) for _ in range(rows)],
        "column_4": [f"{rng.choice(given)}.{rng.randrange(99)}@example.com".lower() if rng.random() < 0.8 else None for _ in range(rows)],
        "column_5": [f"+371 2{rng.randrange(1000000, 9999999)}" for _ in range(rows)],
        "column_6": [f"{rng.randrange(1940, 2005)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}" for _ in range(rows)],
        "column_7": [rng.choice(["Riga", "London", "Berlin", "Paris"]) for _ in range(rows)],
        "column_8": [rng.choice(["blue", "green", "red"]) for _ in range(rows)],
    }
    assert detect(columns) == {
        "column_1": None,
        "column_2": "given_name",
        "column_3": "family_name",
        "column_4": "email",
        "column_5": "phone",
        "column_6": "birth_date",
        "column_7": "city",
        "column_8": None,
    }


def test_values_overrule_a_wrong_header() -> None:
    found = detect({"phone": list(VALUES["email"]), "email": list(VALUES["phone"])})
    assert found == {"phone": "email", "email": "phone"}


def test_a_column_that_counts_rows_is_no_evidence() -> None:
    table = pa.table({"№ п/п": [str(n) for n in range(1, 50)], "Имя": ["Анна"] * 49})
    columns = {column["column"]: column for column in json.loads(_core.detect_roles(table))}
    assert columns["№ п/п"]["role"] is None
    assert columns["№ п/п"]["counts_rows"]


def test_a_repeating_id_is_no_key() -> None:
    assert detect({"id": ["1", "1", "2", "3", "3"]})["id"] is None


def test_of_two_addresses_the_fuller_one_is_taken_whole() -> None:
    found = detect(
        {
            "Billing Street": ["1 Oak Street", "2 Elm Road", "3 Park Lane"],
            "Billing City": ["London", "Leeds", "Bristol"],
            "Shipping Street": ["9 Mill Road", None, None],
            "Shipping City": ["York", None, None],
        }
    )
    assert found == {"Billing Street": "street", "Billing City": "city", "Shipping Street": None, "Shipping City": None}


def test_a_second_given_name_is_not_the_given_name() -> None:
    found = detect(
        {
            "fname_1": ["HORSZT", "MARTIYN", "GERD", "UWE", "JUTTA", "ELKE"],
            "fname_2": [None, None, "Anna", None, None, None],
            "lname": ["SCHWARZ", "MEIER", "VOGT", "HAAS", "KLEIN", "BRAUN"],
        }
    )
    assert found == {"fname_1": "given_name", "fname_2": None, "lname": "family_name"}
    found = detect(
        {"first_name": ["Uwe", "Gerd", "Elke"], "second_first_name": [None, "Anna", None], "last_name": ["Haas", "Vogt", "Klein"]}
    )
    assert found == {"first_name": "given_name", "second_first_name": "middle_name", "last_name": "family_name"}


def test_row_order_and_batches_do_not_matter() -> None:
    rows = list(zip(*(VALUES[role][:6] for role in ("email", "phone", "given_name", "street")), strict=True))
    found = set()
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        columns = dict(zip("abcd", (list(column) for column in zip(*rows, strict=True)), strict=True))
        found.add(tuple(detect({f"col{name}": list(values) for name, values in columns.items()}).values()))
    assert found == {("email", "phone", "given_name", "street")}


def test_the_demo_exports(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", rows=800, seed=5)
    found = profile(
        [
            tmp_path / "demo" / name
            for name in ("hubspot_contacts.csv", "bitrix24_контакты.csv", "klienti.xlsx", "webshop_customers.parquet")
        ]
    )
    roles = found.roles()
    assert roles["Record ID"] == roles["Kods"] == roles["customer_id"] == roles["ID"] == "source_key"
    assert roles["Reģ. nr."] == roles["ИНН"] == "tax_id"
    assert roles["name"] == "full_name"
    assert roles["newsletter"] == "marketing_consent"


def test_labelled_data(shared: Path) -> None:
    expected = {
        "febrl3": {"soc_sec_id": "tax_id", "address_1": "street", "suburb": "city", "state": "region", "id": "source_key"},
        "fake_1000": {"dob": "birth_date", "first_name": "given_name", "email": "email"},
        "historical_50k": {"gender": "gender", "occupation": "job_title", "first_and_surname": "full_name", "postcode_fake": "postcode"},
    }
    for name, roles in expected.items():
        found = profile(shared / "data" / name / "records.csv", max_rows=5_000).roles()
        assert {column: found.get(column) for column in roles} == roles
        assert "birth_place" not in found


@pytest.mark.parametrize(
    ("header", "values", "role"),
    [
        ("EMAIL;TYPE=INTERNET", ["max@mustermann.de", "erika@musterfrau.de", "a.b@c.org"], "email"),
        ("TEL;TYPE=CELL", ["+49 170 1112233", "0170 1112234", "+49 171 9998877"], "phone"),
        ("E-mail - Type", ["max@mustermann.de", "erika@musterfrau.de", "a.b@c.org"], "email"),
        ("Zusatzfeld 7", ["max@mustermann.de", "erika@musterfrau.de", "a.b@c.org"], "email"),
        ("Туған күні", ["12.03.1985", "01.01.1990", "05.06.1971"], "birth_date"),
        ("Реквизит даты", ["12.03.1965", "01.01.1990", "05.06.1971", "07.08.1958"], "birth_date"),
        ("Т.А.Ә.", ["Нұрсұлтан Серікұлы Әбілқайыр", "Қасымова Гүлнар Ерланқызы", "Қасымова Гүлнар"], "full_name"),
        ("ИНН/КПП", ["7707083893/770701001", "500100732259", "7736050003/773601001"], "tax_id"),
        ("ЄДРПОУ", ["12345678", "32855961", "14360570"], "tax_id"),
        ("ЖСН", ["850312300123", "900101400111", "870505300222"], "tax_id"),
        ("NIP", ["526-030-02-91", "1234563218", "5260250995"], "tax_id"),
        ("Kd.-Nr.", ["10001", "10002", "10003", "10004"], "source_key"),
        ("N° client", ["10001", "10002", "10003", "10004"], "source_key"),
        ("Nr klienta", ["501", "502", "503", "504"], "source_key"),
        # What says whose it is, or counts the rows, still objects.
        ("Assistant's phone", ["+49 170 1112233", "0170 1112234", "+49 171 9998877"], None),
        ("Fax", ["+49 170 1112233", "0170 1112234", "+49 171 9998877"], None),
        ("№ п/п", ["501", "502", "503", "504"], None),
        ("Title", ["Mr", "Dr.", "Mrs", "Mr"], None),
    ],
)
def test_values_without_doubt_and_words_that_object(header: str, values: list[str], role: str | None) -> None:
    assert detect({header: list(values)})[header] == role


def test_an_address_in_one_cell_gives_way_to_its_parts() -> None:
    found = detect(
        {
            "Address 1 - Formatted": ["Brīvības iela 10-5\nRīga, LV-1010\nLatvia", "Elizabetes iela 2\nRīga"],
            "Address 1 - Street": ["Brīvības iela 10-5", "Elizabetes iela 2"],
            "Address 1 - City": ["Rīga", "Rīga"],
        }
    )
    assert found == {"Address 1 - Formatted": None, "Address 1 - Street": "street", "Address 1 - City": "city"}
    assert detect({"Address 1 - Formatted": ["Brīvības iela 10-5, Rīga", "Elizabetes iela 2, Rīga"]}) == {"Address 1 - Formatted": "street"}


def test_reasons_say_why_and_do_not_contradict_themselves() -> None:
    table = pa.table(
        {
            "Business Street": ["1 Oak Street", None, None],
            "Business City": ["London", None, None],
            "Home Street": ["9 Mill Road", "3 Elm Road", "5 Park Lane"],
            "Home City": ["York", "Leeds", "Hull"],
        }
    )
    columns = {column["column"]: column for column in json.loads(_core.detect_roles(table))}
    assert columns["Business Street"]["role"] is None
    assert columns["Business Street"]["reasons"] == ["the header suggests street, but another address of the table is fuller"]


def test_a_refusal_is_a_value_and_no_placeholder() -> None:
    table = pa.table({"Имя": ["Иван", "Пётр", "Анна", "Олег"], "Согласие на рассылку": ["да", "нет", "нет", "нет"]})
    consent = profile(table).tables[0].columns[1]
    assert (consent.role, consent.filled, consent.distinct) == ("marketing_consent", 4, 2)
    assert not [problem for problem in profile(table).tables[0].problems if "Согласие" in problem]


def test_values_are_checked_as_matching_reads_them() -> None:
    table = pa.table(
        {
            "Telefon": ["0341/558291", "030/8172635", "12", "0000000"],
            "USt-IdNr.": ["DE136695976", "DE136695977", "DE123456789", None],
            "Geburtsdatum": ["05.06.1975", "0/0/00", "31.02.1980", "07.08.1980"],
        }
    )
    phone, vat, born = profile(table, phone_region="DE").tables[0].columns
    assert phone.invalid == {"has too few digits": 1, "is a placeholder": 1}
    assert vat.invalid == {"has a wrong check digit": 1, "is a placeholder": 1}
    assert (born.filled, born.invalid) == (3, {"is no date": 1})


def test_empty_columns_are_one_problem_and_ambiguous_dates_can_be_settled() -> None:
    empty = {f"Feld {number}": pa.nulls(3, pa.string()) for number in range(40)}
    table = pa.table({"Born on": ["03/04/1985", "05/06/1971", "07/08/1990"], **empty})
    problems = profile(table).tables[0].problems
    assert [problem for problem in problems if "no value at all" in problem] == [
        "40 columns have no value at all: 'Feld 0', 'Feld 1', 'Feld 2', 'Feld 3', 'Feld 4', 'Feld 5' and 34 more"
    ]
    assert any("date_order=..." in problem for problem in problems)
    assert not any("date_order=..." in problem for problem in profile(table, date_order="dmy").tables[0].problems)
    with pytest.raises(ValueError, match="date_order"):
        profile(table, date_order="dym")
