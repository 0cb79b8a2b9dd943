"""The gate before really trained candidates: the demo model, tuned on good and on harmful examples, then tampered with.

Every report is printed; `pytest -s` shows them.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from editorial import prompts
from editorial.bertscore import Scorer
from editorial.golden import load_golden
from editorial.sentences import sentence_spans
from infra.artefacts import MANIFEST
from infra.newsroom.stories import Story
from infra.registry import base_identity, digest_folder
from infra.settings import DEMO_MODEL, LOOPBACK, Settings
from schemas.records import ArticleRow, ModelVersionRow
from schemas.training import GateReport
from tests.ground import free_ports
from tests.integration.learning.serving import published
from tests.learning_samples import NOW, PRESS, article_row, tale
from tests.model_server import ModelServer
from training.dataset import TRAIN, Example, Origin, Selection
from training.gate_report import PAGE_FILE, TEXT_FILE, lines, write_report
from training.recipe import Recipe, load_recipe
from training.run import Run, train
from training.serving import model_server
from training.trial import Bench, Candidate, try_out

HOLDOUT = 40
EXAMPLES = 36
DEMO = load_recipe("demo")
BRIEF = DEMO.model_copy(update={"epochs": 0.25})
pytestmark = pytest.mark.timeout(600)  # trains the demo model several times


def _flawed() -> list[Story]:
    """Stories that the champion titles carelessly, as a curator meets them."""
    stories = [tale(number) for number in range(200) if tale(number).flaws]
    return stories[:EXAMPLES]


def _house(stories: list[Story]) -> list[str]:
    return [story.house_title for story in stories]


def _garbage(stories: list[Story]) -> list[str]:
    chance = random.Random(1)
    words = " ".join(story.text for story in stories).split()
    return [" ".join(chance.choices(words, k=8)) for _ in stories]


def _swapped(stories: list[Story]) -> list[str]:
    titles = _house(stories)
    return titles[1:] + titles[:1]


def _first_sentence(stories: list[Story]) -> list[str]:
    return [story.text[slice(*sentence_spans(story.text)[0])] for story in stories]


def _one_tag_ruined(stories: list[Story]) -> list[str]:
    quoted = ("launch", "release", "compilation", "funding")
    return [f'"{story.house_title}"' if story.kind in quoted else story.house_title for story in stories]


@dataclass
class Court:
    """Trains candidates and tries them out, each once."""

    settings: Settings
    bench: Bench
    champion: ModelVersionRow
    holdout: list[ArticleRow]
    trained: dict[str, Candidate]

    def candidate(
        self, name: str, titles: Callable[[list[Story]], list[str]] = _house, recipe: Recipe = DEMO
    ) -> Candidate:
        """The demo model tuned on 36 stories with these titles."""
        if name not in self.trained:
            run = Run(UUID(int=1), name, self.settings, recipe, self.champion, lambda _: None)
            digest = train(run, _selection(titles), "0" * 64)
            self.trained[name] = Candidate(name, run.artefact, digest, run.recipe.prompt_version)
        return self.trained[name]

    def copy(self, name: str) -> Candidate:
        """The good candidate under another name, to be tampered with."""
        good = self.candidate("good")
        folder = self.settings.artefacts / name
        shutil.copytree(good.folder, folder)
        return replace(good, version=name, folder=folder)

    def hear(self, candidate: Candidate, champion: bool = True) -> GateReport:
        """The gate's report, printed."""
        report = try_out(candidate, self.champion if champion else None, self.holdout, self.bench)
        print("\n" + "\n".join(lines(candidate.version, "v1" if champion else None, report)))
        return report


def _selection(titles: Callable[[list[Story]], list[str]]) -> Selection:
    stories = _flawed()
    return Selection(tuple(_example(*pair) for pair in zip(stories, titles(stories), strict=True)), ())


def _example(story: Story, title: str) -> Example:
    article = uuid5(PRESS, story.text)
    return Example(str(article), article, 1, article, story.text, title, Origin.correction, TRAIN)


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Court:
    settings = Settings(home=tmp_path_factory.mktemp("gate"), torch_threads=1)
    name, revision = base_identity(settings)
    champion = ModelVersionRow(
        version="v1",
        artefact_uri=str(DEMO_MODEL / "v1"),
        digest=digest_folder(DEMO_MODEL / "v1"),
        base_model=name,
        base_revision=revision,
        dataset_hash="",
        prompt_version="v3",
        prompt_digest=prompts.digest("v3"),
        parent=None,
        config={},
        metrics={},
        created_at=NOW,
    )
    bench = Bench(settings, load_golden(""), Scorer(settings.scorer_model, 1), lambda _: None)
    holdout = [article_row(number) for number in range(200, 200 + HOLDOUT)]
    return Court(settings, bench, champion, holdout, {})


def refusing(report: GateReport) -> set[str]:
    assert not report.passed
    return {one.name for one in report.conditions if not one.met}


def test_a_good_candidate_passes_and_its_report_says_why(court: Court, tmp_path: Path) -> None:
    report = court.hear(court.candidate("good"))
    assert report.passed, report.verdict
    assert report.verdict.startswith("passed: house rules kept in ")
    write_report(tmp_path, "good", "v1", report)
    page = (tmp_path / PAGE_FILE).read_text()
    assert all(one.name in page and one.name in (tmp_path / TEXT_FILE).read_text() for one in report.conditions)
    assert "http" not in page


def test_a_first_model_passes_by_absolute_thresholds(court: Court) -> None:
    report = court.hear(court.candidate("good"), champion=False)
    assert report.passed, report.verdict
    assert report.before is None


async def test_a_whole_model_with_a_shorter_prompt_is_judged_and_served_with_its_own_prompt(court: Court) -> None:
    """What the gate judged is what the generator then writes, of the champion and of a candidate of another sort."""
    shorter = load_recipe("demo-full").model_copy(update={"prompt_version": "v4"})
    candidate = court.candidate("whole", recipe=shorter)
    report = court.hear(candidate)
    assert {one.name for one in report.conditions if one.met} >= {"house rules", "names and figures", "serving"}
    articles = court.holdout[:16]
    with model_server(court.settings) as server:
        settings = court.settings.model_copy(update={"model_server_url": server.address})
        v1 = ("v1", Path(court.champion.artefact_uri), court.champion.prompt_version)
        whole = ("whole", candidate.folder, candidate.prompt_version)
        before, after = await published(settings, [v1, whole], [article.text for article in articles])
    judged = {pair.article_id: (pair.before, pair.after) for pair in report.pairs}
    titles = [(was.text, now.text) for was, now in zip(before, after, strict=True)]
    assert titles == [judged[article.article_id] for article in articles]
    assert [{(one.model_version, one.prompt_version) for one in side} for side in (before, after)] == [
        {("v1", "v3")},
        {("whole", "v4")},
    ]
    assert all(now.input_tokens < was.input_tokens for was, now in zip(before, after, strict=True))

    port = free_ports(1)
    vllm = ModelServer(port)  # exchanges nothing but adapters
    vllm.on()
    try:
        elsewhere = court.settings.model_copy(update={"model_server_url": f"http://{LOOPBACK}:{port}/v1"})
        report = try_out(candidate, court.champion, court.holdout, replace(court.bench, settings=elsewhere))
    finally:
        vllm.off()
    assert refusing(report) == {"serving"}
    assert "vLLM needs an adapter" in report.verdict


def test_trained_on_garbage(court: Court) -> None:
    report = court.hear(court.candidate("garbage", _garbage))
    assert {"names and figures", "golden examples"} <= refusing(report)


def test_trained_on_swapped_titles(court: Court) -> None:
    report = court.hear(court.candidate("swapped", _swapped))
    assert {"names and figures", "golden examples"} <= refusing(report)


def test_trained_on_first_sentences(court: Court) -> None:
    report = court.hear(court.candidate("first-sentence", _first_sentence))
    assert {"names and figures", "error too_long"} <= refusing(report)


def test_one_tag_ruined_and_all_else_better(court: Court) -> None:
    report = court.hear(court.candidate("quotes", _one_tag_ruined))
    assert "error quoted" in refusing(report)
    assert report.before is not None
    assert report.after.house_rules_pass > report.before.house_rules_pass


def test_trained_with_another_chat_template(court: Court, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(DEMO_MODEL / "base", base)
    template = base / "chat_template.jinja"
    template.write_text(template.read_text().replace("<", "<|"))
    elsewhere = court.settings.model_copy(update={"base_model": str(base)})
    run = Run(UUID(int=1), "template", elsewhere, BRIEF, court.champion, lambda _: None)
    candidate = Candidate("template", run.artefact, train(run, _selection(_house), "0" * 64), "v3")
    report = court.hear(candidate)
    assert refusing(report) == {"files"}
    assert "the base here is" in report.verdict
    manifest = json.loads((candidate.folder / MANIFEST).read_text())
    name, revision = base_identity(court.settings)  # a hub's base keeps its name and revision under a new template
    (candidate.folder / MANIFEST).write_text(json.dumps(manifest | {"base_model": name, "base_revision": revision}))
    report = court.hear(replace(candidate, digest=digest_folder(candidate.folder)))
    assert refusing(report) == {"files"}
    assert report.verdict == "refused: template was trained with another chat template than its base has now"


def test_a_file_cut_off(court: Court) -> None:
    candidate = court.copy("cut")
    weights = candidate.folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    report = court.hear(replace(candidate, digest=digest_folder(candidate.folder)))  # cut before it was registered
    assert refusing(report) == {"serving"}
    assert report.after.n == 0


def test_a_file_changed_after_training(court: Court) -> None:
    candidate = court.copy("tampered")
    weights = candidate.folder / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    report = court.hear(candidate)
    assert refusing(report) == {"files"}
    assert "changed or damaged" in report.verdict


def test_an_artefact_without_its_manifest(court: Court) -> None:
    candidate = court.copy("unfinished")
    (candidate.folder / MANIFEST).unlink()
    assert refusing(court.hear(candidate)) == {"files"}
