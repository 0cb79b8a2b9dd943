"""The report of an evaluation as a page for editors: one HTML file with nothing outside it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from editorial.tags import TAGS
from training.curves import curves, forest
from training.evaluation import Contender, Evaluation
from training.measures import MEASURES

CHARTS = {"precision": (0.0, 1.0), "ref_f1": (0.0, 1.0), "rougeL": (0.0, 1.0), "length": (0.0, math.inf)}
"""What is drawn, with the bounds of its values."""
FOREST = ("house_rules", "entities", "precision", "ref_f1", "rougeL", "bleu")
GROUPS = {
    "Against the article": ("precision", "recall", "f1", "copied", "novel"),
    "House style": ("house_rules", "entities", "length", "empty"),
    "Against the reference title": (
        "ref_precision", "ref_recall", "ref_f1", "rouge1", "rouge2", "rougeL", "bleu", "chrf", "exact", "loss",
    ),
}  # fmt: skip
STORIES_SHOWN = 40
COLOURS = 6
_OPENING = 220
_PIECE = re.compile(r"\s+|\S+")


def page(evaluation: Evaluation, facts: Mapping[str, Any]) -> str:
    """The report as HTML. `facts` are those of `report.facts_of`."""
    names = [one.name for one in evaluation.contenders]
    charts = []
    for name, (lowest, highest) in CHARTS.items():
        values = {one.name: found for one in evaluation.contenders if (found := one.values(name))}
        if values:
            drawn = curves(list(values.values()), lowest, highest)
            charts.append({"name": name, "measure": MEASURES[name], "drawn": drawn, "names": list(values)})
    found = facts["differences"]
    environment = Environment(
        loader=PackageLoader("training"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": figure, "gap": gap, "sentence": _sentence}
    return environment.get_template("evaluation.html").render(
        facts=facts,
        names=names,
        measures=MEASURES,
        groups=GROUPS,
        best={name: _best(facts, name) for name in MEASURES},
        tags={tag: meaning for tag, meaning in TAGS.items() if any(one["errors"][tag] for one in facts["models"])},
        charts=charts,
        forests=[forest(found, name) for name in FOREST if any(name in one for one in found.values())],
        stories=_stories(evaluation),
        colour={name: place % COLOURS for place, name in enumerate(names)},
        number={name: place for place, name in enumerate(names)},
    )


def figure(value: float, name: str) -> str:
    """A measure's value as the tables print it."""
    if MEASURES[name].share:
        return f"{100 * value:.0f} %"
    return f"{value:.1f}" if name == "length" else f"{value:.3f}"


def gap(value: float, name: str) -> str:
    """A difference in a measure, with its sign; shares in points of a hundred."""
    words = f"{100 * value:+.0f}" if MEASURES[name].share else f"{value:+.3f}"
    return words.replace("-", "−")


def _sentence(differences: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What a model is better and worse in beyond chance, in words."""
    shown = [(name, differences[name]) for name in FOREST if name in differences]
    return {
        verdict: ", ".join(
            f"{MEASURES[name].label} ({gap(one['mean'], name)}{' points' if MEASURES[name].share else ''})"
            for name, one in shown
            if one["beyond_chance"] and (one["mean"] > 0) == (verdict == "better")
        )
        for verdict in ("better", "worse")
    }


def _best(facts: Mapping[str, Any], name: str) -> str:
    """The printed figure of the model that has the best mean; "" where no direction is the better one."""
    found = [one["measures"][name]["mean"] for one in facts["models"] if name in one["measures"]]
    if len(found) < 2 or MEASURES[name].higher_is_better is None or max(found) == min(found):
        return ""
    return figure(max(found) if MEASURES[name].higher_is_better else min(found), name)


def _stories(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Side by side; those first where the models differ most in the house rules, then in their words."""
    found = []
    for example in evaluation.held_out.examples:
        by_title: dict[str, list[Contender]] = {}
        for one in evaluation.contenders:
            if example.example_id in one.titles:
                by_title.setdefault(one.titles[example.example_id].title, []).append(one)
        written = [writers[0].titles[example.example_id] for writers in by_title.values()]
        kept = {title.figures["house_rules"] for title in written}
        against = example.title.strip() or (written[0].title if len(written) > 1 else "")
        words = " ".join(example.text.split())
        story = {
            "reference": example.title.strip(),
            "source": example.source,
            "opening": words if len(words) <= _OPENING else words[:_OPENING].rsplit(" ", 1)[0] + " …",
            "titles": [
                {
                    "names": [one.name for one in writers],
                    "marked": marked(title.title, against),
                    "tags": title.tags,
                    "reasons": " ".join(title.reasons),
                }
                for title, writers in zip(written, by_title.values(), strict=True)
            ],
        }
        found.append(((len(kept) > 1, len(written)), story))
    found.sort(key=lambda one: one[0], reverse=True)
    return [story for _, story in found[:STORIES_SHOWN]]


def marked(title: str, against: str) -> list[tuple[str, bool]]:
    """The title in pieces, each with whether it is other than in `against`, compared word by word."""
    pieces = _PIECE.findall(title)
    if not against:
        return [(title, False)] if title else []
    known = _PIECE.findall(against)
    matcher = difflib.SequenceMatcher(None, _bare(known), _bare(pieces), autojunk=False)
    same = {at for block in matcher.get_matching_blocks() for at in range(block.b, block.b + block.size)}
    found: list[tuple[str, bool]] = []
    for at, piece in enumerate(pieces):
        other = at not in same and not piece.isspace()
        if piece.isspace() and found and found[-1][1] and at + 1 < len(pieces) and at + 1 not in same:
            other = True  # one mark over neighbouring words
        if found and found[-1][1] == other:
            found[-1] = (found[-1][0] + piece, other)
        else:
            found.append((piece, other))
    return found


def _bare(pieces: Sequence[str]) -> list[str]:
    return [piece.casefold().strip(".,:;!?") for piece in pieces]
