"""``explain``: why two records of a written result are, or are not, the same contact."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crm_engine import _core
from crm_engine.chains import IMPROBABLE, Link, chain_of
from crm_engine.errors import ConfigError
from crm_engine.model import Model

#: Columns of ``records`` that the run added to those of the input.
_ADDED = frozenset({"record_id", "contact_id", "source_file", "source_row"})


def explain_pair(directory: str | os.PathLike[str], a: str | int, b: str | int) -> dict[str, Any]:
    """Explains two records of the folder that ``DedupeResult.write`` wrote, under the model that was saved with it.

    A record is named by its ``record_id``, or as ``FILE:ROW``. Returns what ``DedupeResult.explain`` returns, with ``contact_id_a``,
    ``contact_id_b`` and the row in its file of each record. Where the two are one contact and their own pair is improbable,
    ``chain`` has the pairs that hold them together (see ``chain_of``), or ``None``.
    """
    folder = Path(directory)
    summary, model = _read(folder)
    table = pq.ParquetFile(folder / "records.parquet")
    rows = [_find(table, folder, record) for record in (a, b)]
    if rows[0]["record_id"] == rows[1]["record_id"]:
        raise ConfigError(f"{a} and {b} name the same record; give two")
    explained = _explain_rows(rows, summary, model)
    contacts = [row["contact_id"] for row in rows]
    held = contacts[0] == contacts[1] and explained["match_probability"] < IMPROBABLE
    return {
        **explained,
        **({"chain": _chain(folder, contacts[0], *(row["record_id"] for row in rows))} if held else {}),
        "record_id_a": rows[0]["record_id"],
        "record_id_b": rows[1]["record_id"],
        "contact_id_a": contacts[0],
        "contact_id_b": contacts[1],
        "same_contact": contacts[0] == contacts[1],
        "source_a": f"{rows[0]['source_file']}:{rows[0]['source_row']}",
        "source_b": f"{rows[1]['source_file']}:{rows[1]['source_row']}",
    }


def _chain(folder: Path, contact: str, a: int, b: int) -> list[dict[str, Any]] | None:
    """The pairs of the contact that lead from one record to the other."""
    keys = pq.read_table(folder / "records.parquet", columns=["record_id"], filters=[("contact_id", "=", contact)])
    members = keys["record_id"].combine_chunks()
    links: list[Link] = []
    for batch in pq.ParquetFile(folder / "pairs.parquet").iter_batches(columns=["record_id_a", "record_id_b", "match_weight"]):
        inside = batch.filter(pc.and_(pc.is_in(batch["record_id_a"], members), pc.is_in(batch["record_id_b"], members)))
        links += zip(*(column.to_pylist() for column in inside.columns), strict=True)
    return chain_of(links, a, b)


def _read(folder: Path) -> tuple[dict[str, Any], Model]:
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        model = Model.load(folder / "model.json")
    except FileNotFoundError as error:
        raise ConfigError(f"{folder}: holds no result of `crm-engine dedupe` ({Path(str(error.filename)).name} is missing)") from None
    except ValueError as error:
        raise ConfigError(f"{folder}: its summary.json or model.json is damaged ({error})") from None
    return summary, model


def _find(table: pq.ParquetFile, folder: Path, record: str | int) -> dict[str, Any]:
    """The one row of ``records`` that is meant, read group by group."""
    text = str(record)
    file, colon, row = text.rpartition(":")
    by_row = bool(colon) and row.isdigit() and bool(file)
    if not by_row and not text.lstrip("-").isdigit():
        raise ConfigError(f"'{text}' names no record; give a record_id (a number, see records) or FILE:ROW")
    columns = ["record_id"] if not by_row else ["source_file", "source_row"]
    for group in range(table.num_row_groups):
        keys = table.read_row_group(group, columns=columns)
        if by_row:
            names = pc.cast(keys.column("source_file"), pa.string())
            matches = pc.or_(pc.equal(names, file), pc.ends_with(names, f"/{file}"))
            mask = pc.and_(matches, pc.equal(keys.column("source_row").cast(pa.int64()), int(row)))
        else:
            mask = pc.equal(keys.column("record_id"), int(text)) if -(2**63) <= int(text) < 2**63 else None
        if mask is not None and pc.any(mask).as_py():
            found: dict[str, Any] = table.read_row_group(group).filter(mask).slice(0, 1).to_pylist()[0]
            return found
    if not by_row:
        raise ConfigError(f"{folder}: no record has the record_id {text}")
    files = pc.unique(table.read(columns=["source_file"]).column("source_file").cast(pa.string())).to_pylist()
    raise ConfigError(f"{folder}: no record is row {row} of {file}; the records are rows of {', '.join(files[:20])}")


def _explain_rows(rows: list[dict[str, Any]], summary: dict[str, Any], model: Model) -> dict[str, Any]:
    """Runs the two records alone under the saved model, which pins all weights."""
    reports = {source["file"]: source for source in summary.get("sources", [])}
    declared: list[tuple[str, str, list[tuple[str, str | None]]]] = []
    batches = []
    for row in rows:
        roles: dict[str, str | None] = reports.get(row["source_file"], {}).get("roles", {})
        columns = [name for name in roles if name in row] or [name for name in row if name not in _ADDED]
        # Two tables keep two records apart even where they are alike in every column.
        declared.append((f"record_{len(declared)}", row["source_file"], [(name, roles.get(name)) for name in columns]))
        batches.append(
            pa.record_batch([pa.array([None if row[name] is None else str(row[name])], pa.string()) for name in columns], columns)
        )
    return explain_records(declared, batches, summary.get("config", {}), model)


def explain_records(
    declared: list[tuple[str, str, list[tuple[str, str | None]]]], batches: list[Any], resolve: dict[str, Any], model: Model
) -> dict[str, Any]:
    """Resolves two tables of one row each under a model and explains their pair.

    ``not_compared`` lists the values that took no part: ``record`` (a or b), ``column``, ``role``, and the ``doubt``: a ``filler`` such as
    0000000, or ``unreadable``.
    """
    # A column that the run left out may stand in files of neither record.
    present = {name for _, _, columns in declared for column in columns for name in column}
    resolve = {**resolve, "ignore": [name for name in resolve.get("ignore", []) if name in present]}
    options = {"tmp_dir": tempfile.gettempdir(), "resolve": resolve}
    run = _core.DedupeRun(json.dumps(options), declared, model.text)
    for number, batch in enumerate(batches):
        run.push(number, batch, 1)
    outcome = run.finish()
    ids = outcome.portion("records", 0).column("record_id").to_pylist()
    explained: dict[str, Any] = json.loads(outcome.explain(ids[0], ids[1]))
    cells = [{name: text[0].as_py() for name, text in zip(batch.schema.names, batch.columns, strict=True)} for batch in batches]
    explained["not_compared"] = [
        {"record": record, "column": column, "role": role, "doubt": doubt}
        for record, (_, _, columns), row in zip("ab", declared, cells, strict=True)
        for column, role in columns
        if role is not None and row.get(column) and (doubt := _core.value_doubt(role, row[column])) in ("filler", "unreadable")
    ]
    return explained
