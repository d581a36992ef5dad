"""Pipeline funnels: how far deals get through stages, where they are lost and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.columns import (
    PERIODS,
    check_options,
    codes,
    column,
    first_column,
    load_config,
    load_table,
    money,
    period,
    period_codes,
    texts,
    times,
)
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.funnels.events import number_or_null, share

Progress = Callable[[str, int, int], Any]

STAGES = ("qualification", "presentation", "proposal", "contracting", "won")
OPTIONS = (
    "stages", "lost", "count", "by", "breakdowns", "cohort", "forecast", "timezone", "pipelines", "pipeline_column", "deal", "stage",
    "entered_at", "amount", "currency", "created_at", "lost_reason", "name", "default_currency",
)  # fmt: skip
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class PipelineFunnel:
    """What a pipeline funnel found; every table is a ``pyarrow.Table``, and a breakdown's columns come first.

    - ``stages``: ``stage``, ``reached``, ``current``, ``lost``, ``conversion_from_previous``, ``conversion_from_start``, ``median_days``,
      ``p90_days``; ``totals`` the same without a breakdown, ``subtotals`` by each of its columns alone;
    - ``details``: per stage ``entered``, ``skipped``, ``moved_back``, ``visits``, ``mean_days``;
    - ``amounts``: per stage and currency ``reached_amount``, ``current_amount``, ``lost_amount``, as decimals;
    - ``losses``: per stage, reason and currency ``deals``, ``amount``;
    - ``moves``: from stage, to stage, kind, moves; ``cohorts``: the funnel by period of creation;
    - ``forecast`` and ``forecast_check``: what the open deals are worth, and how right that would have been before;
    - ``payments``, ``unpaid``: what became of the won deals' money; ``deals``: where each deal stands.
    """

    def __init__(self, tables: dict[str, Any]) -> None:
        self.stages: pa.Table = tables["stages"]
        self.totals: pa.Table = tables["totals"]
        self.subtotals: pa.Table = tables["subtotals"]
        self.breakdowns: dict[str, pa.Table] = tables["breakdowns"]
        self.details: pa.Table = tables["details"]
        self.amounts: pa.Table = tables["amounts"]
        self.losses: pa.Table = tables["losses"]
        self.moves: pa.Table = tables["moves"]
        self.cohorts: pa.Table | None = tables.get("cohorts")
        self.forecast: pa.Table = tables["forecast"]
        self.forecast_check: pa.Table | None = tables.get("forecast_check")
        self.payments: pa.Table | None = tables.get("payments")
        self.unpaid: pa.Table | None = tables.get("unpaid")
        self.deals: pa.Table = tables["deals"]
        self.summary: dict[str, Any] = tables["summary"]


def pipeline_funnel(
    deals: Any,
    deal_stages: Any = None,
    config: Any = None,
    *,
    payments: Any = None,
    today: dt.date | None = None,
    progress: Progress | None = None,
) -> PipelineFunnel:
    """How far deals get through the stages of a pipeline.

    ``deals`` and ``deal_stages`` (the history; without it only the current stage is known) are paths or anything that offers Arrow;
    ``config`` is a dict, YAML text or the path of a YAML file. With ``pipelines`` in it, all tables begin with ``pipeline``.

    >>> import pyarrow as pa
    >>> deals = pa.table({"deal_id": [1, 2], "stage": ["won", "proposal"]})
    >>> pipeline_funnel(deals).stages.select(["stage", "reached", "current"]).slice(2).to_pylist()
    [{'stage': 'proposal', 'reached': 2, 'current': 1}, {'stage': 'contracting', 'reached': 1, 'current': 0}, {'stage': 'won', 'reached': 1, 'current': 1}]
    """
    options = load_config(config, "pipeline funnel")
    check_options(options, OPTIONS, "pipeline funnel")
    deal_table = load_table(deals, "deals")
    stage_table = None if deal_stages is None else load_table(deal_stages, "deal_stages")
    payment_table = None if payments is None else load_table(payments, "payments")
    if not options.get("pipelines"):
        return PipelineFunnel(_one_pipeline(deal_table, stage_table, options, payment_table, today, progress))
    return PipelineFunnel(_several(deal_table, stage_table, options, payment_table, today, progress))


def _several(
    deals: pa.Table,
    stages: pa.Table | None,
    options: dict[str, Any],
    payments: pa.Table | None,
    today: dt.date | None,
    progress: Progress | None,
) -> dict[str, Any]:
    name = options.get("pipeline_column", "pipeline")
    of_deal = texts(column(deals, name, "deals"))
    if not isinstance(options["pipelines"], Mapping):
        raise ConfigError("pipelines must be a mapping of a pipeline's name to its 'stages' and 'lost'")
    known = [str(pipeline) for pipeline in options["pipelines"]]
    strange = pc.unique(of_deal.filter(pc.invert(pc.is_in(of_deal, value_set=pa.array(known, pa.string()))))).to_pylist()
    if strange:
        row = int(np.flatnonzero(~pc.is_in(of_deal, value_set=pa.array(known, pa.string())).to_numpy(zero_copy_only=False))[0])
        raise SchemaError(
            f"row {row + 1} of the deals is in the pipeline {strange[0]!r}, which the config does not name; it names {', '.join(known)}"
        )
    id_name = options.get("deal", "deal_id")
    results: dict[str, dict[str, Any]] = {}
    for pipeline, own in options["pipelines"].items():
        own = {"stages": own} if not isinstance(own, Mapping) else dict(own)
        check_options(own, ("stages", "lost"), f"pipeline {pipeline!r}")
        part = deals.filter(pc.equal(of_deal, str(pipeline)))
        history = None
        if stages is not None:
            ids = column(part, id_name, "deals")
            history = stages.filter(
                pc.is_in(column(stages, id_name, "deal_stages"), value_set=ids.combine_chunks().cast(stages[id_name].type))
            )
        shared = {key: value for key, value in options.items() if key not in ("pipelines", "pipeline_column", "stages", "lost")}
        results[str(pipeline)] = _one_pipeline(part, history, {**shared, **own}, payments, today, progress)
    merged: dict[str, Any] = {"breakdowns": {}, "summary": {"pipelines": {key: found["summary"] for key, found in results.items()}}}

    def stack(parts: dict[str, pa.Table]) -> pa.Table:
        named = [
            pa.table([pa.array([key] * len(table), pa.string()), *table.columns], names=["pipeline", *table.column_names])
            for key, table in parts.items()
        ]
        return pa.concat_tables(named, promote_options="permissive")

    first = next(iter(results.values()))
    for key in first:
        if key == "breakdowns":
            merged[key] = {by: stack({p: found[key][by] for p, found in results.items()}) for by in first[key]}
        elif key != "summary":
            merged[key] = stack({p: found[key] for p, found in results.items() if found.get(key) is not None})
    return merged


def _one_pipeline(
    deals: pa.Table,
    history: pa.Table | None,
    options: dict[str, Any],
    payments: pa.Table | None,
    today: dt.date | None,
    progress: Progress | None,
) -> dict[str, Any]:
    stages = [str(stage) for stage in options.get("stages") or STAGES]
    lost = options.get("lost", "lost")
    lost_names = [str(name) for name in ([lost] if isinstance(lost, str) else lost)]
    for number, stage in enumerate(stages):
        if stage in stages[:number] or stage in lost_names:
            raise ConfigError(f"the stage {stage!r} is named twice")
    if options.get("count", "reached") not in ("reached", "entered"):
        raise ConfigError(f"count is {options['count']!r}; it is 'reached' (this stage or a later one) or 'entered'")
    deals, n_repeated = _once(deals, options)
    ids, history_ids = _ids(deals, history, options)
    columns = _DealColumns(deals, options)
    stage_numbers = _stage_numbers(deals, options, stages, lost_names)
    when = pa.chunked_array([], pa.timestamp("s"))
    stage_rows = pa.table({"(deal)": pa.array([], pa.int64()), "(time)": pa.array([], pa.int64()), "stage": pa.array([], pa.string())})
    if history is not None:
        entered_name = options.get("entered_at") or first_column(
            history, ("entered_at", "changed_at", "at", "time", "created_at"), "deal_stages", "entered_at"
        )
        when = times(column(history, entered_name, "deal_stages"), entered_name, "deal_stages")
        stage = column(history, options.get("stage", "stage"), "deal_stages")
        if not pa.types.is_dictionary(stage.type) and not pa.types.is_string(stage.type):
            stage = stage.cast(pa.string())
        stage_rows = pa.table([history_ids, when.cast(pa.int64()), stage], names=["(deal)", "(time)", "stage"])
    groupings, plan = _groupings(deals, options, columns)
    check_times, check_dates = _check_times(options, when, today)
    if columns.amount.type != pa.float64() and not pa.types.is_decimal(columns.amount.type):
        raise SchemaError(f"deals: the amounts have the type {columns.amount.type}")
    found = _core.pipeline_funnel(
        ids.combine_chunks(), pa.array(stage_numbers), columns.amount.combine_chunks(), pa.array(columns.currency_codes.astype(np.uint16)),
        len(columns.currencies), pa.array(columns.reason_codes.astype(np.uint16)), stage_rows, stages, lost_names,
        [(pa.array(grouping.codes), grouping.n_groups) for grouping in groupings], check_times, progress,
    )  # fmt: skip
    view = _View(found, stages, lost_names[0], columns, _TICKS[when.type.unit] / found["ticks"], options.get("count", "reached"))
    tables: dict[str, Any] = {"breakdowns": {}}
    subtotals = []
    for (what, number), counts in zip(plan, found["counts"], strict=True):
        grouping = groupings[number]
        table = view.stages(grouping, counts)
        if what == "stages":
            tables |= {
                "stages": table,
                "details": view.details(grouping, counts),
                "amounts": view.amounts(grouping, counts),
                "losses": view.losses(grouping, counts),
            }
        elif what == "totals":
            tables["totals"] = table
            total = counts
        elif what == "cohort":
            tables["cohorts"] = table
        elif what == "subtotals":
            name = table.column_names[0]
            subtotals.append(
                pa.table(
                    [pa.array([name] * len(table), pa.string()), table[name].cast(pa.string()), *table.columns[1:]],
                    names=["column", "value", *table.column_names[1:]],
                )
            )
        else:
            tables["breakdowns"][what[1:]] = table
    empty = pa.table(
        [pa.array([], pa.string()), pa.array([], pa.string()), *tables["totals"].slice(0, 0).columns],
        names=["column", "value", *tables["totals"].column_names],
    )
    tables["subtotals"] = pa.concat_tables([empty, *subtotals], promote_options="permissive")
    tables["moves"] = view.moves()
    tables["deals"] = view.deals(column(deals, options.get("deal", "deal_id"), "deals"), when.type)
    tables["forecast"] = view.forecast(total)
    if check_times:
        tables["forecast_check"] = view.forecast_check(check_dates)
    tables["summary"] = view.summary(total, columns, history is not None)
    tables["summary"]["deals_repeated"] = n_repeated
    if n_repeated:
        tables["summary"]["warnings"].append(f"{n_repeated} rows repeat a deal that comes again further down; the last row of each counts")
    if payments is not None:
        tables["payments"], tables["unpaid"] = _payments(tables["deals"], columns, payments, options)
    return tables


def _once(deals: pa.Table, options: dict[str, Any]) -> tuple[pa.Table, int]:
    """Each deal once: of several rows the last counts. Also how many rows that leaves out."""
    ids = column(deals, options.get("deal", "deal_id"), "deals")
    if pa.types.is_integer(ids.type) and not ids.null_count and len(ids):
        numbers = ids.to_numpy().astype(np.int64)
        low, high = int(numbers.min()), int(numbers.max())
        if high - low < 8 * len(numbers) + 1_000:
            last = np.full(high - low + 1, -1, np.int64)
            last[numbers - low] = np.arange(len(numbers))
            kept = np.sort(last[last >= 0])
            return (deals, 0) if len(kept) == len(numbers) else (deals.take(pa.array(kept)), len(numbers) - len(kept))
    if pc.count_distinct(ids, mode="all").as_py() == len(ids):
        return deals, 0
    rows = pa.table({"id": ids, "row": np.arange(len(ids))}).group_by("id").aggregate([("row", "max")])["row_max"]
    kept = np.sort(rows.to_numpy())
    return deals.take(pa.array(kept)), len(ids) - len(kept)


def _ids(deals: pa.Table, history: pa.Table | None, options: dict[str, Any]) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    """Deal ids as int64, in both tables alike."""
    name = options.get("deal", "deal_id")
    ids = column(deals, name, "deals")
    if ids.null_count:
        row = int(np.flatnonzero(ids.is_null().to_numpy())[0])
        raise SchemaError(f"row {row + 1} of the deals has no {name!r}")
    other = None if history is None else column(history, name, "deal_stages")
    if pa.types.is_integer(ids.type):
        if other is not None and not pa.types.is_integer(other.type):
            other = pc.index_in(texts(other), value_set=ids.cast(pa.string()).combine_chunks())
            return pa.chunked_array([pa.array(np.arange(len(ids)))]), other.cast(pa.int64())
        return ids.cast(pa.int64()), None if other is None else other.cast(pa.int64())
    known = texts(ids).combine_chunks()
    numbers = pa.chunked_array([pa.array(np.arange(len(ids)))])
    if other is None:
        return numbers, None
    found = pc.index_in(texts(other), value_set=known).cast(pa.int64())
    # Rows of unknown deals keep a number, so that they can be counted.
    return numbers, pc.if_else(pc.and_(pc.is_null(found), pc.is_valid(other)), pa.scalar(len(ids) + 1), found)


class _DealColumns:
    """Amounts, currencies and reasons of the deals, whatever of them there is."""

    def __init__(self, deals: pa.Table, options: dict[str, Any]) -> None:
        n_rows = deals.num_rows
        amount = options.get("amount", "amount")
        if amount in deals.column_names:
            raw = deals[amount]
            self.amount = raw if pa.types.is_float64(raw.type) else money(raw, amount, "deals")
        elif "amount" in options:
            column(deals, amount, "deals")
        else:
            self.amount = pa.chunked_array([pa.nulls(n_rows, pa.decimal128(38, 2))])
        self.scale = 2 if pa.types.is_float64(self.amount.type) else self.amount.type.scale
        self.currency_codes, self.currencies = self._optional(deals, options, "currency", n_rows, options.get("default_currency", ""))
        self.reason_codes, self.reasons = self._optional(deals, options, "lost_reason", n_rows, None)
        created = options.get("created_at", "created_at")
        self.created = times(deals[created], created, "deals") if created in deals.column_names else None

    @staticmethod
    def _optional(
        deals: pa.Table, options: dict[str, Any], name: str, n_rows: int, missing: str | None
    ) -> tuple[np.ndarray, list[str | None]]:
        given = options.get(name, name)
        if given not in deals.column_names:
            if name in options:
                column(deals, given, "deals")
            return np.zeros(n_rows, np.uint16), [missing]
        number, values = codes(texts(deals[given]) if not pa.types.is_dictionary(deals[given].type) else deals[given])
        if len(values) > 60_000:
            raise SchemaError(f"deals: column {given!r} has {len(values)} different values, too many for a {name.replace('_', ' ')}")
        return number, [*values.cast(pa.string()).to_pylist(), missing]


def _stage_numbers(deals: pa.Table, options: dict[str, Any], stages: list[str], lost: list[str]) -> np.ndarray:
    name = options.get("stage", "stage")
    if name not in deals.column_names:
        return np.zeros(deals.num_rows, np.uint8)
    number, values = codes(deals[name])
    of_value = []
    for value in values.cast(pa.string()).to_pylist():
        if value in stages:
            of_value.append(stages.index(value) + 1)
        elif value in lost:
            of_value.append(len(stages) + 1)
        elif value == "":
            of_value.append(0)
        else:
            row = int(np.flatnonzero(number == len(of_value))[0])
            raise SchemaError(
                f"row {row + 1} of the deals has the stage {value!r}, which the pipeline does not know; its stages are {', '.join([*stages, *lost])}"
            )
    return np.asarray(np.array([*of_value, 0], np.uint8)[number])


class _Grouping:
    """Deals grouped by some columns: a number per deal, and what the numbers mean."""

    def __init__(self, parts: list[tuple[str, np.ndarray, pa.Array]], n_rows: int) -> None:
        self.parts = parts
        combined = np.zeros(n_rows, np.int64)
        size = 1
        for _, number, values in parts:
            combined = combined * (len(values) + 1) + number
            size *= len(values) + 1
        if size <= max(1 << 16, 4 * n_rows):
            used = np.zeros(size, bool)
            used[combined] = True
            present = np.flatnonzero(used)
            rank = np.cumsum(used, dtype=np.int64) - 1
            self.codes = rank[combined].astype(np.uint32)
        else:
            present, inverse = np.unique(combined, return_inverse=True)
            self.codes = inverse.astype(np.uint32)
        self.n_groups = len(present)
        self._present = present

    def columns(self, of_row: np.ndarray) -> dict[str, pa.Array]:
        """The grouping's columns for rows that belong to these groups."""
        rest = self._present.copy()
        found: dict[str, pa.Array] = {}
        for name, _, values in reversed(self.parts):
            number = rest % (len(values) + 1)
            rest //= len(values) + 1
            every = pa.concat_arrays([values, pa.nulls(1, values.type)])
            found[name] = every.take(pa.array(number[of_row]))
        return dict(reversed(found.items()))


def _groupings(deals: pa.Table, options: dict[str, Any], columns: _DealColumns) -> tuple[list[_Grouping], list[tuple[str, int]]]:
    cache: dict[str, tuple[str, np.ndarray, pa.Array]] = {}

    def part(name: str) -> tuple[str, np.ndarray, pa.Array]:
        if name not in cache:
            if name not in deals.column_names and name in PERIODS:
                if columns.created is None:
                    raise SchemaError(
                        f"by {name!r} needs the deals' creation time; the deals have no column {options.get('created_at', 'created_at')!r}"
                    )
                cache[name] = (name, *period_codes(columns.created, name, options.get("timezone")))
            else:
                values = column(deals, name, "deals")
                cache[name] = (name, *codes(values))
        return cache[name]

    def names(by: Any) -> list[str]:
        return [by] if isinstance(by, str) else [str(name) for name in by or []]

    groupings: list[_Grouping] = []
    plan: list[tuple[str, int]] = []
    seen: dict[tuple[str, ...], int] = {}

    def add(what: str, by: list[str]) -> None:
        key = tuple(by)
        seen[(what, *key)] = len(groupings)
        groupings.append(_Grouping([part(name) for name in by], deals.num_rows))
        plan.append((what, len(groupings) - 1))

    by = names(options.get("by"))
    add("stages", by)
    add("totals", [])
    for name in by if len(by) > 1 else []:
        add("subtotals", [name])
    if options.get("cohort"):
        add("cohort", [str(options["cohort"])])
    further = options.get("breakdowns") or []
    for key, item in further.items() if isinstance(further, Mapping) else [(None, item) for item in further]:
        add("/" + (key or ", ".join(names(item))), names(item))
    return groupings, plan


def _check_times(options: dict[str, Any], when: pa.ChunkedArray, today: dt.date | None) -> tuple[list[int], list[dt.date]]:
    """The ends of past periods for which a forecast is checked, as ticks and as dates."""
    wanted = options.get("forecast")
    if not wanted or len(when) == when.null_count:
        return [], []
    wanted = {} if wanted is True else dict(wanted)
    check_options(wanted, ("every", "periods"), "forecast")
    unit, n_periods = wanted.get("every", "month"), int(wanted.get("periods", 6))
    last = pc.max(when).cast(pa.timestamp("s", when.type.tz)).cast(pa.int64()).as_py()
    day = today or (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=last)).date()
    dates = []
    for _ in range(n_periods):
        start = period(pa.chunked_array([pa.array([dt.datetime.combine(day, dt.time())], pa.timestamp("s"))]), unit)[0].as_py()
        dates.append(start)
        day = start - dt.timedelta(days=1)
    dates.reverse()
    return [(date - dt.date(1970, 1, 1)).days * 86_400 * _TICKS[when.type.unit] for date in dates], dates


class _View:
    """Puts the kernel's counts into tables."""

    def __init__(self, found: dict[str, Any], stages: list[str], lost: str, columns: _DealColumns, per_second: float, count: str) -> None:
        self.found, self.names, self.lost, self.columns, self.count = found, stages, lost, columns, count
        self.n = len(stages)
        self.per_day = per_second * 86_400

    def _rows(self, grouping: _Grouping, repeat: int) -> dict[str, pa.Array]:
        return grouping.columns(np.repeat(np.arange(grouping.n_groups), repeat))

    def stages(self, grouping: _Grouping, counts: dict[str, Any]) -> pa.Table:
        reached = counts[self.count].astype(np.int64).reshape(-1, self.n)
        previous = np.concatenate([reached[:, :1], reached[:, :-1]], axis=1)
        start = np.repeat(reached[:, :1], self.n, axis=1)
        return pa.table(
            {
                **self._rows(grouping, self.n),
                "stage": pa.array(self.names, pa.string()).take(pa.array(np.tile(np.arange(self.n), grouping.n_groups))),
                "reached": reached.reshape(-1),
                "current": counts["current"].astype(np.int64),
                "lost": counts["lost"].astype(np.int64),
                "conversion_from_previous": share(reached, previous),
                "conversion_from_start": share(reached, start),
                "median_days": number_or_null(counts["median"] / self.per_day),
                "p90_days": number_or_null(counts["p90"] / self.per_day),
            }
        )

    def details(self, grouping: _Grouping, counts: dict[str, Any]) -> pa.Table:
        visits = counts["visits"].astype(np.int64)
        mean = np.divide(counts["sum"], visits, out=np.full(len(visits), np.nan), where=visits > 0) / self.per_day
        return pa.table(
            {
                **self._rows(grouping, self.n),
                "stage": pa.array(self.names, pa.string()).take(pa.array(np.tile(np.arange(self.n), grouping.n_groups))),
                **{name: counts[name].astype(np.int64) for name in ("entered", "skipped", "moved_back", "visits")},
                "mean_days": number_or_null(mean),
            }
        )

    def _decimal(self, values: pa.Array) -> pa.Array:
        """Whole numbers of the smallest unit as decimals, without going through floating point numbers."""
        return pa.Array.from_buffers(pa.decimal128(38, self.columns.scale), len(values), values.buffers(), offset=values.offset)

    def amounts(self, grouping: _Grouping, counts: dict[str, Any]) -> pa.Table:
        n_currencies = len(self.columns.currencies)
        columns = {name: self._decimal(counts[name]) for name in (f"{self.count}_amount", "current_amount", "lost_amount")}
        table = pa.table(
            {
                **self._rows(grouping, self.n * n_currencies),
                "stage": pa.array(self.names, pa.string()).take(
                    pa.array(np.tile(np.repeat(np.arange(self.n), n_currencies), grouping.n_groups))
                ),
                "currency": pa.array(self.columns.currencies, pa.string()).take(
                    pa.array(np.tile(np.arange(n_currencies), grouping.n_groups * self.n))
                ),
                **columns,
            }
        )
        used = _any([pc.not_equal(columns[name], Decimal(0)) for name in columns])
        return table.filter(used)

    def losses(self, grouping: _Grouping, counts: dict[str, Any]) -> pa.Table:
        stage = pa.array([None, *self.names], pa.string()).take(pa.array(counts["loss_stage"]))
        return pa.table(
            {
                **grouping.columns(counts["loss_group"].astype(np.int64)),
                "stage": stage,
                "reason": pa.array(self.columns.reasons, pa.string()).take(pa.array(counts["loss_reason"])),
                "currency": pa.array(self.columns.currencies, pa.string()).take(pa.array(counts["loss_currency"])),
                "deals": counts["loss_deals"].astype(np.int64),
                "amount": self._decimal(counts["loss_amount"]),
            }
        )

    def moves(self) -> pa.Table:
        moves = self.found["moves"].reshape(self.n + 2, self.n + 2)
        names = [None, *self.names, self.lost]
        rows = []
        for start, end in zip(*np.nonzero(moves), strict=True):
            if start == 0:
                kind = "first"
            elif end == self.n + 1:
                kind = "lost"
            elif start == self.n + 1:
                kind = "reopened"
            else:
                kind = "back" if end < start else "forward" if end == start + 1 else "skip"
            rows.append({"from_stage": names[start], "to_stage": names[end], "kind": kind, "moves": int(moves[start, end])})
        return pa.Table.from_pylist(
            rows, pa.schema([("from_stage", pa.string()), ("to_stage", pa.string()), ("kind", pa.string()), ("moves", pa.int64())])
        )

    def deals(self, ids: pa.ChunkedArray, time_type: pa.DataType) -> pa.Table:
        deals = self.found["deals"]
        names = pa.array([None, *self.names, self.lost], pa.string())
        history = deals["has_history"].astype(bool)
        status = np.where(deals["current"] == self.n + 1, 3, np.where(deals["current"] == self.n, 2, np.where(deals["current"] == 0, 0, 1)))
        return pa.table(
            {
                "deal": ids,
                "status": pa.DictionaryArray.from_arrays(pa.array(status.astype(np.int8)), pa.array(["unknown", "open", "won", "lost"])),
                "stage": pa.DictionaryArray.from_arrays(pa.array(deals["current"].astype(np.int8)), names),
                "furthest": pa.DictionaryArray.from_arrays(pa.array(deals["furthest"].astype(np.int8)), names),
                "lost_at": pa.DictionaryArray.from_arrays(pa.array(deals["lost_at"].astype(np.int8)), names),
                "has_history": history,
                "first_time": pa.array(deals["first_time"], mask=~history).cast(time_type),
                "last_time": pa.array(deals["last_time"], mask=~history).cast(time_type),
            }
        )

    def _won_shares(self) -> list[Fraction | None]:
        """Of the decided deals that reached each stage, the share that was won."""
        deals = self.found["deals"]
        decided = np.isin(deals["current"], (self.n, self.n + 1))
        won = deals["current"] == self.n
        shares = []
        for stage in range(1, self.n + 1):
            here = decided & (deals["furthest"] >= stage)
            total = int(here.sum())
            shares.append(Fraction(int((here & won).sum()), total) if total else None)
        return shares

    def forecast(self, total: dict[str, Any]) -> pa.Table:
        """What the open deals of each stage are worth by the historic conversion from there."""
        rows = []
        amounts = self._decimal(total["current_amount"]).to_pylist()
        open_deals = self._open_by_currency()
        n_currencies = len(self.columns.currencies)
        for stage, won_share in enumerate(self._won_shares()[:-1]):
            for number, currency in enumerate(self.columns.currencies):
                n_open = int(open_deals[stage, number])
                if n_open and amounts:
                    amount = amounts[stage * n_currencies + number]
                    rows.append(
                        {
                            "stage": self.names[stage],
                            "currency": currency,
                            "open_deals": n_open,
                            "open_amount": amount,
                            "won_share": None if won_share is None else float(won_share),
                            "expected_amount": None if won_share is None else self._times(amount, won_share),
                        }
                    )
        decimal = pa.decimal128(38, self.columns.scale)
        schema = [
            ("stage", pa.string()),
            ("currency", pa.string()),
            ("open_deals", pa.int64()),
            ("open_amount", decimal),
            ("won_share", pa.float64()),
            ("expected_amount", decimal),
        ]
        return pa.Table.from_pylist(rows, pa.schema(schema))

    def _times(self, amount: Decimal, by: Fraction) -> Decimal:
        exact = Fraction(amount) * by * 10**self.columns.scale
        return Decimal(round(exact)).scaleb(-self.columns.scale)

    def _open_by_currency(self) -> np.ndarray:
        current = self.found["deals"]["current"].astype(np.int64)
        n_currencies = len(self.columns.currencies)
        here = (current >= 1) & (current < self.n)
        cell = (current[here] - 1) * n_currencies + self.columns.currency_codes[here]
        return np.bincount(cell, minlength=self.n * n_currencies).reshape(self.n, n_currencies)

    def forecast_check(self, dates: list[dt.date]) -> pa.Table:
        """The forecast that the same method would have made at the start of past periods, and what became of those deals."""
        check = self.found["forecast"]
        n_currencies = len(self.columns.currencies)
        shape = (len(dates), self.n, n_currencies)
        amounts = {
            name: np.array(self._decimal(check[name]).to_pylist(), object).reshape(shape)
            for name in ("open_amount", "won_amount", "pending_amount")
        }
        counts = {name: check[name].reshape(shape) for name in ("open", "won", "pending")}
        decided, won = check["decided"].reshape(-1, self.n), check["decided_won"].reshape(-1, self.n)
        rows = []
        for index, date in enumerate(dates):
            shares = [
                Fraction(int(won[index, stage]), int(decided[index, stage])) if decided[index, stage] else None for stage in range(self.n)
            ]
            for number, currency in enumerate(self.columns.currencies):
                if not counts["open"][index, :, number].sum() or any(
                    shares[stage] is None for stage in range(self.n - 1) if counts["open"][index, stage, number]
                ):
                    continue
                zero = Decimal(0).scaleb(-self.columns.scale)
                expected = since = zero
                for stage in range(self.n - 1):
                    open_amount, pending = amounts["open_amount"][index, stage, number], amounts["pending_amount"][index, stage, number]
                    expected += self._times(open_amount, shares[stage] or Fraction(0))
                    since += self._times(open_amount - pending, shares[stage] or Fraction(0))
                actual = sum(amounts["won_amount"][index, :, number], zero)
                rows.append(
                    {
                        "at": date,
                        "currency": currency,
                        "open_deals": int(counts["open"][index, :, number].sum()),
                        "still_open_deals": int(counts["pending"][index, :, number].sum()),
                        "expected_amount": expected,
                        "expected_of_decided": since,
                        "won_amount": actual,
                        "error": float((since - actual) / actual) if actual else None,
                    }
                )
        decimal = pa.decimal128(38, self.columns.scale)
        schema = [
            ("at", pa.date32()), ("currency", pa.string()), ("open_deals", pa.int64()), ("still_open_deals", pa.int64()),
            ("expected_amount", decimal), ("expected_of_decided", decimal), ("won_amount", decimal), ("error", pa.float64()),
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, pa.schema(schema))

    def summary(self, total: dict[str, Any], columns: _DealColumns, with_history: bool) -> dict[str, Any]:
        deals = self.found["deals"]
        current = deals["current"]
        n_deals, won = len(current), int((current == self.n).sum())
        lost = int((current == self.n + 1).sum())
        open_deals = int(((current > 0) & (current < self.n)).sum())
        cycle = self._cycle_days(columns)
        median_cycle = float(np.median(cycle)) if len(cycle) else None
        win_rate = won / (won + lost) if won + lost else None
        without = int((deals["has_history"] == 0).sum())
        warnings = []
        if without and n_deals:
            what = "there is no stage history" if not with_history else f"{without} of {n_deals} deals have no stage history"
            warnings.append(f"{what}: of them only the current stage is known, so skips, moves and times in stage leave them out")
        if self.found["orphan_rows"]:
            warnings.append(f"{self.found['orphan_rows']} stage rows belong to no deal of the table and were left out")
        if self.found["disagreeing"]:
            warnings.append(f"{self.found['disagreeing']} deals name another stage than the last of their history; the history counts")
        unknown = int(total["lost_from_unknown"].sum())
        if unknown:
            warnings.append(f"{unknown} lost deals do not say from which stage")
        velocity = {}
        if median_cycle and win_rate is not None:
            won_amounts = self._decimal(total["current_amount"]).to_pylist()[(self.n - 1) * len(columns.currencies) :]
            won_by = np.bincount(columns.currency_codes[current == self.n], minlength=len(columns.currencies))
            open_by = self._open_by_currency().sum(axis=0)
            for number, currency in enumerate(columns.currencies):
                if won_by[number] and won_amounts:
                    per_day = (
                        Fraction(won_amounts[number])
                        / int(won_by[number])
                        * int(open_by[number])
                        * Fraction(win_rate)
                        / Fraction(median_cycle)
                    )
                    velocity[currency or ""] = str(Decimal(round(per_day * 100)).scaleb(-2))
        return {
            "deals": n_deals,
            "won": won,
            "lost": lost,
            "open": open_deals,
            "unknown": int((current == 0).sum()),
            "win_rate": win_rate,
            "median_cycle_days": median_cycle,
            "mean_cycle_days": float(np.mean(cycle)) if len(cycle) else None,
            "velocity_per_day": velocity,
            "deals_without_history": without,
            "stage_rows_without_deal": self.found["orphan_rows"],
            "stage_disagrees": self.found["disagreeing"],
            "warnings": warnings,
        }

    def _cycle_days(self, columns: _DealColumns) -> np.ndarray:
        """Days from creation, or else from the first stage, to won; never negative."""
        deals = self.found["deals"]
        won = (deals["current"] == self.n) & (deals["has_history"] == 1)
        ticks_per_day = self.per_day * self.found["ticks"]
        start, end = deals["first_time"][won] / ticks_per_day, deals["last_time"][won] / ticks_per_day
        if columns.created is not None:
            per_day = 86_400 * _TICKS[columns.created.type.unit]
            created = columns.created.cast(pa.int64()).fill_null(np.iinfo(np.int64).max).to_numpy()[won]
            start = np.minimum(start, created / per_day)
        return np.asarray(end - start)


def _any(masks: list[Any]) -> Any:
    """Where any of the masks is true."""
    found = masks[0]
    for mask in masks[1:]:
        found = pc.or_(found, mask)
    return found


def _payments(deals: pa.Table, columns: _DealColumns, payments: pa.Table, options: dict[str, Any]) -> tuple[pa.Table, pa.Table]:
    """What became of the won deals' money, by currency, and the won deals that have brought nothing."""
    name = options.get("deal", "deal_id")
    won = pc.equal(deals["status"].cast(pa.string()), "won")
    ids = texts(deals["deal"].cast(pa.string())).filter(won).combine_chunks()
    of_payment = texts(column(payments, name, "payments").cast(pa.string()))
    mine = pc.is_in(of_payment, value_set=ids)
    part = payments.filter(mine)
    status_name = first_column(payments, ("status", "kind"), "payments", "status")
    status = texts(part[status_name])
    known = ("received", "overdue", "returned")
    strange = pc.unique(status.filter(pc.invert(pc.is_in(status, value_set=pa.array(known))))).to_pylist()
    if [value for value in strange if value is not None]:
        raise SchemaError(f"payments: {status_name!r} is {strange[0]!r}; known are {', '.join(known)}")
    amount = money(column(part, "amount", "payments"), "amount", "payments")
    currency = (
        texts(part["currency"])
        if "currency" in part.column_names
        else pa.chunked_array([pa.array([columns.currencies[0]] * len(part), pa.string())])
    )
    frame = pa.table({"deal": of_payment.filter(mine), "status": status, "amount": amount, "currency": pc.fill_null(currency, "")})
    sums = {
        (row["currency"], row["status"]): row["amount_sum"]
        for row in frame.group_by(["currency", "status"]).aggregate([("amount", "sum")]).to_pylist()
    }
    won_numpy = won.to_numpy(zero_copy_only=False)
    won_amount = pa.table(
        {
            "currency": pa.array(columns.currencies, pa.string()).take(pa.array(columns.currency_codes[won_numpy])).fill_null(""),
            "amount": money(columns.amount.filter(won), "amount", "deals"),
        }
    )
    won_sums = {
        row["currency"]: row for row in won_amount.group_by("currency").aggregate([("amount", "sum"), ("amount", "count")]).to_pylist()
    }
    nothing = pa.scalar(Decimal(0), amount.type)
    signed = pc.if_else(
        pc.equal(frame["status"], "received"),
        frame["amount"],
        pc.if_else(pc.equal(frame["status"], "returned"), pc.negate(frame["amount"]), nothing),
    )
    net = pa.table({"deal": frame["deal"], "net": signed}).group_by("deal").aggregate([("net", "sum")])
    paid = net.filter(pc.greater(net["net_sum"], Decimal(0)))["deal"].combine_chunks()
    unpaid = deals.filter(won).filter(pc.invert(pc.is_in(ids, value_set=paid)))
    unpaid_currency = np.isin(
        np.flatnonzero(won_numpy), np.flatnonzero(won_numpy)[~pc.is_in(ids, value_set=paid).to_numpy(zero_copy_only=False)]
    )
    unpaid_by: dict[str, int] = {}
    for place, code in zip(unpaid_currency, columns.currency_codes[won_numpy], strict=True):
        if place:
            key = columns.currencies[code] or ""
            unpaid_by[key] = unpaid_by.get(key, 0) + 1
    rows = []
    for key in sorted({*won_sums, *(pair[0] for pair in sums)}):
        row = won_sums.get(key, {})
        rows.append(
            {
                "currency": key or None,
                "won_deals": row.get("amount_count", 0),
                "won_amount": row.get("amount_sum"),
                "received": sums.get((key, "received"), Decimal(0)),
                "overdue": sums.get((key, "overdue"), Decimal(0)),
                "returned": sums.get((key, "returned"), Decimal(0)),
                "unpaid_deals": unpaid_by.get(key, 0),
            }
        )
    decimal = pa.decimal128(38, max(columns.scale, amount.type.scale))
    schema = [
        ("currency", pa.string()),
        ("won_deals", pa.int64()),
        *((n, decimal) for n in ("won_amount", "received", "overdue", "returned")),
        ("unpaid_deals", pa.int64()),
    ]
    return pa.Table.from_pylist(rows, pa.schema(schema)), unpaid.select(["deal", "stage", "last_time"])
