"""What became of the won deals' money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.amounts import money
from crm_engine.columns import column, first_column, ids, texts
from crm_engine.errors import SchemaError
from crm_engine.funnels.deal_columns import DealColumns
from crm_engine.related_words import own_name, words_of
from crm_engine.written_currencies import currencies, without_currencies

#: What a payment may be.
STATUSES = ("received", "overdue", "returned")


def paid(deals: pa.Table, columns: DealColumns, payments: pa.Table, options: dict[str, Any]) -> tuple[pa.Table, pa.Table]:
    """What became of the won deals' money, by currency, and the won deals that have brought nothing.

    A payment without a currency is in its deal's. A deal is paid when more of its own currency was received than returned; a deal that
    has no currency, when that is so in any.
    """
    is_won = pc.equal(deals["status"].cast(pa.string()), "won").to_numpy(zero_copy_only=False)
    currency_of_deal = pa.array(columns.currencies, pa.string()).take(pa.array(columns.currency_codes)).fill_null("")
    entries = _entries(deals, is_won, currency_of_deal, payments, options)
    has_net = _has_net(entries, currency_of_deal, len(deals))
    unpaid = is_won & ~has_net
    won = pa.table({"currency": currency_of_deal, "amount": money(columns.amount, "amount", "deals")}).filter(pa.array(is_won))
    found: dict[str, dict[str, Any]] = {}
    for row in won.group_by("currency").aggregate([("amount", "sum"), ([], "count_all")]).to_pylist():
        found[row["currency"]] = {"won_deals": row["count_all"], "won_amount": row["amount_sum"]}
    for row in entries.group_by(["currency", "status"]).aggregate([("amount", "sum")]).to_pylist():
        found.setdefault(row["currency"], {})[row["status"]] = row["amount_sum"]
    for currency in currency_of_deal.filter(pa.array(unpaid)).to_pylist():
        found[currency]["unpaid_deals"] = found[currency].get("unpaid_deals", 0) + 1
    none = {"won_deals": 0, "won_amount": None, **dict.fromkeys(STATUSES, Decimal(0)), "unpaid_deals": 0}
    rows = [{"currency": currency or None, **none, **found[currency]} for currency in sorted(found)]
    decimal = pa.decimal128(38, max(columns.scale, entries["amount"].type.scale))
    schema = [
        ("currency", pa.string()),
        ("won_deals", pa.int64()),
        *((name, decimal) for name in ("won_amount", *STATUSES)),
        ("unpaid_deals", pa.int64()),
    ]
    return pa.Table.from_pylist(rows, pa.schema(schema)), deals.filter(pa.array(unpaid)).select(["deal", "stage", "last_time"])


def _entries(deals: pa.Table, is_won: np.ndarray, currency_of_deal: pa.Array, payments: pa.Table, options: dict[str, Any]) -> pa.Table:
    """The payments of won deals: ``deal`` (its row), ``status``, ``amount``, ``currency``."""
    of_payment = ids(column(payments, options.get("deal", "deal_id"), "payments"))
    deal = pc.index_in(of_payment, value_set=ids(deals["deal"]).combine_chunks())
    mine = pc.and_(pc.is_valid(of_payment), pc.fill_null(pa.array(is_won).take(deal.combine_chunks()), False))
    part, deal = payments.filter(mine), deal.filter(mine).combine_chunks()
    name = first_column(payments, ("status", "kind"), "payments", "status")
    status = _statuses(part[name])
    strange = pc.unique(status.filter(pc.invert(pc.is_in(status, value_set=pa.array(STATUSES)))).drop_null()).to_pylist()
    if strange:
        raise SchemaError(f"payments: {own_name(payments, name)!r} is {strange[0]!r}; known are {', '.join(STATUSES)}")
    own = currency_of_deal.take(deal)
    raw, named = without_currencies(column(part, "amount", "payments"))
    said = currencies(part["currency"] if "currency" in part.column_names else None, named, "payments")
    currency = own if said is None else pc.coalesce(said, own)
    amount = money(raw, own_name(payments, "amount"), "payments")
    entries = pa.table({"deal": deal, "status": status, "amount": amount, "currency": currency})
    return entries.filter(pc.is_valid(entries["status"]))


def _statuses(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """What became of each payment; one that is paid was received, and one that is refunded returned."""
    known = words_of(texts(values).to_numpy(zero_copy_only=False), "status")
    ours = {"paid": "received", "refunded": "returned"}
    return pa.chunked_array([pa.array([ours.get(value, value) for value in known.tolist()], pa.string())])


def _has_net(entries: pa.Table, currency_of_deal: pa.Array, n_deals: int) -> np.ndarray:
    """Whether more was received than returned, per deal, in its currency."""
    amount = entries["amount"]
    signed = pc.if_else(
        pc.equal(entries["status"], "received"),
        amount,
        pc.if_else(pc.equal(entries["status"], "returned"), pc.negate(amount), pa.scalar(Decimal(0), amount.type)),
    )
    own = currency_of_deal.take(entries["deal"].combine_chunks())
    counts = pc.or_(pc.equal(own, ""), pc.equal(own, entries["currency"]))
    net = pa.table({"deal": entries["deal"], "currency": entries["currency"], "net": signed}).filter(counts)
    sums = net.group_by(["deal", "currency"]).aggregate([("net", "sum")])
    has_net = np.zeros(n_deals, bool)
    has_net[sums["deal"].filter(pc.greater(sums["net_sum"], Decimal(0))).to_numpy()] = True
    return has_net
