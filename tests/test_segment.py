"""Segments from end to end: files, assignments, changes, explanations, the command line."""

from __future__ import annotations

import datetime
import json
import random
from pathlib import Path

import click.testing
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from segment_samples import CONTACTS, ORDERS, RULES, run

import crm_engine as crm
from crm_engine.cli import crm_engine as command_line
from crm_engine.rules import rules_schema


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


def test_a_time_column_that_is_no_time_is_refused() -> None:
    calls = pa.table({"contact_id": ["c1"], "at": [2_000_000_000]})
    rules = {"segments": {"s": "exists(calls)"}, "tables": {"calls": {"time": "at"}}}
    with pytest.raises(crm.RuleError, match="the time column 'at' of 'calls' is bigint, and must be a date or timestamp"):
        crm.segment(CONTACTS, rules, {"calls": calls})


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
