"""The kernel's counts of contacts and steps as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from crm_engine.funnels.options import breakdowns

#: Upper edges of the histogram of times to convert, in seconds, as the kernel has them.
HISTOGRAM_EDGES = (10, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000)


def same_dimension(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two breakdowns ask for the same values."""
    return all(one.get(key) == other.get(key) for key in ("column", "of", "top"))


def breakdown_plan(options: dict[str, Any], dimensions: list[dict[str, Any]]) -> list[tuple[str, list[int]]]:
    """What to break down by, as (what it is, dimensions): the breakdown, the total, each of its columns alone, further breakdowns."""

    def numbers(by: Any) -> list[int]:
        items = [by] if isinstance(by, str | Mapping) else by
        wanted = [{"column": item} if isinstance(item, str) else item for item in items]
        return [next(number for number, known in enumerate(dimensions) if same_dimension(known, item)) for item in wanted]

    by = numbers(options.get("by") or [])
    plan = [("steps", by)]
    if by:
        plan.append(("totals", []))
    if len(by) > 1:
        plan += [("subtotals", [dimension]) for dimension in by]
    for key, item in breakdowns(options.get("breakdowns")):
        dims = numbers(item)
        plan.append(("/" + (key or ", ".join(dimensions[d]["name"] for d in dims)), dims))
    return plan


def event_tables(
    found: dict[str, Any],
    plan: list[tuple[str, list[int]]],
    dimensions: list[dict[str, Any]],
    step_names: list[str],
    optional: list[bool],
    empty: bool,
) -> dict[str, Any]:
    tables: dict[str, Any] = {"breakdowns": {}, "attempts": None}
    subtotals = []
    for (what, by), breakdown in zip(plan, found["breakdowns"], strict=True):
        if empty:
            breakdown = {**breakdown, "groups": []}
        groups = _group_columns(breakdown["groups"], [dimensions[number] for number in by], len(step_names))
        table = _step_table(groups, breakdown, step_names, optional, "contacts")
        if what == "steps":
            tables["steps"] = table
            tables["details"] = _details(groups, breakdown, step_names, optional)
            tables["histogram"] = _histogram(breakdown, [dimensions[number] for number in by], step_names)
            if len(breakdown["attempts"]):
                tables["attempts"] = _step_table(groups, breakdown, step_names, optional, "attempts").drop_columns(
                    ["median_seconds", "p90_seconds"]
                )
        elif what == "totals":
            tables["totals"] = table
        elif what == "subtotals":
            name = table.column_names[0]
            value = table[name].cast(pa.string())
            subtotals.append(
                pa.table(
                    [pa.array([name] * len(table), pa.string()), value, *table.columns[1:]],
                    names=["column", "value", *table.column_names[1:]],
                )
            )
        else:
            tables["breakdowns"][what[1:]] = table
    tables.setdefault("totals", tables["steps"])
    if not subtotals:
        head = pa.table({"column": pa.array([], pa.string()), "value": pa.array([], pa.string())})
        empty_table = tables["totals"].slice(0, 0)
        subtotals = [pa.table(head.columns + empty_table.columns, names=head.column_names + empty_table.column_names)]
        if plan[0][1]:
            steps, name = tables["steps"], tables["steps"].column_names[0]
            subtotals = [
                pa.table(
                    [pa.array([name] * len(steps), pa.string()), steps[name].cast(pa.string()), *steps.columns[1:]],
                    names=["column", "value", *steps.column_names[1:]],
                )
            ]
    tables["subtotals"] = pa.concat_tables(subtotals)
    return tables


def _group_columns(groups: list[list[int]], dimensions: list[dict[str, Any]], repeat: int) -> dict[str, pa.Array]:
    """The breakdown's columns, each group ``repeat`` times. What a top left out is called ``other``; then the column is text."""
    numbers = np.array(groups, np.int64).reshape(len(groups), len(dimensions))
    columns = {}
    for place, dimension in enumerate(dimensions):
        values = dimension["values"]
        if dimension.get("top") is not None:
            values = pa.concat_arrays([values.cast(pa.string()), pa.array([None, "other"], pa.string())])
        else:
            values = pa.concat_arrays([values, pa.nulls(1, values.type)])
        columns[dimension["name"]] = values.take(pa.array(np.repeat(numbers[:, place], repeat)))
    return columns


def _step_table(
    groups: dict[str, pa.Array], breakdown: dict[str, Any], step_names: list[str], optional: list[bool], count: str
) -> pa.Table:
    n_steps = len(step_names)
    n_groups = len(breakdown["groups"])
    counts = breakdown[count].reshape(-1, n_steps)[:n_groups].astype(np.int64)
    previous = counts.copy()
    required = 0
    for step in range(n_steps):
        previous[:, step] = counts[:, required]
        if not optional[step]:
            required = step
    start = np.repeat(counts[:, :1], n_steps, axis=1)
    return pa.table(
        {
            **groups,
            "step": pa.array(np.tile(np.arange(1, n_steps + 1), n_groups), pa.int32()),
            "name": pa.array(step_names * n_groups, pa.string()),
            count: counts.reshape(-1),
            "conversion_from_previous": share(counts, previous),
            "conversion_from_start": share(counts, start),
            "median_seconds": number_or_null(breakdown["median_seconds"][: n_groups * n_steps]),
            "p90_seconds": number_or_null(breakdown["p90_seconds"][: n_groups * n_steps]),
        }
    )


def _details(groups: dict[str, pa.Array], breakdown: dict[str, Any], step_names: list[str], optional: list[bool]) -> pa.Table:
    """Who came to each step, went on to the next one that is required, and was lost in between; nothing of steps that may be left out."""
    n_steps, n_groups = len(step_names), len(breakdown["groups"])
    counts = breakdown["contacts"].reshape(-1, n_steps)[:n_groups].astype(np.int64)
    following = [next((other for other in range(step + 1, n_steps) if not optional[other]), step) for step in range(n_steps)]
    left_out = np.tile(np.array(optional, bool), n_groups)
    converted = counts[:, following]
    return pa.table(
        {
            **groups,
            "step": pa.array(np.tile(np.arange(1, n_steps + 1), n_groups), pa.int32()),
            "name": pa.array(step_names * n_groups, pa.string()),
            "entered": counts.reshape(-1),
            "converted": pa.array(converted.reshape(-1), mask=left_out),
            "dropped": pa.array((counts - converted).reshape(-1), mask=left_out),
        }
    )


def share(part: np.ndarray, whole: np.ndarray) -> pa.Array:
    """``part / whole`` flat, null where the whole is none."""
    part, whole = part.reshape(-1), whole.reshape(-1)
    return pa.array(np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0), mask=whole == 0)


def number_or_null(values: np.ndarray) -> pa.Array:
    """Floating point numbers, null for NaN."""
    return pa.array(values, mask=np.isnan(values))


def _histogram(breakdown: dict[str, Any], dimensions: list[dict[str, Any]], step_names: list[str]) -> pa.Table:
    """How long contacts took, from the required step before to each step, and from the first to the last (``step`` 0)."""
    n_bins = len(HISTOGRAM_EDGES) + 1
    n_steps = len(step_names)
    n_groups = len(breakdown["groups"])
    counts = breakdown["histogram"].reshape(-1, n_steps + 1, n_bins)[:n_groups]
    # Step 1 takes no time.
    places = [0, *range(2, n_steps + 1)]
    counts = counts[:, places, :]
    names = ["from start to end", *step_names[1:]]
    groups = _group_columns(breakdown["groups"], dimensions, len(places) * n_bins)
    edges = np.array(HISTOGRAM_EDGES)
    return pa.table(
        {
            **groups,
            "step": pa.array(np.tile(np.repeat(places, n_bins), n_groups), pa.int32()),
            "name": pa.array(np.tile(np.repeat(names, n_bins), n_groups).tolist(), pa.string()),
            "from_seconds": pa.array(np.tile(np.r_[0, edges], n_groups * len(places)), pa.int64()),
            "to_seconds": pa.array(
                np.tile(np.r_[edges, 0], n_groups * len(places)), pa.int64(), mask=np.tile(np.r_[edges * 0, 1] == 1, n_groups * len(places))
            ),
            "contacts": counts.reshape(-1).astype(np.int64),
        }
    )
