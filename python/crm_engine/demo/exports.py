"""The four contact exports of the demo: which people each holds, under which headers, in which spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.demo import words
from crm_engine.demo.people import Ids, People, Spelling, choose, draw, join, pick, share, where
from crm_engine.demo.words import ENGLISH, LATVIAN, RUSSIAN

#: The demo's present day, in days since 1970-01-01: 2026-11-01. Data never depends on the clock.
TODAY_DAY = 20_758
CHUNK = 200_000


@dataclass(frozen=True)
class Export:
    """One source system: its file, how likely each culture is in it, and what its rows look like."""

    source: str
    file_name: str
    presence: tuple[float, float, float]  # English, Russian, Latvian
    key: Callable[[np.ndarray], pa.Array]
    rows: Callable[[People, Ids, pa.Array], dict[str, pa.Array]]


@dataclass(frozen=True)
class ExportRows:
    """Some rows of one export: the table as written, the entity behind each row, and whether the export has that entity for the second time."""

    export: Export
    table: pa.Table
    entities: Ids
    keys: pa.Array
    is_second: np.ndarray


def _stamps(people: People, copies: Ids) -> tuple[np.ndarray, np.ndarray]:
    """Created and updated, in seconds since 1970."""
    created = (TODAY_DAY - 1 - choose(people.seed, copies, "created", 2200)) * 86_400 + choose(people.seed, copies, "created at", 86_400)
    age = TODAY_DAY * 86_400 - created
    updated = created + (age * (draw(people.seed, copies, "updated") >> np.uint64(11)).astype(float) / 2**53).astype(np.int64)
    return created, updated


def _time(seconds: np.ndarray, form: str) -> pa.Array:
    return pc.strftime(pa.array(seconds.astype(np.int64)).cast(pa.timestamp("s")), form)


def _hubspot(people: People, copies: Ids, keys: pa.Array) -> dict[str, pa.Array]:
    spelling = Spelling({ENGLISH: 0, RUSSIAN: 1, LATVIAN: 1}, diminutives=0.05, typos=0.02)
    given, family, middle = people.names(spelling, copies)
    city, street, postcode = people.address(copies, latin={ENGLISH: 0, RUSSIAN: 1, LATVIAN: 1}, style=0)
    created, updated = _stamps(people, copies)
    seed = people.seed
    return {
        "Record ID": keys,
        "First Name": given,
        "Middle Name": where(people.culture == ENGLISH, middle, pick([""], np.zeros(len(middle), int))),
        "Last Name": family,
        "Email": people.email(copies, missing=0.12),
        "Phone Number": people.phone(copies, missing=0.2, style=0),
        "Company Name": people.company(copies, missing=0.1),
        "Job Title": pick(words.JOB_TITLES[ENGLISH], choose(seed, people.ids, "job", 8)),
        "City": city,
        "Street Address": street,
        "Postal Code": postcode,
        "Country/Region": people.country(),
        "Date of birth": pc.strftime(people.birth_date(copies, missing=0.5), "%Y-%m-%d"),
        "Original Source": pick(words.CHANNELS, choose(seed, people.ids, "channel", 8, skew=0.8)),
        "Contact owner": pick(words.OWNERS, choose(seed, people.ids, "owner", 8)),
        "Marketing consent": pick(["yes", "no", ""], choose(seed, copies, "consent", 3, skew=0.5)),
        "Create Date": _time(created, "%Y-%m-%d %H:%M:%S"),
        "Last Modified Date": _time(updated, "%Y-%m-%d %H:%M:%S"),
    }


def _bitrix(people: People, copies: Ids, keys: pa.Array) -> dict[str, pa.Array]:
    spelling = Spelling({ENGLISH: 0, RUSSIAN: 0, LATVIAN: 1}, diminutives=0.03, typos=0.03)
    given, family, middle = people.names(spelling, copies)
    city, street, postcode = people.address(copies, latin={ENGLISH: 0, RUSSIAN: 0, LATVIAN: 1}, style=0)
    created, updated = _stamps(people, copies)
    return {
        "ID": keys,
        "Фамилия": family,
        "Имя": given,
        "Отчество": where(people.culture == RUSSIAN, middle, pick([""], np.zeros(len(middle), int))),
        "Дата рождения": pc.strftime(people.birth_date(copies, missing=0.35), "%d.%m.%Y"),
        "Рабочий телефон": people.phone(copies, missing=0.12, style=1),
        "Рабочий e-mail": people.email(copies, missing=0.25),
        "Компания": people.company(copies, missing=0.1, marks=False),
        "ИНН": people.tax_id(copies),
        "Должность": pick(words.JOB_TITLES[RUSSIAN], choose(people.seed, people.ids, "job", 8)),
        "Город": city,
        "Адрес": street,
        "Индекс": postcode,
        "Ответственный": pick(words.OWNERS, choose(people.seed, people.ids, "owner", 8)),
        "Дата создания": _time(created, "%d.%m.%Y %H:%M:%S"),
        "Дата изменения": _time(updated, "%d.%m.%Y %H:%M:%S"),
    }


def _workbook(people: People, copies: Ids, keys: pa.Array) -> dict[str, pa.Array]:
    spelling = Spelling({ENGLISH: 0, RUSSIAN: 2, LATVIAN: 0}, diminutives=0.02, typos=0.04, upper=0.03)
    given, family, _ = people.names(spelling, copies)
    city, street, postcode = people.address(copies, latin={ENGLISH: 0, RUSSIAN: 2, LATVIAN: 0}, style=1)
    return {
        "Kods": keys,
        "Vārds": given,
        "Uzvārds": family,
        "Uzņēmums": people.company(copies, missing=0.1),
        "Reģ. nr.": people.tax_id(copies),
        "Tālrunis": people.phone(copies, missing=0.2, style=2),
        "E-pasts": people.email(copies, missing=0.3),
        "Pilsēta": city,
        "Adrese": street,
        "Pasta indekss": postcode,
        "Dzimšanas datums": people.birth_date(copies, missing=0.6),
        "Piezīmes": pick(["", "", "", "zvanīt pēc 10", "lojāls klients", "jautāt par atlaidi"], choose(people.seed, copies, "note", 6)),
    }


def _webshop(people: People, copies: Ids, keys: pa.Array) -> dict[str, pa.Array]:
    spelling = Spelling({ENGLISH: 0, RUSSIAN: 2, LATVIAN: 1}, diminutives=0.10, typos=0.03, upper=0.02)
    given, family, _ = people.names(spelling, copies)
    city, street, postcode = people.address(copies, latin={ENGLISH: 0, RUSSIAN: 2, LATVIAN: 1}, style=2)
    _, updated = _stamps(people, copies)
    swapped = share(people.seed, copies, "swapped", 0.08)
    name = where(swapped, join(family, " ", given), join(given, " ", family))
    name = where(people.is_company, pc.coalesce(people.company(copies, missing=0.0), name), name)
    return {
        "customer_id": keys,
        "name": pc.utf8_trim_whitespace(name),
        "email": people.email(copies, missing=0.03),
        "phone": people.phone(copies, missing=0.3, style=0),
        "address": join(street, ", ", city),
        "zip": postcode,
        "country": people.country(),
        "newsletter": pa.array(share(people.seed, copies, "newsletter", 0.6)),
        "updated_at": pa.array(updated.astype(np.int64)).cast(pa.timestamp("s")),
    }


def _key(prefix: str, start: int) -> Callable[[np.ndarray], pa.Array]:
    return lambda serials: join(prefix, pa.array(serials + start).cast(pa.string()))


EXPORTS = (
    Export("hubspot", "hubspot_contacts.csv", (0.80, 0.25, 0.35), _key("", 501), _hubspot),
    Export("bitrix24", "bitrix24_контакты.csv", (0.05, 0.85, 0.15), _key("", 1), _bitrix),
    Export("klienti", "klienti.xlsx", (0.08, 0.10, 0.85), _key("K-", 10_001), _workbook),
    Export("webshop", "webshop_customers.parquet", (0.40, 0.40, 0.45), _key("WS", 100_001), _webshop),
)


def export_rows(n_rows: int, seed: int) -> Iterator[ExportRows]:
    """All rows of all exports, exactly ``n_rows`` together, in chunks that each hold some of every export."""
    n_companies = max(8, n_rows // 12)
    serials = dict.fromkeys((export.source for export in EXPORTS), 0)
    first = produced = 0
    while produced < n_rows:
        # An entity stands in some 1.7 exports; the last chunk is made a little too large and thinned evenly.
        ids = np.arange(first, first + min(CHUNK, int((n_rows - produced) / 1.6) + 8), dtype=np.int64)
        first += len(ids)
        people = People(seed, ids, n_companies)
        chosen = [_choose_rows(people, number, export) for number, export in enumerate(EXPORTS)]
        hashes = np.concatenate([draw(seed, copies, "order") for _, copies in chosen])
        room = n_rows - produced
        limit = np.sort(hashes)[room] if len(hashes) > room else None
        for export, (index, copies) in zip(EXPORTS, chosen, strict=True):
            order = np.argsort(draw(seed, copies, "order"), kind="stable")
            if limit is not None:
                order = order[draw(seed, copies[order], "order") < limit]
            if not len(order):
                continue
            index, copies = index[order], copies[order]
            keys = export.key(np.arange(serials[export.source], serials[export.source] + len(index)))
            serials[export.source] += len(index)
            produced += len(index)
            rows = export.rows(People(seed, ids[index], n_companies), copies, keys)
            # The numbers of first and second rows differ in their last bit.
            yield ExportRows(export, pa.table(rows), ids[index], keys, copies % 2 == 0)


def _choose_rows(people: People, number: int, export: Export) -> tuple[np.ndarray, Ids]:
    """Positions of the entities that stand in the export (some twice), and a number of its own for each row."""
    present = share(people.seed, people.ids, "in " + export.source, np.array(export.presence)[people.culture])
    twice = present & share(people.seed, people.ids, "twice " + export.source, 0.05)
    index = np.concatenate([np.flatnonzero(present), np.flatnonzero(twice)])
    copies = people.ids[index] * 16 + number * 2 + np.repeat([1, 2], [present.sum(), twice.sum()])
    return index, copies
