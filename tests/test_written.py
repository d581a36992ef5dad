"""Dates and amounts as people write them, against Python's own parsers and by hand."""

from __future__ import annotations

import datetime as dt
import random
import warnings
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine.cli import run
from crm_engine.columns import money, times
from crm_engine.written import plain_numbers, written_times

FORMS = {
    "dmy": ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d/%m/%Y", "%d-%m-%y", "%d/%m/%Y %I:%M:%S %p"),
    "mdy": ("%m/%d/%Y", "%m-%d-%Y %H:%M:%S", "%m/%d/%y %I:%M %p"),
    "ymd": ("%Y/%m/%d", "%Y-%m-%d %H:%M", "%Y.%m.%d"),
}


def texts(*values: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string())])


@pytest.mark.parametrize("order", FORMS)
def test_dates_are_read_as_they_were_written(order: str) -> None:
    draw = random.Random(order)
    for form in FORMS[order]:
        moments = [dt.datetime(1970, 1, 1) + dt.timedelta(seconds=draw.randrange(0, 3_000_000_000)) for _ in range(300)]
        written = [moment.strftime(form) for moment in moments]
        wanted = [dt.datetime.strptime(text, form) for text in written]
        found = written_times(texts(*written))
        assert found.values.to_pylist() == wanted, form
        assert not found.is_ambiguous
        assert found.has_clock == ("%M" in form)


def test_days_that_are_none_are_not_read() -> None:
    wrong = ("31.02.2026", "2026/13/01", "0.1.2026", "3/4-2026", "1/2/345", "1.1.2026 24:00", "1.1.2026 13:00 pm", "10:15", "1.2", "")
    assert written_times(texts(*wrong)).values.null_count == len(wrong)
    assert written_times(texts("29.02.2024", None)).values.to_pylist() == [dt.datetime(2024, 2, 29), None]


def test_what_the_column_says_decides_the_order_of_day_and_month() -> None:
    assert written_times(texts("03/04/2026", "05/13/2026")).values[0].as_py() == dt.datetime(2026, 3, 4)
    assert written_times(texts("03/04/2026", "13/05/2026")).values[0].as_py() == dt.datetime(2026, 4, 3)
    assert written_times(texts("03/04/2026", "3.4.2026")).values.to_pylist() == [dt.datetime(2026, 4, 3)] * 2
    assert not written_times(texts("04/04/2026")).is_ambiguous
    assert written_times(texts("03/04/2026")).is_ambiguous
    with pytest.warns(
        crm.AmbiguousDatesWarning, match=r"deals: the dates of column 'at' can be read .* day first; say which with date_order=\.\.\."
    ):
        assert times(texts("03/04/2026"), "at", "deals")[0].as_py() == dt.datetime(2026, 4, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert times(texts("03/04/2026"), "at", "deals", order="mdy")[0].as_py() == dt.datetime(2026, 3, 4)
    with pytest.raises(crm.SchemaError, match="row 3 of column 'at' is no date"):
        times(texts("13/05/2026", None, "05/13/2026"), "at", "deals")


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        (("1 234,50", "2000,00", "-15,00", None), ("1234.50", "2000.00", "-15.00", None)),
        (("1\u00a0234\u202f567,8", "7"), ("1234567.8", "7")),
        (("1,234.50", "2,000.00", "5"), ("1234.50", "2000.00", "5")),
        (("1,234", "12.5"), ("1234", "12.5")),
        (("1.234,5", "1.234"), ("1234.5", "1234")),
        (("1'234.50", "(15.00)", "\u22127"), ("1234.50", "-15.00", "-7")),
        (("1,234,567",), ("1234567",)),
        (("1.234.567", "1.234"), ("1234567", "1234")),
        (("1,234",), ("1,234",)),
        (("12,50", "$5", "1,2,3"), ("12.50", "$5", "1,2,3")),
    ],
)
def test_amounts_are_read_as_they_were_written(written: tuple[str | None, ...], plain: tuple[str | None, ...]) -> None:
    assert plain_numbers(texts(*written))[0].to_pylist() == list(plain)


def test_an_amount_that_may_be_two_is_an_error_that_names_the_row() -> None:
    assert money(texts("1 234,50", ""), "amount", "orders").to_pylist() == [Decimal("1234.50"), None]
    for wrong in ("1,234", "5 EUR", "1.2.3"):
        with pytest.raises(crm.SchemaError, match=r"orders: row 2 of column 'amount' is no amount; write it as 1234.50 or 1 234,50"):
            money(texts("1", wrong), "amount", "orders")


DEALS = """deal_id;stage;amount;currency;created_at
0001;qualification;1 234,50;EUR;03.04.2026
0002;won;2000,00;EUR;05.04.2026 10:15
0003;proposal;-15,00;RUB;13.05.2026
"""


def test_a_funnel_reads_an_export_of_a_russian_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "сделки.csv").write_bytes(DEALS.encode("cp1251"))
    funnel = crm.pipeline_funnel(tmp_path / "сделки.csv", None, {"by": "month"})
    first = funnel.amounts.filter(pa.compute.equal(funnel.amounts["stage"], "qualification")).to_pylist()
    assert {(row["month"], row["currency"]): row["reached_amount"] for row in first if row["reached_amount"]} == {
        (dt.date(2026, 4, 1), "EUR"): Decimal("3234.50"),
        (dt.date(2026, 5, 1), "RUB"): Decimal("-15.00"),
    }


def test_segments_and_analyses_follow_the_order_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "contacts.csv").write_text("id,postcode\n1,1010\n2,1050\n")
    (tmp_path / "orders.csv").write_text('id,placed_at,amount\n1,03/04/2026,"12,50"\n1,03/04/2027,"7,00"\n')
    rules = {"segments": {"march": "month(last(orders.placed_at)) = 3 and sum(orders.amount) = 12.5 and starts_with(postcode, '10')"}}
    asked = (tmp_path / "contacts.csv", rules, {"orders": tmp_path / "orders.csv"})
    assert crm.segment(*asked, today="2026-11-01", date_order="mdy").counts == {"march": 1}
    with pytest.warns(crm.AmbiguousDatesWarning, match="orders: the dates of column 'placed_at'"):
        assert crm.segment(*asked, today="2026-11-01").counts == {"march": 0}
    (tmp_path / "orders.csv").write_text('contact_id,placed_at,amount,currency\n1,03/04/2026,"12,50",EUR\n')
    for order, month in (("mdy", "2026-03"), ("dmy", "2026-04")):
        assert crm.analyze("churn", tmp_path, date_order=order).table["month"].to_pylist()[0] == month
    with pytest.raises(crm.ConfigError, match="date_order is 'american', and must be one of dmy, mdy, ymd"):
        crm.analyze("churn", tmp_path, date_order="american")
    assert run(["analyze", "churn", str(tmp_path), "--json"]) == 0
    heard = capsys.readouterr()
    assert '"orders: the dates of column' in heard.out
    assert "warning: orders: the dates of column 'placed_at'" in heard.err
    assert run(["analyze", "churn", str(tmp_path), "--date-order", "mdy"]) == 0
    assert "warning" not in capsys.readouterr().err
