# ruff: noqa: E501
"""Detecting the encoding of made files: 500 per language and encoding, with names and places that the detector's table was not made from.

    python benchmarks/encodings.py [--files 500] [--peers 50]

Half of the files are full of names of the language, half are ASCII but for three of them. A file counts as right when every cell is read as
it was written. Beside crm_engine: charset-normalizer and chardet, on the first ``--peers`` files of each kind, where they are installed.
The words are those of the package mimesis (MIT); Latvian and Lithuanian, which it lacks, have lists here. The table behind the detector was
made from another package (see `make_bigrams.py`).
"""

from __future__ import annotations

import argparse
import io
import random
from collections import Counter
from collections.abc import Callable

WIDE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
ENCODINGS = {
    "ru": ("cp1251", "koi8-r", "cp866", "iso8859-5"),
    "uk": ("cp1251", "koi8-u"),
    "lv": ("cp1257", "iso8859-13", "iso8859-4"),
    "lt": ("cp1257", "iso8859-13", "iso8859-4"),
    "et": ("cp1257", "cp1252", "iso8859-15"),
    "de": ("cp1252", "iso8859-15"),
    "fr": ("cp1252", "iso8859-15"),
    "es": ("cp1252", "iso8859-15"),
    "pt": ("cp1252", "iso8859-15"),
    "sv": ("cp1252", "iso8859-15"),
    "fi": ("cp1252", "iso8859-15"),
    "pl": ("cp1250", "iso8859-2"),
    "cs": ("cp1250", "iso8859-2"),
    "hu": ("cp1250", "iso8859-2"),
    "tr": ("cp1254", "iso8859-9"),
    "el": ("cp1253", "iso8859-7"),
}
BALTIC = {
    "lv": "Aigars Bērzs;Ārija Cīrule;Brigita Dūmiņa;Dāvis Eņģelis;Elmārs Gulbis;Ēriks Ģēģers;Gunārs Īvāns;Ilmārs Jēkabsons;Irēna Kļaviņa;"
    "Kārlis Ķirsons;Lāsma Liepiņa;Ļubova Mūrniece;Mārīte Namniece;Ņikita Ošiņš;Oļegs Pļaviņš;Pāvils Rudzītis;Rūdolfs Sīpols;Sarmīte Šķiņķe;"
    "Šarlote Tīruma;Tālivaldis Upīte;Uldis Vēveris;Ūna Vīksna;Vēsma Zālīte;Zigrīda Žagata;Žorž Āre;Aizkraukle;Alūksne;Gulbene;Grobiņa;"
    "Līvāni;Preiļi;Smiltene;Ķegums;Limbaži;Pļaviņas;Viļāni;Ādaži;Mārupe;Olaine;Ķekava",
    "lt": "Agnė Čiurlionytė;Algimantas Dūda;Aistė Ežerskienė;Arūnas Gečas;Asta Jasiūnaitė;Česlova Kučinskienė;Dainius Lukšys;Eimantas Mėlynis;"
    "Gabrielė Narušytė;Ignas Ožeraitis;Ieva Pečiulytė;Jūris Račas;Karolis Rūkas;Lina Šarkienė;Martynas Tučkus;Neringa Ugnė;Ovidijus Vėlyvis;"
    "Rimantė Zubrickaitė;Sigitas Žvirblis;Šarūnė Žilytė;Tautvydas Įžas;Ugnius Ąžuolaitis;Viktorija Šeškutė;Živilė Bičiūnaitė;Ėrika Dzūkaitė;"
    "Anykščiai;Biržai;Ignalina;Joniškis;Kaišiadorys;Kretinga;Lazdijai;Molėtai;Pasvalys;Plungė;Radviliškis;Rokiškis;Šakiai;Šilutė;Trakai",
}


def words_of(language: str) -> list[str]:
    """Names and places of a language, some hundreds."""
    if language in BALTIC:
        return BALTIC[language].split(";")
    from mimesis import Address, Person
    from mimesis.locales import Locale

    person, address = Person(Locale(language), seed=7), Address(Locale(language), seed=7)
    made = {maker() for maker in (person.full_name, address.city, address.street_name) for _ in range(300)}
    return sorted(word for word in made if "(" not in word)


ENGLISH = "Anna Smith;Tom Baker;Lucy Brown;Carl Young;Eve Adams;Jane Hill;Bob Stone;Alice Cook".split(";")


def made_file(language: str, encoding: str, words: list[str], number: int) -> tuple[bytes, list[list[str]]] | None:
    """A file and its rows; ``None`` where its words cannot be written in the encoding or are all ASCII."""
    numbers = random.Random(f"{language} {encoding} {number}")
    is_few = number % 2 == 1
    n_rows = numbers.randint(20, 200) if is_few else numbers.randint(4, 60)
    local = [word for word in words if not word.isascii() and fits(word, encoding)]
    if len(local) < 3:
        return None
    places = set(numbers.sample(range(n_rows), 3)) if is_few else set(range(n_rows))
    rows = []
    for idx in range(n_rows):
        name = numbers.choice(local) if idx in places else numbers.choice(ENGLISH)
        rows.append([str(idx + 1), name, f"mail{idx}@example.com", f"{numbers.randrange(10**6) / 100:.2f}"])
    lines = [["id", "name", "email", "amount"], *rows]
    return "".join(";".join(row) + "\r\n" for row in lines).encode(encoding), rows


def fits(word: str, encoding: str) -> bool:
    try:
        word.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def ours(content: bytes) -> tuple[list[list[str]], bool]:
    import json

    from crm_engine import _core

    (table,) = _core.open_file("t.csv", '{"format": "csv", "threads": 1}', io.BytesIO(content))
    rows: list[list[str]] = []
    while (batch := table.next_batch()) is not None:
        rows += [list(row) for row in zip(*[column.to_pylist() for column in batch[0].columns], strict=True)]
    return rows, bool(json.loads(table.report)["warnings"] or table.drain_rejects())


def of_text(text: str | None) -> tuple[list[list[str]], bool]:
    return [line.split(";") for line in (text or "").lstrip("\ufeff").splitlines()[1:]], False


def normalizer(content: bytes) -> tuple[list[list[str]], bool]:
    import charset_normalizer

    best = charset_normalizer.from_bytes(content).best()
    return of_text(str(best) if best else None)


def chardet(content: bytes) -> tuple[list[list[str]], bool]:
    import chardet as tool

    try:
        return of_text(content.decode(tool.detect(content)["encoding"] or "utf-8"))
    except (UnicodeDecodeError, LookupError):
        return of_text(None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--peers", type=int, default=50)
    arguments = parser.parse_args()
    readers: dict[str, Callable[[bytes], tuple[list[list[str]], bool]]] = {
        "crm_engine": ours,
        "charset-normalizer": normalizer,
        "chardet": chardet,
    }
    print(
        "| language | encoding | files | right, full | right, three names | wrong and told | wrong, silent | charset-normalizer | chardet |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    total: Counter[str] = Counter()
    for language, encodings in ENCODINGS.items():
        words = words_of(language)
        for encoding in (*encodings, *(WIDE if language == "ru" else ("utf-8",))):
            counts: Counter[str] = Counter()
            for number in range(arguments.files):
                made = made_file(language, encoding, words, number)
                if made is None:
                    continue
                content, rows = made
                for name, read in readers.items():
                    if name != "crm_engine" and number >= arguments.peers:
                        continue
                    try:
                        found, told = read(content)
                    except ModuleNotFoundError:
                        continue
                    counts[f"{name} files"] += 1
                    counts[f"{name} right"] += found == rows
                    if name == "crm_engine":
                        kind = "few" if number % 2 else "full"
                        counts[f"{kind} files"] += 1
                        counts[f"{kind} right" if found == rows else "told" if told else "silent"] += 1
            total.update(counts)
            print(line(language, encoding, counts))
    print(line("all", "", total))


def line(language: str, encoding: str, counts: Counter[str]) -> str:
    def share(name: str) -> str:
        return f"{counts[f'{name} right'] / counts[f'{name} files']:.1%}" if counts[f"{name} files"] else ""

    cells = [language, encoding, f"{counts['crm_engine files']:,}", share("full"), share("few"), f"{counts['told']}", f"{counts['silent']}"]
    return "| " + " | ".join([*cells, share("charset-normalizer"), share("chardet")]) + " |"


if __name__ == "__main__":
    main()
