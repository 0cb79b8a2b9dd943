"""Titles and articles as nobody would write them: there is always a verdict, and never a long wait for it."""

from __future__ import annotations

import math
from time import process_time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from editorial import rules
from editorial.acronyms import Vocabulary
from editorial.bertscore import Scorer
from editorial.flagger import Calibration, Decision, Policy, decide
from editorial.rules import RULES
from editorial.vocabulary import TAG, Struck, learn

FAMILY = "👩‍👩‍👧‍👦"
RIGHT_TO_LEFT = "\u202eمرحبا\u2066 שלום"
HEAPED = "e" + "\u0301" * 60
HALF_A_PAIR = "\ud83d"
PIECES = (
    "Harbor", "Harbor Labs", "ASR", "LLMs", "$5.6M", "7", "9" * 5000, "1.5", "1,234,", "half a", "one in", "ten",
    "hundred", "million", "out of", "a third", "more than", "about", "‘90s", "’s", "'", "“", "(", "Title:", "###",
    "{title}", "[INST]", "<|im_end|>", "(12 characters)", "dataset", "the 7 best tools", "der die das", "\n", "\u2028",
    " ", "\t", "-", ".", "\x00", "\x1b[31m", "\u200b", "\ufeff", "\u00ad", "\ufffe", "\U0010ffff", "é", "Ł", "ß", "İ",
    "ﬁ", "㍿", "٣", "Ⅷ", "½", FAMILY, RIGHT_TO_LEFT, HEAPED, HALF_A_PAIR, "\udfff", "🇨", "漢字", "한국어",
)  # fmt: skip
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
STRANGE = st.lists(st.sampled_from(PIECES) | ANY_TEXT, max_size=12).map("".join) | st.lists(
    st.sampled_from(PIECES), max_size=12
).map(" ".join)
LEARNED = Vocabulary(specialist=("harbor", "asr", "漢字"), known=("llm",))
TAUGHT = Calibration(
    scorer="any",
    verdicts=40,
    corrected=20,
    intercept=-1.0,
    weights={"unsupported": 3.0, "weakest new word": 2.0, "length": 1.0, "rule too_long": 5.0},
    cutoff=0.5,
)
UNITS = (
    FAMILY, RIGHT_TO_LEFT, HEAPED, HALF_A_PAIR, "\x00", "\u200b", "\n", "\u2028", " ", "9", "9,", "1.", "one ", "one-",
    "hundred and a half ", "half a ", "1 in ", "ten out of ", "5 to ", "Aa ", "AA ", "A.", "A&", "aB", "x (AB) ", "(",
    "‘", "‘a", "’a", "'a ", "“", "#", "# ", "<|", "{", "title ", "Title:", "sure, ", "you ", "what ", "der ", "the 7 ",
    "7 best tools ", "we tried ", "dataset ", "released 5 million letters ", "put a dataset ", "1. a\n", "A. B ",
    "漢字。", "!",
)  # fmt: skip


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(threads=1)


def is_a_verdict(decision: Decision) -> bool:
    probable = decision.probability is None or 0 <= decision.probability <= 1
    return decision.publish == (not decision.reasons) and all(decision.reasons) and probable


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=STRANGE, article=STRANGE, language=st.sampled_from(["en", "de", "", "-", "EN-gb", "\ud800"]))
@example(title="", article="", language="en")
@example(title=HALF_A_PAIR, article=HALF_A_PAIR, language="en")
def test_every_title_gets_a_verdict(scorer: Scorer, title: str, article: str, language: str) -> None:
    violations = rules.check(title, article, language, learned=LEARNED, published=[article, title[::-1], ""])
    (score,) = scorer.score([title], [article])

    assert {violation.rule for violation in violations} <= RULES.keys()
    assert all(violation.reason for violation in violations)
    assert all(math.isfinite(figure) for figure in (score.precision, score.recall, score.f1))
    for policy in (Policy(0.5), Policy(0.5, TAUGHT)):
        assert is_a_verdict(decide(title, article, score, violations, policy, audit_draw=False))


@settings(deadline=None)
@given(title=STRANGE, article=STRANGE)
def test_the_same_title_gets_the_same_verdict_again(title: str, article: str) -> None:
    assert rules.check(title, article) == rules.check(title, article)


@settings(deadline=None)
@given(titles=st.lists(st.tuples(STRANGE, STRANGE), max_size=4))
def test_any_verdicts_can_be_learned_from(titles: list[tuple[str, str]]) -> None:
    learned = learn(Struck(before, after, (TAG,)) for before, after in titles * 3)

    for before, after in titles:
        rules.check(before, after, learned=learned)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_a_huge_title_over_a_huge_article_is_judged_within_seconds(unit: str) -> None:
    title, article = unit * (100_000 // len(unit)), unit * (400_000 // len(unit))
    begun = process_time()

    rules.check(title, article, learned=LEARNED, published=[article])

    assert process_time() - begun < 5


@pytest.mark.parametrize("unit", [FAMILY, HEAPED, "Harbor 7 "], ids=ascii)
def test_a_title_of_100_kb_is_scored_and_flagged(scorer: Scorer, unit: str) -> None:
    title = unit * (100_000 // len(unit.encode()))
    (score,) = scorer.score([title], ["Harbor Labs hires seven people."])
    violations = rules.check(title, "Harbor Labs hires seven people.")

    decision = decide(title, "Harbor Labs hires seven people.", score, violations, Policy(0.5), audit_draw=False)

    assert "too_long" in {violation.rule for violation in violations}
    assert is_a_verdict(decision)
    assert not decision.publish
