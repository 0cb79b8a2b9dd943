"""Models on the same held-out articles: their titles measured one by one, and what that amounts to."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from editorial.bertscore import Scorer
from editorial.tags import TAGS
from infra.settings import Settings
from schemas.errors import Invalid
from training.artefact import Model
from training.dataset import Example, Origin
from training.held_out import HeldOut, known_to
from training.measures import MEASURES, MeasuredTitle, measure
from training.statistics import PairedDifference, interval, paired
from training.written import Say, Written, write_titles

TEACHER = "teacher"
LEAST_OF_SLICE = 3
MOST_SLICES = 10
AT_ONCE = 16
"""Articles between two words about how far the measuring is."""
LENGTHS = ("under 100 words", "100 to 400 words", "over 400 words")
SLICED = ("precision", "house_rules", "entities", "ref_f1", "rougeL")


@dataclass(frozen=True)
class Contender:
    """One model's titles by example id, and what they cost; a teacher's labels cost nothing here."""

    name: str
    prompt_version: str
    titles: Mapping[str, MeasuredTitle]
    written: tuple[Written, ...] = ()
    digest: str = ""
    known: int | None = 0
    """How many of the articles stood in its training data; None: nobody here can tell."""

    def values(self, name: str, among: Sequence[str] | None = None) -> list[float]:
        """One measure's figures, of these examples only if they are named."""
        keys = self.titles if among is None else [key for key in among if key in self.titles]
        return [self.titles[key].figures[name] for key in keys if name in self.titles[key].figures]


@dataclass(frozen=True)
class Evaluation:
    """Everything a report is made from."""

    held_out: HeldOut
    contenders: tuple[Contender, ...]


def evaluate(models: Sequence[Model], held_out: HeldOut, settings: Settings, say: Say) -> Evaluation:
    """Let every model title every article, and measure the titles. Raises `Invalid`."""
    names = [model.version for model in models]
    if len(set(names)) < len(names):
        raise Invalid("the same model is named twice")
    if TEACHER in names:
        raise Invalid(f"a model cannot be called {TEACHER!r} here: that is the column of the titles that were imported")
    examples = held_out.examples
    known = [known_to(model, examples, settings) for model in models]
    all_written = write_titles(models, examples, held_out.hash, settings, say)
    say("loading the scoring model")
    scorer = Scorer(settings.scorer_model, settings.threads)
    measured = _measured(scorer, examples, all_written, say)
    contenders = [
        Contender(model.version, model.prompt_version, titles, tuple(written), model.digest, among)
        for model, titles, written, among in zip(models, measured, all_written, known, strict=True)
    ]
    if labelled := [one for one in examples if one.origin is Origin.teacher and one.title.strip()]:
        # its titles are the references here: compared with themselves they would only say 1
        titles = [_without_reference(one) for one in measure(scorer, [one.title for one in labelled], labelled)]
        by_id = {one.example_id: title for one, title in zip(labelled, titles, strict=True)}
        contenders.append(Contender(TEACHER, "", by_id))
    return Evaluation(held_out, tuple(contenders))


def _measured(
    scorer: Scorer, examples: Sequence[Example], all_written: Sequence[Sequence[Written]], say: Say
) -> list[dict[str, MeasuredTitle]]:
    """By model and example id. Article by article, so that the scorer reads each article once for all models."""
    found: list[dict[str, MeasuredTitle]] = [{} for _ in all_written]
    for start in range(0, len(examples), AT_ONCE):
        group = examples[start : start + AT_ONCE]
        rows = [
            (place, one, written[start + at])
            for at, one in enumerate(group)
            for place, written in enumerate(all_written)
        ]
        losses = [math.nan if title.loss is None else title.loss for _, _, title in rows]
        titles = measure(scorer, [title.title for _, _, title in rows], [one for _, one, _ in rows], losses)
        for (place, one, _), title in zip(rows, titles, strict=True):
            found[place][one.example_id] = title
        say(f"{min(start + AT_ONCE, len(examples))} of {len(examples)} articles measured")
    return found


def _without_reference(one: MeasuredTitle) -> MeasuredTitle:
    kept = {name: value for name, value in one.figures.items() if not MEASURES[name].needs_reference}
    return MeasuredTitle(one.title, kept, one.tags, one.reasons)


def summary(contender: Contender) -> dict[str, dict[str, float]]:
    """Each measure's mean with its interval, standard deviation (of the population) and number of titles."""
    found = {}
    for name in MEASURES:
        if values := contender.values(name):
            found[name] = asdict(interval(values)) | {"std": statistics.pstdev(values), "n": len(values)}
    return found


def differences(before: Contender, after: Contender) -> dict[str, PairedDifference]:
    """After minus before in each measure that both have, on the articles that both have."""
    found = {}
    for name in MEASURES:
        shared = [
            (before.titles[key].figures[name], title.figures[name])
            for key, title in after.titles.items()
            if name in title.figures and key in before.titles and name in before.titles[key].figures
        ]
        if shared:
            found[name] = paired([was for was, _ in shared], [now for _, now in shared])
    return found


def cost(contender: Contender, first: Contender) -> dict[str, float]:
    """Seconds and tokens per title, and which share of the first model's prompt tokens (`tokens_in`) is saved.

    Empty for titles that were not written here.
    """
    if not contender.written:
        return {}
    read = statistics.fmean(one.tokens_in for one in contender.written)
    found = {
        "seconds": statistics.fmean(one.seconds for one in contender.written),
        "tokens_in": read,
        "tokens_out": statistics.fmean(one.tokens_out for one in contender.written),
    }
    if first.written and contender is not first:
        found["prompt_saved"] = 1 - read / statistics.fmean(one.tokens_in for one in first.written)
    return found


def errors(contender: Contender) -> dict[str, float]:
    """Share of the titles with each error tag that a house rule stands for."""
    titles = contender.titles.values()
    return {tag: sum(tag in one.tags for one in titles) / len(titles) for tag in TAGS}


# --- slices ---------------------------------------------------------------------------------------------------------


def slices(examples: Sequence[Example]) -> dict[str, dict[str, list[str]]]:
    """Kind of slice → slice → ids of its examples, the larger first; tiny slices say nothing and are left out."""
    kinds: dict[str, Callable[[Example], tuple[str, ...]]] = {
        "corrected for": lambda one: one.error_tags,
        "source": lambda one: (one.source,) if one.source else (),
        "article length": lambda one: (_length(one),),
        "time": _time_of(examples),
    }
    found: dict[str, dict[str, list[str]]] = {}
    for kind, names_of in kinds.items():
        groups: dict[str, list[str]] = {}
        for one in examples:
            for name in names_of(one):
                groups.setdefault(name, []).append(one.example_id)
        large = [group for group in groups.items() if len(group[1]) >= LEAST_OF_SLICE]
        shown = sorted(large, key=lambda group: -len(group[1]))[:MOST_SLICES]
        if kind == "article length":
            shown.sort(key=lambda group: LENGTHS.index(group[0]))
        elif kind == "time":
            shown.sort()
        if shown:
            found[kind] = dict(shown)
    return found


def sliced(contender: Contender, keys: Sequence[str]) -> dict[str, Any]:
    """The chosen measures of one slice."""
    return {name: asdict(interval(values)) for name in SLICED if (values := contender.values(name, keys))}


def _length(one: Example) -> str:
    words = len(one.text.split())
    return LENGTHS[0 if words < 100 else 1 if words <= 400 else 2]


def _time_of(examples: Sequence[Example]) -> Callable[[Example], tuple[str, ...]]:
    """By years, months or days, whichever divides first."""
    known = [one.at for one in examples if one.at]
    form = next((form for form in ("%Y", "%Y-%m") if len({f"{at:{form}}" for at in known}) > 1), "%Y-%m-%d")
    return lambda one: (f"{one.at:{form}}",) if one.at else ()
