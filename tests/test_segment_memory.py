"""A memory limit divides the contacts, and changes nothing else."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import click.testing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crm_engine as crm
from crm_engine.cli import crm_engine as command_line
from crm_engine.segment_passes import SegmentPasses

CONTACTS = 30_000
RULES = {
    "features": {
        "spent": "sum(orders.amount)",
        "usual": "avg(orders.amount)",
        "spread": "stddev(orders.amount)",
        "last_product": "last(orders.product)",
        "products": "count(distinct orders.product)",
        "steady": "sum(period_sum(orders.amount, 'month', 12))",
        "fifth": "ntile(5, spent)",
    },
    "segments": {
        "buyers": "count(orders) > 3",
        "big": "spent > 250 and usual > 40 and spread < 60",
        "apples": "last_product = 'apple' or products > 3",
        "steady": "steady > 50",
        "top": "fifth = 5 and percent_rank() over (order by max(calls.at)) > 0.5",
    },
    "assign": {"group": [{"name": "top", "where": "segment('top')"}, {"name": "rest"}]},
    "tables": {"orders": {"time": "at"}, "calls": {"time": "at"}},
}


def tables(keys: list[Any]) -> tuple[pa.Table, dict[str, pa.Table]]:
    source = random.Random(11)
    day = lambda: 1_600_000_000_000_000 + source.randrange(60_000_000_000_000)  # noqa: E731

    def rows(count: int) -> list[Any]:
        return [source.choice(keys) for _ in range(count)]

    count = len(keys) * 3
    orders = pa.table(
        {
            "contact_id": rows(count),
            "amount": [source.random() * 100 for _ in range(count)],
            "product": [source.choice(["apple", "pear", "plum", "fig"]) for _ in range(count)],
            "at": pa.array([day() for _ in range(count)], pa.timestamp("us")),
        }
    )
    calls = pa.table({"contact_id": rows(count), "at": pa.array([day() for _ in range(count)], pa.timestamp("us"))})
    return pa.table({"contact_id": keys}), {"orders": orders, "calls": calls}


@pytest.mark.parametrize("kind", ["series", "sparse", "text"])
def test_the_same_bytes_in_several_passes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[Any] = {
        "series": list(range(CONTACTS)),
        "sparse": [number * 1_000_003 % (1 << 40) for number in range(CONTACTS)],
        "text": [f"c{number * 7919 % 1_000_003}" for number in range(CONTACTS)],
    }[kind]
    contacts, related = tables(keys)
    stretches = []
    load = SegmentPasses._load

    def watched(self: SegmentPasses, first: int, count: int) -> bool:
        stretches.append((first, count))
        return load(self, first, count)

    monkeypatch.setattr(SegmentPasses, "_load", watched)
    expected = crm.segment(contacts, RULES, related, today="2022-06-01")
    assert set(stretches) == {(0, CONTACTS)}
    assert all(expected.counts.values())
    pq.write_table(contacts, tmp_path / "contacts.parquet", row_group_size=1_000)
    for people in (contacts, tmp_path / "contacts.parquet"):
        stretches.clear()
        found = crm.segment(people, RULES, related, today="2022-06-01", memory_limit="6MiB", threads=2)
        assert len(set(stretches)) > 2
        assert found.members.equals(expected.members)
        assert found.assigned.equals(expected.assigned)
        assert found.warnings == expected.warnings
        for contact in (keys[0], keys[-1]):
            assert found.explain(contact) == expected.explain(contact)


def test_texts_and_distinct_values_are_counted_as_they_come() -> None:
    # What the rules say lets all contacts be taken at once; what the rows hold does not.
    count = 8_192
    contacts = pa.table({"contact_id": range(count)})
    notes = pa.table(
        {
            "contact_id": [row % count for row in range(count * 20)],
            "at": pa.array(range(count * 20), pa.timestamp("us")),
            "text": [f"{row} " + "x" * 300 for row in range(count * 20)],
        }
    )
    rules = {
        "segments": {"long": "length(last(notes.text)) > 300", "many": "count(distinct notes.text) = 20"},
        "tables": {"notes": {"time": "at"}},
    }
    expected = crm.segment(contacts, rules, {"notes": notes}, today="2026-01-01")
    found = crm.segment(contacts, rules, {"notes": notes}, today="2026-01-01", memory_limit="48MiB")
    assert expected.counts == {"long": count, "many": count}
    assert found.members.equals(expected.members)
    with pytest.raises(crm.LimitError, match="give the run more memory"):
        crm.segment(contacts, rules, {"notes": notes}, today="2026-01-01", memory_limit="8MiB")


def test_a_limit_that_is_too_small_says_what_would_do() -> None:
    contacts, related = tables(list(range(CONTACTS)))
    with pytest.raises(crm.LimitError, match=r"too small for 30000 contacts and these rules, .*give at least \d+ MiB"):
        crm.segment(contacts, RULES, related, memory_limit=100_000)
    with pytest.raises(crm.ConfigError):
        crm.segment(contacts, RULES, related, memory_limit="much")


@pytest.mark.parametrize("place", [5, CONTACTS - 1])
def test_a_key_that_occurs_twice_is_found_in_whatever_pass(place: int) -> None:
    keys = list(range(CONTACTS))
    keys[place] = 20_000
    contacts, related = tables(keys)
    for limit in (None, "6MiB"):
        with pytest.raises(crm.SchemaError, match="occurs more than once"):
            crm.segment(contacts, RULES, related, memory_limit=limit)


def test_the_command_takes_a_limit(tmp_path: Path) -> None:
    contacts, related = tables(list(range(2_000)))
    pq.write_table(contacts, tmp_path / "contacts.parquet")
    pq.write_table(related["orders"], tmp_path / "orders.parquet")
    (tmp_path / "rules.yaml").write_text("segments: {buyers: count(orders) > 3}", "utf-8")
    arguments = ["segment", str(tmp_path / "contacts.parquet"), str(tmp_path / "rules.yaml")]
    arguments += ["--related", f"orders={tmp_path / 'orders.parquet'}"]
    runner = click.testing.CliRunner()
    plain, limited = runner.invoke(command_line, arguments), runner.invoke(command_line, [*arguments, "--memory-limit", "1MiB"])
    assert (limited.exit_code, limited.output) == (0, plain.output)
    refused = runner.invoke(command_line, [*arguments, "--memory-limit", "1kB"])
    assert isinstance(refused.exception, crm.LimitError)
