"""The gate: what it lets through and what it refuses."""

from __future__ import annotations

import pytest

from editorial.metrics import Judged
from editorial.tags import TAG_OF_RULE
from schemas.events import Violation
from schemas.training import Condition
from training.gate import MIN_STORIES, Verdict, copies_opening, judge

STORIES = 60
ARTICLES = [f"The harbour of town {number} opens again after the storm." for number in range(STORIES)]


def model(
    n: int = STORIES, *, precision: float = 0.6, first: int = 0, text: str = "Harbour {} is open", **errors: int
) -> list[Judged]:
    """Titles of `n` stories; each rule in `errors` is broken in so many of them, counted from story `first`."""
    return broken_as(errors, n, precision=precision, first=first, text=text)


def broken_as(
    errors: dict[str, int], n: int = STORIES, *, precision: float = 0.6, first: int = 0, text: str = "Harbour {} opens"
) -> list[Judged]:
    titles = []
    for number in range(n):
        broken = [rule for rule, count in errors.items() if (number - first) % n < count]
        title = "" if "empty" in broken else text.format(number)
        titles.append(Judged(title, precision, tuple(Violation(rule=rule, reason="") for rule in broken)))
    return titles


def decide(champion: list[Judged] | None, challenger: list[Judged], *others: Condition) -> Verdict:
    return judge(champion, challenger, ARTICLES[: len(challenger)], others)


CHAMPION = model(too_long=12, quotation_marks=12, name_not_in_article=3)


def deciding(verdict: Verdict) -> list[str]:
    assert not verdict.passed
    return [condition.name for condition in verdict.conditions if not condition.met]


def test_a_better_model_passes() -> None:
    verdict = decide(CHAMPION, model(text="Town {} has its harbour back", too_long=1))
    assert verdict.passed
    assert verdict.summary.startswith("passed: house rules kept in 80% before, 98% after (11 stories won, 0 lost; ")
    assert verdict.summary.endswith(" points with 99% confidence)")


def test_the_champion_does_not_pass_against_itself() -> None:
    assert deciding(decide(CHAMPION, CHAMPION)) == ["change"]


def test_two_stories_of_sixty_refuse_nothing() -> None:
    """What refused good challengers by chance: names right in 96.7 % before and 93.3 % after."""
    champion = model(too_long=35, name_not_in_article=2)
    assert decide(champion, model(text="Town {} opens", first=30, name_not_in_article=4)).passed


def test_lost_names_are_refused_although_the_rules_are_kept_better() -> None:
    challenger = model(text="Town {} opens", first=30, name_not_in_article=9)
    assert deciding(decide(model(too_long=40, name_not_in_article=3), challenger)) == [
        "names and figures",
        "error not_in_article",
    ]


def test_a_loss_that_is_no_chance_is_refused_within_the_allowance_too() -> None:
    many = 200
    champion, challenger = model(many), model(many, text="Town {} opens", quotation_marks=10)
    verdict = judge(champion, challenger, ["An article."] * many)
    assert "error quoted" in deciding(verdict)
    assert "p = 0.0010" in verdict.summary
    noisy = model(many, quotation_marks=30), model(many, first=25, text="Town {} opens", quotation_marks=40)
    assert judge(*noisy, ["An article."] * many).passed  # the same loss of 10, but 25 won and 35 lost


def test_small_losses_in_several_tags_are_refused_as_one_loss_of_the_house_rules() -> None:
    many = 200
    rules = ("too_long", "acronym", "quotation_marks", "dataset")
    challenger = [
        Judged(f"Town {number} opens", 0.6, (Violation(rule=rules[number % 4], reason=""),) if number < 8 else ())
        for number in range(many)
    ]
    assert deciding(judge(model(many), challenger, ["An article."] * many)) == ["house rules"]
    some = [*model(many - 8), *model(8, text="Bay {} opens", too_long=8)]  # where the champion fails in as many
    assert judge(some, challenger, ["An article."] * many).passed


@pytest.mark.parametrize("rule", [rule for rule in TAG_OF_RULE if rule != "empty"])
def test_a_single_ruined_tag_is_refused_although_all_else_is_better(rule: str) -> None:
    tag = TAG_OF_RULE[rule]
    errors = {other: 10 for other in TAG_OF_RULE if TAG_OF_RULE[other] not in ("other", tag)}
    verdict = decide(broken_as(errors), broken_as({rule: 7}, text="Town {} opens"))
    assert f"error {tag}" in deciding(verdict)
    assert tag in verdict.summary


def test_empty_titles_have_less_allowance() -> None:
    assert decide(CHAMPION, model(text="Town {} opens", empty=3)).passed
    assert "error other" in deciding(decide(CHAMPION, model(text="Town {} opens", empty=4)))


def test_a_clear_loss_of_precision_is_refused() -> None:
    assert deciding(decide(CHAMPION, model(precision=0.5, text="Town {} opens"))) == ["precision"]
    assert decide(CHAMPION, model(precision=0.57, text="Town {} opens")).passed


def test_a_model_that_copies_the_opening_is_refused_even_as_the_first() -> None:
    assert deciding(decide(None, model(text="The harbour of town {} opens again"))) == ["copies"]
    assert copies_opening("The harbour of town 3 opens again af", ARTICLES[3])  # cut off in the last word
    assert not copies_opening("The harbour of town", ARTICLES[3])
    assert not copies_opening("Harbour of town 3 opens again after", ARTICLES[3])


def test_a_model_with_one_title_for_all_or_none_at_all_is_refused_even_as_the_first() -> None:
    assert deciding(decide(None, model(text="Harbours everywhere"))) == ["alike"]
    assert deciding(decide(None, model(text="{}"))) == ["too short"]
    assert "empty or broken" in deciding(decide(None, model(empty=20)))


def test_titles_of_twice_the_length_are_refused() -> None:
    assert deciding(decide(CHAMPION, model(text="In town {}, after a long time, the harbour was opened"))) == ["length"]


def test_too_few_stories_decide_nothing() -> None:
    verdict = decide(model(MIN_STORIES - 1), model(MIN_STORIES - 1, text="Town {} opens"))
    assert verdict.summary == f"refused: only 9 held-out stories, {MIN_STORIES} are needed"
    assert deciding(decide(model(0), [])) == ["stories"]


def test_a_first_model_needs_to_be_right_in_most_titles() -> None:
    assert decide(None, model(too_long=29)).passed
    assert deciding(decide(None, model(too_long=31))) == ["house rules"]
    assert deciding(decide(None, model(number_not_in_article=19))) == ["names and figures"]


def test_evaluations_of_different_stories_are_not_compared() -> None:
    assert deciding(decide(CHAMPION, model(50))) == ["stories"]


def test_a_condition_that_was_found_elsewhere_decides_like_the_others() -> None:
    broken = Condition(name="loads", met=False, words="the model server does not load it")
    assert decide(CHAMPION, model(text="Town {} opens"), broken).summary == "refused: the model server does not load it"
