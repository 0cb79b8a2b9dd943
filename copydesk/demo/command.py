"""`copydesk demo`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from copydesk.console import console
from copydesk.demo.director import Demo, Options
from copydesk.demo.live import LiveView
from copydesk.demo.outcome import Outcome, render
from copydesk.demo.report import write_report
from infra.settings import Settings

DEMO_SETTINGS = {
    "allow_private_networks": True,  # the simulated press is on 127.0.0.1
    "min_poll_s": 2.0,  # nobody waits an hour for a demo's next poll
    "retrain_cooldown_s": 60.0,
}


def demo_settings(settings: Settings, *, retrain: bool) -> Settings:
    """The visitor's settings with the demo's own where the visitor set none."""
    untouched = {name: value for name, value in DEMO_SETTINGS.items() if name not in settings.model_fields_set}
    return settings.model_copy(update={**untouched, "retrain_enabled": retrain, "home": settings.home.resolve()})


def run(options: Options, settings: Settings, *, as_json: bool) -> int:
    """Play the demo; returns the exit status: 0 only if nothing was lost and, with training, the champion changed."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    demo = Demo(options, demo_settings(settings, retrain=options.retrain))
    try:
        with demo.stack() as supervisor, LiveView(demo.desk) as view:
            outcome = demo.play(supervisor, view)
            write_report(outcome, settings.home)
            if not options.once:
                view.pause()
                _tell(outcome, as_json)
                demo.linger(supervisor, view)
    except KeyboardInterrupt:
        print("copydesk: stopped; `make demo` goes on where it was", file=sys.stderr)
        return 0 if not options.once else 130
    except TimeoutError as error:
        print(f"copydesk: {error}", file=sys.stderr)
        return 1
    _tell(outcome, as_json)
    return 0 if outcome.lost == 0 and (not options.retrain or outcome.champion_after != outcome.champion_before) else 1


def _tell(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome.as_json(), indent=2), flush=True)
    else:
        render(outcome, console())


def _as_interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def options_of(
    once: bool, articles: Path | None, limit: int | None, no_retrain: bool, seed: int, patience_s: float
) -> Options:
    """Check what was asked for; exits with a message when it makes no sense."""
    if articles and not articles.is_file():
        sys.exit(f"copydesk: no such file: {articles}")
    if articles and not no_retrain:
        sys.exit("copydesk: real articles have no scripted curator, so nothing would be learned: add --no-retrain")
    if no_retrain and not articles and not limit:
        limit = 200
    return Options(once=once, articles=articles, limit=limit, retrain=not no_retrain, seed=seed, patience_s=patience_s)
