"""Event funnels: how far contacts get through ordered steps."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.columns import check_options, codes, column, first_column, load_config, load_table, seconds, times
from crm_engine.errors import ConfigError, SchemaError

Progress = Callable[[str, int, int], Any]

MODES = ("default", "strict_deduplication", "strict_order", "strict_increase", "strict_once")
OPTIONS = (
    "contact", "time", "window", "mode", "order", "steps", "exclude", "where", "by", "breakdowns", "attempts", "contacts_key", "name",
)  # fmt: skip
#: Upper edges of the histogram of times to convert, in seconds, as the kernel has them.
HISTOGRAM_EDGES = (10, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000)
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_CONTACT_NAMES = ("contact_id", "contact", "customer_id", "customer_no", "user_id")
_TIME_NAMES = ("time", "occurred_at", "ts", "timestamp", "at", "placed_at", "event_time", "created_at")


class EventFunnel:
    """What an event funnel found; every table is a ``pyarrow.Table``.

    ``steps``: the breakdown's columns, ``step`` (from 1), ``name``, ``contacts``, ``conversion_from_previous``,
    ``conversion_from_start``, ``median_seconds``, ``p90_seconds``; the times are since the required step before. ``totals`` is the
    same without a breakdown, ``subtotals`` by each of its columns alone (``column``, ``value``). ``breakdowns`` has one such table per
    further breakdown, ``attempts`` the same counted in attempts, ``histogram`` the times to convert, ``levels`` each contact's level.
    """

    def __init__(
        self,
        name: str,
        step_names: list[str],
        found: dict[str, Any],
        tables: dict[str, Any],
        contact: pa.ChunkedArray,
        values: pa.Array | None,
    ) -> None:
        self.name = name
        self.step_names = step_names
        self.steps: pa.Table = tables["steps"]
        self.totals: pa.Table = tables["totals"]
        self.subtotals: pa.Table = tables["subtotals"]
        self.breakdowns: dict[str, pa.Table] = tables["breakdowns"]
        self.attempts: pa.Table | None = tables["attempts"]
        self.histogram: pa.Table = tables["histogram"]
        self.summary: dict[str, Any] = tables["summary"]
        self._found = found
        self._contact = contact
        self._values = values

    @functools.cached_property
    def levels(self) -> pa.Table:
        """Each contact of the events and its level, 0 to the number of steps."""
        numbers, levels = self._found["contacts"], self._found["levels"]
        every = pc.unique(self._contact)
        every = every.filter(pc.is_valid(every))
        if self._values is not None:
            all_levels = np.zeros(len(self._values), np.uint8)
            all_levels[numbers] = levels
            present = every.to_numpy()
            order = pc.sort_indices(self._values.take(pa.array(present))).to_numpy()
            return pa.table({"contact": self._values.take(pa.array(present[order])), "level": all_levels[present[order]]})
        ids = np.sort(every.to_numpy())
        all_levels = np.zeros(len(ids), np.uint8)
        all_levels[np.searchsorted(ids, numbers)] = levels
        return pa.table({"contact": ids, "level": all_levels})

    def reached(self, step: int) -> pa.Array:
        """The contacts whose level is ``step`` (from 1) or higher."""
        return self._contacts(step, lambda levels: levels >= step)

    def stopped_at(self, step: int) -> pa.Array:
        """The contacts that came to ``step`` (from 1) and no further."""
        return self._contacts(step, lambda levels: levels == step)

    def segments(self) -> pa.Table:
        """The contacts that stopped at each step as memberships: ``segment``, ``contact``."""
        names = [
            f"{self.name}: {'converted' if n == len(self.step_names) else 'stopped at ' + name}"
            for n, name in enumerate(self.step_names, 1)
        ]
        table = self.levels.filter(pc.greater(self.levels["level"], 0))
        segment = pa.array(names, pa.string()).take(pc.subtract(table["level"].cast(pa.int32()), 1))
        return pa.table({"segment": segment, "contact": table["contact"]})

    def _contacts(self, step: int, wanted: Callable[[np.ndarray], np.ndarray]) -> pa.Array:
        if not 1 <= step <= len(self.step_names):
            raise ConfigError(f"step {step} does not exist; steps are 1 to {len(self.step_names)}")
        ids = self._found["contacts"][wanted(self._found["levels"])]
        found = pa.array(ids) if self._values is None else self._values.take(pa.array(ids))
        return found.take(pc.sort_indices(found))


def event_funnel(
    events: Any, config: Any, *, contacts: Any = None, today: dt.date | None = None, progress: Progress | None = None
) -> EventFunnel:
    """How far contacts get through ordered steps.

    ``events`` is a path or anything that offers Arrow; ``config`` a dict, YAML text or the path of a YAML file; ``contacts`` a
    table whose columns may be broken down by; ``today`` the date for rules that need one.

    >>> import pyarrow as pa
    >>> events = pa.table({"contact_id": [1, 1, 2], "kind": ["visit", "order", "visit"], "time": pa.array([0, 60, 5], pa.timestamp("s"))})
    >>> steps = [{"name": "visit", "where": "kind = 'visit'"}, {"name": "order", "where": "kind = 'order'"}]
    >>> event_funnel(events, {"steps": steps, "window": "1 day"}).steps.select(["name", "contacts"]).to_pylist()
    [{'name': 'visit', 'contacts': 2}, {'name': 'order', 'contacts': 1}]
    """
    options = load_config(config, "event funnel")
    check_options(options, OPTIONS, "event funnel")
    steps = _steps(options.get("steps"))
    table = load_table(events, "events")
    contact_name = options.get("contact") or first_column(table, _CONTACT_NAMES, "events", "contact")
    time_name = options.get("time") or first_column(table, _TIME_NAMES, "events", "time")
    contact, values = _numbered(column(table, contact_name, "events"), contact_name)
    when = times(column(table, time_name, "events"), time_name, "events")
    request, step_names = _request(options, steps, when.type.unit, today)
    dimensions, native = _dimensions(options, table, contacts, values)
    plan = _breakdown_plan(options, dimensions)
    request["breakdowns"] = [by for _, by in plan]
    columns = [contact, when.cast(pa.int64()), *(table[name] for name in table.column_names)]
    names = ["(contact)", "(time)", *table.column_names]
    found = _core.event_funnel(pa.table(columns, names=names), json.dumps(request), native, progress)
    tables = _tables(found, plan, dimensions, step_names, [step.get("optional", False) for step in steps], table.num_rows == 0)
    tables["summary"] = {
        "name": options.get("name", "funnel"),
        "rows": found["rows"],
        "rows_without_contact_or_time": found["rows_without_key"],
        "contacts": int((found["levels"] > 0).sum()),
        "converted": int((found["levels"] == len(step_names)).sum()),
        "steps": tables["totals"].to_pylist(),
    }
    return EventFunnel(str(options.get("name", "funnel")), step_names, found, tables, contact, values)


def _steps(steps: Any) -> list[dict[str, Any]]:
    if not isinstance(steps, Sequence) or isinstance(steps, str) or not steps:
        raise ConfigError("event funnel: 'steps' must be a list of at least one step, each with 'name' and 'where'")
    found = []
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Mapping):
            step = {"name": _rule_text(step), "where": step}
        check_options(step, ("name", "where", "optional", "within"), f"step {number}")
        if "where" not in step:
            raise ConfigError(f"step {number}: 'where' is missing; write a condition such as \"kind = 'visit'\"")
        found.append({**step, "name": str(step.get("name", _rule_text(step["where"])))})
    return found


def _rule_text(rule: Any) -> str:
    if isinstance(rule, str):
        return rule
    to_sql = getattr(rule, "to_sql", None)
    return str(to_sql() if callable(to_sql) else rule)


def _request(options: dict[str, Any], steps: list[dict[str, Any]], unit: str, today: dt.date | None) -> tuple[dict[str, Any], list[str]]:
    names = [step["name"] for step in steps]
    modes = options.get("mode", [])
    modes = [modes] if isinstance(modes, str) else list(modes or [])
    order = options.get("order", "given")
    if order not in ("given", "any"):
        raise ConfigError(f"order {order!r} is unknown; it is 'given' or 'any'")
    exclude = []
    conditions = [_rule_text(step["where"]) for step in steps]
    for number, exclusion in enumerate(options.get("exclude") or [], 1):
        if not isinstance(exclusion, Mapping):
            exclusion = {"where": exclusion}
        check_options(exclusion, ("where", "from", "to"), f"exclusion {number}")
        if "where" not in exclusion:
            raise ConfigError(f"exclusion {number}: 'where' is missing")
        conditions.append(_rule_text(exclusion["where"]))
        exclude.append({"from": _step_number(exclusion.get("from", 1), names), "to": _step_number(exclusion.get("to", len(names)), names)})
    funnel = {
        "steps": [
            {
                "name": s["name"],
                "optional": bool(s.get("optional", False)),
                "within_us": _us(s.get("within"), f"step {s['name']!r}: within"),
            }
            for s in steps
        ],
        "window_us": _us(options.get("window"), "window"),
        "modes": [mode for mode in modes if mode != "default"],
        "any_order": order == "any",
        "attempts": bool(options.get("attempts", False)),
        "exclude": exclude,
    }
    request = {
        "funnel": funnel,
        "conditions": conditions,
        "filter": _rule_text(options["where"]) if options.get("where") is not None else None,
        "ticks_per_second": _TICKS[unit],
        "today": ((today or dt.date.today()) - dt.date(1970, 1, 1)).days,
    }
    return request, names


def _us(value: Any, name: str) -> int | None:
    found = seconds(value, name)
    return None if found is None else round(found * 1_000_000)


def _step_number(step: Any, names: list[str]) -> int:
    if isinstance(step, int) and not isinstance(step, bool):
        return max(step, 0)
    if step in names:
        return names.index(step) + 1
    raise ConfigError(f"exclusion: there is no step {step!r}; the steps are {', '.join(names)}")


def _numbered(values: pa.ChunkedArray, name: str) -> tuple[pa.ChunkedArray, pa.Array | None]:
    """Contacts as int64: integers as they are, anything else numbered; then the second result is what the numbers stand for."""
    if pa.types.is_integer(values.type):
        if pa.types.is_uint64(values.type) and (pc.max(values).as_py() or 0) > np.iinfo(np.int64).max:
            raise SchemaError(f"events: column {name!r} has numbers beyond 2^63; cast it to text")
        return values.cast(pa.int64()), None
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_string(values.type):
        values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    encoded = values.dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return pa.chunked_array([], pa.int64()), pa.array([], values.type)
    return pa.chunked_array([chunk.indices.cast(pa.int64()) for chunk in encoded.chunks]), encoded.chunk(0).dictionary


def _dimensions(
    options: dict[str, Any], events: pa.Table, contacts: Any, values: pa.Array | None
) -> tuple[list[dict[str, Any]], list[Any]]:
    wanted: list[dict[str, Any]] = []
    further = options.get("breakdowns") or []
    every = [options.get("by") or []] + (list(further.values()) if isinstance(further, Mapping) else list(further))
    contact_table = None if contacts is None else load_table(contacts, "contacts")
    for by in every:
        for item in [by] if isinstance(by, str | Mapping) else by:
            dimension = dict(item) if isinstance(item, Mapping) else {"column": item}
            check_options(dimension, ("column", "of", "top", "name"), "by")
            dimension.setdefault("name", dimension.get("column"))
            if not any(_same(other, dimension) for other in wanted):
                wanted.append(dimension)
    native = []
    for dimension in wanted:
        name = str(dimension.get("column"))
        in_contacts = contact_table is not None and name in contact_table.column_names
        of = dimension.get("of") or ("first" if name in events.column_names or not in_contacts else "contact")
        top = dimension.get("top")
        if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
            raise ConfigError(f"by {name!r}: top is {top!r}, and a whole number from 1 is needed")
        if of == "contact":
            if contact_table is None:
                raise ConfigError(f"by {name!r}: breaking down by a property of the contact needs contacts=")
            key_name = options.get("contacts_key") or first_column(
                contact_table, (str(options.get("contact", "contact_id")), "contact_id", "id"), "contacts", "contacts_key"
            )
            keys = column(contact_table, key_name, "contacts")
            number, distinct = codes(column(contact_table, name, "contacts"))
            if values is not None:
                keys = pc.index_in(keys.cast(values.type), value_set=values).cast(pa.int64())
            elif not pa.types.is_integer(keys.type):
                raise SchemaError(f"contacts: column {key_name!r} has the type {keys.type}, and the events' contacts are whole numbers")
            known = keys.is_valid().to_numpy()
            key_array = pa.array(keys.filter(pa.array(known)).cast(pa.int64()).to_numpy())
            native.append((of, key_array, pa.array(number[known]), len(distinct), top))
        elif of in ("first", "last"):
            number, distinct = codes(column(events, name, "events"))
            native.append((of, None, pa.array(number), len(distinct), top))
        else:
            raise ConfigError(f"by {name!r}: of is {of!r}, and it must be 'first', 'last' or 'contact'")
        dimension["values"] = distinct
    return wanted, native


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("column", "of", "top"))


def _breakdown_plan(options: dict[str, Any], dimensions: list[dict[str, Any]]) -> list[tuple[str, list[int]]]:
    """What to break down by, as (what it is, dimensions): the breakdown, the total, each of its columns alone, further breakdowns."""

    def numbers(by: Any) -> list[int]:
        items = [by] if isinstance(by, str | Mapping) else by
        wanted = [{"column": item} if isinstance(item, str) else item for item in items]
        return [next(number for number, known in enumerate(dimensions) if _same(known, item)) for item in wanted]

    by = numbers(options.get("by") or [])
    plan = [("steps", by)]
    if by:
        plan.append(("totals", []))
    if len(by) > 1:
        plan += [("subtotals", [dimension]) for dimension in by]
    further = options.get("breakdowns") or []
    for key, item in further.items() if isinstance(further, Mapping) else [(None, item) for item in further]:
        dims = numbers(item)
        plan.append(("/" + (key or ", ".join(dimensions[d]["name"] for d in dims)), dims))
    return plan


def _tables(
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
