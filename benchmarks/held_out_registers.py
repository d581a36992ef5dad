"""Writes labelled registers that nothing is tuned on, for `accuracy.py --data DIR`: scored before and after a change, and not looked at.

    pip install faker      # a benchmark dependency only
    python benchmarks/held_out_registers.py --out registers

Each set is a folder with ``records.csv`` and ``truth.csv`` (`id`, `true_id`), rows shuffled, ids replaced by row numbers:

- ``clinic``: patients registered twice: dates with day and month reversed, married names, moves, a mother's mobile on her children, twins
- ``hotel``: stays of guests: names as the passport or the guest spells them, renewed passports, couples and groups with one booker's e-mail
- ``trade``: business contacts of two CRMs: colleagues behind one switchboard, info@ mailboxes, people who changed company
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
from pathlib import Path
from typing import Any

from held_out import LATIN, NICKNAMES, latin, wrong_digit
from unseen import Rows, slip, write


def reversed_date(day: dt.date) -> str:
    """Day and month in each other's places, where that is a date."""
    return f"{day.month:02}/{day.day:02}/{day.year}" if day.day <= 12 else day.strftime("%d/%m/%Y")


def clinic(folder: Path, n: int = 4_000) -> None:
    """Patients of a clinic."""
    from faker import Faker

    rng = random.Random(211)
    fakers = [Faker(locale) for locale in ("en_GB", "de_DE", "pl_PL")]
    for number, faker in enumerate(fakers):
        faker.seed_instance(2_110 + number)
    doctors = [f"Dr {fakers[0].last_name()}" for _ in range(14)]
    rows: Rows = []
    for number in range(n):
        faker = rng.choices(fakers, [6, 2, 2])[0]
        family, street, postcode, mobile = (
            faker.last_name(),
            faker.street_address().replace("\n", ", "),
            faker.postcode(),
            faker.phone_number(),
        )
        members = [(rng.random() < 0.35, faker.date_of_birth(minimum_age=22, maximum_age=88))]
        for _ in range(rng.choices([0, 1, 2], [7, 2, 1])[0]):
            child = faker.date_of_birth(minimum_age=0, maximum_age=16)
            members += [(rng.random() < 0.5, child)] * (2 if rng.random() < 0.1 else 1)
        for member, (is_man, born) in enumerate(members):
            given = faker.first_name_male() if is_man else faker.first_name_female()
            second = faker.first_name() if rng.random() < 0.3 else ""
            insurance = faker.numerify("### ### ####")
            for copy in range(rng.choices([1, 2, 3], [80, 17, 3])[0]):
                row = {"Surname": family, "Forenames": f"{given} {second}".strip(), "Date of Birth": born.strftime("%d/%m/%Y"),
                       "Sex": "M" if is_man else "F", "Insurance no": insurance if rng.random() < 0.45 else "", "Address": street,
                       "Postcode": postcode, "Mobile": mobile if rng.random() < 0.75 else "", "GP": rng.choice(doctors),
                       "Registered": faker.date_between(dt.date(2012, 1, 1), dt.date(2025, 6, 1)).strftime("%d/%m/%Y")}  # fmt: skip
                if copy:
                    if rng.random() < 0.12:
                        row["Date of Birth"] = reversed_date(born)
                    if rng.random() < 0.06:
                        row["Date of Birth"] = wrong_digit(row["Date of Birth"], rng)
                    if not is_man and born.year < 2003 and rng.random() < 0.15:
                        married = faker.last_name()
                        row["Surname"] = f"{family}-{married}" if rng.random() < 0.3 else married
                    if rng.random() < 0.25:
                        row["Address"], row["Postcode"] = faker.street_address().replace("\n", ", "), faker.postcode()
                    if rng.random() < 0.2:
                        row["Mobile"] = faker.phone_number()
                    if rng.random() < 0.25:
                        row["Forenames"] = rng.choice([given, given[:1], NICKNAMES.get(given, given), slip(given, rng)])
                    if rng.random() < 0.1:
                        row["Surname"] = slip(row["Surname"], rng).upper()
                    if row["Insurance no"] and rng.random() < 0.05:
                        row["Insurance no"] = wrong_digit(row["Insurance no"], rng)
                rows.append((f"k{number}_{member}", row))
    write(folder, "clinic", rows)


def hotel(folder: Path, n: int = 4_500) -> None:
    """Stays in a hotel."""
    from faker import Faker

    rng = random.Random(212)
    locales = ("ru_RU", "uk_UA", "de_DE", "fr_FR", "en_US", "lv_LV", "el_GR")
    fakers = {locale: Faker(locale) for locale in locales}
    for number, faker in enumerate(fakers.values()):
        faker.seed_instance(2_120 + number)
    agencies = [fakers["en_US"].company_email() for _ in range(12)]
    rows: Rows = []
    number = 0
    while number < n:
        locale = rng.choices(locales, [5, 2, 3, 2, 3, 3, 1])[0]
        faker = fakers[locale]
        phone, mail = faker.phone_number(), faker.ascii_free_email()
        party = rng.choices([1, 2, 3], [6, 3, 1])[0]
        shared = faker.last_name_male()
        for _ in range(party):
            is_man = rng.random() < 0.5
            given = faker.first_name_male() if is_man else faker.first_name_female()
            family = shared if rng.random() < 0.7 else faker.last_name_male() if is_man else faker.last_name_female()
            born, passport = faker.date_of_birth(minimum_age=4, maximum_age=80), faker.bothify("??#######").upper()
            for stay in range(rng.choices([1, 2, 3, 5], [65, 22, 9, 4])[0]):
                g, f = given, family
                if locale in ("ru_RU", "uk_UA") and rng.random() < 0.8:
                    scheme = rng.choice(LATIN)
                    g, f = latin(given, scheme), latin(family, scheme)
                if stay and rng.random() < 0.1:
                    f = slip(f, rng)
                if stay and rng.random() < 0.12:
                    passport = faker.bothify("??#######").upper()
                written = [f"{f} {g}", f"{g} {f}", f"{f}, {g}", f"{f.upper()} {g.upper()}", f"{rng.choice(['Mr', 'Ms'])} {g} {f}"]
                arrival = faker.date_between(dt.date(2018, 1, 1), dt.date(2025, 9, 1))
                contact = rng.choice(agencies) if rng.random() < 0.1 else mail if rng.random() < 0.6 else ""
                rows.append((f"g{number}", {
                    "Guest": rng.choice(written),
                    "Nationality": locale[-2:], "Passport No": passport if rng.random() < 0.6 else "",
                    "Born": rng.choice([born.strftime("%d.%m.%Y"), born.isoformat(), ""]), "Arrival": arrival.isoformat(),
                    "Nights": str(rng.randrange(1, 9)), "Room": str(rng.randrange(100, 420)), "E-mail": contact,
                    "Phone": phone if rng.random() < 0.5 else "",
                }))  # fmt: skip
            number += 1
    write(folder, "hotel", rows)


def address_of(given: str, family: str, domain: str, style: int) -> str:
    """A work mailbox as a company forms it."""
    return ("{g}.{f}", "{g[0]}{f}", "{g}", "{f}.{g[0]}")[style].format(g=given.lower(), f=family.lower()).replace(" ", "") + "@" + domain


def trade(folder: Path, n: int = 2_200) -> None:
    """Contact persons of companies in two CRMs."""
    from faker import Faker

    rng = random.Random(213)
    fakers = [Faker(locale) for locale in ("en_US", "en_GB", "nl_NL")]
    for number, faker in enumerate(fakers):
        faker.seed_instance(2_130 + number)
    companies: list[dict[str, Any]] = []
    for number in range(n):
        faker = fakers[number % 3]
        name, domain = faker.company(), faker.unique.domain_name()
        companies.append({"name": name, "domain": domain, "board": faker.phone_number(), "city": faker.city(),
                          "style": rng.randrange(4), "faker": faker})  # fmt: skip
    rows: Rows = []
    for number, company in enumerate(companies):
        faker = company["faker"]
        for member in range(rng.choices([1, 2, 4, 7], [5, 3, 2, 1])[0]):
            given, family, mobile, title = faker.first_name(), faker.last_name(), faker.phone_number(), faker.job()
            for crm in rng.choices([("A",), ("B",), ("A", "B"), ("A", "A"), ("A", "B", "B")], [40, 32, 20, 4, 4])[0]:
                home = rng.choice(companies) if rng.random() < 0.05 else company
                own = address_of(given, family, home["domain"], home["style"])
                mail = f"info@{home['domain']}" if rng.random() < 0.08 else own if rng.random() < 0.75 else ""
                row = {"CRM": crm, "Account": home["name"], "Contact first name": given, "Contact last name": family, "Position": title,
                       "Business phone": home["board"] if rng.random() < 0.65 else "", "Mobile phone": mobile if rng.random() < 0.4 else "",
                       "Email address": mail, "Town": home["city"]}  # fmt: skip
                if crm == "B":
                    row["Account"] = row["Account"].upper() if rng.random() < 0.5 else row["Account"].split(",")[0]
                    row["Contact first name"] = NICKNAMES.get(given, given) if rng.random() < 0.4 else given
                    row["Position"] = "" if rng.random() < 0.5 else title
                if rng.random() < 0.06:
                    row["Contact last name"] = slip(family, rng)
                if rng.random() < 0.04:
                    row["Contact first name"], row["Contact last name"] = row["Contact last name"], row["Contact first name"]
                rows.append((f"t{number}_{member}", row))
    write(folder, "trade", rows)


def main() -> None:
    """Writes all registers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("registers"))
    folder = parser.parse_args().out
    for make in (clinic, hotel, trade):
        make(folder)


if __name__ == "__main__":
    main()
