"""What contacts bought, and what came back from them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from crm_engine.analyses.figures import NEVER
from crm_engine.analyses.related import Related, Rows


@dataclass
class Purchases:
    """The rows of orders, or of won deals where there are no orders, that are purchases; arrays are ``[n_purchases]``."""

    rows: Rows
    #: Which rows of the table they are.
    kept: np.ndarray
    contact: np.ndarray
    when: np.ndarray
    cents: np.ndarray
    currency: np.ndarray


def purchase_rows(related: Related) -> Purchases:
    """What was bought by known contacts up to today; cancelled, refunded and returned orders are none."""
    orders = related.find("orders")
    if orders is not None:
        rows, when = orders, orders.first_time("placed_at", "ordered_at", "created_at", "time")
        kept = ~np.isin(rows.word("status"), ["cancelled", "refunded", "returned"]) if rows.has("status") else np.ones(len(rows), bool)
    else:
        rows = related.need("orders", "deals")
        kept, when = rows.word("stage") == "won", rows.first_time("closed_at", "created_at")
    kept &= (rows.contact >= 0) & (when != NEVER) & (when < related.now)
    return Purchases(rows, kept, rows.contact[kept], when[kept], rows.money()[kept], rows.currency()[kept])


def purchases(related: Related) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What was bought: contact, time, cents, currency."""
    found = purchase_rows(related)
    return found.contact, found.when, found.cents, found.currency


def purchases_by_contact(related: Related) -> dict[int, list[tuple[int, int, str]]]:
    """Purchases of each contact in order of time: (time, cents, currency)."""
    found: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    contact, when, cents, currency = purchases(related)
    order = np.lexsort((when, contact))
    for person, at, amount, code in zip(
        contact[order].tolist(), when[order].tolist(), cents[order].tolist(), currency[order].tolist(), strict=True
    ):
        found[person].append((at, amount, code))
    return found


def engaging(interactions: Rows) -> np.ndarray:
    """Whether something came back in each interaction: an answer, or the contact wrote or called itself."""
    hit = np.zeros(len(interactions), bool)
    if interactions.has("outcome"):
        hit |= np.isin(interactions.word("outcome"), ("answered", "follow-up", "resolved"))
    if interactions.has("direction"):
        hit |= interactions.word("direction") == "in"
    return hit & (interactions.contact >= 0)
