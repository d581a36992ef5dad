"""Bases and people for the tests of the base: a template that is copied, small families of spellings, and a base's content to compare."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

import crm_engine as crm
from crm_engine.base.lake import quoted
from crm_engine.base.reading import _AS_STORED, _FIXED, related_names, table_sql

MAPPING = {"id": "source_key", "name": "full_name", "email": "email", "phone": "phone", "city": "city"}
COLUMNS = tuple(MAPPING)

_GIVEN = ["Anna", "Jānis", "Pēteris", "Ilze", "Мария", "Иван", "Kārlis", "Olga", "Laura", "Andris", "Zane", "Marta"]
_FAMILY = ["Ozola", "Bērziņš", "Kalniņš", "Liepa", "Иванова", "Петров", "Krūmiņš", "Zariņa", "Vītola", "Siliņš", "Balode", "Eglīte"]
_CITIES = ["Riga", "Liepāja", "Ventspils", "Jelgava"]


def people(n: int, seed: int = 0) -> list[dict[str, str | None]]:
    """``n`` rows of about half as many people: the same ones come again with another e-mail, a phone of theirs, a spelling of the name."""
    rng = random.Random(seed)
    rows: list[dict[str, str | None]] = []
    for key in range(n):
        if rows and rng.random() < 0.5:
            row = dict(rng.choice(rows))
            if rng.random() < 0.4:
                row["name"] = (row["name"] or "").upper()
            if rng.random() < 0.4:
                row["email"] = None if rng.random() < 0.5 else f"{rng.randrange(10**6)}@mail.lv"
            if rng.random() < 0.3:
                row["phone"] = None
        else:
            who = rng.randrange(10**6)
            row = {
                "name": f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}",
                "email": f"u{who}@inbox.lv",
                "phone": f"2{rng.randrange(10**7):07d}",
                "city": rng.choice(_CITIES),
            }
        rows.append({**row, "id": str(key)})
    return rows


def table(rows: list[dict[str, Any]], columns: tuple[str, ...] = COLUMNS) -> pa.Table:
    """Rows as a table of texts."""
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in columns})


def take_in(base: crm.Base, rows: list[dict[str, Any]], source: str = "erp", **options: Any) -> crm.Run:
    """Imports rows with the usual mapping."""
    return base.import_contacts(table(rows), source_name=source, mapping=MAPPING, **options)


def fitted_model() -> crm.Model:
    """A model fitted on such people; the same each time."""
    return crm.dedupe(table(people(400, seed=99)), mapping={"columns": MAPPING}).model


class Template:
    """An empty base with a pinned model, and bases that were filled once, to be copied: a base may be moved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._n_copies = 0
        crm.Base.create(folder / "template", fitted_model()).close()

    def copy(self, of: Path | None = None) -> crm.Base:
        """A base of its own: a copy of the empty one, or of another one that nobody has open."""
        self._n_copies += 1
        path = self.folder / f"base_{self._n_copies}"
        shutil.copytree(of or self.folder / "template", path)
        return crm.Base.open(path)

    def filled(self, name: str, fill: Callable[[crm.Base], None]) -> Path:
        """The base ``name``, filled when it is first asked for: to be copied, and not to be changed."""
        path = self.folder / f"filled_{name}"
        if not path.exists():
            with self.copy() as base:
                fill(base)
            shutil.move(base.path, path)
        return path


def content(base: crm.Base) -> dict[str, list[str]]:
    """All that a base says, but for `runs` and `changes`: table -> rows as sorted texts."""
    return {name: rows for name, rows in whole(base).items() if rows and name not in ("runs", "changes")}


def whole(base: crm.Base) -> dict[str, list[str]]:
    """All tables of a base: table -> rows as sorted texts. Read in one transaction: with each the catalog is read anew."""
    found = {}
    with base._lake.reading() as cursor:
        for name in (*_FIXED, "records", "runs", *_AS_STORED, *related_names(cursor)):
            sql, names = table_sql(cursor, name)
            columns = ", ".join(f"{quoted(physical)} AS {quoted(column)}" for column, physical in names.items())
            rows = cursor.table(f"SELECT {columns} FROM ({sql})").to_pylist()
            found[name] = sorted(json.dumps(row, sort_keys=True, default=str, ensure_ascii=False) for row in rows)
    return found


def partition(base: crm.Base) -> set[frozenset[int]]:
    """Which records are one contact."""
    contacts: dict[str, set[int]] = {}
    for row in base.table("record_contact").read_all().to_pylist():
        contacts.setdefault(row["contact_id"], set()).add(row["record_id"])
    return {frozenset(records) for records in contacts.values()}


def golden(base: crm.Base) -> list[str]:
    """The golden records without their ids, sorted."""
    rows = base.contacts().read_all().to_pylist()
    return sorted(json.dumps({k: v for k, v in row.items() if k != "contact_id"}, sort_keys=True, ensure_ascii=False) for row in rows)


def record_ids(base: crm.Base, source: str = "erp") -> dict[str, int]:
    """Key in the source -> record id."""
    rows = base.table("records", ["source", "source_key", "record_id"]).read_all().to_pylist()
    return {row["source_key"]: row["record_id"] for row in rows if row["source"] == source}
