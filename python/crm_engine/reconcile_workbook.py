"""The workbook of a comparison: what a person who works in Excel sees of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crm_engine.output import write_sheets

if TYPE_CHECKING:
    from crm_engine.reconcile import ReconcileResult

Progress = Callable[[str, int, int], Any]

#: The verdicts on two values, in the order of their numbers.
VERDICTS = ("empty", "same", "different", "partly", "only_left", "only_right")
#: Per verdict the colour of the left and of the right cell.
_COLOURS = {
    "left": ("", "", "yellow", "blue", "", "orange"),
    "right": ("", "", "yellow", "blue", "orange", ""),
}


def write_workbook(result: ReconcileResult, path: Path, progress: Progress | None) -> list[str]:
    """Writes the sheets Summary, Differences, Only left, Only right, To review, Matched (and Rejected, Skipped where there are any)."""
    sheets: dict[str, Any] = {
        "Summary": _summary_table(result),
        "Differences": _differences(result),
        "Only left": result.reader("only_left"),
        "Only right": result.reader("only_right"),
        "To review": _side_by_side(result, "to_review"),
        "Matched": _side_by_side(result, "matched"),
    }
    styles: dict[str, dict[str, Any]] = {
        "Summary": _summary_style(result),
        "Differences": _differences_style(result),
        "Only left": _only_style(result, 0),
        "Only right": _only_style(result, 1),
        "To review": _side_by_side_style(result, "to_review"),
        "Matched": _side_by_side_style(result, "matched"),
    }
    for style in styles.values():
        style["read_only"] = True
    for table, sheet in (("rejects", "Rejected"), ("skipped", "Skipped")):
        if getattr(result, table).num_rows:
            sheets[sheet] = getattr(result, table)
    return write_sheets(sheets, path, styles=styles, progress=progress)


def _summary_table(result: ReconcileResult) -> pa.Table:
    """Two blocks: the account of both sides, and what each field's values are to each other."""
    summary, (left, right) = result.summary, result.names
    rows: list[tuple[str, str | None, list[Any]]] = []  # look, colour of the first cell, cells

    def line(name: str, of_left: Any, of_right: Any, note: str = "", look: str = "") -> None:
        rows.append((look, None, [name, of_left, of_right, f"   {note}" if note else ""]))

    line("Rows", summary["left_rows"], summary["right_rows"], look="strong")
    line("Matched", summary["matched"], summary["matched"], _matched_by(result))
    line("   of these without a difference", summary["identical"], summary["identical"])
    line("   of these with differences", summary["different"], summary["different"], "sheet Differences, a row per field")
    if summary["newer_left"] or summary["newer_right"]:
        line("   changed later here", summary["newer_left"], summary["newer_right"])
    line("Further rows of a matched contact", summary["left_duplicates"], summary["right_duplicates"], "sheet Matched, 'duplicate in ...'")
    line("Only here", summary["only_left"], summary["only_right"], "sheets Only left and Only right")
    line("Pairs to review", summary["to_review"], summary["to_review"], "sheet To review: uncertain, counted as 'only here' until decided")
    if summary["skipped"]:
        line("Not data (titles, totals)", summary["left_skipped"], summary["right_skipped"], "sheet Skipped")
    if summary["rejected"]:
        line("Could not be read", summary["left_rejected"], summary["right_rejected"], "sheet Rejected")
    rows.append(("", None, []))
    titles = [
        "Field",
        f"column in {left}",
        f"column in {right}",
        "same",
        "different",
        "partly the same",
        f"only in {left}",
        f"only in {right}",
    ]
    rows.append(("heading", None, titles))
    for field in summary["fields"]:
        counts = [field[name] for name in ("same", "different", "partly", "only_left", "only_right")]
        rows.append(("", None, [field["field"], " + ".join(field["left_columns"]), " + ".join(field["right_columns"]), *counts]))
    rows.append(("", None, []))
    rows.append(("heading", None, ["Colours", *[""] * 7]))
    rows.append(("", "yellow", ["the values differ"]))
    rows.append(("", "green", ["the value that was changed later (sheet Differences)"]))
    rows.append(("", "blue", ["one says a part of what the other says"]))
    rows.append(("", "orange", ["missing here, filled on the other side"]))
    cells = [[_text(row[2][column]) if column < len(row[2]) else None for row in rows] for column in range(8)]
    names = [f"c{column}" for column in range(8)]
    looks = [pa.array([row[0] for row in rows], pa.string()), pa.array([row[1] for row in rows], pa.string())]
    return pa.table([*(pa.array(column, pa.string()) for column in cells), *looks], names=[*names, "look", "colour"])


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _matched_by(result: ReconcileResult) -> str:
    by = result.summary["matched_by"]
    return ", ".join(f"{count:,} by {name}" for name, count in by.items()) if set(by) - {"evidence"} else ""


def _summary_style(result: ReconcileResult) -> dict[str, Any]:
    left, right = result.names
    columns: dict[str, dict[str, Any]] = {
        "c0": {"label": f"{left} and {right}", "width": 38, "highlight_by": "colour"},
        "c1": {"label": left, "width": 26, "numbers": True},
        "c2": {"label": right, "width": 26, "numbers": True},
    }
    for column, width in zip(range(3, 8), (12, 12, 17, 28, 28), strict=True):
        columns[f"c{column}"] = {"label": " ", "width": width, "numbers": True}
    return {"columns": columns, "row_style_by": "look", "no_filter": True}


def _differences(result: ReconcileResult) -> pa.RecordBatchReader:
    """The table ``differences`` in words, with the colours of its values."""
    left, right = result.names
    source = result.reader("differences")
    words = ("", "", "different", "partly the same", f"only in {left}", f"only in {right}")
    sides = {"left": left, "right": right, "same": "same time"}
    schema = source.schema
    place = schema.get_field_index("difference")
    schema = schema.set(place, pa.field("difference", pa.dictionary(pa.int8(), pa.string())))
    schema = schema.append(pa.field("left_colour", pa.string())).append(pa.field("right_colour", pa.string()))

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in source:
            columns = {name: batch.column(name) for name in batch.schema.names}
            verdicts = columns["difference"]
            newer = columns["newer"].to_pylist()
            codes = verdicts.indices.to_pylist()
            columns["difference"] = _reworded(verdicts, words)
            columns["newer"] = pa.array([sides.get(side or "") for side in newer], pa.string())
            for side in ("left", "right"):
                colours = _COLOURS[side]
                marks = [
                    "green" if which == side and colours[code] == "yellow" else colours[code]
                    for code, which in zip(codes, newer, strict=True)
                ]
                columns[f"{side}_colour"] = pa.array(marks, pa.string())
            yield pa.RecordBatch.from_arrays(list(columns.values()), schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _value_colour(colour: str, is_newer: bool) -> str:
    return "green" if is_newer and colour == "yellow" else colour


def _reworded(verdicts: Any, words: tuple[str, ...]) -> Any:
    return pa.DictionaryArray.from_arrays(verdicts.indices, pa.array(words, pa.string()))


def _differences_style(result: ReconcileResult) -> dict[str, Any]:
    left, right = result.names
    labels = {
        "contact": "Contact",
        "field": "Field",
        "left_value": left,
        "right_value": right,
        "difference": "Difference",
        "newer": "Newer",
        **_place_labels(result),
        "matched_by": "Matched by",
        "match_probability": "Probability",
    }
    columns: dict[str, dict[str, Any]] = {
        name: {"label": labels[name]} for name in result._reconciliation.schema("differences").names if name in labels
    }
    columns["left_value"]["highlight_by"] = "left_colour"
    columns["right_value"]["highlight_by"] = "right_colour"
    columns["match_probability"]["format"] = "0.00"
    return {"columns": columns, "freeze_columns": 2}


def _place_labels(result: ReconcileResult) -> dict[str, str]:
    labels = {}
    for side, name in zip(("left", "right"), result.names, strict=True):
        words = {"row": "row", "file": "file", "key": "key", "updated_at": "changed"}
        labels.update({f"{side}_{what}": f"{word} in {name}" for what, word in words.items()})
    return labels


def _only_style(result: ReconcileResult, side: int) -> dict[str, Any]:
    labels = {"row": "Row", "file": "File", "to_review": "Pairs to review", "duplicate_of_row": "Same contact as row"}
    names = result._reconciliation.schema("only_left" if side == 0 else "only_right").names
    # Only the first columns are ours: the input may have some of the same name further on.
    own = [name for name in names[:4] if name in labels]
    return {"columns": {name: {"label": labels[name]} for name in own}}


def _side_by_side(result: ReconcileResult, table: str) -> pa.RecordBatchReader:
    """A table of pairs with two columns of colours per field instead of its verdict."""
    source = result.reader(table)
    fields = _fields_of(result)
    colour = pa.dictionary(pa.int8(), pa.string())
    drop = {f"verdict_{field}" for field in fields}
    kept = [field for field in source.schema if field.name not in drop]
    marks = [pa.field(f"\u2063{side}_{number}", colour) for number in range(len(fields)) for side in ("left", "right")]
    schema = pa.schema([*kept, *marks])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in source:
            columns = [batch.column(field.name) for field in kept]
            for field in fields:
                verdicts = batch.column(f"verdict_{field}")
                columns += [_reworded(verdicts, _COLOURS["left"]), _reworded(verdicts, _COLOURS["right"])]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _fields_of(result: ReconcileResult) -> list[str]:
    return [field["field"] for field in result.summary["fields"]]


def _side_by_side_style(result: ReconcileResult, table: str) -> dict[str, Any]:
    left, right = result.names
    labels = {
        "relation": "Relation",
        "decision": "Decision",
        "matched_by": "Matched by",
        "match_probability": "Probability",
        "n_differences": "Differences",
        "differing_fields": "Fields that differ",
        "newer": "Newer",
        "duplicate_of_row": "Same contact as row",
        **_place_labels(result),
    }
    names = result._reconciliation.schema(table).names
    columns: dict[str, dict[str, Any]] = {name: {"label": labels[name]} for name in names if name in labels}
    for number, field in enumerate(result.summary["fields"]):
        for side, side_name in (("left", left), ("right", right)):
            header = " + ".join(field[f"{side}_columns"])
            columns[f"{side}_{field['field']}"] = {
                "label": f"{header} ({side_name})",
                "highlight_by": f"\u2063{side}_{number}",
                "header": "blue" if side == "left" else "green",
            }
    for name in names:
        if name not in columns and name.startswith(("left_", "right_")):
            side, _, header = name.partition("_")
            side_name = left if side == "left" else right
            columns[name] = {"label": f"{header} ({side_name})", "header": "blue" if side == "left" else "green"}
    columns.get("match_probability", {})["format"] = "0.00"
    if table == "to_review":
        hint = "same: one contact\ndifferent: two contacts\nlater: leave it open\nThen: crm-engine reconcile ... --decisions THIS FILE"
        columns["decision"] |= {"choices": ["same", "different", "later"], "header": "orange", "width": 12, "hint": hint}
        for side in ("left", "right"):
            columns[f"{side}_record_id"] = {"label": f"{side}_record_id", "hidden": True}
    if table == "matched":
        columns["relation"]["width"] = 12
    return {"columns": columns, "freeze_columns": 1}
