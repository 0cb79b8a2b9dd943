"""What poor support is for a single source, and that the same title is judged the same however often it comes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel

from editorial.flagger import Calibration, Policy
from infra.database import make_engine
from infra.settings import Settings
from schemas.events import Article, ScoredTitle
from tests.desk_seed import NOW, Case, put
from tests.samples import make_article
from tests.unit.scorer.test_judgement import WordScorer, make_title
from workers.scorer.judgement import judge
from workers.scorer.policies import Policies
from workers.scorer.read_model import FEWEST, ReadModel

SCORER = "minilm_L5_no-idf"
YESTERDAY = 24 * 60


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = make_engine(Settings(home=tmp_path))
    SQLModel.metadata.create_all(made)
    return made


def scored(
    source: str, precisions: Sequence[float], minutes_ago: int = YESTERDAY, decision: str = "publish"
) -> list[Case]:
    return [
        Case(f"{source} {minutes_ago} {at}", "h", "t", "t", precision=one, source=source, minutes_ago=minutes_ago,
             decision=decision)
        for at, one in enumerate(precisions)
    ]  # fmt: skip


def test_a_fifth_of_a_source_s_own_titles_lies_below_whatever_its_level(engine: Engine) -> None:
    chance = random.Random(1)
    levels = {"terse": 0.5, "wordy": 0.8}
    for source, level in levels.items():
        put(engine, *scored(source, [chance.gauss(level, 0.05) for _ in range(300)]))
    sources = ReadModel(engine, SCORER, 0.2)

    for source, level in levels.items():
        lowest = sources.lowest(source, NOW)
        assert lowest is not None
        new = [chance.gauss(level, 0.05) for _ in range(2000)]
        assert sum(one < lowest for one in new) / 2000 == pytest.approx(0.2, abs=0.07)


def test_of_few_titles_or_another_scorer_s_nothing_is_said(engine: Engine) -> None:
    put(engine, *scored("small", [0.5] * (FEWEST - 1)), *scored("large", [0.5] * FEWEST))

    assert ReadModel(engine, SCORER, 0.2).lowest("small", NOW) is None
    assert ReadModel(engine, SCORER, 0.2).lowest("large", NOW) == 0.5
    assert ReadModel(engine, "another scorer", 0.2).lowest("large", NOW) is None


def test_what_is_scored_today_changes_nothing_today_not_even_after_a_restart(engine: Engine) -> None:
    put(engine, *scored("one", [0.6] * FEWEST))
    before = ReadModel(engine, SCORER, 0.2).lowest("one", NOW)
    put(engine, *scored("one", [0.9] * 1000, minutes_ago=5))

    assert ReadModel(engine, SCORER, 0.2).lowest("one", NOW) == before == 0.6
    assert ReadModel(engine, SCORER, 0.2).lowest("one", NOW + timedelta(days=1)) == 0.9


def test_while_the_database_is_away_nothing_waits_and_it_is_asked_now_and_then(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1000.0
    SQLModel.metadata.drop_all(engine)
    sources = ReadModel(engine, SCORER, 0.2, clock=lambda: now)
    assert [sources.lowest("one", NOW) for _ in range(50)] == [None] * 50
    assert len(caplog.records) == 1

    SQLModel.metadata.create_all(engine)
    put(engine, *scored("one", [0.6] * FEWEST))
    assert sources.lowest("one", NOW) is None
    now += 61
    assert sources.lowest("one", NOW) == 0.6


def verdicts(policy: Policy, lowest: float | None) -> ScoredTitle:
    article: Article = make_article()
    title = make_title("The harbour sinks", article)
    asked: list[tuple[str, datetime]] = []

    def lowest_of(source: str, fetched_at: datetime) -> float | None:
        asked.append((source, fetched_at))
        return lowest

    (found,) = judge([title], WordScorer(), lambda version: policy, 0.0, lowest_of)
    assert asked == [(article.source, article.fetched_at)]
    return found


def test_the_source_decides_until_verdicts_have_taught_or_the_operator_has_chosen(tmp_path: Path) -> None:
    precision = verdicts(Policy(0.0), None).precision
    assert precision is not None
    learned = Calibration(scorer="words", verdicts=40, corrected=20, intercept=-9.0, weights={}, cutoff=0.5)
    chosen = Policies(Settings(home=tmp_path, review_precision_below=precision / 2), "words").of("v1")
    default = Policies(Settings(home=tmp_path, scorer_model="unknown"), "words").of("v1")

    assert verdicts(default, precision + 0.01).review_reasons
    assert not verdicts(default, precision - 0.01).review_reasons
    assert not verdicts(Policy(0.9, learned), precision + 0.01).review_reasons
    assert not verdicts(chosen, precision + 0.01).review_reasons
    assert verdicts(Policy(precision + 0.01), None).review_reasons


def test_a_day_is_that_of_utc_wherever_the_article_was_fetched(engine: Engine) -> None:
    put(engine, *scored("one", [0.6] * FEWEST, minutes_ago=45))
    tomorrow_there = NOW.astimezone(timezone(timedelta(hours=14)))
    assert tomorrow_there.date() > NOW.date()

    assert ReadModel(engine, SCORER, 0.2).lowest("one", tomorrow_there) is None


FIRST = Case("first", "h", "The harbour opens.", "Harbour opens to visitors", decision="publish", minutes_ago=60)


def retold(minutes_ago: int, title: str = "Harbour opens to visitors", decision: str = "publish") -> Case:
    """By another newsroom."""
    slug = f"retold {minutes_ago}"
    return Case(slug, "h", "t", title, decision=decision, minutes_ago=minutes_ago, story="first")


def article_of(case: Case) -> Article:
    fetched_at = NOW - timedelta(minutes=case.minutes_ago)
    ids = {"article_id": case.article_id, "story_id": case.story_id, "fetched_at": fetched_at}
    return make_article(text=case.text).model_copy(update=ids)


def test_what_is_out_for_a_story_is_other_articles_titles_from_before_this_one_was_fetched(engine: Engine) -> None:
    elsewhere = Case("elsewhere", "h", "t", "Another story's title", decision="publish", minutes_ago=50)
    second, waits, late = retold(40, "A second view"), retold(30, "In review", "review"), retold(10, "Too late")
    put(engine, FIRST, elsewhere, second, waits, late)

    assert ReadModel(engine, SCORER, 0.2).out(article_of(retold(20))) == ("A second view", FIRST.title)
    assert ReadModel(engine, SCORER, 0.2).out(article_of(FIRST)) == ()
    assert ReadModel(engine, SCORER, 0.2).out(article_of(second)) == (FIRST.title,)


def test_a_title_that_is_out_for_the_story_already_goes_to_review_and_says_so(engine: Engine) -> None:
    put(engine, FIRST)
    again, new = (make_title(text, article_of(retold(20))) for text in ("Harbour opens to visitors", "Ships invited"))
    known = ReadModel(engine, SCORER, 0.2)

    repeated, other = judge([again, new], WordScorer(), lambda version: Policy(0.0), 0.0, out_on=known.out)

    assert repeated.review_reasons == ("“Harbour opens to visitors” is out already for the same story.",)
    assert not other.review_reasons


def test_while_the_database_is_away_no_title_is_called_repeated(engine: Engine) -> None:
    put(engine, FIRST)
    SQLModel.metadata.drop_all(engine)

    assert ReadModel(engine, SCORER, 0.2).out(article_of(retold(20))) == ()
