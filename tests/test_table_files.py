"""Tables that funnels, segments and analyses read: one idea of a file, nothing left out without a word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_engine.columns import load_config, load_table, open_batches
from crm_engine.errors import ConfigError, FileFormatError, UnreadRowsWarning
from crm_engine.output import write_table
from crm_engine.readable import ReadableTable

COMMAND = [sys.executable, "-c", "from crm_engine.cli import main; main()"]
DEALS = "deal_id,stage,created_at\n1,won,2026-01-01\n2,lost,2026-01-02,3,4,5,6\n3,proposal,2026-01-03\n"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("suffix", [".parquet", ".pq", ".parq", ".arrow", ".feather", ".csv", ".xlsx"])
def test_all_loaders_read_the_same_files(tmp_path: Path, suffix: str) -> None:
    table = pa.table({"id": ["c1", "c2"], "city": ["Rīga", None]})
    written = tmp_path / f"written{suffix if suffix in ('.csv', '.xlsx') else '.arrow' if suffix in ('.arrow', '.feather') else '.parquet'}"
    write_table(table, written)
    path = written.rename(tmp_path / f"table{suffix}")
    expected = [row | {"city": row["city"] or None} for row in table.to_pylist()]
    for read in (load_table(path, "t"), open_batches(path, "t").read_all(), ReadableTable.open(path, "t").table()):
        assert [row | {"city": row["city"] or None} for row in read.to_pylist()] == expected


def test_an_arrow_stream_is_read_like_a_file(tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2]})
    path = tmp_path / "stream.arrow"
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)
    assert load_table(path, "t").equals(table)
    assert open_batches(path, "t").read_all().equals(table)
    assert ReadableTable.open(path, "t").table().equals(table)


@pytest.mark.parametrize("name", ["broken.parquet", "broken.arrow"])
def test_broken_files_are_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"no such thing")
    for read in (load_table, open_batches, ReadableTable.open):
        with pytest.raises(FileFormatError, match=name):
            read(path, "t")


def test_files_of_a_folder_may_lack_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1], "city": ["Rīga"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": [2]}), tmp_path / "b.parquet")
    assert load_table(tmp_path, "t").to_pylist() == [{"id": 1, "city": "Rīga"}, {"id": 2, "city": None}]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match="without Parquet"):
        load_table(tmp_path / "empty", "t")


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,stage,created_at\n")
    assert load_table(path, "deals").column_names == ["deal_id", "stage", "created_at"]
    assert ReadableTable.open(path, "deals").table().num_rows == 0


def test_unread_rows_are_warnings(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(DEALS)
    for read in (load_table, ReadableTable.open):
        with pytest.warns(UnreadRowsWarning, match=r"deals\.csv: 1 row could not be read and is left out \(row 3: 7 cells") as heard:
            read(path, "deals")
        assert [warning.message.n_rows for warning in heard if isinstance(warning.message, UnreadRowsWarning)] == [1]


def test_commands_tell_unread_rows_and_strict_ends_with_3(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(DEALS)
    done = run("funnel", path, "--json")
    assert done.returncode == 0
    assert sum("1 row could not be read" in warning for warning in json.loads(done.stdout)["warnings"]) == 1
    assert done.stderr.count("1 row could not be read") == 1
    strict = run("funnel", path, "--strict")
    assert strict.returncode == 3
    assert "Funnel" in strict.stdout


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfeb\0", "is no UTF-8"),
        (b"by: [a]\nby: [b]\n", "line 2: the key 'by' is there already"),
        (b"[" * 60, "more than 40 levels"),
        (b"today: 2026-13-45\n", "cannot be read"),
        (b"- a\n", "must be a mapping"),
    ],
)
def test_configs_that_are_none_are_told(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "funnel.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=message):
        load_config(path, "funnel")


def test_an_empty_config_is_no_options(tmp_path: Path) -> None:
    path = tmp_path / "funnel.yaml"
    path.write_bytes(b"# nothing\n")
    assert load_config(path, "funnel") == {}


def test_a_rules_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    contacts, rules = tmp_path / "contacts.csv", tmp_path / "rules.yaml"
    contacts.write_text("id,city\nc1,Riga\n")
    rules.write_bytes("segments: {a: \"city = 'Рига'\"}".encode("cp1251"))
    done = run("segment", contacts, rules)
    assert (done.returncode, "line 1: is no UTF-8" in done.stderr) == (2, True)
