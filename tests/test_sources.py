"""One way to open everything."""

from __future__ import annotations

import gc
import gzip
import io
import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from crm_engine import dedupe
from crm_engine.errors import ConfigError, FileFormatError
from crm_engine.output import write_table
from crm_engine.sources import ReadOptions, as_text, open_sources

ROWS = [{"name": "Anna", "phone": "00371"}, {"name": "Jānis", "phone": ""}]


def rows_of(source: Any) -> list[dict[str, str | None]]:
    return [row for text in source.batches() for row in text.batch.to_pylist()]


def read_one(path: Any, **options: Any) -> Any:
    (source,) = open_sources(path, ReadOptions(**options))
    return rows_of(source), source


def write_csv(path: Path) -> Path:
    path.write_text("name,phone\nAnna,00371\nJānis,\n", encoding="utf-8")
    return path


def test_reads_text_with_its_rows_and_report(tmp_path: Path) -> None:
    (source,) = open_sources(write_csv(tmp_path / "a.csv"))
    ((batch, rows),) = list(source.batches())
    assert batch.to_pylist() == ROWS
    assert rows.to_pylist() == [2, 3]
    report = source.report()
    assert report["encoding"] == "utf-8"
    assert report["dialect"]["delimiter"] == ","
    assert report["header_row"] == 1
    assert report["counts"] == {"rows_in": 2, "yielded": 2, "rejected": 0, "skipped": 0}


def test_reads_gzip_and_streams(tmp_path: Path) -> None:
    content = write_csv(tmp_path / "a.csv").read_bytes()
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(content[:10]) + gzip.compress(content[10:]))
    assert read_one(packed)[0] == ROWS
    assert read_one(io.BytesIO(content))[0] == ROWS


def test_reads_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = write_csv(tmp_path / "a.csv").read_bytes()

    class Stdin:
        buffer = io.BytesIO(content)

    monkeypatch.setattr("sys.stdin", Stdin)
    rows, source = read_one("-")
    assert rows == ROWS
    assert source.name == "<stdin>"


def test_reads_parquet_arrow_folders_and_objects(tmp_path: Path) -> None:
    table = pa.table({"name": ["Anna", None], "phone": pa.array([371.0, None]), "born": pa.array([0, None], pa.date32())})
    expected = [{"name": "Anna", "phone": "371", "born": "1970-01-01"}, {"name": None, "phone": None, "born": None}]
    folder = tmp_path / "folder"
    folder.mkdir()
    pq.write_table(table, folder / "b.parquet")
    with pa.OSFile(str(folder / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    sources = open_sources([folder, table, folder / "*.parquet"])
    assert [Path(source.name).name for source in sources] == ["a.arrow", "b.parquet", "table_2"]
    assert all(rows_of(source) == expected for source in sources)
    assert sources[0].report()["counts"]["yielded"] == 2
    with (folder / "b.parquet").open("rb") as stream:
        assert read_one(stream)[0] == expected


def test_globs_name_each_file_once(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        write_csv(tmp_path / name)
    sources = open_sources([str(tmp_path / "*.csv"), str(tmp_path / "a.*")])
    assert [Path(source.name).name for source in sources] == ["a.csv", "b.csv"]


def test_offers_arrow_streams(tmp_path: Path) -> None:
    (source,) = open_sources(write_csv(tmp_path / "a.csv"))
    assert pa.table(source.native).to_pylist() == ROWS
    (source,) = open_sources(write_csv(tmp_path / "a.csv"))
    assert pa.table(source).to_pylist() == ROWS


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_sources(tmp_path / "none.csv")
    write_csv(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match=r"did you mean .*a\.csv"):
        open_sources(tmp_path / "aa.csv")
    (tmp_path / "a.csv").unlink()
    for nothing in (None, b"a.csv", {"a": 1}, 5):
        with pytest.raises(ConfigError, match="cannot read a"):
            open_sources(nothing)
    with pytest.raises(FileNotFoundError, match="pattern"):
        open_sources(str(tmp_path / "*.csv"))
    with pytest.raises(FileFormatError, match="folder"):
        open_sources(tmp_path)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FileFormatError):
        open_sources(tmp_path / "broken.parquet")
    with pytest.raises(ConfigError, match="encodng"):
        open_sources("-", {"encodng": "utf-8"})
    with pytest.raises(ConfigError, match="cp99999"):
        read_one(write_csv(tmp_path / "a.csv"), encoding="cp99999")
    with pytest.raises(ConfigError, match="int"):
        open_sources([7])


def test_overrides(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("note\nimя;тел\nИван;'8;9'\n".encode("cp1251"))
    rows, source = read_one(path, encoding="cp1251", delimiter=";", quote="'", skip_rows=1, header_row=2)
    assert rows == [{"imя": "Иван", "тел": "8;9"}]
    assert source.report()["header_row"] == 2
    rows, _ = read_one(path, encoding="cp1251", delimiter=";", quote="", header_row=0, skip_rows=2)
    assert rows == [{"column_1": "Иван", "column_2": "'8", "column_3": "9'"}]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([7912.0, 0.5, float("nan"), 1e20]), ["7912", "0.5", None, "1e+20"]),
        (pa.array([True, None]), ["true", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([["a", "b"], [], None]), ["a; b", "", None]),
        (pa.array([[1, 2], [3]]).slice(1), ["3"]),
        (pa.array([b"\xff", b"a"]), ["ff", "61"]),
        (pa.array([{"a": 1}]), [json.dumps({"a": 1})]),
        (pa.array([0, 86_400_000_000], pa.timestamp("us")), ["1970-01-01", "1970-01-02"]),
        (pa.array([1_000_000], pa.timestamp("us")), ["1970-01-01 00:00:01"]),
        (pa.array([0, 1_000_000], pa.timestamp("us")), ["1970-01-01", "1970-01-01 00:00:01"]),
        (pa.array(["a"], pa.string_view()), ["a"]),
    ],
)
def test_typed_columns_become_text(array: Any, expected: list[str | None]) -> None:
    assert as_text(array).to_pylist() == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_named_pipes_are_read_once_and_whole(tmp_path: Path, kind: str) -> None:
    table = pa.table({"name": [f"Person {number}" for number in range(3_000)]})
    whole = tmp_path / f"whole.{kind}"
    write_table(table, whole)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(whole.read_bytes()))
    writer.start()
    (source,) = open_sources(pipe)
    assert source.reader().read_all()["name"].to_pylist() == table["name"].to_pylist()
    writer.join()


def test_typed_columns_have_the_same_text_in_any_batches() -> None:
    days = pa.table({"at": pa.array([0, 86_400_000_000, 90_000_000_000, None], pa.timestamp("us"))})
    texts = {
        size: open_sources(pa.table(pa.RecordBatchReader.from_batches(days.schema, days.to_batches(size))))[0].reader().read_all()
        for size in (1, 2, 4)
    }
    assert len({tuple(table["at"].to_pylist()) for table in texts.values()}) == 1


def test_a_folder_of_text_files_and_workbooks(tmp_path: Path) -> None:
    for name in ("b.csv", "a.tsv", "c.csv.gz", "notes.txt", ".hidden.csv", "settings.json"):
        path = tmp_path / name
        data = b"name,phone\nAnna,29123456\n"
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data.replace(b",", b"\t") if name.endswith(".tsv") else data)
    sources = open_sources(tmp_path)
    assert [Path(source.name).name for source in sources] == ["a.tsv", "b.csv", "c.csv.gz"]
    assert all(pa.table(source).to_pylist() == [{"name": "Anna", "phone": "29123456"}] for source in sources)


def test_a_folder_of_parquet_files_tells_what_is_left_out_beside_them(tmp_path: Path) -> None:
    pq.write_table(pa.table({"name": ["Anna"], "phone": ["29123456"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"name": ["Zane"], "phone": ["29123457"]}), tmp_path / "b.parquet")
    (tmp_path / "notes.txt").write_text("nothing to read")

    def told() -> list[str]:
        return [warning for source in open_sources(tmp_path) for warning in source.report()["warnings"]]

    assert told() == []
    (tmp_path / "more.csv").write_text("name,phone\nAnna,29123456\n")
    assert [warning.split(" was left out")[0] for warning in told()] == ["another file of the folder"]
    (tmp_path / "most.jsonl").write_text('{"name": "Anna"}\n')
    (warning,) = told()
    assert warning.startswith("2 other files of the folder were left out (more.csv, ...)")
    assert str(tmp_path / "*.csv") in warning
    assert [source.report()["warnings"] for source in open_sources([tmp_path / "a.parquet", tmp_path / "*.csv"])] == [[], []]
    assert warning in dedupe(tmp_path).summary["warnings"][0]


def test_every_sheet_of_a_workbook_from_a_stream_is_read(tmp_path: Path) -> None:
    """Sheets are opened again one by one: what the stream was spooled to is there until all are read, and then gone."""
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("more")):
        sheet.append(["id", "name"])
        for row in range(3000):
            sheet.append([row, f"Anna {row}"])
    content = io.BytesIO()
    book.save(content)
    content.seek(0)
    before = set(Path(tempfile.gettempdir()).glob("*.spool"))
    sources = open_sources([content], ReadOptions())
    assert [sum(len(batch) for batch, _ in source.batches()) for source in sources] == [3000, 3000]
    del sources
    gc.collect()
    assert set(Path(tempfile.gettempdir()).glob("*.spool")) <= before
