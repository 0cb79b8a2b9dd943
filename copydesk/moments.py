"""Moments as people type and read them; what names no zone is UTC, as everything that we print."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from schemas.errors import Invalid

HELP = "a time such as 2026-11-22, 2026-11-22T21:30 (UTC) or 90m, 2h, 3d ago"
_AGO = re.compile(r"(\d{1,6})([smhd])(?: ago)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(words: str, now: datetime) -> datetime:
    """The moment that the words mean. Raises `Invalid`."""
    if ago := _AGO.fullmatch(words.strip()):
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError as error:
            raise Invalid(f"{words!r} is too long ago") from error
    try:
        parsed = datetime.fromisoformat(words.strip())
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{words!r} is not {HELP}") from error


def shown(at: datetime) -> str:
    """To the second, without a zone: table heads say UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
