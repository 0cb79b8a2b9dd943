"""What curators' verdicts teach about words, and what the rules make of it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from editorial.acronyms import NOTHING_LEARNED, Vocabulary
from editorial.rules import check
from editorial.vocabulary import TAG, Struck, learn, load, save

ARTICLE = "Harbor Labs sells clocks that use federated listening and a hearing chip. It works with ASR and KWS."


def struck(before: str, after: str, *tags: str) -> Struck:
    return Struck(before, after, tags or (TAG,))


def broken(title: str, learned: Vocabulary) -> set[str]:
    return {violation.rule for violation in check(title, ARTICLE, learned=learned)}


def test_a_word_that_curators_strike_for_jargon_is_learned() -> None:
    learned = learn(
        [
            struck("Clocks with federated listening", "Clocks with private listening"),
            struck("A federated choir of phones", "A choir of phones"),
        ]
    )

    assert learned.specialist == ("federated",)
    assert broken("Federated listening comes to clocks", NOTHING_LEARNED) == set()
    assert broken("Federated listening comes to clocks", learned) == {"jargon"}


def test_a_short_form_that_is_on_no_list_is_learned_and_bears_all_the_blame() -> None:
    learned = learn([struck(f"Harbor uses KWS in {what}", f"{what} wake at a word") for what in ("clocks", "phones")])

    assert learned.specialist == ("kws",)
    assert broken("Clocks use KWS to hear", NOTHING_LEARNED) == set()
    assert broken("Clocks use KWS to hear", learned) == {"acronym"}


def test_one_strike_teaches_nothing_and_neither_does_another_tag() -> None:
    once = struck("Clocks with federated listening", "Clocks with private listening")
    other = struck("A federated choir of phones", "A choir of phones", "too_long")

    assert learn([once]).specialist == ()
    assert learn([once, other, other]).specialist == ()


def test_words_that_left_together_share_the_blame() -> None:
    both = struck("Clocks with federated distillates", "Clocks with manners")

    assert learn([both, both]).specialist == ()
    assert learn([both] * 4).specialist == ("distillates", "federated")


def test_a_word_that_stands_elsewhere_is_not_learned() -> None:
    strikes = [struck("Clocks with federated listening", "Clocks with private listening")] * 3
    stands = struck("A federated choir", "A federated choir", "dull")

    assert learn([*strikes, stands]).specialist == ("federated",)
    assert learn([*strikes, stands, stands]).specialist == ()


def test_a_short_form_of_the_house_s_list_is_cleared_when_curators_let_it_stand() -> None:
    stands = [Struck(f"ASR for {what}", f"ASR for {what}") for what in ("clocks", "phones", "cars")]

    assert broken("ASR for clocks", NOTHING_LEARNED) == {"acronym"}
    assert broken("ASR for clocks", learn(stands)) == set()
    assert broken("ASR for clocks", learn(stands[:2])) == {"acronym"}
    assert broken("ASR for clocks", learn([*stands, struck("ASR for doors", "Doors hear")])) == set()
    assert broken("ASR for clocks", learn([*stands, *[struck("ASR for doors", "Doors hear")] * 2])) == {"acronym"}


@pytest.mark.parametrize("word", ["the", "Harbor", "2026", "with"])
def test_names_numbers_and_small_words_are_never_learned(word: str) -> None:
    assert learn([struck(f"Clocks {word} hear", "Clocks hear")] * 5).specialist == ()


def test_the_order_of_the_verdicts_does_not_matter() -> None:
    verdicts = [
        struck("Clocks with federated listening", "Clocks with private listening"),
        struck("A federated choir of logits", "A choir of phones"),
        struck("More federated things", "More things"),
        struck("KWS in clocks", "Clocks wake up"),
        struck("KWS in phones", "Phones wake up"),
        Struck("RAG for all", "RAG for all"),
    ]
    shuffled = list(verdicts)
    random.Random(3).shuffle(shuffled)

    assert shuffled != verdicts
    assert learn(shuffled).model_dump_json() == learn(verdicts).model_dump_json()
    assert set(learn(verdicts).specialist) == {"federated", "kws"}


OUT = ("Harbor Labs raises $12 million for clocks", "Clocks that listen come to Lisbon")


@pytest.mark.parametrize(
    ("title", "repeated"),
    [
        ("Harbor Labs raises $12 million for clocks", True),
        ("For clocks, Harbor Labs raises $12 million", True),
        ("HARBOR LABS RAISES $12 MILLION FOR ITS CLOCKS", True),
        ("Clocks that listen have come to Lisbon", True),
        ("Harbor Labs raises $15 million for clocks", False),
        ("Harbor Labs, maker of clocks, gets fresh money", False),
        ("Lisbon gets clocks", False),
        ("", False),
        ("?!", False),
    ],
)
def test_a_title_that_says_the_same_as_one_on_the_story_is_a_repetition(title: str, repeated: bool) -> None:
    assert ("repeated" in {one.rule for one in check(title, "", published=OUT)}) is repeated


def test_the_reason_shows_the_title_that_is_out() -> None:
    reasons = [one.reason for one in check(OUT[1], "", published=OUT) if one.rule == "repeated"]

    assert reasons == [f"“{OUT[1]}” is out already for the same story."]


def test_what_was_learned_comes_with_the_model_version(tmp_path: Path) -> None:
    learned = Vocabulary(specialist=("federated",), known=("asr",))
    (tmp_path / "v2").mkdir()
    save(learned, tmp_path / "v2")

    assert load(tmp_path / "v2") == learned
    assert load(tmp_path / "v1") == NOTHING_LEARNED
