"""Charts of funnels and analyses, as self-contained HTML, PNG or SVG; needs the extra ``report`` (altair and vl-convert).

crm.draw(crm.pipeline_funnel(...), "funnel.html")
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from crm_engine.errors import ConfigError, InternalError
from crm_engine.output import atomic_file

FORMATS = (".html", ".png", ".svg")

_INK, _MUTED, _GRID = "#1f2a37", "#6b7280", "#e5e7eb"
_BLUE, _LIGHT, _RED, _GREEN, _AMBER = "#2563eb", "#bfdbfe", "#dc2626", "#059669", "#d97706"
#: Told apart by people who see colours differently too.
_PALETTE = ["#2563eb", "#d97706", "#059669", "#7c3aed", "#dc2626", "#0891b2", "#be185d", "#65a30d", "#475569", "#b45309"]
_FONT = "Inter, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"


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
        chart = _analysis(alt, result)
    else:
        raise ConfigError(f"there is no chart of a {type(result).__name__}; draw a funnel or an analysis")
    return _styled(chart)


def _styled(chart: Any) -> Any:
    return (
        chart.configure(font=_FONT, background="white", padding=24)
        .configure_view(stroke=None)
        .configure_axis(labelColor=_INK, titleColor=_MUTED, gridColor=_GRID, domain=False, ticks=False, labelFontSize=12, titleFontSize=12, titleFontWeight="normal", labelLimit=220)
        .configure_title(anchor="start", color=_INK, fontSize=18, fontWeight=600, subtitleColor=_MUTED, subtitleFontSize=12, offset=16)
        .configure_legend(labelColor=_INK, titleColor=_MUTED, titleFontWeight="normal", labelFontSize=12, symbolType="circle", orient="top", title=None)
        .configure_header(labelFontSize=12, labelColor=_INK, titleColor=_MUTED, labelFontWeight=600)
    )  # fmt: skip


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}" if value < 0.0995 else f"{value:.0%}"


def _count(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def _funnel_bars(alt: Any, rows: list[dict[str, Any]], name: str, count: str, title: str, subtitle: str) -> Any:
    """One bar per step with its count, its share of the start at the end, and the conversion from the step before between them."""
    if not rows:
        return (
            alt.Chart(alt.InlineData([{"text": "nothing to show"}]), title=title).mark_text(fontSize=14, color=_MUTED).encode(text="text:N")
        )
    start = max(rows[0][count], 1)
    data = []
    for place, row in enumerate(rows):
        data.append(
            {
                "step": row[name],
                "place": place,
                "count": row[count],
                "rest": start,
                "label": _count(row[count]),
                "of_start": _percent(row["conversion_from_start"]),
                "arrow": f"↓ {_percent(row['conversion_from_previous'])}" if place and row["conversion_from_previous"] is not None else "",
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
    bars = base.mark_bar(color=_BLUE, cornerRadius=4).encode(
        y=y, x=alt.X("count:Q", scale=scale, axis=None), opacity=alt.Opacity("place:O", legend=None, scale=alt.Scale(range=[1, 0.62]))
    )
    counts = base.mark_text(align="left", dx=8, fontSize=13, fontWeight=600, color=_INK).encode(
        y=y, x=alt.X("count:Q", scale=scale, axis=None), text="label:N"
    )
    shares = base.mark_text(align="right", fontSize=13, color=_MUTED).encode(y=y, x=alt.value(620), text="of_start:N")
    arrows = base.mark_text(align="left", dx=6, dy=-33, fontSize=12, fontWeight=600, color=_AMBER).encode(
        y=y, x=alt.value(0), text="arrow:N"
    )
    layers = track + bars + counts + shares + arrows
    return layers.properties(width=620, height=64 * len(rows), title=alt.TitleParams(title, subtitle=subtitle))


def _days(values: list[dict[str, Any]], alt: Any, order: list[str]) -> Any:
    base = alt.Chart(alt.InlineData(values))
    y = alt.Y("stage:N", sort=order, axis=alt.Axis(title=None, labelFontSize=13, labelPadding=12))
    line = base.mark_rule(strokeWidth=4, color=_LIGHT, strokeCap="round").encode(
        y=y, x=alt.X("median:Q", title="days", axis=alt.Axis(grid=True, tickCount=6)), x2="p90:Q"
    )
    median = base.mark_circle(size=110, color=_BLUE, opacity=1).encode(y=y, x="median:Q", tooltip=["stage:N", "median:Q", "p90:Q"])
    p90 = base.mark_circle(size=70, color=_LIGHT, opacity=1, stroke=_BLUE, strokeWidth=1.5).encode(y=y, x="p90:Q")
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
        f"{_count(summary['deals'])} deals",
        f"{_count(summary['won'])} won",
        f"{_count(summary['lost'])} lost",
        f"{_count(summary['open'])} open",
    ]
    if summary["win_rate"] is not None:
        facts.append(f"win rate {_percent(summary['win_rate'])}")
    if summary["median_cycle_days"] is not None:
        facts.append(f"median cycle {summary['median_cycle_days']:.0f} days")
    parts = [_funnel_bars(alt, rows, "stage", "reached", "Pipeline", " · ".join(facts))]
    waits = [
        {"stage": row["stage"], "median": row["median_days"], "p90": row["p90_days"]} for row in rows if row["median_days"] is not None
    ]
    if waits:
        parts.append(_days(waits, alt, [row["stage"] for row in waits]))
    if funnel.cohorts is not None and funnel.cohorts.num_rows:
        parts.append(_cohort_map(alt, funnel.cohorts))
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
            color=alt.Color("reason:N", scale=alt.Scale(range=_PALETTE), legend=alt.Legend(columns=6)),
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
            "text": _percent(row["conversion_from_start"]),
        }
        for row in cohorts.to_pylist()[-24 * 8 :]
        if row["conversion_from_start"] is not None
    ]
    order = list(dict.fromkeys(cohorts["stage"].to_pylist()))
    return _heat_map(
        alt, rows, "stage", order, "cohort", "share", "Cohorts", f"share of the deals created in each {period} that reached each stage"
    )


def _heat_map(
    alt: Any, rows: list[dict[str, Any]], x: str, x_order: list[Any], y: str, value: str, title: str, subtitle: str, *, titled: bool = False
) -> Any:
    """Cells with their value on them; ``titled`` names the axes, for values that do not speak for themselves."""
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X(f"{x}:O", sort=x_order, axis=alt.Axis(title=x if titled else None, orient="top", labelAngle=0, labelPadding=8)),
        y=alt.Y(f"{y}:O", axis=alt.Axis(title=y if titled else None, labelPadding=8)),
    )
    # White on the darker half of the scale, which ends at the greatest value.
    dark = 0.55 * max((row[value] for row in rows), default=1)
    cells = base.mark_rect(cornerRadius=3, stroke="white", strokeWidth=2).encode(
        color=alt.Color(f"{value}:Q", legend=None, scale=alt.Scale(range=["#eff6ff", "#1d4ed8"]))
    )
    labels = base.mark_text(fontSize=11).encode(
        text="text:N", color=alt.condition(f"datum.{value} > {dark}", alt.value("white"), alt.value(_INK))
    )
    return (cells + labels).properties(
        width=620, height=24 * max(1, len({row[y] for row in rows})), title=alt.TitleParams(title, subtitle=subtitle)
    )


def _events(alt: Any, funnel: Any) -> Any:
    rows = funnel.totals.to_pylist()
    summary = funnel.summary
    subtitle = f"{_count(summary['converted'])} of {_count(rows[0]['contacts'] if rows else 0)} contacts came to the end"
    parts = [_funnel_bars(alt, rows, "name", "contacts", funnel.name.capitalize(), subtitle)]
    columns = list(funnel.steps.column_names[: funnel.steps.column_names.index("step")])
    if columns and funnel.steps.num_rows:
        shown = [
            {
                "name": row["name"],
                "group": " · ".join(str(row[c]) for c in columns),
                "share": row["conversion_from_start"],
                "text": _percent(row["conversion_from_start"]),
            }
            for row in funnel.steps.to_pylist()[: 25 * len(funnel.step_names)]
            if row["conversion_from_start"] is not None
        ]
        parts.append(
            _heat_map(
                alt,
                shown,
                "name",
                funnel.step_names,
                "group",
                "share",
                "By " + ", ".join(columns),
                "share of those who began that reached each step",
            )
        )
    return alt.vconcat(*parts, spacing=36)


def _analysis(alt: Any, analysis: Any) -> Any:
    look = analysis.chart
    table = analysis.tables[look["table"]]
    rows = [{key: _plain(value) for key, value in row.items()} for row in table.slice(0, look.get("rows", 400)).to_pylist()]
    title = alt.TitleParams(look["title"], subtitle=look.get("subtitle", ""))
    if not rows:
        return (
            alt.Chart(alt.InlineData([{"text": "nothing to show"}]), title=title).mark_text(fontSize=14, color=_MUTED).encode(text="text:N")
        )
    kind, x, y = look["kind"], look["x"], look["y"]
    if kind == "heat":
        for row in rows:
            row["text"] = _percent(row[look["value"]]) if look.get("percent", True) else str(row[look["value"]])
        return _heat_map(
            alt,
            rows,
            x,
            look.get("order", sorted({row[x] for row in rows})),
            y,
            look["value"],
            look["title"],
            look.get("subtitle", ""),
            titled=True,
        )
    tooltip = [alt.Tooltip(name, type="nominal") for name in rows[0]]
    if kind == "line":
        colour = (
            {
                "color": alt.Color(
                    f"{look['color']}:N", sort=list(dict.fromkeys(row[look["color"]] for row in rows)), scale=alt.Scale(range=_PALETTE)
                )
            }
            if look.get("color")
            else {"color": alt.value(_BLUE)}
        )
        base = alt.Chart(alt.InlineData(rows)).encode(
            x=alt.X(
                f"{x}:{look.get('x_type', 'O')}", title=look.get("x_title"), axis=alt.Axis(labelAngle=0, labelOverlap=True, labelPadding=8)
            ),
            y=alt.Y(f"{y}:Q", title=look.get("y_title", y), axis=alt.Axis(format=look.get("format", "~s"), labelPadding=8)),
            **colour,
        )
        return (
            base.mark_line(strokeWidth=2.5, interpolate=look.get("interpolate", "monotone"))
            + base.mark_circle(size=36, opacity=1).encode(tooltip=tooltip)
        ).properties(width=640, height=320, title=title)
    if kind == "plan":
        return _plan_bars(alt, rows, title)
    order = list(dict.fromkeys(row[y] for row in rows)) if look.get("sort", True) else "ascending"
    colour = (
        {"color": alt.Color(f"{look['color']}:N", scale=alt.Scale(range=_PALETTE))} if look.get("color") else {"color": alt.value(_BLUE)}
    )
    # Side by side: what is told apart by colour may be currencies, which are never added.
    side = {"yOffset": alt.YOffset(f"{look['color']}:N")} if look.get("color") else {}
    base = alt.Chart(alt.InlineData(rows))
    bars = base.mark_bar(cornerRadius=3).encode(
        y=alt.Y(f"{y}:N", sort=order, axis=alt.Axis(title=None, labelPadding=10, labelFontSize=13)),
        x=alt.X(f"{x}:Q", title=look.get("x_title", x), axis=alt.Axis(grid=True, tickCount=6, format=look.get("format", "~s"))),
        tooltip=tooltip,
        **colour,
        **side,
    )
    n_bars = len({row[y] for row in rows})
    if look.get("color"):
        return bars.properties(width=620, height=max(60, 18 * n_bars * (1 + len({row[look["color"]] for row in rows}))), title=title)
    labels = base.mark_text(align="left", dx=6, color=_INK, fontSize=12).encode(
        y=alt.Y(f"{y}:N", sort=order), x=f"{x}:Q", text=alt.Text(f"{x}:Q", format=look.get("label_format", look.get("format", ",.4~r")))
    )
    return (bars + labels).properties(width=620, height=max(60, 30 * n_bars), title=title)


def _plain(value: Any) -> Any:
    """A value as JSON has it; money is drawn, not reckoned with, so here it may become a float."""
    import datetime as dt
    from decimal import Decimal

    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    return value


#: Bars that can still be read.
_MOST_BARS = 40
#: States of a target as ``plan`` names them.
_PLAN_COLOURS = {"met": _GREEN, "ahead": _GREEN, "on the way": _BLUE, "not begun": _MUTED, "behind": _AMBER, "missed": _RED}


def _plan_bars(alt: Any, rows: list[dict[str, Any]], title: Any) -> Any:
    """Attainment as a bar against the line of the plan, coloured by the state that the table gives."""
    shown = []
    for row in rows:
        if row.get("attainment") is None:
            continue
        name = " · ".join(str(row[key]) for key in ("period", "owner", "metric", "product") if row.get(key))
        shown.append(
            {
                "name": name,
                "attainment": min(row["attainment"], 2),
                "forecast": min(row.get("forecast_attainment") or row["attainment"], 2),
                "state": str(row["state"]),
                "label": _percent(row["attainment"]),
            }
        )
    if len(shown) > _MOST_BARS:
        title.subtitle = f"{title.subtitle}; the first {_MOST_BARS} of {len(shown)} targets, the table has all"
        shown = shown[:_MOST_BARS]
    base = alt.Chart(alt.InlineData(shown))
    y = alt.Y("name:N", sort=None, axis=alt.Axis(title=None, labelPadding=10, labelLimit=360))
    x = alt.X(
        "attainment:Q",
        title="share of the target",
        axis=alt.Axis(format="%", grid=True, tickCount=5),
        scale=alt.Scale(domain=[0, max(1.2, *(row["forecast"] for row in shown)) * 1.08 if shown else 1.2]),
    )
    ghost = base.mark_bar(color="#e2e8f0", cornerRadius=3).encode(y=y, x=alt.X("forecast:Q"))
    bars = base.mark_bar(cornerRadius=3, size=12).encode(
        y=y, x=x, color=alt.Color("state:N", scale=alt.Scale(domain=list(_PLAN_COLOURS), range=list(_PLAN_COLOURS.values())))
    )
    labels = base.mark_text(align="left", dx=6, fontSize=12, color=_INK).encode(y=y, x=alt.X("forecast:Q"), text="label:N")
    line = alt.Chart(alt.InlineData([{"plan": 1}])).mark_rule(color=_INK, strokeWidth=1.5, strokeDash=[4, 3]).encode(x="plan:Q")
    return (ghost + bars + labels + line).properties(width=560, height=max(60, 26 * len(shown)), title=title)
