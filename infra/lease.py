"""The lease of a training run: a time in the database up to which its process counts as alive.

Whoever sees the process live renews it. Once it has run out, any machine may end the run and start another: then the
process, should it live after all, must stop, and its result is worth nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, update
from sqlmodel import col

from infra.database import transaction
from schemas.errors import Unavailable
from schemas.records import TrainingRunRow
from schemas.training import RUNNING

LOST_EXIT = 3
"""Exit status of a training whose run was given to somebody else."""


def renew(engine: Engine, run_id: UUID, until: datetime) -> bool:
    """Whether the run is still under way; if so, its lease lasts until then. Raises `Unavailable`."""
    statement = (
        update(TrainingRunRow)
        .where(col(TrainingRunRow.run_id) == run_id, col(TrainingRunRow.state) == RUNNING)
        .values(lease_until=until)
    )
    with transaction(engine) as session:
        return session.connection().execute(statement).rowcount == 1


def keep(engine: Engine, run_id: UUID, lease_s: float, lost: Callable[[], object] | None = None) -> None:
    """Renew the lease from a thread, as long as this process lives; when it is lost, end the process at once."""
    leave = lost or (lambda: os._exit(LOST_EXIT))

    def beat() -> None:
        waiting = threading.Event()
        while not waiting.wait(lease_s / 3):
            try:
                if not renew(engine, run_id, datetime.now(UTC) + timedelta(seconds=lease_s)):
                    print("this training was taken for dead and given to somebody else: it ends here", flush=True)
                    leave()
                    return
            except Unavailable as trouble:  # nobody else can take it either
                print(f"the lease has to wait: {trouble}", flush=True)

    threading.Thread(target=beat, name="lease", daemon=True).start()
