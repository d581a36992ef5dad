"""Writes labelled data of kinds that the public sets lack, for `accuracy.py --data DIR`.

    pip install pseudopeople faker      # benchmark dependencies only
    python benchmarks/unseen.py --out unseen

Each set is a folder with ``records.csv`` and ``truth.csv`` (`id`, `true_id`), rows shuffled, ids replaced by row numbers:

- ``census_forms``: a simulated census beside a survey of the same year (pseudopeople: households, nicknames, misread and mistyped fields)
- ``tax_forms``: simulated W2/1099 of one year beside income tax returns, with employers, spouses and social security numbers
- ``organisations``: companies and branches in four countries with phones and addresses, as three registers write them
- ``businesses``: shops of which one in forty stands twice; chains share name, website or switchboard, and must stay apart
- ``aliases``: people under several names: other scripts and romanisations, married names, initials, swapped order
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Rows = list[tuple[str, dict[str, str]]]


def write(folder: Path, name: str, rows: Rows, seed: int = 1) -> None:
    """Shuffles and writes one set."""
    random.Random(seed).shuffle(rows)
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for _, row in rows for column in row))
    with (target / "records.csv").open("w", newline="", encoding="utf-8") as records, (target / "truth.csv").open("w", newline="") as truth:
        record_writer, truth_writer = csv.writer(records), csv.writer(truth)
        record_writer.writerow(["id", *columns])
        truth_writer.writerow(["id", "true_id"])
        for number, (true_id, row) in enumerate(rows):
            record_writer.writerow([f"r{number:06d}", *(row.get(column, "") for column in columns)])
            truth_writer.writerow([f"r{number:06d}", true_id])
    entities = len({true_id for true_id, _ in rows})
    print(f"{name}: {len(rows)} rows, {entities} entities")


def from_frames(frames: Iterable[Any], columns: list[str], sample: int) -> Rows:
    """Rows of pandas frames, of the first ``sample`` people (whole households follow each other, so they stay together)."""
    rows: Rows = []
    for frame in frames:
        frame = frame.astype("string").fillna("")
        for row in frame.to_dict("records"):
            rows.append((row["simulant_id"], {column: str(row[column]) for column in columns if column in row}))
    people = sorted({true_id for true_id, _ in rows}, key=lambda text: [int(part) for part in text.split("_")])
    kept = set(people[:sample])
    return [row for row in rows if row[0] in kept]


def census_and_tax(folder: Path) -> None:
    """The pseudopeople sets."""
    import pseudopeople as psp

    quiet = {"verbose": False}
    census = psp.generate_decennial_census(year=2020, **quiet)
    survey = psp.generate_women_infants_and_children(year=2020, **quiet)
    later = psp.generate_american_community_survey(year=2020, **quiet)
    columns = ["first_name", "middle_initial", "last_name", "age", "date_of_birth", "street_number", "street_name", "unit_number", "city",
               "state", "zipcode", "housing_type", "relationship_to_reference_person", "sex", "race_ethnicity"]  # fmt: skip
    write(folder, "census_forms", from_frames([census, survey, later], columns, 20_000))
    wages = psp.generate_taxes_w2_and_1099(year=2020, **quiet)
    returns = psp.generate_taxes_1040(year=2020, **quiet)
    columns = ["first_name", "middle_initial", "last_name", "ssn", "mailing_address_street_number", "mailing_address_street_name",
               "mailing_address_unit_number", "mailing_address_po_box", "mailing_address_city", "mailing_address_state", "mailing_address_zipcode",
               "wages", "employer_name", "employer_street_name", "employer_zipcode", "spouse_first_name", "spouse_last_name", "spouse_ssn", "tax_form"]  # fmt: skip
    write(folder, "tax_forms", from_frames([wages, returns], columns, 20_000))


def slip(text: str, rng: random.Random) -> str:
    """One typing mistake."""
    if len(text) < 4:
        return text
    at = rng.randrange(1, len(text) - 1)
    kind = rng.randrange(3)
    return (
        text[:at] + text[at + 1 :]
        if kind == 0
        else text[:at] + text[at] + text[at:]
        if kind == 1
        else text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    )


def organisations(folder: Path, n: int = 6_000) -> None:
    """Companies as three registers write them."""
    from faker import Faker

    rng = random.Random(5)
    fakers = [Faker(locale) for locale in ("en_GB", "de_DE", "fr_FR", "pl_PL")]
    for number, faker in enumerate(fakers):
        faker.seed_instance(number)
    rows: Rows = []
    for number in range(n):
        faker = fakers[number % 4]
        name, street, city, postcode, phone = faker.company(), faker.street_address(), faker.city(), faker.postcode(), faker.phone_number()
        website = faker.domain_name()
        for _ in range(rng.choices([1, 2, 3], [5, 3, 2])[0]):
            row = {"Name": name, "Address": street, "Town": city, "Postal code": postcode, "Telephone": phone, "Web": website}
            if rng.random() < 0.25:
                row["Name"] = name.upper()
            if rng.random() < 0.2:
                row["Name"] = slip(row["Name"], rng)
            if rng.random() < 0.2:
                words = row["Name"].split()
                row["Name"] = " ".join(words[:-1]) if len(words) > 2 else row["Name"]
            if rng.random() < 0.3:
                row["Telephone"] = phone.replace(" ", "").replace("(", "").replace(")", "")
            for column, missing in (("Address", 0.15), ("Telephone", 0.3), ("Web", 0.5), ("Postal code", 0.15)):
                if rng.random() < missing:
                    row[column] = ""
            if rng.random() < 0.1:
                row["Address"] = slip(row["Address"], rng)
            rows.append((f"o{number}", row))
    write(folder, "organisations", rows)


def businesses(folder: Path, n: int = 12_000) -> None:
    """Few duplicates, many near ones: chains and neighbours must stay apart."""
    from faker import Faker

    rng = random.Random(6)
    faker = Faker("en_US")
    faker.seed_instance(6)
    chains = [(faker.company(), faker.domain_name(), faker.numerify("8##-555-####")) for _ in range(60)]
    malls = [(faker.street_address(), faker.city(), faker.state_abbr(), faker.zipcode()) for _ in range(150)]
    kinds = ["Cafe", "Pizza", "Dental", "Auto Repair", "Nails", "Grocery", "Pharmacy", "Hair Salon", "Law Office", "Insurance"]
    rows: Rows = []
    for number in range(n):
        chain = rng.choice(chains) if rng.random() < 0.3 else None
        street, city, state, postcode = (
            rng.choice(malls) if rng.random() < 0.25 else (faker.street_address(), faker.city(), faker.state_abbr(), faker.zipcode())
        )
        name = (
            f"{chain[0]} #{rng.randrange(1, 900)}"
            if chain and rng.random() < 0.5
            else chain[0]
            if chain
            else f"{faker.last_name()}'s {rng.choice(kinds)}"
        )
        phone = chain[2] if chain and rng.random() < 0.4 else faker.numerify("(2##) ###-####")
        row = {"business_name": name, "address": street, "city": city, "state": state, "zip": postcode, "phone": phone,
               "website": chain[1] if chain else "", "category": rng.choice(kinds)}  # fmt: skip
        rows.append((f"b{number}", row))
        if rng.random() < 0.025:
            copy = dict(row)
            copy["business_name"] = slip(name, rng) if rng.random() < 0.5 else name.replace("'", "").upper()
            copy["address"] = street.replace("Street", "St").replace("Avenue", "Ave").replace("Road", "Rd")
            if rng.random() < 0.3:
                copy["phone"] = ""
            rows.append((f"b{number}", copy))
    write(folder, "businesses", rows)


def aliases(folder: Path, n: int = 5_000) -> None:
    """People known under several names."""
    from faker import Faker

    rng = random.Random(7)
    fakers = {locale: Faker(locale) for locale in ("ru_RU", "uk_UA", "bg_BG", "de_DE", "es_ES", "en_US", "lv_LV")}
    for number, faker in enumerate(fakers.values()):
        faker.seed_instance(70 + number)
    simple = dict(zip("абвгдезийклмнопрстуфыэіїґ", "a b v g d e z i y k l m n o p r s t u f y e i i g".split(), strict=True))
    schemes = [
        {
            **simple,
            "ё": "e",
            "ж": "zh",
            "х": "kh",
            "ц": "ts",
            "ч": "ch",
            "ш": "sh",
            "щ": "shch",
            "ю": "yu",
            "я": "ya",
            "є": "ye",
            "ъ": "",
            "ь": "",
        },
        {
            **simple,
            "ё": "yo",
            "ж": "zh",
            "й": "j",
            "х": "h",
            "ц": "c",
            "ч": "ch",
            "ш": "sh",
            "щ": "sch",
            "ю": "ju",
            "я": "ja",
            "є": "je",
            "ъ": "",
            "ь": "'",
        },
        {
            **simple,
            "ё": "io",
            "ж": "j",
            "й": "i",
            "х": "ch",
            "ц": "tz",
            "ч": "tch",
            "ш": "sch",
            "щ": "schtsch",
            "ю": "iu",
            "я": "ia",
            "є": "ie",
            "ъ": "",
            "ь": "",
        },
    ]
    rows: Rows = []
    for number in range(n):
        locale = rng.choice(list(fakers))
        faker = fakers[locale]
        given, family = faker.first_name(), faker.last_name()
        born = faker.date_of_birth(minimum_age=18, maximum_age=90).isoformat()
        for copy in range(rng.choices([1, 2, 3, 4], [4, 3, 2, 1])[0]):
            table = rng.choice([None, *schemes]) if locale in ("ru_RU", "uk_UA", "bg_BG") else None
            g, f = ("".join(table.get(c.lower(), c) for c in text).title() if table else text for text in (given, family))
            if copy and rng.random() < 0.1:
                f = faker.last_name()
            if copy and rng.random() < 0.15:
                g = g[:1] + "."
            if copy and rng.random() < 0.12:
                f = slip(f, rng)
            name = rng.choice([f"{g} {f}", f"{f}, {g}", f"{f} {g}", f"{g} {f}".upper()])
            row = {
                "name": name,
                "birth": rng.choice([born, born[:4], "", born]),
                "nationality": locale[-2:],
                "city": faker.city() if rng.random() < 0.3 else "",
            }
            rows.append((f"a{number}", row))
    write(folder, "aliases", rows)


def main() -> None:
    """Writes all sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("unseen"))
    folder = parser.parse_args().out
    organisations(folder)
    businesses(folder)
    aliases(folder)
    census_and_tax(folder)


if __name__ == "__main__":
    main()
