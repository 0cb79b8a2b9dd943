from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editorial.rules import MAX_LENGTH, RULES, check

ARTICLE = """Harbor Labs has raised $56.8 million in a second round led by Ada Capital, it said on Monday.

The company from Zürich makes Quiet Lantern 4, a model for speech recognition (ASR) that understands nineteen languages.
Its chief executive Mara Olsen said that 38 percent of customers use GPT-4 as well. "We will hire," she said.
"""
TOOLS = "Looking for help with tax filing? We tried 7 tools and ranked them.\n\nHarbor Desk is fast."
DATA = "Harbor Labs has released Blue Archive, a dataset of 12 million letters for handwriting.\n\nIt is free."


def broken(title: str, article: str = ARTICLE, language: str = "en") -> set[str]:
    return {violation.rule for violation in check(title, article, language)}


@pytest.mark.parametrize(
    "title",
    [
        "Harbor Labs raises $57 million for speech recognition",
        "Harbor Labs raises $56.8M",
        "38% of Harbor Labs customers also use GPT-4",
        "Quiet Lantern 4 understands 19 languages",
        "Mara Olsen’s Harbor Labs will hire in Zurich",
        "AI start-up Harbor Labs is here to stay",
        "It’s official: Harbor Labs can hear you",
        "Why Harbor Labs doesn't fear GPT-4",
        "Harbor Labs has raised money",  # so short that there is hardly another way
    ],
)
def test_a_good_title_breaks_no_rule(title: str) -> None:
    assert check(title, ARTICLE) == ()


@pytest.mark.parametrize(
    ("title", "rule"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("Harbor Labs " + "sells more and more " * 3, "too_long"),
        ('"Harbor Labs" raises money', "quotation_marks"),
        ("Harbor Labs hires ‘everyone’", "quotation_marks"),
        ("„Harbor Labs“ stellt ein", "quotation_marks"),
        ("Here is a catchy title: Harbor Labs hires", "prompt_leakage"),
        ("Title: Harbor Labs hires", "prompt_leakage"),
        ("Harbor Labs hires <|im_end|>", "prompt_leakage"),
        ("Harbor Labs hires\nand raises money", "several_lines"),
        ("Harbor Labs raises money for ASR", "acronym"),
        ("Harbor Labs teaches LLMs to listen", "acronym"),
        ("Harbor Labs offers zero-shot listening", "jargon"),
        ("Harbor Labs raises $65 million", "number_not_in_article"),
        ("Harbor Labs raises $56.8 billion", "number_not_in_article"),
        ("Quiet Lantern 4 understands 18 languages", "number_not_in_article"),
        ("Money for Amber Robotics", "name_not_in_article"),
        ("Customers like GPT-5", "name_not_in_article"),
        ("Money for Harbor Capital", "name_not_in_article"),
        ("Why Harbor Lantern raises money", "name_not_in_article"),
        ("You won't believe what Harbor Labs raised", "clickbait"),
        ("Here's why Harbor Labs hires", "clickbait"),
        ("Harbor Labs raises money!!", "clickbait"),
        ("Everything you need to know about Harbor Labs", "clickbait"),
        ("Harbor Labs has raised $56.8 million in a second", "copied"),
    ],
)
def test_a_broken_rule_is_named(title: str, rule: str) -> None:
    assert broken(title) == {rule}


@pytest.mark.parametrize(
    "title",
    [
        "Harbor Labs und die Sprache für alle",
        "Les mots du Harbor Labs pour toutes les langues",
        "Лаборатория получила деньги",
        "ハーバー研究所が資金を調達",
    ],
)
def test_a_title_in_another_language_than_the_article_is_found(title: str) -> None:
    assert "language" in broken(title)


def test_a_title_in_the_article_s_own_language_is_not_foreign() -> None:
    article = "Das Labor hat Geld bekommen und wird damit eine Stiftung für Uhren in der Stadt gründen."

    assert "language" not in broken("Das Labor und eine Stiftung für Uhren", article, "de")
    assert "language" in broken("The lab and its foundation for the clocks of the city", article, "de")


@pytest.mark.parametrize(
    ("title", "article", "rules"),
    [
        ("Harbor Desk: a tool for tax filing", TOOLS, {"compilation"}),
        ("The 7 best tools for tax filing", TOOLS, set()),
        ("The 8 best tools for tax filing", TOOLS, {"number_not_in_article"}),
        ("A guide to tools for tax filing", TOOLS, set()),
        ("Blue Archive: a new method for handwriting", DATA, {"dataset"}),
        ("Blue Archive is a dataset", DATA, {"dataset"}),
        ("Blue Archive: a new dataset for handwriting", DATA, set()),
    ],
)
def test_lists_and_datasets_are_titled_as_what_they_are(title: str, article: str, rules: set[str]) -> None:
    assert broken(title, article) == rules


def test_the_length_is_counted_as_a_reader_counts() -> None:
    family = "👩‍👩‍👧‍👦"  # one character to a reader, seven code points

    assert broken(family * MAX_LENGTH, "") == set()
    assert broken(family * (MAX_LENGTH + 1), "") == {"too_long"}


def test_a_reason_names_what_is_wrong() -> None:
    (violation,) = check("Money for Amber Robotics", ARTICLE)

    assert "Amber" in violation.reason
    assert violation.reason.endswith(".")


def test_rules_about_english_words_keep_silent_on_other_languages() -> None:
    article = "Das Labor und die Stadt bauen ein Haus der Zukunft, das auf die Bewohner hört. Es ist nicht fertig."
    assert broken("Das Haus der Zukunft hört auf ASR", article, "de") == set()
    assert broken("Harbor Labs bekommt 65 Millionen", article, "de-CH") == {"number_not_in_article"}


def test_an_article_without_a_language_counts_as_english() -> None:
    assert broken("Harbor Labs raises money for ASR", ARTICLE, "") == {"acronym"}


@given(title=st.text(st.characters(), max_size=200), article=st.text(st.characters(), max_size=400))
def test_any_text_gets_a_verdict(title: str, article: str) -> None:
    violations = check(title, article)

    assert {violation.rule for violation in violations} <= RULES.keys()
    assert all(violation.reason for violation in violations)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["5 tools ", "Aa ", "1,", "(A) ", "<", "'", "\u0301", "half-", "A.", "\u202e"])
def test_a_huge_title_and_article_take_no_time_to_speak_of(unit: str) -> None:
    huge = unit * (100_000 // len(unit))

    check(huge, huge * 3)
