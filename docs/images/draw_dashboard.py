"""Draws infra/observability/grafana/copydesk.json without Grafana: each panel from Prometheus' answers to its queries.

    .venv/bin/python docs/images/draw_dashboard.py --prometheus http://127.0.0.1:9090 --minutes 10

This is how docs/images/dashboard.png was made. It shows what the panels show, not how Grafana would paint them.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from PIL import Image

DASHBOARD = Path(__file__).parents[2] / "infra/observability/grafana/copydesk.json"
POINTS = 240
CELL_W, CELL_H = 0.76, 0.34
"""Inches of one cell of Grafana's grid, which is 24 wide."""
INK, FAINT, GRID, PAPER, PANEL = "#24292f", "#6e7781", "#e5e8eb", "#f4f5f5", "#ffffff"
STEPS = [60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400]
COLOURS = ["#3274d9", "#e0752d", "#56a64b", "#a352cc", "#e02f44", "#1f9ba8", "#c9a70a", "#8f6b4a"]
TRAFFIC = {"green": "#3a8a2e", "orange": "#d9730d", "red": "#c4162a"}
PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Line:
    """One series of a panel's answer."""

    name: str
    times: list[float]
    values: list[float]


@dataclass(frozen=True)
class Source:
    """A Prometheus and the stretch of time to draw."""

    address: str
    began: float
    ended: float
    rate_interval: str

    def ask(self, target: dict[str, Any]) -> list[Line]:
        """The series that answer a panel's query over the whole stretch."""
        query = target["expr"].replace("$__rate_interval", self.rate_interval).replace("$worker", ".*")
        step = max(1.0, (self.ended - self.began) / POINTS)
        question = {"query": query, "start": self.began, "end": self.ended, "step": step}
        answer = httpx.get(f"{self.address}/api/v1/query_range", params=question, timeout=30).raise_for_status().json()
        return [_line(series, target.get("legendFormat", "")) for series in answer["data"]["result"]]


def _line(series: dict[str, Any], legend: str) -> Line:
    labels = series["metric"]
    name = PLACEHOLDER.sub(lambda match: labels.get(match.group(1), ""), legend).strip()
    points = [(float(at), float(value)) for at, value in series["values"]]
    return Line(name, [at for at, _ in points], [value for _, value in points])


def in_words(value: float, unit: str, decimals: int | None = None) -> str:
    """A figure with its unit, as short as it can be said."""
    if not math.isfinite(value):
        return "–"
    match unit:
        case "percentunit":
            return f"{value:.0%}" if decimals is None else f"{value:.{decimals}%}"
        case "s":
            return f"{value * 1000:.3g} ms" if abs(value) < 1 and value else f"{value:.3g} s"
        case "bytes":
            return f"{value / 1024**2:.0f} MiB" if value < 1024**3 else f"{value / 1024**3:.1f} GiB"
        case "currencyUSD":
            return f"${value:.3g}"
        case "cps":
            return f"{value:.3g}/s"
        case "cpm":
            return f"{value:.3g}/min"
        case _:
            return f"{value:.{decimals}f}" if decimals is not None else f"{value:.4g}"


def draw(dashboard: dict[str, Any], source: Source) -> Figure:
    """The whole dashboard."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    width, height = 24 * CELL_W, (rows + 2.2) * CELL_H
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    figure.text(
        0.008, 1 - 0.75 * CELL_H / height, dashboard["title"], fontsize=17, color=INK, weight="bold", va="center"
    )
    stretch = " – ".join(f"{datetime.fromtimestamp(at).astimezone():%H:%M}" for at in (source.began, source.ended))
    note = f"{stretch} · drawn from the dashboard's own queries by docs/images/draw_dashboard.py, not by Grafana"
    figure.text(0.992, 1 - 0.75 * CELL_H / height, note, fontsize=9, color=FAINT, ha="right", va="center")
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        x, y = place["x"] / 24, 1 - (place["y"] + 1.6) * CELL_H / height
        w, h = place["w"] / 24, place["h"] * CELL_H / height
        if panel["type"] == "row":
            figure.text(0.008, y - h * 0.55, panel["title"], fontsize=12, color=INK, weight="bold", va="center")
            continue
        gap_x, gap_y = 0.05 / width, 0.05 / height
        frame = figure.add_axes((x + gap_x, y - h + gap_y, w - 2 * gap_x, h - 2 * gap_y), facecolor=PANEL)
        frame.set_xticks([])
        frame.set_yticks([])
        for side in frame.spines.values():
            side.set_color(GRID)
        inches_w, inches_h = place["w"] * CELL_W, place["h"] * CELL_H
        frame.text(
            0.1 / inches_w,
            1 - 0.17 / inches_h,
            panel["title"],
            transform=frame.transAxes,
            fontsize=9.5,
            color=INK,
            va="center",
        )
        if panel["type"] == "stat":
            _stat(frame, panel, source)
        else:
            inner = figure.add_axes(
                (x + 0.62 / width, y - h + 0.78 / height, w - 0.82 / width, h - 1.18 / height), facecolor=PANEL
            )
            _time_series(inner, frame, panel, source)
    return figure


def _stat(frame: Axes, panel: dict[str, Any], source: Source) -> None:
    lines = source.ask(panel["targets"][0])
    defaults = panel["fieldConfig"]["defaults"]
    if panel["options"]["textMode"] == "name":
        words, colour = ", ".join(line.name for line in lines if line.times[-1] >= source.ended - 10) or "–", INK
    else:
        values = [value for line in lines for value in line.values if math.isfinite(value)]
        last = values[-1] if values else math.nan
        words, colour = in_words(last, defaults["unit"], defaults.get("decimals")), COLOURS[0]
        for step in defaults.get("thresholds", {}).get("steps", []):
            if values and (step["value"] is None or last >= step["value"]):
                colour = TRAFFIC[step["color"]]
        if panel["options"]["graphMode"] == "area" and lines and any(value > 0 for value in values):
            spark = frame.inset_axes((0, 0.02, 1, 0.3))
            spark.fill_between(lines[0].times, lines[0].values, color=colour, alpha=0.15, linewidth=0)
            spark.plot(lines[0].times, lines[0].values, color=colour, linewidth=1, alpha=0.5)
            spark.set_xlim(source.began, source.ended)
            spark.set_ylim(bottom=0)
            spark.axis("off")
    frame.text(
        0.5, 0.5, words, transform=frame.transAxes, fontsize=21, color=colour, ha="center", va="center", weight="bold"
    )


def _time_series(axes: Axes, frame: Axes, panel: dict[str, Any], source: Source) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    lines = sorted((line for target in panel["targets"] for line in source.ask(target)), key=lambda line: line.name)
    lines = [line for line in lines if any(math.isfinite(value) for value in line.values)]
    style = "steps-post" if custom.get("lineInterpolation") == "stepAfter" else "default"
    if custom.get("stacking"):
        _stacked(axes, lines)
    else:
        for number, line in enumerate(lines):
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(line.times, line.values, color=colour, linewidth=1.5, drawstyle=style, solid_capstyle="round")
            if len(lines) == 1:
                axes.fill_between(line.times, line.values, color=colour, alpha=0.1, linewidth=0)
    axes.set_xlim(source.began, source.ended)
    axes.set_ylim(bottom=0)
    highest = axes.get_ylim()[1]
    finite = [value for line in lines for value in line.values if math.isfinite(value)]
    if not any(finite):
        axes.set_ylim(0, defaults.get("max", 1))
    elif "max" in defaults:
        axes.set_ylim(0, max(defaults["max"], 0) * 1.05)
    else:
        axes.set_ylim(0, highest * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: in_words(value, defaults["unit"])))
    axes.xaxis.set_major_locator(MultipleLocator(next(s for s in STEPS if (source.ended - source.began) / s < 8)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{datetime.fromtimestamp(at).astimezone():%H:%M}"))
    axes.tick_params(colors=FAINT, labelsize=7.5, length=0)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    if not lines:
        axes.text(
            0.5, 0.5, "nothing to tell", transform=axes.transAxes, color=FAINT, fontsize=9, ha="center", va="center"
        )
    _legend(frame, [line.name for line in lines], panel["gridPos"]["w"] * CELL_W, panel["gridPos"]["h"] * CELL_H)


def _stacked(axes: Axes, lines: Sequence[Line]) -> None:
    times = sorted({at for line in lines for at in line.times})
    floor = [0.0] * len(times)
    for number, line in enumerate(lines):
        known = dict(zip(line.times, line.values, strict=True))
        layer = [value if math.isfinite(value := known.get(at, 0.0)) else 0.0 for at in times]
        top = [below + here for below, here in zip(floor, layer, strict=True)]
        colour = COLOURS[number % len(COLOURS)]
        axes.fill_between(times, floor, top, color=colour, alpha=0.4, linewidth=0)
        axes.plot(times, top, color=colour, linewidth=1)
        floor = top


def _legend(frame: Axes, names: Sequence[str], inches_w: float, inches_h: float) -> None:
    """Names in rows at the bottom, as many to a row as fit."""
    at, row = 0.15, 0
    for number, name in enumerate(names):
        wide = 0.28 + 0.058 * len(name)
        if at + wide > inches_w - 0.1 and at > 0.2:
            at, row = 0.15, row + 1
        if row > 1:
            return
        y = (0.34 - 0.2 * row) / inches_h
        frame.plot(
            [at / inches_w, (at + 0.14) / inches_w],
            [y, y],
            transform=frame.transAxes,
            color=COLOURS[number % len(COLOURS)],
            linewidth=2.5,
        )
        frame.text((at + 0.19) / inches_w, y, name, transform=frame.transAxes, fontsize=7.5, color=INK, va="center")
        at += wide


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=15.0, help="how much to draw")
    parser.add_argument("--until", type=float, default=0.0, help="where to end, in seconds since 1970; default: now")
    parser.add_argument("--rate-interval", default="30s", help="what Grafana would put for $__rate_interval")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "dashboard.png")
    chosen = parser.parse_args()
    ended = chosen.until or time.time()
    source = Source(chosen.prometheus, ended - 60 * chosen.minutes, ended, chosen.rate_interval)
    mpl.rcParams["font.family"] = "DejaVu Sans"
    painted = BytesIO()
    draw(json.loads(DASHBOARD.read_text()), source).savefig(painted, dpi=100)
    Image.open(painted).convert("RGB").quantize(96).save(chosen.out, optimize=True)


if __name__ == "__main__":
    main()
