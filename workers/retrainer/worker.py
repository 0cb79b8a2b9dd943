"""Retrainer: reads corrections and runs from the database, starts trainings, writes `adapters`."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from infra.database import make_engine, migrate
from infra.kafka import create_topics
from infra.observability import health, metrics
from infra.registry import CHAMPION, ModelRegistry
from infra.settings import Settings
from schemas.errors import Transient
from workers.retrainer.announce import announce
from workers.retrainer.canary import look_after
from workers.retrainer.first import first_champion
from workers.retrainer.ledger import Ledger
from workers.retrainer.runner import Runner
from workers.retrainer.trigger import decide

log = logging.getLogger(__name__)


SILENCE_S = 300.0
"""A round waits for the database and the broker, never for a training; a longer one does not come back."""


def main(settings: Settings) -> None:
    """Look, train, promote, announce, until SIGTERM. A training under way is interrupted and starts again later."""
    logging.getLogger("kafka").setLevel(logging.WARNING)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    condition = health.Condition(silence_s=SILENCE_S, starting="the champion has not been announced yet")
    health.serve(settings.metrics_port, live=condition.live, ready=condition.ready, host=settings.metrics_host)
    engine = make_engine(settings)
    migrate(engine)
    registry = ModelRegistry(engine)
    ledger = Ledger(engine, lambda: datetime.now(UTC))
    runner = Runner(settings, ledger, registry)
    _announce_at_start(registry, settings, stopping, condition)
    while not stopping.wait(settings.retrain_poll_s):
        _try("looking", lambda: look(settings, ledger, runner), condition)
        _try("looking after the canary", lambda: tell(look_after(engine, registry, settings)), condition)
        _try("announcing", lambda: announce(registry, settings), condition)
        condition.beat()
    # only here: if we end by a defect, the training goes on and the next retrainer finishes it
    _try("writing down that the training was interrupted", runner.stop, condition)


def tell(done: str | None) -> None:
    """Log what was done, if anything."""
    if done:
        log.info(done)


def look(settings: Settings, ledger: Ledger, runner: Runner) -> None:
    """One round: end what has ended, start what is due."""
    tell(runner.watch())
    facts = ledger.facts(settings)
    metrics.TRAINING.set(facts.running is not None)
    metrics.CORRECTIONS_WAITING.set(facts.fresh.corrections)
    if champion := runner.registry.alias(CHAMPION):
        metrics.say(metrics.CHAMPION, model_version=champion.version, sequence=str(champion.sequence))
    decision = decide(facts)
    if decision.train and runner.start(facts, actor="retrainer", why=decision.explanation):
        log.info(decision.explanation)


def _announce_at_start(
    registry: ModelRegistry, settings: Settings, stopping: threading.Event, condition: health.Condition
) -> None:
    """The generators wait for a champion: nothing else matters before the broker has it."""
    while not stopping.is_set():
        try:
            first_champion(registry, settings, datetime.now(UTC))
            create_topics(settings)
            announce(registry, settings, again=True)
            condition.started()
            return
        except Transient as trouble:
            log.warning("cannot announce the champion yet: %s", trouble)
            condition.beat()
            stopping.wait(settings.retrain_poll_s)


def _try(what: str, attempt: Callable[[], object], condition: health.Condition) -> None:
    """What fails because the broker or the database is away is left as it was, and the next round tries again."""
    try:
        attempt()
        condition.settled(what)
    except Transient as trouble:
        condition.trouble(what, trouble)
        log.warning("%s has to wait: %s", what, trouble)
