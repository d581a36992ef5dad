"""Analyses of the demo against plain loops over its CSV files, written from what the docs say and sharing no code with the analyses."""

import csv
import datetime as dt
import itertools
import math
import statistics
from collections import Counter, defaultdict
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

import crm_engine as crm
from crm_engine.demo import write_demo

TODAY = dt.date(2026, 10, 31)
END = dt.datetime(2026, 11, 1)
ANSWERED = ("answered", "follow-up", "resolved")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow") / "exports"
    write_demo(folder, rows=1_500)
    return folder


@pytest.fixture(scope="module")
def demo(folder):
    def rows(name):
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]

    tables = {name: rows(name) for name in ("orders", "deals", "tasks", "campaign_contacts", "campaigns", "costs")}
    tables["interactions"] = pq.read_table(folder / "interactions.parquet").to_pylist()
    return tables


def who(row):
    """The contact of a row, as the docs define it; the demo's phones are Russian ones, or begin with a plus."""
    if row.get("customer_no"):
        return f"{row['source']}:{row['customer_no']}"
    phone = row.get("phone")
    digits = "".join(char for char in phone or "" if char.isdigit())
    return phone and ("+7" + digits[1:] if len(digits) == 11 and digits[0] == "8" else "+" + digits)


def when(value):
    return value if value is None or isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)


def bought(demo):
    """(contact, time, amount, currency) of orders that stand."""
    return [
        (who(row), when(row["placed_at"]), Decimal(row["amount"]), row["currency"])
        for row in demo["orders"]
        if row["status"] not in ("cancelled", "refunded", "returned") and when(row["placed_at"]) < END
    ]


def test_value_to_date_and_expected(demo, folder):
    found = crm.analyze("value", folder, today=TODAY)
    history = defaultdict(list)
    for contact, at, amount, currency in bought(demo):
        history[contact].append((at, amount, currency))
    for purchases in history.values():
        purchases.sort(key=lambda purchase: purchase[0])
    ages = {contact: (END - purchases[0][0]).total_seconds() for contact, purchases in history.items()}
    mean_age = statistics.mean(ages.values())
    mean_rate = sum(map(len, history.values())) / sum(ages.values())
    gaps = [
        (later[0] - earlier[0]).total_seconds()
        for purchases in history.values()
        for earlier, later in itertools.pairwise(purchases)
        if later[0] > earlier[0]
    ]
    typical = statistics.median(gaps)
    seen = set()
    for row in found.table.to_pylist():
        purchases = history[row["contact"]]
        own = [amount for _, amount, currency in purchases if currency == row["currency"]]
        assert (row["value_to_date"], row["purchases"]) == (sum(own), len(own))
        assert row["recency_days"] == (END - dt.timedelta(seconds=1) - purchases[-1][0]).days
        rate = (len(purchases) + mean_rate * mean_age) / (ages[row["contact"]] + mean_age)
        span = (purchases[-1][0] - purchases[0][0]).total_seconds()
        gap = max(typical, span / (len(purchases) - 1) if len(purchases) > 1 and span else typical)
        active = 0.5 ** max(0, (END - purchases[-1][0]).total_seconds() / gap - 1)
        assert row["active_probability"] == pytest.approx(active)
        expected = float(sum(own)) / len(purchases) * rate * 365 * 86_400 * active
        assert float(row["expected_value"]) == pytest.approx(expected, abs=0.0051)
        seen.add((row["contact"], row["currency"]))
    assert seen == {(contact, currency) for contact, _, _, currency in bought(demo)}
    for currency in ("EUR", "RUB"):
        sums = sorted((sum(a for _, a, c in p if c == currency) for p in history.values()), reverse=True)
        sums = [amount for amount in sums if amount]
        ranked = [row for row in found.table.to_pylist() if row["currency"] == currency]
        running = Decimal(0)
        for row, amount in zip(ranked, sums, strict=True):
            assert row["value_to_date"] == amount
            assert row["abc"] == ("A" if running < sum(sums) * Decimal("0.8") else "B" if running < sum(sums) * Decimal("0.95") else "C")
            running += amount
        concentration = [row for row in found.tables["concentration"].to_pylist() if row["currency"] == currency]
        assert len(concentration) > 1
        for row in concentration:
            assert row["revenue"] == sum(sums[: max(1, math.ceil(len(sums) * row["top_share"]))])


def test_churn_by_month_and_survival(demo, folder):
    found = crm.analyze("churn", folder, today=TODAY, lost_after_days=120)
    first, last = {}, {}
    for contact, at, _, _ in bought(demo):
        first[contact] = min(first.get(contact, at), at)
        last[contact] = max(last.get(contact, at), at)
    gone = {contact: at + dt.timedelta(days=120) for contact, at in last.items() if at + dt.timedelta(days=120) < END}
    new, lost = Counter(f"{at:%Y-%m}" for at in first.values()), Counter(f"{at:%Y-%m}" for at in gone.values())
    clients = 0
    for row in found.table.to_pylist():
        month = row["month"]
        assert (row["clients_at_start"], row["new_clients"], row["lost"]) == (clients, new[month], lost[month])
        clients += new[month] - lost[month]
    assert clients == len(first) - len(gone)
    revenue = defaultdict(Decimal)
    for contact, at, amount, currency in bought(demo):
        if contact in gone and at > last[contact] - dt.timedelta(days=365):
            revenue[f"{gone[contact]:%Y-%m}", currency] += amount
    assert {(row["month"], row["currency"]): row["revenue_lost"] for row in found.tables["revenue_lost"].to_pylist()} == revenue
    kinds = Counter()
    for contact, at in gone.items():
        before = [
            (row["occurred_at"], row["kind"], row["outcome"] or "")
            for row in demo["interactions"]
            if who(row) == contact and row["occurred_at"] <= at
        ]
        kinds[max(before)[1] if before else "no contact recorded"] += 1
    after = Counter()
    for row in found.tables["after"].to_pylist():
        after[row["last_contact_kind"]] += row["clients"]
    assert after == kinds
    # Kaplan and Meier's product, with each loss as its own factor.
    month = 30.4375 * 86_400
    spans = [((gone.get(c, END) - at).total_seconds() / month, c in gone) for c, at in first.items()]
    survival = found.tables["survival"].to_pylist()
    assert survival[-1]["months"] > 12
    for row in survival:
        share = 1.0
        for at in sorted({span for span, is_lost in spans if is_lost and span <= row["months"]}):
            share *= 1 - sum(1 for span, is_lost in spans if is_lost and span == at) / sum(1 for span, _ in spans if span >= at)
        assert row["surviving_share"] == pytest.approx(share)


def test_levels_and_their_flow(demo, folder):
    found = crm.analyze("levels", folder, today=TODAY)

    def level(contact, at):
        # The rules count whole days from the day that ends at this moment.
        day = at - dt.timedelta(days=1)
        orders = [time for time in orders_of[contact] if time < at]
        recent = any(time >= day - dt.timedelta(days=180) for time in orders)
        if not orders:
            touched = any(day - dt.timedelta(days=90) <= time < at for time in touches[contact])
            first = any(time < at for time in known[contact])
            return "Engaged potential client" if touched else "Potential client" if first else None
        if not recent:
            return "Former client"
        return "Active client" if len(orders) > 1 else "New client"

    orders_of, touches, known = defaultdict(list), defaultdict(list), defaultdict(list)
    for contact, at, _, _ in bought(demo):
        orders_of[contact].append(at)
    for row in demo["interactions"]:
        touches[who(row)].append(row["occurred_at"])
        known[who(row)].append(row["occurred_at"])
    for row in demo["deals"]:
        known[who(row)].append(when(row["created_at"]))
    people = {*orders_of, *known} - {None}
    today = Counter(level(contact, END) for contact in people)
    names = ("Potential client", "Engaged potential client", "New client", "Active client", "Former client")
    assert {row["level"]: row["contacts"] for row in found.table.to_pylist()} == {name: today[name] for name in names}
    flows = Counter((level(contact, dt.datetime(2026, 10, 1)) or "new", level(contact, END)) for contact in people)
    last = {
        (row["from_level"], row["to_level"]): row["contacts"] for row in found.tables["flows"].to_pylist() if row["period_end"] == TODAY
    }
    assert last == {pair: n for pair, n in flows.items() if pair[1]}


def test_owners(demo, folder):
    found = {row["owner"]: row for row in crm.analyze("owners", folder, today=TODAY).table.to_pylist()}
    kinds = {"call": "calls", "email": "letters", "letter": "letters", "meeting": "meetings", "visit": "meetings"}
    made, deals, overdue, answers = Counter(), Counter(), Counter(), defaultdict(list)
    asked = set()
    for row in sorted(demo["interactions"], key=lambda row: row["occurred_at"]):
        made[row["owner"], kinds.get(row["kind"], "other_contacts")] += 1
        pair = (row["owner"], who(row))
        if row["response_minutes"] is not None and pair not in asked and pair[1]:
            asked.add(pair)
            answers[row["owner"]].append(row["response_minutes"])
    for row in demo["deals"]:
        deals[row["owner"], row["stage"]] += 1
    for row in demo["tasks"]:
        overdue[row["owner"]] += row["done_at"] is None and when(row["due_at"]) < END - dt.timedelta(days=1)
    assert set(found) == {owner for owner, _ in made}
    for owner, row in found.items():
        assert {name: row[name] for name in {*kinds.values(), "other_contacts"}} == {
            name: made[owner, name] for name in {*kinds.values(), "other_contacts"}
        }
        assert row["overdue_tasks"] == overdue[owner]
        assert (row["won"], row["lost"]) == (deals[owner, "won"], deals[owner, "lost"])
        assert row["win_rate"] == pytest.approx(row["won"] / (row["won"] + row["lost"]))
        assert row["median_response_minutes"] == statistics.median(answers[owner])


def test_channels_and_campaigns(demo, folder):
    found = crm.analyze("channels", folder, today=TODAY)
    touches = defaultdict(list)
    for row in demo["interactions"]:
        touches[who(row)].append((row["occurred_at"], row["channel"]))
    for row in demo["deals"]:
        touches[who(row)].append((when(row["created_at"]), row["channel"]))
    first = {contact: min(times)[1] for contact, times in touches.items() if contact}
    revenue, cost = defaultdict(Decimal), defaultdict(Decimal)
    for contact, _, amount, currency in bought(demo):
        revenue[first.get(contact, "unknown"), currency] += amount
    for row in demo["costs"]:
        cost[row["channel"], row["currency"]] += Decimal(row["amount"])
    contacts = Counter(first.values())
    assert {row["channel"] for row in found.table.to_pylist()} >= set(contacts)
    for row in found.table.to_pylist():
        key = (row["channel"], row["currency"])
        assert (row["contacts"], row["revenue"], row["cost"]) == (contacts[row["channel"]], revenue[key], cost[key])
        assert row["return"] == (pytest.approx(float((revenue[key] - cost[key]) / cost[key])) if cost[key] else None)
    sent, opened = Counter(), Counter()
    for row in demo["campaign_contacts"]:
        sent[row["campaign_id"]] += row["sent_at"] is not None
        opened[row["campaign_id"]] += row["opened_at"] is not None
    campaigns = crm.analyze("campaigns", folder, today=TODAY).table.to_pylist()
    assert {row["campaign"] for row in campaigns} == set(sent)
    for row in campaigns:
        assert (row["sent"], row["opened"]) == (sent[row["campaign"]], opened[row["campaign"]])


def test_service(demo, folder):
    found = {row["kind"]: row for row in crm.analyze("service", folder, today=TODAY).table.to_pylist()}
    orders = defaultdict(list)
    for contact, at, _, _ in bought(demo):
        orders[contact].append(at)
    assert len(found) > 1
    for kind, row in found.items():
        own = [r for r in demo["interactions"] if r["kind"] == kind]
        assert row["opened"] == len(own)
        assert row["answered"] == sum(r["outcome"] not in (None, "no answer") for r in own)
        assert row["solved"] == sum(r["outcome"] == "resolved" for r in own)
        ratings = [r["satisfaction"] for r in own if r["satisfaction"] is not None]
        assert row["mean_satisfaction"] == (pytest.approx(statistics.mean(ratings)) if ratings else None)
        began = {}
        for r in own:
            if who(r):
                began[who(r)] = min(began.get(who(r), r["occurred_at"]), r["occurred_at"])
        again = sum(any(at < order <= at + dt.timedelta(days=180) for order in orders[contact]) for contact, at in began.items())
        assert (row["contacts"], row["bought_again"]) == (len(began), again)


def test_readiness_is_checked_on_the_past(demo, folder):
    found = crm.analyze("readiness", folder, today=TODAY)
    calibration = found.tables["calibration"].to_pylist()
    then = END - dt.timedelta(days=60)
    buyers = {contact for contact, at, _, _ in bought(demo) if then <= at < END}
    known = {who(row) for row in demo["interactions"] if row["occurred_at"] < then} | {c for c, at, _, _ in bought(demo) if at < then}
    known.discard(None)
    assert sum(row["contacts"] for row in calibration) == len(known) == found.summary["checked_on"]
    assert sum(row["contacts"] * row["bought_share"] for row in calibration) == pytest.approx(len(known & buyers))
    assert calibration[0]["bought_share"] > 2 * calibration[-1]["bought_share"]


def test_reminders(demo, folder):
    rows = crm.analyze("reminders", folder, today=TODAY).table.to_pylist()
    tasks = [row for row in demo["tasks"] if row["done_at"] is None and when(row["due_at"]) < END + dt.timedelta(days=7)]
    assert sum(row["kind"] == "task" for row in rows) == len(tasks)
    last = {}
    for row in demo["interactions"]:
        if who(row):
            last[who(row)] = max(last.get(who(row), row["occurred_at"]), row["occurred_at"])
    neglected = {contact for contact, at in last.items() if at + dt.timedelta(days=90) < END}
    assert {row["contact"] for row in rows if row["kind"] == "neglected"} == neglected
