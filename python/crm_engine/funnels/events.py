"""Event funnels: how far contacts get through ordered steps."""

from __future__ import annotations

import contextvars
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.columns import check_options, column, first_column, load_config, load_table, open_batches, seconds, times
from crm_engine.errors import ConfigError, CrmError
from crm_engine.funnels.deal_columns import TICKS
from crm_engine.funnels.event_contacts import StreamNumbers, contacts_key, numbered
from crm_engine.funnels.event_dimensions import dimensions_of
from crm_engine.funnels.named_tables import NamedTables
from crm_engine.funnels.options import check_breakdown_names, list_of, names, rule_text
from crm_engine.funnels.step_tables import breakdown_plan, event_tables
from crm_engine.related_words import known_columns
from crm_engine.told_once import dates_told_once
from crm_engine.written import check_date_order

Progress = Callable[[str, int, int], Any]

MODES = ("default", "strict_deduplication", "strict_order", "strict_increase", "strict_once")
OPTIONS = (
    "contact", "time", "window", "mode", "order", "steps", "exclude", "where", "by", "breakdowns", "attempts", "contacts_key", "name", "grouped", "date_order",
)  # fmt: skip
#: The level of a number that is no contact's.
_ABSENT = 255
_CONTACT_NAMES = ("contact_id", "contact", "customer_id", "customer_no", "user_id")
TIME_NAMES = ("time", "occurred_at", "ts", "timestamp", "at", "placed_at", "event_time", "created_at")


class EventFunnel(NamedTables):
    """What an event funnel found; every table is a ``pyarrow.Table``.

    ``steps``: the breakdown's columns, ``step`` (from 1), ``name``, ``contacts``, ``conversion_from_previous``,
    ``conversion_from_start``, ``median_seconds``, ``p90_seconds``; the times are since the required step before. ``details`` has who
    ``entered`` each step, ``converted`` to the next and was ``dropped`` in between. ``totals`` is the
    same without a breakdown, ``subtotals`` by each of its columns alone (``column``, ``value``). ``breakdowns`` has one such table per
    further breakdown, ``attempts`` the same counted in attempts, ``histogram`` the times to convert, ``levels`` each contact's level.
    ``table(name)`` gives any of them.
    """

    TABLES = ("steps", "details", "totals", "subtotals", "attempts", "histogram", "levels", "segments")
    LONG_TABLES = ("levels", "segments")

    def __init__(
        self,
        name: str,
        step_names: list[str],
        found: dict[str, Any],
        tables: dict[str, Any],
        contact: pa.ChunkedArray | None,
        values: pa.Array | None,
    ) -> None:
        self.name = name
        self.step_names = step_names
        self.steps: pa.Table = tables["steps"]
        self.details: pa.Table = tables["details"]
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
        numbers, levels = self._known
        every = self._every()
        all_levels = np.zeros(len(every), np.uint8)
        all_levels[np.searchsorted(every, numbers)] = levels
        if self._values is None:
            return pa.table({"contact": every, "level": all_levels})
        contact = self._values.take(pa.array(every))
        order = pc.sort_indices(contact)
        return pa.table({"contact": contact.take(order), "level": pa.array(all_levels).take(order)})

    @functools.cached_property
    def _known(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the contacts with an event that takes part, ascending, and their levels."""
        found = self._found["levels"]
        numbers, levels = [found["keys"]], [found["levels"]]
        for first, dense in found["dense"]:
            present = np.flatnonzero(dense != _ABSENT)
            numbers.append(present + first)
            levels.append(dense[present])
        every = np.concatenate(numbers)
        order = np.argsort(every, kind="stable")
        return every[order], np.concatenate(levels)[order]

    def _every(self) -> np.ndarray:
        """Numbers of all contacts, ascending; of a stream only those with an event that takes part are known."""
        if self._contact is None:
            return self._known[0]
        every = pc.unique(self._contact)
        return np.sort(every.filter(pc.is_valid(every)).to_numpy())

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
        numbers, levels = self._known
        ids = pa.array(numbers[wanted(levels)])
        found = ids if self._values is None else self._values.take(ids)
        return found.take(pc.sort_indices(found))


@dates_told_once
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
    check_date_order(options.get("date_order"))
    check_breakdown_names(options.get("breakdowns"), EventFunnel.TABLES)
    steps = _steps(options.get("steps"))
    if options.get("grouped"):
        return _grouped(events, options, steps, contacts, today, progress)
    table = load_table(events, "events")
    contact_name, time_name = key_names(table, options)
    contact, values = numbered(column(table, contact_name, "events"), contact_name)
    when = times(column(table, time_name, "events"), time_name, "events", order=options.get("date_order"))
    request = _request(options, steps, when.type.unit, today)
    read_as = read_by_words(table, (contact_name, time_name), options)
    dimensions, native = dimensions_of(options, table, contacts, values)
    plan = breakdown_plan(options, dimensions)
    request["breakdowns"] = [by for _, by in plan]
    columns = [contact, when.cast(pa.int64()), *(table[name] for name in table.column_names)]
    stream = pa.table(columns, names=["(contact)", "(time)", *table.column_names])
    found = _core.event_funnel(stream, json.dumps(request), native, False, progress)
    funnel = _funnel(options, steps, found, plan, dimensions, contact, values)
    funnel.summary |= read_as
    return funnel


def _funnel(
    options: dict[str, Any], steps: list[dict[str, Any]], found: dict[str, Any], plan: list[tuple[str, list[int]]],
    dimensions: list[dict[str, Any]], contact: pa.ChunkedArray | None, values: pa.Array | None,
) -> EventFunnel:  # fmt: skip
    step_names = [step["name"] for step in steps]
    tables = event_tables(found, plan, dimensions, step_names, [step.get("optional", False) for step in steps], found["rows"] == 0)
    parts = [found["levels"]["levels"], *(levels for _, levels in found["levels"]["dense"])]
    tables["summary"] = {
        "name": options.get("name", "funnel"),
        "rows": found["rows"],
        "rows_without_contact_or_time": found["rows_without_key"],
        "contacts": int(sum(((levels > 0) & (levels != _ABSENT)).sum() for levels in parts)),
        "converted": int(sum((levels == len(step_names)).sum() for levels in parts)),
        "steps": tables["totals"].to_pylist(),
        "warnings": list(found["warnings"]),
    }
    return EventFunnel(str(options.get("name", "funnel")), step_names, found, tables, contact, values)


def key_names(table: Any, options: dict[str, Any]) -> tuple[str, str]:
    """The columns of the contact and of the time: as the options say, or by our names for them, or by words for these."""
    other_names = known_columns(table, "events")

    def of(option: str, usual: tuple[str, ...]) -> str:
        found = options.get(option)
        if found is None and not set(usual) & set(table.column_names):
            found = next((other_names[name] for name in usual if name in other_names), None)
        return str(found or first_column(table, usual, "events", option))

    return of("contact", _CONTACT_NAMES), of("time", TIME_NAMES)


def read_by_words(table: Any, chosen: tuple[str, str], options: dict[str, Any]) -> dict[str, Any]:
    """What a summary says of the columns of contact and time that were found by words; nothing where none was."""
    said = {options.get("contact"), options.get("time")}
    found = {ours: own for ours, own in known_columns(table, "events").items() if own in chosen and own not in said}
    return {"read_as": {"events": found}} if found else {}


def _grouped(
    events: Any, options: dict[str, Any], steps: list[dict[str, Any]], contacts: Any, today: dt.date | None, progress: Progress | None
) -> EventFunnel:
    """Events where each contact's rows follow each other, a batch at a time: no more of them is held than one stretch."""
    reader = open_batches(events, "events")
    head = reader.schema.empty_table()
    contact_name, time_name = key_names(head, options)
    column(head, contact_name, "events"), column(head, time_name, "events")
    numbers = StreamNumbers()
    kind = head[contact_name].type
    unit = head[time_name].type.unit if pa.types.is_timestamp(head[time_name].type) else "us"
    request = _request(options, steps, unit, today)
    values_of = None if pa.types.is_integer(kind) else numbers
    contact_table = None if contacts is None else load_table(contacts, "contacts")
    if values_of is not None and contact_table is not None:
        # The contacts come first: then their numbers are known when their events come.
        numbers.number(column(contact_table, contacts_key(contact_table, options), "contacts"))
    known = None if values_of is None else numbers.values()
    dimensions, native = dimensions_of(options, head, contact_table, known)
    plan = breakdown_plan(options, dimensions)
    request["breakdowns"] = [by for _, by in plan]
    schema = pa.schema([("(contact)", pa.int64()), ("(time)", pa.int64()), *reader.schema])

    def prepared(batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        given = pa.chunked_array([batch[contact_name]])
        contact = numbered(given, contact_name)[0].combine_chunks() if values_of is None else numbers.number(given)
        when = times(batch[time_name], time_name, "events", first_row, order=options.get("date_order"))
        when = when.cast(pa.timestamp(unit, when.type.tz)).cast(pa.int64()).combine_chunks()
        return pa.record_batch([contact, when, *batch.columns], schema=schema)

    failures: list[Exception] = []
    # Batches are asked for on a thread of the engine's; what is gathered for one warning belongs to this call all the same.
    context = contextvars.copy_context()

    def batches() -> Iterator[pa.RecordBatch]:
        n_rows = 0
        try:
            for batch in reader:
                if batch.num_rows:
                    yield context.run(prepared, batch, n_rows)
                    n_rows += batch.num_rows
        except Exception as error:
            failures.append(error)
            raise

    stream = pa.RecordBatchReader.from_batches(schema, batches())
    try:
        found = _core.event_funnel(stream, json.dumps(request), native, True, progress)
    except CrmError:
        # Arrow's stream makes a text of an exception; the one that was raised says more, and is of its own kind.
        if failures:
            raise failures[0] from None
        raise
    funnel = _funnel(options, steps, found, plan, dimensions, None, None if values_of is None else numbers.values())
    funnel.summary |= read_by_words(head, (contact_name, time_name), options)
    return funnel


def _steps(steps: Any) -> list[dict[str, Any]]:
    if not isinstance(steps, Sequence) or isinstance(steps, str) or not steps:
        raise ConfigError("event funnel: 'steps' must be a list of at least one step, each with 'name' and 'where'")
    found = []
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Mapping):
            step = {"where": step}
        check_options(step, ("name", "where", "optional", "within"), f"step {number}")
        if "where" not in step:
            raise ConfigError(f"step {number}: 'where' is missing; write a condition such as \"kind = 'visit'\"")
        where = rule_text(step["where"], f"step {number}: where")
        found.append({**step, "name": str(step.get("name", where)), "where": where})
    return found


def _request(options: dict[str, Any], steps: list[dict[str, Any]], unit: str, today: dt.date | None) -> dict[str, Any]:
    step_names = [step["name"] for step in steps]
    modes = names(options.get("mode"), "mode")
    order = options.get("order", "given")
    if order not in ("given", "any"):
        raise ConfigError(f"order {order!r} is unknown; it is 'given' or 'any'")
    exclude = []
    conditions = [step["where"] for step in steps]
    for number, exclusion in enumerate(list_of(options.get("exclude"), "exclude", "exclusions, each with 'where'"), 1):
        if not isinstance(exclusion, Mapping):
            exclusion = {"where": exclusion}
        check_options(exclusion, ("where", "from", "to"), f"exclusion {number}")
        if "where" not in exclusion:
            raise ConfigError(f"exclusion {number}: 'where' is missing")
        conditions.append(rule_text(exclusion["where"], f"exclusion {number}: where"))
        exclude.append(
            {"from": _step_number(exclusion.get("from", 1), step_names), "to": _step_number(exclusion.get("to", len(steps)), step_names)}
        )
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
    return {
        "funnel": funnel,
        "conditions": conditions,
        "filter": rule_text(options["where"], "where") if options.get("where") is not None else None,
        "ticks_per_second": TICKS[unit],
        "today": ((today or dt.date.today()) - dt.date(1970, 1, 1)).days,
    }


def _us(value: Any, name: str) -> int | None:
    found = seconds(value, name)
    return None if found is None else round(found * 1_000_000)


def _step_number(step: Any, names: list[str]) -> int:
    if isinstance(step, int) and not isinstance(step, bool):
        return max(step, 0)
    if step in names:
        return names.index(step) + 1
    raise ConfigError(f"exclusion: there is no step {step!r}; the steps are {', '.join(names)}")
