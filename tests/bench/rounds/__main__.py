"""Five rounds of corrections in the simulated press: Copydesk's way against naive retraining. `make bench-rounds`.

Every round brings new stories, mostly of a few kinds, as news do; the scripted curator judges the titles of whichever
model serves. In one round a second curator helps out who pastes first sentences. Copydesk trains anew on all verdicts
so far and asks the gate; the naive way goes on with the model it has, on the latest corrections, and serves the result.
Both are measured on the same stories, which nobody ever trains on and the gate never sees.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid5

from copydesk.demo.curator import judge
from editorial import prompts, rules
from editorial.bertscore import Scorer
from editorial.golden import load_golden
from editorial.sentences import sentence_spans
from infra.newsroom.stories import KINDS, Story, write_story
from infra.registry import base_identity, digest_folder
from infra.settings import DEMO_MODEL, Settings
from schemas.records import ArticleRow, ModelVersionRow
from schemas.training import Metrics
from tests.bench.rounds.picture import draw
from tests.learning_samples import NOW, PRESS
from training.dataset import TRAIN, Example, Origin, Selection
from training.evaluate import judge_titles, metrics_of
from training.recipe import Recipe, Start, load_recipe
from training.run import Run, train
from training.serving import model_server
from training.trial import Bench, Candidate, try_out

ROUNDS = 5
STORIES = 60
"""New stories in a round."""
KINDS_PER_ROUND = 3
HASTY_ROUND = 3
"""The round in which half of the corrections are pasted first sentences."""
GATE_STORIES = 60
MEASURED = 120
SEED = 51


@dataclass
class Way:
    """One way of retraining: who serves, and what was learned from."""

    name: str
    serving: ModelVersionRow
    examples: list[Example] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    curve: list[Metrics] = field(default_factory=list)


@dataclass
class Loop:
    """The rounds' common ground."""

    settings: Settings
    bench: Bench
    recipe: Recipe
    gate_stories: list[ArticleRow]
    measured: list[ArticleRow]

    def titles(self, model: ModelVersionRow, texts: list[str]) -> list[str]:
        """By the model server, as in serving."""
        with model_server(self.settings) as server:
            server.load(model.version, Path(model.artefact_uri))
            return server.titles(model.version, [self.bench.cut(text) for text in texts], model.prompt_version)

    def measure(self, way: Way) -> None:
        """A point of the curve."""
        titles = self.titles(way.serving, [article.text for article in self.measured])
        way.curve.append(metrics_of(judge_titles(self.bench.scorer, titles, self.measured)))

    def train(self, version: str, examples: list[Example], recipe: Recipe, parent: ModelVersionRow) -> Candidate:
        """A version on disk."""
        run = Run(UUID(int=0), version, self.settings, recipe, parent, lambda _: None)
        digest = train(run, Selection(tuple(examples), ()), "0" * 64)
        return Candidate(version, run.artefact, digest, recipe.prompt_version)


def corrected(loop: Loop, model: ModelVersionRow, stories: list[Story], *, hasty: bool) -> list[Example]:
    """The curators' verdicts on the model's titles, spiked ones apart."""
    chance = random.Random(len(stories))
    verdicts = []
    for story, title in zip(stories, loop.titles(model, [story.text for story in stories]), strict=True):
        broken = tuple(violation.rule for violation in rules.check(title, story.text))
        judgement = judge(title, story, broken)
        text, approved = judgement.text, judgement.verdict == "approved"
        if hasty and not approved and chance.random() < 0.5:
            text = story.text[slice(*sentence_spans(story.text)[0])]
        verdicts.append(_example(story, text, Origin.approval if approved else Origin.correction))
    return verdicts


def careful_round(loop: Loop, way: Way, number: int, verdicts: list[Example]) -> None:
    """Copydesk: all verdicts so far, a fresh adapter, the gate."""
    way.examples += verdicts
    candidate = loop.train(f"copydesk-{number}", way.examples, loop.recipe, way.serving)
    report = try_out(candidate, way.serving, loop.gate_stories, loop.bench)
    way.notes.append(report.verdict)
    if report.passed:
        way.serving = _row(candidate, loop.settings)


def naive_round(loop: Loop, way: Way, number: int, verdicts: list[Example]) -> None:
    """The latest corrections on top of the model that serves; whatever comes out serves."""
    latest = [example for example in verdicts if example.origin is Origin.correction]
    way.notes.append(f"{len(latest)} corrections")
    if latest:
        recipe = loop.recipe.model_copy(update={"start": Start.parent})
        way.serving = _row(loop.train(f"naive-{number}", latest, recipe, way.serving), loop.settings)


def main() -> None:
    """Run the rounds, print the table, write figures and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=Path("rounds.json"), help="Figures; the picture stands beside it.")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        for ways in play(Settings(home=Path(home)), options.rounds):
            write(ways, options.out)
    print(table(ways))
    print(f"{time.monotonic() - began:.0f} s")


def write(ways: list[Way], out: Path) -> None:
    """Figures and picture, after every round anew."""
    figures = {
        way.name: {"notes": way.notes, "curve": [point.model_dump(mode="json") for point in way.curve]} for way in ways
    }
    out.write_text(json.dumps(figures, indent=1))
    draw(figures, HASTY_ROUND, out.with_suffix(".png"))


def play(settings: Settings, rounds: int) -> Iterator[list[Way]]:
    """Both ways through all rounds, as they are after each."""
    bench = Bench(settings, load_golden(""), Scorer(settings.scorer_model, settings.threads), lambda _: None)
    gate_stories = [_article(write_story(SEED + 1, number)) for number in range(GATE_STORIES)]
    measured = [_article(write_story(SEED + 2, number)) for number in range(MEASURED)]
    loop = Loop(settings, bench, load_recipe("demo"), gate_stories, measured)
    first = _row(Candidate("v1", DEMO_MODEL / "v1", "", "v3"), settings)
    ways = [Way("Copydesk", first), Way("naive", first)]
    loop.measure(ways[0])
    ways[1].curve.append(ways[0].curve[0])
    for number in range(1, rounds + 1):
        stories = news(number)
        for way, learn in zip(ways, (careful_round, naive_round), strict=True):
            learn(loop, way, number, corrected(loop, way.serving, stories, hasty=number == HASTY_ROUND))
            loop.measure(way)
            point = way.curve[-1]
            print(
                f"round {number} {way.name}: rules {point.house_rules_pass:.0%}, names {point.entities_right:.0%}, "
                f"precision {point.precision_mean:.3f}; {way.notes[-1]}",
                flush=True,
            )
        yield ways


def news(number: int) -> list[Story]:
    """A round's stories: four of five are of the kinds that the news are about just then."""
    chance = random.Random(f"news {number}")
    mostly = chance.sample(KINDS, KINDS_PER_ROUND)
    kinds = [chance.choice(mostly) if chance.random() < 0.8 else None for _ in range(STORIES)]
    return [write_story(SEED, 1000 * number + place, kind) for place, kind in enumerate(kinds)]


def table(ways: list[Way]) -> str:
    """The curve in Markdown."""
    lines = ["| round | " + " | ".join(f"{way.name}: rules, names, precision" for way in ways) + " | the gate |"]
    lines.append("|---" * (len(ways) + 2) + "|")
    for number in range(len(ways[0].curve)):
        points = [way.curve[number] for way in ways]
        cells = [f"{p.house_rules_pass:.0%}, {p.entities_right:.0%}, {p.precision_mean:.3f}" for p in points]
        gate = ways[0].notes[number - 1] if number else ""
        lines.append(f"| {number} | {' | '.join(cells)} | {gate} |")
    return "\n".join(lines)


def _example(story: Story, title: str, origin: Origin) -> Example:
    article = uuid5(PRESS, story.text)
    return Example(str(article), article, 1, article, story.text, title, origin, TRAIN)


def _article(story: Story) -> ArticleRow:
    article = uuid5(PRESS, story.text)
    return ArticleRow(
        article_id=article,
        revision=1,
        url="https://ledger.example",
        canonical_url="https://ledger.example",
        source="The Harbour Ledger",
        feed_url="https://ledger.example/feed.xml",
        headline=story.headline,
        text=story.text,
        language="en",
        published_at=NOW,
        fetched_at=NOW,
        content_hash="0" * 64,
        story_id=article,
        training_allowed=True,
        training_reason="",
    )


def _row(candidate: Candidate, settings: Settings) -> ModelVersionRow:
    base_model, base_revision = base_identity(settings)
    return ModelVersionRow(
        version=candidate.version,
        artefact_uri=str(candidate.folder),
        digest=digest_folder(candidate.folder),
        base_model=base_model,
        base_revision=base_revision,
        dataset_hash="",
        prompt_version=candidate.prompt_version,
        prompt_digest=prompts.digest(candidate.prompt_version),
        parent=None,
        config={},
        metrics={},
        created_at=NOW,
    )


if __name__ == "__main__":
    main()
