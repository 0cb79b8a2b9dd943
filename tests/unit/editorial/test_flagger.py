from __future__ import annotations

import random
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from editorial import calibration, rules
from editorial.bertscore import Score, WordSupport
from editorial.calibration import Judged, fit, reliability
from editorial.flagger import Calibration, Decision, Policy, decide, default_threshold, drawn, signs
from schemas.events import Violation

LONG = Violation(rule="too_long", reason="It has 70 characters; 60 are allowed.")
TITLES = [uuid5(UUID(int=0), str(number)) for number in range(20_000)]
HALF = Policy(0.5)
ARTICLE = "Harbor Labs raised 12 million dollars for clocks in Lisbon."


def score(precision: float, **supports: float) -> Score:
    words = tuple(WordSupport(word, support, ARTICLE) for word, support in supports.items())
    return Score(precision, 0.5, 0.5, ARTICLE, words)


def decided(precision: float, *violations: Violation, policy: Policy = HALF, audit_draw: bool = False) -> Decision:
    return decide("A title", ARTICLE, score(precision), violations, policy, audit_draw=audit_draw)


LONG = Violation(rule="too_long", reason="It has 70 characters; 60 are allowed.")
TITLES = [uuid5(UUID(int=0), str(number)) for number in range(20_000)]


def test_a_title_that_nothing_speaks_against_is_published() -> None:
    decision = decided(0.7, audit_draw=False)

    assert decision.publish
    assert decision.reasons == ()
    assert not decision.audit


def test_a_broken_rule_sends_a_title_to_review_with_the_reason() -> None:
    decision = decided(0.9, LONG, audit_draw=False)

    assert not decision.publish
    assert decision.reasons == (LONG.reason,)


def test_a_poorly_supported_title_goes_to_review() -> None:
    decision = decided(0.41, LONG, audit_draw=False)

    assert len(decision.reasons) == 2
    assert "0.41" in decision.reasons[1]


def test_precision_at_the_threshold_is_good_enough() -> None:
    assert decided(0.5, audit_draw=False).publish


def test_an_audit_is_of_titles_that_would_have_been_published() -> None:
    assert decided(0.9, audit_draw=True).audit
    assert not decided(0.9, audit_draw=True).publish
    assert not decided(0.9, LONG, audit_draw=True).audit


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_the_draw_takes_its_share_and_always_the_same_titles(share: float) -> None:
    first = [drawn(title_id, share) for title_id in TITLES]

    assert sum(first) / len(TITLES) == pytest.approx(share, abs=0.01)
    assert first == [drawn(title_id, share) for title_id in TITLES]


def test_a_scorer_that_was_not_calibrated_has_no_threshold() -> None:
    assert default_threshold("minilm") > 0
    assert default_threshold("roberta-large") == 0


def verdicts(number: int, seed: int) -> list[Judged]:
    """Titles of which the worse supported ones were corrected more often, as a logistic law has it."""
    chance = random.Random(seed)
    found = []
    for _ in range(number):
        unsupported = chance.random()
        wrong = chance.random() < 1 / (1 + 2.718281828 ** (-(8 * unsupported - 4)))
        found.append(Judged({"unsupported": unsupported, "length": chance.random()}, wrong))
    return found


def learned(judged: list[Judged], review_share: float = 0.2) -> Calibration:
    calibrated = fit(judged, "words", review_share)
    assert calibrated is not None
    return calibrated


def test_verdicts_teach_how_likely_a_title_needs_a_correction() -> None:
    calibrated = learned(verdicts(2000, seed=1))

    curve = reliability(calibrated, verdicts(4000, seed=2), bins=5)

    assert calibrated.weights["unsupported"] == pytest.approx(8, abs=1.5)
    assert abs(calibrated.weights["length"]) < 0.5
    assert all(mean == pytest.approx(share, abs=0.06) for mean, share, _ in curve)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_cutoff_spends_the_budget_and_not_more(share: float) -> None:
    calibrated = learned(verdicts(1000, seed=1), share)

    flagged = sum(calibrated.probability(one.signs) >= calibrated.cutoff for one in verdicts(2000, seed=2))

    assert flagged / 2000 == pytest.approx(share, abs=0.04)


def test_an_audited_title_stands_for_all_that_were_not_drawn() -> None:
    reviewed = [Judged({"unsupported": 0.9}, True)] * 50 + [Judged({"unsupported": 0.8}, False)] * 25
    audited = [Judged({"unsupported": 0.1}, False, weight=50.0)] * 10

    calibrated = learned(reviewed + audited, 0.1)

    assert calibrated.probability({"unsupported": 0.1}) < 0.02
    assert calibrated.cutoff > calibrated.probability({"unsupported": 0.5})


def test_from_few_verdicts_nothing_is_learned() -> None:
    assert (
        fit([Judged({"unsupported": 0.9}, True)] * 500 + [Judged({"unsupported": 0.1}, False)] * 19, "words", 0.2)
        is None
    )


def test_a_learned_policy_replaces_the_threshold_and_says_what_it_saw(tmp_path: Path) -> None:
    calibrated = Calibration(
        scorer="words",
        verdicts=100,
        corrected=50,
        intercept=-4.0,
        weights={"unsupported": 0.0, "weakest new number": 8.0},
        cutoff=0.5,
    )
    calibration.save(calibrated, tmp_path)
    policy = Policy(0.9, calibration.load(tmp_path, "words"))

    fine = decide("Clocks in Lisbon", ARTICLE, score(0.6, Clocks=0.8, Lisbon=0.9), (), policy, audit_draw=False)
    wrong = decide("99 clocks", ARTICLE, score(0.95, **{"99": 0.1, "clocks": 0.9}), (), policy, audit_draw=False)

    assert fine.publish
    assert fine.probability == pytest.approx(0.018, abs=1e-3)
    assert not wrong.publish
    assert "96%" in wrong.reasons[0]
    assert "“99”" in wrong.reasons[0]
    assert decide("T", ARTICLE, score(1.0), (LONG,), policy, audit_draw=False).reasons == (LONG.reason,)
    assert calibration.load(tmp_path, "another scorer") is None
    assert calibration.load(tmp_path / "nowhere", "words") is None


def test_the_signs_tell_new_words_from_those_that_the_article_has() -> None:
    title = "Harbor Labs raises 14 million for clocks"
    supports = {"Harbor": 0.9, "Labs": 0.9, "raises": 0.7, "14": 0.4, "million": 0.9, "for": 0.8, "clocks": 0.9}

    found = signs(title, ARTICLE, score(0.8, **supports), rules.check(title, ARTICLE))

    assert found["unsupported"] == pytest.approx(0.2)
    assert found["unsupported, squared"] == pytest.approx(0.16)
    assert found["weakest word"] == pytest.approx(0.6)
    assert found["weakest new number"] == pytest.approx(0.6)
    assert found["new words"] == pytest.approx(2 / 7)
    assert found["rule number_not_in_article"] == 1.0
    assert found["new number"] == 1.0
    assert signs("", ARTICLE, Score(0.0, 0.0, 0.0, ""), ())["new words"] == 1.0


def test_a_compound_and_a_possessive_are_known_by_their_parts_but_a_decimal_is_a_number_of_its_own() -> None:
    article = "Fulda runs on AI. It has powered 3.5 million lamps."

    known = signs(
        "Fulda's AI-powered lamps", article, score(0.9, **{"Fulda's": 0.8, "AI-powered": 0.7, "lamps": 1}), ()
    )
    other = signs("Fulda: 3 lamps", article, score(0.9, **{"Fulda": 0.9, "3": 0.6, "lamps": 1}), ())

    assert known["new words"] == 0
    assert other["weakest new number"] == pytest.approx(0.4)


def test_a_new_name_counts_apart_where_its_capital_tells_less() -> None:
    def seen(title: str) -> dict[str, float]:
        return signs(title, "Fulda opens a big bridge.", score(0.9, **dict.fromkeys(title.split(), 0.3)), ())

    opening, inside = seen("Amberg opens a big bridge"), seen("Bridge opens in Amberg")
    title_case = seen("Fulda Opens Bridge Of Amberg")

    assert opening["weakest new name"] == inside["weakest new name"] == pytest.approx(0.7)
    assert opening["weakest new opening"] == pytest.approx(0.7)
    assert inside["weakest new opening"] == 0
    assert title_case["weakest new name in Title Case"] == pytest.approx(0.7)
    assert "weakest new name in Title Case" not in opening | inside


@pytest.mark.parametrize(
    ("title", "new"),
    [
        ("Fulda opens three bridges", 0.0),
        ("Fulda opens 3 bridges", 0.0),
        ("9 ways to cross a bridge", 1.0),
        ("Fulda", 0.0),
    ],
)
def test_a_number_that_the_article_states_in_no_form_is_a_sign_even_where_the_house_rule_lets_it_pass(
    title: str, new: float
) -> None:
    assert signs(title, "Fulda opens three bridges in 1950 style.", score(0.9), ())["new number"] == new
