"""A base and Excel: review and decide, export, edit and import back, on real bases through the command line."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine.cli import run
from crm_engine.output import write_table

pytest.importorskip("duckdb")

GIVEN = ["Anna", "Jānis", "Līga", "Pēteris", "Ilze", "Andris", "Zane", "Māris"]
FAMILY = ["Ozols", "Bērziņš", "Kalniņš", "Liepa", "Krūmiņš", "Zariņš", "Vītols", "Ābols"]


def people(n_rows: int, seed: int) -> pa.Table:
    draw = random.Random(seed)
    rows = []
    for number in range(n_rows):
        given, family = draw.choice(GIVEN), draw.choice(FAMILY)
        city, status = draw.choice(["Rīga", "Cēsis"]), draw.choice(["lead", "customer"])
        rows.append((f"k{number:04}", given, family, city, f"{family}{draw.randrange(30)}@x.lv".lower(), status))
    names = ["id", "first name", "last name", "city", "email", "status"]
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})


@pytest.fixture(scope="module")
def unsure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that is unsure of some contacts, to be copied."""
    where = tmp_path_factory.mktemp("unsure") / "base"
    with crm.Base.create(where, config={"match_threshold": 0.995, "review_threshold": 0.02}) as made:
        made.import_contacts(people(60, 1), source_name="one")
        made.import_contacts(people(60, 2), source_name="two")
    return where


@pytest.fixture
def base(unsure: Path, tmp_path: Path) -> Path:
    shutil.copytree(unsure, tmp_path / "base")
    return tmp_path / "base"


def change(source: Path, target: Path, sheet_name: str, work: Any) -> None:
    """Opens a workbook as a person would, and saves it under another name."""
    book = openpyxl.load_workbook(source)
    sheet = book[sheet_name]
    work(sheet, {cell.value: cell.column for cell in sheet[1]})
    book.save(target)


def cards(base: Path) -> dict[str, dict[str, Any]]:
    with crm.Base.open(base) as opened:
        return {row["contact_id"]: row for row in opened.contacts().read_all().to_pylist()}


def test_review_and_decide(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["review", "--base", str(base), "-o", str(tmp_path / "review.xlsx"), "--all"]) == 0
    said: dict[str, Any] = {}

    def decide(sheet: Any, column: dict[str, int]) -> None:
        rows = {(sheet.cell(row, column["Group"]).value, sheet.cell(row, column["Row"]).value): row for row in range(2, sheet.max_row + 1)}
        (first, second) = sorted({group for group, _ in rows})[:2]
        sheet.cell(rows[first, "B"], column["Decision"]).value = "same"
        sheet.cell(rows[first, "keep"], column["city"]).value = "Jūrmala"
        sheet.cell(rows[first, "keep"], column["email"]).value = "B"
        sheet.cell(rows[second, "B"], column["Decision"]).value = "different"
        for name, row in (("a", rows[first, "A"]), ("b", rows[first, "B"]), ("c", rows[second, "A"]), ("d", rows[second, "B"])):
            said[name] = sheet.cell(row, column["contact_id"]).value
        said["email"] = sheet.cell(rows[first, "B"], column["email"]).value
        said["pairs"] = sheet.cell(rows[second, "B"], column["pairs"]).value.split()

    change(tmp_path / "review.xlsx", tmp_path / "done.xlsx", "Review", decide)
    before = cards(base)
    assert run(["decide", str(tmp_path / "done.xlsx"), "--base", str(base), "--dry-run"]) == 0
    assert cards(base) == before
    capfd.readouterr()
    assert run(["decide", str(tmp_path / "done.xlsx"), "--base", str(base), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["same"], told["values_kept"], len(told["runs"])) == (1, 2, 2)
    after_review = after = cards(base)
    left = {said["a"], said["b"]} & set(after)
    assert len(left) == 1
    merged = after[left.pop()]
    assert merged["n_records"] == before[said["a"]]["n_records"] + before[said["b"]]["n_records"]
    assert merged["city"] == "Jūrmala"
    assert "; ".join(merged["email"]) == said["email"]
    assert {said["c"], said["d"]} <= set(after)
    with crm.Base.open(base) as opened:
        open_pairs = {
            f"{min(a, b)}:{max(a, b)}" for a, b in zip(*(opened.review()[f"record_id_{s}"].to_pylist() for s in "ab"), strict=True)
        }
        assert not open_pairs & set(said["pairs"])
        n_runs = opened.runs().num_rows
    # The same file again says nothing new, and makes no run.
    assert run(["decide", str(tmp_path / "done.xlsx"), "--base", str(base), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["nothing_new"] is True
    assert cards(base) == after_review
    with crm.Base.open(base) as opened:
        assert opened.runs().num_rows == n_runs
        for made in reversed(told["runs"]):
            opened.undo(made["run_id"])
    assert cards(base) == before


def test_export_edit_import(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "card.yaml").write_text(
        "columns:\n  - family_name: {label: Surname, required: true}\n  - given_name\n  - city\n"
        "  - status: {values: [lead, customer, former]}\n  - email: {check: email}\n"
    )
    template, file = str(tmp_path / "card.yaml"), tmp_path / "contacts.xlsx"
    assert run(["export", "--base", str(base), "--template", template, "-o", str(file)]) == 0
    before = cards(base)
    # Untouched: nothing changes, not even the history of the contacts.
    capfd.readouterr()
    assert run(["import", str(file), "--base", str(base), "--template", template, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["cards"], told["edits"], told["runs"]) == (len(before), 0, [])
    ids: list[str] = []

    def edit(sheet: Any, column: dict[str, int]) -> None:
        ids.extend(sheet.cell(row, 1).value for row in range(2, 7))
        sheet.cell(2, column["city"]).value = "Jūrmala"
        sheet.cell(3, column["city"]).value = "Ogre"  # changed in the base too
        sheet.cell(4, column["status"]).value = "friend"  # is not allowed
        sheet.cell(5, column["given_name"]).value = None
        sheet.append([None, "Jauns", "Cilvēks", "Rīga", "lead", "jauns.cilveks@example.lv"])

    change(file, tmp_path / "edited.xlsx", "Contacts", edit)
    with crm.Base.open(base) as opened:
        opened.set({"city": "Liepāja"}, contacts=[ids[1]])
    assert run(["import", str(tmp_path / "edited.xlsx"), "--base", str(base), "--template", template, "--dry-run"]) == 0
    capfd.readouterr()
    report = tmp_path / "not_taken.xlsx"
    command = ["import", str(tmp_path / "edited.xlsx"), "--base", str(base), "--template", template, "--report", str(report)]
    assert run([*command, "--strict", "--json"]) == 3
    told = json.loads(capfd.readouterr().out)
    assert {fate: told[f"cards_{fate}"] for fate in ("changed", "refused", "new")} == {"changed": 2, "refused": 1, "new": 1}
    assert (told["edits"], told["conflicts"]) == (2, 1)
    after = cards(base)
    assert [after[contact]["city"] for contact in ids[:2]] == ["Jūrmala", "Liepāja"]
    assert after[ids[2]]["status"] == before[ids[2]]["status"]
    assert after[ids[3]]["given_name"] is None
    assert [row["family_name"] for contact, row in after.items() if contact not in before] == ["Jauns"]
    # Imported again, the row without an id is known, and nothing is a run.
    capfd.readouterr()
    assert run(command) == 0
    again = capfd.readouterr().out.splitlines()
    assert [line.split() for line in again if line.split()[:1] in (["new"], ["unchanged"], ["without"])][-2:] == [
        ["without", "an", "id", "1"],
        ["unchanged", "1"],
    ]
    others = set(before) - set(ids)
    assert {contact: before[contact] for contact in others} == {contact: after[contact] for contact in others}
    conflicts = openpyxl.load_workbook(report)["Conflicts"]
    assert [cell.value for cell in conflicts[2]] == [ids[1], "city", before[ids[1]]["city"], "Ogre", "Liepāja"]
    with crm.Base.open(base) as opened:
        edits = opened.table("edits").read_all().to_pylist()
        assert "edited in edited.xlsx" in {value for row in edits for value in row.values()}
        for made in reversed(told["runs"]):
            opened.undo(made["run_id"])
    undone = cards(base)
    assert undone[ids[0]] == before[ids[0]]
    assert set(undone) == set(before)


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_a_file_from_before_a_merge(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    file, copy = tmp_path / f"old{suffix}", tmp_path / "again.xlsx"
    columns = "given_name,family_name,city,status"
    assert run(["export", "--base", str(base), "--columns", columns, "-o", str(file)]) == 0
    before = cards(base)
    with crm.Base.open(base) as opened:
        pair = opened.review().slice(0, 1).to_pylist()[0]
        a, b = pair["contact_id_a"], pair["contact_id_b"]
        opened.decide([(pair["record_id_a"], pair["record_id_b"])], "same")
    merged = cards(base)
    (left,) = {a, b} & set(merged)
    told = imported(file, base, capfd)
    assert (told["cards"], told["cards_refused"], told["edits"], told["runs"]) == (len(before), 0, 0, [])
    differing = {name for name in columns.split(",") if len({one[name] for one in (before[a], before[b], merged[left])}) > 1}
    # Without the exported values, rows of one contact that differ cannot be told from edits, and nothing is overwritten by them.
    assert (told["conflicts"] > 0) == (suffix == ".csv" and bool(differing))
    assert cards(base) == merged
    if suffix == ".csv":
        return

    def edit(sheet: Any, column: dict[str, int]) -> None:
        rows = {sheet.cell(row, 1).value: row for row in range(2, sheet.max_row + 1)}
        other = ({a, b} - {left}).pop()
        sheet.cell(rows[left], column["status"]).value = "friend"
        sheet.cell(rows[other], column["status"]).value = "partner"
        for contact in (left, other):
            sheet.cell(rows[contact], column["city"]).value = "Ogre"
        sheet.append([left, "Cits"])

    change(file, copy, "Contacts", edit)
    told = imported(copy, base, capfd)
    assert (told["edits"], told["conflicts"], told["cards_refused"]) == (1, 2, 1)
    after = cards(base)
    assert (after[left]["city"], after[left]["status"]) == ("Ogre", merged[left]["status"])
    assert after[left]["given_name"] == merged[left]["given_name"]


def imported(file: Path, base: Path, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capfd.readouterr()
    assert run(["import", str(file), "--base", str(base), "--json"]) in (0, 3)
    told: dict[str, Any] = json.loads(capfd.readouterr().out)
    return told


def test_exports_of_tables_and_segments(base: Path, tmp_path: Path) -> None:
    with crm.Base.open(base) as opened:
        orders = pa.table({"order_id": ["1", "2"], "customer": ["k0001", "k0002"], "total": ["10", "20"]})
        opened.import_related("orders", orders, row_key="order_id", contact_key="customer", source_name="one")
    assert run(["export", "--base", str(base), "--table", "orders", "-o", str(tmp_path / "orders.parquet")]) == 0
    assert pa.parquet.read_table(tmp_path / "orders.parquet").num_rows == 2
    (tmp_path / "rules.yaml").write_text("segments:\n  rigans: city = 'Rīga'\n")
    command = ["export", "--base", str(base), str(tmp_path / "rules.yaml"), "--segment", "rigans", "-o", str(tmp_path / "rigans.xlsx")]
    assert run(command) == 0
    sheet = openpyxl.load_workbook(tmp_path / "rigans.xlsx")["Contacts"]
    assert sheet.max_row - 1 == sum(row["city"] == "Rīga" for row in cards(base).values())
    assert run(["export", "--base", str(base), "--table", "orders", "--template", "x.yaml", "-o", str(tmp_path / "x.xlsx")]) == 2
    assert run(["export", "-o", str(tmp_path / "x.xlsx")]) == 2
    with crm.Base.open(base) as opened:
        assert [row["target"] for row in opened.runs().to_pylist() if row["kind"] == "export"] == [
            str(tmp_path / "orders.parquet"),
            str(tmp_path / "rigans.xlsx"),
        ]


def test_changes_are_written_or_shown_not_both(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["changes", "--base", str(base), "-o", str(tmp_path / "changes.parquet")]) == 0
    written = capfd.readouterr().out.splitlines()
    assert written[0].endswith("changes in the runs 1 to 2")
    assert "→" in "".join(written[1:])
    assert pa.parquet.read_table(tmp_path / "changes.parquet").num_rows == int(written[0].split()[0])
    assert not any("created" in line for line in written)
    assert run(["changes", "--base", str(base)]) == 0
    assert "created" in capfd.readouterr().out


def test_another_list_with_a_contact_id_is_an_ordinary_import(base: Path, tmp_path: Path) -> None:
    table = people(5, 9).append_column("contact_id", pa.array([f"x{number}" for number in range(5)]))
    write_table(table, tmp_path / "other.csv")
    assert run(["import", str(tmp_path / "other.csv"), "--base", str(base), "--source", "three"]) == 0
    with crm.Base.open(base) as opened:
        assert opened.runs().to_pylist()[-1]["kind"] == "import"
