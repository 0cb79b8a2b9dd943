from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from copydesk.score import answers
from editorial import calibration
from editorial.bertscore import Scorer
from editorial.flagger import Calibration
from editorial.scoring import with_second_opinion
from infra.database import make_engine, migrate
from infra.settings import Settings
from tests.samples import make_article
from tests.unit.scorer.test_judgement import make_title
from workers.scorer.policies import Policies
from workers.scorer.worker import Judge

ARTICLE = "Fulda opens a bridge. Hamm sells the market."
TITLES = ("Fulda opens bridge", "Emden opens bridge")


@pytest.fixture
def settings(entailment_model: Path, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, second_opinion_model=str(entailment_model), torch_threads=1)


def save_calibration(settings: Settings, scorer_hash: str) -> None:
    """One that believes nothing but the second opinion."""
    learned = Calibration(
        scorer=scorer_hash, verdicts=40, corrected=20, intercept=-4.0, weights={"not entailed": 8.0}, cutoff=0.5
    )
    (settings.artefacts / "v1").mkdir(parents=True)
    calibration.save(learned, settings.artefacts / "v1")


def test_what_was_learned_with_a_second_opinion_decides_by_it(settings: Settings) -> None:
    scorer = with_second_opinion(Scorer(threads=1), settings.second_opinion_model)
    save_calibration(settings, scorer.hash)
    lines = io.StringIO("".join(json.dumps({"title": title, "text": ARTICLE}) + "\n" for title in TITLES))

    follows, does_not = answers(lines, settings, "v1")

    assert follows["entailed"] > 0.9
    assert does_not["entailed"] < 0.1
    assert follows["probability"] < 0.1
    assert does_not["probability"] > 0.9
    assert follows["scorer"] == scorer.hash


def test_what_was_learned_without_it_is_not_used_with_it(settings: Settings) -> None:
    alone = Scorer(threads=1)
    save_calibration(settings, alone.hash)
    both = with_second_opinion(alone, settings.second_opinion_model)

    assert Policies(settings, alone.hash).of("v1").calibration is not None
    assert Policies(settings, both.hash).of("v1").calibration is None


def test_the_worker_judges_with_it(settings: Settings) -> None:
    scorer = with_second_opinion(Scorer(threads=1), settings.second_opinion_model)
    save_calibration(settings, scorer.hash)
    migrate(make_engine(settings))
    judging = Judge(settings)
    judging.load()
    article = make_article().model_copy(update={"text": ARTICLE})

    follows, does_not = judging([make_title(title, article) for title in TITLES])

    assert follows.scorer == scorer.hash
    assert not follows.review_reasons
    assert any("correction" in reason for reason in does_not.review_reasons)
