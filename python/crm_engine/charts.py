"""Charts of funnels and analyses, as self-contained HTML, PNG or SVG; needs the extra ``report`` (altair and vl-convert).

crm.draw(crm.pipeline_funnel(...), "funnel.html")
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from crm_engine.analysis_charts import analysis_chart
from crm_engine.chart_style import AMBER, BLUE, INK, LIGHT, MUTED, PALETTE, count_text, heat_map, nothing, percent, styled
from crm_engine.errors import ConfigError, InternalError
from crm_engine.output import atomic_file

FORMATS = (".html", ".png", ".svg")


def is_chart_path(path: str | os.PathLike[str]) -> bool:
    """Whether the extension asks for a chart."""
    return Path(path).suffix.lower() in FORMATS


def draw(result: Any, path: str | os.PathLike[str] | None = None) -> Any:
    """The chart of a funnel or an analysis; with ``path`` it is written there (``.html``, ``.png``, ``.svg``)."""
    chart = _chart_of(result)
    if path is not None:
        save(chart, path)
    return chart


def save(chart: Any, path: str | os.PathLike[str]) -> None:
    """Writes an altair chart; HTML carries all its scripts and needs no network."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(f"{os.fspath(path)}: a chart is written as .html, .png or .svg")
    try:
        import vl_convert as vlc
    except ImportError as error:
        raise _missing(error) from error
    spec = chart.to_dict()
    with atomic_file(path) as scratch:
        if suffix == ".html":
            scratch.write_text(_page(vlc, spec), "utf-8")
        elif suffix == ".svg":
            scratch.write_text(vlc.vegalite_to_svg(spec), "utf-8")
        else:
            scratch.write_bytes(vlc.vegalite_to_png(spec, scale=2))


#: Stands for the chart while the page around it is made.
_PLACEHOLDER = '{"description":"the chart"}'


def _page(vlc: Any, spec: dict[str, Any]) -> str:
    """A page with its scripts in it. No ``<`` of the data stays: inside a script a browser would read it as the script's end."""
    before, found, after = vlc.vegalite_to_html(_PLACEHOLDER, bundle=True).partition(_PLACEHOLDER)
    if not found or _PLACEHOLDER in after:
        raise InternalError("the chart's page has no single place for the chart; is this version of vl-convert a known one?")
    return str(before + json.dumps(spec, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c") + after)


def _missing(error: ImportError) -> ConfigError:
    return ConfigError(f"charts need the extra 'report', and {error.name} is missing: pip install 'crm_engine[report]'")


def _altair() -> Any:
    try:
        import altair
    except ImportError as error:
        raise _missing(error) from error
    return altair


def _chart_of(result: Any) -> Any:
    from crm_engine.analyze import Analysis
    from crm_engine.funnel import EventFunnel, PipelineFunnel

    alt = _altair()
    if isinstance(result, PipelineFunnel):
        chart = _pipeline(alt, result)
    elif isinstance(result, EventFunnel):
        chart = _events(alt, result)
    elif isinstance(result, Analysis):
        chart = analysis_chart(alt, result)
    else:
        raise ConfigError(f"there is no chart of a {type(result).__name__}; draw a funnel or an analysis")
    return styled(chart)


def _funnel_bars(alt: Any, rows: list[dict[str, Any]], name: str, count: str, title: str, subtitle: str | list[str]) -> Any:
    """One bar per step with its count, its share of the start at the end, and the conversion from the step before between them."""
    if not rows:
        return nothing(alt, title)
    start = max(rows[0][count], 1)
    data = []
    for place, row in enumerate(rows):
        data.append(
            {
                "step": row[name],
                "place": place,
                "count": row[count],
                "rest": start,
                "label": count_text(row[count]),
                "of_start": percent(row["conversion_from_start"]),
                "arrow": f"↓ {percent(row['conversion_from_previous'])}" if place and row["conversion_from_previous"] is not None else "",
            }
        )
    order = [row["step"] for row in data]
    values = alt.InlineData(data)
    y = alt.Y(
        "step:N",
        sort=order,
        axis=alt.Axis(title=None, labelFontSize=14, labelPadding=12, labelFontWeight=600),
        scale=alt.Scale(paddingInner=0.45, paddingOuter=0.15),
    )
    scale = alt.Scale(domain=[0, start * 1.3])
    base = alt.Chart(values)
    track = base.mark_bar(color="#f1f5f9", cornerRadius=4).encode(y=y, x=alt.X("rest:Q", scale=scale, axis=None))
    bars = base.mark_bar(color=BLUE, cornerRadius=4).encode(
        y=y, x=alt.X("count:Q", scale=scale, axis=None), opacity=alt.Opacity("place:O", legend=None, scale=alt.Scale(range=[1, 0.62]))
    )
    counts = base.mark_text(align="left", dx=8, fontSize=13, fontWeight=600, color=INK).encode(
        y=y, x=alt.X("count:Q", scale=scale, axis=None), text="label:N"
    )
    shares = base.mark_text(align="right", fontSize=13, color=MUTED).encode(y=y, x=alt.value(620), text="of_start:N")
    arrows = base.mark_text(align="left", dx=6, dy=-33, fontSize=12, fontWeight=600, color=AMBER).encode(
        y=y, x=alt.value(0), text="arrow:N"
    )
    layers = track + bars + counts + shares + arrows
    return layers.properties(width=620, height=64 * len(rows), title=alt.TitleParams(title, subtitle=subtitle))


def _days(values: list[dict[str, Any]], alt: Any, order: list[str]) -> Any:
    base = alt.Chart(alt.InlineData(values))
    y = alt.Y("stage:N", sort=order, axis=alt.Axis(title=None, labelFontSize=13, labelPadding=12))
    line = base.mark_rule(strokeWidth=4, color=LIGHT, strokeCap="round").encode(
        y=y, x=alt.X("median:Q", title="days", axis=alt.Axis(grid=True, tickCount=6)), x2="p90:Q"
    )
    median = base.mark_circle(size=110, color=BLUE, opacity=1).encode(y=y, x="median:Q", tooltip=["stage:N", "median:Q", "p90:Q"])
    p90 = base.mark_circle(size=70, color=LIGHT, opacity=1, stroke=BLUE, strokeWidth=1.5).encode(y=y, x="p90:Q")
    return (line + p90 + median).properties(
        width=620,
        height=34 * len(order),
        title=alt.TitleParams("Time in stage", subtitle="median (dot) to 90th percentile (ring), days of visits that ended"),
    )


def _pipeline(alt: Any, funnel: Any) -> Any:
    rows = funnel.totals.to_pylist()
    if "pipeline" in funnel.totals.column_names:
        parts = []
        for name in dict.fromkeys(row["pipeline"] for row in rows):
            own = [row for row in rows if row["pipeline"] == name]
            parts.append(_funnel_bars(alt, own, "stage", "reached", name, ""))
        return alt.vconcat(*parts, spacing=40)
    summary = funnel.summary
    facts = [
        f"{count_text(summary['deals'])} deals",
        f"{count_text(summary['won'])} won",
        f"{count_text(summary['lost'])} lost",
        f"{count_text(summary['open'])} open",
    ]
    if summary["win_rate"] is not None:
        facts.append(f"win rate {percent(summary['win_rate'])}")
    if summary["median_cycle_days"] is not None:
        facts.append(f"median cycle {summary['median_cycle_days']:.0f} days")
    told = [" · ".join(facts)]
    if summary["lost_from_unknown"]:
        n_lost = summary["lost_from_unknown"]
        deals = (
            "1 lost deal does not say from which stage, and is"
            if n_lost == 1
            else f"{n_lost} lost deals do not say from which stage, and are"
        )
        told.append(f"{deals} in no bar")
    parts = [_funnel_bars(alt, rows, "stage", "reached", "Pipeline", told)]
    waits = [
        {"stage": row["stage"], "median": row["median_days"], "p90": row["p90_days"]} for row in rows if row["median_days"] is not None
    ]
    if waits:
        parts.append(_days(waits, alt, [row["stage"] for row in waits]))
    if funnel.cohorts is not None and funnel.cohorts.num_rows:
        parts.append(_cohort_map(alt, funnel.cohorts))
    parts += _breakdown_map(
        alt, funnel.stages, "stage", "stage", "reached", [row["stage"] for row in rows], "share of the deals that reached each stage"
    )
    losses = _loss_rows(funnel)
    if losses:
        parts.append(_losses(alt, losses, [row["stage"] for row in rows]))
    return alt.vconcat(*parts, spacing=36).resolve_scale(color="independent", opacity="independent")


def _loss_rows(funnel: Any) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], int] = {}
    for row in funnel.losses.to_pylist():
        key = (row["stage"] or "unknown", row["reason"] or "no reason given")
        found[key] = found.get(key, 0) + row["deals"]
    return [{"stage": stage, "reason": reason, "deals": n} for (stage, reason), n in found.items()]


def _losses(alt: Any, rows: list[dict[str, Any]], order: list[str]) -> Any:
    return (
        alt.Chart(alt.InlineData(rows))
        .mark_bar(cornerRadius=2)
        .encode(
            y=alt.Y("stage:N", sort=order, axis=alt.Axis(title=None, labelFontSize=13, labelPadding=12)),
            x=alt.X("deals:Q", title="deals lost", axis=alt.Axis(grid=True, tickCount=6)),
            color=alt.Color("reason:N", scale=alt.Scale(range=PALETTE), legend=alt.Legend(columns=6)),
            tooltip=["stage:N", "reason:N", "deals:Q"],
        )
        .properties(
            width=620,
            height=34 * len({row["stage"] for row in rows}),
            title=alt.TitleParams("Losses", subtitle="by the stage they were lost from, and why"),
        )
    )


def _cohort_map(alt: Any, cohorts: pa.Table) -> Any:
    period = cohorts.column_names[0]
    rows = [
        {
            "cohort": str(row[period])[:7],
            "stage": row["stage"],
            "share": row["conversion_from_start"],
            "text": percent(row["conversion_from_start"]),
        }
        for row in cohorts.to_pylist()[-24 * 8 :]
        if row["conversion_from_start"] is not None
    ]
    order = list(dict.fromkeys(cohorts["stage"].to_pylist()))
    return heat_map(
        alt, rows, "stage", order, "cohort", "share", "Cohorts", f"share of the deals created in each {period} that reached each stage"
    )


def _events(alt: Any, funnel: Any) -> Any:
    rows = funnel.totals.to_pylist()
    summary = funnel.summary
    subtitle = f"{count_text(summary['converted'])} of {count_text(rows[0]['contacts'] if rows else 0)} contacts came to the end"
    parts = [_funnel_bars(alt, rows, "name", "contacts", funnel.name.capitalize(), subtitle)]
    parts += _breakdown_map(
        alt, funnel.steps, "step", "name", "contacts", funnel.step_names, "share of those who began that reached each step"
    )
    return alt.vconcat(*parts, spacing=36)


#: Groups that a breakdown's map has room for.
_MOST_GROUPS = 25


def _breakdown_map(alt: Any, table: pa.Table, first: str, name: str, count: str, order: list[str], what: str) -> list[Any]:
    """The shares of each group by step, or nothing where nothing is broken down; ``first`` is the first column that is no breakdown's."""
    columns = table.column_names[: table.column_names.index(first)]
    if not columns or not table.num_rows:
        return []
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        groups.setdefault(" · ".join("none" if row[column] is None else str(row[column]) for column in columns), []).append(row)
    largest = sorted(groups, key=lambda group: -max(row[count] for row in groups[group]))[:_MOST_GROUPS]
    shown = [
        {"name": row[name], "group": group, "share": row["conversion_from_start"], "text": percent(row["conversion_from_start"])}
        for group, rows in groups.items()
        if group in largest
        for row in rows
        if row["conversion_from_start"] is not None
    ]
    subtitle = what if len(groups) <= _MOST_GROUPS else f"{what}; the {_MOST_GROUPS} largest of {count_text(len(groups))}"
    return [heat_map(alt, shown, "name", order, "group", "share", "By " + ", ".join(columns), subtitle)] if shown else []
