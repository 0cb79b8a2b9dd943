"""Faust stops by itself when one of its services has crashed: that is no orderly end, and nobody told it to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.kafka import lag, make_producer, send_acked
from infra.settings import Settings
from schemas.envelope import encode
from schemas.topics import ARTICLES
from tests.ground import environment_for
from tests.samples import NOW, make_article
from workers.ending import EX_SOFTWARE

PROGRAM = Path(__file__).with_name("crashing_worker.py")


@pytest.mark.timeout(200)
def test_a_worker_whose_faust_has_given_up_ends_as_at_a_defect_and_says_why(settings: Settings) -> None:
    producer = make_producer(settings, "test")
    send_acked(producer, [(ARTICLES, encode(make_article(), source="test", time=NOW))])
    producer.close()
    environment = environment_for(settings) | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == EX_SOFTWARE, done.stderr
    assert "Faust stopped by itself: RuntimeError('something inside of Faust is broken')" in done.stderr
    assert lag(settings, "copydesk.crashing", [ARTICLES]) == 1
