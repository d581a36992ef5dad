"""What became of the won deals' money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.columns import column, first_column, money, texts
from crm_engine.errors import SchemaError
from crm_engine.funnels.deal_columns import DealColumns


def paid(deals: pa.Table, columns: DealColumns, payments: pa.Table, options: dict[str, Any]) -> tuple[pa.Table, pa.Table]:
    """What became of the won deals' money, by currency, and the won deals that have brought nothing."""
    name = options.get("deal", "deal_id")
    won = pc.equal(deals["status"].cast(pa.string()), "won")
    ids = texts(deals["deal"].cast(pa.string())).filter(won).combine_chunks()
    of_payment = texts(column(payments, name, "payments").cast(pa.string()))
    mine = pc.is_in(of_payment, value_set=ids)
    part = payments.filter(mine)
    status_name = first_column(payments, ("status", "kind"), "payments", "status")
    status = texts(part[status_name])
    known = ("received", "overdue", "returned")
    strange = pc.unique(status.filter(pc.invert(pc.is_in(status, value_set=pa.array(known))))).to_pylist()
    if [value for value in strange if value is not None]:
        raise SchemaError(f"payments: {status_name!r} is {strange[0]!r}; known are {', '.join(known)}")
    amount = money(column(part, "amount", "payments"), "amount", "payments")
    currency = (
        texts(part["currency"])
        if "currency" in part.column_names
        else pa.chunked_array([pa.array([columns.currencies[0]] * len(part), pa.string())])
    )
    frame = pa.table({"deal": of_payment.filter(mine), "status": status, "amount": amount, "currency": pc.fill_null(currency, "")})
    sums = {
        (row["currency"], row["status"]): row["amount_sum"]
        for row in frame.group_by(["currency", "status"]).aggregate([("amount", "sum")]).to_pylist()
    }
    won_numpy = won.to_numpy(zero_copy_only=False)
    won_amount = pa.table(
        {
            "currency": pa.array(columns.currencies, pa.string()).take(pa.array(columns.currency_codes[won_numpy])).fill_null(""),
            "amount": money(columns.amount.filter(won), "amount", "deals"),
        }
    )
    won_sums = {
        row["currency"]: row for row in won_amount.group_by("currency").aggregate([("amount", "sum"), ("amount", "count")]).to_pylist()
    }
    nothing = pa.scalar(Decimal(0), amount.type)
    signed = pc.if_else(
        pc.equal(frame["status"], "received"),
        frame["amount"],
        pc.if_else(pc.equal(frame["status"], "returned"), pc.negate(frame["amount"]), nothing),
    )
    net = pa.table({"deal": frame["deal"], "net": signed}).group_by("deal").aggregate([("net", "sum")])
    paid = net.filter(pc.greater(net["net_sum"], Decimal(0)))["deal"].combine_chunks()
    unpaid = deals.filter(won).filter(pc.invert(pc.is_in(ids, value_set=paid)))
    unpaid_currency = np.isin(
        np.flatnonzero(won_numpy), np.flatnonzero(won_numpy)[~pc.is_in(ids, value_set=paid).to_numpy(zero_copy_only=False)]
    )
    unpaid_by: dict[str, int] = {}
    for place, code in zip(unpaid_currency, columns.currency_codes[won_numpy], strict=True):
        if place:
            key = columns.currencies[code] or ""
            unpaid_by[key] = unpaid_by.get(key, 0) + 1
    rows = []
    for key in sorted({*won_sums, *(pair[0] for pair in sums)}):
        row = won_sums.get(key, {})
        rows.append(
            {
                "currency": key or None,
                "won_deals": row.get("amount_count", 0),
                "won_amount": row.get("amount_sum"),
                "received": sums.get((key, "received"), Decimal(0)),
                "overdue": sums.get((key, "overdue"), Decimal(0)),
                "returned": sums.get((key, "returned"), Decimal(0)),
                "unpaid_deals": unpaid_by.get(key, 0),
            }
        )
    decimal = pa.decimal128(38, max(columns.scale, amount.type.scale))
    schema = [
        ("currency", pa.string()),
        ("won_deals", pa.int64()),
        *((n, decimal) for n in ("won_amount", "received", "overdue", "returned")),
        ("unpaid_deals", pa.int64()),
    ]
    return pa.Table.from_pylist(rows, pa.schema(schema)), unpaid.select(["deal", "stage", "last_time"])
