"""Which model version writes titles now, and how the next one takes over without dropping a request.

The `adapters` topic says what is wanted. The wanted version is loaded under a name of its own and proves itself
(`admission.py`), then new titles use it, all of them or a canary's share. Titles begun before finish with the version
they began with, and the old one is unloaded when nobody has used it for a while. Nothing is served before the first
adapter is announced: the bare base never stands in.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol
from uuid import UUID, uuid5

from editorial.flagger import drawn
from infra.observability import metrics
from infra.registry import CANARY, CHAMPION
from schemas.envelope import Envelope
from schemas.errors import Transient, Unavailable
from schemas.events import Adapter
from workers.generator import admission
from workers.generator.admission import server_path
from workers.generator.engine import LoadRefused

RETRY_S = 1.0
LONGEST_RETRY_S = 8.0
"""The first pause after a version that could not serve, twice as long each time, and the longest."""
LINGER_S = 30.0
"""Other generators share the server; one may still be about to switch."""
log = logging.getLogger(__name__)


class Server(admission.Server, Protocol):
    """What the rollout needs of the model server (`workers.generator.engine.Engine`)."""

    async def load(self, name: str, path: str, digest: str) -> None: ...
    async def unload(self, name: str) -> None: ...


ALIASES = (CHAMPION, CANARY)


def newer(wanted: Adapter | None, announced: Adapter) -> bool:
    """Does the announcement change what is wanted? Of two for one alias the higher sequence holds."""
    return announced.alias in ALIASES and (wanted is None or announced.sequence > wanted.sequence)


def is_for(canary: Adapter, champion: Adapter, article_id: UUID) -> bool:
    """Whether the canary writes this article's title: the same answer in every generator, and after a restart. A
    champion chosen later ends it at once (the retrainer sends it back by the same rule, when it comes to it).
    """
    return champion.decided_at <= canary.decided_at and drawn(uuid5(article_id, canary.model_version), canary.share)


class Rollout:
    """`announced` hears what is wanted, `converge` works towards it, `lease` hands out what serves."""

    def __init__(
        self,
        server: Server,
        base: tuple[str, str] | None,
        golden: Sequence[str] = (),
        *,
        linger_s: float = LINGER_S,
    ) -> None:
        """`base` is name and revision of the base that is served, None if that cannot be known here. On `golden`
        articles a version warms up.
        """
        self._server = server
        self._base = base
        self._golden = golden
        self._linger_s = linger_s
        self._wanted: dict[str, Adapter] = {}  # by alias
        self._serving: dict[str, Adapter] = {}
        self._leases: Counter[str] = Counter()
        self._released = asyncio.Event()
        self._current = False
        self._changed = asyncio.Event()
        self._restoring = asyncio.Lock()
        self._farewells: set[asyncio.Task[None]] = set()

    @property
    def serving(self) -> Adapter | None:
        """What new titles are written with, but for a canary's share."""
        return self._serving.get(CHAMPION)

    async def announced(self, envelope: Envelope) -> None:
        """An event of the `adapters` topic, in any order, as often as it comes."""
        adapter = envelope.event
        assert isinstance(adapter, Adapter)
        if newer(self._wanted.get(adapter.alias), adapter):
            self._wanted[adapter.alias] = adapter
            self._changed.set()

    def current(self) -> None:
        """The topic has been read whole: what is wanted now is not yesterday's."""
        self._current = True
        self._changed.set()

    async def converge(self) -> None:
        """Load and switch to what is wanted, again and again, until cancelled."""
        failures = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            due = [self._wanted[alias] for alias in ALIASES if self._wanted.get(alias) != self._serving.get(alias)]
            if not self._current or all([await self._switch(wanted) for wanted in due]):
                failures = 0
                continue
            await asyncio.sleep(0)
            with suppress(TimeoutError):  # what is announced meanwhile is not kept waiting
                await asyncio.wait_for(self._changed.wait(), min(RETRY_S * 2**failures, LONGEST_RETRY_S))
            failures += 1
            self._changed.set()

    def ready(self) -> str | None:
        """None once titles can be written, else why not."""
        if self.serving is not None:
            return None
        wanted = self._wanted.get(CHAMPION)
        return f"{wanted.model_version} loads" if wanted else "no adapter has been announced"

    @contextmanager
    def lease(self, article_id: UUID | None = None) -> Iterator[Adapter]:
        """The version to write an article's title with; it stays loaded until the end of the block. A canary gets its
        share of the articles. Raises `Unavailable`.
        """
        adapter, canary = self.serving, self._serving.get(CANARY)
        if adapter is None:
            raise Unavailable("no adapter serves yet: none has been announced, or the model server is not ready")
        if article_id is not None and canary is not None and is_for(canary, adapter, article_id):
            adapter = canary
        self._leases[adapter.model_version] += 1
        try:
            yield adapter
        finally:
            self._leases[adapter.model_version] -= 1
            self._released.set()

    async def restore(self, adapter: Adapter) -> None:
        """Load a version that the server has forgotten (it was restarted). Raises `Transient`."""
        async with self._restoring:
            try:
                await self._server.load(adapter.model_version, server_path(adapter.artefact_uri), adapter.digest)
            except LoadRefused as error:
                raise Unavailable(str(error)) from error

    async def _switch(self, wanted: Adapter) -> bool:
        reason = admission.objection(wanted, self._base)
        if reason is None and not self._in_use(wanted.model_version):  # which has proved itself
            try:
                await self._server.load(wanted.model_version, server_path(wanted.artefact_uri), wanted.digest)
                reason = await admission.fault(self._server, wanted, self._golden)
            except (LoadRefused, Transient) as error:
                reason = str(error)
        if reason is not None:
            before = self.serving.model_version if self.serving else "nothing"
            log.warning("%s does not serve yet, %s goes on: %s", wanted.model_version, before, reason)
            return False
        old, self._serving[wanted.alias] = self._serving.get(wanted.alias), wanted
        self._tell(wanted)
        if old is not None and not self._in_use(old.model_version):
            farewell = asyncio.create_task(self._retire(old.model_version))
            self._farewells.add(farewell)
            farewell.add_done_callback(self._farewells.discard)
        return True

    def _in_use(self, version: str) -> bool:
        return any(adapter.model_version == version for adapter in self._serving.values())

    def _tell(self, now: Adapter) -> None:
        if now.alias == CHAMPION:
            metrics.say(
                metrics.ADAPTER,
                model_version=now.model_version,
                base_model=now.base_model,
                prompt_version=now.prompt_version,
            )
            log.info("%s serves from now on", now.model_version)
        elif self.serving is not None and now.model_version == self.serving.model_version:
            log.info("no canary: all titles are the champion's")
        else:
            log.info("canary: %s serves %.0f%% of the articles from now on", now.model_version, 100 * now.share)

    async def _retire(self, version: str) -> None:
        """Unload a version once its last title is written; a version that serves again by then stays."""
        await asyncio.sleep(self._linger_s)
        while self._leases[version]:
            self._released.clear()
            await self._released.wait()
        if self._in_use(version):
            return
        try:
            await self._server.unload(version)
        except Transient as error:
            log.info("%s stays loaded: %s", version, error)
