"""The people and companies of the demo: who they are, and how each export spells them.

Every attribute is a hash of (seed, entity, attribute), so that any part of any size can be made alone, in bounded memory, and two
runs with one seed write the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.demo import words
from crm_engine.demo.words import ENGLISH, LATVIAN, RUSSIAN

Ids = np.ndarray
Mask = np.ndarray


def draw(seed: int, ids: Ids, attribute: str) -> np.ndarray:
    """Uniform uint64 per id (SplitMix64, Steele et al. 2014), independent between attributes."""
    salt = int.from_bytes(hashlib.blake2b(attribute.encode(), digest_size=8).digest(), "little")
    with np.errstate(over="ignore"):
        x = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)
        x += np.uint64(seed) * np.uint64(0xA0761D6478BD642F)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(x ^ (x >> np.uint64(31)))


def share(seed: int, ids: Ids, attribute: str, probability: float | np.ndarray) -> Mask:
    """True with the given probability."""
    return np.asarray((draw(seed, ids, attribute) >> np.uint64(11)).astype(np.float64) / 2**53 < probability)


def choose(seed: int, ids: Ids, attribute: str, n: int, *, skew: float = 0.0) -> np.ndarray:
    """An index below ``n``; with ``skew`` the first are more frequent, as names are (Zipf)."""
    uniform = (draw(seed, ids, attribute) >> np.uint64(11)).astype(np.float64) / 2**53
    if not skew:
        return (uniform * n).astype(np.int64)
    weights = np.cumsum(1.0 / (np.arange(n) + 4.0) ** skew)
    return np.searchsorted(weights / weights[-1], uniform, side="right").clip(0, n - 1)


def pick(values: list[str], index: np.ndarray) -> pa.Array:
    """``values[index]`` as Arrow text."""
    return pa.array(values, pa.string()).take(pa.array(index))


def where(mask: Mask, left: pa.Array, right: pa.Array) -> pa.Array:
    """``left`` where the mask holds, else ``right``."""
    return pc.if_else(pa.array(mask), left, right)


def join(*parts: pa.Array | str) -> pa.Array:
    """Texts put together."""
    return pc.binary_join_element_wise(*parts, "")


def digits(numbers: np.ndarray, width: int) -> pa.Array:
    """Numbers as text with leading zeros."""
    return pc.utf8_lpad(pa.array(numbers.astype(np.int64)).cast(pa.string()), width, "0")


@dataclass(frozen=True)
class Spelling:
    """How one export writes: 0 native, 1 passport Latin, 2 casual Latin; per culture."""

    latin: dict[int, int]
    diminutives: float = 0.02
    typos: float = 0.03
    upper: float = 0.01


class People:
    """Entities ``ids`` (int64) with all their attributes; methods give Arrow text columns of the same length."""

    def __init__(self, seed: int, ids: Ids, n_companies: int) -> None:
        self.seed, self.ids = seed, ids
        kin = (ids % 23 == 7) & (ids > 0)  # a spouse or sibling of the entity before
        self.home = np.where(kin, ids - 1, ids)
        self.culture = np.searchsorted(np.cumsum([0.35, 0.40]), (draw(seed, self.home, "culture") >> np.uint64(11)).astype(float) / 2**53)
        self.is_company = share(seed, ids, "company?", 0.05) & ~kin
        self.female = share(seed, ids, "female", 0.5)
        employer = choose(seed, ids, "employer", n_companies)
        self.employed = share(seed, ids, "employed", 0.45) | self.is_company
        self.employer = np.where(self.is_company, 1_000_000_000 + ids, employer)
        shared_phone = kin & share(seed, ids, "one line", 0.3)
        self.phone_of = np.where(shared_phone, self.home, ids)
        self.office_mail = self.employed & share(seed, ids, "office", 0.04)

    # -- names

    def _by_culture(self, parts: dict[tuple[int, int], pa.Array]) -> pa.Array:
        female = self.female.astype(int)
        out = parts[LATVIAN, 0]
        for (culture, sex), column in parts.items():
            out = where((self.culture == culture) & (female == sex), column, out)
        return out

    def names(self, spelling: Spelling, copies: Ids) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Given name, family name, patronymic or middle initial; ``copies`` tells rows of one entity apart."""
        nick = share(self.seed, copies, "diminutive", spelling.diminutives)
        remarried = self.female & share(self.seed, copies, "remarried", 0.01)
        family_of = np.where(remarried, copies, self.home)
        given, family, middle = {}, {}, {}
        for culture in (ENGLISH, RUSSIAN, LATVIAN):
            latin = spelling.latin[culture]
            spell = [lambda name: name, words.romanise if culture == RUSSIAN else words.without_marks, _casual(culture)][latin]
            index = choose(self.seed, family_of, "family", len(words.FAMILY_NAMES[culture]), skew=0.7)
            father = choose(self.seed, self.home, "father", len(words.GIVEN_NAMES[culture, 0]), skew=0.7)
            for sex in (0, 1):
                pairs = [name.split(":") for name in words.GIVEN_NAMES[culture, sex]]
                chosen = choose(self.seed, self.ids, "given", len(pairs), skew=0.7)
                full, short = (pick([spell(pair[form]) for pair in pairs], chosen) for form in (0, 1))
                given[culture, sex] = where(nick, short, full)
                surnames = [words.feminine(name, culture) if sex else name for name in words.FAMILY_NAMES[culture]]
                family[culture, sex] = pick([spell(name) for name in surnames], index)
                fathers = [pair.split(":")[0] for pair in words.GIVEN_NAMES[culture, 0]]
                middles = {
                    RUSSIAN: [spell(words.patronymic(name, female=bool(sex))) for name in fathers],
                    ENGLISH: [name[0] for name in fathers],
                    LATVIAN: [""] * len(fathers),
                }
                middle[culture, sex] = pick(middles[culture], father)
        blank = pa.nulls(len(self.ids), pa.string()).fill_null("")
        no_name = self.is_company
        out = [self._by_culture(column) for column in (given, family, middle)]
        out[0] = typo(out[0], self.seed, copies, "typo given", spelling.typos)
        out[1] = typo(out[1], self.seed, copies, "typo family", spelling.typos * 1.3)
        loud = share(self.seed, copies, "upper", spelling.upper)
        out = [where(loud, pc.utf8_upper(column), column) for column in out]
        return where(no_name, blank, out[0]), where(no_name, blank, out[1]), where(no_name, blank, out[2])

    # -- addresses of every kind

    def email(self, copies: Ids, *, missing: float) -> pa.Array:
        """An address made of the name; some have a second one, some share info@ with colleagues, some mistype."""
        plain = Spelling({ENGLISH: 1, RUSSIAN: 1, LATVIAN: 1}, diminutives=0.0, typos=0.0, upper=0.0)
        given, family, _ = self.names(plain, self.ids)
        given, family = (pc.replace_substring_regex(pc.utf8_lower(column), "[^a-z]", "") for column in (given, family))
        second = share(self.seed, copies, "mailbox", 0.10)
        owner = np.where(second, copies, self.ids)
        number = digits(choose(self.seed, owner, "mail no", 900), 1)
        form = choose(self.seed, owner, "mail form", 3)
        local = where(form == 0, join(given, ".", family, number), where(form == 1, join(family, number), join(given, "_", family, number)))
        domain = self._domain(owner)
        address = join(typo(local, self.seed, copies, "typo mail", 0.015), "@", domain)
        office = join("info@", self._company_slug(), ".example.com")
        address = where(self.office_mail | self.is_company, office, address)
        address = where(share(self.seed, copies, "MAIL", 0.04), pc.utf8_upper(address), address)
        return where(share(self.seed, copies, "no mail", missing), pa.nulls(len(address), pa.string()), address)

    def _domain(self, owner: Ids) -> pa.Array:
        out = None
        for culture, domains in words.MAIL_DOMAINS.items():
            column = pick(domains, choose(self.seed, owner, "domain", len(domains), skew=1.0))
            out = column if out is None else where(self.culture == culture, column, out)
        return out

    def _company_slug(self) -> pa.Array:
        return join("firm", pa.array(self.employer % 100_000_000).cast(pa.string()))

    def phone(self, copies: Ids, *, missing: float, style: int) -> pa.Array:
        """A number in the source's style: 0 international, 1 national with signs, 2 bare digits."""
        second = share(self.seed, copies, "phone 2", 0.08)
        owner = np.where(second, copies, self.phone_of)
        slip = np.where(share(self.seed, copies, "slip", 0.02), 10, 0)
        body = draw(self.seed, owner, "phone")
        russian = digits(9_000_000_000 + (body % np.uint64(999_999_980)).astype(np.int64) + slip, 10)
        british = digits(7_400_000_000 + (body % np.uint64(599_999_980)).astype(np.int64) + slip, 10)
        latvian = digits(20_000_000 + (body % np.uint64(9_999_980)).astype(np.int64) + slip, 8)
        piece = pc.utf8_slice_codeunits
        styles = {
            RUSSIAN: [join("+7", russian), join("8 (", piece(russian, 0, 3), ") ", piece(russian, 3, 6), "-", piece(russian, 6, 8), "-", piece(russian, 8, 10)), join("8", russian)],
            ENGLISH: [join("+44", british), join("0", piece(british, 0, 4), " ", piece(british, 4, 10)), join("0", british)],
            LATVIAN: [join("+371", latvian), join("+371 ", piece(latvian, 0, 2), " ", piece(latvian, 2, 5), " ", piece(latvian, 5, 8)), latvian],
        }  # fmt: skip
        # A bare national number of another country could not be told apart by anyone: strangers are written internationally.
        home = {0: -1, 1: RUSSIAN, 2: LATVIAN}[style] if style else -1
        out = styles[LATVIAN][0]
        for culture, columns in styles.items():
            column = columns[style] if culture == home else columns[0]
            out = where(self.culture == culture, column, out)
        return where(share(self.seed, copies, "no phone", missing), pa.nulls(len(out), pa.string()), out)

    def company(self, copies: Ids, *, missing: float, marks: bool = True) -> pa.Array:
        """Name of the company or employer, its legal form as this row writes it; without ``marks`` in plain Latin letters."""
        spell = (lambda name: name) if marks else words.without_marks
        out = None
        form = np.where(share(self.seed, copies, "form?", 0.3), choose(self.seed, copies, "form", 4), self.employer % 2)
        serial = self.employer % 1_000_000_000
        for culture in (ENGLISH, RUSSIAN, LATVIAN):
            heads, tails = ([spell(word) for word in table[culture]] for table in (words.COMPANY_HEADS, words.COMPANY_TAILS))
            head, tail = pick(heads, serial % len(heads)), pick(tails, serial // len(heads) % len(tails))
            number = serial // (len(heads) * len(tails))
            suffix = where(number == 0, pick([""], np.zeros(len(number), int)), join(" ", pa.array(number).cast(pa.string())))
            name = join(head, "" if culture == RUSSIAN else " ", tail, suffix)
            column = name
            for index, pattern in enumerate(words.COMPANY_FORMS[culture]):
                before, after = pattern.split("{}")
                column = where(form == index, join(before, name, after), column)
            out = column if out is None else where(self.culture == culture, column, out)
        absent = ~self.employed | (share(self.seed, copies, "no firm", missing) & ~self.is_company)
        return where(absent, pa.nulls(len(self.ids), pa.string()), out)

    def tax_id(self, copies: Ids) -> pa.Array:
        """Valid Russian INN or Latvian registration number of a company; people have none here."""
        russian, latvian = inn(self.employer), latvian_registration(self.employer)
        known = self.is_company & (self.culture != ENGLISH) & share(self.seed, copies, "tax id", 0.85)
        return where(known, where(self.culture == RUSSIAN, russian, latvian), pa.nulls(len(self.ids), pa.string()))

    def address(self, copies: Ids, *, latin: dict[int, int], style: int) -> tuple[pa.Array, pa.Array, pa.Array]:
        """City, street with house and flat, postcode; some have moved."""
        moved = share(self.seed, copies, "moved", 0.05)
        home = np.where(moved, copies, self.home)
        house = pa.array(1 + choose(self.seed, home, "house", 140)).cast(pa.string())
        flat = pa.array(1 + choose(self.seed, home, "flat", 120)).cast(pa.string())
        post = choose(self.seed, home, "post", 4000)
        city = street = postcode = None
        for culture in (ENGLISH, RUSSIAN, LATVIAN):
            spell = _casual(culture) if latin[culture] == 2 else (words.romanise if culture == RUSSIAN else words.without_marks)
            cities = [c[1] if latin[culture] else (c[2] if style == 2 else c[0]) for c in words.CITIES[culture]]
            names = [spell(name) if latin[culture] else name for name in words.STREETS[culture]]
            name = pick(names, choose(self.seed, home, "street", len(names), skew=0.6))
            streets = {
                ENGLISH: [join(house, " ", name, " Street"), join(house, " ", name, " St."), join("Flat ", flat, ", ", house, " ", name, " St")],
                RUSSIAN: [
                    join("ul. ", name, ", d. ", house, ", kv. ", flat) if latin[RUSSIAN] else join("ул. ", name, ", д. ", house, ", кв. ", flat),
                    join(name, " ", house, "-", flat),
                    join("ul. ", name, " ", house, "-", flat),
                ],
                LATVIAN: [join(name, " iela ", house, "-", flat), join(name, " ", house, "-", flat), join(name, " iela ", house, " - ", flat)],
            }[culture]  # fmt: skip
            codes = {
                ENGLISH: join(pick(["SW", "NW", "LS", "BS", "EH", "CF", "AL", "EC"], post % 8), digits(post // 8 % 20 + 1, 1), " ", digits(post % 9 + 1, 1), "AB"),
                RUSSIAN: digits(101000 + post * 60, 6),
                LATVIAN: join("LV-", digits(1001 + post, 4)),
            }[culture]  # fmt: skip
            columns = pick(cities, choose(self.seed, home, "city", len(cities), skew=1.0)), streets[style], codes
            if city is None:
                city, street, postcode = columns
            else:
                here = self.culture == culture
                city, street, postcode = where(here, columns[0], city), where(here, columns[1], street), where(here, columns[2], postcode)
        return city, street, postcode

    def birth_date(self, copies: Ids, *, missing: float) -> pa.Array:
        """Date of birth as date32; companies have none, a few rows are wrong."""
        day = choose(self.seed, self.ids, "born", 20_000) - 9_000
        day = day + np.where(share(self.seed, copies, "born off", 0.02), 10, 0)
        absent = self.is_company | share(self.seed, copies, "no birth", missing)
        return pa.array(day.astype(np.int32), mask=absent).cast(pa.date32())

    def country(self) -> pa.Array:
        """Country in English."""
        return pick(["United Kingdom", "Russia", "Latvia"], self.culture)


def _casual(culture: int) -> Callable[[str], str]:
    return (lambda name: words.romanise(name, casual=True)) if culture == RUSSIAN else words.without_marks


def typo(column: pa.Array, seed: int, copies: Ids, attribute: str, probability: float) -> pa.Array:
    """One slip per chosen row: a letter lost, doubled, or two letters swapped."""
    chosen = share(seed, copies, attribute, probability)
    place, kind = 1 + choose(seed, copies, attribute + " at", 5), choose(seed, copies, attribute + " as", 3)
    long_enough = pc.greater(pc.utf8_length(column), 6).to_numpy(zero_copy_only=False)
    piece = pc.utf8_slice_codeunits
    for at in range(1, 6):
        here = chosen & long_enough & (place == at)
        if not here.any():
            continue
        head, letter, following, tail = (
            piece(column, 0, at),
            piece(column, at, at + 1),
            piece(column, at + 1, at + 2),
            piece(column, at + 2),
        )
        column = where(here & (kind == 0), join(head, following, tail), column)
        column = where(here & (kind == 1), join(head, letter, letter, following, tail), column)
        column = where(here & (kind == 2), join(head, following, letter, tail), column)
    return column


def inn(company: np.ndarray) -> pa.Array:
    """A Russian tax number of a company (10 digits) with its check digit."""
    body = (770_000_000 + (company * 7_368_787) % 9_999_999).astype(np.int64)
    weights = np.array([2, 4, 10, 3, 5, 9, 4, 6, 8])
    figures = body[:, None] // 10 ** np.arange(8, -1, -1) % 10
    return digits(body * 10 + (figures * weights).sum(axis=1) % 11 % 10, 10)


def latvian_registration(company: np.ndarray) -> pa.Array:
    """A Latvian registration number (11 digits, begins with 4) with its check digit."""
    body = (4_000_000_000 + (company * 7_368_787) % 399_999_999).astype(np.int64)
    weights = np.array([9, 1, 4, 8, 3, 10, 2, 5, 7, 6])

    def check(numbers: np.ndarray) -> np.ndarray:
        figures = numbers[:, None] // 10 ** np.arange(9, -1, -1) % 10
        return np.asarray((3 - (figures * weights).sum(axis=1)) % 11)

    body = np.where(check(body) == 10, body + 1, body)
    body = np.where(check(body) == 10, body + 1, body)
    return digits(body * 10 + check(body), 11)
