"""The queue in front of the model, with a model that is a function."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from infra.model_server.batcher import MAX_BATCH, MAX_QUEUE, Batcher, Completion, Job, Prompt, QueueFull, choose

WAIT_S = 10


def prompt(length: int = 1) -> Prompt:
    return Prompt(token_ids=tuple(range(length)), max_tokens=4)


class Model:
    """Answers with the adapter's name; `gate` holds it in the middle of a batch."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[tuple[str, int]] = []

    def complete(self, adapter: str, prompts: list[Prompt]) -> list[Completion]:
        self.batches.append((adapter, len(prompts)))
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        return [Completion(adapter, 1, "stop") for _ in prompts]


def test_a_batch_is_led_by_the_oldest_and_joined_by_its_adapters_closest_in_length() -> None:
    lengths = [50, *range(100, 100 + MAX_BATCH), 49, 51]
    waiting = [Job("v1", prompt(length)) for length in lengths]
    waiting.insert(1, Job("v2", prompt(50)))
    batch = choose(waiting)
    assert batch[0] is waiting[0]
    assert len(batch) == MAX_BATCH
    assert {job.adapter for job in batch} == {"v1"}
    assert {49, 50, 51} <= {len(job.prompt.token_ids) for job in batch}


def test_a_cancelled_request_never_reaches_the_model() -> None:
    model = Model()
    with Batcher(model) as batcher:
        first = batcher.submit("v1", prompt())
        assert model.entered.wait(WAIT_S)
        gone, stays = batcher.submit("v1", prompt()), batcher.submit("v1", prompt())
        assert gone.cancel()
        model.gate.set()
        assert (first.result(WAIT_S).text, stays.result(WAIT_S).text) == ("v1", "v1")
    assert model.batches == [("v1", 1), ("v1", 1)]


def test_a_full_queue_refuses_and_loses_nothing() -> None:
    model = Model()
    with Batcher(model) as batcher:
        batcher.submit("v1", prompt())
        assert model.entered.wait(WAIT_S)
        waiting = [batcher.submit("v1", prompt()) for _ in range(MAX_QUEUE)]
        with pytest.raises(QueueFull):
            batcher.submit("v1", prompt())
        model.gate.set()
        assert {answer.result(WAIT_S).text for answer in waiting} == {"v1"}


def test_unloading_waits_for_the_adapters_requests_and_not_for_others() -> None:
    model = Model()
    seen: list[tuple[str, bool]] = []
    with Batcher(model) as batcher:
        batcher.submit("v1", prompt())
        assert model.entered.wait(WAIT_S)
        old, other = batcher.submit("v1", prompt()), batcher.submit("v2", prompt())
        unloaded = batcher.after_adapter("v1", note(seen, "unloaded", old.done))
        loaded = batcher.between_batches(note(seen, "loaded", old.done))
        model.gate.set()
        unloaded.result(WAIT_S)
        loaded.result(WAIT_S)
        assert other.result(WAIT_S).text == "v2"
    assert seen == [("loaded", False), ("unloaded", True)]


def note(seen: list[tuple[str, bool]], what: str, done: Callable[[], bool]) -> Callable[[], None]:
    return lambda: seen.append((what, done()))


def test_leaving_answers_what_waits() -> None:
    model = Model()
    with Batcher(model) as batcher:
        answers = [batcher.submit("v1", prompt()) for _ in range(40)]
        model.gate.set()
    assert all(answer.done() for answer in answers)


def test_a_failing_model_fails_the_requests_of_its_batch_and_goes_on() -> None:
    class Broken(Model):
        def complete(self, adapter: str, prompts: list[Prompt]) -> list[Completion]:
            if adapter == "broken":
                raise RuntimeError("out of memory")
            return super().complete(adapter, prompts)

    model = Broken()
    model.gate.set()
    with Batcher(model) as batcher:
        with pytest.raises(RuntimeError, match="out of memory"):
            batcher.submit("broken", prompt()).result(WAIT_S)
        assert batcher.submit("v1", prompt()).result(WAIT_S).text == "v1"
