"""Writes labelled data in two halves for `accuracy.py --data DIR`: one to look at while working, one to score at the end only.

    pip install pseudopeople faker      # benchmark dependencies only
    python benchmarks/held_out.py development --out development
    python benchmarks/held_out.py held-out --out held-out

The halves differ in more than their seeds: other countries and years, other headers and column layouts, other slips. Each set is a folder
with ``records.csv`` and ``truth.csv`` (`id`, `true_id`), rows shuffled, ids replaced by row numbers:

- ``census``: one simulated census entered twice, each time with its own misreadings (pseudopeople: households, nicknames, moved fields)
- ``tax``: wage statements of one year beside those of the next, and the returns (pseudopeople: spouses, borrowed numbers, moves)
- ``households``: families at one address with one landline: spouses, children, twins, fathers and sons of one name; few of them stand twice
- ``companies``: registers of companies in several countries, with offices that share a name or a switchboard
- ``shops``: one in thirty stands twice; franchises, malls and neighbours must stay apart
- ``romanised``: people under several spellings, scripts and orders of name
- ``bare``: a customer list whose headers say nothing (``a``, ``b``, ``c`` or ``col1``, ...)
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

from unseen import Rows, from_frames, slip, write

NICKNAMES = {
    "William": "Bill", "Robert": "Bob", "Elizabeth": "Liz", "Margaret": "Peggy", "James": "Jim", "Katherine": "Kate", "Michael": "Mike",
    "Jennifer": "Jen", "Thomas": "Tom", "Patricia": "Pat", "Richard": "Dick", "Christopher": "Chris", "Daniel": "Dan", "Rebecca": "Becky",
    "Joseph": "Joe", "Samantha": "Sam", "Matthew": "Matt", "Susan": "Sue", "Anthony": "Tony", "Kimberly": "Kim", "Steven": "Steve",
}  # fmt: skip


def wrong_digit(text: str, rng: random.Random) -> str:
    """One digit misread."""
    places = [place for place, letter in enumerate(text) if letter.isdigit()]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + str(rng.randrange(10)) + text[at + 1 :]


def census(folder: Path, held_out: bool) -> None:
    """One census, entered twice."""
    import pseudopeople as psp

    year, seeds = (2030, (71, 72)) if held_out else (2020, (41, 42))
    frames = [psp.generate_decennial_census(year=year, seed=seed, verbose=False) for seed in seeds]
    columns = ["first_name", "middle_initial", "last_name", "age", "date_of_birth", "street_number", "street_name", "unit_number", "city",
               "state", "zipcode", "housing_type", "relationship_to_reference_person", "sex", "race_ethnicity"]  # fmt: skip
    rows = from_frames(frames, columns, 9_000)
    if held_out:
        rows = [(true_id, relabelled(row)) for true_id, row in rows]
    write(folder, "census", rows)


def relabelled(row: dict[str, str]) -> dict[str, str]:
    """The same person on another form: one column for the name, one for the street, no age."""
    street = " ".join(row[name] for name in ("street_number", "street_name", "unit_number") if row[name])
    return {
        "Person": f"{row['last_name']}, {row['first_name']} {row['middle_initial']}".strip(),
        "DOB": row["date_of_birth"],
        "Residence": street,
        "Town": row["city"],
        "ST": row["state"],
        "ZIP Code": row["zipcode"],
        "Relation to head": row["relationship_to_reference_person"],
        "M/F": row["sex"][:1],
    }


def tax(folder: Path, held_out: bool) -> None:
    """Statements of two years, and returns."""
    import pseudopeople as psp

    first, seed = (2024, 81) if held_out else (2020, 51)
    frames = [
        psp.generate_taxes_w2_and_1099(year=first, seed=seed, verbose=False),
        psp.generate_taxes_w2_and_1099(year=first + 1, seed=seed + 1, verbose=False),
        psp.generate_taxes_1040(year=first, seed=seed + 2, verbose=False),
    ]
    part = "mailing_address_"
    columns = ["first_name", "middle_initial", "last_name", "age", "date_of_birth", "ssn", *(part + name for name in (
        "street_number", "street_name", "unit_number", "po_box", "city", "state", "zipcode")), "employer_name", "tax_form"]  # fmt: skip
    rows = from_frames(frames, columns, 7_000)
    if held_out:
        renamed = {
            "first_name": "fname",
            "middle_initial": "mi",
            "last_name": "lname",
            "ssn": "social_security_no",
            "employer_name": "employer",
            **{column: column.replace(part, "addr_") for column in columns if column.startswith(part)},
        }
        rows = [(true_id, {renamed[name]: row.get(name, "") for name in renamed}) for true_id, row in rows]
    write(folder, "tax", rows)


def households(folder: Path, held_out: bool, n: int = 3_500) -> None:
    """Families."""
    from faker import Faker

    rng = random.Random(91 if held_out else 61)
    locales = ("en_GB", "es_ES", "cs_CZ", "ru_RU") if held_out else ("en_US", "de_DE", "lv_LV", "it_IT")
    fakers = [Faker(locale) for locale in locales]
    for number, faker in enumerate(fakers):
        faker.seed_instance(rng.randrange(10**6) + number)
    rows: Rows = []
    for number in range(n):
        faker = fakers[number % len(fakers)]
        family, street, city, postcode = faker.last_name(), faker.street_address(), faker.city(), faker.postcode()
        landline, domain = faker.phone_number(), faker.free_email_domain()
        people = []
        father = faker.first_name_male()
        people.append((father, family, "M", faker.date_of_birth(minimum_age=35, maximum_age=70)))
        if rng.random() < 0.8:
            people.append((faker.first_name_female(), family if rng.random() < 0.85 else faker.last_name(), "F",
                           faker.date_of_birth(minimum_age=33, maximum_age=70)))  # fmt: skip
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            male = rng.random() < 0.5
            given = father if male and rng.random() < 0.1 else faker.first_name_male() if male else faker.first_name_female()
            born = people[-1][3] if rng.random() < 0.12 and len(people) > 2 else faker.date_of_birth(minimum_age=1, maximum_age=30)
            people.append((given, family, "M" if male else "F", born))
        for member, (given, surname, sex, born) in enumerate(people):
            own = faker.phone_number() if rng.random() < 0.5 else ""
            mail = f"{given}.{surname}@{domain}".lower().replace(" ", "") if rng.random() < 0.5 else ""
            for copy in range(2 if rng.random() < 0.12 else 1):
                row = {"given": given, "family": surname, "sex": sex, "born": born.isoformat(), "street": street, "city": city,
                       "postcode": postcode, "phone": own or landline, "mail": mail}  # fmt: skip
                if copy:
                    blemish(row, rng, faker)
                for column, share in (("born", 0.15), ("phone", 0.2), ("street", 0.05), ("mail", 0.1)):
                    if rng.random() < share:
                        row[column] = ""
                rows.append((f"h{number}_{member}", row))
    names = (
        {"given": "Imię / Nome", "family": "Surname", "sex": "Sex", "born": "Date of birth", "street": "Home address", "city": "Place",
         "postcode": "PLZ", "phone": "Tel.", "mail": "E-mail address"}
        if held_out
        else {"given": "forename", "family": "surname", "sex": "gender", "born": "dob", "street": "address1", "city": "city",
              "postcode": "postcode", "phone": "telephone", "mail": "email"}
    )  # fmt: skip
    write(folder, "households", [(true_id, {names[key]: value for key, value in row.items()}) for true_id, row in rows])


def blemish(row: dict[str, str], rng: random.Random, faker: Any) -> None:
    """A second entry of one person."""
    if rng.random() < 0.3:
        row["given"] = NICKNAMES.get(row["given"], row["given"][:1] + "." if rng.random() < 0.3 else slip(row["given"], rng))
    if rng.random() < 0.2:
        row["family"] = slip(row["family"], rng)
    if rng.random() < 0.1:
        row["given"], row["family"] = row["family"], row["given"]
    if rng.random() < 0.1:
        row["born"] = wrong_digit(row["born"], rng)
    if rng.random() < 0.15:
        row["street"], row["city"], row["postcode"] = faker.street_address(), faker.city(), faker.postcode()
    if rng.random() < 0.2:
        row["phone"] = faker.phone_number()


def companies(folder: Path, held_out: bool, n: int = 5_000) -> None:
    """Companies in registers."""
    from faker import Faker

    rng = random.Random(92 if held_out else 62)
    locales = ("it_IT", "nl_NL", "ru_RU", "pt_BR") if held_out else ("en_US", "es_ES", "cs_CZ", "de_DE")
    fakers = [Faker(locale) for locale in locales]
    for number, faker in enumerate(fakers):
        faker.seed_instance(rng.randrange(10**6) + number)
    rows: Rows = []
    for number in range(n):
        faker = fakers[number % len(fakers)]
        name, phone, site = faker.company(), faker.phone_number(), faker.domain_name()
        for office in range(2 if rng.random() < 0.08 else 1):
            street, city, postcode = faker.street_address(), faker.city(), faker.postcode()
            number_of_office = phone if rng.random() < 0.6 else faker.phone_number()
            for _ in range(rng.choices([1, 2, 3], [6, 3, 1])[0]):
                row = {"name": name, "street": street, "city": city, "postcode": postcode, "phone": number_of_office, "site": site}
                if rng.random() < 0.2:
                    row["name"] = row["name"].upper()
                if rng.random() < 0.15:
                    row["name"] = slip(row["name"], rng)
                if rng.random() < 0.15:
                    row["street"] = slip(row["street"], rng)
                if rng.random() < 0.1:
                    row["phone"] = wrong_digit(row["phone"], rng)
                for column, share in (("street", 0.1), ("phone", 0.3), ("site", 0.5), ("postcode", 0.2)):
                    if rng.random() < share:
                        row[column] = ""
                rows.append((f"c{number}_{office}", row))
    names = (
        {"name": "Ragione sociale", "street": "Indirizzo", "city": "Città", "postcode": "CAP", "phone": "Telefono", "site": "Sito"}
        if held_out
        else {"name": "organization", "street": "address", "city": "city", "postcode": "zip", "phone": "phone", "site": "url"}
    )
    write(folder, "companies", [(true_id, {names[key]: value for key, value in row.items()}) for true_id, row in rows])


def shops(folder: Path, held_out: bool, n: int = 9_000) -> None:
    """Few duplicates among many near ones."""
    from faker import Faker

    rng = random.Random(93 if held_out else 63)
    faker = Faker("en_GB" if held_out else "en_US")
    faker.seed_instance(rng.randrange(10**6))
    trades = "Bakery,Barber,Books,Butcher,Cycles,Fish Bar,Florist,Garage,Kebab House,Kitchens,Opticians,Vets".split(",")
    franchises = [(f"{faker.last_name()} {rng.choice(trades)}", faker.domain_name(), faker.phone_number()) for _ in range(80)]
    centres = [(faker.street_name(), faker.city(), faker.postcode()) for _ in range(200)]
    towns = [faker.city() for _ in range(150)]
    rows: Rows = []
    for number in range(n):
        franchise = rng.choice(franchises) if rng.random() < 0.35 else None
        street, city, postcode = rng.choice(centres) if rng.random() < 0.3 else (faker.street_name(), rng.choice(towns), faker.postcode())
        address = f"{'Unit ' if rng.random() < 0.3 else ''}{rng.randrange(1, 90)} {street}"
        name = franchise[0] if franchise else f"{faker.last_name()} {rng.choice(trades)}"
        if franchise and rng.random() < 0.4:
            name = f"{name} {city}"
        phone = franchise[2] if franchise and rng.random() < 0.5 else faker.phone_number()
        row = {"shop": name, "address": address, "town": city, "postcode": postcode, "phone": phone,
               "web": franchise[1] if franchise and rng.random() < 0.7 else ""}  # fmt: skip
        rows.append((f"s{number}", row))
        if rng.random() < 0.033:
            copy = dict(row)
            copy["shop"] = slip(name, rng) if rng.random() < 0.5 else name + rng.choice([" Ltd", " Limited", " & Sons", ""])
            if rng.random() < 0.3:
                copy["address"] = slip(address, rng)
            if rng.random() < 0.25:
                copy["phone"] = ""
            if rng.random() < 0.15:
                copy["postcode"] = ""
            rows.append((f"s{number}", copy))
    if held_out:
        rows = [(true_id, {"Trading name": row["shop"], "Premises": ", ".join(filter(None, (row["address"], row["town"], row["postcode"]))),
                           "Contact number": row["phone"], "Homepage": row["web"]}) for true_id, row in rows]  # fmt: skip
    write(folder, "shops", rows)


LATIN = [
    {"zh": "zh", "kh": "kh", "ts": "ts", "ch": "ch", "sh": "sh", "shch": "shch", "yu": "yu", "ya": "ya", "y": "y", "yo": "yo"},
    {"zh": "ž", "kh": "h", "ts": "c", "ch": "č", "sh": "š", "shch": "šč", "yu": "ju", "ya": "ja", "y": "y", "yo": "jo"},
    {"zh": "j", "kh": "h", "ts": "ts", "ch": "tch", "sh": "ch", "shch": "chtch", "yu": "iou", "ya": "ia", "y": "y", "yo": "io"},
]
LETTERS = dict(zip("абвгдезийклмнопрстуфэіїґ", "a b v g d e z i i k l m n o p r s t u f e i i g".split(), strict=True))
SOUNDS = {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ы": "y", "ё": "yo", "є": "ya"}


def latin(text: str, scheme: dict[str, str]) -> str:
    """A Cyrillic name in Latin letters."""
    out = "".join(scheme[SOUNDS[c]] if c in SOUNDS else LETTERS.get(c, "" if c in "ьъ" else c) for c in text.lower())
    return out.title()


def romanised(folder: Path, held_out: bool, n: int = 4_000) -> None:
    """People under several spellings."""
    from faker import Faker

    rng = random.Random(94 if held_out else 64)
    locales = ("ru_RU", "uk_UA", "pl_PL", "tr_TR", "pt_BR") if held_out else ("ru_RU", "bg_BG", "fr_FR", "hu_HU", "en_US")
    fakers = {locale: Faker(locale) for locale in locales}
    for number, faker in enumerate(fakers.values()):
        faker.seed_instance(rng.randrange(10**6) + number)
    rows: Rows = []
    for number in range(n):
        locale = rng.choice(locales)
        faker = fakers[locale]
        male = rng.random() < 0.5
        given = faker.first_name_male() if male else faker.first_name_female()
        family = faker.last_name_male() if male else faker.last_name_female()
        born, city = faker.date_of_birth(minimum_age=18, maximum_age=85), faker.city()
        for copy in range(rng.choices([1, 2, 3], [5, 3, 2])[0]):
            g, f = given, family
            if locale in ("ru_RU", "uk_UA", "bg_BG") and rng.random() < 0.7:
                scheme = rng.choice(LATIN)
                g, f = latin(given, scheme), latin(family, scheme)
            if copy and rng.random() < 0.1:
                g = g[:1]
            if copy and rng.random() < 0.1:
                f = slip(f, rng)
            row = {"g": g, "f": f, "born": rng.choice([born.isoformat(), born.strftime("%d.%m.%Y"), str(born.year), ""]),
                   "city": city if rng.random() < 0.5 else "", "country": locale[-2:]}  # fmt: skip
            rows.append((f"p{number}", row))
    if held_out:
        shown = [(true_id, {"Surname": row["f"], "First names": row["g"], "Year/date of birth": row["born"], "Citizenship": row["country"],
                            "Residence": row["city"]}) for true_id, row in rows]  # fmt: skip
    else:
        shown = []
        for true_id, row in rows:
            name = rng.choice([f"{row['g']} {row['f']}", f"{row['f']}, {row['g']}", f"{row['f']} {row['g']}"])
            told = {"full name": name, "date of birth": row["born"], "city": row["city"], "country": row["country"]}
            shown.append((true_id, told))
    write(folder, "romanised", shown)


def bare(folder: Path, held_out: bool, n: int = 6_000) -> None:
    """A list without headers that say anything."""
    from faker import Faker

    rng = random.Random(95 if held_out else 65)
    faker = Faker("en_GB" if held_out else "en_US")
    faker.seed_instance(rng.randrange(10**6))
    rows: Rows = []
    for number in range(n):
        person = {"given": faker.first_name(), "family": faker.last_name(), "mail": faker.email(), "phone": faker.phone_number(),
                  "street": faker.street_address().replace("\n", ", "), "city": faker.city(), "postcode": faker.postcode(),
                  "born": faker.date_of_birth(minimum_age=18, maximum_age=90).strftime("%d/%m/%Y" if held_out else "%Y-%m-%d")}  # fmt: skip
        for copy in range(rng.choices([1, 2, 3], [6, 3, 1])[0]):
            row = dict(person)
            if copy:
                blemish(row, rng, faker)
            for column, share in (("mail", 0.3), ("phone", 0.3), ("born", 0.4), ("street", 0.2)):
                if rng.random() < share:
                    row[column] = ""
            if held_out:
                row = {
                    "family": f"{row['given']} {row['family']}",
                    **{key: row[key] for key in ("born", "postcode", "phone", "mail", "city")},
                }
            rows.append((f"l{number}", row))
    first = rows[0][1]
    names = {key: f"col{place + 1}" if held_out else "abcdefghij"[place] for place, key in enumerate(first)}
    write(folder, "bare", [(true_id, {names[key]: value for key, value in row.items()}) for true_id, row in rows])


def main() -> None:
    """Writes one half."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("half", choices=("development", "held-out"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    held_out = arguments.half == "held-out"
    folder = arguments.out or Path(arguments.half)
    for make in (census, tax, households, companies, shops, romanised, bare):
        make(folder, held_out)


if __name__ == "__main__":
    main()
