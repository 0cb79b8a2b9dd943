"""The streams: Faust, read with care. At-least-once on top of a framework that by itself is less than that.

What Faust 0.15 does, and what is done about it here:

- it acknowledges in `finally`, so an exception loses the message     → `noack()`; acknowledged after the last send
- it commits past a message that is still in hand                     → `SafeConsumer._new_offset`: the commit floor
- `await topic.send()` only buffers, and a failed flush is swallowed  → `sending`: a second await for the broker's word
- an undecodable value is acknowledged before anybody sees it         → raw bytes in, decoded in the window
- a header name that is not UTF-8 breaks its consumer, again and again → `header_names`
- its driver never asks aiokafka for errors: a consumer dies silently → `SafeThread`, and a watchdog
- it leaves the group when idle or full (`max_poll_interval`)         → set to a year
- it sleeps for a second when its queue is full                       → `SafeConsumer._wait_next_records`
- on a rebalance it drops acknowledgements before it commits them     → `SafeConsumer.on_partitions_revoked`
- a producer that has lost its place stays broken (aiokafka #1017)    → `sending`: a failed send is fatal

Anything unexpected ends the process with nothing acknowledged (status 70, or 71 for a stall, 65 for too many dead
letters): a supervisor starts it again, and what was in hand comes again. The guide is docs/streams.md. Private names of
Faust are used; `tests/stream/test_faust_contract.py` holds them.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, cast
from weakref import WeakSet

import faust
import faust.transport.drivers.aiokafka as driver
from faust.types import TP, Message
from faust.types.auth import CredentialsT
from mode import Service

from infra.groups import has_room
from infra.kafka import BATCH_OVERHEAD_BYTES, DEAD_LETTER_ROOM_BYTES, create_topics, lags
from infra.kafka_access import addresses, ssl_context
from infra.settings import Settings
from schemas.errors import Transient
from schemas.topics import MAX_MESSAGE_BYTES
from workers import watchdog
from workers.chatter import keep_readable
from workers.compacted import watch_compacted
from workers.dead_letter_limit import DeadLetterLimit, TooManyDeadLetters
from workers.dead_letters import Delivery
from workers.ending import background, die, leave, refuse, unless
from workers.header_names import read_any_header_name
from workers.lag_meter import LagMeter
from workers.membership import claim_slot, instance_id
from workers.pulse import Pulse
from workers.sending import ASK_AGAIN_S, SEND_TIMEOUT_S, SafeProducer, Streams, until_reached
from workers.window import Handler, Lane, Outlet, PutBack, Window

__all__ = ["Handler", "Lane", "Outlet", "background", "run", "watch_compacted"]

REBALANCE_TIMEOUT_S = 60.0
DRAIN_S = 20.0
"""Longest wait for handlers at work when partitions move or the worker stops; must lie below the rebalance timeout."""
STOP_S = 30.0
"""A stop that takes longer (the broker is away, a handler hangs) is cut short; what was in hand comes again."""
HEAR_S = 1.0
"""So often the group's coordinator is asked for errors."""
A_YEAR_S = 31_536_000.0
log = logging.getLogger(__name__)


class SafeThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread, listening to what the group coordinator has to say."""

    logger = driver.logger

    reached = False
    """Has the broker answered? Before that nobody can be a member of anything."""

    async def on_start(self) -> None:
        await until_reached(super().on_start, lambda: self._consumer)
        self.reached = True

    @Service.task
    async def _hear_the_coordinator(self) -> None:
        # a worker that may not join has nothing to fetch, and would never ask
        while not self.should_stop:
            await self.sleep(HEAR_S)
            if self.reached:
                cast(Any, self._consumer)._coordinator.check_errors()

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        # aiokafka parks its coordination task until somebody collects the error; unasked, the consumer is dead for good
        consumer._coordinator.check_errors()
        return await super()._fetch_records(consumer, active_partitions, timeout=timeout, max_records=max_records)


class SafeConsumer(driver.Consumer):
    """Never commits past a message in hand, and never counts an acknowledgement from before a rebalance."""

    logger = driver.logger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stale: WeakSet[Message] = WeakSet()
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> SafeThread:
        return SafeThread(self, loop=self.loop, beacon=self.beacon)

    def _new_offset(self, tp: TP) -> int | None:
        in_hand = [message.offset for message in list(self._unacked_messages) if message.tp == tp and not message.acked]
        if not in_hand:
            return super()._new_offset(tp)
        acked, floor = self._acked[tp], min(in_hand)
        held = [offset for offset in acked if offset >= floor]
        acked[:] = [offset for offset in acked if offset < floor]
        try:
            return super()._new_offset(tp)
        finally:
            acked.extend(held)

    def ack(self, message: Message) -> bool:
        if message in self._stale:  # it will come again, to us or to somebody else
            message.acked = True
            return False
        return super().ack(message)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # Faust forgets the acknowledgements of these partitions first and commits then: let handlers finish and commit
        # while they still count
        self.stop_flow()
        self.app.flow_control.suspend()
        await self.wait_empty()
        self._stale.update(self._unacked_messages)
        self._unacked_messages.clear()
        await super().on_partitions_revoked(revoked)

    def on_buffer_drop(self, tp: TP) -> None:
        super().on_buffer_drop(tp)
        self._room.set()

    async def _wait_next_records(self, timeout: float) -> Any:
        # When all partitions have enough waiting, Faust sleeps for a second. The window has long emptied its queue by
        # then, and meanwhile enough has arrived to fill it at once: a worker that is well under its limit would stand
        # still every other second.
        if self.flow_active and self._buffered_partitions and not self._get_active_partitions():
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), timeout)
        return await super()._wait_next_records(timeout)

    async def wait_first(self, *waits: Any, timeout: Any = None) -> Any:
        # For each message Faust makes four tasks: one hands it over, three notice that nobody wants it any more. As a
        # rule there is room and handing over does not wait: then no task is needed.
        if timeout is None and len(waits) == 2 and all(asyncio.iscoroutine(wait) for wait in waits):
            handing_over, no_longer_wanted = waits
            try:
                waits = (_Begun(handing_over, handing_over.send(None)), no_longer_wanted)
            except BaseException as end:
                no_longer_wanted.close()
                if isinstance(end, StopIteration):
                    return None
                raise
        return await super().wait_first(*waits, timeout=timeout)

    async def wait_empty(self) -> None:
        # Faust waits for every message without end; one that waits for a model server that is down would hold up the
        # whole group. What is not finished in time keeps the commit floor down and comes again.
        if not await cast(SafeTransport, self.transport).window.calm(DRAIN_S):
            log.warning("handlers are still at work after %g s; their messages will come again", DRAIN_S)
        await self.commit_and_end_transactions()


class _Begun:
    """Awaits a coroutine that has already been driven up to its first wait."""

    def __init__(self, coroutine: Any, pending: Any) -> None:
        self._coroutine = coroutine
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, Any]:
        pending = self._pending
        try:
            while True:
                try:
                    result = yield pending
                except BaseException as error:
                    pending = self._coroutine.throw(error)
                else:
                    pending = self._coroutine.send(result)
        except StopIteration as done:
            return done.value


class SafeTransport(driver.Transport):
    """Faust's Kafka driver with the three classes above in place of its own."""

    Consumer = SafeConsumer
    Producer = SafeProducer
    window: Window


def build_app(name: str, settings: Settings, window: Window, instance: str) -> faust.App:
    """A Faust application with everything unsafe replaced or switched off. Connects to nothing yet."""
    app = faust.App(
        window.group,
        broker=[f"kafka://{address}" for address in addresses(settings)],
        broker_credentials=_credentials(settings),
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        datadir=str(settings.home / "run" / f"faust-{name}"),
        web_enabled=False,
        processing_guarantee="at_least_once",  # exactly_once is broken upstream; ids are deterministic instead
        stream_buffer_maxsize=max(64, 2 * window.size),
        broker_commit_interval=1.0,
        broker_commit_every=100,
        broker_max_poll_interval=A_YEAR_S,  # else a full or idle worker leaves the group and never returns
        broker_session_timeout=30.0,
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_request_timeout=REBALANCE_TIMEOUT_S + 30.0,  # joining a group waits for the slowest member
        producer_acks=-1,
        producer_request_timeout=SEND_TIMEOUT_S,
        producer_max_request_size=MAX_MESSAGE_BYTES + BATCH_OVERHEAD_BYTES + DEAD_LETTER_ROOM_BYTES,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,  # or Faust's own assignor takes over
    )
    transport = SafeTransport(app.conf.broker_consumer, app)
    transport.window = window
    app.transport = transport
    app.producer_transport = SafeTransport(app.conf.broker_producer, app)
    return app


def _credentials(settings: Settings) -> CredentialsT | None:
    """TLS and password as Faust wants them, None in the clear."""
    context = ssl_context(settings)
    if settings.kafka_security.sasl:
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password.get_secret_value(),
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism.value,
        )
    return faust.SSLCredentials(context) if context else None


def add_lane(app: faust.App, lane: Lane, window: Window, streams: Streams) -> None:
    """Read the lane's topic through the window."""
    source = app.topic(lane.topic.name, key_serializer="raw", value_serializer="raw", value_type=bytes)
    tasks: set[asyncio.Task[None]] = set()
    parked: list[Any] = []  # put back when stopping: the references keep the commit floor below these messages

    async def settle(stream: Any, event: Any) -> None:
        message = event.message
        try:
            await window.process(lane, _delivery(message), streams)
            await stream.ack(event)
        except PutBack:
            parked.append(message)
        except TooManyDeadLetters as error:
            refuse(str(error))
        except asyncio.CancelledError:
            if not app.should_stop:
                die(f"the handler of {lane.topic.name} was cancelled from inside")
            raise
        except Exception:  # the only place where everything is caught: loud, and with nothing acknowledged
            die(f"a message of {lane.topic.name} met a defect at partition {message.partition} offset {message.offset}")
        finally:
            window.gate.release()

    async def read(stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                await window.gate.acquire()
                task = asyncio.create_task(settle(stream, event))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except Exception:  # Faust would restart the agent and go on behind the message that was lost
            die(f"reading {lane.topic.name} failed")

    app.agent(source, name=f"{window.group}.{lane.topic.name}", concurrency=1)(read)


def run(
    name: str,
    settings: Settings,
    lanes: Sequence[Lane],
    *,
    on_start: Callable[[], Awaitable[None]] | None = None,
    on_stop: Callable[[], Awaitable[None]] | None = None,
    ready: Callable[[], str | None] | None = None,
) -> None:
    """Be the worker `name` until SIGTERM or SIGINT, then return: what handlers hold is finished, the rest comes again.

    Waits for the broker as long as it takes. `on_start` runs in the same event loop before the first message,
    `on_stop` after the last; `ready` is the worker's own reason for not being ready, asked from another thread. The
    consumer group is `copydesk.<name>`. Ends the process with status 70 at a defect, 71 when it has stalled and 65 when
    it would bury too much. Raises `Invalid` if the metrics port is taken.
    """
    keep_readable()
    read_any_header_name()
    asyncio.run(_work(name, settings, lanes, on_start, on_stop, ready))


async def _work(
    name: str,
    settings: Settings,
    lanes: Sequence[Lane],
    on_start: Callable[[], Awaitable[None]] | None,
    on_stop: Callable[[], Awaitable[None]] | None,
    ready: Callable[[], str | None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    window = Window(
        group=f"copydesk.{name}",
        size=settings.window,
        max_attempts=settings.max_attempts,
        try_limit_s=settings.handler_timeout_s,
        limit=DeadLetterLimit(share=settings.dead_letter_share, least=settings.dead_letter_least),
    )
    slot = claim_slot(settings.home, name)
    app = build_app(name, settings, window, instance_id(name, settings.home, slot.number))
    for lane in lanes:
        add_lane(app, lane, window, Streams(app, name))
    pulse = Pulse(window, _Membership(cast(SafeConsumer, app.consumer)), ready)
    pulse.beat()
    pulse.show(settings.metrics_port, settings.metrics_host)
    await unless(stop, _broker_ready(settings))
    pulse.phase = "starting"
    if on_start is not None:
        await unless(stop, on_start())
    _watch(pulse, settings, lanes)
    await unless(stop, app.start())
    pulse.phase = None
    log.info("%s reads %s", name, ", ".join(lane.topic.name for lane in lanes))
    await asyncio.wait(
        {asyncio.ensure_future(stop.wait()), asyncio.ensure_future(app.wait_until_stopped())},
        return_when=asyncio.FIRST_COMPLETED,
    )
    if not stop.is_set():
        die(f"Faust stopped by itself: {app.crash_reason!r}")
    log.info("%s stops", name)
    pulse.phase = "stopping"
    loop.call_later(STOP_S, leave, "stopping took too long")
    window.close()
    await app.stop()
    if on_stop is not None:
        await on_stop()
    slot.file.close()


async def _broker_ready(settings: Settings) -> None:
    while True:
        try:
            return await asyncio.to_thread(create_topics, settings)
        except Transient as error:  # it has waited, too; what lasts is not mended within a second
            log.warning("waiting for the broker at %s: %s", settings.bootstrap, error)
            await asyncio.sleep(5 * ASK_AGAIN_S)


class _Membership:
    """What the consumer's thread knows (`workers.pulse.Membership`); read from other threads."""

    def __init__(self, consumer: SafeConsumer) -> None:
        self._consumer = consumer

    def joined(self) -> bool:
        thread = cast(SafeThread, self._consumer._thread)
        # waiting for a broker is no fault of a member
        return not thread.reached or cast(Any, thread._consumer)._coordinator.generation > 0

    def assigned(self) -> frozenset[tuple[str, int]]:
        member = self._consumer._thread._consumer
        return frozenset((tp.topic, tp.partition) for tp in member.assignment()) if member else frozenset()

    def committed(self) -> int:
        return sum(offset or 0 for offset in list(self._consumer._committed_offset.values()))


def _watch(pulse: Pulse, settings: Settings, lanes: Sequence[Lane]) -> None:
    group, topics = pulse.window.group, [lane.topic for lane in lanes]

    def partition_is_free() -> bool:
        try:
            return has_room(settings, group, topics)
        except Transient:
            return False

    meter = LagMeter(lambda: {(at.topic, at.partition): behind for at, behind in lags(settings, group, topics).items()})
    meter.start()
    watchdog.start(pulse.vitals, meter.of, partition_is_free, watchdog.Limits(try_s=settings.handler_timeout_s))


def _delivery(message: Any) -> Delivery:
    return Delivery(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=int((message.timestamp or 0) * 1000),
        key=message.key,
        value=message.value,
        headers=tuple(message.headers or ()),
    )
