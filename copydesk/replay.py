"""`copydesk replay`: a worker reads part of its topic again, or articles get titles from another model version.

The first moves the committed offsets of a consumer group back, as Kafka's own tool does. Sending the events again would
be the other way, but then every reader of the topic would get them, and the topic would grow with each replay.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from copydesk.console import console
from infra.settings import Settings, get_settings
from schemas.errors import Invalid

if TYPE_CHECKING:  # imported inside the command: `--help` answers at once
    from schemas.topics import Topic

GROUP_PREFIX = "copydesk."
STREAM_READERS = ("generator", "scorer", "archivist")
"""The workers that read through a consumer group; the others read the database."""


@dataclass(frozen=True)
class Step:
    """What happens in one partition; `to` is never behind `committed`, where the group is now."""

    partition: int
    first: int
    end: int
    committed: int
    to: int

    @property
    def again(self) -> int:
        return self.committed - self.to


def replay(
    topic: str = typer.Option("", help="Let a worker read this topic again."),
    from_: str = typer.Option(
        "",
        "--from",
        help="From there: an offset, `start`, or a time such as 2026-11-22, 2026-11-22T21:30 (UTC), 2h ago.",
    ),
    partition: int | None = typer.Option(None, min=0, help="Only in this partition; an offset needs one."),
    group: str = typer.Option("", help="Who reads again: generator, scorer, archivist, or a consumer group of yours."),
    adapter: str = typer.Option("", help="Write titles with this model version, and publish nothing."),
    articles: list[str] = typer.Option(
        [], help="Which articles: an id, the beginning of one, an address, or a file with one of these a line."
    ),
    since: str = typer.Option("", help="With --adapter: articles fetched since then."),
    limit: int = typer.Option(50, min=1, help="With --adapter: at most so many articles, the newest ones."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done, and do nothing."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Let a worker read a topic again, or see what another model version would write.

    --topic T --from WHERE lets a stopped worker read T again from there to where it was, and go on. What it writes has
    the ids it had the first time, so that nothing is counted twice.

    --adapter VERSION --articles … titles articles with another model version through the generator's own code, and
    shows old and new titles with their scores side by side. Nothing is published.
    """
    if bool(topic) == bool(adapter):
        raise typer.BadParameter("say either --topic with --from, or --adapter with --articles or --since")
    settings = get_settings()
    if adapter:
        if from_ or group or partition is not None:
            raise typer.BadParameter("--from, --group and --partition go with --topic")
        if not articles and not since:
            raise typer.BadParameter("say which articles: --articles or --since")
        _title_again(settings, adapter, articles, since, limit, dry_run=dry_run, as_json=as_json)
        return
    if articles or since:
        raise typer.BadParameter("--articles and --since go with --adapter")
    if not from_:
        raise typer.BadParameter("say from where: --from start, an offset or a time")
    _read_again(settings, topic, from_, partition, group, dry_run=dry_run, yes=yes, as_json=as_json)


def _read_again(
    settings: Settings,
    topic_name: str,
    start: str,
    partition: int | None,
    group: str,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    from infra.groups import GroupActive, members, move

    topic = _topic(topic_name)
    group = group_of(topic, group)
    steps = plan(settings, topic, group, start, partition)
    count = sum(step.again for step in steps)
    if not as_json:
        _print_steps(group, steps)
    if dry_run or not count:
        _tell(group, topic, steps, moved=False, as_json=as_json)
        return
    present = members(settings, group)
    if present:
        raise GroupActive(
            f"{group} is being read by {', '.join(present)}: stop {'it' if len(present) == 1 else 'them'} first, "
            "nothing was moved. (A worker that has stopped counts as present for up to 30 s more.)"
        )
    if not yes:
        typer.confirm(f"Let {group} read {count:,} messages of {topic.name} again?", abort=True, err=True)
    move(settings, group, topic.name, {step.partition: step.to for step in steps if step.again})
    _tell(group, topic, steps, moved=True, as_json=as_json)


def group_of(topic: Topic, name: str) -> str:
    """The consumer group that is meant: a worker's, somebody else's, or that of the only worker on the topic."""
    readers = [reader for reader in topic.readers if reader in STREAM_READERS]
    if name in STREAM_READERS and name not in readers:
        raise Invalid(f"the {name} does not read {topic.name}; {' and '.join(readers)} do")
    if name:
        return GROUP_PREFIX + name if name in readers else name
    if len(readers) > 1:
        raise Invalid(f"{' and '.join(readers)} read {topic.name}: say which one with --group")
    return GROUP_PREFIX + readers[0]


def plan(settings: Settings, topic: Topic, group: str, start: str, partition: int | None) -> list[Step]:
    """Where the group would go, per partition: only ever back, so that nothing is left out."""
    from infra.groups import positions
    from infra.kafka import offsets_at

    found = positions(settings, group, topic.name)
    if partition is not None and partition >= len(found):
        raise Invalid(f"{topic.name} has the partitions 0 to {len(found) - 1}")
    if all(position.committed is None for position in found):
        raise Invalid(f"{group!r} has never read {topic.name}: it begins at the start by itself")
    chosen = [position for position in found if partition in (None, position.partition)]
    if start == "start":
        wanted = {position.partition: position.first for position in chosen}
    elif start.isdecimal():
        if partition is None and len(found) > 1:
            raise Invalid(
                f"offset {start} means another message in each partition: say which with --partition, or a time"
            )
        wanted = {position.partition: int(start) for position in chosen}
    else:
        from copydesk.moments import moment

        wanted = offsets_at(settings, topic.name, int(moment(start, datetime.now(UTC)).timestamp() * 1000))
    steps = []
    for position in chosen:
        committed = position.first if position.committed is None else max(position.first, position.committed)
        to = min(committed, max(position.first, wanted[position.partition]))
        steps.append(Step(position.partition, position.first, position.end, committed, to))
    return steps


def _topic(name: str) -> Topic:
    from schemas.topics import TOPICS

    topic = next((topic for topic in TOPICS if topic.name == name), None)
    if topic is None:
        raise typer.BadParameter(f"no topic {name!r}; there are {', '.join(one.name for one in TOPICS)}")
    return topic


def _print_steps(group: str, steps: list[Step]) -> None:
    table = Table("partition", "on the topic", f"{group} is at", "would go to", "reads again")
    for step in steps:
        table.add_row(
            str(step.partition),
            f"{step.first:,} … {step.end:,}",
            f"{step.committed:,}",
            f"{step.to:,}",
            f"{step.again:,}",
        )
    console().print(table)


def _tell(group: str, topic: Topic, steps: list[Step], *, moved: bool, as_json: bool) -> None:
    count = sum(step.again for step in steps)
    if as_json:
        parts = [
            {"partition": step.partition, "committed": step.committed, "to": step.to, "again": step.again}
            for step in steps
        ]
        facts = {"topic": topic.name, "group": group, "moved": moved, "again": count, "partitions": parts}
        typer.echo(json.dumps(facts, indent=2))
    elif not count:
        typer.echo(f"Nothing to read again: {group} is not behind that point yet.")
    elif moved:
        typer.echo(f"Moved: {group} reads {count:,} messages of {topic.name} again as soon as it starts.")
    else:
        typer.echo(f"{count:,} messages of {topic.name} would be read again; nothing was moved.")


def _title_again(
    settings: Settings, version: str, names: list[str], since: str, limit: int, *, dry_run: bool, as_json: bool
) -> None:
    from copydesk.moments import moment
    from copydesk.retitle import choose, draw, facts, retitle
    from infra.database import make_engine, migrate

    engine = make_engine(settings)
    migrate(engine)
    chosen = choose(engine, _names(names), moment(since, datetime.now(UTC)) if since else None, limit)
    if not chosen:
        raise Invalid("no article matches")
    if dry_run:
        typer.echo(f"{len(chosen):,} {'article' if len(chosen) == 1 else 'articles'} would be titled by {version}.")
        return
    outcomes = retitle(settings, engine, version, chosen)
    if as_json:
        typer.echo(json.dumps(facts(version, outcomes), indent=2, ensure_ascii=False))
    else:
        draw(version, outcomes)


def _names(given: list[str]) -> list[str]:
    names: list[str] = []
    for one in given:
        if "://" not in one and Path(one).is_file():
            names += [line.strip() for line in Path(one).read_text(encoding="utf-8").splitlines() if line.strip()]
        else:
            names.append(one)
    return names
