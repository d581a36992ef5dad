"""Rows for the tests of ``crm.dedupe``, and what must hold of every result."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pyarrow as pa

import crm_engine as crm

HEADER = ["source_key", "given_name", "family_name", "email", "phone", "birth_date", "city", "updated_at", "level"]
ROWS = [
    ["1", "Anna", "Ozola", "anna.ozola@inbox.lv", "+371 29123456", "1985-04-03", "Rīga", "2024-01-01", "gold"],
    ["2", "ANNA", "OZOLA", "Anna.Ozola@inbox.lv", "29123456", "1985-04-03", "Riga", "2024-06-01", ""],
    ["3", "Jānis", "Bērziņš", "janis.berzins@gmail.com", "+371 26555444", "1970-12-31", "Liepāja", "2023-01-01", "silver"],
    ["4", "Janis", "Berzins", "janis.berzins@gmail.com", "", "1970-12-31", "", "2022-01-01", "bronze"],
    ["5", "Kristaps", "Kalniņš", "kristaps@kalnins.lv", "+371 22111333", "1990-07-15", "Ogre", "2021-01-01", ""],
    ["6", "Мария", "Иванова", "m.ivanova@mail.ru", "8 912 345-67-89", "1992-02-29", "Москва", "2020-01-01", ""],
]


def table(rows: list[list[str]] = ROWS, header: list[str] = HEADER) -> pa.Table:
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(header)})


def partition(result: crm.DedupeResult, key: str = "source_key") -> set[frozenset[str]]:
    contacts = defaultdict(set)
    for row_key, contact in zip(result.records[key].to_pylist(), result.records["contact_id"].to_pylist(), strict=True):
        contacts[contact].add(row_key)
    return {frozenset(keys) for keys in contacts.values()}


def golden(result: crm.DedupeResult) -> list[dict[str, Any]]:
    return sorted(result.contacts.to_pylist(), key=lambda row: row["contact_id"])


def check_whole(result: crm.DedupeResult) -> None:
    """What must hold of every result, whatever went in."""
    summary = result.summary
    assert summary["rows_in"] == summary["records"] + summary["skipped"] + summary["rejected"]
    assert result.records.num_rows == summary["records"]
    assert result.rejects.num_rows == summary["rejected"]
    assert result.skipped.num_rows == summary["skipped"]
    assert result.contacts.num_rows == summary["contacts"]
    assert sum(result.contacts["n_records"].to_pylist()) == summary["records"]
    ids = result.records["record_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert all(record_id >= 0 for record_id in ids)
    contact_ids = result.contacts["contact_id"].to_pylist()
    assert len(set(contact_ids)) == len(contact_ids)
    assert set(result.records["contact_id"].to_pylist()) == set(contact_ids)
    several = {row["contact_id"] for row in result.contacts.select(["contact_id", "n_records"]).to_pylist() if row["n_records"] > 1}
    assert set(result.lineage["contact_id"].to_pylist()) == several
    json.dumps(summary)
