"""The gate: what it lets through and what it refuses."""

from __future__ import annotations

from schemas.training import Metrics
from training.gate import judge


def metrics(rules: float = 0.5, entities: float = 0.9, precision: float = 0.6, n: int = 60, **tags: float) -> Metrics:
    return Metrics(
        n=n,
        house_rules_pass=rules,
        entities_right=entities,
        precision_mean=precision,
        precision_std=0.1,
        by_tag={"quoted": 0.2, "too_long": 0.1, "other": 0.0} | tags,
    )


def test_a_better_model_passes() -> None:
    verdict = judge(metrics(), metrics(rules=0.9, quoted=0.0))
    assert verdict.passed
    assert "50% before, 90% after" in " ".join(verdict.reasons)


def test_the_champion_does_not_pass_against_itself() -> None:
    assert not judge(metrics(), metrics()).passed


def test_equal_rules_with_fewer_errors_pass() -> None:
    assert judge(metrics(quoted=0.3), metrics(quoted=0.1)).passed


def test_lost_names_are_refused_and_one_title_of_noise_is_not() -> None:
    refused = judge(metrics(), metrics(rules=0.9, entities=0.7))
    assert not refused.passed
    assert refused.reasons[0].startswith("names and figures right")
    assert judge(metrics(), metrics(rules=0.9, entities=0.89)).passed


def test_a_single_ruined_tag_is_refused_although_all_else_is_better() -> None:
    refused = judge(metrics(), metrics(rules=0.9, quoted=0.0, too_long=0.3))
    assert not refused.passed
    assert "too_long" in refused.summary


def test_a_clear_loss_of_precision_is_refused() -> None:
    assert not judge(metrics(), metrics(rules=0.9, precision=0.5)).passed
    assert judge(metrics(), metrics(rules=0.9, precision=0.57)).passed


def test_a_collapsed_model_is_refused_even_as_the_first() -> None:
    refused = judge(None, metrics(rules=0.8, other=0.4))
    assert not refused.passed
    assert "empty or broken" in refused.summary


def test_too_few_stories_decide_nothing() -> None:
    refused = judge(metrics(n=4), metrics(rules=1.0, n=4))
    assert not refused.passed
    assert "only 4 held-out stories" in refused.summary


def test_a_first_model_needs_to_keep_the_rules_in_most_titles() -> None:
    assert judge(None, metrics(rules=0.6)).passed
    assert not judge(None, metrics(rules=0.4)).passed


def test_evaluations_of_different_stories_are_not_compared() -> None:
    assert not judge(metrics(n=60), metrics(rules=1.0, n=50)).passed
