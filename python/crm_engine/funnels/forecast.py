"""What open deals are worth by historic conversion, and how right the same forecast would have been before."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa

from crm_engine.funnels.pipeline_tables import PipelineTables


def forecast(view: PipelineTables) -> pa.Table:
    """What the open deals of each stage are worth by the historic conversion from there."""
    rows = []
    amounts = view.decimal(view.found["total_current_amount"]).to_pylist()
    n_currencies = len(view.columns.currencies)
    for stage, won_share in enumerate(view.won_shares()[:-1]):
        for number, currency in enumerate(view.columns.currencies):
            n_open = int(view.by_currency[number, stage + 1])
            if n_open and amounts:
                amount = amounts[stage * n_currencies + number]
                rows.append(
                    {
                        "stage": view.names[stage],
                        "currency": currency,
                        "open_deals": n_open,
                        "open_amount": amount,
                        "won_share": None if won_share is None else float(won_share),
                        "expected_amount": None if won_share is None else _times(amount, won_share, view.columns.scale),
                    }
                )
    decimal = pa.decimal128(38, view.columns.scale)
    schema = [
        ("stage", pa.string()),
        ("currency", pa.string()),
        ("open_deals", pa.int64()),
        ("open_amount", decimal),
        ("won_share", pa.float64()),
        ("expected_amount", decimal),
    ]
    return pa.Table.from_pylist(rows, pa.schema(schema))


def _times(amount: Decimal, by: Fraction, scale: int) -> Decimal:
    exact = Fraction(amount) * by * 10**scale
    return Decimal(round(exact)).scaleb(-scale)


def forecast_check(view: PipelineTables, dates: list[dt.date]) -> pa.Table:
    """The forecast that the same method would have made at the start of past periods, and what became of those deals."""
    check = view.found["forecast"]
    n_currencies = len(view.columns.currencies)
    shape = (len(dates), view.n, n_currencies)
    amounts = {
        name: np.array(view.decimal(check[name]).to_pylist(), object).reshape(shape)
        for name in ("open_amount", "won_amount", "pending_amount")
    }
    counts = {name: check[name].reshape(shape) for name in ("open", "won", "pending")}
    decided, won = check["decided"].reshape(-1, view.n), check["decided_won"].reshape(-1, view.n)
    rows = []
    for index, date in enumerate(dates):
        shares = [
            Fraction(int(won[index, stage]), int(decided[index, stage])) if decided[index, stage] else None for stage in range(view.n)
        ]
        for number, currency in enumerate(view.columns.currencies):
            if not counts["open"][index, :, number].sum() or any(
                shares[stage] is None for stage in range(view.n - 1) if counts["open"][index, stage, number]
            ):
                continue
            zero = Decimal(0).scaleb(-view.columns.scale)
            expected = since = zero
            for stage in range(view.n - 1):
                open_amount, pending = amounts["open_amount"][index, stage, number], amounts["pending_amount"][index, stage, number]
                expected += _times(open_amount, shares[stage] or Fraction(0), view.columns.scale)
                since += _times(open_amount - pending, shares[stage] or Fraction(0), view.columns.scale)
            actual = sum(amounts["won_amount"][index, :, number], zero)
            rows.append(
                {
                    "at": date,
                    "currency": currency,
                    "open_deals": int(counts["open"][index, :, number].sum()),
                    "still_open_deals": int(counts["pending"][index, :, number].sum()),
                    "expected_amount": expected,
                    "expected_of_decided": since,
                    "won_amount": actual,
                    "error": float((since - actual) / actual) if actual else None,
                }
            )
    decimal = pa.decimal128(38, view.columns.scale)
    schema = [
        ("at", pa.date32()), ("currency", pa.string()), ("open_deals", pa.int64()), ("still_open_deals", pa.int64()),
        ("expected_amount", decimal), ("expected_of_decided", decimal), ("won_amount", decimal), ("error", pa.float64()),
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, pa.schema(schema))
