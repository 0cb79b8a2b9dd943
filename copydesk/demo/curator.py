"""A curator by script. The screen says so: it stands in for the hands of a person, and for nothing else.

It works through the desk's HTTP API and knows only what a person at the desk knows: the article's text as the desk
shows it, the title, and the house rules that the desk says are broken. What it understands, it reads out of the text.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import httpx

from editorial.tags import TAG_OF_RULE
from infra.newsroom.stories import Story, read_story

CURATOR = "Scripted curator"


@dataclass(frozen=True)
class Judgement:
    """What the curator decided about one title, before it is sent."""

    verdict: str
    text: str
    error_tags: tuple[str, ...]


def judge(title: str, story: Story, broken_rules: tuple[str, ...]) -> Judgement:
    """Approve a title that keeps the house rules and names who and what the story is about; else write a better one."""
    tags = {TAG_OF_RULE[rule] for rule in broken_rules if rule in TAG_OF_RULE}
    if any(name not in title for name in story.names) and not tags:
        tags.add("not_in_article" if title else "other")
    if not tags and not broken_rules:
        return Judgement("approved", title, ())
    return Judgement("corrected", story.house_title, tuple(sorted(tags or {"other"})))


@dataclass
class ScriptedCurator:
    """Judges what waits in the queue. Not thread-safe; call `work` again and again."""

    client: httpx.Client
    unreadable: set[str] = field(default_factory=set)
    """Titles of articles that are not of the simulated press: left for a person."""

    def work(self, limit: int = 10) -> int:
        """Judge up to `limit` waiting titles; returns how many. 0 too when the desk is away: try again later."""
        try:
            answer = self.client.get("/api/queue", params={"limit": limit + len(self.unreadable)})
            answer.raise_for_status()
            waiting = [item["title_id"] for item in answer.json()["items"] if item["title_id"] not in self.unreadable]
            return sum(self._judge_one(title_id) for title_id in waiting[:limit])
        except httpx.HTTPError:
            return 0

    def _judge_one(self, title_id: str) -> bool:
        began = time.monotonic()
        answer = self.client.get(f"/api/titles/{title_id}")
        if answer.status_code != httpx.codes.OK:
            return False
        shown = answer.json()
        story = read_story(shown["text"])
        if story is None:
            self.unreadable.add(title_id)
            return False
        judgement = judge(shown["title"], story, tuple(violation["rule"] for violation in shown["violations"]))
        sent = self.client.post(
            f"/api/titles/{title_id}/verdict",
            json={
                "verdict": judgement.verdict,
                "text": judgement.text,
                "error_tags": list(judgement.error_tags),
                "curator": CURATOR,
                "seconds_spent": round(time.monotonic() - began, 3),
                "note": "",
            },
        )
        return sent.status_code == httpx.codes.OK
