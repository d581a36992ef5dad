"""Workbooks of plans and funnels: amounts are numbers, shares percentages, and sheets without rows are left out."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from crm_engine.cli import run
from crm_engine.figures_workbook import write_figures

FIGURES = pa.table(
    {
        "stage": ["a", "b", "c"],
        "amount": pa.array([Decimal("1234.50"), Decimal("-0.25"), None], pa.decimal128(38, 2)),
        "won_share": [0.8424242424242424, 1.0, None],
        "median_days": [7.6, 2.0, None],
    }
)


def test_amounts_are_numbers_and_shares_percentages(tmp_path: Path) -> None:
    write_figures({"figures": FIGURES, "none": FIGURES.slice(0, 0)}, tmp_path / "x.xlsx")
    book = openpyxl.load_workbook(tmp_path / "x.xlsx")
    assert book.sheetnames == ["figures"]
    cells = [[(cell.value, cell.number_format) for cell in row][1:3] for row in book["figures"].iter_rows(min_row=2)]
    assert cells[:2] == [[(1234.5, "#,##0.00"), (0.8424242424242424, "0.0%")], [(-0.25, "#,##0.00"), (1, "0.0%")]]
    assert [value for value, _ in cells[2]] == [None, None]


def test_tables_that_are_all_empty_are_all_written(tmp_path: Path) -> None:
    write_figures({"one": FIGURES.slice(0, 0), "two": FIGURES.slice(0, 0)}, tmp_path / "x.xlsx")
    assert openpyxl.load_workbook(tmp_path / "x.xlsx").sheetnames == ["one", "two"]


def test_workbooks_of_plans_and_funnels(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    assert run(["demo", "-o", str(demo), "--rows", "200", "-q"]) == 0
    commands = {
        "plan": ["plan", str(demo / "plans.csv")],
        "funnel": ["funnel", str(demo / "deals.csv"), str(demo / "deal_stages.csv")],
    }
    for name, command in commands.items():
        assert run([*command, "-q", "-o", str(tmp_path / f"{name}.xlsx")]) == 0
        for sheet in openpyxl.load_workbook(tmp_path / f"{name}.xlsx"):
            assert sheet.max_row > 1
            columns = {column[0].value: column[1:] for column in sheet.iter_cols()}
            for header in {"target", "fact", "amount", "open_amount", "reached_amount"} & set(columns):
                assert not [cell.value for cell in columns[header] if isinstance(cell.value, str)]
            for header in {"attainment", "conversion_from_start", "won_share"} & set(columns):
                assert {cell.number_format for cell in columns[header] if cell.value is not None} <= {"0.0%"}
    assert run([*commands["plan"], "-q", "--table", "plan", "-o", str(tmp_path / "plan.parquet")]) == 0
    assert pa.types.is_decimal(pq.read_schema(tmp_path / "plan.parquet").field("fact").type)
    assert run([*commands["plan"], "-q", "--table", "plan", "-o", str(tmp_path / "one.xlsx")]) == 0
    facts = [row[6] for row in openpyxl.load_workbook(tmp_path / "one.xlsx").active.iter_rows(min_row=2, values_only=True)]
    assert not [fact for fact in facts if isinstance(fact, str)]
