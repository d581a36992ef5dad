"""Segments from end to end: features, references, assignments, changes, explanations, built-in sets."""

from __future__ import annotations

import datetime
import json
import random
from pathlib import Path
from typing import Any

import click.testing
import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import crm_engine as crm
from crm_engine.cli import crm_engine as command_line
from crm_engine.rules import load_rules, rules_schema

TODAY = datetime.date(2026, 11, 1)


def day(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


CONTACTS = pa.table(
    {
        "contact_id": ["c1", "c2", "c3", "c4"],
        "city": ["Rīga", "Riga", "Oslo", None],
        "tags": [["retail", "b2b"], [], None, ["retail"]],
        "marketing_consent": [True, False, None, True],
    }
)
ORDERS = pa.table(
    {
        "contact_id": ["c1", "c1", "c2", "c2", "c2", "nobody", None],
        "amount": [9000.0, 2000.0, 10.0, None, 5.0, 7.0, 8.0],
        "status": ["paid", "paid", "paid", "new", "paid", "paid", "paid"],
        "placed_at": [
            day("2026-10-01"),
            day("2026-09-01"),
            day("2025-01-01"),
            day("2025-02-01"),
            day("2026-12-24"),
            day("2026-01-01"),
            None,
        ],
    }
)
INTERACTIONS = pa.table({"contact_id": ["c3", "c3", "c1"], "kind": ["quote_request", "call", "quote_request"]})

RULES = """
today: 2026-11-01
features:
  orders_90d: count(orders) filter (where placed_at >= today - interval '90 days')
  spent_total: sum(orders.amount) filter (where status = 'paid')
segments:
  warm_leads:
    title: Тёплые лиды
    where: count(interactions) filter (where kind = 'quote_request') > 0 and count(orders) = 0
  vip:
    where: spent_total > 10000 and last(orders.placed_at) >= today - interval '180 days'
  riga_retail:
    where: city in ('Rīga', 'Riga') and 'retail' = any(tags) and not segment('nobody')
  nobody:
    where: orders_90d > 100
assign:
  group:
    - {name: Key accounts, where: segment('vip')}
    - {name: Warm leads, where: segment('warm_leads')}
    - {name: Everyone else}
"""


def run(rules: Any, contacts: Any = CONTACTS, **options: Any) -> crm.SegmentResult:
    options.setdefault("related", {"orders": ORDERS, "interactions": INTERACTIONS})
    return crm.segment(contacts, rules, **options)


def test_the_rules_file_of_the_readme() -> None:
    result = run(RULES)
    assert result.counts == {"warm_leads": 1, "vip": 1, "riga_retail": 1, "nobody": 0}
    assert result.members.to_pylist() == [
        {"segment": "warm_leads", "contact_id": "c3"},
        {"segment": "vip", "contact_id": "c1"},
        {"segment": "riga_retail", "contact_id": "c1"},
    ]
    assert result.mask("vip").tolist() == [True, False, False, False]
    assert result.mask("vip").dtype == np.bool_
    assert result.assigned.to_pydict() == {
        "contact_id": ["c1", "c2", "c3", "c4"],
        "group": ["Key accounts", "Everyone else", "Warm leads", "Everyone else"],
    }
    assert result.titles == {"warm_leads": "Тёплые лиды"}
    assert result.wide.column_names == ["contact_id", "warm_leads", "vip", "riga_retail", "nobody"]
    assert result.overlap().to_pydict() == {
        "segment": ["warm_leads", "vip", "riga_retail", "nobody"],
        "warm_leads": [1, 0, 0, 0],
        "vip": [0, 1, 1, 0],
        "riga_retail": [0, 1, 1, 0],
        "nobody": [0, 0, 0, 0],
    }


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


def test_entered_and_left() -> None:
    first = run({"segments": {"riga": "city = 'Riga'", "oslo": "city = 'Oslo'"}}, today="2026-01-01")
    assert first.entered.num_rows == 2
    moved = CONTACTS.set_column(1, "city", pa.array(["Riga", "Riga", None, "Oslo"]))
    second = run({"segments": {"riga": "city = 'Riga'", "oslo": "city = 'Oslo'"}}, moved, today="2026-02-01", previous=first)
    assert second.entered.to_pylist() == [
        {"segment": "riga", "contact_id": "c1", "entered_on": datetime.date(2026, 2, 1)},
        {"segment": "oslo", "contact_id": "c4", "entered_on": datetime.date(2026, 2, 1)},
    ]
    assert second.left.to_pylist() == [
        {"segment": "oslo", "contact_id": "c3", "entered_on": datetime.date(2026, 1, 1), "left_on": datetime.date(2026, 2, 1)}
    ]
    third = run({"segments": {"riga": "city = 'Riga'"}}, moved, today="2026-03-01", previous=second.memberships)
    dates = dict(zip(third.memberships["contact_id"].to_pylist(), third.memberships["entered_on"].to_pylist(), strict=True))
    assert dates == {"c1": datetime.date(2026, 2, 1), "c2": datetime.date(2026, 1, 1)}
    assert third.left["segment"].to_pylist() == ["oslo"]
    assert third.summary["left"] == {"riga": 0, "oslo": 1}


def test_explain() -> None:
    explanation = {entry["segment"]: entry for entry in run(RULES).explain("c1")}
    assert explanation["vip"]["member"] is True
    assert explanation["warm_leads"]["member"] is False
    predicates = {
        predicate["sql"]: (predicate["value"], dict(predicate["inputs"])) for predicate in explanation["warm_leads"]["predicates"]
    }
    assert predicates["count(orders) = 0"] == (False, {"count(orders)": "2"})
    with pytest.raises(crm.ConfigError, match="no such contact"):
        run(RULES).explain("c9")


def test_same_result_for_any_batches_and_threads(tmp_path: Path) -> None:
    source = random.Random(5)
    rows = 50_000
    cities = pa.array([source.choice(["Riga", "Oslo", None]) for _ in range(rows)])
    contacts = pa.table({"contact_id": range(rows), "city": cities, "x": [source.random() for _ in range(rows)]})
    orders = pa.table(
        {"contact_id": [source.randrange(rows) for _ in range(rows * 2)], "amount": [source.random() for _ in range(rows * 2)]}
    )
    rules = {
        "features": {"spent": "sum(orders.amount)", "rank": "ntile(7, spent)"},
        "segments": {
            "a": "city = 'Riga' and x > 0.5",
            "b": "spent > 1.2 or x < 0.1",
            "c": "rank = 3",
            "d": "cumulative_share(spent) < 0.3",
        },
    }
    expected = crm.segment(contacts, rules, {"orders": orders}, threads=1)
    pq.write_table(contacts, tmp_path / "contacts.parquet", row_group_size=1_234)
    pq.write_table(orders, tmp_path / "orders.parquet", row_group_size=777)
    chunked = pa.Table.from_batches(contacts.to_batches(max_chunksize=777))
    dictionary = contacts.set_column(1, "city", contacts["city"].dictionary_encode())
    for people, bought in [(chunked, orders), (tmp_path / "contacts.parquet", tmp_path / "orders.parquet"), (dictionary, orders)]:
        for threads in (1, 3):
            found = crm.segment(people, rules, {"orders": bought}, threads=threads)
            assert found.counts == expected.counts
            assert found.members.equals(expected.members)
    assert all(expected.counts.values())


@pytest.mark.parametrize("name", sorted(crm.builtin_rules()))
def test_builtin_sets_fit_their_schema_and_run(name: str) -> None:
    jsonschema.validate(yaml.safe_load(crm.builtin_rules()[name].read_text("utf-8")), rules_schema())
    rows = 300
    source = random.Random(1)
    contacts = pa.table(
        {
            "contact_id": range(rows),
            "birth_date": [datetime.date(1980, source.randint(1, 12), source.randint(1, 28)) for _ in range(rows)],
            "phone": [source.choice([None, " ", "+371 2"]) for _ in range(rows)],
            "email": [source.choice([None, "", "a@b.lv"]) for _ in range(rows)],
            "marketing_consent": [source.choice([None, True, False]) for _ in range(rows)],
        }
    )
    moments = [datetime.datetime(2026, 11, 1) - datetime.timedelta(days=source.expovariate(1 / 200)) for _ in range(rows * 3)]
    orders = pa.table(
        {
            "contact_id": [int(source.random() ** 2 * rows) for _ in moments],
            "amount": [source.lognormvariate(4, 1) for _ in moments],
            "placed_at": moments,
        }
    )
    interactions = pa.table({"contact_id": [source.randrange(rows) for _ in range(rows)], "occurred_at": moments[:rows]})
    result = crm.segment(contacts, f"builtin:{name}", {"orders": orders, "interactions": interactions}, today=TODAY)
    assert result.warnings == []
    assert any(result.counts.values())
    if name in ("rfm", "abc", "relationship"):
        sizes = result.summary["assigned"]
        assert all(sum(groups.values()) <= rows for groups in sizes.values())
        if name == "rfm":
            buyers = len(set(orders["contact_id"].to_pylist()))
            assert sum(sizes["rfm_money"].values()) == buyers
            assert max(sizes["rfm_money"].values()) - min(sizes["rfm_money"].values()) <= 1
        if name == "abc":
            assert sum(sizes["abc"].values()) == rows


def test_a_time_column_that_is_no_time_is_refused() -> None:
    calls = pa.table({"contact_id": ["c1"], "at": [2_000_000_000]})
    rules = {"segments": {"s": "exists(calls)"}, "tables": {"calls": {"time": "at"}}}
    with pytest.raises(crm.RuleError, match="the time column 'at' of 'calls' is bigint, and must be a date or timestamp"):
        crm.segment(CONTACTS, rules, {"calls": calls})


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


def test_explain_of_a_word_where_contacts_have_numbers() -> None:
    result = crm.segment(pa.table({"contact_id": [1, 2]}), {"segments": {"all": "true"}})
    with pytest.raises(crm.ConfigError, match="no such contact"):
        result.explain("zzz")


def test_a_file_with_nothing_but_a_header_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("contact_id,amount\n", "utf-8")
    (tmp_path / "previous.csv").write_text("segment,contact_id,entered_on\n", "utf-8")
    result = crm.segment(
        CONTACTS,
        {"segments": {"buyers": "exists(orders)", "oslo": "city = 'Oslo'"}},
        {"orders": tmp_path / "orders.csv"},
        previous=tmp_path / "previous.csv",
    )
    assert result.counts == {"buyers": 0, "oslo": 1}
    assert result.entered["contact_id"].to_pylist() == ["c3"]


def test_builtin_sets_work_with_any_contact_key() -> None:
    contacts, orders = (
        CONTACTS.rename_columns(["client_no", *CONTACTS.column_names[1:]]),
        ORDERS.rename_columns(["client_no", "amount", "status", "placed_at"]),
    )
    expected = run("builtin:rfm", today=TODAY).members.to_pylist()
    assert run("builtin:rfm", contacts, related={"orders": orders}, key="client_no", today=TODAY).members.to_pylist() == expected
    named = ORDERS.rename_columns(["client", "amount", "status", "placed_at"])
    with pytest.raises(crm.SchemaError, match="tables: {orders: {contact: COLUMN}}"):
        run("builtin:rfm", related={"orders": named})
    rules = ["builtin:rfm", {"tables": {"orders": {"contact": "client"}}}]
    assert run(rules, related={"orders": named}, today=TODAY).members.to_pylist() == expected


def test_command_line(tmp_path: Path) -> None:
    pq.write_table(CONTACTS, tmp_path / "contacts.parquet")
    pq.write_table(ORDERS, tmp_path / "orders.parquet")
    (tmp_path / "calls.csv").write_text("contact_id,kind\nc3,quote_request\nc1,quote_request\n", "utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, "utf-8")
    runner = click.testing.CliRunner()
    arguments = ["segment", str(tmp_path / "contacts.parquet"), str(tmp_path / "rules.yaml")]
    arguments += ["--related", f"orders={tmp_path / 'orders.parquet'}", "--related", f"interactions={tmp_path / 'calls.csv'}"]
    done = runner.invoke(command_line, [*arguments, "-o", str(tmp_path / "out"), "--json", "--overlap"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["segments"] == {"warm_leads": 1, "vip": 1, "riga_retail": 1, "nobody": 0}
    members = pq.read_table(tmp_path / "out" / "members.parquet")
    assert members.column_names == ["segment", "contact_id", "entered_on"]
    again = runner.invoke(
        command_line, [*arguments, "-o", str(tmp_path / "m.csv"), "--previous", str(tmp_path / "out" / "members.parquet")]
    )
    assert again.exit_code == 0, again.output
    assert "warm_leads" in again.output
    explained = runner.invoke(command_line, [*arguments, "--explain", "c1"])
    assert "count(orders) is 2" in explained.output
    assert json.loads(runner.invoke(command_line, ["segment", "--schema"]).stdout) == rules_schema()
    assert "rfm" in runner.invoke(command_line, ["segment", "--list"]).stdout
    assert runner.invoke(command_line, ["segment", "--show", "rfm"]).stdout == crm.builtin_rules()["rfm"].read_text("utf-8")
    assert runner.invoke(command_line, ["segment"]).exit_code == 2
