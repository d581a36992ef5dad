"""How charts look: colours, numbers as people read them, and the map of cells that several charts share."""

from __future__ import annotations

from typing import Any

INK, MUTED, GRID = "#1f2a37", "#6b7280", "#e5e7eb"
BLUE, LIGHT, RED, GREEN, AMBER = "#2563eb", "#bfdbfe", "#dc2626", "#059669", "#d97706"
#: Told apart by people who see colours differently too.
PALETTE = ["#2563eb", "#d97706", "#059669", "#7c3aed", "#dc2626", "#0891b2", "#be185d", "#65a30d", "#475569", "#b45309"]
FONT = "Inter, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"


def styled(chart: Any) -> Any:
    """A chart in our colours and letters."""
    texts = {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 12}
    title = {"fontSize": 18, "fontWeight": 600, "subtitleColor": MUTED, "subtitleFontSize": 12, "offset": 16}
    return (
        chart.configure(font=FONT, background="white", padding=24)
        .configure_view(stroke=None)
        .configure_axis(**texts, gridColor=GRID, domain=False, ticks=False, titleFontSize=12, titleFontWeight="normal", labelLimit=220)
        .configure_title(anchor="start", color=INK, **title)
        .configure_legend(**texts, titleFontWeight="normal", symbolType="circle", orient="top", title=None)
        .configure_header(**texts, labelFontWeight=600)
    )


def percent(value: float | None) -> str:
    """A share as per cent, small ones with a digit after the point."""
    return "" if value is None else f"{value:.1%}" if value < 0.0995 else f"{value:.0%}"


def count_text(value: int) -> str:
    """A count with its thousands apart."""
    return f"{value:,}".replace(",", " ")


def nothing(alt: Any, title: Any) -> Any:
    """What is drawn where there is nothing to show."""
    return alt.Chart(alt.InlineData([{"text": "nothing to show"}]), title=title).mark_text(fontSize=14, color=MUTED).encode(text="text:N")


def heat_map(
    alt: Any, rows: list[dict[str, Any]], x: str, x_order: list[Any], y: str, value: str, title: str, subtitle: str, *, titled: bool = False
) -> Any:
    """Cells with their value on them; ``titled`` names the axes, for values that do not speak for themselves."""
    # Long names are put word below word, so that they do not run into each other.
    room = 620 / max(1, len(x_order)) / 7
    is_long = any(len(str(name)) > room for name in x_order)
    lines = max((len(str(name).split()) for name in x_order), default=1) if is_long else 1
    wrap = {"labelExpr": "split(datum.label, ' ')"} if is_long else {}
    base = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X(
            f"{x}:O",
            sort=x_order,
            axis=alt.Axis(title=x if titled else None, orient="top", labelAngle=0, labelPadding=8 + 14 * (lines - 1), **wrap),
        ),
        y=alt.Y(f"{y}:O", axis=alt.Axis(title=y if titled else None, labelPadding=8)),
    )
    # White on the darker half of the scale, which ends at the greatest value.
    dark = 0.55 * max((row[value] for row in rows), default=1)
    cells = base.mark_rect(cornerRadius=3, stroke="white", strokeWidth=2).encode(
        color=alt.Color(f"{value}:Q", legend=None, scale=alt.Scale(range=["#eff6ff", "#1d4ed8"]))
    )
    labels = base.mark_text(fontSize=11).encode(
        text="text:N", color=alt.condition(f"datum.{value} > {dark}", alt.value("white"), alt.value(INK))
    )
    return (cells + labels).properties(
        width=620, height=24 * max(1, len({row[y] for row in rows})), title=alt.TitleParams(title, subtitle=subtitle)
    )
