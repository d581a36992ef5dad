"""Pipeline funnels: how far deals get through stages, where they are lost and why."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_engine import _core
from crm_engine.columns import check_options, column, first_column, load_config, load_table, texts, times
from crm_engine.errors import ConfigError, SchemaError
from crm_engine.funnels.deal_columns import TICKS, Breakdowns, DealColumns, check_times, deal_ids, history_of, once, stage_numbers
from crm_engine.funnels.forecast import forecast, forecast_check
from crm_engine.funnels.named_tables import NamedTables
from crm_engine.funnels.options import check_breakdown_names, check_timezone, list_of_names, names
from crm_engine.funnels.payments import paid
from crm_engine.funnels.pipeline_tables import PipelineTables
from crm_engine.related_words import STAGES, known_columns, own_name, with_columns
from crm_engine.told_once import dates_told_once
from crm_engine.written import check_date_order

Progress = Callable[[str, int, int], Any]

OPTIONS = (
    "stages", "lost", "count", "by", "breakdowns", "cohort", "forecast", "timezone", "pipelines", "pipeline_column", "deal", "stage",
    "entered_at", "amount", "currency", "created_at", "lost_reason", "name", "default_currency", "date_order",
)  # fmt: skip


class PipelineFunnel(NamedTables):
    """What a pipeline funnel found; every table is a ``pyarrow.Table``, and a breakdown's columns come first.

    - ``stages``: ``stage``, ``reached``, ``current``, ``lost``, ``conversion_from_previous``, ``conversion_from_start``, ``median_days``,
      ``p90_days``; ``totals`` the same without a breakdown, ``subtotals`` by each of its columns alone;
    - ``details``: per stage ``entered``, ``skipped``, ``moved_back``, ``visits``, ``mean_days``;
    - ``amounts``: per stage and currency ``reached_amount``, ``current_amount``, ``lost_amount``, as decimals;
    - ``losses``: per stage, reason and currency ``deals``, ``amount``;
    - ``moves``: from stage, to stage, kind, moves; ``cohorts``: the funnel by period of creation;
    - ``forecast`` and ``forecast_check``: what the open deals are worth, and how right that would have been before;
    - ``payments``, ``unpaid``: what became of the won deals' money; ``deals``: where each deal stands.

    ``breakdowns`` has one table like ``stages`` per further breakdown; ``table(name)`` gives any of them.
    """

    TABLES = (
        "stages", "totals", "subtotals", "details", "amounts", "losses", "moves", "cohorts", "forecast", "forecast_check", "payments", "unpaid",
        "deals",
    )  # fmt: skip
    LONG_TABLES = ("deals",)

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
        self.summary: dict[str, Any] = tables["summary"]
        self._deals: Callable[[], pa.Table] = tables["deals"]

    @functools.cached_property
    def deals(self) -> pa.Table:
        """Where each deal stands: ``deal``, ``status``, ``stage``, ``furthest``, ``lost_at``, ``has_history``, ``first_time``, ``last_time``."""
        return self._deals()


@dates_told_once
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
    given = {"deals": deals, "deal_stages": deal_stages, "payments": payments}
    tables = {name: load_table(source, name) for name, source in given.items() if source is not None}
    read_as = {name: found for name, table in tables.items() if (found := known_columns(table, name))}
    tables = {name: with_columns(table, read_as.get(name, {})) for name, table in tables.items()}
    deal_table, stage_table, payment_table = tables["deals"], tables.get("deal_stages"), tables.get("payments")
    if stage_table is None or ("stage" in options and options["stage"] not in stage_table.column_names):
        # Only a history tells the stages of deals that do not say it themselves.
        column(deal_table, str(options.get("stage") or "stage"), "deals")
    check_timezone(options.get("timezone"))
    check_date_order(options.get("date_order"))
    check_breakdown_names(options.get("breakdowns"), PipelineFunnel.TABLES)
    make = _several if options.get("pipelines") else _one_pipeline
    funnel = PipelineFunnel(make(deal_table, stage_table, options, payment_table, today, progress))
    if read_as:
        funnel.summary["read_as"] = read_as
    if read_as.get("deals") and "amount" not in [*deal_table.column_names, *options]:
        told = "deals: no column is known to be the amounts, so that all are without one; say which it is by the option 'amount'"
        funnel.summary["warnings"] = [*funnel.summary.get("warnings", []), told]
    return funnel


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
    results: dict[str, dict[str, Any]] = {}
    for pipeline, own in options["pipelines"].items():
        own = {"stages": own} if not isinstance(own, Mapping) else dict(own)
        check_options(own, ("stages", "lost"), f"pipeline {pipeline!r}")
        part = deals.filter(pc.equal(of_deal, str(pipeline)))
        history = None if stages is None else history_of(part, stages, options.get("deal", "deal_id"))
        shared = {key: value for key, value in options.items() if key not in ("pipelines", "pipeline_column", "stages", "lost")}
        results[str(pipeline)] = _one_pipeline(part, history, {**shared, **own}, payments, today, progress)
    told = [f"{key}: {warning}" for key, found in results.items() for warning in found["summary"]["warnings"]]
    summary = {"pipelines": {key: found["summary"] for key, found in results.items()}, "warnings": told}
    merged: dict[str, Any] = {"breakdowns": {}, "summary": summary}

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
        elif key == "deals":
            merged[key] = lambda: stack({p: found["deals"]() for p, found in results.items()})
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
    stages, lost_names = _stage_names(options)
    count = options.get("count", "reached")
    if count not in ("reached", "entered"):
        raise ConfigError(f"count is {count!r}; it is 'reached' (this stage or a later one) or 'entered'")
    deals, n_repeated = once(deals, options)
    ids, history_ids = deal_ids(deals, history, options)
    columns = DealColumns(deals, options)
    breakdowns = Breakdowns(deals, options, columns)
    stage_rows, when = _stage_rows(history, history_ids, options)
    past, dates = check_times(options, when, today)
    created = None if columns.created is None else columns.created.cast(pa.int64()).fill_null(np.iinfo(np.int64).max).combine_chunks()
    request = {
        "stages": stages, "lost": lost_names, "n_currencies": len(columns.currencies), "n_values": [len(values) for values in breakdowns.values],
        "breakdowns": [by for _, by in breakdowns.plan], "with_entered_amounts": count == "entered", "check_times": past,
        "history_per_day": 86_400 * TICKS[when.type.unit], "created_per_day": 0 if columns.created is None else 86_400 * TICKS[columns.created.type.unit],
    }  # fmt: skip
    found = _core.pipeline_funnel(
        json.dumps(request), ids.combine_chunks(), pa.array(stage_numbers(deals, options, stages, lost_names)), columns.amount.combine_chunks(),
        pa.array(columns.currency_codes.astype(np.uint16, copy=False)), pa.array(columns.reason_codes.astype(np.uint16, copy=False)), created, breakdowns.numbers, stage_rows, progress,
    )  # fmt: skip
    view = PipelineTables(found, stages, lost_names[0], columns, breakdowns, TICKS[when.type.unit] / found["ticks"], count)
    tables = _breakdown_tables(view)
    tables |= {
        "details": view.details(),
        "amounts": view.amounts(),
        "losses": view.losses(),
        "moves": view.moves(),
        "forecast": forecast(view),
    }
    deal_name = options.get("deal", "deal_id")
    tables["deals"] = lambda: view.deals(column(deals, deal_name, "deals"), when.type)
    if past:
        tables["forecast_check"] = forecast_check(view, dates)
    tables["summary"] = view.summary(history is not None)
    tables["summary"]["deals_repeated"] = n_repeated
    if n_repeated:
        tables["summary"]["warnings"].append(f"{n_repeated} rows repeat a deal that comes again further down; the last row of each counts")
    if payments is not None:
        tables["payments"], tables["unpaid"] = paid(tables["deals"](), columns, payments, options)
    return tables


def _stage_names(options: dict[str, Any]) -> tuple[list[str], list[str]]:
    stages = list(STAGES) if options.get("stages") is None else list_of_names(options["stages"], "stages")
    lost_names = names(options.get("lost"), "lost", ("lost",))
    if not stages or not lost_names:
        raise ConfigError(f"{'lost' if stages else 'stages'} names nothing; a pipeline has stages, and a name for what is lost")
    for number, stage in enumerate(stages):
        if stage in stages[:number] or stage in lost_names:
            raise ConfigError(f"the stage {stage!r} is named twice")
    return stages, lost_names


def _stage_rows(history: pa.Table | None, ids: pa.ChunkedArray | None, options: dict[str, Any]) -> tuple[pa.Table, pa.ChunkedArray]:
    """The history as (deal, time, stage), and its times."""
    if history is None or ids is None:
        empty = pa.table({"(deal)": pa.array([], pa.int64()), "(time)": pa.array([], pa.int64()), "stage": pa.array([], pa.string())})
        return empty, pa.chunked_array([], pa.timestamp("s"))
    name = options.get("entered_at") or first_column(
        history, ("entered_at", "changed_at", "at", "time", "created_at"), "deal_stages", "entered_at"
    )
    when = times(column(history, name, "deal_stages"), own_name(history, name), "deal_stages", order=options.get("date_order"))
    stage = column(history, options.get("stage", "stage"), "deal_stages")
    if not pa.types.is_dictionary(stage.type) and not pa.types.is_string(stage.type):
        stage = stage.cast(pa.string())
    return pa.table([ids, when.cast(pa.int64()), stage], names=["(deal)", "(time)", "stage"]), when


def _breakdown_tables(view: PipelineTables) -> dict[str, Any]:
    tables: dict[str, Any] = {"breakdowns": {}}
    subtotals = []
    for number, (what, _) in enumerate(view.breakdowns.plan):
        table = view.stages(number)
        if what == "subtotals":
            name, *_ = table.column_names
            head = [pa.array([name] * len(table), pa.string()), table[name].cast(pa.string())]
            subtotals.append(pa.table([*head, *table.columns[1:]], names=["column", "value", *table.column_names[1:]]))
        elif what.startswith("/"):
            tables["breakdowns"][what[1:]] = table
        else:
            tables["cohorts" if what == "cohort" else what] = table
    empty = pa.table(
        [pa.array([], pa.string()), pa.array([], pa.string()), *tables["totals"].slice(0, 0).columns],
        names=["column", "value", *tables["totals"].column_names],
    )
    tables["subtotals"] = pa.concat_tables([empty, *subtotals], promote_options="permissive")
    return tables
