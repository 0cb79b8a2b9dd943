"""The report of an evaluation: one page for people, and the same as JSON, CSV and a spreadsheet."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.evaluation import Evaluation, cost, differences, errors, sliced, slices, summary
from training.evaluation_page import page
from training.measures import MEASURES
from training.votes import plain_cell

PAGE, FACTS, TITLES, SHEET = "report.html", "report.json", "titles.csv", "report.xlsx"


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
                "trained_on": one.known,
                "prompts_too_long": sum(not title.tokens_out for title in one.written),
                "measures": (found := summary(one)),
                "perplexity": _perplexity(found),
                "errors": errors(one),
                "cost": cost(one, first),
                "slices": {
                    kind: {name: {"articles": len(keys), **sliced(one, keys)} for name, keys in of_kind.items()}
                    for kind, of_kind in groups.items()
                },
            }
            for one in evaluation.contenders
        ],
        "differences": {
            other.name: {
                name: asdict(found) | {"beyond_chance": found.beyond_chance}
                for name, found in differences(first, other).items()
            }
            for other in others
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
