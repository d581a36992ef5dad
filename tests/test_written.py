"""Dates as people write them, against Python's own parsers, the engine's, and by hand."""

from __future__ import annotations

import datetime as dt
import random
import warnings
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine import _core
from crm_engine.cli import run
from crm_engine.columns import times
from crm_engine.written import written_months, written_times

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
        # Years of two digits are those from 1931 to 2030, here as in Rust.
        moments = [dt.datetime(1970, 1, 1) + dt.timedelta(seconds=draw.randrange(0, 1_900_000_000)) for _ in range(300)]
        written = [moment.strftime(form) for moment in moments]
        wanted = [dt.datetime.strptime(text, form) for text in written]
        found = written_times(texts(*written))
        assert found.values.to_pylist() == wanted, form
        assert not found.is_ambiguous
        assert found.has_clock == ("%M" in form)


def test_days_that_are_none_are_not_read() -> None:
    wrong = ("31.02.2026", "2026/13/32", "0.1.2026", "3/4-2026", "1/2/345", "1.1.2026 24:00", "1.1.2026 13:00 pm", "10:15", "1.2", "")
    assert written_times(texts(*wrong)).values.null_count == len(wrong)
    assert written_times(texts("29.02.2024", None)).values.to_pylist() == [dt.datetime(2024, 2, 29), None]


WRITTEN_IN_WORDS = {
    "3 апреля 2026 г.": dt.date(2026, 4, 3),
    "Apr 3, 2026": dt.date(2026, 4, 3),
    "03-APR-85": dt.date(1985, 4, 3),
    "1985. gada 3. aprīlis": dt.date(1985, 4, 3),
    "5. 6. 1975": dt.date(1975, 6, 5),
    "01.05.2026г.": dt.date(2026, 5, 1),
    "20260405": dt.date(2026, 4, 5),
    "2026-13-05": dt.date(2026, 5, 13),
    "31/12/30": dt.date(2030, 12, 31),
    "31/12/31": dt.date(1931, 12, 31),
}


@pytest.mark.parametrize("text", WRITTEN_IN_WORDS)
def test_a_date_is_what_contacts_are_read_by(text: str) -> None:
    """One reader: what a column of a related table makes of a date is what ``dedupe`` makes of one in a contact."""
    day = WRITTEN_IN_WORDS[text]
    assert written_times(texts(text)).values.to_pylist() == [dt.datetime(day.year, day.month, day.day)]
    assert _core.normal_values("created_at", pa.array([text])).to_pylist() == [[day.isoformat()]]


def days(*written: str, order: str | None = None, is_part: bool = False) -> list[dt.date | None]:
    """The days of a column of dates."""
    return [None if value is None else value.date() for value in written_times(texts(*written), order, is_part=is_part).values.to_pylist()]


def test_what_the_column_says_decides_the_order_of_day_and_month() -> None:
    assert days("03/04/2026", "05/13/2026")[0] == dt.date(2026, 3, 4)
    assert days("03/04/2026", "13/05/2026")[0] == dt.date(2026, 4, 3)
    assert days("03/04/2026", "3.4.2026") == [dt.date(2026, 4, 3)] * 2
    assert not written_times(texts("04/04/2026")).is_ambiguous
    assert written_times(texts("03/04/2026")).is_ambiguous
    with pytest.warns(
        crm.AmbiguousDatesWarning, match=r"deals: the dates of column 'at' can be read .* day first; say which with date_order=\.\.\."
    ):
        assert times(texts("03/04/2026"), "at", "deals")[0].as_py() == dt.datetime(2026, 4, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert times(texts("03/04/2026"), "at", "deals", order="mdy")[0].as_py() == dt.datetime(2026, 3, 4)


def test_the_order_that_is_said_answers_only_what_a_column_leaves_open() -> None:
    assert days("03/04/2026", "13/05/2026", order="mdy") == [dt.date(2026, 4, 3), dt.date(2026, 5, 13)]
    assert days("03/04/2026", "05/13/2026", order="dmy") == [dt.date(2026, 3, 4), dt.date(2026, 5, 13)]
    # Points are written where the day comes first, unless the column shows the contrary.
    assert days("03.04.2026", order="mdy") == [dt.date(2026, 4, 3)]
    assert days("03.04.2026", "03/04/2026", order="mdy") == [dt.date(2026, 4, 3)] * 2
    assert days("03.04.2026", "12.31.2026", order="dmy") == [dt.date(2026, 3, 4), dt.date(2026, 12, 31)]


def test_a_column_has_an_order_when_its_dates_show_it_twenty_times_more_often() -> None:
    clear = ["01/31/2026"] * 20 + ["31/01/2026", "03/04/2026"]
    assert days(*clear, order="dmy")[-2:] == [dt.date(2026, 1, 31), dt.date(2026, 3, 4)]
    mixed = clear[1:]
    assert written_times(texts(*mixed)).is_ambiguous
    assert days(*mixed, order="mdy")[-1] == dt.date(2026, 3, 4)
    assert days(*mixed, order="dmy")[-1] == dt.date(2026, 4, 3)
    # A column that shows both is still read where there is only one reading.
    assert days("13/05/2026", "05/13/2026") == [dt.date(2026, 5, 13)] * 2


def test_years_of_two_digits_come_first_only_where_it_is_said_and_may_be() -> None:
    assert days("25/12/10", "01/02/03", order="ymd") == [dt.date(2025, 12, 10), dt.date(2001, 2, 3)]
    assert days("25/12/85", "01/02/03", order="ymd") == [dt.date(1985, 12, 25), dt.date(2003, 2, 1)]
    assert days("25/12/10", "01/02/03", order="mdy") == [dt.date(2010, 12, 25), dt.date(2003, 2, 1)]
    assert written_times(texts("03/04/2026"), "ymd").is_ambiguous


def test_a_part_of_a_column_is_read_by_one_order_or_not_at_all() -> None:
    """What a batch shows cannot count: which days its dates are must not depend on how a stream is cut."""
    assert days("03/04/2026", "05/13/2026", is_part=True) == [dt.date(2026, 4, 3), None]
    assert days("03/04/2026", "13/05/2026", "13.05.2026", order="mdy", is_part=True) == [dt.date(2026, 3, 4), None, dt.date(2026, 5, 13)]
    with pytest.raises(crm.SchemaError, match=r"row 12 of column 'at' is no date .* or say date_order"):
        times(texts("13/05/2026", "05/13/2026"), "at", "events", 10)


def test_months_are_read_as_dates_are() -> None:
    written = (
        "2026-01",
        "2026-1",
        "01.2026",
        "май 2026",
        "May 2026",
        "31.01.2026",
        "2026/05",
        "2026-05-31T10:00",
        None,
        "2026-W01",
        "many",
    )
    found = [None if month is None else (month.year, month.month) for month in written_months(texts(*written)).values.to_pylist()]
    assert found == [(2026, 1), (2026, 1), (2026, 1), (2026, 5), (2026, 5), (2026, 1), (2026, 5), (2026, 5), None, None, None]
    costs = {"channel": ["ads"] * 2, "month": ["31.01.2026", "01.02.2026"], "amount": ["1 234,50", "2,00"], "currency": ["EUR"] * 2}
    calls = {"contact_id": ["a"], "occurred_at": ["2026-01-05"], "channel": ["ads"]}
    orders = {"contact_id": ["a"], "placed_at": ["2026-01-05"], "amount": ["10"], "currency": ["EUR"]}
    tables = {"costs": costs, "interactions": calls, "orders": orders}
    by_month = crm.analyze("channels", tables, today=dt.date(2026, 3, 1)).tables["by_month"].to_pylist()
    assert {(row["month"], row["cost"]) for row in by_month if row["cost"]} == {
        ("2026-01", Decimal("1234.50")),
        ("2026-02", Decimal("2.00")),
    }


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
