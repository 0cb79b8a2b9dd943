from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import REGISTRY

from infra.observability import logs
from schemas.envelope import Envelope, encode
from schemas.errors import Invalid, Transient, Unavailable
from schemas.events import Event
from schemas.topics import ARTICLES, Topic
from tests.samples import NOW, make_adapter, make_article
from workers import outage as outage_module
from workers.dead_letter_limit import DeadLetterLimit, TooManyDeadLetters
from workers.dead_letters import Delivery, RawHeaders
from workers.outage import pause
from workers.window import Lane, Outlet, PutBack, Window


@dataclass
class Recorder:
    """The streams below a window: keeps what was sent."""

    letters: list[tuple[str, bytes | None, bytes | None, RawHeaders]] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    broken: bool = False

    def outlet(self, traceparent: str) -> Outlet:
        self.traces.append(traceparent)
        return self

    async def send(self, topic: Topic, event: Event) -> None:
        raise AssertionError("no handler here sends")

    async def send_raw(self, topic_name: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> None:
        if self.broken:
            raise ConnectionError("no broker")
        self.letters.append((topic_name, key, value, headers))


def failing(*errors: BaseException) -> Callable[[Envelope, Outlet], asyncio.Future[None]]:
    """A handler that raises these one after the other, then succeeds."""
    left = list(errors)

    async def handle(_: Envelope, __: Outlet) -> None:
        if left:
            raise left.pop(0)

    return handle  # type: ignore[return-value]  # a coroutine function is a Handler


def delivery(event: Event | None = None, *, value: bytes | None = b"", trace: str = "") -> Delivery:
    message = encode(event or make_article(), source="test", time=NOW, traceparent=trace)
    return Delivery(
        topic="articles",
        partition=0,
        offset=7,
        timestamp_ms=0,
        key=message.key,
        value=message.value if value == b"" else value,
        headers=message.headers,
    )


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Window:
    monkeypatch.setattr(outage_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(outage_module, "LONGEST_PAUSE_S", 0.01)
    return Window(group="copydesk.test", size=4, max_attempts=3, try_limit_s=0.2)


async def test_a_handled_message_is_done_and_carries_its_trace_on(window: Window) -> None:
    sender, trace = Recorder(), "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    await window.process(Lane(ARTICLES, failing()), delivery(trace=trace), sender)
    assert (window.done, window.in_hand, sender.letters, sender.traces) == (1, 0, [], [trace])


async def test_an_invalid_message_is_a_dead_letter_at_once_with_everything_it_came_with(window: Window) -> None:
    sender, message = Recorder(), delivery()
    await window.process(Lane(ARTICLES, failing(Invalid("no"), Invalid("never asked"))), message, sender)
    [(topic, key, value, headers)] = sender.letters
    assert (topic, key, value, headers[: len(message.headers)]) == (
        *("articles-dlt", message.key, message.value),
        message.headers,
    )


@pytest.mark.parametrize("value", [b"{broken", b"", None, b"\xff\xfe", b"[]", b"{}"])
async def test_what_is_no_event_never_reaches_the_handler(window: Window, value: bytes | None) -> None:
    sender = Recorder()
    message = delivery(value=value) if value != b"" else Delivery("articles", 0, 7, 0, None, b"", ())
    await window.process(Lane(ARTICLES, failing(RuntimeError("reached"))), message, sender)
    assert len(sender.letters) == 1


async def test_an_event_of_another_topic_is_a_dead_letter(window: Window) -> None:
    sender = Recorder()
    await window.process(Lane(ARTICLES, failing(RuntimeError("reached"))), delivery(make_adapter()), sender)
    assert len(sender.letters) == 1


async def test_transient_trouble_is_tried_again(window: Window) -> None:
    sender = Recorder()
    await window.process(Lane(ARTICLES, failing(Transient("1"), Transient("2"))), delivery(), sender)
    assert sender.letters == []


async def test_transient_trouble_that_stays_is_a_dead_letter_with_its_number_of_tries(window: Window) -> None:
    sender = Recorder()
    await window.process(Lane(ARTICLES, failing(*[Transient("still")] * 9)), delivery(), sender)
    assert ("copydesk-attempts", b"3") in sender.letters[0][3]


async def test_what_is_unavailable_is_waited_for_and_nothing_is_buried(window: Window) -> None:
    sender = Recorder()
    handler = failing(*[Unavailable("down")] * 8, Transient("up again, not well"), *[Unavailable("down")] * 3)
    await window.process(Lane(ARTICLES, handler), delivery(), sender)
    assert (window.done, sender.letters) == (1, [])


async def test_a_handler_that_hangs_counts_as_transient_trouble(window: Window) -> None:
    async def hang(_: Envelope, __: Outlet) -> None:
        await asyncio.Event().wait()

    window.try_limit_s, sender = 0.01, Recorder()
    await window.process(Lane(ARTICLES, hang), delivery(), sender)
    assert ("kafka_dlt-exception-message", b"not done within 0.01 s") in sender.letters[0][3]


@pytest.mark.parametrize("defect", [RuntimeError("bug"), TimeoutError("somebody else's clock"), KeyError("x")])
async def test_a_defect_is_raised_and_the_message_is_not_done(window: Window, defect: Exception) -> None:
    with pytest.raises(type(defect)):
        await window.process(Lane(ARTICLES, failing(defect)), delivery(), Recorder())
    assert (window.done, window.in_hand, window.at_work) == (0, 0, {})


async def test_a_dead_letter_that_cannot_be_sent_is_raised(window: Window) -> None:
    with pytest.raises(ConnectionError):
        await window.process(Lane(ARTICLES, failing(Invalid("no"))), delivery(), Recorder(broken=True))


async def test_a_message_that_rests_is_put_back_when_the_worker_stops(window: Window) -> None:
    task = asyncio.create_task(
        window.process(Lane(ARTICLES, failing(*[Unavailable("down")] * 10_000)), delivery(), Recorder())
    )
    await asyncio.sleep(0)  # let it begin
    window.close()
    with pytest.raises(PutBack):
        await task
    assert window.done == 0


async def test_a_message_that_is_being_handled_is_finished_when_the_worker_stops(window: Window) -> None:
    release = asyncio.Event()

    async def slow(_: Envelope, __: Outlet) -> None:
        await release.wait()

    task = asyncio.create_task(window.process(Lane(ARTICLES, slow), delivery(), Recorder()))
    await asyncio.sleep(0)  # let it begin
    window.close()
    assert not await window.calm(0.01)
    release.set()
    await task
    assert window.done == 1
    assert await window.calm(0.01)


async def test_resting_messages_do_not_hold_up_a_rebalance(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_module, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(outage_module, "LONGEST_PAUSE_S", 60.0)
    task = asyncio.create_task(
        window.process(Lane(ARTICLES, failing(*[Unavailable("down")] * 9)), delivery(), Recorder())
    )
    await asyncio.sleep(0)  # let it begin
    assert await window.calm(1.0)
    assert window.in_hand == 1
    task.cancel()


@pytest.mark.parametrize(
    ("tries", "least", "most"), [(1, 0.125, 0.25), (3, 0.5, 1.0), (6, 4.0, 8.0), (10_000, 4.0, 8.0)]
)
def test_pauses_double_up_to_a_cap_and_spread_by_half(tries: int, least: float, most: float) -> None:
    assert (pause(tries, 0.0), pause(tries, 1.0)) == (least, most)


async def test_events_of_one_key_are_handled_one_after_the_other_where_the_topic_asks_for_it(window: Window) -> None:
    begun: list[str] = []
    release = asyncio.Event()

    async def slow(envelope: Envelope, _: Outlet) -> None:
        begun.append(envelope.event.key)
        await release.wait()

    events = [make_article(1), make_article(1).model_copy(update={"revision": 2}), make_article(2)]
    async with asyncio.TaskGroup() as tasks:
        for event in events:
            tasks.create_task(window.process(Lane(ARTICLES, slow), delivery(event), Recorder()))
        await asyncio.sleep(0.01)
        assert begun == [events[0].key, events[2].key]
        release.set()
    assert begun == [events[0].key, events[2].key, events[1].key]


async def test_a_topic_that_does_not_ask_for_order_does_not_wait(window: Window) -> None:
    begun = 0

    async def slow(_: Envelope, __: Outlet) -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    unordered = replace(ARTICLES, ordered=False)
    tasks = [asyncio.create_task(window.process(Lane(unordered, slow), delivery(), Recorder())) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert begun == 3
    for task in tasks:
        task.cancel()


async def test_a_dead_letter_keeps_its_place_in_the_order(window: Window) -> None:
    sender, handled = Recorder(), []

    async def handle(envelope: Envelope, _: Outlet) -> None:
        handled.append((envelope.event_id, len(sender.letters)))

    first, second = delivery(value=b"{broken"), delivery()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(window.process(Lane(ARTICLES, handle), first, sender))
        tasks.create_task(window.process(Lane(ARTICLES, handle), second, sender))
    assert handled == [(str(make_article().event_id), 1)]


async def test_in_an_outage_one_message_asks_for_all_and_none_is_a_dead_letter(window: Window) -> None:
    at_once = most_at_once = asked = 0
    down = True

    async def handle(_: Envelope, __: Outlet) -> None:
        nonlocal at_once, most_at_once, asked
        asked += 1
        at_once += 1
        most_at_once = max(most_at_once, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        if down:
            raise Unavailable("the model server is away")

    sender = Recorder()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(window.process(Lane(ARTICLES, handle), delivery(make_article(0)), sender))
        await asyncio.sleep(0.01)
        for number in range(1, 10):
            tasks.create_task(window.process(Lane(ARTICLES, handle), delivery(make_article(number)), sender))
        before = asked
        while asked < before + 10:  # noqa: ASYNC110  # the handler counts, nobody tells
            await asyncio.sleep(0.001)
        assert most_at_once == 1
        down = False
    assert (window.done, sender.letters, window.outage.reason) == (10, [], None)


async def test_what_nobody_can_read_does_not_wait_for_the_model_server(window: Window) -> None:
    sender = Recorder()
    handler = failing(*[Unavailable("down")] * 100_000)
    waiting = asyncio.create_task(window.process(Lane(ARTICLES, handler), delivery(), sender))
    await asyncio.sleep(0.01)
    await window.process(Lane(ARTICLES, handler), delivery(make_article(2), value=b"{broken"), sender)
    assert len(sender.letters) == 1
    waiting.cancel()


async def test_a_dead_letter_too_many_is_not_sent_and_not_done() -> None:
    limited = Window(
        group="copydesk.test", size=4, max_attempts=1, try_limit_s=1.0, limit=DeadLetterLimit(share=0.5, least=2)
    )
    sender = Recorder()
    handler = failing(*[Invalid("no")] * 9)
    await limited.process(Lane(ARTICLES, handler), delivery(), sender)
    with pytest.raises(TooManyDeadLetters):
        await limited.process(Lane(ARTICLES, handler), delivery(), sender)
    assert (len(sender.letters), limited.done, limited.in_hand) == (1, 1, 0)


async def test_good_messages_count_against_the_limit() -> None:
    limited = Window(
        group="copydesk.test", size=4, max_attempts=1, try_limit_s=1.0, limit=DeadLetterLimit(share=0.5, least=1)
    )
    sender = Recorder()
    await limited.process(Lane(ARTICLES, failing()), delivery(), sender)
    await limited.process(Lane(ARTICLES, failing(Invalid("no"))), delivery(), sender)
    assert len(sender.letters) == 1


async def test_every_fate_is_counted(window: Window) -> None:
    def counted() -> dict[str, float]:
        plain = ("events_received_total", "events_handled_total", "handler_seconds_count")
        labelled = [
            (f"{name} {reason}", f"{name}_total", {"reason": reason})
            for name in ("events_retried", "dead_letters")
            for reason in ("transient", "invalid", "unavailable")
        ]
        return {
            name: REGISTRY.get_sample_value(f"copydesk_{series}", {"topic": "articles"} | labels) or 0.0
            for name, series, labels in [*((name, name, dict[str, str]()) for name in plain), *labelled]
        }

    before = counted()
    for errors in ([], [Transient("1"), Unavailable("2")], [Invalid("3")], [Transient("4")] * 3):
        await window.process(Lane(ARTICLES, failing(*errors)), delivery(), Recorder())
    after = counted()
    assert {name: after[name] - before[name] for name in after} == {
        "events_received_total": 4,
        "events_handled_total": 2,
        "handler_seconds_count": 8,
        "events_retried transient": 3,
        "events_retried invalid": 0,
        "events_retried unavailable": 1,
        "dead_letters transient": 1,
        "dead_letters invalid": 1,
        "dead_letters unavailable": 0,
    }


async def test_lines_that_a_handler_logs_say_what_is_being_handled(window: Window) -> None:
    said: dict[str, str | int] = {}

    async def handle(_: Envelope, __: Outlet) -> None:
        said.update(logs.facts())

    await window.process(Lane(ARTICLES, handle), delivery(), Recorder())
    assert said == {"topic": "articles", "partition": 0, "offset": 7, "event_id": str(make_article().event_id)}
    assert logs.facts() == {}
