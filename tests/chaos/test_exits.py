"""The judge of ends: what a fault of ours explains, and what is a finding."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.chaos.exits import explain
from tests.chaos.faults import BROKER, DATABASE, KILL, Struck
from tests.chaos.processes import Exit

AWAY = Struck(BROKER, "broker", began=1000.0, over=1010.0)
NOT_ACKNOWLEDGED = "workers.sending.NotAcknowledged: Kafka has not acknowledged a message for titles: no answer"
OUTSIDE = "CRITICAL stalled: not in the consumer group for 185 s; ending"


def ended(folder: Path, status: int, words: str, *, at: float, struck: signal.Signals | None = None) -> Exit:
    log = folder / "worker.log"
    log.write_text(words + "\n")
    return Exit("scorer-1", status, struck, at, log)


@pytest.mark.parametrize(
    ("status", "words", "at", "why"),
    [
        (70, NOT_ACKNOWLEDGED, 1065.0, "the broker was away: not acknowledged"),
        (70, NOT_ACKNOWLEDGED, 990.0, ""),
        (70, NOT_ACKNOWLEDGED, 1400.0, ""),
        (70, "RuntimeError: a bug", 1065.0, ""),
        (70, "aiokafka.errors.KafkaConnectionError: Unable to bootstrap", 1065.0, ""),
        (71, OUTSIDE, 1190.0, "the broker was away: not in the consumer group"),
        (71, OUTSIDE, 1160.0, ""),
        (71, OUTSIDE, 1250.0, ""),
        (71, "CRITICAL stalled: 7 messages wait and none has arrived for 185 s; ending", 1190.0, ""),
        (71, "CRITICAL stalled: the event loop has not run for 61 s; ending", 1070.0, ""),
        (1, "the archivist cannot start", 1005.0, ""),
        (0, "", 1005.0, ""),
    ],
)
def test_the_broker_is_to_blame_only_for_what_it_can_have_caused(
    tmp_path: Path, status: int, words: str, at: float, why: str
) -> None:
    assert explain(ended(tmp_path, status, words, at=at), [AWAY]) == why


def test_without_a_fault_of_the_broker_nothing_is_its_fault(tmp_path: Path) -> None:
    others = [Struck(KILL, "scorer-2", 1000.0, 1010.0), Struck(DATABASE, "postgres", 1000.0, 1010.0)]
    for status, words in ((70, NOT_ACKNOWLEDGED), (71, OUTSIDE)):
        assert explain(ended(tmp_path, status, words, at=1190.0), others) == ""


def test_a_signal_of_ours_explains_its_own_end_and_no_other(tmp_path: Path) -> None:
    assert explain(ended(tmp_path, -9, "", at=1.0, struck=signal.SIGKILL), []) == "SIGKILL"
    assert explain(ended(tmp_path, 0, "", at=1.0, struck=signal.SIGTERM), []) == "SIGTERM, in order"
    assert explain(ended(tmp_path, 70, "", at=1.0, struck=signal.SIGTERM), []) == ""
    assert explain(ended(tmp_path, -9, "", at=1.0), []) == ""
