"""What belongs to the demo's contacts: orders, payments, deals and their stages, interactions, tasks, campaigns, costs and plans.

Each table refers to a contact by (`source`, `customer_no`); some calls know a phone number only, as call logs do.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine.demo import words
from crm_engine.demo.exports import TODAY_DAY, ExportRows
from crm_engine.demo.people import choose, digits, draw, join, pick, share, where

_TODAY = TODAY_DAY * 86_400
_NONE = np.iinfo(np.int64).min


def _times(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds, mask=seconds == _NONE).cast(pa.timestamp("s"))


def _money(cents: np.ndarray) -> pa.Array:
    return join(pa.array(cents // 100).cast(pa.string()), ".", digits(cents % 100, 2)).cast(pa.decimal128(18, 2))


def _amount(seed: int, ids: np.ndarray, attribute: str, scale: float) -> np.ndarray:
    """Cents, skewed as sums of money are: many small, few large."""
    uniform = (draw(seed, ids, attribute) >> np.uint64(11)).astype(float) / 2**53
    return np.asarray((scale * np.exp(3.2 * uniform)).astype(np.int64) * 5)


def _currency(rows: ExportRows, index: np.ndarray) -> pa.Array:
    """Russian numbers pay in roubles, all others in euros."""
    column = "Country/Region" if "Country/Region" in rows.table.column_names else "country"
    if column not in rows.table.column_names:
        return pick(["EUR"], np.zeros(len(index), int))
    russian = pc.equal(rows.table[column], "Russia").to_numpy()[index]
    return pick(["EUR", "RUB"], russian.astype(int))


def _repeat(counts: np.ndarray, rows: ExportRows) -> tuple[np.ndarray, np.ndarray]:
    """Row position and a number of its own for each belonging row."""
    index = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
    # Fewer than 32 belong to a row; what belongs to an entity's second row is numbered behind that of its first.
    nth += 32 * rows.is_second[index]
    salt = {"hubspot": 0, "bitrix24": 1, "klienti": 2, "webshop": 3}[rows.export.source]
    return index, (rows.entities[index] * 64 + nth) * 4 + salt


def _reference(rows: ExportRows, index: np.ndarray) -> dict[str, pa.Array]:
    return {
        "source": pick([rows.export.source], np.zeros(len(index), int)),
        "customer_no": rows.keys.take(pa.array(index)),
    }


def related_tables(rows: ExportRows, seed: int) -> Iterator[tuple[str, pa.Table]]:
    """The tables that belong to these rows, as (name, table)."""
    source = rows.export.source
    if source == "webshop":
        orders = _orders(rows, seed)
        yield "orders", orders
        yield "payments", _payments(orders, seed)
        yield "campaign_contacts", _campaign_contacts(rows, seed)
    if source == "hubspot":
        yield from _deals(rows, seed)
        yield "tasks", _tasks(rows, seed)
    if source in ("hubspot", "bitrix24", "webshop"):
        yield "interactions", _interactions(rows, seed)


def _orders(rows: ExportRows, seed: int) -> pa.Table:
    counts = choose(seed, rows.entities, "orders", 12, skew=1.4) - 1
    index, ids = _repeat(counts.clip(0), rows)
    loyal = choose(seed, rows.entities[index], "since", 1100)
    age = (loyal + 30) * ((draw(seed, ids, "placed") >> np.uint64(11)).astype(float) / 2**53)
    placed = _TODAY - (age * 86_400).astype(np.int64)
    return pa.table(
        {
            "order_id": join("O", pa.array(ids).cast(pa.string())),
            **_reference(rows, index),
            "product": pick(words.PRODUCTS, choose(seed, ids, "product", len(words.PRODUCTS), skew=1.0)),
            "quantity": pa.array(1 + choose(seed, ids, "quantity", 6, skew=1.5)),
            "amount": _money(_amount(seed, ids, "order amount", 300)),
            "currency": _currency(rows, index),
            "status": pick(["paid", "shipped", "cancelled", "refunded"], choose(seed, ids, "status", 4, skew=2.5)),
            "placed_at": _times(placed),
        }
    )


def _payments(orders: pa.Table, seed: int) -> pa.Table:
    ids = pc.utf8_slice_codeunits(orders["order_id"], 1).cast(pa.int64()).to_numpy()
    placed = orders["placed_at"].cast(pa.int64()).to_numpy()
    status = choose(seed, ids, "payment", 3, skew=4.0)
    paid = np.where(status == 1, _NONE, placed + choose(seed, ids, "paid", 20 * 86_400))
    return pa.table(
        {
            "payment_id": join("P", pa.array(ids).cast(pa.string())),
            "order_id": orders["order_id"].combine_chunks(),
            "amount": orders["amount"].combine_chunks(),
            "currency": orders["currency"].combine_chunks(),
            "status": pick(["received", "overdue", "returned"], status),
            "due_at": _times(placed + 14 * 86_400),
            "paid_at": _times(paid),
        }
    )


def _deals(rows: ExportRows, seed: int) -> Iterator[tuple[str, pa.Table]]:
    counts = np.maximum(choose(seed, rows.entities, "deals", 6, skew=1.6) - 1, 0)
    index, ids = _repeat(counts, rows)
    created = _TODAY - 86_400 * (5 + choose(seed, ids, "deal age", 700))
    owner = choose(seed, ids, "deal owner", len(words.OWNERS))
    strength = 0.72 + 0.03 * (owner % 4)
    stage = np.zeros(len(ids), int)
    at = created.copy()
    alive = np.ones(len(ids), bool)
    history = [(ids, stage.copy(), at.copy())]
    for step in range(1, 7):
        goes_on = share(seed, ids, f"{step} advances", strength)
        gone = share(seed, ids, f"lose {step}", 0.75)
        back = (stage > 0) & share(seed, ids, f"back {step}", 0.05)
        following = np.where(back, stage - 1, np.where(goes_on, stage + 1, np.where(gone, 5, stage)))
        arrived = (
            at
            + 3600
            + (86_400 * 14 * (draw(seed, ids, f"wait {step}") >> np.uint64(11)).astype(float) / 2**53 * (1 + stage)).astype(np.int64)
        )
        moves = alive & (following != stage) & (arrived < _TODAY)
        alive &= moves
        stage, at = np.where(moves, following, stage), np.where(moves, arrived, at)
        history.append((ids[moves], stage[moves], at[moves]))
        alive &= stage < 4
    closed = np.where(stage >= 4, at, _NONE)
    deal_ids = join("D", pa.array(ids).cast(pa.string()))
    reason = pick(words.LOST_REASONS, choose(seed, ids, "reason", 5, skew=0.8))
    yield (
        "deals",
        pa.table(
            {
                "deal_id": deal_ids,
                **_reference(rows, index),
                "stage": pick(words.STAGES, stage),
                "amount": _money(_amount(seed, ids, "deal amount", 8_000)),
                "currency": _currency(rows, index),
                "product": pick(words.PRODUCTS, choose(seed, ids, "deal product", len(words.PRODUCTS), skew=1.0)),
                "owner": pick(words.OWNERS, owner),
                "channel": pick(words.CHANNELS, choose(seed, rows.entities[index], "channel", 8, skew=0.8)),
                "created_at": _times(created),
                "closed_at": _times(closed),
                "lost_reason": where(stage == 5, reason, pa.nulls(len(ids), pa.string())),
            }
        ),
    )
    stage_ids, stages, entered = (np.concatenate(column) for column in zip(*history, strict=True))
    order = np.argsort(draw(seed, stage_ids * 8 + stages, "shuffle"), kind="stable")
    yield (
        "deal_stages",
        pa.table(
            {
                "deal_id": join("D", pa.array(stage_ids[order]).cast(pa.string())),
                "stage": pick(words.STAGES, stages[order]),
                "entered_at": _times(entered[order]),
            }
        ),
    )


def _interactions(rows: ExportRows, seed: int) -> pa.Table:
    counts = choose(seed, rows.entities, "contacts " + rows.export.source, 9, skew=0.9)
    index, ids = _repeat(counts, rows)
    kind = choose(seed, ids, "kind", len(words.INTERACTION_KINDS), skew=0.6)
    kinds = np.array(words.INTERACTION_KINDS)[kind]
    spoken = np.isin(kinds, ["call", "meeting", "chat", "quote_request", "complaint"])
    phone_column = next(column for column in ("Phone Number", "Рабочий телефон", "phone") if column in rows.table.column_names)
    phones = rows.table[phone_column].combine_chunks().take(pa.array(index))
    by_phone = (kinds == "call") & share(seed, ids, "call log", 0.5) & pc.is_valid(phones).to_numpy(zero_copy_only=False)
    nothing = pa.nulls(len(ids), pa.string())
    reference = _reference(rows, index)
    happened = _TODAY - 86_400 - choose(seed, ids, "happened", 540 * 86_400)
    rated = np.isin(kinds, ["complaint", "review", "chat"]) & share(seed, ids, "rated", 0.7)
    return pa.table(
        {
            "interaction_id": join("I", pa.array(ids).cast(pa.string())),
            "source": where(by_phone, pick(["phone system"], np.zeros(len(ids), int)), reference["source"]),
            "customer_no": where(by_phone, nothing, reference["customer_no"]),
            "phone": where(by_phone, phones, nothing),
            "kind": pick(words.INTERACTION_KINDS, kind),
            "direction": pick(["in", "out"], choose(seed, ids, "direction", 2)),
            "channel": pick(words.CHANNELS, choose(seed, rows.entities[index], "channel", 8, skew=0.8)),
            "owner": pick(words.OWNERS, choose(seed, rows.entities[index], "owner", len(words.OWNERS))),
            "occurred_at": _times(happened),
            "outcome": pick(["answered", "no answer", "follow-up", "resolved", "refused"], choose(seed, ids, "outcome", 5, skew=0.8)),
            "response_minutes": pa.array(3 + choose(seed, ids, "response", 2_000, skew=0.9), mask=~spoken),
            "satisfaction": pa.array(5 - choose(seed, ids, "satisfaction", 5, skew=1.2), mask=~rated),
        }
    )


def _tasks(rows: ExportRows, seed: int) -> pa.Table:
    index, ids = _repeat(share(seed, rows.entities, "task", 0.15).astype(int), rows)
    due = _TODAY + 86_400 * (choose(seed, ids, "due", 60) - 40)
    done = share(seed, ids, "done", 0.6) & (due < _TODAY)
    return pa.table(
        {
            "task_id": join("T", pa.array(ids).cast(pa.string())),
            **_reference(rows, index),
            "owner": pick(words.OWNERS, choose(seed, rows.entities[index], "owner", len(words.OWNERS))),
            "title": pick(["Call back", "Send proposal", "Перезвонить", "Nosūtīt rēķinu"], choose(seed, ids, "task title", 4)),
            "due_at": _times(due),
            "done_at": _times(np.where(done, due - 3600, _NONE)),
        }
    )


def _campaign_contacts(rows: ExportRows, seed: int) -> pa.Table:
    index, ids = _repeat(choose(seed, rows.entities, "mailings", 4), rows)
    nth = ids // 4 % 32
    sent = _TODAY - 86_400 * (30 + 90 * nth) + choose(seed, ids, "sent", 7_200)
    opened = share(seed, ids, "opened", 0.45)
    answered = opened & share(seed, ids, "answered", 0.2)
    return pa.table(
        {
            "campaign_id": pick([f"C{number}" for number in range(1, 5)], nth),
            **_reference(rows, index),
            "sent_at": _times(sent),
            "opened_at": _times(np.where(opened, sent + 600 + choose(seed, ids, "open in", 86_400), _NONE)),
            "answered_at": _times(np.where(answered, sent + 90_000 + choose(seed, ids, "answer in", 86_400), _NONE)),
        }
    )


def campaigns() -> pa.Table:
    """The mailings that ``campaign_contacts`` refers to."""
    days = [TODAY_DAY - 30 - 90 * number for number in range(4)]
    return pa.table(
        {
            "campaign_id": [f"C{number}" for number in range(1, 5)],
            "name": ["Rudens atlaides", "Летняя распродажа", "Spring catalogue", "Winter offers"],
            "channel": ["email", "email", "email", "social"],
            "started_at": _times(np.array(days, np.int64) * 86_400),
            "cost": _money(np.array([120_000, 90_000, 150_000, 60_000])),
            "currency": ["EUR"] * 4,
        }
    )


def _months(n_months: int) -> list[str]:
    """The last months up to the demo's present, oldest first, as ``2026-10``."""
    last = 2026 * 12 + 9
    return [f"{month // 12}-{month % 12 + 1:02d}" for month in range(last - n_months + 1, last + 1)]


def costs(n_rows: int, seed: int) -> pa.Table:
    """What each channel cost per month, in euros."""
    months = [month for month in _months(24) for _ in words.CHANNELS]
    channels = words.CHANNELS * 24
    cents = _amount(seed, np.arange(len(months)), "cost", 400) * max(1, n_rows // 500)
    free = np.array([channel in ("referral", "partner") for channel in channels])
    return pa.table({"channel": channels, "month": months, "amount": _money(np.where(free, 0, cents)), "currency": ["EUR"] * len(months)})


def plans(n_rows: int) -> pa.Table:
    """Targets per quarter, owner and metric."""
    per_owner = max(1, n_rows // 2_000)
    targets = {
        "new_clients": 6 * per_owner,
        "revenue": 20_000 * per_owner,
        "contacts_made": 60 * per_owner,
        "active_clients_kept": 15 * per_owner,
    }
    rows = [
        {
            "period": period,
            "owner": owner,
            "metric": metric,
            "product": None,
            "target": target,
            "currency": "EUR" if metric == "revenue" else None,
        }
        for period in ("2026-Q2", "2026-Q3", "2026-Q4")
        for owner in words.OWNERS
        for metric, target in targets.items()
    ]
    schema = pa.schema(
        [(name, pa.string()) for name in ("period", "owner", "metric", "product")] + [("target", pa.int64()), ("currency", pa.string())]
    )
    return pa.Table.from_pylist(rows, schema)
