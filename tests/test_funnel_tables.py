"""Funnels over a base, and over a folder: the tables are found by name, and several of them are one run of events."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
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
