"""A canary is judged by what it wrote beside the champion."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import Session

from infra.database import make_engine, migrate
from infra.registry import CANARY, CHAMPION, ModelRegistry
from infra.settings import Settings
from schemas.records import ModelVersionRow, ScoreRow
from workers.retrainer.canary import Written, judge, look_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WANTED = 100


def stream(champion_bad: float, canary_bad: float, titles: int, seed: int = 1, share: float = 0.2) -> list[Written]:
    draw = random.Random(seed)
    found: list[Written] = []
    while sum(one.canary for one in found) < titles:
        canary = draw.random() < share
        found.append(Written(canary, draw.random() < (canary_bad if canary else champion_bad)))
    return found


def test_a_canary_is_not_judged_before_its_first_tenth() -> None:
    assert judge([], WANTED).passed is None
    assert judge(stream(0, 1, WANTED // 10 - 1), WANTED).passed is None


def test_a_canary_that_nothing_can_be_compared_with_is_not_judged() -> None:
    assert judge([Written(canary=True, bad=False)] * WANTED, WANTED).passed is None


def test_a_canary_that_is_clearly_worse_is_sent_back_early_and_one_that_is_as_good_passes_at_the_end() -> None:
    assert judge(stream(0.2, 0.9, 20), WANTED).passed is False
    assert judge(stream(0.2, 0.2, WANTED - 1), WANTED).passed is None
    assert judge(stream(0.2, 0.2, WANTED), WANTED).passed is True
    assert judge(stream(0.5, 0.1, WANTED), WANTED).passed is True


def test_looking_more_often_than_ten_times_changes_nothing() -> None:
    seen = stream(0.2, 0.5, WANTED + 30)
    looks = [judge(seen[: number + 1], WANTED) for number in range(len(seen))]
    assert len({look.words for look in looks if "counts against" in look.words}) <= 10


def test_a_canary_that_is_no_worse_is_sent_back_in_at_most_five_of_a_hundred() -> None:
    def sent_back(seed: int) -> bool:
        seen = stream(0.3, 0.3, WANTED, seed)
        at = [place + 1 for place, one in enumerate(seen) if one.canary][WANTED // 10 - 1 :: WANTED // 10]
        return any(judge(seen[:place], WANTED).passed is False for place in at)

    assert sum(sent_back(seed) for seed in range(300)) <= 15


class House:
    """A registry with `v1` as champion and `v2` as canary, and the titles that both wrote."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, canary_share=0.1, canary_titles=20, review_precision_below=0.5)
        self.engine = make_engine(self.settings)
        migrate(self.engine)
        self.now = NOW
        self.registry = ModelRegistry(self.engine, lambda: self.now)
        for version in ("v1", "v2", "v3"):
            self.registry.register(_version(version))
        self.move(CHAMPION, "v1")
        self.now += timedelta(minutes=1)
        self.move(CANARY, "v2")

    def move(self, alias: str, version: str) -> None:
        now = self.registry.alias(alias)
        sequence = now.sequence if now else 0
        self.registry.set_alias(
            alias, version, expected_sequence=sequence, actor="test", reason="test", gate_verdict="passed"
        )

    def write(self, version: str, count: int, *, bad: bool, precision: float = 0.9) -> None:
        with Session(self.engine) as session:
            for number in range(count):
                session.add(_score(version, self.now + timedelta(seconds=number), bad, precision))
            session.commit()

    def look(self) -> str:
        return look_after(self.engine, self.registry, self.settings)

    def aliases(self) -> tuple[str | None, str | None]:
        found = (self.registry.alias(CHAMPION), self.registry.alias(CANARY))
        return tuple(alias.version if alias else None for alias in found)  # type: ignore[return-value]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_good_canary_becomes_champion(house: House) -> None:
    house.write("v1", 40, bad=False)
    house.write("v2", 19, bad=False)
    assert house.look() == ""
    house.write("v2", 1, bad=False)
    assert "v2 is champion" in house.look()
    assert house.aliases() == ("v2", "v2")
    assert house.look() == ""


@pytest.mark.parametrize(("bad", "precision"), [(True, 0.9), (False, 0.1)])
def test_a_canary_that_breaks_house_rules_or_loses_support_is_sent_back(
    house: House, bad: bool, precision: float
) -> None:
    house.write("v1", 40, bad=False)
    house.write("v2", 20, bad=bad, precision=precision)
    assert "v2 is sent back" in house.look()
    assert house.aliases() == ("v1", "v1")
    assert "counts against 20 of 20" in house.registry.history(CANARY)[-1].reason


def test_what_was_written_before_the_canary_began_does_not_count(house: House) -> None:
    house.write("v1", 40, bad=False)
    house.write("v2", 20, bad=True)
    house.now += timedelta(hours=1)
    house.move(CANARY, "v3")
    house.move(CANARY, "v2")
    assert house.look() == ""


def test_a_canary_ends_when_the_champion_changes_under_it(house: House) -> None:
    house.now += timedelta(minutes=1)
    house.move(CHAMPION, "v3")
    assert "v3 serves now" in house.look()
    assert house.aliases() == ("v3", "v3")


def _version(name: str) -> ModelVersionRow:
    return ModelVersionRow(
        version=name,
        artefact_uri=f"models/{name}",
        digest=name,
        base_model="base",
        base_revision="main",
        dataset_hash="h",
        prompt_version="v3",
        prompt_digest="p",
        parent=None,
        config={},
        metrics={},
        created_at=NOW,
    )


def _score(version: str, at: datetime, bad: bool, precision: float) -> ScoreRow:
    return ScoreRow(
        title_id=uuid4(),
        article_id=uuid4(),
        revision=1,
        story_id=uuid4(),
        url="https://press.example/1",
        source="press.example",
        text="A title",
        model_version=version,
        prompt_version="v3",
        decision="review" if bad else "publish",
        precision=precision,
        recall=0.5,
        f1=0.5,
        scorer="s",
        evidence="",
        violations=[{"rule": "too_long", "reason": "It is too long."}] if bad else [],
        review_reasons=[],
        audit=False,
        scored_at=at,
    )
