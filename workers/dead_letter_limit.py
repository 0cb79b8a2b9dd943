"""How many dead letters are too many: a worker that would bury a large share of its traffic has a defect of its own, or
stands behind one, and no amount of dead letters mends that. It stops before it has buried everything.
"""

from __future__ import annotations

from collections import deque

RECENT = 1_000
"""Messages of a topic that count as recent."""


class TooManyDeadLetters(Exception):
    """Says what was about to be buried and what a person can do. Not an error of the message: it is not buried."""


class DeadLetterLimit:
    """At most `share` of the recent messages of a topic may be dead letters; fewer than `least` never matter."""

    def __init__(self, *, share: float, least: int) -> None:
        self._share = share
        self._least = least
        self._recent: dict[str, deque[bool]] = {}
        self._dead: dict[str, int] = {}

    def note(self, topic_name: str, *, dead: bool) -> None:
        """A message is settled."""
        recent = self._recent.setdefault(topic_name, deque())
        recent.append(dead)
        self._dead[topic_name] = self._dead.get(topic_name, 0) + dead
        if len(recent) > RECENT:
            self._dead[topic_name] -= recent.popleft()

    def check(self, topic_name: str, error: Exception) -> None:
        """Call before a message is buried. Raises `TooManyDeadLetters`."""
        dead = self._dead.get(topic_name, 0) + 1
        settled = len(self._recent.get(topic_name, ())) + 1
        if dead >= self._least and dead > self._share * settled:
            raise TooManyDeadLetters(
                f"{dead} of the last {settled} messages of {topic_name} would be dead letters, more than"
                f" COPYDESK_DEAD_LETTER_SHARE={self._share:g} allows; the last because of: {error}. This one stays"
                f" where it is, uncommitted. See `copydesk dlt list`, mend the cause, and start the worker again; if"
                f" all these messages are to be buried, start it once with COPYDESK_DEAD_LETTER_SHARE=1"
            )
