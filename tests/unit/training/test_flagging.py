"""What the flagger learns from curators' verdicts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from editorial.bertscore import Scorer
from editorial.flagger import signs
from infra.database import make_engine
from infra.settings import Settings
from schemas.records import CorrectionRow
from tests.desk_seed import Case, put
from tests.learning_samples import NOW, article_row, correction_row, tale
from training.dataset.tables import Tables, read_tables
from training.flagging import learn, learn_words, review_share


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(threads=1)


def tables(number: int, *, audited: bool = False) -> Tables:
    """Titles of another story were corrected, the house's own approved."""
    articles = [article_row(at) for at in range(2 * number)]
    corrections = [_verdict(at, at < number) for at in range(2 * number)]
    drawn = frozenset(row.title_id for row in corrections if row.verdict == "approved") if audited else frozenset()
    return Tables(corrections, articles, drawn, frozenset())


def _verdict(at: int, corrected: bool) -> CorrectionRow:
    row = correction_row(
        article_row(at), tale(at).house_title, verdict="corrected" if corrected else "approved", minute=at
    )
    row.title_before = tale(at + 1).house_title if corrected else tale(at).house_title
    return row


def test_titles_over_the_wrong_article_are_learned_to_be_likely_corrections(scorer: Scorer, tmp_path: Path) -> None:
    learned = learn(tables(22), scorer, Settings(home=tmp_path))
    assert learned is not None

    def probability(title: str, article: str) -> float:
        return learned.probability(signs(title, article, scorer.score([title], [article])[0], ()))

    for at in range(60, 66):
        right = probability(tale(at).house_title, tale(at).text)
        assert probability(tale(at + 1).house_title, tale(at).text) > max(0.5, right)
    assert (learned.verdicts, learned.corrected, learned.scorer) == (44, 22, scorer.hash)


def test_approvals_of_an_audit_make_a_correction_less_likely_overall(scorer: Scorer, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, audit_share=0.02)
    plain, drawn = learn(tables(20), scorer, settings), learn(tables(20, audited=True), scorer, settings)
    assert plain is not None
    assert drawn is not None

    middling = {"unsupported": 0.35, "length": 0.6}
    assert drawn.probability(middling) < plain.probability(middling)


def test_too_few_verdicts_and_spiked_articles_teach_nothing(scorer: Scorer, tmp_path: Path) -> None:
    spiked = tables(22)
    for row in spiked.corrections[:5]:
        row.verdict = "spiked"

    assert learn(tables(19), scorer, Settings(home=tmp_path)) is None
    assert learn(spiked, scorer, Settings(home=tmp_path)) is None


def test_words_that_curators_struck_are_learned_from_the_latest_verdict_on_each_title() -> None:
    rows = [_verdict(at, True) for at in range(4)]
    for at, row in enumerate(rows):
        row.title_before, row.title_after = f"A federated clock for town {at}", f"A clock for town {at}"
        row.error_tags = ["jargon_or_acronym"]
    thought_better = _verdict(3, False)
    thought_better.title_id, thought_better.decided_at = rows[3].title_id, NOW + timedelta(days=1)
    thought_better.title_before = thought_better.title_after = rows[3].title_before
    rows[2].verdict = "spiked"

    def words(*chosen: CorrectionRow) -> tuple[str, ...]:
        return learn_words(Tables(chosen, [], frozenset(), frozenset())).specialist

    assert words(rows[0], rows[1]) == ("federated",)
    assert words(rows[0], rows[2]) == ()
    assert words(rows[0], rows[3]) == ("federated",)
    assert words(rows[0], rows[3], thought_better) == ()


def test_the_cutoff_is_set_by_the_titles_that_people_have_time_for_in_a_day(scorer: Scorer, tmp_path: Path) -> None:
    given = tables(22)._replace(titles_per_day=1000.0)
    few, many = (learn(given, scorer, Settings(home=tmp_path, review_per_day=budget)) for budget in (50, 400))
    assert few is not None
    assert many is not None

    assert few.cutoff > many.cutoff
    assert review_share(Settings(review_per_day=50), 1000.0) == 0.05
    assert review_share(Settings(review_per_day=50), 10.0) == 1.0
    assert review_share(Settings(review_per_day=50), 0.0) == review_share(Settings(), 1000.0) == 0.2


@pytest.mark.parametrize(("hours", "per_day"), [(0, 12.0), (48, 6.0), (24 * 30, 3.0)])
def test_the_titles_of_a_day_are_counted_over_the_newest_week(tmp_path: Path, hours: int, per_day: float) -> None:
    """Twelve titles, a quarter of them now and the rest by and by before."""
    engine = make_engine(Settings(home=tmp_path))
    SQLModel.metadata.create_all(engine)
    assert read_tables(engine).titles_per_day == 0.0
    put(engine, *(Case(f"n{at}", "h", "t", "t", minutes_ago=60 * hours * (at // 3) // 3) for at in range(12)))

    assert read_tables(engine).titles_per_day == pytest.approx(per_day)
