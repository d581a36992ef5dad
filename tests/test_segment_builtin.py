"""The built-in sets: they fit their schema, and run over tables of any key."""

from __future__ import annotations

import datetime
import random

import jsonschema
import pyarrow as pa
import pytest
import yaml
from segment_samples import CONTACTS, ORDERS, TODAY, run

import crm_engine as crm
from crm_engine.rules import rules_schema


@pytest.mark.parametrize("name", sorted(crm.builtin_rules()))
def test_builtin_sets_fit_their_schema_and_run(name: str) -> None:
    jsonschema.validate(yaml.safe_load(crm.builtin_rules()[name].read_text("utf-8")), rules_schema())
    rows = 300
    source = random.Random(1)
    contacts = pa.table(
        {
            "contact_id": range(rows),
            "birth_date": [datetime.date(1980, source.randint(1, 12), source.randint(1, 28)) for _ in range(rows)],
            "phone": [source.choice([None, " ", "+371 2"]) for _ in range(rows)],
            "email": [source.choice([None, "", "a@b.lv"]) for _ in range(rows)],
            "marketing_consent": [source.choice([None, True, False]) for _ in range(rows)],
        }
    )
    moments = [datetime.datetime(2026, 11, 1) - datetime.timedelta(days=source.expovariate(1 / 200)) for _ in range(rows * 3)]
    orders = pa.table(
        {
            "contact_id": [int(source.random() ** 2 * rows) for _ in moments],
            "amount": [source.lognormvariate(4, 1) for _ in moments],
            "placed_at": moments,
        }
    )
    interactions = pa.table({"contact_id": [source.randrange(rows) for _ in range(rows)], "occurred_at": moments[:rows]})
    result = crm.segment(contacts, f"builtin:{name}", {"orders": orders, "interactions": interactions}, today=TODAY)
    assert result.warnings == []
    assert any(result.counts.values())
    if name in ("rfm", "abc", "relationship"):
        sizes = result.summary["assigned"]
        assert all(sum(groups.values()) <= rows for groups in sizes.values())
        if name == "rfm":
            buyers = len(set(orders["contact_id"].to_pylist()))
            assert sum(sizes["rfm_money"].values()) == buyers
            assert max(sizes["rfm_money"].values()) - min(sizes["rfm_money"].values()) <= 1
        if name == "abc":
            assert sum(sizes["abc"].values()) == rows


def test_builtin_sets_work_with_any_contact_key() -> None:
    contacts, orders = (
        CONTACTS.rename_columns(["client_no", *CONTACTS.column_names[1:]]),
        ORDERS.rename_columns(["client_no", "amount", "status", "placed_at"]),
    )
    expected = run("builtin:rfm", today=TODAY).members.to_pylist()
    assert run("builtin:rfm", contacts, related={"orders": orders}, key="client_no", today=TODAY).members.to_pylist() == expected
    named = ORDERS.rename_columns(["client", "amount", "status", "placed_at"])
    with pytest.raises(crm.SchemaError, match="tables: {orders: {contact: COLUMN}}"):
        run("builtin:rfm", related={"orders": named})
    rules = ["builtin:rfm", {"tables": {"orders": {"contact": "client"}}}]
    assert run(rules, related={"orders": named}, today=TODAY).members.to_pylist() == expected
