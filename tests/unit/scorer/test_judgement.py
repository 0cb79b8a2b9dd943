from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from editorial.acronyms import Vocabulary
from editorial.bertscore import Score
from editorial.flagger import Calibration, Policy
from schemas.envelope import Envelope
from schemas.events import Article, Event, ScoredTitle, Title
from schemas.topics import PUBLISHED, REVIEW, TITLES, Topic
from tests.samples import make_article
from workers.scorer.batcher import Batcher
from workers.scorer.judgement import judge
from workers.scorer.worker import lane


class WordScorer:
    """A scoring model that is a function: the share of the title's words that the article has."""

    hash = "words"

    def score(self, titles: Sequence[str], articles: Sequence[str]) -> list[Score]:
        return [self._one(title.split(), article.split()) for title, article in zip(titles, articles, strict=True)]

    @staticmethod
    def _one(title: list[str], article: list[str]) -> Score:
        precision = sum(word in article for word in title) / len(title) if title else 0.0
        return Score(precision, 0.5, 0.5, "The harbour opens on Monday.")


def make_title(text: str, article: Article | None = None) -> Title:
    article = article or make_article()
    return Title(
        title_id=Title.make_id(article.article_id, article.revision, "v1", text),
        article=article,
        text=text,
        raw=text,
        model_version="v1",
        base_model="base",
        adapter_digest="0" * 64,
        prompt_version="v3",
        shots=0,
        attempts=1,
        input_tokens=10,
        output_tokens=5,
        latency_seconds=0.1,
        cost_usd=0.0,
    )


def verdict(text: str, *, audit_share: float = 0.0) -> ScoredTitle:
    return judge([make_title(text)], WordScorer(), lambda version: Policy(0.5), audit_share)[0]


def test_a_supported_title_has_no_reason_for_review() -> None:
    scored = verdict("The harbour opens")

    assert scored.review_reasons == ()
    assert scored.precision == 1.0
    assert scored.scorer == "words"
    assert scored.evidence == "The harbour opens on Monday."


def test_the_probability_that_it_was_judged_by_goes_with_the_title() -> None:
    learned = Calibration(
        scorer="words", verdicts=40, corrected=20, intercept=-3.0, weights={"unsupported": 6.0}, cutoff=0.5
    )

    def told(text: str) -> float:
        (scored,) = judge([make_title(text)], WordScorer(), lambda version: Policy(0.0, learned), 0.0)
        assert scored.probability is not None
        return scored.probability

    assert told("The harbour opens") < 0.1 < 0.9 < told("Aliens land somewhere")
    assert verdict("The harbour opens").probability is None


def test_a_broken_rule_and_poor_support_are_both_given_as_reasons() -> None:
    scored = verdict('"Aliens land"')

    assert [violation.rule for violation in scored.violations] == ["quotation_marks"]
    assert len(scored.review_reasons) == 2


def test_an_empty_title_is_a_result_and_goes_to_review_with_precision_0() -> None:
    scored = verdict("")

    assert scored.precision == 0
    assert [violation.rule for violation in scored.violations] == ["empty"]
    assert scored.review_reasons


def test_the_same_title_judged_twice_is_the_same_event() -> None:
    first, second = verdict("The harbour opens", audit_share=0.5), verdict("The harbour opens", audit_share=0.5)

    assert first == second
    assert first.event_id == second.event_id


def test_an_audit_is_marked_as_one() -> None:
    scored = verdict("The harbour opens", audit_share=1.0)

    assert scored.audit
    assert scored.review_reasons


async def test_the_lane_sends_good_titles_to_published_and_doubtful_ones_to_review() -> None:
    from concurrent.futures import ThreadPoolExecutor

    sent: list[tuple[Topic, Event]] = []

    class Outlet:
        async def send(self, topic: Topic, event: Event) -> None:
            sent.append((topic, event))

    def work(titles: Sequence[Title]) -> list[ScoredTitle]:
        return judge(titles, WordScorer(), lambda version: Policy(0.5), 0.0)

    with ThreadPoolExecutor(1) as executor:
        scoring = lane(Batcher(work, executor, 8))
        for text in ("The harbour opens", "Aliens land"):
            title = make_title(text)
            await scoring.handle(Envelope(title, str(title.event_id), "generator", datetime.now(UTC), ""), Outlet())

    assert scoring.topic is TITLES
    assert [topic for topic, _ in sent] == [PUBLISHED, REVIEW]
    assert all(isinstance(event, ScoredTitle) for _, event in sent)


def test_a_word_that_curators_had_taught_the_model_version_breaks_a_rule() -> None:
    policy = Policy(0.0, learned=Vocabulary(specialist=("harbour",)))

    (scored,) = judge([make_title("The harbour opens")], WordScorer(), lambda version: policy, 0.0)

    assert [violation.rule for violation in scored.violations] == ["jargon"]
    assert scored.review_reasons
