from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from copydesk.moments import moment
from schemas.errors import Invalid

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("2h ago", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T21:30", datetime(2026, 11, 21, 21, 30, tzinfo=UTC)),
        ("2026-11-21T21:30+02:00", datetime(2026, 11, 21, 19, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_what_a_person_means(words: str, meant: datetime) -> None:
    assert moment(words, NOW) == meant


@pytest.mark.parametrize("words", ["yesterday", "", "5", "-3d", "999999d", "0001-01-01T00:00+14:00", "2026-13-01"])
def test_anything_else_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(Invalid, match=r"is not a time such as 2026-11-22|too long ago"):
        moment(words, NOW)
