from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from schemas.errors import Invalid, Transient, Unavailable
from workers import outage as outage_module
from workers.order import PutBack
from workers.outage import Outage, TookTooLong

Request = Callable[[], Awaitable[None]]


class Server:
    """A part that messages need: counts who asks, and how many at once."""

    def __init__(self) -> None:
        self.error: Exception | None = Unavailable("the model server is away")
        self.asked = self.at_once = self.most_at_once = 0

    async def request(self) -> None:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.error:
            raise self.error


@pytest.fixture
def closing() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def outage(closing: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> Outage:
    monkeypatch.setattr(outage_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(outage_module, "LONGEST_PAUSE_S", 0.004)
    return Outage(closing)


async def knock(outage: Outage, request: Request) -> None:
    await outage.passage(request)


async def until_through(outage: Outage, request: Request) -> None:
    while True:
        try:
            return await knock(outage, request)
        except Unavailable:
            continue


async def begin(outage: Outage, server: Server) -> None:
    with pytest.raises(Unavailable):
        await knock(outage, server.request)
    server.asked = server.most_at_once = 0


async def test_while_all_is_well_nobody_waits_for_anybody(outage: Outage) -> None:
    server = Server()
    server.error = None
    await asyncio.gather(*(knock(outage, server.request) for _ in range(10)))
    assert server.most_at_once == 10


async def test_during_an_outage_one_at_a_time_asks_and_all_get_through_when_it_is_over(outage: Outage) -> None:
    server = Server()
    await begin(outage, server)
    tasks = [asyncio.create_task(until_through(outage, server.request)) for _ in range(10)]
    while server.asked < 5:  # noqa: ASYNC110  # as little machinery in the server as can be
        await asyncio.sleep(0.001)
    assert server.most_at_once == 1
    assert outage.waiting >= 8
    server.error = None
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
    assert outage.reason is None


async def test_the_first_asks_at_once(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_module, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(outage_module, "LONGEST_PAUSE_S", 60.0)
    server = Server()
    await begin(outage, server)
    server.error = None
    async with asyncio.timeout(5):
        await knock(outage, server.request)
    assert outage.lasting is None


async def test_asking_becomes_rarer(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_module, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(outage_module, "LONGEST_PAUSE_S", 60.0)
    server = Server()
    await begin(outage, server)
    task = asyncio.create_task(until_through(outage, server.request))
    await asyncio.sleep(0.5)
    task.cancel()
    assert 3 <= server.asked <= 7, "pauses of 10 to 20 ms at first, twice as long each time"


async def test_one_that_is_alone_in_its_trouble_lets_the_others_through(outage: Outage) -> None:
    strange, well = Server(), Server()
    well.error = None
    await begin(outage, strange)
    task = asyncio.create_task(until_through(outage, strange.request))
    async with asyncio.timeout(5):
        await asyncio.gather(*(until_through(outage, well.request) for _ in range(10)))
    task.cancel()
    assert well.asked == 10


@pytest.mark.parametrize("error", [Transient("not this one"), Invalid("nor that")])
async def test_an_answer_about_the_message_ends_the_outage(outage: Outage, error: Exception) -> None:
    server = Server()
    await begin(outage, server)
    server.error = error
    with pytest.raises(type(error)):
        await knock(outage, server.request)
    assert outage.reason is None


async def test_silence_does_not_end_it_and_is_not_held_against_the_message_that_asked(outage: Outage) -> None:
    server = Server()
    await begin(outage, server)
    server.error = TookTooLong("not done within 90 s")
    with pytest.raises(Unavailable):
        await knock(outage, server.request)
    assert outage.lasting == "not done within 90 s"


async def test_while_all_is_well_silence_is_the_messages_own_fault(outage: Outage) -> None:
    server = Server()
    server.error = TookTooLong("not done within 90 s")
    with pytest.raises(TookTooLong):
        await knock(outage, server.request)
    assert outage.reason is None


async def test_what_began_before_the_outage_does_not_end_it(outage: Outage) -> None:
    release = asyncio.Event()

    async def early() -> None:
        await release.wait()

    task = asyncio.create_task(knock(outage, early))
    await asyncio.sleep(0)
    await begin(outage, Server())
    release.set()
    await task
    assert outage.reason == "the model server is away"


async def test_who_waits_is_put_back_when_the_worker_stops(outage: Outage, closing: asyncio.Event) -> None:
    server = Server()
    await begin(outage, server)
    with pytest.raises(Unavailable):
        await knock(outage, server.request)  # the first asks at once, the next has to wait
    tasks = [asyncio.create_task(knock(outage, server.request)) for _ in range(3)]
    await asyncio.sleep(0)
    closing.set()
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [PutBack] * 3


async def test_an_outage_is_told_once_and_its_end_too(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    await begin(outage, server)
    task = asyncio.create_task(until_through(outage, server.request))
    while server.asked < 10:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    server.error = None
    await task
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 2
    assert "the model server is away" in told[0]
    assert "is back" in told[1]


async def test_a_single_refused_request_is_not_told(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    await begin(outage, server)
    server.error = None
    await knock(outage, server.request)
    assert caplog.records == []


async def test_a_part_that_says_when_to_come_back_is_not_asked_sooner(outage: Outage) -> None:
    server = Server()
    server.error = Unavailable("full", retry_after_s=0.3)
    with pytest.raises(Unavailable):
        await outage.passage(server.request)
    server.error = None
    again = asyncio.create_task(outage.passage(server.request))
    await asyncio.sleep(0.1)
    assert server.asked == 1
    await asyncio.wait_for(again, 5)
    assert server.asked == 2


async def test_nobody_is_waited_for_longer_than_a_minute_at_a_part_s_wish(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_module, "LONGEST_WISH_S", 0.05)
    server = Server()
    server.error = Unavailable("full", retry_after_s=1e9)
    with pytest.raises(Unavailable):
        await outage.passage(server.request)
    server.error = None
    await asyncio.wait_for(outage.passage(server.request), 5)
    assert server.asked == 2
