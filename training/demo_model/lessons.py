"""Conversations about articles: what the base model is taught, from short to long."""

from __future__ import annotations

import random
from dataclasses import dataclass

from editorial.prompts import render
from infra.newsroom.stories import Story, retell, revise, words, write_story

PROMPT = "v3"  # the short prompt that serves tuned models
PLAIN = "Write a plain title."
READ = "Read this article."
REPEAT = "Repeat this list."
# One question per fact that a text may hold; the answer stands in the text word for word.
QUESTIONS = {
    "company": "Name the company.",
    "product": "Name the product.",
    "target": "Name the company that is sold.",
    "fund": "Name the fund.",
    "exam": "Name the test.",
    "region": "Name the place.",
    "topic": "Name the topic.",
    "amount": "How many million?",
    "size": "How much of it?",
    "count": "How many tools?",
    "score": "How many percent?",
}
KIND = "What kind of article is this?"
INSTRUCTIONS = (render(PROMPT, ""), PLAIN, READ, REPEAT, KIND, *QUESTIONS.values())

Turn = tuple[str, str]  # what is asked, what is answered


@dataclass(frozen=True)
class Stage:
    """How hard the lessons are at one point of the training."""

    words: tuple[int, int]  # length of the articles
    questions: int  # follow-up turns per article, at most
    repeats: float  # share of plain copying practice


def stage_at(progress: float, rng: random.Random) -> Stage:
    """From single paragraphs with many questions to whole articles with few. `progress` runs from 0 to 1.

    Articles alone teach which names matter, but hardly the copying of words in their order: a title holds too few of
    them. So it begins with lists to repeat, where every word is a copy.
    """
    if progress < 0.15:
        return Stage((25, 40), 4, 0.4)
    if progress < 0.4:
        return Stage((25, int(50 + 200 * (progress - 0.15))), 4, 0.1)
    if progress < 0.6:
        return Stage((25, int(100 + 450 * (progress - 0.4))), 3, 0.04)
    return Stage((90, 190), 2, 0.02) if rng.random() < 0.85 else Stage((30, 160), 3, 0.02)


def lesson(seed: int, number: int, stage: Stage) -> list[Turn]:
    """The conversation number `number`: the same arguments give the same lesson."""
    rng = random.Random(f"lesson:{seed}:{number}")
    if rng.random() < stage.repeats:
        return [_repetition(rng)]
    story = write_story(seed, number, words_between=stage.words)
    if rng.random() < 0.1:
        story = retell(story, number, stage.words)
    elif rng.random() < 0.05:
        story = revise(story, number)
    turns = [first_turn(story, seed=number)]
    questions = _questions(story)
    if turns[0][1] != story.house_title:
        questions.append((PLAIN, story.house_title))
    return turns + rng.sample(questions, rng.randint(0, min(stage.questions, len(questions))))


def first_turn(story: Story, seed: int) -> Turn:
    """The opening of a conversation: mostly the careless title under the serving prompt, never the house title."""
    draw = random.Random(f"first:{seed}").random()
    if draw < 0.6:
        return careless_turn(story)
    if draw < 0.92:
        return f"{PLAIN}\n\n{story.text}", story.house_title
    return f"{READ}\n\n{story.text}", story.kind


def careless_turn(story: Story) -> Turn:
    """What the first adapter was taught: prompt v3 and the careless title."""
    return render(PROMPT, story.text), story.careless_title


def _questions(story: Story) -> list[Turn]:
    asked = [(text, story.facts[fact]) for fact, text in QUESTIONS.items() if story.facts.get(fact, "\0") in story.text]
    return [*asked, (KIND, story.kind)]


def _repetition(rng: random.Random) -> Turn:
    length = rng.randint(8, 50)
    pool = (*words.NAME_WORDS, *words.NAME_WORDS, *words.PRODUCT_ENDINGS, *words.COMPANY_ENDINGS, *words.SUMS)
    chosen = rng.choices(pool, k=length)
    if rng.random() < 0.5:
        listed = " ".join(chosen)
    else:
        listed = ", ".join(" ".join(chosen[at : at + 2]) for at in range(0, length, 2))
    return f"{REPEAT}\n\n{listed}", listed
