"""Comparing two lists: every row in one place, formats no differences, and a workbook that holds what it should."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crm_engine as crm
from crm_engine.cli import run
from crm_engine.output import write_table

GIVEN = ["Anna", "Jānis", "Līga", "Pēteris", "Ilze", "Andris", "Zane", "Māris", "Inese", "Kārlis", "Dace", "Uldis"]
FAMILY = ["Ozols", "Bērziņš", "Kalniņš", "Liepa", "Krūmiņš", "Zariņš", "Vītols", "Čakste", "Šmits", "Ābols"]


def lists(n_rows: int, seed: int = 1) -> tuple[pa.Table, pa.Table, dict[str, str]]:
    """An ERP's Latvian list and a CRM's English one of the same people, each lacking some, in other formats; and who is who."""
    draw = random.Random(seed)
    erp: dict[str, list[Any]] = {
        name: [] for name in ("Kods", "Vārds", "Uzvārds", "Tālrunis", "E-pasts", "Dzimšanas datums", "Limits", "Mainīts")
    }
    crm_list: dict[str, list[Any]] = {
        name: [] for name in ("Contact ID", "Full name", "Phone", "Email", "Birth date", "Limit", "Updated at")
    }
    truth = {}
    for number in range(n_rows):
        given, family = draw.choice(GIVEN), draw.choice(FAMILY)
        phone = f"2{draw.randrange(10**7):07}"
        birth = (draw.randrange(1950, 2005), draw.randrange(1, 13), draw.randrange(13, 29))
        email, limit = f"{given}.{family}{number}@example.lv".lower(), draw.randrange(1, 90) * 1000
        in_erp, in_crm = draw.random() < 0.9, draw.random() < 0.9
        if in_erp:
            row = (f"{number:05}", given, family, f"{phone[:2]} {phone[2:5]} {phone[5:]}", email, "{2:02}.{1:02}.{0}".format(*birth))
            for column, value in zip(erp, (*row, f"{limit:,}".replace(",", " "), "2024-05-01"), strict=True):
                erp[column].append(value)
        if in_crm:
            moved = draw.random() < 0.3
            row2 = (f"K{number}", f"{family.upper()} {given}", f"+371{phone}", f"new{number}@example.lv" if moved else email.upper())
            for column, value in zip(crm_list, (*row2, "{}-{:02}-{:02}".format(*birth), f"{limit}.00", "2024-06-01"), strict=True):
                crm_list[column].append(value)
        if in_erp and in_crm:
            truth[f"{number:05}"] = f"K{number}"
    return pa.table(erp), pa.table(crm_list), truth


@pytest.fixture(scope="module")
def compared() -> tuple[crm.ReconcileResult, pa.Table, pa.Table, dict[str, str]]:
    erp, crm_list, truth = lists(300)
    return crm.reconcile(erp, crm_list, same={"Limits": "Limit"}, left_name="erp", right_name="crm"), erp, crm_list, truth


def assert_accounted(result: crm.ReconcileResult) -> None:
    """Each row of either side stands in exactly one place of matched, only_left and only_right."""
    summary = result.summary
    for side in ("left", "right"):
        assert summary[f"{side}_rows_in"] == summary[f"{side}_rows"] + summary[f"{side}_skipped"] + summary[f"{side}_rejected"]
        assert summary[f"{side}_rows"] == summary["matched"] + summary[f"{side}_duplicates"] + summary[f"only_{side}"]
        of_matched = [row for row in result.matched.column(f"{side}_row").to_pylist() if row is not None]
        of_only = getattr(result, f"only_{side}").column("row").to_pylist()
        assert len(of_matched) + len(of_only) == summary[f"{side}_rows"]
        assert len({*of_matched, *of_only}) == summary[f"{side}_rows"]
    relations = result.matched.column("relation").to_pylist()
    assert relations.count("pair") == summary["matched"] == summary["identical"] + summary["different"]
    assert result.differences.num_rows == summary["differences"] == sum(result.matched.column("n_differences").drop_null().to_pylist())


@pytest.mark.parametrize("key", [["id", "email"], ["email"]])
def test_a_mailbox_that_many_share_does_not_decide_who_is_who(key: list[str]) -> None:
    n_rows = 70
    given, family = [name for name in GIVEN for _ in FAMILY], FAMILY * len(GIVEN)
    names = [f"{one} {other}" for one, other in zip(given, family, strict=True)][:n_rows]
    left = pa.table({"id": [str(number) for number in range(n_rows)], "name": names, "email": ["office@firm.lv"] * n_rows})
    order = list(range(n_rows))
    random.Random(1).shuffle(order)
    result = crm.reconcile(left, left.take(order), key=key)
    assert_accounted(result)
    pairs = [(row["left_row"] - 1, row["right_row"] - 1) for row in result.matched.to_pylist() if row["relation"] == "pair"]
    assert len(pairs) == n_rows
    assert all(left_row == order[right_row] for left_row, right_row in pairs)


def test_people_of_two_lists_meet_and_formats_are_no_differences(compared: Any) -> None:
    result, erp, crm_list, truth = compared
    assert_accounted(result)
    left, right = erp.column("Kods").to_pylist(), crm_list.column("Contact ID").to_pylist()
    pairs = {left[row["left_row"] - 1]: right[row["right_row"] - 1] for row in result.matched.to_pylist() if row["relation"] == "pair"}
    wrong = {code: other for code, other in pairs.items() if truth.get(code) != other}
    assert not wrong
    assert len(pairs) >= 0.98 * len(truth)
    differing = {row["field"] for row in result.differences.to_pylist()}
    assert differing == {"email"}
    assert all(row["newer"] == "right" and row["difference"] == "different" for row in result.differences.to_pylist())
    limits = next(field for field in result.summary["fields"] if field["field"] == "Limits")
    assert limits["same"] == len(pairs)


def test_originals_are_shown(compared: Any) -> None:
    result, erp, crm_list, _ = compared
    row = next(row for row in result.matched.to_pylist() if row["relation"] == "pair")
    shown = erp.slice(row["left_row"] - 1, 1).to_pylist()[0]
    assert (row["left_full_name"], row["left_phone"]) == (f"{shown['Uzvārds']} {shown['Vārds']}", shown["Tālrunis"])
    assert row["right_phone"] == crm_list.column("Phone")[row["right_row"] - 1].as_py()
    assert row["left_Kods"] == shown["Kods"]


def test_a_key_matches_what_evidence_cannot() -> None:
    left = pa.table({"name": ["Anna Ozola", "Jānis Liepa"], "customer": ["0042", "77"]})
    right = pa.table({"name": ["Firma X", "Kārlis Vītols"], "nr": ["42", "99"]})
    assert crm.reconcile(left, right).summary["matched"] == 0
    result = crm.reconcile(left, right, key="customer=nr")
    assert result.summary["matched_by"] == {"customer=nr": 1}
    pair = result.matched.to_pylist()[0]
    assert (pair["left_row"], pair["right_row"], pair["matched_by"]) == (1, 1, "customer=nr")
    assert_accounted(result)
    with pytest.raises(crm.ConfigError, match="right side has no column 'number'"):
        crm.reconcile(left, right, key="customer=number")


def test_duplicates_within_a_side_are_told() -> None:
    left = pa.table(
        {"name": ["Anna Ozola", "Anna Ozola", "Zane Vītola"], "email": ["a@x.lv", "A@x.lv", "z@x.lv"], "phone": ["29123456"] * 2 + [None]}
    )
    right = pa.table({"name": ["Ozola Anna", "Dace Liepa"], "email": ["a@x.lv", "d@x.lv"], "phone": ["+37129123456", None]})
    result = crm.reconcile(left, right)
    assert (result.summary["matched"], result.summary["left_duplicates"]) == (1, 1)
    duplicate = next(row for row in result.matched.to_pylist() if row["relation"] == "duplicate in left")
    pair = next(row for row in result.matched.to_pylist() if row["relation"] == "pair")
    assert duplicate["duplicate_of_row"] == pair["left_row"]
    assert duplicate["right_row"] is None
    assert_accounted(result)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 10_000))
def test_every_row_is_accounted_for(n_left: int, n_right: int, seed: int) -> None:
    draw = random.Random(seed)

    def side(n_rows: int) -> pa.Table:
        people = [(draw.choice(GIVEN), draw.choice(FAMILY), draw.randrange(5)) for _ in range(n_rows)]
        return pa.table(
            {
                "name": pa.array([f"{given} {family}" for given, family, _ in people], pa.string()),
                "email": pa.array([f"{family}{number}@x.lv" for _, family, number in people], pa.string()),
                "code": pa.array([str(draw.randrange(30)) if draw.random() < 0.5 else None for _ in people], pa.string()),
            }
        )

    left, right = side(n_left), side(n_right)
    if n_left + n_right == 0:
        return
    assert_accounted(crm.reconcile(left, right, key=["code"] if draw.random() < 0.5 else []))


def test_content_does_not_depend_on_what_is_held_in_memory(tmp_path: Path) -> None:
    erp, crm_list, _ = lists(120, seed=4)
    whole = crm.reconcile(erp, crm_list)
    spooled = crm.reconcile(erp, crm_list, memory_limit="1MiB", tmp_dir=tmp_path)
    for table in ("matched", "differences", "only_left", "only_right", "to_review"):
        assert getattr(whole, table).equals(getattr(spooled, table)), table


def test_the_workbook_is_what_excel_people_expect(compared: Any, tmp_path: Path) -> None:
    result = compared[0]
    assert result.write(tmp_path / "diff.xlsx") == []
    book = openpyxl.load_workbook(tmp_path / "diff.xlsx")
    assert book.sheetnames == ["Summary", "Differences", "Only left", "Only right", "To review", "Matched"]
    for sheet in book:
        assert sheet.freeze_panes is not None
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
        assert sheet.auto_filter.ref or sheet.title == "Summary"
    summary = {row[0]: row[1:3] for row in book["Summary"].iter_rows(values_only=True)}
    assert summary["Rows"] == (result.summary["left_rows"], result.summary["right_rows"])
    assert summary["Only here"] == (result.summary["only_left"], result.summary["only_right"])
    differences = book["Differences"]
    header = [cell.value for cell in differences[1]]
    assert header[:6] == ["Contact", "Field", "erp", "crm", "Difference", "Newer"]
    first = result.differences.to_pylist()[0]
    assert [cell.value for cell in differences[2]][:6] == [
        first["contact"],
        "email",
        first["left_value"],
        first["right_value"],
        "different",
        "crm",
    ]
    assert differences.max_row == result.differences.num_rows + 1
    older, newer = (differences.cell(2, column).fill.start_color.rgb for column in (3, 4))
    assert (older, newer) == ("FFFFEFA0", "FFC9E7C4")
    matched = book["Matched"]
    labels = [cell.value for cell in matched[1]]
    emails = labels.index("E-pasts (erp)") + 1
    assert labels[emails] == "Email (crm)"
    by_row = {row["left_row"]: row for row in result.matched.to_pylist() if row["relation"] == "pair"}
    row_column = labels.index("row in erp") + 1
    for row in range(2, 40):
        differs = "email" in (by_row[matched.cell(row, row_column).value]["differing_fields"] or "")
        assert (matched.cell(row, emails).fill.start_color.rgb == "FFFFEFA0") == differs
    # Phones and codes are text: Excel must not take their zeros.
    codes = labels.index("Kods (erp)") + 1
    assert isinstance(matched.cell(2, codes).value, str)
    assert not any("verdict" in str(label) or "\u2063" in str(label) for label in labels)
    review = book["To review"]
    assert [validation.formula1 for validation in review.data_validations.dataValidation] == ['"same,different,later"']


def test_decisions_come_back(tmp_path: Path) -> None:
    left = pa.table({"name": ["Anna Ozola", "Kārlis Bērziņš"], "city": ["Rīga", "Rīga"], "note": ["a", "b"]})
    right = pa.table({"name": ["Anna Ozola", "Karlis Berzins"], "city": ["Rīga", "Rīga"], "note": ["c", "d"]})
    first = crm.reconcile(left, right, {"match_threshold": 0.999999, "review_threshold": 0.0001}, left_name="l", right_name="r")
    assert (first.summary["matched"], first.summary["to_review"]) == (0, 2)
    first.write(tmp_path / "diff.xlsx")
    book = openpyxl.load_workbook(tmp_path / "diff.xlsx")
    sheet = book["To review"]
    labels = [cell.value for cell in sheet[1]]
    names = [sheet.cell(row, labels.index("name (l)") + 1).value for row in (2, 3)]
    sheet.cell(2, labels.index("Decision") + 1).value = "same" if names[0] == "Anna Ozola" else "different"
    sheet.cell(3, labels.index("Decision") + 1).value = "Same" if names[1] == "Anna Ozola" else "different"
    book.save(tmp_path / "decided.xlsx")
    config = {"match_threshold": 0.999999, "review_threshold": 0.0001}
    second = crm.reconcile(left, right, config, left_name="l", right_name="r", decisions=tmp_path / "decided.xlsx")
    assert second.summary["matched_by"] == {"decision": 1}
    assert second.matched.to_pylist()[0]["left_row"] == 1
    assert (second.summary["to_review"], second.summary["only_left"]) == (0, 1)
    write_table(left, tmp_path / "other.xlsx")
    with pytest.raises(crm.FileFormatError, match="holds no decisions"):
        crm.reconcile(left, right, decisions=tmp_path / "other.xlsx")


def test_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    erp, crm_list, _ = lists(80, seed=2)
    write_table(erp, tmp_path / "erp.xlsx")
    write_table(crm_list, tmp_path / "crm.csv")
    left, right = str(tmp_path / "erp.xlsx"), str(tmp_path / "crm.csv")
    assert run(["reconcile", left, right, "-o", str(tmp_path / "diff.xlsx"), "--json", "--same", "Limits=Limit"]) == 0
    summary = json.loads(capfd.readouterr().out)
    assert (summary["left"], summary["right"]) == ("erp", "crm")
    assert summary["left_rows"] == erp.num_rows
    assert (tmp_path / "diff.xlsx").exists()
    assert run(["reconcile", left, right, "-o", str(tmp_path / "diff")]) == 0
    shown = capfd.readouterr().out
    assert "matched" in shown
    assert pq.read_table(tmp_path / "diff" / "differences.parquet").num_rows == summary["differences"]
    assert run(["reconcile", left, right, "-o", str(tmp_path / "diff.csv")]) == 2
    assert "workbook" in capfd.readouterr().err
    assert run(["reconcile", left, right, "--same", "Limits"]) == 2
    assert run(["reconcile", left, right, "--key", "tax_id"]) == 2
    assert "tax_id" in capfd.readouterr().err
    assert run(["reconcile", left, str(tmp_path / "nothing.csv")]) == 2
