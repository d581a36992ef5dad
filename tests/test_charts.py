"""What charts and terminal tables show of a breakdown, and which table a command was asked for."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine.cli import run
from crm_engine.cli.terminal import console
from crm_engine.tables import print_table

DEALS = "deal_id,stage,owner,amount,currency,lost_reason\n1,won,ivanov,1,EUR,\n2,proposal,,1,EUR,\n3,lost,smith,1,EUR,price\n"
STEPS = "contact: id\ntime: at\nwindow: 7 days\nsteps:\n- {name: first, where: kind = 'a'}\n- {name: second, where: kind = 'b'}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deals.csv").write_text(DEALS, "utf-8")
    (tmp_path / "steps.yaml").write_text(STEPS, "utf-8")
    (tmp_path / "events.csv").write_text("id,kind,at\n1,a,2026-01-01\n1,b,2026-01-02 12:00\n2,a,2026-01-01\n", "utf-8")
    return tmp_path


def titles(chart: dict[str, object]) -> list[str]:
    return [part["title"]["text"] for part in chart["vconcat"]]  # type: ignore[index, attr-defined]


def test_the_chart_of_a_pipeline_shows_its_breakdown(folder: Path) -> None:
    pytest.importorskip("altair")
    drawn = crm.draw(crm.pipeline_funnel(folder / "deals.csv", None, {"by": "owner"})).to_dict()
    assert titles(drawn) == ["Pipeline", "By owner", "Losses"]
    assert "none" in json.dumps(drawn)
    assert "None" not in json.dumps(drawn)
    assert titles(crm.draw(crm.pipeline_funnel(folder / "deals.csv")).to_dict()) == ["Pipeline", "Losses"]


def test_a_breakdown_into_many_groups_shows_the_largest(folder: Path) -> None:
    pytest.importorskip("altair")
    numbers = [number for number in range(40) for _ in range(number + 1)]
    deals = pa.table({"deal_id": range(len(numbers)), "stage": ["won"] * len(numbers), "owner": [f"owner {n}" for n in numbers]})
    drawn = json.dumps(crm.draw(crm.pipeline_funnel(deals, None, {"by": "owner"})).to_dict())
    assert "the 25 largest of 40" in drawn
    assert '"owner 39"' in drawn
    assert '"owner 3"' not in drawn


def test_a_table_that_is_asked_for_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deals = str(folder / "deals.csv")
    assert run(["funnel", deals, "--table", "losses"]) == 0
    shown = capsys.readouterr().out
    assert "price" in shown
    assert "qualification" not in shown
    assert run(["funnel", deals, "--table", "losses", "--json"]) == 0
    assert [row["reason"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["price"]
    assert run(["funnel", deals, "--table", "loses"]) == 2
    assert "this funnel has no table 'loses'" in capsys.readouterr().err
    # A method that needs a step is no table.
    assert run(["funnel", str(folder / "events.csv"), "--config", str(folder / "steps.yaml"), "--table", "reached"]) == 2
    heard = capsys.readouterr().err
    assert "this funnel has no table 'reached'; it has steps, details, totals, subtotals, histogram, levels, segments" in heard
    assert run(["funnel", deals, "--table", "losses", "-o", str(folder / "x.svg")]) == 2
    assert "a chart shows the funnel as a whole" in capsys.readouterr().err
    orders = "order_id,contact_id,placed_at,amount,currency\n1,a,2026-01-01,5,EUR\n"
    (folder / "orders.csv").write_text(orders, "utf-8")
    assert run(["analyze", "value", str(folder), "--table", "concentration"]) == 0
    shown = capsys.readouterr().out
    assert "Concentration" in shown
    assert "Rfm" not in shown
    assert run(["analyze", "value", str(folder), "--table", "nothing"]) == 2
    assert "value has no table 'nothing'; it has value" in capsys.readouterr().err
    assert run(["analyze", "value", str(folder), "--table", "rfm", "-o", str(folder / "x.svg")]) == 2


def test_lengths_of_time_are_told_as_people_tell_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["funnel", str(folder / "events.csv"), "--config", str(folder / "steps.yaml")]) == 0
    shown = capsys.readouterr().out
    assert "1.5 d" in shown
    assert "seconds" not in shown


def test_no_owner_in_a_file_is_no_owner(folder: Path) -> None:
    stages = crm.pipeline_funnel(folder / "deals.csv", None, {"by": "owner"}).stages
    assert {row["owner"] for row in stages.to_pylist()} == {"ivanov", "smith", None}
    both = pa.table({"deal_id": [1, 2, 3], "stage": ["won"] * 3, "owner": ["", None, "b"]})
    found = crm.pipeline_funnel(both, None, {"by": "owner"}).stages.to_pylist()
    assert [(row["owner"], row["reached"]) for row in found if row["stage"] == "won"] == [("b", 1), (None, 2)]


def test_a_table_in_order_of_time_shows_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    months = pa.table({"month": [f"2026-{month:02}" for month in range(1, 13)], "rate_per_day": [0.0123] * 12})
    print_table(console(), months, max_rows=3)
    shown = capsys.readouterr().out
    assert "2026-12" in shown
    assert "2026-09" not in shown
    assert "and 9 earlier rows" in shown
    assert "0.012" in shown
    print_table(console(), pa.table({"month": ["2026-03", "2026-01"], "n": [1, 2]}), max_rows=1)
    assert "and 1 row more" in " ".join(capsys.readouterr().out.split())


def test_the_picture_says_what_no_bar_holds_and_long_names_stay_apart(folder: Path) -> None:
    pytest.importorskip("altair")
    drawn = crm.draw(crm.pipeline_funnel(folder / "deals.csv", None, {"by": "owner"})).to_dict()
    assert drawn["vconcat"][0]["title"]["subtitle"][1] == "1 lost deal does not say from which stage, and is in no bar"
    assert "labelExpr" not in json.dumps(drawn)
    stages = ["a stage with a long name", "another one of these", "won", "x", "y"]
    deals = pa.table({"deal_id": [1], "stage": ["won"], "owner": ["a"]})
    assert "labelExpr" in json.dumps(crm.draw(crm.pipeline_funnel(deals, None, {"by": "owner", "stages": stages})).to_dict())


def test_bars_of_a_plan_tell_where_they_are_heading() -> None:
    pytest.importorskip("altair")
    calls = {"contact_id": ["a"], "occurred_at": ["2026-01-10"], "kind": ["call"]}
    plans = {"period": ["2026-01", "2025-12"], "metric": ["calls", "calls"], "target": ["2", "2"]}
    drawn = json.dumps(crm.draw(crm.plan(plans, {"interactions": calls}, today=dt.date(2026, 1, 10))).to_dict(), ensure_ascii=False)
    assert "50% → 155%" in drawn
