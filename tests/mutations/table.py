"""Every protection of the streams, how to take it away, and the tests that should notice.

An old text stands exactly once in its file and is as short as can be, so that it survives a change beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

STREAM = "workers/stream.py"
SENDING = "workers/sending.py"
WINDOW = "workers/window.py"
ORDER = "workers/order.py"
OUTAGE = "workers/outage.py"
LETTERS = "workers/dead_letters.py"
WATCHDOG = "workers/watchdog.py"
ENDING = "workers/ending.py"
REBUILD = "workers/archivist/rebuild.py"
DATABASE = "infra/database.py"
KAFKA = "infra/kafka.py"

FLOOR_TESTS = "tests/stream/test_commit_floor.py"
REBALANCE_TESTS = "tests/stream/test_rebalance.py"
STOP_TESTS = "tests/stream/test_stop.py"
DEFECT_TESTS = "tests/stream/test_defects.py"
SEND_TESTS = "tests/stream/test_sends.py"
HANDING_TESTS = "tests/stream/test_handing_over.py"
START_TESTS = "tests/stream/test_start.py"
CONTRACT_TESTS = "tests/stream/test_faust_contract.py"
WINDOW_TESTS = "tests/unit/workers/test_window.py"
ORDER_TESTS = "tests/unit/workers/test_order.py"
OUTAGE_TESTS = "tests/unit/workers/test_outage.py"
LETTER_TESTS = "tests/unit/workers/test_dead_letters.py"
REPLAY_TESTS = "tests/unit/copydesk/test_letters.py"
LIMIT_TESTS = "tests/unit/workers/test_dead_letter_limit.py"
WATCHDOG_TESTS = "tests/unit/workers/test_watchdog.py"
STALL_TESTS = "tests/unit/workers/test_stalled_process.py"
PULSE_TESTS = "tests/unit/workers/test_pulse.py"
MEMBER_TESTS = "tests/unit/workers/test_membership.py"
ENDING_TESTS = "tests/unit/workers/test_ending.py"
CONTENT_TESTS = "tests/unit/workers/test_archivist.py"
REBUILD_TESTS = "tests/unit/workers/test_rebuild.py"
DATABASE_TESTS = "tests/unit/infra/test_database.py"
DESK_TESTS = "tests/unit/desk/test_queue.py"
RIGHTS_TESTS = "tests/integration/infra/test_rights.py"
PRODUCER_TESTS = "tests/integration/workers/test_producers_on_kafka.py"  # from here on with a broker or a server
STUCK_TESTS = "tests/integration/workers/test_stuck_worker.py"
KAFKA_TESTS = "tests/integration/workers/test_stream_on_kafka.py"
SCRAPER_TESTS = "tests/integration/press/test_scraper.py"

LIMIT_S = 30.0
WITH_BROKER_S = 60.0


@dataclass(frozen=True)
class Mutation:
    """One protection taken away. `limit_s` is for each test: what hangs has failed."""

    name: str
    takes_away: str
    file: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]
    limit_s: float


def without(
    takes_away: str,
    name: str,
    file: str,
    old: str,
    new: str,
    *tests: str,
    also: tuple[tuple[str, str], ...] = (),
    limit_s: float = LIMIT_S,
) -> Mutation:
    """`file` with `new` where `old` stands; `also` are further such edits."""
    live = any(test.startswith("tests/integration/") for test in tests)
    return Mutation(name, takes_away, file, ((old, new), *also), tests, WITH_BROKER_S if live else limit_s)


ACKNOWLEDGEMENT = (
    without(
        *("`noack()`: Faust acknowledges in its own `finally`", "faust-acknowledges", STREAM),
        *("stream.noack().events()", "stream.events()"),
        FLOOR_TESTS,
    ),
    without(
        *("acknowledging only what was seen through: it moves into `finally`", "ack-in-finally", STREAM),
        *(
            "            window.gate.release()",
            "            window.gate.release()\n            await stream.ack(event)",
        ),
        *(STOP_TESTS, FLOOR_TESTS),
        also=(("            await stream.ack(event)\n        except PutBack", "        except PutBack"),),
    ),
    without(
        *("the order: first the output, then the acknowledgement of the input", "ack-before-the-send", STREAM),
        *(
            "            await window.process(",
            "            await stream.ack(event)\n            await window.process(",
        ),
        FLOOR_TESTS,
    ),
    without(
        "decoding inside the window: what cannot be decoded is acknowledged and skipped where it is read",
        *("decode-outside-the-handler", STREAM),
        "                await window.gate.acquire()\n",
        """                try:
                    decode(event.message.value, tuple(event.message.headers))
                except Invalid:
                    await stream.ack(event)
                    continue
                await window.gate.acquire()
""",
        FLOOR_TESTS,
        also=(
            (
                "from schemas.errors import Transient",
                "from schemas.envelope import decode\nfrom schemas.errors import Invalid, Transient",
            ),
        ),
    ),
    without(
        *("raw bytes in: Faust decodes, and acknowledges what it cannot decode", "faust-decodes", STREAM),
        *('value_serializer="raw", value_type=bytes)', 'value_serializer="json")'),
        FLOOR_TESTS,
    ),
    without(
        *("the end of the process at a defect: it is logged and work goes on", "exception-swallowed", STREAM),
        *('            die(f"a message of', '            log.error(f"a message of'),
        DEFECT_TESTS,
    ),
    without(
        *("the end of the process when a handler is cancelled from inside", "cancellation-swallowed", STREAM),
        *("            if not app.should_stop:\n", "            if False:\n"),
        DEFECT_TESTS,
    ),
    without(
        "the end of the process when reading fails: Faust goes on behind the lost message",
        *("reading-goes-on", STREAM),
        *('            die(f"reading', '            log.error(f"reading'),
        DEFECT_TESTS,
    ),
    without(
        *("what is put back at a stop stays unacknowledged", "put-back-acknowledged", STREAM),
        *("            parked.append(message)", "            await stream.ack(event)"),
        STOP_TESTS,
    ),
    without(
        *("the reference that keeps the commit floor below what was put back", "put-back-forgotten", STREAM),
        *("            parked.append(message)", "            pass"),
        STOP_TESTS,
    ),
)

COMMITS = (
    without(
        *("the commit floor: never commit past a message in hand", "commit-floor", STREAM),
        *("        if not in_hand:", "        if True:"),
        FLOOR_TESTS,
    ),
    without(
        *("deafness to acknowledgements from before a rebalance", "stale-acknowledgements", STREAM),
        *("        if message in self._stale:", "        if False:"),
        REBALANCE_TESTS,
    ),
    without(
        *("what is in hand when partitions move is stale from then on", "revoked-are-not-stale", STREAM),
        *("        self._stale.update(self._unacked_messages)\n", ""),
        REBALANCE_TESTS,
    ),
    without(
        "what is in hand when partitions move does not hold up later commits",
        *("revoked-hold-the-floor", STREAM),
        *("        self._unacked_messages.clear()\n", ""),
        REBALANCE_TESTS,
    ),
    without(
        "the commit before Faust forgets the acknowledgements of partitions that move",
        *("forgets-before-it-commits", STREAM),
        *("        await self.wait_empty()\n", ""),
        REBALANCE_TESTS,
    ),
    without(
        *("the wait for handlers at work at a stop or a rebalance", "stop-does-not-wait", STREAM),
        *(".calm(DRAIN_S)", ".calm(0)"),
        *(FLOOR_TESTS, REBALANCE_TESTS),
    ),
    without(
        "a limit to that wait: Faust waits for messages that wait for a server that is down",
        *("stop-waits-without-end", STREAM),
        *("    async def wait_empty(self) -> None:", "    async def drained(self) -> None:"),
        *(REBALANCE_TESTS, STOP_TESTS),
        limit_s=10,
    ),
    without(
        *("the window: any number of messages in hand", "window-gate", STREAM),
        *("                await window.gate.acquire()\n", ""),
        f"{FLOOR_TESTS}::test_no_more_messages_are_in_hand_than_the_window_takes",
    ),
)

SENDS = (
    without(
        *("the second await of a send: the broker's word", "single-await-send", SENDING),
        *("                await acknowledged\n", "                assert acknowledged is not None\n"),
        SEND_TESTS,
    ),
    without(
        *("the time limit of a send", "waits-for-the-broker-without-end", SENDING),
        *("async with asyncio.timeout(SEND_TIMEOUT_S)", "async with asyncio.timeout(None)"),
        SEND_TESTS,
        limit_s=10,
    ),
    without(
        "the end of a process whose producer may be broken for good",
        *("refused-send-is-tried-again", SENDING),
        *("class NotAcknowledged(Exception)", "class NotAcknowledged(Transient)"),
        SEND_TESTS,
        also=(("from schemas.errors import Invalid", "from schemas.errors import Invalid, Transient"),),
    ),
    without(
        "the size limit before a send: too large is the event's fault, not the world's",
        *("too-large-is-sent", SENDING),
        *("        if len(message.value) > MAX_MESSAGE_BYTES:", "        if False:"),
        SEND_TESTS,
        limit_s=10,
    ),
    without(
        *("the word of all in-sync replicas", "producer-asks-one-replica", SENDING),
        *('"acks": "all", "enable_idempotence": True', '"acks": 1, "enable_idempotence": False'),
        CONTRACT_TESTS,
    ),
    without(
        *("the streams' idempotent producer", "producer-not-idempotent", SENDING),
        *('"enable_idempotence": True', '"enable_idempotence": False'),
        PRODUCER_TESTS,
    ),
    without(
        *("the same of scraper, desk and retrainer", "other-producer-not-idempotent", KAFKA),
        *("enable_idempotence=True", "enable_idempotence=False"),
        PRODUCER_TESTS,
    ),
    without(
        "the word of all in-sync replicas for scraper, desk and retrainer",
        *("other-producer-asks-one-replica", KAFKA),
        *('acks="all"', "acks=1"),
        PRODUCER_TESTS,
    ),
    without(
        *(
            "asking for each message's fate outside the streams: a flush says nothing",
            "flush-is-taken-for-proof",
            KAFKA,
        ),
        *("            future.get(timeout=", "            max(0.0,"),
        "tests/unit/infra/test_send_acked.py",
    ),
)

DEAD_LETTERS = (
    without(
        "the broker's word for a dead letter before its message is acknowledged",
        *("letter-not-awaited", WINDOW),
        *("        await sender.send_raw(lane", "        coroutine = sender.send_raw(lane"),
        WINDOW_TESTS,
        also=(
            (
                '        reason = "invalid" if',
                '        asyncio.ensure_future(coroutine)\n        reason = "invalid" if',
            ),
        ),
    ),
    without(
        *("the dead letter itself", "letter-not-sent", WINDOW),
        "        await sender.send_raw(lane.topic.dead_letters, ",
        "        isinstance(lane.topic.dead_letters, object) or (",
        WINDOW_TESTS,
    ),
    without(
        *("the original headers of a dead letter", "letter-loses-headers", LETTERS),
        *("return without_reasons(delivery.headers) + spring", "return spring"),
        LETTER_TESTS,
    ),
    without(
        *("one set of reasons in a letter that was sent back whole", "letter-keeps-old-reasons", LETTERS),
        *("return without_reasons(delivery.headers)", "return delivery.headers"),
        REPLAY_TESTS,
    ),
    without(
        *("the mark on a dead letter that was put back", "replay-leaves-no-mark", "copydesk/letters.py"),
        *("letter.headers + mark)", "letter.headers)"),
        REPLAY_TESTS,
    ),
    without(
        *("letters that fit: what is too large to be sent on stays where it lies", "letter-too-large-to-send", WINDOW),
        *("letter = cut_to_fit(delivery)", "letter = delivery"),
        "tests/stream/test_fuzz.py::test_what_is_too_much_is_buried_in_a_letter_that_can_be_sent",
    ),
    without(
        *("the check that an event belongs on its topic", "other-events-pass", WINDOW),
        *("    if not isinstance(envelope.event, lane.topic.event):", "    if False:"),
        WINDOW_TESTS,
    ),
    without(
        "the limit: a worker that would bury a large share of its traffic stops instead",
        *("no-dead-letter-limit", WINDOW),
        *("        self._limit.check(delivery.topic, error)\n", ""),
        WINDOW_TESTS,
    ),
    without(
        *("good traffic counts towards the limit", "limit-forgets-the-good", WINDOW),
        *("                self._limit.note(delivery.topic, dead=False)\n", ""),
        WINDOW_TESTS,
    ),
    without(
        *("the limit looks at recent traffic only", "limit-never-forgets", "workers/dead_letter_limit.py"),
        *("if len(recent) > RECENT:", "if False:"),
        LIMIT_TESTS,
    ),
    without(
        *("the exit status that keeps a supervisor from burying on and on", "limit-is-any-defect", STREAM),
        *("        except TooManyDeadLetters as error:", "        except ZeroDivisionError as error:"),
        DEFECT_TESTS,
    ),
)

TRIES = (
    without(
        *("the end of patience with transient trouble", "transient-never-buried", WINDOW),
        *("or attempts >= self.max_attempts:", "or False:"),
        WINDOW_TESTS,
    ),
    without(
        *("patience with transient trouble", "transient-buried-at-once", WINDOW),
        *("or attempts >= self.max_attempts:", "or True:"),
        WINDOW_TESTS,
    ),
    without(
        *("the verdict Invalid: no second try", "invalid-tried-again", WINDOW),
        *("if isinstance(error, Invalid) or attempts", "if attempts"),
        WINDOW_TESTS,
    ),
    without(
        "the verdict Unavailable: no message is to blame for a server that is down",
        *("unavailable-is-an-attempt", WINDOW),
        *("            except Unavailable:\n", "            except ZeroDivisionError:\n"),
        WINDOW_TESTS,
    ),
    without(
        *("the spread of pauses: a crowd comes back in step", "no-jitter", OUTAGE),
        *(" * (0.5 + draw / 2)", ""),
        WINDOW_TESTS,
    ),
    without(
        *("the longest pause", "no-cap", OUTAGE),
        *("min(LONGEST_PAUSE_S, FIRST", "max(0.0, FIRST"),
        WINDOW_TESTS,
    ),
    without(
        *("the doubling of pauses", "no-back-off", OUTAGE),
        *("2.0 ** min(tries - 1, 16)", "1.0"),
        WINDOW_TESTS,
    ),
    without(
        *("the time limit of a try", "no-try-limit", WINDOW),
        *("asyncio.timeout(self.try_limit_s)", "asyncio.timeout(None)"),
        WINDOW_TESTS,
        limit_s=10,
    ),
    without(
        *("the difference between our clock and a defect that looks like it", "any-clock-is-ours", WINDOW),
        *("                if not limit.expired():", "                if False:"),
        WINDOW_TESTS,
    ),
    without(
        *("a stop that does not wait for messages between two tries", "rest-outlives-the-stop", WINDOW),
        *("await asyncio.wait_for(self._closing.wait(), seconds)", "await asyncio.sleep(seconds)"),
        STOP_TESTS,
    ),
    without(
        *("no new try once the worker stops", "tries-after-the-stop", WINDOW),
        *("        if window._closing.is_set():\n            raise PutBack\n", ""),
        *(WINDOW_TESTS, STOP_TESTS),
    ),
)

ORDER_AND_OUTAGE = (
    without(
        *("order by key where a topic asks for it", "no-order", WINDOW),
        *("lane.topic.ordered and delivery.key is not None", "False"),
        WINDOW_TESTS,
    ),
    without(
        *("the wait for the message before with the same key", "nobody-waits-for-the-one-before", ORDER),
        *("            await before._over.wait()\n", ""),
        ORDER_TESTS,
        also=(("            if not before._settled:", "            if False:"),),
    ),
    without(
        *("order behind a message that was put back", "overtakes-what-was-put-back", ORDER),
        *("            if not before._settled:", "            if False:"),
        ORDER_TESTS,
    ),
    without(
        *("forgetting keys that nobody holds", "keys-are-never-forgotten", ORDER),
        *("        if self._last.get(self._place) is self:", "        if False:"),
        ORDER_TESTS,
    ),
    without(
        *("the pause of the whole window while a part is away", "all-ask-at-once", OUTAGE),
        *("self.reason is not None and await self._is_my_turn()", "False"),
        OUTAGE_TESTS,
    ),
    without(
        *("pauses between the questions whether a part is back", "asks-without-pause", OUTAGE),
        *("self._last_asked + pause(self._asked, random.random())", "self._last_asked"),
        OUTAGE_TESTS,
    ),
    without(
        *("what began before an outage does not end it", "yesterdays-answer", OUTAGE),
        *("            return  # begun before", "            pass  # begun before"),
        OUTAGE_TESTS,
    ),
    without(
        "a message that asks whether a part is back is not to blame for silence",
        *("silence-is-held-against-who-asks", OUTAGE),
        *("            raise Unavailable(str(error)) from error", "            raise"),
        OUTAGE_TESTS,
    ),
    without(
        *("a stop that does not wait for a part that is away", "outage-outlives-the-stop", OUTAGE),
        *("asyncio.wait_for(self._closing.wait(), ready", "asyncio.sleep(ready"),
        STOP_TESTS,
    ),
    without(
        *("what nobody can read does not wait for a part that is away", "poison-waits-for-the-server", WINDOW),
        "with _Working(self):\n                await self._bury(",
        "if await self.outage.passage(lambda: asyncio.sleep(0)) is None:\n                await self._bury(",
        STOP_TESTS,
        limit_s=10,
    ),
)

GROUP = (
    without(
        "asking the coordinator for errors: unasked, the consumer is dead and silent",
        *("coordinator-not-asked", STREAM),
        *("        consumer._coordinator.check_errors()\n", ""),
        "tests/stream/test_consumer_errors.py",
    ),
    without(
        "asking it before there is anything to fetch: a worker that may not join would wait in silence",
        *("coordinator-not-asked-at-the-start", STREAM),
        *("            if self.reached:\n", "            if False:\n"),
        f"{RIGHTS_TESTS}::test_a_worker_without_one_of_its_rights_ends_and_names_what_it_may_not",
    ),
    without(
        *("our consumer thread", "faust-thread", STREAM),
        *("return SafeThread(self", "return driver.AIOKafkaConsumerThread(self"),
        CONTRACT_TESTS,
    ),
    without(
        *("a poll interval that a full or idle worker does not outlast", "poll-interval", STREAM),
        *("        broker_max_poll_interval=A_YEAR_S,", "        # "),
        CONTRACT_TESTS,
    ),
    without(
        *("the client's own assignor in place of Faust's", "faust-assignor", STREAM),
        *("        table_standby_replicas=0,", "        # "),
        CONTRACT_TESTS,
    ),
    without(
        *("topics only from our registry: Faust declares them as it likes", "faust-declares-topics", STREAM),
        *("topic_allow_declare=False", "topic_allow_declare=True"),
        CONTRACT_TESTS,
    ),
    without(
        *("a new group begins at the beginning", "starts-at-the-end", STREAM),
        *('consumer_auto_offset_reset="earliest"', 'consumer_auto_offset_reset="latest"'),
        CONTRACT_TESTS,
    ),
    without(
        "requests that outlast a rebalance: joining waits for the slowest member",
        *("request-shorter-than-rebalance", STREAM),
        *("broker_request_timeout=REBALANCE_TIMEOUT_S + 30.0", "broker_request_timeout=REBALANCE_TIMEOUT_S - 20.0"),
        CONTRACT_TESTS,
    ),
    without(
        "what cannot go over at once goes over only as long as it is wanted",
        *("handed-over-though-nobody-wants-it", STREAM),
        "waits = (_Begun(handing_over, handing_over.send(None)), no_longer_wanted)",
        "waits = (await _Begun(handing_over, handing_over.send(None)), no_longer_wanted)",
        HANDING_TESTS,
        limit_s=10,
    ),
    without(
        *("handing over without four tasks where there is room", "tasks-for-each-message", STREAM),
        *("if timeout is None and len(waits) == 2 and all(", "if timeout is ... and all("),
        HANDING_TESTS,
    ),
    without(
        *("waking as soon as a full queue has room: Faust sleeps for a second", "sleeps-when-full", STREAM),
        *("if self.flow_active and self._buffered_partitions and", "if False and"),
        HANDING_TESTS,
    ),
    without(
        *("a consumer that waits for a broker which vanishes while it starts", "consumer-gives-up", STREAM),
        *("await until_reached(super().on_start, lambda: self._consumer)", "await super().on_start()"),
        START_TESTS,
    ),
    without(
        *("the same of the producer", "producer-gives-up", SENDING),
        *("await until_reached(super().on_start, lambda: self._producer)", "await super().on_start()"),
        START_TESTS,
    ),
    without(
        "reading a compacted topic again when the connection breaks",
        *("compacted-topic-read-once", "workers/compacted.py"),
        *("        except KafkaError as error:", "        except ZeroDivisionError as error:"),
        f"{KAFKA_TESTS}::test_a_compacted_topic_is_read_again_from_its_beginning_when_reading_breaks",
    ),
    without(
        *("static membership", "no-static-membership", STREAM),
        *("        consumer_group_instance_id=instance,\n", ""),
        CONTRACT_TESTS,
    ),
    without(
        *("the same member after a restart", "member-of-the-moment", "workers/membership.py"),
        *('    return f"{name}-', '    import os\n\n    return f"{os.getpid()}{name}-'),
        MEMBER_TESTS,
    ),
    without(
        *("the lock that gives each process of a worker its own place", "two-with-one-name", "workers/membership.py"),
        *("            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", ""),
        MEMBER_TESTS,
    ),
    without(
        *("reading header names that are not UTF-8", "odd-header-names", "workers/header_names.py"),
        *("            return iter(list(_Spelled(self._piece)))", "            raise"),
        "tests/unit/workers/test_header_names.py",
    ),
    without(
        *("the same, in a worker that runs", "odd-header-names-not-taught", STREAM),
        *("    read_any_header_name()\n", ""),
        f"{KAFKA_TESTS}::test_a_header_name_that_is_not_utf8_does_not_stop_a_worker",
    ),
)

WATCHED = (
    without(
        *("the watch over a silent event loop", "watchdog-loop", WATCHDOG),
        *("if now - vitals.loop_ran > limits.loop_s:", "if False:"),
        WATCHDOG_TESTS,
    ),
    without(
        *("the watch over a handler past every limit", "watchdog-handler", WATCHDOG),
        *("if vitals.oldest_try is not None and", "if False and"),
        WATCHDOG_TESTS,
    ),
    without(
        *("the watch over a worker outside its group", "watchdog-outside-group", WATCHDOG),
        *("if now - self.joined_at > limits.outside_group_s:", "if False:"),
        WATCHDOG_TESTS,
    ),
    without(
        *("the watch over work that is done and not committed", "watchdog-uncommitted", WATCHDOG),
        *("if now - self.settled_at > limits.uncommitted_s:", "if False:"),
        WATCHDOG_TESTS,
    ),
    without(
        *("that watch while some messages wait a little", "watchdog-excuses-any-wait", WATCHDOG),
        *("held_s > self.limits.uncommitted_s / 2", "held_s > 0"),
        WATCHDOG_TESTS,
    ),
    without(
        "forbearance with a message that waits for long and rightly holds the commits of others",
        *("watchdog-blames-those-who-wait", WATCHDOG),
        *("held_s > self.limits.uncommitted_s / 2", "False"),
        WATCHDOG_TESTS,
    ),
    without(
        "the watch over a member that has no partition though there are enough",
        *("watchdog-without-partition", WATCHDOG),
        *("            if partition_is_free():", "            if False:"),
        WATCHDOG_TESTS,
    ),
    without(
        *("forbearance with a member too many", "watchdog-blames-spare-members", WATCHDOG),
        *("            if partition_is_free():", "            if True:"),
        WATCHDOG_TESTS,
    ),
    without(
        *("counting partitions and members right", "always-room", "infra/groups.py"),
        *("< max(partitions.values())", "<= max(partitions.values())"),
        "tests/integration/workers/test_room_in_a_group.py",
    ),
    without(
        *("the watch over lag that nobody works on", "watchdog-idle", WATCHDOG),
        *("if vitals.oldest_in_hand is None and now - self.done_at > limits.idle_s:", "if False:"),
        WATCHDOG_TESTS,
    ),
    without(
        *("forbearance while nobody knows the lag", "watchdog-guesses-the-lag", WATCHDOG),
        *("            return None  # the broker is away", "            lag = 1  # the broker is away"),
        WATCHDOG_TESTS,
    ),
    without(
        *("a lag measured long ago counts as unknown", "stale-lag", "workers/lag_meter.py"),
        *(" or time.monotonic() - self._last[0] > 3 * EVERY_S", ""),
        "tests/unit/workers/test_lag_meter.py",
    ),
    without(
        *("forbearance with a machine that slept", "watchdog-impatient-after-sleep", WATCHDOG),
        *("if vitals.now - self.seen.now > 4 * TICK_S:", "if False:"),
        WATCHDOG_TESTS,
    ),
    without(
        *("the end of a process that has stalled", "watchdog-only-barks", WATCHDOG),
        *("                os._exit(EX_STALLED)\n", "                return\n"),
        STALL_TESTS,
    ),
    without(
        *("the watchdog itself, in a worker that runs", "watchdog-asleep", STREAM),
        *("    watchdog.start(pulse", "    isinstance(pulse"),
        f"{STUCK_TESTS}::test_a_handler_that_nothing_can_interrupt_ends_the_process",
    ),
    without(
        *("the end of a stop that takes too long", "stop-without-end", STREAM),
        *('    loop.call_later(STOP_S, leave, "stopping took too long")\n', ""),
        f"{STUCK_TESTS}::test_a_stop_does_not_wait_for_it_for_ever",
    ),
    without(
        *("honest readiness: not ready without a partition", "ready-without-partition", "workers/pulse.py"),
        *("        if not self.membership.assigned():", "        if False:"),
        PULSE_TESTS,
    ),
    without(
        *("honest readiness: not ready while a part is away", "ready-in-an-outage", "workers/pulse.py"),
        *("        if reason := self.window.outage.lasting:", "        if reason := None:"),
        PULSE_TESTS,
    ),
)

ENDINGS = (
    without(
        *("the end at a defect without goodbyes", "defect-says-goodbye", ENDING),
        *("    os._exit(EX_SOFTWARE)", "    raise SystemExit(EX_SOFTWARE)"),
        ENDING_TESTS,
    ),
    without(
        *("the end of a worker whose background work has failed", "background-dies-alone", ENDING),
        *("    task.add_done_callback(ended)\n", ""),
        ENDING_TESTS,
    ),
    without(
        *("the end of a worker whose Faust has given up: no orderly end", "faust-gives-up-in-order", STREAM),
        *("    if not stop.is_set():\n", "    if False:\n"),
        "tests/integration/workers/test_faust_gives_up.py",
    ),
    without(
        *("a stop that is heard before the first message", "start-not-interrupted", ENDING),
        *("        if not task.done():\n", "        if False:\n"),
        ENDING_TESTS,
    ),
)

FACTS = (
    without(
        *("the same title for the same article, version and prompt", "random-titles", "workers/generator/worker.py"),
        *("title_id=Title.make_id(article.article_id", "title_id=Title.make_id(__import__('uuid').uuid4()"),
        "tests/unit/workers/test_generator.py",
    ),
    without(
        *("event ids that follow from the facts", "random-event-ids", "schemas/events.py"),
        *("        return uuid5(self.title_id, f", "        return __import__('uuid').uuid4() or (f"),
        "tests/unit/schemas/test_golden.py",
    ),
    without(
        *("newest_by: an older event that comes late replaces nothing", "older-row-wins", DATABASE),
        *("where=statement.excluded[newest_by] > table.c[newest_by],", "where=None,"),
        CONTENT_TESTS,
    ),
    without(
        *("of two events equally new the same one holds, in any order", "ties-go-to-the-last", DATABASE),
        *(" and _rank(values) > _rank({**stored})", ""),
        *(CONTENT_TESTS, DATABASE_TESTS),
    ),
    without(
        "the verdict Unavailable for a database that is away, locked or full",
        *("database-away-is-the-events-fault", DATABASE),
        *('raise Unavailable(f"{_place(engine)}', 'raise Invalid(f"{_place(engine)}'),
        *(DATABASE_TESTS, CONTENT_TESTS),
    ),
    without(
        *("the lock that keeps writers out of a rebuild", "rebuild-lets-writers-in", REBUILD),
        *("        _keep_writers_out(session, part)\n", ""),
        REBUILD_TESTS,
    ),
    without(
        *("a rebuild that would lose rows changes nothing", "rebuild-may-shrink", REBUILD),
        *("        if lost and not fewer_rows:", "        if False:"),
        REBUILD_TESTS,
    ),
    without(
        "the mark on an item only after the broker has its article",
        *("scraper-marks-before-the-broker", "workers/scraper/outbox.py"),
        *("            self._send([", "            self._ledger.settle(settled, now)\n            self._send(["),
        f"{SCRAPER_TESTS}::test_nothing_is_marked_before_the_broker_acknowledged_it",
    ),
    without(
        "a champion counts as announced only once the broker has it",
        *("announced-before-the-broker", "workers/retrainer/announce.py"),
        "                send_acked(producer",
        "                registry.mark_announced(move.alias, move.sequence)\n                send_acked(producer",
        "tests/integration/learning/test_announcement.py",
    ),
    without(
        "the curator's answer only after the broker has the verdict",
        *("desk-answers-before-the-broker", "workers/desk/desk.py"),
        "            self._send(messages)",
        "            __import__('threading').Thread(target=self._send, args=(messages,), daemon=True).start()",
        DESK_TESTS,
    ),
    without(
        "what the curator was told is not sent does not go out later from a buffer",
        *("desk-keeps-its-buffer", "workers/desk/post.py"),
        *("            self.close(timeout_s=0)", "            pass"),
        "tests/integration/desk/test_post.py",
    ),
    without(
        *("a verdict counts only once the broker has it", "desk-remembers-before-the-broker", "workers/desk/desk.py"),
        "            self._send(messages)",
        "            self._memory.remember(correction)\n            self._send(messages)",
        DESK_TESTS,
    ),
)

SECTIONS: dict[str, tuple[Mutation, ...]] = {
    "Acknowledgements": ACKNOWLEDGEMENT,
    "Commits, rebalances and stops": COMMITS,
    "Sends": SENDS,
    "Dead letters": DEAD_LETTERS,
    "Tries": TRIES,
    "Order and outages": ORDER_AND_OUTAGE,
    "Being a member of a group": GROUP,
    "The watchdog and readiness": WATCHED,
    "Ends of a process": ENDINGS,
    "Facts and their places": FACTS,
}
MUTATIONS: tuple[Mutation, ...] = tuple(mutation for section in SECTIONS.values() for mutation in section)
