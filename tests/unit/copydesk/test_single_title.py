"""One title outside the stream."""

from __future__ import annotations

import time

import pytest

from copydesk.single_title import write_title
from infra.settings import Settings
from schemas.errors import Unavailable
from tests.samples import make_adapter, make_article
from tests.unit.workers.test_generator import BASE, Server, converging, envelope, serve
from workers.generator.rollout import Rollout
from workers.generator.worker import Generator


async def test_a_server_that_says_when_to_come_back_is_not_asked_sooner() -> None:
    server = Server(prompts=["an earlier one"], later_trouble=[Unavailable("full", retry_after_s=1.0)])
    rollout = Rollout(server, BASE, linger_s=0.0)
    async with converging(rollout):
        await serve(rollout, make_adapter())
        began = time.monotonic()
        await write_title(Generator(Settings(), server, rollout), envelope(make_article()), 3)
    assert time.monotonic() - began >= 1.0


async def test_who_waits_for_one_title_is_told_at_once_of_a_long_absence_and_counted_no_longer() -> None:
    server = Server(prompts=["an earlier one"], later_trouble=[Unavailable("full", retry_after_s=60.0)])
    rollout = Rollout(server, BASE, linger_s=0.0)
    async with converging(rollout):
        await serve(rollout, make_adapter())
        generator = Generator(Settings(), server, rollout)
        with pytest.raises(Unavailable):
            await write_title(generator, envelope(make_article()), 3)
        assert (await write_title(generator, envelope(make_article()), 3)).attempts == 1
