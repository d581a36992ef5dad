"""Files that crm_engine writes come back byte for byte, the naughty strings included."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_engine import FileFormatError
from crm_engine.output import write_sheets, write_table
from crm_engine.sources import open_sources


def naughty_strings() -> list[str]:
    root = os.environ.get("CRM_SHARED")
    places = [Path(root)] if root else [parent / "shared" for parent in Path(__file__).resolve().parents[1:5]]
    for place in places:
        found = place / "corpora" / "blns" / "blns.json"
        if found.exists():
            return [text for text in json.loads(found.read_text("utf-8")) if text]
    pytest.skip("the public data is not there (set CRM_SHARED)")


def read_back(path: Path) -> pa.Table:
    (source,) = open_sources([str(path)])
    table = source.reader().read_all()
    assert source.rejects == []
    return table


CONTROLS = [
    "".join(chr(code) for code in range(1, 32)),
    "a\rb",
    "a\r\nb",
    "a\nb",
    "\x00",
    "_x0041_",
    "_x005F_x0041_",
    " a ",
    "\ufffe",
    "'=1",
]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".jsonl", ".arrow"])
def test_naughty_strings_survive(tmp_path: Path, suffix: str) -> None:
    strings = naughty_strings() + CONTROLS
    if suffix == ".csv":
        # A NUL or a lone carriage return is content only where quotes say so, which they do.
        assert all(strings)
    table = pa.table({"note": strings, "row": [f"row {number} of all" for number in range(len(strings))]})
    write_table(table, tmp_path / f"out{suffix}")
    back = read_back(tmp_path / f"out{suffix}")
    wrong = [(a, b) for a, b in zip(strings, back["note"].to_pylist(), strict=True) if a != b]
    assert wrong == []


def test_naughty_headers_and_sheet_names_survive(tmp_path: Path) -> None:
    names = [text for text in naughty_strings() if text.strip() == text and len(text) < 1000 and " ".join(text.split()) == text]
    columns = {name: ["x"] for name in names}
    write_table(pa.table(columns), tmp_path / "out.xlsx")
    assert read_back(tmp_path / "out.xlsx").num_columns == len(columns)
    write_sheets(
        {name: pa.table({"name": ["Anna", "Jānis"], "email": ["a@x.test", "j@x.test"]}) for name in names[:100]}, tmp_path / "sheets.xlsx"
    )
    assert len(open_sources([str(tmp_path / "sheets.xlsx")])) == 100


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != "" or text == "\x00"), min_size=3, max_size=10))
def test_any_text_survives_a_workbook(tmp_path: Path, texts: list[str]) -> None:
    table = pa.table({"note": ["some text", *texts], "row": [f"row {number} of all" for number in range(len(texts) + 1)]})
    write_table(table, tmp_path / "out.xlsx")
    assert read_back(tmp_path / "out.xlsx")["note"].to_pylist() == table["note"].to_pylist()


def test_typed_columns_come_back_as_they_were_shown(tmp_path: Path) -> None:
    table = pa.table(
        {
            "contact_id": [1234567890123456789, 7],
            "amount": [1234.5, -0.1],
            "born": pa.array([0, 20_000], pa.date32()),
            "at": pa.array([1_700_000_000_000_000, None], pa.timestamp("us")),
            "active": [True, False],
        }
    )
    write_table(table, tmp_path / "out.xlsx")
    back = read_back(tmp_path / "out.xlsx").to_pydict()
    assert back == {
        "contact_id": ["1234567890123456789", "7"],
        "amount": ["1234.5", "-0.1"],
        "born": ["1970-01-01", "2024-10-04"],
        "at": ["2023-11-14T22:13:20", None],
        "active": ["TRUE", "FALSE"],
    }


def test_content_decides_what_a_workbook_is(tmp_path: Path) -> None:
    write_table(pa.table({"name": ["Anna", "Jānis"]}), tmp_path / "out.xlsx")
    for name in ("out.xlsb", "out.ods", "out.csv", "out.xls"):
        (tmp_path / name).write_bytes((tmp_path / "out.xlsx").read_bytes())
        assert read_back(tmp_path / name).num_rows == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.xlsx", b"PK\x03\x04", "zip directory"),
        ("locked.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 22 + b"\x09\x00" + b"\xff" * 4000, "no workbook"),
    ],
)
def test_what_is_no_workbook_is_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=message) as caught:
        open_sources([str(tmp_path / name)])
    assert name in str(caught.value)
