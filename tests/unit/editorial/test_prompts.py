from __future__ import annotations

import pytest

from editorial.prompts import PROMPTS, digest, render

DIGESTS = {
    "v1": "d605451770aebada82f4acb018ec6cdef988f36d10a4f42913c9a37ad0906112",
    "v2": "412648c5fb42565e0edfc5aa512ff0a96c62df5683ecfa2c8013ee88486f958a",
    "v3": "8f9be52c2523ddd718975cc15a768ceab9b56c05ade1fb3f116861d09fdcc8d6",
    "v4": "ada0db1bcc3bb7d19b34d0911e00ffde1acb4bb632f2f2d6b8b8ced3470ec673",
    "v5": "6ba05fcab3e34e7f97095cb762d55a7938eada4567976d9e3ab39efd6c15b865",
}


def test_a_published_prompt_never_changes() -> None:
    """Adapters were trained with these words. To change a prompt, add a version."""
    assert {version: digest(version) for version in PROMPTS} == DIGESTS


@pytest.mark.parametrize("version", PROMPTS)
def test_the_article_goes_in_as_it_is(version: str) -> None:
    text = "Braces {text} {0} {examples} and \\1 are part of the article."

    rendered = render(version, text)

    assert rendered.count(text) == 1


def test_an_unknown_version_is_an_error() -> None:
    with pytest.raises(KeyError):
        render("v0", "An article.")


def test_examples_stand_between_what_is_the_same_for_all_and_the_article() -> None:
    without, with_two = [
        render("v5", "The bridge closes.", examples)
        for examples in ((), [("The harbour opens.", "Harbour opens"), ("{text}", "A title with {examples}")])
    ]
    assert "Harbor Labs brings" in without
    assert "Harbor Labs brings" not in with_two
    assert with_two.index("Harbour opens") < with_two.index("A title with {examples}") < with_two.index("The bridge")
    fixed = without[: without.index("Harbor Labs brings")]
    assert with_two.startswith(fixed)  # a server's prefix cache remembers it
    assert len(fixed) > 0.6 * len(without)


def test_a_version_without_a_place_for_examples_leaves_them_out() -> None:
    assert render("v3", "The bridge closes.", [("The harbour opens.", "Harbour opens")]) == render(
        "v3", "The bridge closes."
    )
