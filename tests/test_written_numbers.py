"""Numbers as people write them: columns and cells, by hand and against each other."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import crm_engine as crm
from crm_engine.amounts import money, numbers
from crm_engine.edited import is_same_cell
from crm_engine.written_numbers import as_number, written_numbers


def texts(*values: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string())])


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
        (("1,234",), (None,)),
        (("1.234",), ("1.234",)),
        (("12,50", "$5", "1,2,3"), ("12.50", None, None)),
        (("+5", "-.5", "5."), ("5", "-0.5", "5")),
    ],
)
def test_numbers_are_read_as_they_were_written(written: tuple[str | None, ...], plain: tuple[str | None, ...]) -> None:
    found = written_numbers(texts(*written))
    assert found.values.to_pylist() == list(plain)
    assert found.n_unread == sum(text is not None and number is None for text, number in zip(written, plain, strict=True))


@pytest.mark.parametrize(
    "text", ["5 1000", "1000 500", "12 34", "1 234 56", "1 234'567", "0 123", "1,23,456", "1..5", "- 5", "12 345 6789,5"]
)
def test_groups_are_of_three_digits_or_it_is_no_number(text: str) -> None:
    found = written_numbers(texts("7", text))
    assert (found.values.to_pylist(), found.n_unread, found.first_unread) == (["7", None], 1, 1)
    assert as_number(text) is None


@pytest.mark.parametrize(
    ("column", "contradicting"),
    [(["1.234,50"] * 20, "12.5"), (["1,234.50"] * 20, "12,5"), (["1 234,5"] * 20, "1,234.5"), (["0.5"] * 20, "1.234.567")],
)
def test_a_value_that_contradicts_the_sign_of_its_column_is_not_read_by_the_other(column: list[str], contradicting: str) -> None:
    found = written_numbers(texts(*column, contradicting))
    assert (found.values[-1].as_py(), found.n_unread, found.is_undecided) == (None, 1, True)
    with pytest.raises(crm.SchemaError, match="row 21 of column 'amount' is no amount; .* one decimal sign in the whole column"):
        money(texts(*column, contradicting), "amount", "orders")


def test_a_column_that_shows_both_signs_does_not_tell_how_an_open_value_is_meant() -> None:
    assert written_numbers(texts("1,5", "2,5", "3.5", "1,234", "7", "1 000")).values.to_pylist() == ["1.5", "2.5", None, None, "7", "1000"]
    assert written_numbers(texts("1,5", "3.5", "1,234", "7")).values.to_pylist() == [None, None, None, "7"]
    assert written_numbers(texts("1.234", "1,234")).values.to_pylist() == [None, None]


def test_a_cell_is_read_as_a_column_of_it_is() -> None:
    draw = random.Random(7)
    for _ in range(3_000):
        text = "".join(draw.choices("1234567890 .,-'()\u00a0", k=draw.randrange(1, 10))).strip()
        number = written_numbers(texts(text)).values[0].as_py()
        assert as_number(text) == (None if number is None else float(number)), text


def test_an_amount_that_may_be_two_is_an_error_that_names_the_row() -> None:
    assert money(texts("1 234,50", ""), "amount", "orders").to_pylist() == [Decimal("1234.50"), None]
    for wrong in ("1,234", "5 EUR", "1.2.3", "5 1000"):
        with pytest.raises(crm.SchemaError, match=r"orders: row 2 of column 'amount' is no amount; write it as 1234.50 or 1 234,50"):
            money(texts("1", wrong), "amount", "orders")
        with pytest.raises(crm.SchemaError, match=r"orders: row 2 of column 'hours' is no number; write it as 1234.5 or 1 234,5"):
            numbers(texts("1", wrong), "hours", "orders")


def test_cards_read_numbers_as_columns_do(tmp_path: Path) -> None:
    template = crm.CardTemplate.load({"columns": [{"limit": {"check": "number", "max": 40000}}]})
    assert template.problems({"limit": "1 234,50"}) == []
    assert template.problems({"limit": "5 1000"}) == [("limit", "is no number")]
    assert template.problems({"limit": "51 000"}) == [("limit", "is more than 40000")]
    assert is_same_cell("1 234,5", "1234.5")
    assert not is_same_cell("5 1000", "51000")
    assert is_same_cell("1,234", "1.234")


def test_targets_are_amounts_like_any_other(tmp_path: Path) -> None:
    orders = {"contact_id": ["a"], "placed_at": ["2026-01-05"], "amount": ["10"], "currency": ["EUR"]}
    plans = "period;metric;target;currency\n2026-01;revenue;1 234,50;EUR\n2026-02;revenue;2000,00;EUR\n"
    (tmp_path / "plans.csv").write_text(plans, "utf-8")
    (tmp_path / "plans.yaml").write_text('plans:\n- {period: 2026-01, metric: revenue, target: "1 234,50", currency: EUR}\n', "utf-8")
    for file, targets in (("plans.csv", ["1234.50", "2000.00"]), ("plans.yaml", ["1234.50"])):
        found = crm.plan(tmp_path / file, {"orders": orders}, today=dt.date(2026, 1, 31)).table
        assert found["target"].to_pylist() == [Decimal(target) for target in targets]
    (tmp_path / "plans.csv").write_text(plans + "2026-03;revenue;5 1000;EUR\n", "utf-8")
    with pytest.raises(crm.ConfigError, match="row 3 of the plans: the target '5 1000' must be an amount such as 1234.50 or 1 234,50"):
        crm.plan(tmp_path / "plans.csv", {"orders": orders})
