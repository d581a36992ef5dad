"""Retention: cohorts, who comes back, and what says so."""

import datetime as dt
import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import crm_engine as crm
from crm_engine.cli import run

MONTHS = [dt.datetime(2026, month, 5) for month in (1, 2, 3)]
EVENTS = pa.table(
    {"contact_id": [1, 1, 1, 2, 3], "time": [*MONTHS, MONTHS[0], MONTHS[1]], "kind": ["visit", "order", "order", "visit", "visit"]}
)


def rows(found):
    return [tuple(row.values())[1:] for row in found.table.to_pylist()]


def test_cohorts_and_who_came_back():
    found = crm.retention(EVENTS)
    assert rows(found) == [(0, 2, 1.0), (1, 1, 0.5), (2, 1, 0.5), (0, 1, 1.0)]
    assert found.summary | {"warnings": []} == {
        "name": "retention", "period": "month", "cohorts": 2, "contacts": 3, "rows": 5, "rows_without_contact_or_time": 0, "warnings": [],
    }  # fmt: skip
    # In the month after nobody of the second cohort came back; the month after that is still to come.
    assert found.tables["cohorts"].to_pylist() == [
        {"cohort": dt.date(2026, 1, 1), "contacts": 2, "month_1_share": 0.5, "month_2_share": 0.5},
        {"cohort": dt.date(2026, 2, 1), "contacts": 1, "month_1_share": 0.0, "month_2_share": None},
    ]


def test_retention_of_nobody():
    events = pa.table({"contact_id": ["a", "", None], "time": [MONTHS[0]] * 3})
    found = crm.retention(events)
    assert found.table["contacts"].to_pylist() == [1]
    assert found.summary["rows_without_contact_or_time"] == 2
    empty = crm.retention(events.slice(0, 0))
    assert (empty.table.num_rows, empty.tables["cohorts"].num_rows, empty.summary["contacts"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("start", "back"),
    [
        ("kind = 'visit'", "kind = 'order' and amount > 0"),
        (crm.field("kind") == "visit", (crm.field("kind") == "order") & (crm.field("amount") > 0)),
        ({"field": "kind", "op": "=", "value": "visit"}, {"all": ["kind = 'order'", {"field": "amount", "op": ">", "value": 0}]}),
        ({"kind": "visit"}, {"kind": ["order"], "amount": 5}),
    ],
    ids=["SQL", "crm.field", "tree", "values"],
)
def test_retention_takes_rules_of_all_forms(start, back):
    events = pa.table(
        {
            "contact_id": ["a", "a", "a", "b", "b"],
            "time": pc.multiply(pa.array([0, 40, 70, 5, 45]), 86_400).cast(pa.timestamp("s")),
            "kind": ["visit", "order", "order", "order", "order"],
            "amount": [0, 5, 0, 9, 9],
        }
    )
    found = crm.retention(events, {"start": start, "return": back})
    assert [row[:2] for row in rows(found)] == [(0, 1), (1, 1)]


def test_what_is_wrong_with_its_rules_is_told():
    with pytest.raises(crm.RuleError, match="knd"):
        crm.retention(EVENTS, {"start": "knd = 'visit'"})
    with pytest.raises(crm.SchemaError, match="did you mean 'kind'"):
        crm.retention(EVENTS, {"start": {"knd": "visit"}})
    with pytest.raises(crm.ConfigError, match="retention: start is 5, and must be a rule"):
        crm.retention(EVENTS, {"start": 5})
    odd = EVENTS.append_column("n", pa.array([1, 0, 1, 1, 1]))
    found = crm.retention(odd, {"return": "n is not null and 9223372036854775807 + n > 0"})
    assert len(found.summary["warnings"]) == 1
    assert "return" in found.summary["warnings"][0]


TABLES = {
    "interactions": pa.table({"customer_no": ["1", "2"], "occurred_at": [MONTHS[0]] * 2, "kind": ["call"] * 2}),
    "orders": pa.table({"customer_no": ["1", None], "placed_at": [MONTHS[2]] * 2}),
}


def test_retention_over_tables_by_name():
    config = {"events": ["interactions", "orders"], "start": "table = 'interactions'", "return": "table = 'orders'"}
    found = crm.retention(TABLES, config)
    assert rows(found) == [(0, 2, 1.0), (2, 1, 0.5)]
    assert found.summary["warnings"] == ["1 row has no match among the contacts: 1 of orders name no contact, and are nobody's"]


def test_the_command_draws_and_writes_retention(tmp_path, capsys):
    pytest.importorskip("altair")
    pq.write_table(EVENTS, tmp_path / "events.parquet")
    events = str(tmp_path / "events.parquet")
    assert run(["funnel", events, "--retention"]) == 0
    shown = capsys.readouterr().out
    assert "50.0%" in shown
    assert "2026-02-01" in shown
    assert run(["funnel", events, "--retention", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][1]["share"] == 0.5
    assert run(["funnel", events, "--retention", "-q", "-o", str(tmp_path / "x.xlsx")]) == 0
    assert run(["funnel", events, "--retention", "-q", "-o", str(tmp_path / "x.svg")]) == 0
    assert "2026-01" in (tmp_path / "x.svg").read_text("utf-8")
    assert run(["funnel", events, events, "--retention"]) == 2
    assert run(["funnel", events, "--retention", "--by", "kind"]) == 2
    for name, table in TABLES.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    (tmp_path / "config.yaml").write_text("events: orders\nperiod: year\n")
    assert run(["funnel", str(tmp_path), "--retention", "--config", str(tmp_path / "config.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["contacts"] == 1


def test_a_map_of_many_cohorts_shows_the_last():
    pytest.importorskip("altair")
    days = pa.table({"contact_id": range(40), "time": [dt.datetime(2026, 1, 1) + dt.timedelta(days=n) for n in range(40)]})
    drawn = json.dumps(crm.draw(crm.retention(days, {"period": "day"})).to_dict())
    assert "the last 24 of 40" in drawn
    assert '"2026-02-09"' in drawn
    assert '"2026-01-05"' not in drawn


def test_nobody_who_came_back_is_zero_and_not_still_to_come():
    pytest.importorskip("altair")
    months = [("a", 1), ("a", 2), ("a", 3), ("b", 2), ("c", 3)]
    events = pa.table({"contact_id": [who for who, _ in months], "time": [dt.datetime(2026, month, 5) for _, month in months]})
    [shown] = crm.draw(crm.retention(events)).to_dict()["datasets"].values()
    assert {(row["cohort"], row["period"], row["text"]) for row in shown} == {
        ("2026-01", 0, "100%"), ("2026-01", 1, "100%"), ("2026-01", 2, "100%"),
        ("2026-02", 0, "100%"), ("2026-02", 1, "0.0%"), ("2026-03", 0, "100%"),
    }  # fmt: skip


def test_a_mapping_of_tables_without_events_is_one_of_interactions():
    made = EVENTS.rename_columns(["contact_id", "occurred_at", "kind"])
    expected = rows(crm.retention(EVENTS))
    assert rows(crm.retention({"interactions": made})) == expected
    assert rows(crm.retention({"interactions": made.to_pydict()})) == expected
    assert rows(crm.retention(EVENTS.to_pydict())) == expected
    assert rows(crm.retention({name: EVENTS[name] for name in EVENTS.column_names})) == expected
    with pytest.raises(crm.CrmError, match="interactions"):
        crm.retention({"orders": made})
