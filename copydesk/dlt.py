"""`copydesk dlt`: dead letters. Which there are, what is in them, and back to where they came from."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from copydesk.console import BAD, DIM, GOOD, STRONG, console, plain
from infra.settings import Settings, get_settings

if TYPE_CHECKING:  # imported inside the commands: `--help` answers at once
    from copydesk.letters import Letter
    from schemas.topics import Topic

app = typer.Typer(help="Dead letters: list, show, and put back where they came from.", no_args_is_help=True)

LONGEST_VALUE = 6_000
"""Characters of a message that `show` prints; `--json` prints all."""
LONGEST_REASON = 300
TIME = "A time such as 2026-11-22, 2026-11-22T21:30 (UTC), or 90m, 2h, 3d ago."
TOPIC = typer.Option(None, help="Only letters of this topic.")
VERDICT = typer.Option(None, help="Only `invalid` (can never succeed) or `transient` ones (tried too often).")
REASON = typer.Option("", help="Only letters whose error contains these words, in any case.")
SINCE = typer.Option("", help=f"Only letters written since then. {TIME}")
UNTIL = typer.Option("", help="Only letters written before then.")
AS_JSON = typer.Option(False, "--json", help="Print JSON.")


@dataclass(frozen=True)
class Filter:
    """Which letters are meant; what is left empty takes all."""

    topics: tuple[Topic, ...]
    verdict: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, letter: Letter) -> bool:
        return (
            self.verdict in ("", letter.verdict)
            and self.reason.lower() in f"{letter.error} {letter.message}".lower()
            and (self.since is None or letter.written_at >= self.since)
            and (self.until is None or letter.written_at < self.until)
        )


@app.command(name="list")
def list_(
    topic: str | None = TOPIC,
    verdict: str | None = VERDICT,
    reason: str = REASON,
    since: str = SINCE,
    until: str = UNTIL,
    waiting: bool = typer.Option(
        False,
        "--open",
        help="Only letters that nobody has put back; reads the topics since the oldest letter for that.",
    ),
    limit: int = typer.Option(50, min=1, help="At most so many, the newest ones."),
    as_json: bool = AS_JSON,
) -> None:
    """The dead letters, the newest first: why they died, after how many tries, and how often they had been put back."""
    from copydesk.letters import facts

    settings, chosen = get_settings(), _filter(topic, verdict, reason, since, until)
    found = letters(settings, chosen)
    if waiting:
        done = put_back_already(settings, chosen)
        found = (letter for letter in found if letter.address not in done)
    verdicts: Counter[str] = Counter()
    newest = heapq.nlargest(limit, _counted(found, verdicts), key=lambda one: (one.written_at, one.address))
    if as_json:
        _print_json([{k: v for k, v in facts(one).items() if k not in ("value", "stack_trace")} for one in newest])
        return
    if not newest:
        typer.echo("No dead letter." if chosen == Filter(chosen.topics) else "No dead letter matches.")
        return
    console().print(_table(newest))
    total = verdicts.total()
    kinds = ", ".join(f"{count:,} {name}" for name, count in verdicts.most_common())
    shown = f", the newest {len(newest)} are shown" if total > len(newest) else ""
    typer.echo(f"{total:,} {'letter' if total == 1 else 'letters'} ({kinds}){shown}.")
    typer.echo(f"One of them whole: copydesk dlt show {newest[0].address}")


@app.command()
def show(
    letter: str = typer.Argument(help="Its address, as `copydesk dlt list` prints it: articles/0/12."),
    as_json: bool = AS_JSON,
) -> None:
    """One letter whole: why it died, where, and the message as it was."""
    from copydesk.letters import facts

    found = _one(get_settings(), letter)
    if as_json:
        _print_json(facts(found))
        return
    _draw(found)


@app.command()
def replay(
    chosen_letters: list[str] | None = typer.Argument(None, metavar="[LETTERS]…", help="Addresses: articles/0/12 …"),
    topic: str | None = TOPIC,
    verdict: str | None = VERDICT,
    reason: str = REASON,
    since: str = SINCE,
    until: str = UNTIL,
    all_: bool = typer.Option(False, "--all", help="Every letter there is."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be put back, and put nothing back."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask before putting back more than one."),
    as_json: bool = AS_JSON,
) -> None:
    """Put the messages back on the topic they came from, as they were, with a mark that says so.

    Give addresses, or filters, or --all. Of several letters about the same message the newest is put back. The letters
    themselves stay; doing it again is harmless, because the same event has the same id.
    """
    from copydesk.letters import whole

    settings = get_settings()
    filters = (topic, verdict, reason, since, until)
    if not chosen_letters and not any(filters) and not all_:
        raise typer.BadParameter("say which letters: addresses, filters such as --topic and --reason, or --all")
    if chosen_letters and (any(filters) or all_):
        raise typer.BadParameter("give either addresses or filters")
    chosen = _filter(*filters)

    hollow: set[str] = set()

    def source() -> Iterator[Letter]:
        if chosen_letters:
            return (whole(_one(settings, address)) for address in chosen_letters)
        return _without_hollow(letters(settings, chosen), hollow)

    found = newest_of_each(source())
    if hollow:
        typer.echo(
            f"Left out, because they were too large to hold their message: {', '.join(sorted(hollow))}", err=True
        )
    if dry_run or not found:
        _say_what(found, as_json=as_json)
        return
    if len(found) > 1 and not yes:
        typer.confirm(f"Put {_counts(found)} back?", abort=True, err=True)
    _put_back(settings, source(), found, as_json=as_json)


def letters(settings: Settings, chosen: Filter) -> Iterator[Letter]:
    """The letters that the filter takes, by topic and in the order in which they died."""
    from copydesk.letters import read
    from infra.kafka import read_whole

    since_ms = int(chosen.since.timestamp() * 1000) if chosen.since else 0
    for topic in chosen.topics:
        for record in read_whole(settings, topic.dead_letters, since_ms=since_ms):
            letter = read(topic, record)
            if chosen.takes(letter):
                yield letter


def put_back_already(settings: Settings, chosen: Filter) -> set[str]:
    """Addresses of letters that were put back, from the marks on the topics themselves."""
    from copydesk.letters import REPLAY_OF
    from infra.kafka import read_whole

    addresses = set()
    for topic in chosen.topics:
        oldest = min(
            (letter.written_at for letter in letters(settings, replace(chosen, topics=(topic,)))), default=None
        )
        if oldest is None:
            continue
        for record in read_whole(settings, topic.name, since_ms=int(oldest.timestamp() * 1000)):
            addresses |= {raw.decode(errors="replace") for name, raw in record.headers if name == REPLAY_OF and raw}
    return addresses


@dataclass(frozen=True)
class Found:
    """A letter to put back, without its content: there may be more letters than memory."""

    address: str
    topic: str
    replays: int
    reader: str
    message: str


def newest_of_each(found: Iterator[Letter]) -> dict[str, Found]:
    """Of the letters about the same message the one that was put back most often, or was written last, by address."""
    newest: dict[bytes, tuple[int, datetime, Found]] = {}
    for letter in found:
        about = Found(letter.address, letter.topic, letter.replays, letter.reader, letter.message)
        known = newest.get(letter.fingerprint)
        if known is None or (letter.replays, letter.written_at) >= known[:2]:
            newest[letter.fingerprint] = (letter.replays, letter.written_at, about)
    return {about.address: about for _, _, about in newest.values()}


def _without_hollow(found: Iterator[Letter], hollow: set[str]) -> Iterator[Letter]:
    for letter in found:
        if letter.left_out:
            hollow.add(letter.address)
        else:
            yield letter


def _put_back(settings: Settings, source: Iterator[Letter], found: dict[str, Found], *, as_json: bool) -> None:
    from copydesk.letters import put_back
    from infra.resend import Parcel, resend

    now, sent = datetime.now(UTC), list[Found]()

    def parcels() -> Iterator[Parcel]:
        for letter in source:
            if letter.address in found:
                sent.append(found[letter.address])
                yield put_back(letter, now)

    places = resend(settings, parcels())
    if as_json:
        _print_json(
            [
                {"letter": one.address, "topic": one.topic, "replays": one.replays + 1}
                | {"partition": place.partition, "offset": place.offset}
                for one, place in zip(sent, places, strict=True)
            ]
        )
        return
    typer.echo(f"{_counts(found)} put back, acknowledged.")


def _say_what(found: dict[str, Found], *, as_json: bool) -> None:
    if as_json:
        _print_json([{"letter": one.address, "topic": one.topic, "replays": one.replays} for one in found.values()])
        return
    if not found:
        typer.echo("No dead letter matches: nothing to put back.")
        return
    table = Table("letter", "reader", "put back so far", "why it died")
    for one in found.values():
        so_far = f"{one.replays}×" if one.replays else "–"
        table.add_row(one.address, plain(one.reader or "–"), so_far, plain(one.message or "–"))
    console().print(table)
    typer.echo(f"{_counts(found)} would be put back; nothing was done.")


def _counts(found: dict[str, Found]) -> str:
    by_topic = Counter(one.topic for one in found.values())
    total = f"{len(found):,} {'letter' if len(found) == 1 else 'letters'}"
    return f"{total} ({', '.join(f'{count:,} on {name}' for name, count in by_topic.items())})"


def _one(settings: Settings, address: str) -> Letter:
    from copydesk.letters import parse_address, read
    from infra.kafka import read_one
    from schemas.errors import Invalid

    topic, partition, offset = parse_address(address)
    record = read_one(settings, topic.dead_letters, partition, offset)
    if record is None:
        raise Invalid(f"there is no letter {address} (any more); `copydesk dlt list` shows those that are there")
    return read(topic, record)


def _filter(topic: str | None, verdict: str | None, reason: str, since: str, until: str) -> Filter:
    from copydesk.moments import moment
    from schemas.topics import TOPICS

    topics = tuple(one for one in TOPICS if topic in (None, one.name, one.dead_letters))
    if not topics:
        raise typer.BadParameter(f"no topic {topic!r}; there are {', '.join(one.name for one in TOPICS)}")
    if verdict not in (None, "invalid", "transient", "unknown"):
        raise typer.BadParameter(f"no verdict {verdict!r}; letters are invalid, transient, or unknown if not ours")
    now = datetime.now(UTC)
    return Filter(
        topics,
        verdict=verdict or "",
        reason=reason,
        since=moment(since, now) if since else None,
        until=moment(until, now) if until else None,
    )


def _counted(found: Iterator[Letter], verdicts: Counter[str]) -> Iterator[Letter]:
    for letter in found:
        verdicts[letter.verdict] += 1
        yield letter


def _table(found: list[Letter]) -> Table:
    from copydesk.moments import shown

    table = Table()
    table.add_column("letter", no_wrap=True)
    table.add_column("written (UTC)", no_wrap=True)
    table.add_column("reader", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("tries", justify="right", no_wrap=True)
    table.add_column("put back", justify="right", no_wrap=True)
    table.add_column("why")
    for letter in found:
        table.add_row(
            letter.address,
            shown(letter.written_at),
            plain(letter.reader or "–"),
            Text(letter.verdict, style=BAD if letter.verdict == "transient" else ""),
            "–" if letter.attempts is None else str(letter.attempts),
            f"{letter.replays}×" if letter.replays else "–",
            plain((letter.message or letter.error or "–")[:LONGEST_REASON]),
        )
    return table


def _draw(letter: Letter) -> None:
    from copydesk.moments import shown

    out = console()
    out.print(Text(f"{letter.address}  {letter.verdict}", style=STRONG))
    tries = "" if letter.attempts is None else f", {letter.attempts} {'try' if letter.attempts == 1 else 'tries'}"
    lines = [
        ("buried", f"{shown(letter.written_at)} UTC by {letter.reader or 'somebody'}{tries}"),
        ("came from", letter.came_from + (f", {shown(letter.came_at)} UTC" if letter.came_at else "")),
        ("put back", f"{letter.replays}× before it died again" if letter.replays else "never"),
        ("error", letter.error or "–"),
        ("why", letter.message or "–"),
    ]
    grid = Table.grid(padding=(0, 2))
    for name, words in lines:
        grid.add_row(Text(name, style=DIM), plain(words))
    out.print(grid)
    _section("key")
    out.print(plain(_readable(letter.key)))
    _section("headers")
    headers = Table.grid(padding=(0, 2))
    for name, raw in letter.headers:
        headers.add_row(plain(name), plain(_readable(raw)))
    out.print(headers if letter.headers else Text("none", style=DIM))
    _section("value")
    out.print(plain(_readable(letter.value, indent=True), keep="\n"))
    _section("stack trace")
    out.print(plain(letter.stack_trace.rstrip() or "none", keep="\n"))
    out.print(Text(f"\nPut it back: copydesk dlt replay {letter.address}", style=GOOD))


def _section(name: str) -> None:
    console().print(Text(f"\n{name}", style=STRONG))


def _readable(raw: bytes | None, *, indent: bool = False) -> str:
    """Text as text, JSON in lines, anything else as bytes; cut where it is long."""
    if raw is None:
        return "(none)"
    try:
        words = raw.decode()
        if indent:
            words = json.dumps(json.loads(words), indent=2, ensure_ascii=False)
    except UnicodeDecodeError:
        words = str(raw)
    except (ValueError, RecursionError):
        pass
    if len(words) <= LONGEST_VALUE:
        return words
    return f"{words[:LONGEST_VALUE]}\n… {len(words) - LONGEST_VALUE:,} more characters; --json prints all"


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
