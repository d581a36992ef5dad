"""Excel and back: only what somebody changed is an edit, whatever a spreadsheet does to cells by itself."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crm_engine as crm
from crm_engine.cards import CardTemplate, as_number, iso_day, misfit
from crm_engine.edited import is_same_cell

TEMPLATE = {
    "columns": [
        {"family_name": {"label": "Surname", "required": True}},
        "given_name",
        {"status": {"values": ["lead", "customer", "former"]}},
        {"email": {"check": "email"}},
        "phone",
        {"birth_date": {"check": "date"}},
        {"credit_limit": {"check": "number", "min": 0, "max": 100000}},
        {"owner": {"locked": True}},
        "code",
    ]
}


def contacts(n_rows: int = 30, seed: int = 1) -> pa.Table:
    draw = random.Random(seed)
    return pa.table(
        {
            "contact_id": [f"c{number:013}" for number in range(n_rows)],
            "n_records": pa.array([draw.randrange(1, 4) for _ in range(n_rows)], pa.int32()),
            "family_name": [draw.choice(["Ozols", "Liepa", "Bērziņš"]) for _ in range(n_rows)],
            "given_name": [draw.choice(["Anna", "Jānis", None]) for _ in range(n_rows)],
            "status": [draw.choice(["lead", "customer"]) for _ in range(n_rows)],
            "email": [[f"a{number}@x.lv", f"b{number}@x.lv"][: draw.randrange(1, 3)] for number in range(n_rows)],
            "phone": [[f"+3712912{number:04}"] for number in range(n_rows)],
            "birth_date": [f"19{draw.randrange(50, 99)}-0{draw.randrange(1, 9)}-1{draw.randrange(9)}" for _ in range(n_rows)],
            "credit_limit": [str(draw.randrange(1000)) for _ in range(n_rows)],
            "owner": ["ivanov"] * n_rows,
            "code": [f"{number:06}" for number in range(n_rows)],
        }
    )


def fill(source: Path, target: Path, change: Any) -> None:
    book = openpyxl.load_workbook(source)
    change(book["Contacts"], {cell.value: cell.column for cell in book["Contacts"][1]})
    book.save(target)


def test_the_sheet_is_shaped_by_the_template(tmp_path: Path) -> None:
    assert crm.write_cards(contacts(), tmp_path / "cards.xlsx", template=TEMPLATE) == []
    book = openpyxl.load_workbook(tmp_path / "cards.xlsx")
    sheet = book["Contacts"]
    assert [cell.value for cell in sheet[1]] == [
        "contact_id", "Surname", "given_name", "status", "email", "phone", "birth_date", "credit_limit", "owner", "code",
    ]  # fmt: skip
    assert [validation.formula1 for validation in sheet.data_validations.dataValidation] == ['"lead,customer,former"']
    assert sheet["G2"].is_date
    assert isinstance(sheet["H2"].value, int)
    assert sheet["J3"].value == "000001"
    assert "required" in sheet["B1"].comment.text
    assert book["Exported"].sheet_state == "veryHidden"
    assert sheet.freeze_panes == "B2"


def test_untouched_cells_change_nothing(tmp_path: Path) -> None:
    crm.write_cards(contacts(), tmp_path / "cards.xlsx", template=TEMPLATE)
    fill(tmp_path / "cards.xlsx", tmp_path / "saved.xlsx", lambda sheet, column: None)
    for name in ("cards.xlsx", "saved.xlsx"):
        edited = crm.read_edits(tmp_path / name, contacts(), template=TEMPLATE)
        assert (edited.counts["cards"], edited.counts["cards_unchanged"], edited.edits.num_rows) == (30, 30, 0)


def test_what_excel_does_by_itself_is_no_change(tmp_path: Path) -> None:
    crm.write_cards(contacts(), tmp_path / "cards.xlsx")

    def reformat(sheet: Any, column: dict[str, int]) -> None:
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, column["code"]).value = int(sheet.cell(row, column["code"]).value)
            phone = sheet.cell(row, column["phone"])
            phone.value = int(phone.value)
            day = sheet.cell(row, column["birth_date"])
            day.value = day.value.strftime("%d.%m.%Y")
            sheet.cell(row, column["family_name"]).value += " "

    fill(tmp_path / "cards.xlsx", tmp_path / "saved.xlsx", reformat)
    assert crm.read_edits(tmp_path / "saved.xlsx", contacts()).edits.num_rows == 0


def test_changes_conflicts_new_rows_and_refusals_are_told_apart(tmp_path: Path) -> None:
    crm.write_cards(contacts(), tmp_path / "cards.xlsx", template=TEMPLATE)

    def change(sheet: Any, column: dict[str, int]) -> None:
        sheet.cell(2, column["status"]).value = "former"
        sheet.cell(2, column["given_name"]).value = "Zane"
        sheet.cell(3, column["given_name"]).value = "Uldis"  # changed in the base as well
        sheet.cell(4, column["given_name"]).value = "Dace"  # the base has the same by now
        sheet.cell(5, column["status"]).value = "client"  # is no allowed value, and the good change beside it waits with it
        sheet.cell(5, column["given_name"]).value = "Ilze"
        sheet.cell(6, column["owner"]).value = "petrov"
        sheet.cell(7, column["Surname"]).value = None
        sheet.cell(8, column["contact_id"]).value = "cnobody"
        sheet.cell(9, column["credit_limit"]).value = 200000
        sheet.cell(10, column["email"]).value = "nonsense"
        sheet.append([None, "Jauna", "Līga", "lead", "liga@x.lv"])
        sheet.append([None, None, "Bez", "lead", "uzvarda@x.lv"])
        sheet.append([None, None, "one cell, as of a note"])
        sheet.delete_rows(20)

    fill(tmp_path / "cards.xlsx", tmp_path / "saved.xlsx", change)
    now = contacts().to_pylist()
    now[1]["given_name"] = "Pēteris"
    now[2]["given_name"] = "Dace"
    edited = crm.read_edits(tmp_path / "saved.xlsx", pa.Table.from_pylist(now), template=TEMPLATE)
    assert {(e["contact_id"], e["column"]): e["value"] for e in edited.edits.to_pylist()} == {
        ("c0000000000000", "status"): "former",
        ("c0000000000000", "given_name"): "Zane",
    }
    (conflict,) = edited.conflicts.to_pylist()
    assert (conflict["contact_id"], conflict["edited"], conflict["current"]) == ("c0000000000001", "Uldis", "Pēteris")
    assert edited.new.to_pylist()[0]["family_name"] == "Jauna"
    assert edited.new.num_rows == 1
    problems = {(p["row"], p["column"]): p["reason"] for p in edited.problems.to_pylist()}
    assert set(problems) == {
        (5, "status"), (6, "owner"), (7, "family_name"), (8, "contact_id"), (9, "credit_limit"), (10, "email"),
        (32, "family_name"), (33, ""),
    }  # fmt: skip
    assert "client" not in problems[5, "status"]
    counts = edited.counts
    assert counts["cards"] == 31 == sum(counts[f"cards_{fate}"] for fate in ("changed", "unchanged", "refused", "new"))


@pytest.mark.parametrize("template", [None, {"columns": ["family_name", "email", "phone", "birth_date"]}])
def test_what_is_no_value_of_its_column_is_refused_without_a_check(tmp_path: Path, template: Any) -> None:
    crm.write_cards(contacts(), tmp_path / "cards.xlsx", template=template)

    def change(sheet: Any, column: dict[str, int]) -> None:
        sheet.cell(2, column["phone"]).value = "ask at the desk"
        sheet.cell(3, column["birth_date"]).value = "yesterday"
        sheet.cell(4, column["email"]).value = "none"
        sheet.cell(5, column["phone"]).value = "8 912 345-67-89; +371 29123456"
        sheet.cell(6, column["email"]).value = None

    fill(tmp_path / "cards.xlsx", tmp_path / "edited.xlsx", change)
    edited = crm.read_edits(tmp_path / "edited.xlsx", contacts(), template=template)
    assert [(row["row"], row["column"]) for row in edited.problems.to_pylist()] == [(2, "phone"), (3, "birth_date"), (4, "email")]
    assert "desk" not in str(edited.problems.to_pylist())
    assert edited.edits["column"].to_pylist() == ["phone", "email"]


def test_absorbed_contacts_are_followed(tmp_path: Path) -> None:
    crm.write_cards(contacts(3), tmp_path / "cards.xlsx")
    fill(tmp_path / "cards.xlsx", tmp_path / "saved.xlsx", lambda sheet, column: setattr(sheet.cell(3, column["owner"]), "value", "petrov"))
    now = contacts(1)
    aliases = {"c0000000000001": "c0000000000000", "c0000000000002": "c0000000000000"}
    edited = crm.read_edits(tmp_path / "saved.xlsx", now, aliases=aliases)
    # The three ids are one contact by now; each stands in the file once, and only what was changed counts.
    assert (edited.problems.num_rows, edited.conflicts.num_rows) == (0, 0)
    assert [tuple(row.values()) for row in edited.edits.to_pylist()] == [("c0000000000000", "owner", "petrov")]
    assert (edited.counts["cards_changed"], edited.counts["cards_unchanged"]) == (1, 2)


def test_a_csv_has_no_exported_values(tmp_path: Path) -> None:
    crm.write_cards(contacts(3), tmp_path / "cards.csv", columns=["status", "phone"])
    text = (tmp_path / "cards.csv").read_text()
    assert text.splitlines()[0] == "contact_id,status,phone"
    (tmp_path / "cards.csv").write_text(text.replace("lead", "former").replace("customer", "former"))
    edited = crm.read_edits(tmp_path / "cards.csv", contacts(3))
    assert {e["column"] for e in edited.edits.to_pylist()} == {"status"}
    assert edited.edits.num_rows == 3


def _without_labels(sheet: Any) -> None:
    sheet.delete_rows(2)


def _without_ids(sheet: Any) -> None:
    for row in range(2, sheet.max_row + 1):
        sheet.cell(row, 1).value = None


def _with_another_header(sheet: Any) -> None:
    sheet.cell(1, 1).value = "id"


def _emptied(sheet: Any) -> None:
    sheet.delete_rows(1, sheet.max_row)


@pytest.mark.parametrize("damage", [_without_labels, _without_ids, _with_another_header, _emptied])
def test_a_hidden_sheet_that_was_changed_is_told(tmp_path: Path, damage: Any) -> None:
    crm.write_cards(contacts(3), tmp_path / "cards.xlsx")
    book = openpyxl.load_workbook(tmp_path / "cards.xlsx")
    damage(book["Exported"])
    book.save(tmp_path / "damaged.xlsx")
    with pytest.raises(crm.FileFormatError, match="hidden sheet 'Exported'.*was changed; export the contacts again"):
        crm.read_edits(tmp_path / "damaged.xlsx", contacts(3))
    # Without the sheet nothing was exported, as of a CSV.
    del book["Exported"]
    book.save(tmp_path / "without.xlsx")
    assert crm.read_edits(tmp_path / "without.xlsx", contacts(3)).edits.num_rows == 0


def test_wrong_templates_and_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("columns:\n  - famly_name\n")
    with pytest.raises(crm.ConfigError, match="did you mean 'family_name'"):
        crm.write_cards(contacts(), tmp_path / "cards.xlsx", template=tmp_path / "card.yaml")
    (tmp_path / "card.yaml").write_text("columns:\n  - status: {valus: [a]}\n")
    with pytest.raises(crm.ConfigError, match="did you mean 'values'"):
        CardTemplate.load(tmp_path / "card.yaml")
    with pytest.raises(crm.ConfigError, match="twice"):
        CardTemplate.load({"columns": ["a", "a"]})
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    with pytest.raises(crm.FileFormatError, match="no column contact_id"):
        crm.read_edits(tmp_path / "no.csv", contacts())
    (tmp_path / "odd.csv").write_text("contact_id,famly_name\nc0000000000001,X\n")
    with pytest.raises(crm.ConfigError, match="did you mean 'family_name'"):
        crm.read_edits(tmp_path / "odd.csv", contacts())


@given(st.integers(0, 10**15 - 1), st.integers(0, 6))
def test_leading_zeros_are_excels(number: int, zeros: int) -> None:
    assert is_same_cell("0" * zeros + str(number), str(number))
    assert not is_same_cell(str(number), str(number + 1))


def test_cells_that_say_the_same() -> None:
    for one, other, same in [
        ("2024-05-01", "01.05.2024", True),
        ("2024-05-01T10:00:00", "2024-05-01 10:00:00", True),
        ("1 234,50", "1234.5", True),
        ("true", "TRUE", True),
        ("a  b", "a b", True),
        (None, "", True),
        ("Anna", "anna", False),
        ("12345678901234567890", "12345678901234567891", False),
        ("1985-04-03", "1985-04-04", False),
    ]:
        assert is_same_cell(one, other) == same, (one, other)
    assert (as_number("1.234,5"), as_number("x"), iso_day("31.02.2024")) == (1234.5, None, None)


@pytest.mark.parametrize(
    ("text", "is_date"),
    [
        *[(text, True) for text in ("31/01/1985", "3 апреля 1985", "31.1.85", "20260131", "1985", "1985-05", "1980-05-17 00:00:00")],
        *[(text, True) for text in ("2026-01-31T10:15:00Z", "2026-01-31 10:15:00.5+03:00")],
        *[(text, False) for text in ("2026-01-31garbage", "2026-01-31 at noon", "01/02/1985", "yesterday", "31.02.2024")],
    ],
)
@pytest.mark.parametrize("column", ["birth_date", "created_at", "updated_at"])
def test_a_date_of_a_card_is_what_the_engine_reads(column: str, text: str, is_date: bool) -> None:
    assert (misfit(column, text) is None) is is_date
