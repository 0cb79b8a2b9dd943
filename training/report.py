"""The report of an evaluation: one page for people, and the same as JSON, CSV and a spreadsheet."""

from __future__ import annotations

import csv
import difflib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from editorial.tags import TAGS
from training.curves import curves, forest
from training.evaluation import Evaluation, cost, differences, errors, sliced, slices, summary
from training.measures import MEASURES
from training.votes import plain_cell

PAGE, FACTS, TITLES, SHEET = "report.html", "report.json", "titles.csv", "report.xlsx"
CHARTS = ("precision", "ref_f1", "rougeL", "length")
FOREST = ("house_rules", "entities", "precision", "ref_f1", "rougeL", "bleu", "chrf")
STORIES_SHOWN = 40
_PIECE = re.compile(r"\s+|\S+")


def facts_of(evaluation: Evaluation) -> dict[str, Any]:
    """All figures, as they go into report.json. Differences are of each later model against the first."""
    first, *others = evaluation.contenders
    examples = evaluation.held_out.examples
    groups = slices(examples)
    return {
        "held_out": {
            "name": evaluation.held_out.name,
            "hash": evaluation.held_out.hash,
            "articles": len(examples),
            "with_reference": sum(bool(one.title.strip()) for one in examples),
        },
        "models": [
            {
                "name": one.name,
                "digest": one.digest,
                "prompt_version": one.prompt_version,
                "measures": (found := summary(one)),
                "perplexity": _perplexity(found),
                "errors": errors(one),
                "cost": cost(one),
                "slices": {
                    kind: {name: {"articles": len(keys), **sliced(one, keys)} for name, keys in of_kind.items()}
                    for kind, of_kind in groups.items()
                },
            }
            for one in evaluation.contenders
        ],
        "differences": {
            other.name: {name: asdict(found) for name, found in differences(first, other).items()} for other in others
        },
    }


def _perplexity(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Of the reference titles, from the mean loss; a hopeless model's may be beyond a float."""
    if "loss" not in found:
        return {}
    return {name: math.exp(min(found["loss"][name], 700.0)) for name in ("mean", "low", "high")}


def write_report(evaluation: Evaluation, folder: Path) -> dict[str, Any]:
    """All forms into the folder; returns the facts."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = facts_of(evaluation)
    rows = title_rows(evaluation)
    (folder / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False), encoding="utf-8")
    with (folder / TITLES).open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([[plain_cell(v) if isinstance(v, str) else v for v in row] for row in rows])
    _write_workbook(facts, rows, folder / SHEET)
    (folder / PAGE).write_text(page(evaluation, facts), encoding="utf-8")
    return facts


def title_rows(evaluation: Evaluation) -> list[list[Any]]:
    """A head, then a row per article and model."""
    head = ["article", "source", "reference", "model", "title", "error tags", *MEASURES, "seconds", "tokens out"]
    rows: list[list[Any]] = [head]
    for example in evaluation.held_out.examples:
        for contender in evaluation.contenders:
            if (found := contender.titles.get(example.example_id)) is None:
                continue
            costs = {one.example_id: one for one in contender.written}.get(example.example_id)
            figures = [found.figures.get(name, "") for name in MEASURES]
            spent = [costs.seconds, costs.tokens_out] if costs else ["", ""]
            words = [example.example_id, example.source, example.title, contender.name, found.title]
            rows.append([*words, " ".join(found.tags), *figures, *spent])
    return rows


def measure_rows(facts: dict[str, Any]) -> list[list[Any]]:
    """A head, then a row per measure and model."""
    rows: list[list[Any]] = [["measure", "model", "mean", "95 % from", "to", "standard deviation", "titles"]]
    for name in MEASURES:
        for model in facts["models"]:
            if found := model["measures"].get(name):
                row = [found[key] for key in ("mean", "low", "high", "std", "n")]
                rows.append([MEASURES[name].label, model["name"], *row])
    return rows


def _write_workbook(facts: dict[str, Any], titles: list[list[Any]], path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    slice_rows: list[list[Any]] = [["slice", "", "model", "articles", "measure", "mean", "95 % from", "to"]]
    for model in facts["models"]:
        for kind, of_kind in model["slices"].items():
            for name, found in of_kind.items():
                for measure in (key for key in found if key != "articles"):
                    values = [found[measure][key] for key in ("mean", "low", "high")]
                    slice_rows.append([kind, name, model["name"], found["articles"], MEASURES[measure].label, *values])
    compared: list[list[Any]] = [["model", "measure", "difference", "95 % from", "to", "won", "lost", "equal", "p"]]
    for other, measures in facts["differences"].items():
        for name, one in measures.items():
            keys = ("mean", "low", "high", "wins", "losses", "ties", "sign_p")
            compared.append([other, MEASURES[name].label, *(one[key] for key in keys)])
    sheets = {"figures": measure_rows(facts), "differences": compared, "slices": slice_rows, "titles": titles}
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([plain_cell(ILLEGAL_CHARACTERS_RE.sub("", v)) if isinstance(v, str) else v for v in row])
    book.save(path)


# --- the page -------------------------------------------------------------------------------------------------------


def page(evaluation: Evaluation, facts: dict[str, Any]) -> str:
    """The report as HTML with nothing outside the file."""
    names = [one.name for one in evaluation.contenders]
    charts = []
    for name in CHARTS:
        values = {one.name: found for one in evaluation.contenders if (found := one.values(name))}
        if values:
            charts.append({"measure": MEASURES[name], "drawn": curves(list(values.values())), "names": list(values)})
    environment = Environment(loader=PackageLoader("training"), autoescape=select_autoescape())
    environment.filters["figure"] = figure
    return environment.get_template("evaluation.html").render(
        facts=facts,
        names=names,
        measures=MEASURES,
        tags=TAGS,
        charts=charts,
        forests={other: forest(found, FOREST) for other, found in facts["differences"].items()},
        stories=_stories(evaluation),
        colour={name: place % 6 for place, name in enumerate(names)},
    )


def figure(value: float, name: str) -> str:
    """A measure's value as the tables print it."""
    if MEASURES[name].share:
        return f"{100 * value:.0f} %"
    return f"{value:.1f}" if name == "length" else f"{value:.3f}"


def _stories(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Side by side; those first where the models differ most in the house rules, then in their words."""
    found = []
    for example in evaluation.held_out.examples:
        titles = [(one.name, one.titles.get(example.example_id)) for one in evaluation.contenders]
        written = [title for _, title in titles if title is not None]
        kept = {title.figures["house_rules"] for title in written}
        against = example.title.strip() or (written[0].title if len(written) > 1 else "")
        shown = [
            {"name": name, "marked": marked(title.title, against), "tags": title.tags, "reasons": title.reasons}
            for name, title in titles
            if title is not None
        ]
        weight = (len(kept) > 1, len({title.title for title in written}))
        opening = " ".join(example.text.split())[:180]
        found.append(
            (weight, {"reference": example.title, "source": example.source, "opening": opening, "titles": shown})
        )
    found.sort(key=lambda one: one[0], reverse=True)
    return [story for _, story in found[:STORIES_SHOWN]]


def marked(title: str, against: str) -> list[tuple[str, bool]]:
    """The title in pieces, each with whether it is other than in `against`, compared word by word."""
    pieces = _PIECE.findall(title)
    if not against:
        return [(title, False)]
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
