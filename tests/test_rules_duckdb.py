"""Generated rules over generated data mean the same here and in DuckDB, whose TRY forms stand for our null."""

from __future__ import annotations

import datetime
import os
import random
import re
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import crm_engine as crm

ROWS = 60
#: Rule and data pairs: some hundreds by default, ten thousand with CRM_LONG=1.
CASES = 10_000 if os.environ.get("CRM_LONG") == "1" else 600
PER_TABLE = 50
TODAY = datetime.date(2026, 6, 15)

TEXTS = ["Riga", "riga", "Рига", "РИГА", "", "a%b", "O'Brien", "abc", "42", "-7", "3.5", "2024-02-29", "x"]
LITERAL = r"('(?:[^']|'')*')"
PIECES = ["%", "_", "a", "R", "и", "И", "ig", "b", "", "4"]


def attempt(sql: str) -> str:
    """DuckDB's TRY, which takes no subquery, as ``= any(list)`` is one: there it is spelled out."""
    spelled = (
        r"case when tags is null then false when list_contains(tags, \1) then true "
        r"when list_count(tags) < length(tags) then null else false end"
    )
    return f"try({re.sub(LITERAL + r' = any[(]tags[)]', f'({spelled})', sql)})"


class Generator:
    """Writes random rules of the shared grammar, as (ours, DuckDB's)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def text_literal(self) -> str:
        return "'" + self.pick(*TEXTS).replace("'", "''") + "'"

    def number(self, depth: int) -> tuple[str, str, bool]:
        """A number: ours, DuckDB's, whether it is a whole one."""
        kind = self.random.randrange(11 if depth > 0 else 3)
        if kind == 9:
            part, a, b = self.pick("year", "quarter", "month", "week", "day"), self.moment(depth - 1), self.moment(depth - 1)
            name = self.pick("date_diff", "date_sub")
            ours, theirs = (f"{name}('{part}', {a[side]}, {b[side]})" for side in (0, 1))
            return ours, theirs, True
        if kind == 10:
            # Small numbers: DuckDB's rounding wraps around at the end of 64 bits.
            a = self.pick("j", "(j * 7)", "(j - 50)", "(j * 125)")
            rounded = f"round({a}, {self.random.randint(-3, 1)})"
            return rounded, rounded, True
        if kind == 0:
            value = self.pick("0", "1", "-3", "7", "100", "9223372036854775807", "-9223372036854775808")
            return value, f"({value})::bigint", True
        if kind == 1:
            name = self.pick("i", "j")
            return name, name, True
        if kind == 2:
            if self.random.random() < 0.5:
                return "x", "x", False
            value = self.pick("1.5e0", "-0.25e0", "1e300", "0e0")
            return value, value, False
        if kind in (3, 4):
            a, b = self.number(depth - 1), self.number(depth - 1)
            whole = a[2] and b[2]
            op = self.pick("+", "-", "*", "/", "//", "%")
            if op == "//" and not whole:
                return f"({a[0]} // {b[0]})", f"({a[1]}::double / nullif({b[1]}::double, 0))", False
            if op == "/":
                return f"({a[0]} / {b[0]})", f"({a[1]}::double / nullif({b[1]}::double, 0))", False
            if op in ("//", "%"):
                if not whole:
                    return f"({a[0]} % {b[0]})", f"({a[1]}::double % nullif({b[1]}::double, 0))", False
                return f"({a[0]} {op} {b[0]})", attempt(f"{a[1]} {op} nullif({b[1]}, 0)"), True
            if whole:
                return f"({a[0]} {op} {b[0]})", attempt(f"{a[1]} {op} {b[1]}"), True
            return f"({a[0]} {op} {b[0]})", f"({a[1]}::double {op} {b[1]}::double)", False
        if kind == 5:
            text = self.text(depth - 1)
            return f"length({text[0]})", f"length({text[1]})", True
        if kind == 6:
            text = self.text(depth - 1)
            to = self.pick("bigint", "double")
            return f"cast({text[0]} as {to})", f"try_cast({text[1]} as {to})", to == "bigint"
        if kind == 7:
            part, moment = self.pick("year", "month", "day", "quarter", "week", "dow"), self.moment(depth - 1)
            return f"date_part('{part}', {moment[0]})", f"date_part('{part}', {moment[1]})", True
        condition, a, b = self.condition(depth - 1), self.number(depth - 1), self.number(depth - 1)
        whole = a[2] and b[2]
        c, d = (a[1], b[1]) if whole else (f"{a[1]}::double", f"{b[1]}::double")
        return f"case when {condition[0]} then {a[0]} else {b[0]} end", f"case when {condition[1]} then {c} else {d} end", whole

    def text(self, depth: int) -> tuple[str, str]:
        kind = self.random.randrange(7 if depth > 0 else 2)
        if kind == 0:
            name = self.pick("s", "t")
            return name, name
        if kind == 1:
            literal = self.text_literal()
            return literal, literal
        a = self.text(depth - 1)
        if kind == 2:
            name = self.pick("lower", "upper", "trim", "ltrim", "rtrim")
            return f"{name}({a[0]})", f"{name}({a[1]})"
        if kind == 3:
            b = self.text(depth - 1)
            return f"coalesce({a[0]}, {b[0]})", f"coalesce({a[1]}, {b[1]})"
        if kind == 4:
            b = self.text(depth - 1)
            return f"({a[0]} || {b[0]})", f"({a[1]} || {b[1]})"
        if kind == 5:
            start, length = self.random.randint(1, 4), self.random.randint(0, 3)
            return f"substring({a[0]}, {start}, {length})", f"substring({a[1]}, {start}, {length})"
        count = self.random.randint(0, 3)
        name = self.pick("left", "right")
        return f"{name}({a[0]}, {count})", f"{name}({a[1]}, {count})"

    def moment(self, depth: int) -> tuple[str, str]:
        kind = self.random.randrange(5 if depth > 0 else 3)
        if kind == 0:
            name = self.pick("d", "w")
            return name, name
        if kind == 1:
            return "today", f"date '{TODAY}'"
        if kind == 2:
            value = self.pick("date '2024-02-29'", "timestamp '2025-12-31 23:59:59'", "date '1999-01-31'")
            return value, value
        if kind == 3:
            a = self.moment(depth - 1)
            sign, length = self.pick("+", "-"), self.pick("1 month", "90 days", "1 year", "36 hours", "13 months")
            return f"({a[0]} {sign} interval '{length}')", f"({a[1]} {sign} interval '{length}')"
        a, part = self.moment(depth - 1), self.pick("month", "year", "week", "quarter", "day")
        return f"date_trunc('{part}', {a[0]})", f"date_trunc('{part}', {a[1]})"

    def condition(self, depth: int) -> tuple[str, str]:
        kind = self.random.randrange(16 if depth > 0 else 8)
        compare = self.pick("=", "<>", "<", "<=", ">", ">=")
        if kind == 0:
            a, b = self.number(depth - 1), self.number(depth - 1)
            c, d = (a[1], b[1]) if a[2] == b[2] else (f"{a[1]}::double", f"{b[1]}::double")
            return f"{a[0]} {compare} {b[0]}", f"{c} {compare} {d}"
        if kind == 1:
            a, b = self.text(depth - 1), self.text(depth - 1)
            return f"{a[0]} {compare} {b[0]}", f"{a[1]} {compare} {b[1]}"
        if kind == 2:
            a, b = self.moment(depth - 1), self.moment(depth - 1)
            return f"{a[0]} {compare} {b[0]}", f"{a[1]} {compare} {b[1]}"
        if kind == 3:
            name = self.pick("i", "s", "d", "w", "x", "ok", "tags")
            form = self.pick("is null", "is not null")
            return f"{name} {form}", f"{name} {form}"
        if kind == 4:
            a = self.text(depth - 1)
            values = [self.text_literal() for _ in range(self.random.randint(1, 4))] + ["null"] * (self.random.random() < 0.2)
            word = self.pick("in", "not in")
            return f"{a[0]} {word} ({', '.join(values)})", f"{a[1]} {word} ({', '.join(values)})"
        if kind == 5:
            a = self.text(depth - 1)
            pattern = "".join(self.pick(*PIECES) for _ in range(self.random.randint(0, 4)))
            word = self.pick("like", "ilike", "not like", "not ilike")
            return f"{a[0]} {word} '{pattern}'", f"{a[1]} {word} '{pattern}'"
        if kind == 6:
            literal = self.text_literal()
            return self.pick(
                (f"{literal} = any(tags)", f"{literal} = any(tags)"), (f"contains(tags, {literal})", f"list_contains(tags, {literal})")
            )
        if kind == 7:
            return "ok", "ok"
        a = self.condition(depth - 1)
        if kind == 15:
            # Without parentheses, so that an equality stands bare among the arguments.
            other = self.pick("true", "false")
            return f"coalesce({a[0]}, {other})", f"coalesce({a[1]}, {other})"
        if kind == 8:
            return f"not ({a[0]})", f"not ({a[1]})"
        if kind in (9, 10, 11):
            b, word = self.condition(depth - 1), self.pick("and", "or")
            return f"({a[0]}) {word} ({b[0]})", f"({a[1]}) {word} ({b[1]})"
        if kind == 12:
            form = self.pick("is true", "is not true", "is false", "is not false", "is null")
            return f"({a[0]}) {form}", f"({a[1]}) {form}"
        if kind == 13:
            b, form = self.text(depth - 1), self.pick("is distinct from", "is not distinct from")
            return f"s {form} {b[0]}", f"s {form} {b[1]}"
        low, high = self.random.randint(-5, 3), self.random.randint(0, 100)
        word = self.pick("between", "not between")
        return f"i {word} {low} and {high}", f"i {word} {low} and {high}"

    def table(self) -> pa.Table:
        def column(*values: Any) -> list[Any]:
            return [self.pick(None, *values) for _ in range(ROWS)]

        integers = (0, 1, -3, 7, 50, 100, 2**63 - 1, -(2**63))
        return pa.table(
            {
                "contact_id": range(ROWS),
                "i": pa.array(column(*integers), pa.int64()),
                "j": pa.array(column(0, 1, 2, 3), pa.int64()),
                "x": pa.array(column(0.0, -0.0, 1.5, -0.25, 1e300, float("nan"), float("inf")), pa.float64()),
                "s": pa.array(column(*TEXTS), pa.string()),
                "t": pa.array(column(*TEXTS), pa.string()).dictionary_encode(),
                "d": pa.array(column(datetime.date(2024, 2, 29), TODAY, datetime.date(1999, 12, 31)), pa.date32()),
                "w": pa.array(
                    column(datetime.datetime(2026, 6, 15), datetime.datetime(2025, 1, 31, 23, 59, 59, 999_999)), pa.timestamp("us")
                ),
                "ok": pa.array(column(True, False), pa.bool_()),
                "tags": pa.array([self.pick(None, [], ["Riga"], ["x", "abc"], ["Riga", None]) for _ in range(ROWS)], pa.list_(pa.string())),
            }
        )


@pytest.mark.parametrize("seed", range(CASES // PER_TABLE))
def test_rules_agree_with_duckdb(seed: int) -> None:
    generator = Generator(seed)
    table = generator.table()
    rules = [generator.condition(4) for _ in range(PER_TABLE)]
    found = crm.segment(table, {"segments": {f"r{number}": ours for number, (ours, _) in enumerate(rules)}}, today=TODAY)
    database = duckdb.connect()
    database.execute("set threads = 1")
    # Its rewriting makes `x <> date_trunc('month', d)` true where `d` is null and x begins no month.
    database.execute("set disabled_optimizers = 'expression_rewriter'")
    database.register("contacts", table)
    for number, (ours, theirs) in enumerate(rules):
        expected = [row[0] for row in database.execute(f"select coalesce({theirs}, false) from contacts order by contact_id").fetchall()]
        assert found.mask(f"r{number}").tolist() == expected, f"\nours:   {ours}\nDuckDB: {theirs}"
