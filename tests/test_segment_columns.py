"""Every kind of column and of feature against a slow oracle: what the fast ways of reading them find is what they hold."""

from __future__ import annotations

import datetime
import random
from typing import Any

import pyarrow as pa
import pytest

import crm_engine as crm

TODAY = datetime.date(2026, 6, 15)
ROWS = 20_011
NEEDLES = ["@gmail.com", "mail.ru", "стро", "K", "ss", ".", "abcabc", "no such text"]
WORDS = ["anna", "@GMAIL.com", "@mail.ru", "СТРОЙ", "строка", "k", "\u212a", "ß", "ss", "abc", "abcabc", "", "x" * 40]


def texts(seed: int) -> list[str | None]:
    source = random.Random(seed)
    return [None if source.random() < 0.1 else "".join(source.choices(WORDS, k=source.randrange(5))) for _ in range(ROWS)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_texts_of_every_layout(kind: Any) -> None:
    values = texts(1)
    folded = [None if value is None else "".join(one.lower() if len(one.lower()) == 1 else one for one in value) for value in values]
    rules: dict[str, str] = {}
    expected: dict[str, int] = {}
    for number, needle in enumerate(NEEDLES):
        lower = needle.lower()
        rules[f"has{number}"] = f"t ilike '%{needle}%'"
        expected[f"has{number}"] = sum(value is not None and lower in value for value in folded)
        rules[f"not{number}"] = f"not t ilike '%{needle}%'"
        expected[f"not{number}"] = sum(value is not None and lower not in value for value in folded)
        rules[f"case{number}"] = f"t like '%{needle}%'"
        expected[f"case{number}"] = sum(value is not None and needle in value for value in values)
    wanted = ["anna", "", "abcabcabc", "x" * 40, "x" * 40 + "anna", "СТРОЙ"]
    rules["exact"] = "t in (" + ", ".join(f"'{one}'" for one in wanted) + ")"
    expected["exact"] = sum(value in wanted for value in values)
    rules["null"] = "t is null"
    expected["null"] = values.count(None)
    column = pa.array(values, pa.string())
    table = pa.table({"id": range(ROWS), "t": column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)})
    # A slice: offsets do not begin at zero.
    table = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    for threads in (1, 2):
        assert crm.segment(table, {"segments": rules}, threads=threads).counts == expected


@pytest.mark.parametrize("dictionary", [False, True])
def test_lists_of_texts(dictionary: bool) -> None:
    source = random.Random(2)
    names = [f"tag{number:02d}" for number in range(30)] + ["wholesale and retail", "wholesale or retail", ""]
    values = [None if source.random() < 0.1 else source.choices(names, k=source.choice([0, 1, 2, 3, 9])) for _ in range(ROWS)]
    column = pa.array(values, pa.list_(pa.string()))
    if dictionary:
        column = pa.ListArray.from_arrays(column.offsets, column.values.dictionary_encode(), mask=column.is_null())
    table = pa.table({"id": range(ROWS), "tags": column})
    rules = {f"t{number}": f"'{name}' = any(tags)" for number, name in enumerate(names)}
    rules |= {f"n{number}": f"not contains(tags, '{name}')" for number, name in enumerate(names[:9])}
    counts = crm.segment(table, {"segments": rules}).counts
    for number, name in enumerate(names):
        assert counts[f"t{number}"] == sum(value is not None and name in value for value in values)
    for number, name in enumerate(names[:9]):
        assert counts[f"n{number}"] == sum(value is not None and name not in value for value in values)


def test_numbers_with_many_constants() -> None:
    source = random.Random(3)
    floats = [source.choice([None, float("nan"), float("inf"), -0.0, 0.0, source.gauss(0, 500)]) for _ in range(ROWS)]
    wide = [source.choice([None, -(2**63), 2**63 - 1, 0, source.randrange(-(10**15), 10**15)]) for _ in range(ROWS)]
    small = [source.choice([None, source.randrange(-50, 500)]) for _ in range(ROWS)]
    table = pa.table({"id": range(ROWS), "x": floats, "w": pa.array(wide, pa.int64()), "s": pa.array(small, pa.int16())})
    rules, expected = {}, {}
    for number in range(70):
        low, high = number * 20 - 700, number * 20 - 500
        rules[f"x{number}"] = f"x >= {low}e0 and x < {high}e0"
        # NaN is greater than everything, as in DuckDB and PostgreSQL.
        expected[f"x{number}"] = sum(value is not None and low <= value < high for value in floats)
        rules[f"w{number}"] = f"w > {low * 10**12}"
        expected[f"w{number}"] = sum(value is not None and value > low * 10**12 for value in wide)
        rules[f"s{number}"] = f"not s between {low} and {high}"
        expected[f"s{number}"] = sum(value is not None and not low <= value <= high for value in small)
    rules |= {"top": "w >= 9223372036854775807", "nan": "x > cast('inf' as double)"}
    expected |= {"top": wide.count(2**63 - 1), "nan": sum(value is not None and value != value for value in floats)}
    assert crm.segment(table, {"segments": rules}).counts == expected


@pytest.mark.parametrize("key", ["series", "gaps", "text"])
def test_features_of_every_kind(key: str) -> None:
    source = random.Random(4)
    people = 5_003
    name: Any = {"series": lambda n: n + 10, "gaps": lambda n: n * 1_000_003, "text": lambda n: f"c{n}"}[key]
    rows = [
        {
            "contact_id": None if source.random() < 0.02 else name(source.randrange(people + 100)),
            "amount": source.choice([None, float(source.randrange(-100, 1000))]),
            "n": source.choice([None, source.randrange(-5, 50)]),
            "kind": source.choice(["a", "b", "c", None]),
            "placed_at": datetime.datetime(2026, 6, 1) - datetime.timedelta(hours=source.randrange(20_000)),
        }
        for _ in range(30_000)
    ]
    kinds_of_column = [("amount", pa.float64()), ("n", pa.int32()), ("kind", pa.string()), ("placed_at", pa.timestamp("us"))]
    key_type = pa.string() if key == "text" else pa.int64()
    orders = pa.Table.from_pylist(rows, pa.schema([("contact_id", key_type), *kinds_of_column]))
    contacts = pa.table({"contact_id": [name(number) for number in range(people)]})
    own: dict[Any, list[dict[str, Any]]] = {contact: [] for contact in contacts["contact_id"].to_pylist()}
    for row in rows:
        if row["contact_id"] in own:
            own[row["contact_id"]].append(row)
    filters: list[tuple[str, Any]] = [("", lambda row: True)]
    filters += [(f" filter (where kind = '{kind}')", lambda row, kind=kind: row["kind"] == kind) for kind in "abc"]
    filters += [(f" filter (where n > {n})", lambda row, n=n: row["n"] is not None and row["n"] > n) for n in range(0, 50, 4)]
    kinds: list[tuple[str, float, Any]] = [
        ("count(orders)", 2, lambda rows: len(rows)),
        ("count(orders.n)", 1, lambda rows: sum(row["n"] is not None for row in rows)),
        ("sum(orders.amount)", 500, lambda rows: known(rows, "amount", sum)),
        ("sum(orders.n)", 20, lambda rows: known(rows, "n", sum)),
        ("min(orders.n)", 5, lambda rows: known(rows, "n", min)),
        ("max(orders.amount)", 600, lambda rows: known(rows, "amount", max)),
    ]
    rules, expected = {}, {}
    for place, (text, test) in enumerate(filters):
        for number, (aggregate, bound, oracle) in enumerate(kinds):
            values = [oracle([row for row in mine if test(row)]) for mine in own.values()]
            rules[f"f{place}_{number}"] = f"{aggregate}{text} > {bound}"
            expected[f"f{place}_{number}"] = sum(value is not None and value > bound for value in values)
    moment = datetime.datetime(2025, 6, 1)
    rules["late"] = "max(orders.placed_at) filter (where kind = 'a') >= timestamp '2025-06-01'"
    late = [known([row for row in mine if row["kind"] == "a"], "placed_at", max) for mine in own.values()]
    expected["late"] = sum(value is not None and value >= moment for value in late)
    for threads in (1, 3):
        pieces = pa.Table.from_batches(orders.to_batches(max_chunksize=9_001))
        assert crm.segment(contacts, {"segments": rules}, {"orders": pieces}, today=TODAY, threads=threads).counts == expected


def known(rows: list[dict[str, Any]], column: str, aggregate: Any) -> Any:
    values = [row[column] for row in rows if row[column] is not None]
    return aggregate(values) if values else None


def test_builtin_sets_read_golden_contacts(tmp_path: Any) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("name,email,phone,newsletter\nAnna Berzina,anna@x.lv,+371 29123456,yes\nBob Cole,,,no\nKlara Zale,k@z.lv,,\n", "utf-8")
    golden = crm.dedupe(str(path)).contacts
    assert crm.segment(golden, "builtin:missing_data").counts == {"no_phone": 2, "no_email": 1, "unreachable": 1}
    counts = crm.segment(golden, "builtin:consent").counts
    assert (counts["consent_given"], counts["consent_refused"], counts["consent_unknown"]) == (1, 1, 1)
