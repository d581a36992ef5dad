"""Contacts, orders and rules of segments, on which tests of several subjects rest."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa

import crm_engine as crm

TODAY = datetime.date(2026, 11, 1)


def day(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


CONTACTS = pa.table(
    {
        "contact_id": ["c1", "c2", "c3", "c4"],
        "city": ["Rīga", "Riga", "Oslo", None],
        "tags": [["retail", "b2b"], [], None, ["retail"]],
        "marketing_consent": [True, False, None, True],
    }
)
ORDERS = pa.table(
    {
        "contact_id": ["c1", "c1", "c2", "c2", "c2", "nobody", None],
        "amount": [9000.0, 2000.0, 10.0, None, 5.0, 7.0, 8.0],
        "status": ["paid", "paid", "paid", "new", "paid", "paid", "paid"],
        "placed_at": [
            day("2026-10-01"),
            day("2026-09-01"),
            day("2025-01-01"),
            day("2025-02-01"),
            day("2026-12-24"),
            day("2026-01-01"),
            None,
        ],
    }
)
INTERACTIONS = pa.table({"contact_id": ["c3", "c3", "c1"], "kind": ["quote_request", "call", "quote_request"]})

RULES = """
today: 2026-11-01
features:
  orders_90d: count(orders) filter (where placed_at >= today - interval '90 days')
  spent_total: sum(orders.amount) filter (where status = 'paid')
segments:
  warm_leads:
    title: Тёплые лиды
    where: count(interactions) filter (where kind = 'quote_request') > 0 and count(orders) = 0
  vip:
    where: spent_total > 10000 and last(orders.placed_at) >= today - interval '180 days'
  riga_retail:
    where: city in ('Rīga', 'Riga') and 'retail' = any(tags) and not segment('nobody')
  nobody:
    where: orders_90d > 100
assign:
  group:
    - {name: Key accounts, where: segment('vip')}
    - {name: Warm leads, where: segment('warm_leads')}
    - {name: Everyone else}
"""


def run(rules: Any, contacts: Any = CONTACTS, **options: Any) -> crm.SegmentResult:
    options.setdefault("related", {"orders": ORDERS, "interactions": INTERACTIONS})
    return crm.segment(contacts, rules, **options)
