"""Charts of analyses: heat maps, lines, bars, and plans with their forecasts, as each analysis says how it is best drawn."""

from __future__ import annotations

from typing import Any

from crm_engine.chart_style import AMBER, BLUE, GREEN, INK, MUTED, PALETTE, RED, heat_map, nothing, percent


def analysis_chart(alt: Any, analysis: Any) -> Any:
    """The chart that an analysis asks for in ``chart``."""
    look = analysis.chart
    table = analysis.tables[look["table"]]
    rows = [{key: _plain(value) for key, value in row.items()} for row in table.slice(0, look.get("rows", 400)).to_pylist()]
    title = alt.TitleParams(look["title"], subtitle=look.get("subtitle", ""))
    if not rows:
        return nothing(alt, title)
    if look["kind"] == "heat":
        return _heat(alt, rows, look)
    if look["kind"] == "line":
        return _lines(alt, rows, look, title)
    return _plan_bars(alt, rows, title) if look["kind"] == "plan" else _bars(alt, rows, look, title)


#: Rows of a heat map that can still be read.
_MOST_ROWS = 24


def _heat(alt: Any, rows: list[dict[str, Any]], look: dict[str, Any]) -> Any:
    subtitle = look.get("subtitle", "")
    rows = rows + _nothing_yet(rows, look)
    if look.get("y_digits"):
        # Dates as short as their period allows.
        rows = [{**row, look["y"]: row[look["y"]][: look["y_digits"]]} for row in rows]
    heights = list(dict.fromkeys(row[look["y"]] for row in rows))
    if len(heights) > _MOST_ROWS:
        rows = [row for row in rows if row[look["y"]] in heights[-_MOST_ROWS:]]
        subtitle = f"{subtitle}; the last {_MOST_ROWS} of {len(heights)}"
    for row in rows:
        row["text"] = percent(row[look["value"]]) if look.get("percent", True) else str(row[look["value"]])
    order = look.get("order", sorted({row[look["x"]] for row in rows}))
    return heat_map(alt, rows, look["x"], order, look["y"], look["value"], look["title"], subtitle, titled=True)


def _nothing_yet(rows: list[dict[str, Any]], look: dict[str, Any]) -> list[dict[str, Any]]:
    """Zeros up to the last column that each row of a map can have: there a gap would look like what is still to come."""
    seen = {(row[look["y"]], row[look["x"]]) for row in rows}
    ends = [(_plain(y), last) for y, last in look.get("ends", [])][-_MOST_ROWS:]
    columns = {x for _, x in seen}
    return [{look["y"]: y, look["x"]: x, look["value"]: 0.0} for y, last in ends for x in columns if x <= last and (y, x) not in seen]


def _tooltip(alt: Any, rows: list[dict[str, Any]]) -> list[Any]:
    return [alt.Tooltip(name, type="nominal") for name in rows[0]]


def _lines(alt: Any, rows: list[dict[str, Any]], look: dict[str, Any], title: Any) -> Any:
    x, y, colour = look["x"], look["y"], alt.value(BLUE)
    if look.get("color"):
        order = list(dict.fromkeys(row[look["color"]] for row in rows))
        colour = alt.Color(f"{look['color']}:N", sort=order, scale=alt.Scale(range=PALETTE))
    axis = alt.Axis(labelAngle=0, labelOverlap=True, labelPadding=8)
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X(f"{x}:{look.get('x_type', 'O')}", title=look.get("x_title"), axis=axis),
        y=alt.Y(f"{y}:Q", title=look.get("y_title", y), axis=alt.Axis(format=look.get("format", "~s"), labelPadding=8)),
        color=colour,
    )
    line = base.mark_line(strokeWidth=2.5, interpolate=look.get("interpolate", "monotone"))
    points = base.mark_circle(size=36, opacity=1).encode(tooltip=_tooltip(alt, rows))
    return (line + points).properties(width=640, height=320, title=title)


def _bars(alt: Any, rows: list[dict[str, Any]], look: dict[str, Any], title: Any) -> Any:
    x, y, told_apart = look["x"], look["y"], look.get("color")
    order = list(dict.fromkeys(row[y] for row in rows)) if look.get("sort", True) else "ascending"
    colour = {"color": alt.Color(f"{told_apart}:N", scale=alt.Scale(range=PALETTE))} if told_apart else {"color": alt.value(BLUE)}
    # Side by side: what is told apart by colour may be currencies, which are never added.
    side = {"yOffset": alt.YOffset(f"{told_apart}:N")} if told_apart else {}
    base = alt.Chart(alt.InlineData(rows))
    bars = base.mark_bar(cornerRadius=3).encode(
        y=alt.Y(f"{y}:N", sort=order, axis=alt.Axis(title=None, labelPadding=10, labelFontSize=13)),
        x=alt.X(f"{x}:Q", title=look.get("x_title", x), axis=alt.Axis(grid=True, tickCount=6, format=look.get("format", "~s"))),
        tooltip=_tooltip(alt, rows),
        **colour,
        **side,
    )
    n_bars = len({row[y] for row in rows})
    if told_apart:
        return bars.properties(width=620, height=max(60, 18 * n_bars * (1 + len({row[told_apart] for row in rows}))), title=title)
    labels = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(
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
_PLAN_COLOURS = {"met": GREEN, "ahead": GREEN, "on the way": BLUE, "not begun": MUTED, "behind": AMBER, "missed": RED}


def _told(attainment: float, forecast: float | None) -> str:
    """The share reached, and where it is heading if the period goes on."""
    return percent(attainment) if forecast in (None, attainment) else f"{percent(attainment)} → {percent(forecast)}"


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
                "label": _told(row["attainment"], row.get("forecast_attainment")),
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
        scale=alt.Scale(domain=[0, max(1.2, *(row["forecast"] for row in shown)) * 1.22 if shown else 1.2]),
    )
    ghost = base.mark_bar(color="#e2e8f0", cornerRadius=3).encode(y=y, x=alt.X("forecast:Q"))
    bars = base.mark_bar(cornerRadius=3, size=12).encode(
        y=y, x=x, color=alt.Color("state:N", scale=alt.Scale(domain=list(_PLAN_COLOURS), range=list(_PLAN_COLOURS.values())))
    )
    places = {"y": y, "x": alt.X("forecast:Q"), "text": "label:N"}
    # A white edge keeps the line of the plan off the letters.
    edges = base.mark_text(align="left", dx=6, fontSize=12, color="white", stroke="white", strokeWidth=5).encode(**places)
    labels = base.mark_text(align="left", dx=6, fontSize=12, color=INK).encode(**places)
    line = alt.Chart(alt.InlineData([{"plan": 1}])).mark_rule(color=INK, strokeWidth=1.5, strokeDash=[4, 3]).encode(x="plan:Q")
    return (ghost + bars + line + edges + labels).properties(width=560, height=max(60, 26 * len(shown)), title=title)
