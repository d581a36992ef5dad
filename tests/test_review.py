"""The review loop: a workbook of uncertain contacts, filled in as people do, and the decisions that come back."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crm_engine as crm
from crm_engine.base.lock import Lock
from crm_engine.cli import run
from crm_engine.review import _between_contacts, _groups, is_review


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is unsure of a lot."""
    draw = random.Random(3)
    names = ["Anna Ozola", "Jānis Bērziņš", "Līga Kalniņa", "Pēteris Liepa", "Zane Vītola", "Māris Ābols"]
    people = [(draw.choice(names), draw.choice(["Rīga", "Cēsis"]), f"a{draw.randrange(40)}@x.lv") for _ in range(120)]
    table = pa.table({"name": [p[0] for p in people], "city": [p[1] for p in people], "email": [p[2] for p in people]})
    folder = tmp_path_factory.mktemp("review") / "out"
    crm.dedupe(table, {"match_threshold": 0.999, "review_threshold": 0.01}).write(folder)
    return folder


def uncertain(folder: Path) -> set[tuple[int, int]]:
    """Pairs of records that are in different contacts and not settled."""
    pairs = pq.read_table(folder / "pairs.parquet").to_pylist()
    return {(row["record_id_a"], row["record_id_b"]) for row in pairs if row["decision"] != "match"}


def test_a_review_of_nothing_says_nothing(tmp_path: Path) -> None:
    crm.dedupe(pa.table({"name": ["Anna Ozola", "Jānis Bērziņš"], "email": ["a@x.lv", "j@y.lv"]})).write(tmp_path / "out")
    assert crm.write_review(tmp_path / "out", tmp_path / "review.xlsx")["groups"] == 0
    assert crm.read_review(tmp_path / "review.xlsx").decisions.num_rows == 0


def labels_of(sheet: Any) -> dict[str, int]:
    return {cell.value: cell.column for cell in sheet[1]}


def test_the_workbook_shows_each_uncertain_pair_once(result: Path, tmp_path: Path) -> None:
    summary = crm.write_review(result, tmp_path / "review.xlsx", limit=None)
    assert summary["pairs_left"] == 0
    assert summary["groups"] > 3
    book = openpyxl.load_workbook(tmp_path / "review.xlsx")
    assert book.sheetnames == ["Review", "How to"]
    sheet = book["Review"]
    column = labels_of(sheet)
    rows = [{name: sheet.cell(row, place).value for name, place in column.items()} for row in range(2, sheet.max_row + 1)]
    shown = [tuple(map(int, pair.split(":"))) for row in rows for pair in (row["pairs"] or "").split()]
    assert sorted(shown) == sorted(uncertain(result))
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["Group"], []).append(row)
    assert all([row["Row"] for row in group] == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(group)]) for group in groups.values())
    assert len(groups) == summary["groups"]
    validation = sheet.data_validations.dataValidation[0]
    assert validation.formula1 == '"same,different,later"'
    # Columns of one look are one entry in the file.
    hidden = {place for width in sheet.column_dimensions.values() if width.hidden for place in range(width.min, width.max + 1)}
    assert hidden == {column[name] for name in ("contact_id", "pairs", "letters", "records", "records_a")}


def test_cells_that_differ_are_coloured(result: Path, tmp_path: Path) -> None:
    crm.write_review(result, tmp_path / "review.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "review.xlsx")["Review"]
    column = labels_of(sheet)
    first = None
    n_differing = 0
    for row in range(2, sheet.max_row + 1):
        if sheet.cell(row, column["Row"]).value == "A":
            first = row
            continue
        assert first is not None
        cell, other = sheet.cell(row, column["city"]), sheet.cell(first, column["city"])
        differs = cell.value != other.value
        n_differing += differs
        assert (cell.fill.start_color.rgb == "FFFFEFA0") == differs
    assert n_differing


def fill(source: Path, target: Path, change: Any) -> None:
    """Opens a workbook as a person would, and saves it under another name."""
    book = openpyxl.load_workbook(source)
    change(book["Review"], labels_of(book["Review"]))
    book.save(target)


def test_decisions_survive_sorting_and_deleting_rows(result: Path, tmp_path: Path) -> None:
    crm.write_review(result, tmp_path / "review.xlsx", limit=None)
    draw = random.Random(1)
    expected: dict[tuple[int, int], str] = {}
    answers: list[tuple[list[str], list[str]]] = []

    def decide(sheet: Any, column: dict[str, int]) -> None:
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        for row in rows:
            word = draw.choice(["same", "Different ", "LATER", None, None])
            if row[column["Row"] - 1] != "A":
                row[column["Decision"] - 1] = word
        kept = [row for row in rows if draw.random() < 0.8]
        draw.shuffle(kept)
        for row in kept:
            pairs = [tuple(map(int, pair.split(":"))) for pair in (row[column["pairs"] - 1] or "").split()]
            word = (row[column["Decision"] - 1] or "").strip().lower()
            if word == "same":
                answers.append((row[column["records_a"] - 1].split(), row[column["records"] - 1].split()))
            for pair in pairs[:1] if word == "same" else pairs:
                if word:
                    expected[pair] = word
        sheet.delete_rows(2, sheet.max_row)
        for row in kept:
            sheet.append(row)

    fill(tmp_path / "review.xlsx", tmp_path / "done.xlsx", decide)
    review = crm.read_review(tmp_path / "done.xlsx")
    read = {(row["record_id_a"], row["record_id_b"]): row["decision"] for row in review.decisions.to_pylist()}
    assert {pair: read[pair] for pair in expected} == expected
    assert {"same", "different", "later"} == set(expected.values())
    # Cards called the same are one: all their records hang together by what was decided.
    linked: dict[int, int] = {}

    def root(record: int) -> int:
        while linked.get(record, record) != record:
            record = linked[record]
        return record

    for (a, b), word in read.items():
        if word == "same":
            linked[root(a)] = root(b)
    assert answers
    assert all(len({root(int(record)) for record in (*of_a, *of_row)}) == 1 for of_a, of_row in answers)
    assert review.counts["same"] == len(answers)


def test_wrong_words_and_wrong_files_are_told(result: Path, tmp_path: Path) -> None:
    crm.write_review(result, tmp_path / "review.xlsx")
    assert is_review(tmp_path / "review.xlsx")

    def misspell(sheet: Any, column: dict[str, int]) -> None:
        sheet.cell(3, column["Decision"]).value = "maybe"

    fill(tmp_path / "review.xlsx", tmp_path / "done.xlsx", misspell)
    with pytest.raises(crm.FileFormatError, match="row 3: a decision is one of same, different, later"):
        crm.read_review(tmp_path / "done.xlsx")
    crm.dedupe(pa.table({"name": ["A B", "C D"]})).write(tmp_path / "out")
    with pytest.raises(crm.ConfigError, match="write a workbook"):
        crm.write_review(result, tmp_path / "review.csv")
    with pytest.raises(crm.ConfigError, match="holds no result"):
        crm.write_review(tmp_path, tmp_path / "review.xlsx")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert not is_review(tmp_path / "other.csv")
    with pytest.raises(crm.FileFormatError, match="is no review"):
        crm.read_review(tmp_path / "other.csv")


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.floats(0.1, 0.9)), max_size=60))
def test_groups_hold_each_pair_once(edges: list[tuple[int, int, float]]) -> None:
    pairs = {(min(a, b), max(a, b)): p for a, b, p in edges}
    columns = {
        "contact_id_a": [f"c{a:02}" for a, _ in pairs],
        "contact_id_b": [f"c{b:02}" for _, b in pairs],
        "match_probability": list(pairs.values()),
        "record_id_a": [a for a, _ in pairs],
        "record_id_b": [b for _, b in pairs],
    }
    between, n_pairs = _between_contacts(pa.table(columns), None)
    shown = [tuple(sorted((group.center, other[0]))) for group in _groups(between) for other in group.others]
    assert sorted(shown) == sorted({(f"c{a:02}", f"c{b:02}") for a, b in pairs if a != b})
    assert n_pairs == len(shown)


class OneRun:
    """A base that remembers what it is told; the real one is tested in test_base_review."""

    def __init__(self, result: Path) -> None:
        self.folder = result
        self.decided: list[dict[str, Any]] = []
        self.edits: list[dict[str, Any]] = []
        self._lock = Lock(result)

    def review(self) -> pa.Table:
        pairs = pq.read_table(self.folder / "pairs.parquet")
        contact = dict(
            zip(*(pq.read_table(self.folder / "records.parquet")[name].to_pylist() for name in ("record_id", "contact_id")), strict=True)
        )
        pairs = pairs.filter(pa.compute.not_equal(pairs["decision"], "match"))
        for side in ("a", "b"):
            pairs = pairs.append_column(f"contact_id_{side}", pa.array([contact[r] for r in pairs[f"record_id_{side}"].to_pylist()]))
        return pairs

    def contacts(self) -> pa.RecordBatchReader:
        return pq.read_table(self.folder / "contacts.parquet").to_reader()

    def table(self, name: str) -> pa.RecordBatchReader:
        if name == "record_contact":
            return pq.read_table(self.folder / "records.parquet", columns=["record_id", "contact_id"]).to_reader()
        assert name == "aliases"
        return pa.table({"contact_id": pa.array([], pa.string()), "survivor": pa.array([], pa.string())}).to_reader()

    def decide(self, table: pa.Table, *, origin: str, wait: float, dry_run: bool) -> str:
        self.decided = table.to_pylist()
        return "decided"

    def edit(self, rows: list[dict[str, Any]], *, origin: str, wait: float) -> str:
        self.edits = rows
        return "edited"


def test_values_to_keep_are_edits_of_the_merged_contact(result: Path, tmp_path: Path) -> None:
    base = OneRun(result)
    crm.write_review(base, tmp_path / "review.xlsx", limit=None)
    kept: dict[str, Any] = {}

    def choose(sheet: Any, column: dict[str, int]) -> None:
        validations = {validation.formula1: validation.sqref for validation in sheet.data_validations.dataValidation}
        keep_rows = [row for row in range(2, sheet.max_row + 1) if sheet.cell(row, column["Row"]).value == "keep"]
        for row in keep_rows:
            letters = [entry.split("=")[0] for entry in sheet.cell(row, column["letters"]).value.split()]
            assert f"{openpyxl.utils.get_column_letter(column['city'])}{row}" in validations[f'"{",".join(letters)}"']
        # The first group: B is the same, its e-mail wins, and the city is typed.
        row = keep_rows[0]
        letters = dict(entry.split("=") for entry in sheet.cell(row, column["letters"]).value.split())
        sheet.cell(3, column["Decision"]).value = "same"
        sheet.cell(row, column["email"]).value = "B"
        sheet.cell(row, column["city"]).value = "Jūrmala"
        # In the second somebody typed what is no e-mail address.
        sheet.cell(keep_rows[1], column["email"]).value = "ask at the desk"
        kept.update(center=letters["A"], email=sheet.cell(3, column["email"]).value)
        # The last group, the last row of the sheet: nothing was decided, so nothing is kept of B.
        sheet.cell(keep_rows[-1], column["email"]).value = "b"

    fill(tmp_path / "review.xlsx", tmp_path / "done.xlsx", choose)
    reviewed = crm.apply_review(base, tmp_path / "done.xlsx")
    assert reviewed.runs == ["decided", "edited"]
    assert "a value that was typed for email is no e-mail address; it was left aside" in reviewed.warnings
    assert {row["decision"] for row in base.decided} == {"same"}
    edits = {(edit["contact_id"], edit["column"]): edit["value"] for edit in base.edits}
    assert edits == {(kept["center"], "email"): kept["email"], (kept["center"], "city"): "Jūrmala"}


def test_command_line(result: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["review", str(result), "-o", str(tmp_path / "review.xlsx"), "--limit", "5", "--json"]) == 0
    summary = json.loads(capfd.readouterr().out)
    assert summary["pairs"] == 5
    assert summary["pairs_left"] > 0

    def decide(sheet: Any, column: dict[str, int]) -> None:
        sheet.cell(3, column["Decision"]).value = "different"

    fill(tmp_path / "review.xlsx", tmp_path / "done.xlsx", decide)
    assert run(["review", str(tmp_path / "done.xlsx"), "-o", str(tmp_path / "decisions.csv")]) == 0
    assert "1 different" in capfd.readouterr().out
    assert (tmp_path / "decisions.csv").read_text().splitlines()[0] == "record_id_a,record_id_b,decision"
    assert run(["review", str(tmp_path / "decisions.csv"), "-o", str(tmp_path / "again.csv")]) == 1
