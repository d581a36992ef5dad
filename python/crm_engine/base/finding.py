"""Finding contacts by what is known of them, and explaining pairs of records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crm_engine.base.cells import from_cells
from crm_engine.base.decisions import LAST_WORDS, record_of
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
    return found


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
    declared = [(row["source"], f"record_{place}", row["columns"]) for place, row in enumerate(rows)]
    explained = explain_records(declared, [row["cells"] for row in rows], options.get("resolve", {}), model)
    contacts = [row["contact_id"] for row in rows]
    return {
        **explained,
        "record_id_a": rows[0]["record_id"],
        "record_id_b": rows[1]["record_id"],
        "contact_id_a": contacts[0],
        "contact_id_b": contacts[1],
        "same_contact": contacts[0] == contacts[1],
        "decision": word,
        "source_a": f"{rows[0]['source']}:{rows[0]['source_file']}:{rows[0]['source_row']}",
        "source_b": f"{rows[1]['source']}:{rows[1]['source_file']}:{rows[1]['source_row']}",
    }


def _record(cursor: Cursor, base: Base, record_id: int) -> dict[str, Any]:
    """The current version of a record with its cells as a batch of one row."""
    table = cursor.table(
        """SELECT r.record_id, r.source, r.source_file, r.source_row, r.layout_id, r.cells, rc.contact_id
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
