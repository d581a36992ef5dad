"""Finding contacts by what is known of them, and explaining pairs of records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crm_engine.base.cells import from_cells
from crm_engine.base.decisions import LAST_WORDS, record_of
from crm_engine.base.lake import quoted
from crm_engine.base.reading import table_sql
from crm_engine.chains import IMPROBABLE, Link, chain_of
from crm_engine.config import nearest, role_names
from crm_engine.errors import ConfigError

if TYPE_CHECKING:
    from crm_engine.base.base import Base
    from crm_engine.base.lake import Cursor

#: Short words for roles that people type.
_SHORT = {"name": "full_name", "company": "company_name", "tax": "tax_id"}


def find(base: Base, wanted: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """See ``Base.find``."""
    roles = role_names()
    asked: dict[str, str] = {}
    for given, value in wanted.items():
        role = _SHORT.get(given, given)
        if role not in roles:
            raise ConfigError(f"there is no role '{given}' to find by{nearest(given, roles)}")
        if value is not None and str(value).strip():
            asked[role] = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if not asked:
        raise ConfigError("nothing to find by: give at least one role and value, such as phone or email")
    if limit < 1:
        raise ConfigError("limit must be 1 or more")
    index: Any = base._index.opened()
    found: list[dict[str, Any]] = json.loads(index.find(json.dumps(asked, ensure_ascii=False), limit))
    for contact in found:
        contact["reason"] = _reason(contact["comparisons"])
        contact["contact"] = {role: contact["contact"][role] for role in sorted(contact["contact"], key=_place(roles))}
    return found or _by_equal_values(base, asked, limit)


def _place(roles: Sequence[str]) -> Any:
    """Roles in their own order, then other columns by name."""
    places = {role: place for place, role in enumerate(roles)}
    return lambda name: (places.get(name, len(places)), name)


def _reason(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """Which comparisons spoke for the contact, and which against it."""
    parts = []
    for sign, word in ((1, ""), (-1, "against it: ")):
        told = [f"{one['comparison']} {str(one['level']).replace('_', ' ')}" for one in comparisons if one["weight"] * sign > 0]
        if told:
            parts.append(word + ", ".join(told))
    return "; ".join(parts).replace("_", " ")


def _by_equal_values(base: Base, asked: Mapping[str, str], limit: int) -> list[dict[str, Any]]:
    """Contacts whose golden record says just what is asked, read through: no key leads from a city, say, to its contacts."""
    with base._lake.reading() as cursor:
        sql, names = table_sql(cursor, "contacts")
        if any(role not in names for role in asked):
            return []
        conditions = " AND ".join(
            f"list_contains(list_transform({quoted(names[role])}, lambda one: lower(one)), lower(?))"
            if _is_list(cursor, sql, names[role])
            else f"lower({quoted(names[role])}::VARCHAR) = lower(?)"
            for role in asked
        )
        chosen = ", ".join(f"{quoted(physical)} AS {quoted(name)}" for name, physical in names.items())
        rows = cursor.table(
            f"SELECT {chosen} FROM ({sql}) WHERE {conditions} ORDER BY n_records DESC, contact_id LIMIT {int(limit)}",
            [value.strip() for value in asked.values()],
        ).to_pylist()
    reason = ", ".join(f"{role.replace('_', ' ')} equal" for role in asked)
    return [
        {
            "contact_id": row["contact_id"], "match_weight": None, "match_probability": None, "reason": reason, "comparisons": [],
            "contact": row,
        }
        for row in rows
    ]  # fmt: skip


def _is_list(cursor: Cursor, sql: str, physical: str) -> bool:
    kinds = {row[0]: str(row[1]) for row in cursor.rows(f"DESCRIBE {sql}")}
    return kinds[physical].endswith("[]")


def explain(base: Base, a: Any, b: Any) -> dict[str, Any]:
    """See ``Base.explain``."""
    from crm_engine.explain import explain_records

    with base._lake.reading() as cursor:
        rows = [_record(cursor, base, record_of(named)) for named in (a, b)]
        if rows[0]["record_id"] == rows[1]["record_id"]:
            raise ConfigError(f"{a} and {b} name the same record; give two")
        low, high = sorted(row["record_id"] for row in rows)
        word = cursor.value(f"SELECT decision FROM ({LAST_WORDS}) WHERE record_id_a = ? AND record_id_b = ?", [low, high])
    options = json.loads(base._index.opened().options())
    model = base.model
    if model is None:
        raise ConfigError("the base has no model yet; the first import fits one")
    contacts = [row["contact_id"] for row in rows]
    declared = [(row["source"], f"record_{place}", row["columns"]) for place, row in enumerate(rows)]
    explained = explain_records(declared, [row["cells"] for row in rows], options.get("resolve", {}), model)
    chain = {}
    if contacts[0] == contacts[1] and explained["match_probability"] < IMPROBABLE and word != "same":
        with base._lake.reading() as cursor:
            chain = {"chain": chain_of(_links(cursor, contacts[0]), rows[0]["record_id"], rows[1]["record_id"])}
    return {
        **explained,
        **chain,
        "record_id_a": rows[0]["record_id"],
        "record_id_b": rows[1]["record_id"],
        "contact_id_a": contacts[0],
        "contact_id_b": contacts[1],
        "same_contact": contacts[0] == contacts[1],
        "decision": word,
        "source_a": _called(rows[0]),
        "source_b": _called(rows[1]),
    }


def _links(cursor: Cursor, contact: str) -> list[Link]:
    """The pairs of records of a contact: those that the engine weighed, and those of which a person said that they are the same."""
    return [
        (a, b, weight)
        for a, b, weight in cursor.rows(
            f"""WITH members AS (SELECT record_id FROM record_contact WHERE contact_id = ?),
                links AS (SELECT record_id_a, record_id_b, match_weight FROM edges
                    UNION ALL SELECT record_id_a, record_id_b, 'inf'::DOUBLE FROM ({LAST_WORDS}) WHERE decision = 'same')
                SELECT record_id_a, record_id_b, max(match_weight) FROM links
                WHERE record_id_a IN (FROM members) AND record_id_b IN (FROM members) GROUP BY ALL""",
            [contact],
        )
    ]


def _called(row: Mapping[str, Any]) -> str:
    """A record as people know it: its key in its source, and where it stood.

    >>> _called({"source": "crm", "source_key": "501", "source_file": "crm.csv", "source_row": 17})
    'crm 501 (crm.csv, row 17)'
    """
    key = f" {row['source_key']}" if row["source_key"] is not None else ""
    return f"{row['source']}{key} ({row['source_file']}, row {row['source_row']})"


def _record(cursor: Cursor, base: Base, record_id: int) -> dict[str, Any]:
    """The current version of a record with its cells as a batch of one row."""
    table = cursor.table(
        """SELECT r.record_id, r.source, r.source_key, r.source_file, r.source_row, r.layout_id, r.cells, rc.contact_id
           FROM records r JOIN record_contact rc USING (record_id)
           WHERE r.record_id = ? AND NOT EXISTS (SELECT 1 FROM superseded s
               WHERE s.table_name = 'records' AND s.id = r.record_id AND s.content_hash = r.content_hash)""",
        [record_id],
    )
    if table.num_rows == 0:
        raise ConfigError(f"the base has no record {record_id}")
    row: dict[str, Any] = table.drop_columns(["cells"]).to_pylist()[0]
    layout = cursor.rows("SELECT DISTINCT position, column_name, role FROM layouts WHERE layout_id = ? ORDER BY 1", [row["layout_id"]])
    row["columns"] = [(name, role) for _, name, role in layout]
    row["cells"] = from_cells(table["cells"], [name for name, _ in row["columns"]])
    return row
