"""An evaluation whose titles no model wrote, for the tests of the report and of the blind sheet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from training.dataset import HOLDOUT, Example, Origin
from training.evaluation import Contender, Evaluation
from training.held_out import HeldOut
from training.measures import MeasuredTitle
from training.written import Written

EXAMPLES = tuple(
    Example(
        example_id=f"e{number}",
        article_id=UUID(int=number),
        revision=1,
        story_id=UUID(int=number),
        text=f"Story {number} tells of <b>things</b>. " * 5,
        title=f"A title of story {number}",
        origin=Origin.correction,
        split=HOLDOUT,
        source="Harbor" if number % 2 else "Tide",
        at=datetime(2024 + number % 2, 5, 1, tzinfo=UTC),
        error_tags=("quoted",) if number < 4 else (),
    )
    for number in range(8)
)


def contender(name: str, titles: Sequence[str], precision: float, *, tokens_in: int = 200) -> Contender:
    """A model whose titles of the first examples are these; each is a little more precise than the one before."""

    def judged(at: int, title: str) -> MeasuredTitle:
        right = float(bool(title))
        figures = {"precision": (precision + at / 100) * right, "house_rules": right, "entities": right}
        figures |= {"length": float(len(title)), "empty": 1 - right}
        return MeasuredTitle(title, figures, () if title else ("other",))

    mine = EXAMPLES[: len(titles)]
    written = tuple(
        Written(one.example_id, title, 0.5, tokens_in, len(title) // 4, None)
        for one, title in zip(mine, titles, strict=True)
    )
    return Contender(name, "v3", {one.example_id: judged(at, titles[at]) for at, one in enumerate(mine)}, written)


def two_models() -> Evaluation:
    """A base with careless titles, and a better one that once says nothing and once writes a formula."""
    old = contender("base", [f"Old <script>{number}" for number in range(8)], 0.3, tokens_in=400)
    new = contender("v9", ["=1+1", "", *(f"A title of {number}" for number in range(6))], 0.6)
    return Evaluation(HeldOut("some articles", "ab" * 32, EXAMPLES), (old, new))
