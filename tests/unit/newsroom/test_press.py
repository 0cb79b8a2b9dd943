"""The press' timetable, and a file as a press."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.newsroom.app import remember_opening
from infra.newsroom.archive import ArchivedPress, Line, read_archive
from infra.newsroom.sites import Item, Page
from infra.newsroom.timetable import (
    FEED_LENGTH,
    FIRST_BATCH,
    NORTHWIRE,
    REVISED_AFTER,
    SITES,
    SimulatedPress,
)
from schemas.errors import Invalid

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINE = {
    "id": "1",
    "url": "https://h.example/1",
    "source": "h.example",
    "title": "T",
    "text": "one\n\ntwo",
    "year": 2020,
}


def press(total: int | None = None, seed: int = 1) -> SimulatedPress:
    return SimulatedPress(seed=seed, opened_at=NOON, per_minute=60, total=total)


def everything(of: SimulatedPress, now: datetime) -> list[Item]:
    return [item for site in SITES for item in of.items(site, now)]


def test_the_same_seed_and_time_give_the_same_press_and_another_seed_another() -> None:
    later = NOON + timedelta(minutes=2)
    assert everything(press(), later) == everything(press(), later)
    assert everything(press(seed=2), later) != everything(press(), later)


def test_articles_appear_one_by_one_and_stop_at_the_total() -> None:
    counts = [press(total=40).count(NOON + timedelta(seconds=seconds)) for seconds in (-60, 0, 5, 16, 3600)]
    assert counts == [FIRST_BATCH, FIRST_BATCH, FIRST_BATCH + 5, 40, 40]
    assert not press(total=40).complete(NOON + timedelta(seconds=20))
    assert press(total=40).complete(NOON + timedelta(hours=1))
    assert not press().complete(NOON + timedelta(days=365))


def test_with_a_total_the_feeds_list_all_and_without_one_the_newest() -> None:
    month = NOON + timedelta(days=30)
    real = [item for item in everything(press(total=300), month) if item.page in (Page.article, Page.heavy)]
    assert len(real) == 300
    assert max(len(press().items(site, month)) for site in SITES) <= FEED_LENGTH + 1


def test_every_listed_item_is_found_again_and_nothing_else() -> None:
    one, now = press(), NOON + timedelta(minutes=1)
    for site in SITES:
        for item in one.items(site, now):
            assert one.find(site, item.slug, now) == item
    assert one.find(NORTHWIRE, one.items(SITES[0], now)[0].slug, now) is None
    assert one.find(NORTHWIRE, "../../etc/passwd", now) is None


def test_some_articles_are_revised_and_keep_their_address() -> None:
    before = {item.slug: item for item in everything(press(), NOON)}
    after = {item.slug: item for item in everything(press(), NOON + REVISED_AFTER)}
    revised = [slug for slug in before if after[slug].updated_at > before[slug].updated_at]
    assert revised
    assert all(after[slug].paragraphs != before[slug].paragraphs for slug in revised)


def test_a_restart_goes_on_and_another_seed_starts_anew(tmp_path: Path) -> None:
    note = tmp_path / "new" / "newsroom.json"
    assert remember_opening(note, 1, NOON) == NOON
    assert remember_opening(note, 1, NOON + timedelta(hours=1)) == NOON
    assert remember_opening(note, 2, NOON + timedelta(hours=2)) == NOON + timedelta(hours=2)
    note.write_text("{broken")
    assert remember_opening(note, 2, NOON) == NOON


def write(path: Path, *lines: object) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_is_read_packed_or_not_up_to_the_limit(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, *({**LINE, "id": str(number)} for number in range(5)), "")
    assert [line.id for line in read_archive(path, 3)] == ["0", "1", "2"]
    assert len(read_archive(path)) == 5


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([LINE, "{broken"], "line 2: "),
        ([LINE, "", {**LINE, "id": "2", "text": None}], "line 3: text"),
        ([{"id": "1"}], "line 1: url: Field required"),
        ([LINE, LINE], "line 2: id '1' is already on line 1"),
        ([], "no articles"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, lines: list[object], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read_archive(write(tmp_path / "a.jsonl", *lines))


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl.gz").write_bytes(b"not packed at all")
    (tmp_path / "c.jsonl").write_bytes(b"\xff\xfe{}")
    for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl"):
        with pytest.raises(Invalid, match=name):
            read_archive(tmp_path / name)


def test_sources_whose_slugs_are_alike_stay_two_sites() -> None:
    lines = [Line.model_validate({**LINE, "id": str(n), "source": source}) for n, source in enumerate(["a.b", "a-b"])]
    archived = ArchivedPress(lines, NOON)
    assert len({site.slug for site in archived.sites}) == 2
    assert [len(archived.items(site, NOON)) for site in archived.sites] == [1, 1]
