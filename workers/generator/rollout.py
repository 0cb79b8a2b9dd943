"""Which model version writes titles now, and how the next one takes over without dropping a request.

The `adapters` topic says what is wanted. The wanted version is loaded under a name of its own and proves itself
(`admission.py`), then new titles use it; titles begun before finish with the version they began with, and the old one is unloaded when nobody has used it for a
while. Nothing is served before the first adapter is announced: the bare base never stands in.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from infra.observability import metrics
from schemas.envelope import Envelope
from schemas.errors import Transient, Unavailable
from schemas.events import Adapter
from workers.generator import admission
from workers.generator.admission import server_path
from workers.generator.engine import LoadRefused

CHAMPION = "champion"
RETRY_S = 1.0
LINGER_S = 30.0
"""Other generators share the server; one may still be about to switch."""
log = logging.getLogger(__name__)


class Server(admission.Server, Protocol):
    """What the rollout needs of the model server (`workers.generator.engine.Engine`)."""

    async def load(self, name: str, path: str, digest: str) -> None: ...
    async def unload(self, name: str) -> None: ...


def newer(wanted: Adapter | None, announced: Adapter) -> bool:
    """Does the announcement change what is wanted? Of two for the champion the higher sequence holds."""
    return announced.alias == CHAMPION and (wanted is None or announced.sequence > wanted.sequence)


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
        self._wanted: Adapter | None = None
        self._serving: Adapter | None = None
        self._leases: Counter[str] = Counter()
        self._released = asyncio.Event()
        self._current = False
        self._changed = asyncio.Event()
        self._restoring = asyncio.Lock()
        self._farewells: set[asyncio.Task[None]] = set()

    @property
    def serving(self) -> Adapter | None:
        """What new titles are written with."""
        return self._serving

    async def announced(self, envelope: Envelope) -> None:
        """An event of the `adapters` topic, in any order, as often as it comes."""
        adapter = envelope.event
        assert isinstance(adapter, Adapter)
        if newer(self._wanted, adapter):
            self._wanted = adapter
            self._changed.set()

    def current(self) -> None:
        """The topic has been read whole: what is wanted now is not yesterday's."""
        self._current = True
        self._changed.set()

    async def converge(self) -> None:
        """Load and switch to what is wanted, again and again, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted = self._wanted
            if self._current and wanted is not None and wanted != self._serving and not await self._switch(wanted):
                self._changed.set()
                await asyncio.sleep(RETRY_S)

    def ready(self) -> str | None:
        """None once titles can be written, else why not."""
        if self._serving is not None:
            return None
        return f"{self._wanted.model_version} loads" if self._wanted else "no adapter has been announced"

    @contextmanager
    def lease(self) -> Iterator[Adapter]:
        """The version to write one title with; it stays loaded until the end of the block. Raises `Unavailable`."""
        if self._serving is None:
            raise Unavailable("no adapter serves yet: none has been announced, or the model server is not ready")
        adapter = self._serving
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
        if reason is None:
            try:
                await self._server.load(wanted.model_version, server_path(wanted.artefact_uri), wanted.digest)
                reason = await admission.fault(self._server, wanted, self._golden)
            except (LoadRefused, Transient) as error:
                reason = str(error)
        if reason is not None:
            before = self._serving.model_version if self._serving else "nothing"
            log.warning("%s does not serve yet, %s goes on: %s", wanted.model_version, before, reason)
            return False
        old, self._serving = self._serving, wanted
        metrics.say(
            metrics.ADAPTER,
            model_version=wanted.model_version,
            base_model=wanted.base_model,
            prompt_version=wanted.prompt_version,
        )
        log.info("%s serves from now on", wanted.model_version)
        if old is not None and old.model_version != wanted.model_version:
            farewell = asyncio.create_task(self._retire(old.model_version))
            self._farewells.add(farewell)
            farewell.add_done_callback(self._farewells.discard)
        return True

    async def _retire(self, version: str) -> None:
        """Unload a version once its last title is written; a version that serves again by then stays."""
        await asyncio.sleep(self._linger_s)
        while self._leases[version]:
            self._released.clear()
            await self._released.wait()
        if self._serving is not None and self._serving.model_version == version:
            return
        try:
            await self._server.unload(version)
        except Transient as error:
            log.info("%s stays loaded: %s", version, error)
