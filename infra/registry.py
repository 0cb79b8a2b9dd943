"""The model registry: immutable versions, movable aliases, and a history of every move that is only ever added to.

Exception
├── Conflict        somebody else moved the alias first, or a version's name is taken by other content
└── UnknownVersion  no such version
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from infra.database import transaction
from infra.settings import DEMO_MODEL, Settings
from schemas.records import AliasHistoryRow, AliasRow, ModelVersionRow

CHAMPION = "champion"
CANARY = "canary"
"""The version that is tried on a share of the articles; the champion's own where none is."""
BARE_BASE = "base"
"""The version that is no adapter: the base model itself, as every model server calls it."""
DEMO_BASE_NAME = "copydesk-demo-base"


class Conflict(Exception):
    """The registry has moved on since the caller looked; look again and decide again."""


class UnknownVersion(Exception):
    """No version of this name is registered."""


def digest_folder(path: Path) -> str:
    """sha256 (hex) over the names and contents of all files below `path`, in order of their names."""
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def base_identity(settings: Settings) -> tuple[str, str]:
    """Name and revision of the base model: a folder's revision is its content, a hub model's the configured one."""
    folder = Path(settings.base_model)
    if not folder.is_dir():
        return settings.base_model, settings.base_revision
    return DEMO_BASE_NAME if is_demo_base(settings) else folder.name, digest_folder(folder)[:16]


def is_demo_base(settings: Settings) -> bool:
    """Whether the base in use is the one that comes with Copydesk; only that one has a first adapter."""
    return Path(settings.base_model).resolve() == (DEMO_MODEL / "base").resolve()


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ModelRegistry:
    """Reads and writes the registry's tables. Rows that it hands out are detached from any session.

    Everything raises `Unavailable` while the database is away, locked or full.
    """

    def __init__(self, engine: Engine, now: Callable[[], datetime] = _utc_now) -> None:
        self._engine = engine
        self._now = now

    def register(self, row: ModelVersionRow) -> None:
        """Add a version. The same version with the same digest again is nothing new; another digest is a `Conflict`."""
        known = self.get(row.version)
        if known is None:
            try:
                with transaction(self._engine) as session:
                    session.add(row)
                return
            except IntegrityError:  # another process was faster
                known = self.get(row.version)
        if known is not None and known.digest != row.digest:
            raise Conflict(f"version {row.version} is already registered with other content")

    def get(self, version: str) -> ModelVersionRow | None:
        """One version, or None."""
        with transaction(self._engine) as session:
            return session.get(ModelVersionRow, version)

    def alias(self, alias: str) -> AliasRow | None:
        """What the alias stands for now, or None while it was never set."""
        with transaction(self._engine) as session:
            return session.get(AliasRow, alias)

    def set_alias(
        self, alias: str, version: str, *, expected_sequence: int, actor: str, reason: str, gate_verdict: str
    ) -> AliasHistoryRow:
        """Point the alias at a version, if it is still where the caller saw it (sequence 0: never set).

        Alias and history change in one transaction. The move is not yet announced. Raises `UnknownVersion`,
        `Conflict`.
        """
        with transaction(self._engine) as session:
            return self.set_alias_within(
                session,
                alias,
                version,
                expected_sequence=expected_sequence,
                actor=actor,
                reason=reason,
                gate_verdict=gate_verdict,
            )

    def set_alias_within(
        self,
        session: Session,
        alias: str,
        version: str,
        *,
        expected_sequence: int,
        actor: str,
        reason: str,
        gate_verdict: str,
    ) -> AliasHistoryRow:
        """The same as part of a transaction; it must not be committed after `Conflict`."""
        if session.get(ModelVersionRow, version) is None:
            raise UnknownVersion(f"no version {version!r} is registered")
        before = session.get(AliasRow, alias)
        if (before.sequence if before else 0) != expected_sequence:
            raise Conflict(f"alias {alias} is no longer at sequence {expected_sequence}")
        row = AliasHistoryRow(
            alias=alias,
            sequence=expected_sequence + 1,
            version=version,
            previous_version=before.version if before else None,
            actor=actor,
            reason=reason,
            gate_verdict=gate_verdict,
            decided_at=self._now(),
        )
        try:
            self._swap(session, alias, version, expected_sequence)
            session.add(row)
            session.flush()
        except IntegrityError as error:
            raise Conflict(f"alias {alias} was moved by somebody else") from error
        return row

    @staticmethod
    def _swap(session: Session, alias: str, version: str, expected_sequence: int) -> None:
        if expected_sequence == 0:
            session.add(AliasRow(alias=alias, version=version, sequence=1))
            session.flush()
            return
        statement = (
            update(AliasRow)
            .where(col(AliasRow.alias) == alias, col(AliasRow.sequence) == expected_sequence)
            .values(version=version, sequence=expected_sequence + 1)
        )
        if session.connection().execute(statement).rowcount != 1:
            raise Conflict(f"alias {alias} is no longer at sequence {expected_sequence}")

    def history(self, alias: str) -> list[AliasHistoryRow]:
        """Every move of the alias, the oldest first."""
        with transaction(self._engine) as session:
            query = select(AliasHistoryRow).where(AliasHistoryRow.alias == alias)
            return [*session.exec(query.order_by(col(AliasHistoryRow.sequence)))]

    def unannounced(self) -> list[AliasHistoryRow]:
        """Moves whose event no broker has acknowledged yet, the oldest first."""
        with transaction(self._engine) as session:
            query = select(AliasHistoryRow).where(col(AliasHistoryRow.announced).is_(False))
            return [*session.exec(query.order_by(col(AliasHistoryRow.alias), col(AliasHistoryRow.sequence)))]

    def mark_announced(self, alias: str, sequence: int) -> None:
        """The broker has acknowledged this move's event."""
        with transaction(self._engine) as session:
            row = session.get(AliasHistoryRow, (alias, sequence))
            if row is None:
                raise UnknownVersion(f"alias {alias} has no move {sequence}")
            row.announced = True
            session.add(row)

    def list(self) -> list[ModelVersionRow]:  # last of the methods: below it, `list` would mean this one to mypy
        """All versions, the oldest first."""
        with transaction(self._engine) as session:
            query = select(ModelVersionRow).order_by(col(ModelVersionRow.created_at), col(ModelVersionRow.version))
            return [*session.exec(query)]


def version_before(moves: Sequence[AliasHistoryRow]) -> str | None:
    """What served before the present version, given all moves. One step further back after every rollback."""
    way: list[str] = []
    for move in moves:
        if move.version in way:  # a way back: what came after it no longer counts
            del way[way.index(move.version) + 1 :]
        else:
            way.append(move.version)
    return way[-2] if len(way) > 1 else None


def ensure_first_champion(registry: ModelRegistry, first: ModelVersionRow) -> None:
    """Register `first` and make it champion, unless there is a champion already. Processes may race."""
    if registry.alias(CHAMPION) is not None:
        return
    registry.register(first)
    with suppress(Conflict):  # another process has just done the same
        registry.set_alias(
            CHAMPION,
            first.version,
            expected_sequence=0,
            actor="copydesk",
            reason="first champion",
            gate_verdict="none: there was nothing to compare with",
        )
