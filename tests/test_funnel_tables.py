"""Funnels over a base, and over a folder: the tables are found by name, and several of them are one run of events."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crm_engine as crm
from crm_engine.cli import run
from crm_engine.funnels.over_tables import funnel

CONTACTS = "id,name,email,city\n1,Anna Ozola,anna@x.lv,Riga\n2,Jānis Bērziņš,janis@y.lv,Riga\n3,Zane Liepa,zane@z.lv,Oslo\n"
TABLES = {
    "deals": """deal_id,customer_no,stage,owner,created_at
D1,1,won,ivanov,2026-01-01
D2,2,lost,ivanov,2026-01-02
D3,3,proposal,smith,2026-01-03
""",
    "deal_stages": """deal_id,stage,entered_at
D1,qualification,2026-01-01
D1,won,2026-01-09
D2,qualification,2026-01-02
D2,lost,2026-01-05
""",
    "interactions": """interaction_id,customer_no,kind,occurred_at
I1,1,call,2026-01-01
I2,2,call,2026-01-01
I3,3,visit,2026-01-02
I4,,call,2026-01-02
""",
    "orders": """order_id,customer_no,status,placed_at
O1,1,paid,2026-01-05
O2,2,paid,2026-03-05
O3,3,cancelled,2026-01-04
""",
    "payments": "payment_id,order_id,status\nP1,O1,received\n",
}
EVENTS = """
events: [interactions, orders]
window: 30 days
steps:
- {name: contact, where: "table = 'interactions'"}
- {name: order, where: "table = 'orders' and status = 'paid'"}
by: [city]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    for name, text in {**TABLES, "contacts": CONTACTS.replace("id,", "customer_no,", 1)}.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    (folder / "steps.yaml").write_text(EVENTS, "utf-8")
    return folder


@pytest.fixture(scope="module")
def base(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "base"
    (folder / "list.csv").write_text(CONTACTS, "utf-8")
    with crm.Base.create(path) as base:
        base.import_contacts(folder / "list.csv", source_name="list")
        for name in TABLES:
            keyed = {"contact_key": "customer_no", "source_name": "list"} if "customer_no" in TABLES[name] else {}
            base.import_related(name, folder / f"{name}.csv", **keyed)
    return path


def test_a_base_has_the_pipeline_that_its_files_have(folder: Path, base: Path) -> None:
    wanted = crm.pipeline_funnel(folder / "deals.csv", folder / "deal_stages.csv", {"by": "owner"})
    with crm.Base.open(base) as opened:
        found = opened.funnel({"by": "owner"})
    assert found.stages.equals(wanted.stages)
    assert found.summary["deals"] == wanted.summary["deals"] == 3
    assert funnel(folder, {"by": "owner"}).stages.equals(wanted.stages)


def test_steps_may_be_over_several_tables_and_broken_down_by_the_contact(folder: Path, base: Path) -> None:
    with crm.Base.open(base) as opened:
        found = opened.funnel(EVENTS)
        contact_ids = {row["contact_id"] for row in opened.contacts(["contact_id"]).read_all().to_pylist()}
    rows = [(row["city"], row["name"], row["contacts"]) for row in found.steps.to_pylist()]
    assert rows == [("Oslo", "contact", 1), ("Oslo", "order", 0), ("Riga", "contact", 2), ("Riga", "order", 1)]
    assert set(found.reached(1).to_pylist()) == contact_ids
    assert funnel(folder, EVENTS).steps.equals(found.steps)


def test_the_command_takes_a_base_or_a_folder(folder: Path, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for where in (["--base", str(base)], [str(base)], [str(folder)]):
        assert run(["funnel", *where, "--config", str(folder / "steps.yaml"), "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out)["steps"])
    assert told[0] == told[1] == told[2]
    assert [row["contacts"] for row in told[0]] == [3, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what the funnel is over: FILES, or --base BASE"),
        (["--base", "{folder}"], "is no base"),
        (["{folder}", "--payments", "{folder}/payments.csv"], "has its contacts and payments itself"),
    ],
)
def test_what_the_command_cannot_take_is_wrong_usage(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["funnel", *(argument.format(folder=folder) for argument in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_what_tables_lack_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(crm.ConfigError, match="there is no table 'deals', which this funnel is over"):
        funnel(tmp_path)
    with pytest.raises(crm.ConfigError, match="there is no table 'visits'"):
        funnel(folder, {"events": "visits", "steps": [{"name": "a", "where": "true"}], "window": "1 day"})
    events = {"contact_id": ["a"], "time": ["2026-01-01"]}
    tables = {"orders": {**events, "x": [1]}, "visits": {**events, "x": ["y"]}}
    with pytest.raises(crm.SchemaError, match="orders, visits have a column of the same name and different types"):
        funnel(tables, {"events": ["orders", "visits"], "steps": [{"name": "a", "where": "true"}], "window": "1 day"})


def test_times_of_tables_with_and_without_a_zone_meet_in_utc() -> None:
    visits = pa.table({"contact_id": ["a"], "time": pa.array([0], pa.timestamp("s", "Europe/Riga"))})
    orders = pa.table({"contact_id": ["a"], "time": pa.array([60], pa.timestamp("s"))})
    steps = [{"name": "visit", "where": "table = 'visits'"}, {"name": "order", "where": "table = 'orders'"}]
    found = funnel({"visits": visits, "orders": orders}, {"events": ["visits", "orders"], "steps": steps, "window": "1 hour"})
    assert found.steps["median_seconds"].to_pylist() == [None, 60.0]


STEPS = [{"name": "call", "where": "kind = 'call'"}, {"name": "visit", "where": "kind = 'visit'"}]


def test_the_columns_that_the_options_name_are_those_that_are_read() -> None:
    calls = pa.table(
        {"contact_id": ["x", "x"], "client": ["1", "2.0"], "time": ["2026-01-01"] * 2, "at": ["2026-02-01"] * 2, "kind": ["call"] * 2}
    )
    contacts = pa.table({"contact_id": ["x", "y"], "number": [1, 2], "city": ["Riga", "Oslo"]})
    tables = {"interactions": calls, "contacts": contacts}
    found = funnel(tables, {"steps": STEPS, "contact": "client", "contacts_key": "number", "by": "city"})
    assert [(row["city"], row["contacts"]) for row in found.steps.to_pylist() if row["step"] == 1] == [("Oslo", 1), ("Riga", 1)]
    assert found.reached(1).to_pylist() == ["1", "2"]
    assert funnel(tables, {"steps": STEPS}).reached(1).to_pylist() == ["x"]
    with pytest.raises(crm.SchemaError, match="interactions has a column 'time' of its own, and in this funnel that name says when"):
        funnel(tables, {"steps": STEPS, "time": "at"})
    with pytest.raises(crm.SchemaError, match="interactions has no column 'clint', did you mean 'client'"):
        funnel(tables, {"steps": STEPS, "contact": "clint"})
    with pytest.raises(crm.SchemaError, match="contacts has no column 'numbr', did you mean 'number'"):
        funnel(tables, {"steps": STEPS, "contacts_key": "numbr", "by": "city"})


def test_a_column_called_table_keeps_its_meaning_or_is_told() -> None:
    visits = {"contact_id": ["a", "b"], "time": ["2026-01-01"] * 2, "table": ["window", "door"]}
    steps = [{"name": "window", "where": "table = 'window'"}]
    assert funnel({"visits": visits}, {"events": "visits", "steps": steps}).steps["contacts"].to_pylist() == [1]
    with pytest.raises(crm.SchemaError, match="orders has a column 'table' of its own, and in this funnel that name says which table"):
        funnel({"visits": visits, "orders": visits}, {"events": ["orders", "visits"], "steps": steps})


def test_names_match_whole_or_the_nearest_is_told() -> None:
    calls = pa.table({"contact_id": ["a"], "time": ["2026-01-01"], "kind": ["call"], "channel": ["ads"]})
    contacts = pa.table({"contact_id": ["a"], "city": ["Riga"], "city_name": ["Rīga"]})
    tables = {"interactions": calls, "contacts": contacts}
    # A column whose name is a part of another's is not meant by it.
    assert funnel(tables, {"steps": STEPS, "by": "city_name"}).steps.column_names[0] == "city_name"
    with pytest.raises(crm.SchemaError, match="by 'city_nam': neither events nor contacts has such a column; did you mean 'city_name'"):
        funnel(tables, {"steps": STEPS, "by": "city_nam"})
    with pytest.raises(crm.ConfigError, match="no table 'interaction', which this funnel is over; did you mean 'interactions'"):
        funnel(tables, {"steps": STEPS, "events": "interaction"})


def test_deals_may_be_broken_down_by_a_column_of_their_contacts(folder: Path, base: Path) -> None:
    with crm.Base.open(base) as opened:
        found = crm.funnel(opened, {"by": "city", "breakdowns": {"both": ["owner", "city"]}})
    won = [(row["city"], row["reached"]) for row in found.stages.to_pylist() if row["stage"] == "qualification"]
    assert won == [("Oslo", 1), ("Riga", 2)]
    assert crm.funnel(folder, {"by": "city"}).stages.equals(found.stages)
    assert found.breakdowns["both"].num_rows == 10
    with pytest.raises(crm.SchemaError, match="by 'ctiy': neither deals nor contacts has such a column; did you mean 'city'"):
        crm.funnel(folder, {"by": "ctiy"})


def test_rows_without_a_contact_are_counted_in_one_warning(folder: Path, base: Path) -> None:
    told = "1 row has no match among the contacts: 1 of interactions "
    assert crm.funnel(folder, EVENTS).summary["warnings"] == [f"{told}name no contact, and are nobody's"]
    with crm.Base.open(base) as opened:
        assert crm.funnel(opened, EVENTS).summary["warnings"] == [f"{told}have none in the base, and are nobody's yet"]


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = tmp_path / "parts"
    (parts / "day=1").mkdir(parents=True)
    for name, contact in (("part-0.parquet", "a"), ("day=1/part-1.parquet", "b")):
        pq.write_table(pa.table({"contact_id": [contact], "time": pa.array([0], pa.timestamp("s")), "kind": ["call"]}), parts / name)
    (tmp_path / "steps.yaml").write_text("steps:\n- {name: call, where: kind = 'call'}\n")
    assert run(["funnel", str(parts), "--config", str(tmp_path / "steps.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["contacts"] == 2
    # Beside such a folder, a folder of tables holds it as one of them.
    (tmp_path / "visits").mkdir()
    pq.write_table(
        pa.table({"contact_id": ["c"], "time": pa.array([0], pa.timestamp("s")), "kind": ["call"]}), tmp_path / "visits/0.parquet"
    )
    (tmp_path / "visits.yaml").write_text("events: visits\nsteps:\n- {name: call, where: kind = 'call'}\n")
    assert run(["funnel", str(tmp_path), "--config", str(tmp_path / "visits.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["contacts"] == 1


def test_of_two_files_for_a_table_one_is_read_and_the_other_told(tmp_path: Path) -> None:
    for name in ("Orders.csv", "orders.tsv"):
        (tmp_path / name).write_text("contact_id,placed_at,amount\na,2026-01-01,5\n")
    found = crm.analyze("value", tmp_path)
    assert found.table.num_rows == 1
    assert [warning.partition(": ")[2] for warning in found.summary["warnings"]] == [
        "Orders.csv is read as orders, and orders.tsv beside it is not"
    ]
