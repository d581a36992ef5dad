"""What rules mean and what is wrong with them: expressions over contacts and related rows, problems with their place, the three forms."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from segment_samples import TODAY, run

import crm_engine as crm
from crm_engine.rules import load_rules


@pytest.mark.parametrize(
    ("rule", "members"),
    [
        ("count(orders) = 2", ["c1", "c2"]),  # an order after today has not happened yet
        ("count(orders.amount) = 1", ["c2"]),
        ("exists(orders)", ["c1", "c2"]),
        ("exists(orders) filter (where status = 'new')", ["c2"]),
        ("not exists(orders)", ["c3", "c4"]),
        ("sum(orders.amount) is null", ["c3", "c4"]),
        ("avg(orders.amount) = 5500", ["c1"]),
        ("min(orders.amount) = 2000 and max(orders.amount) = 9000", ["c1"]),
        ("first(orders.amount) = 2000 and last(orders.amount) = 9000", ["c1"]),
        ("last(orders.status) = 'new'", ["c2"]),
        ("max(orders.status) = 'paid'", ["c1", "c2"]),
        ("count(distinct orders.status) = 2", ["c2"]),
        ("stddev(orders.amount) > 4949 and stddev(orders.amount) < 4950", ["c1"]),
        ("stddev_pop(orders.amount) = 3500", ["c1"]),
        ("date_diff('day', min(orders.placed_at), today) = 61", ["c1"]),
        ("sum(orders.amount * 2) filter (where orders.amount > 2000) = 18000", ["c1"]),
        ("sum(period_sum(orders.amount, 'month', 2)) = 11000", ["c1"]),
        ("avg(period_sum(orders.amount, 'month', 4)) = 2750", ["c1"]),
        ("min(period_sum(orders.amount, 'month', 3)) = 0", ["c1", "c2", "c3", "c4"]),
        ("ntile(2) over (order by sum(orders.amount)) = 2", ["c1"]),
        ("ntile(2, sum(orders.amount)) = 1", ["c2"]),
        ("cumulative_share(sum(orders.amount)) = 0", ["c1"]),
        ("cumulative_share(sum(orders.amount)) > 0.99", ["c2"]),
        ("percent_rank() over (order by sum(orders.amount) desc) = 0", ["c1"]),
        ("'retail' = any(tags)", ["c1", "c4"]),
        ("contains(tags, 'b2b')", ["c1"]),
        ("length(tags) = 0", ["c2"]),
        ("city collate nocase.noaccent = 'riga'", ["c1", "c2"]),
        ("fold(city) = 'riga'", ["c1", "c2"]),
        ("city ilike '%RĪG%'", ["c1"]),
        ("not marketing_consent", ["c2"]),
        ("marketing_consent is not true", ["c2", "c3"]),
        ("contacts.city = 'Oslo'", ["c3"]),
    ],
)
def test_expressions(rule: str, members: list[str]) -> None:
    result = run({"segments": {"s": rule}}, today=TODAY)
    assert result.of("s").to_pylist() == members
    assert result.warnings == []


def test_all_problems_are_told_at_once_with_their_place() -> None:
    rules = """segments:
  a:
    where: cty = 'Riga'
  b: segment('aa') and orders.amount > 1
  c: >
    city = 'x' and
    sum(ordrs.amount) > 5
  d: segment('e')
  e: segment('d')
  f: city > 5
"""
    with pytest.raises(crm.RuleError) as caught:
        run(rules)
    assert (caught.value.line, caught.value.column, caught.value.nearest) == (3, 12, "city")
    message = str(caught.value)
    for part in [
        "line 3, column 12: there is no column or feature 'cty'; did you mean 'city'?",
        "line 4, column 6: there is no segment 'aa'",
        "line 4, column 24: 'orders.amount' has many values per contact",
        "line 7, column 9: there is no related table 'ordrs'; did you mean 'orders'?",
        "line 8, column 6: the segment 'd' refers to itself through 'e'",
        "line 10, column 6: a text cannot be compared with bigint",
    ]:
        assert part in message


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("segments: {a: [1]}", "a rule tree|a condition is a mapping"),
        ("segments: {a: {wher: x}}", "did you mean 'where'"),
        ("sgments: {a: x}", "did you mean 'segments'"),
        ("segments: {a: 'city ='}", "line 1, column 2[0-9]: expected"),
        ("segments: {a: \"city = 'Riga' city\"}", "not expected here"),
        ("segments: {a: \"upper(city, 3) = 'X'\"}", "upper takes 1 argument"),
        ("segments: {a: \"uper(city) = 'X'\"}", "did you mean 'upper'"),
        ("segments: {a: \"regexp_like(city, '(')\"}", "regular expression"),
        ("segments: {a: city}", "a condition is needed here, and 'city' is varchar"),
        ("segments: {a: true}\nassign: {g: [{name: x}, {name: y, where: 'true'}]}", "can never be reached"),
        ("segments: {a: true, a: false}", "twice"),
        ("segments: !!python/object:os.system {a: x}", "tags are not used"),
        ("segments: {a: {field: city, op: equals, value: x}}", "no operator 'equals'"),
        ("today: tomorrow\nsegments: {a: true}", "not a date"),
        ("segments: {a: 'select 1'}", "line 1"),
        ('segments: {a: "exists(select 1)"}', "line 1|subqueries"),
        ("segments: {a: \"last(interactions.kind) = 'call'\"}", "no time column of 'interactions' is known"),
        ("segments: {a: 'avg(orders.status) > 1'}", "avg needs a number"),
        ("segments: {a: 'ntile(5, city) = 1'}", "ntile goes by a number or date"),
    ],
)
def test_wrong_rules(rules: str, message: str) -> None:
    with pytest.raises(crm.RuleError, match=message):
        run(rules)


def test_hostile_rules_are_bounded() -> None:
    deep = "(" * 5_000 + "true" + ")" * 5_000
    for rule in [
        deep,
        "not " * 5_000 + "true",
        "city = 'a'" + " or city = 'a'" * 5_000,
        "1" + "+1" * 5_000 + " > 0",
        "case " * 500,
        "'" * 999,
    ]:
        with pytest.raises(crm.RuleError):
            run({"segments": {"s": rule}})
    many = ",".join(f"'{number}'" for number in range(100_000))
    assert run({"segments": {"s": f"city in ({many})"}}).counts == {"s": 0}
    assert run({"segments": {"s": "city = 'Oslo' or " + " or ".join(["city = 'a'"] * 500)}}).counts == {"s": 1}
    assert run({"segments": {"s": "city like '" + "%a" * 500 + "%'"}}).counts == {"s": 0}
    assert run({"segments": {"s": "regexp_like(city, '(a*)*(a*)*(a*)*b')"}}).counts == {"s": 0}
    with pytest.raises(crm.RuleError, match="regular expression"):
        run({"segments": {"s": "regexp_like(city, '((a{100}){100}){100}')"}})
    chain = {"s0": "true", **{f"s{number}": f"segment('s{number - 1}')" for number in range(1, 500)}}
    assert run({"segments": chain}).counts["s499"] == 4
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "\n".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]" for n in range(9)
    )
    with pytest.raises(crm.RuleError):
        run(bomb)
    with pytest.raises(crm.RuleError, match="levels deep"):
        run("[" * 10_000)


def test_very_many_rules() -> None:
    segments = {f"s{number}": f"city = 'Riga' and length(city) > {number % 50}" for number in range(20_000)}
    result = run({"segments": segments})
    assert (result.counts["s3"], result.counts["s4"]) == (1, 0)


def test_what_fails_is_null_and_named() -> None:
    result = run(
        {"segments": {"a": "1 / length(tags) > 0.4", "b": "cast(city as bigint) is null", "c": "9223372036854775807 + length(tags) > 0"}}
    )
    assert result.counts == {"a": 2, "b": 4, "c": 1}
    assert len(result.warnings) == 3
    assert "cast(city as bigint)" in "".join(result.warnings)


def test_trees_fields_and_sql_are_one() -> None:
    tree = {"all": [{"field": "city", "op": "in", "value": ["Riga", "Rīga"]}, {"none": [{"field": "tags", "op": "is_null"}]}]}
    built = crm.field("city").is_in(["Riga", "Rīga"]) & ~crm.field("tags").is_null()
    sql = "city in ('Riga', 'Rīga') and not tags is null"
    assert [load_rules({"segments": {"s": rule}}).to_sql()["s"] for rule in (tree, built, sql)] == [sql] * 3
    for rule in (tree, built, sql):
        assert run({"segments": {"s": rule}}).counts == {"s": 2}
    spent = crm.field("orders.amount").sum(where=crm.field("status") == "paid") > 100
    assert str(spent) == "sum(orders.amount) filter (where status = 'paid') > 100"
    assert run({"segments": {"s": spent}}).counts == {"s": 1}
    born = crm.field("born") >= datetime.date(2000, 1, 2)
    assert str(born) == "born >= date '2000-01-02'"
    with pytest.raises(TypeError, match="combine rules"):
        bool(spent)


def test_a_feature_may_bear_the_name_of_a_column_of_its_table() -> None:
    rules = {"features": {"kind": "count(interactions) filter (where kind = 'call')"}, "segments": {"called": "kind > 0"}}
    assert run(rules).counts == {"called": 1}


def test_what_is_no_number_is_above_all_numbers() -> None:
    minus_nan = np.frombuffer(np.uint64(0xFFF8000000000000).tobytes(), np.float64)[0]
    orders = pa.table({"contact_id": ["c1", "c1", "c2", "c2"], "amount": [minus_nan, 1.0, 1.0, float("nan")]})
    rules = {"segments": {"least": "min(orders.amount) = 1", "greatest": "max(orders.amount) > 1e300"}}
    assert run(rules, related={"orders": orders}).counts == {"least": 2, "greatest": 2}


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ("coalesce(city = 'Riga', false)", 1),
        ("not coalesce(city = 'Riga' and true, false)", 3),
        ("greatest(city = 'Riga', false)", 1),
        ("least(city = 'Riga', true)", 2),
        ("count(distinct orders.amount = 5) > 0", 2),
        ("7.5 // 2 = 3.75", 4),
        ("round(15, -1) = 20 and round(-14, -1) = -10", 4),
        ("cast(1e16 as varchar) = '1e+16' and cast(0.00001 as varchar) = '1e-05'", 4),
        ("date_diff('week', date '2024-01-07', date '2024-01-08') = 0", 4),
    ],
)
def test_as_duckdb_has_it(rule: str, count: int) -> None:
    assert run({"segments": {"s": rule}}).counts == {"s": count}


@pytest.mark.parametrize("kind", ["decimal(10, 2)", "tinyint", "smallint"])
def test_casts_that_would_cut_are_refused(kind: str) -> None:
    with pytest.raises(crm.RuleError, match="the types are boolean, bigint, double, varchar, date and timestamp"):
        run({"segments": {"s": f"cast(city as {kind}) = 1"}})


@pytest.mark.parametrize(
    "tree",
    [
        {"field": "n", "op": "in", "value": []},
        {"field": "n", "op": "not_in", "value": []},
        {"field": "trim", "op": "is_null"},
        {"field": "current_date", "op": "is_null"},
        {"field": "current_timestamp", "op": "=", "value": 1},
        {"field": "end", "op": "=", "value": 1},
        {"field": "Статус", "op": "=", "value": "x"},
        "n > -(-5)",
        "n > - - 5",
        "-(-n) < 3",
    ],
)
def test_what_is_printed_is_read_again(tree: Any) -> None:
    printed = load_rules({"segments": {"s": tree}}).to_sql()["s"]
    assert load_rules({"segments": {"s": printed}}).to_sql()["s"] == printed
    table = pa.table(
        {
            "contact_id": [1, 2],
            "n": [1, 9],
            "trim": [1, None],
            "current_date": [1, None],
            "current_timestamp": [1, 2],
            "end": [1, 2],
            "Статус": ["x", "y"],
        }
    )
    assert (
        crm.segment(table, {"segments": {"a": tree, "b": printed}}).mask("a").tolist()
        == crm.segment(table, {"segments": {"b": printed}}).mask("b").tolist()
    )
