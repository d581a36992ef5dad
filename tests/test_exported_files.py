"""Exports of databases, spreadsheets and statistics packages; web pages and XML named .xls; files in zip files; rejects as they stood."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from exported import HEADER, contacts, exports
from pollution_bases import Rows, dump

import crm_engine as crm
from crm_engine.sources import ReadOptions, Source, open_sources

EXPORTS = {name: (content, header, rows) for name, content, header, rows in exports()}


def read(path: Path, **options: Any) -> list[tuple[Source, Rows]]:
    """The tables of a file, empty texts for what is not there."""
    found = []
    for source in open_sources([str(path)], ReadOptions(**options)):
        rows = [list(row) for batch, _ in source.batches() for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
        found.append((source, [[cell or "" for cell in row] for row in rows]))
    return found


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_read_as_they_were_meant(tmp_path: Path, name: str) -> None:
    content, header, rows = EXPORTS[name]
    (tmp_path / "export.csv").write_bytes(content)
    [(source, found)] = read(tmp_path / "export.csv")
    assert source.columns == header
    assert found == rows
    assert source.rejects == []


class Stranger(NamedTuple):
    """A file, and the tables that it may be read as; the header is ``None`` where it has none."""

    content: bytes
    readings: list[tuple[list[str] | None, Rows]]


def strangers() -> dict[str, Stranger]:
    """The files of `strangers.txt` by name."""
    found: dict[str, Stranger] = {}
    name = ""
    written = (Path(__file__).parent / "strangers.txt").read_text(encoding="utf-8")
    for section in re.split("^===== ", written, flags=re.MULTILINE)[1:]:
        head, _, body = section.partition("\n")
        if head == "as":
            lines = body.rstrip("\n").split("\n")
            rows = [[_as_it_stands(cell) for cell in line.split("¦")] for line in lines]
            found[name].readings.append((None if rows[0] == ["-"] else rows[0], rows[1:]))
            continue
        name, _, form = head.partition(" | ")
        encoding, end, *is_open = form.split()
        text = (body.removesuffix("\n") if is_open else body).replace("\n", {"lf": "\n", "crlf": "\r\n", "cr": "\r"}[end])
        found[name] = Stranger(text.encode(encoding), [])
    return found


def _as_it_stands(cell: str) -> str:
    return cell.replace("⏎", "\n").replace("␣", " ").replace("→", "\t")


STRANGERS = strangers()


@pytest.mark.parametrize("name", STRANGERS)
def test_files_of_strangers_are_read_as_a_person_reads_them(tmp_path: Path, name: str) -> None:
    stranger = STRANGERS[name]
    (tmp_path / "export.csv").write_bytes(stranger.content)
    [(source, found)] = read(tmp_path / "export.csv")
    header = source.columns if source.report()["header_row"] else None
    assert (header, found) in stranger.readings


@pytest.mark.parametrize("text", ['{"id": 1, "name": "Ann"}\n{"id": 2}\n', '\n[\n {"id": 1, "name": "Ann"},\n {"id": 2}\n]\n'])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.dump"])
def test_json_is_read_as_such_whatever_its_name(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / name).write_text(text)
    [(source, rows)] = read(tmp_path / name)
    assert (source.report()["format"], source.columns, rows) == ("jsonl", ["id", "name"], [["1", "Ann"], ["2", ""]])
    [streamed] = open_sources([io.BytesIO(text.encode())], ReadOptions())
    assert sum(len(batch) for batch, _ in streamed.batches()) == 2


@pytest.mark.parametrize("text", ['{"id"}\n{"x"}\n', "{1,2}\n{3,4}\n", '"{""id"": 1}"\n', "[1] first\n[2] second\n"])
def test_braces_alone_are_no_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    [(source, _)] = read(tmp_path / "a.csv")
    assert source.report()["format"] == "csv"


@pytest.mark.parametrize("delimiter", ["\x02", "\x03", "\x07", "\x0b", "\x1c", "\x1d", "\x1e", "\x1f"])
def test_control_characters_divide_cells(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "a.txt").write_text("\n".join(delimiter.join(row) for row in [HEADER, *contacts()]) + "\n", newline="")
    [(source, rows)] = read(tmp_path / "a.txt")
    assert (source.columns, rows) == (HEADER, contacts())


def test_rows_put_together_count_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(EXPORTS["line-breaks-without-quotes"][0])
    [(source, rows)] = read(tmp_path / "a.csv")
    counts = source.report()["counts"]
    assert counts["yielded"] == len(rows) == counts["rows_in"] - counts["skipped"]
    assert any("put together again" in warning for warning in source.report()["warnings"])


def test_a_mark_in_a_large_file_costs_no_row(tmp_path: Path) -> None:
    part = b"\xef\xbb\xbf" + dump(HEADER, contacts() * 3000).encode()
    (tmp_path / "a.csv").write_bytes(part * 3)
    [(source, rows)] = read(tmp_path / "a.csv")
    assert (len(rows), source.rejects) == (3 * 24 * 3000, [])
    assert [row[0] for row in rows if not row[0].startswith("C-")] == []


# Web pages and XML


PAGE = """<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta http-equiv=Content-Type content="text/html; charset={charset}">
<style>td {{ mso-number-format: "\\@"; }}</style></head><body><table><tr><td>Client list</td></tr></table>
<TABLE border=1><THEAD><TR><TH>ID<TH>Name</TH><TH>Phone<TH>Address<TH>Note</TR></THEAD>
{rows}
</TABLE></body></html>"""


def page(charset: str = "utf-8") -> tuple[bytes, Rows]:
    rows = [
        [f"{idx:05d}", f"Jānis & Līga {idx}", f"+371 2{idx:07d}", f"Brīvības iela {idx}\nRīga", "<VIP>" if idx % 2 else ""]
        for idx in range(20)
    ]
    cells = "\n".join(
        f"<tr class=x><td x:str>{row[0]}</td><td>{row[1].replace('&', '&amp;')}<td align='left'>{row[2].replace(' ', '&nbsp;')}</td>"
        f"<td>  {row[3].split()[0]}\n   iela {idx}<br/>{row[3].splitlines()[1]} </td><td>{'&lt;VIP&gt;' if row[4] else '&nbsp;'}</td></tr>"
        for idx, row in enumerate(rows)
    )
    return PAGE.format(charset=charset, rows=cells).encode(charset), rows


@pytest.mark.parametrize("charset", ["utf-8", "windows-1257", "utf-16"])
@pytest.mark.parametrize("name", ["export.xls", "export.csv", "export.html"])
def test_a_page_with_a_table_is_read(tmp_path: Path, charset: str, name: str) -> None:
    content, rows = page(charset)
    (tmp_path / name).write_bytes(content)
    [(source, found)] = read(tmp_path / name)
    assert source.columns == ["ID", "Name", "Phone", "Address", "Note"]
    assert found == rows
    assert source.report()["format"] == "html"
    assert any("table 1" in warning for warning in source.report()["warnings"])


def test_a_page_from_a_stream_is_read() -> None:
    content, rows = page()
    [source] = open_sources([io.BytesIO(content)], ReadOptions())
    assert sum(len(batch) for batch, _ in source.batches()) == len(rows)


def test_spans_are_blanks_and_tables_in_cells_are_tables(tmp_path: Path) -> None:
    text = """<table><tr><td><table>
      <tr><td rowspan=2>City</td><td colspan=2>Sales</td><td rowspan=2>Code</td></tr><tr><td>2022</td><td>2023</td></tr>
      <tr><td rowspan="3">Riga</td><td>1</td><td>2</td><td>a1</td></tr><tr><td>3</td><td>4</td><td>b2</td></tr><tr><td>5<td>6<td>c3</tr>
      <tr><td>Cesis</td><td colspan=2>none</td><td>d4</td></tr></table></td><td>menu</td></tr></table>"""
    (tmp_path / "a.xls").write_text(text)
    [(source, rows)] = read(tmp_path / "a.xls", sheet="table 2", header_row=2)
    assert rows == [["Riga", "1", "2", "a1"], ["", "3", "4", "b2"], ["", "5", "6", "c3"], ["Cesis", "none", "", "d4"]]
    assert any("merged" in warning for warning in source.report()["warnings"])


def test_merged_titles_and_headers_cost_nothing_and_are_not_told(tmp_path: Path) -> None:
    text = """<table><tr><td colspan=3>Clients of 2024</td></tr><tr><td rowspan=2>City</td><td colspan=2>Sales</td></tr>
      <tr><td>plan</td><td>fact</td></tr><tr><td>Riga</td><td>1</td><td>2</td></tr><tr><td>Cesis</td><td>3</td><td>4</td></tr>
      <tr><td>Ogre</td><td>5</td><td>6</td></tr></table>"""
    (tmp_path / "a.xls").write_text(text)
    [(source, rows)] = read(tmp_path / "a.xls")
    assert (source.columns, rows) == (["City", "Sales plan", "Sales fact"], [["Riga", "1", "2"], ["Cesis", "3", "4"], ["Ogre", "5", "6"]])
    assert not any("merged" in warning for warning in source.report()["warnings"])


@pytest.mark.parametrize(
    "content",
    ["<html><body><p>Please log in</p></body></html>", "<!DOCTYPE html>\n<html><table></table>", "<table><tr><td>&nbsp;</td></tr></table>"],
)
def test_a_page_without_a_table_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.xls").write_text(content)
    with pytest.raises(crm.FileFormatError, match="without a table"):
        read(tmp_path / "a.xls")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<table><tr><td>" * 5_000, "tables within tables, more than 100 deep"),
        ("<table>" + "<tr><td colspan=99999999 rowspan=99999999>x" * 2_000, "has more than 16384 columns"),
        ("<table><tr>" + "<td>x" * 100_000, "row 1 of the table has more than 16384 columns"),
        ("<table><tr><td " + "a" * 1_000_000, "without a table"),
    ],
    ids=["nested", "spans", "wide", "one tag"],
)
def test_hostile_pages_are_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.xls").write_text(content)
    with pytest.raises(crm.FileFormatError, match=said):
        read(tmp_path / "a.xls")


def test_a_hostile_cell_is_cut_where_names_of_columns_are(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_text("<table><tr><td>" + "&" * 300_000 + "<!--")
    [(source, rows)] = read(tmp_path / "a.xls")
    assert (source.columns, rows) == (["&" * 4096], [])


XML = """<?xml version="1.0" encoding="{encoding}"?><?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Worksheet ss:Name="Клиенты"><Table>
<Row><Cell><Data ss:Type="String">Код</Data></Cell><Cell><Data ss:Type="String">Имя</Data></Cell>
<Cell><Data ss:Type="String">Дата</Data></Cell><Cell><Data ss:Type="String">Сумма</Data></Cell></Row>
{rows}
</Table></Worksheet><Worksheet ss:Name="Скрыт"><Table><Row><Cell><Data ss:Type="String">x</Data></Cell></Row></Table>
<WorksheetOptions><Visible>SheetHidden</Visible></WorksheetOptions></Worksheet></Workbook>"""


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
def test_xml_spreadsheets_of_2003_are_read(tmp_path: Path, encoding: str) -> None:
    rows = "\n".join(
        f'<Row ss:Index="{idx * 2 + 3}"><Cell><Data ss:Type="String">{idx:04d}</Data><Comment><ss:Data>old</ss:Data></Comment></Cell>'
        f'<Cell><ss:Data ss:Type="String">Иван <B>Петров</B> &amp; {idx}</ss:Data></Cell>'
        f'<Cell><Data ss:Type="DateTime">2024-05-{idx + 1:02d}T00:00:00.000</Data></Cell>'
        f'<Cell ss:Index="4"><Data ss:Type="Number">{idx}.5</Data></Cell></Row>'
        for idx in range(12)
    )
    (tmp_path / "a.xls").write_bytes(XML.format(encoding=encoding, rows=rows).encode(encoding))
    [(source, found)] = read(tmp_path / "a.xls")
    assert source.columns == ["Код", "Имя", "Дата", "Сумма"]
    assert found == [[f"{idx:04d}", f"Иван Петров & {idx}", f"2024-05-{idx + 1:02d}", f"{idx}.5"] for idx in range(12)]
    assert any("Скрыт" in warning for warning in source.report()["warnings"])


def test_one_text_file_in_a_zip_file_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("exports/", "")
        packed.writestr("exports/contacts.csv", dump(HEADER, contacts()))
        packed.writestr("__MACOSX/exports/._contacts.csv", "x")
    [(source, rows)] = read(tmp_path / "a.zip")
    assert (source.columns, rows) == (HEADER, contacts())
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as packed:
        packed.writestr("a.csv", "x")
        packed.writestr("b.csv", "x")
    with pytest.raises(crm.FileFormatError, match="2 files"):
        read(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", b"0" * (300 << 20))
    with pytest.raises(crm.FileFormatError, match="inflates|characters|longer|limit"):
        read(tmp_path / "bomb.zip")


# Rejects


def bytes_of(raw: str) -> bytes:
    """What the raw text of a reject says, byte by byte."""
    return re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), raw.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "cp1257"])
def test_rejects_keep_every_byte_and_their_line(tmp_path: Path, encoding: str) -> None:
    lines = dump(HEADER, contacts()).replace("Liepa", "Liepāja").encode(encoding).splitlines()
    undecodable = b"\xff\xfe" if encoding == "utf-8" else b"\xa1"
    bad = b'C-1,"Anna' + undecodable + b' C:\\x41\\new",a@x.lv,+371 20000000,Riga,2020-01-01'
    lines[10:10] = [b'C-0,"Two', b'lines",b@x.lv,+371 20000001,Riga,2020-01-01', bad]
    (tmp_path / "a.csv").write_bytes(b"\n".join(lines) + b"\n")
    [(source, rows)] = read(tmp_path / "a.csv", encoding=encoding)
    [reject] = source.rejects
    assert reject.row == 13
    assert bytes_of(reject.raw) == bad
    assert len(rows) == 25


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_lines_of_rejects_after_mended_rows(tmp_path: Path, eol: str) -> None:
    lines = dump(HEADER, contacts(200)).splitlines()
    lines[20] = lines[20].replace("C-1019", '"C-1019')  # a quote that never closes
    lines[60] = '"C-2,""x"",a@x.lv,+371 20000000,Riga,2020-01-01"'
    lines[100:100] = ['C-3,"a', "", 'b",c@x.lv,+371 20000000,Riga,2020-01-01', "too,many,cells,in,this,row,by,far,too,many"]
    lines[150] = "1;2;3,4,5,6,7,8,9"
    (tmp_path / "a.csv").write_bytes((eol.join(lines) + eol).encode())
    [(source, _)] = read(tmp_path / "a.csv")
    for reject in source.rejects:
        assert lines[reject.row - 1] == reject.raw
    assert {104, 151} <= {reject.row for reject in source.rejects}
