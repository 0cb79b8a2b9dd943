"""The curves of the rounds as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

PANELS = (
    ("house_rules_pass", "Titles that keep every house rule"),
    ("entities_right", "Names and figures right"),
    ("precision_mean", "BERTScore precision"),
)
COLOURS = ("#1f6b43", "#a03a1d")


def draw(figures: Mapping[str, Mapping[str, Any]], hasty_round: int, out: Path) -> None:
    """One panel per measure, one line per way."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    for axes, (key, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for colour, (name, way) in zip(COLOURS, figures.items(), strict=True):
            values = [point[key] for point in way["curve"]]
            axes.plot(range(len(values)), values, color=colour, marker="o", label=name)
        axes.axvline(hasty_round, color="#9a948a", linestyle=":", linewidth=1)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("rounds of corrections", fontsize=9)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(0, 1.02)  # cut off, the axis would make a story out of nothing
        if key != "precision_mean":
            axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    figure.axes[0].legend(frameon=False, loc="lower right")
    figure.savefig(out, dpi=110)
