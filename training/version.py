"""A model version: trained, described in its manifest, and entered in the registry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

import torch

from editorial import prompts
from editorial.cut import cut
from infra.database import make_engine, migrate
from infra.registry import CHAMPION, ModelRegistry, base_identity, digest_folder
from infra.settings import Settings
from schemas.errors import Mendable
from schemas.records import ModelVersionRow
from training.artefact import Kind, base_digests, find_model
from training.dataset import TRAIN, VALIDATION, Snapshot
from training.finetune import Step, TrainingLog, finetune, write_manifest
from training.preflight import Estimate, Shape, advice, preflight
from training.processes import Processes
from training.recipe import Method, Recipe, Start
from training.tracking import tracked


class CannotTrain(Mendable):
    """This recipe cannot be trained on this data here; the message says why and what to do."""


@dataclass(frozen=True)
class Made:
    """A version that is complete on disk and registered."""

    row: ModelVersionRow
    log: TrainingLog


def make_version(
    settings: Settings,
    recipe: Recipe,
    snapshot: Snapshot,
    version: str,
    progress: Callable[[Step], None],
    processes: Processes,
    parent: str = CHAMPION,
    anyway: bool = False,
) -> Made | None:
    """Train `version` on the snapshot's training split and register it; an interrupted training goes on. A recipe that
    starts from an adapter starts from that of `parent`.

    Of several processes the first one gets what was made, the others nothing. Raises `CannotTrain`, also for what
    will not fit into the memory, unless it is to be tried `anyway`.
    """
    shape, needed = look_ahead(settings, recipe, snapshot, processes.size)
    if not needed.fits and not anyway:
        raise CannotTrain(f"this will take {needed}: {advice(recipe, shape)}; --anyway tries it all the same")
    engine = make_engine(settings)
    if processes.first:
        migrate(engine)
    processes.wait()
    registry = ModelRegistry(engine)
    out = settings.artefacts / version
    if registry.get(version) is not None:
        raise CannotTrain(f"there is a version {version} already: give this one another name")
    beside, checkpoints = out.with_name(f".unfinished-{version}"), settings.home / "training" / version
    if processes.first:
        shutil.rmtree(beside, ignore_errors=True)
    begins_with = find_model(parent, settings) if recipe.start is Start.parent else None
    if begins_with and begins_with.adapter is None:
        raise CannotTrain(f"{parent} has no adapter to start from: take a version that was trained as one")
    base_name, base_revision = base_identity(settings)
    drawing: AbstractContextManager[Callable[[Step], None]] = nullcontext(lambda step: None)
    if processes.first:
        drawing = tracked(settings, version, recipe)

    def hear(step: Step) -> None:
        progress(step)
        draw(step)

    try:
        with drawing as draw:
            log = finetune(
                recipe,
                snapshot.examples(TRAIN),
                base_model=settings.base_model,
                base_revision=settings.base_revision,
                base_name=base_name,
                parent=begins_with.adapter if begins_with else None,
                out=beside,
                cut=lambda text: cut(text, settings.max_article_tokens),
                threads=settings.threads,
                progress=hear,
                validation=snapshot.examples(VALIDATION),
                checkpoints=checkpoints,
                processes=processes,
            )
    except ValueError as error:
        raise CannotTrain(str(error)) from error
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        raise CannotTrain(
            f"out of memory with {shape.examples} examples of up to {shape.tokens} tokens at a time "
            f"(estimated: {needed}): {advice(recipe, shape)}. With another micro_batch_size the same command goes on "
            "after the last finished epoch"
        ) from error
    if not processes.first:
        return None
    write_manifest(beside, log, facts(settings, recipe, version, snapshot.hash))
    shutil.rmtree(out, ignore_errors=True)  # nothing is registered under this name: it was left over
    beside.replace(out)
    row = ModelVersionRow(
        version=version,
        artefact_uri=str(out.resolve()),
        digest=digest_folder(out),
        base_model=base_name,
        base_revision=base_revision,
        dataset_hash=snapshot.hash,
        prompt_version=recipe.prompt_version,
        prompt_digest=prompts.digest(recipe.prompt_version),
        parent=begins_with.version if begins_with else None,
        config=recipe.model_dump(mode="json"),
        metrics={},
        created_at=datetime.now(UTC),
    )
    registry.register(row)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return Made(row, log)


def look_ahead(settings: Settings, recipe: Recipe, snapshot: Snapshot, processes: int = 1) -> tuple[Shape, Estimate]:
    """What the training will take. Raises `CannotTrain` where it cannot even begin."""
    if recipe.base_model not in ("", settings.base_model):
        raise CannotTrain(f"the recipe is for {recipe.base_model}: set COPYDESK_BASE_MODEL={recipe.base_model}")
    try:
        return preflight(
            recipe,
            snapshot.examples(TRAIN),
            lambda text: cut(text, settings.max_article_tokens),
            settings.base_model,
            settings.base_revision,
            processes,
        )
    except ValueError as error:
        raise CannotTrain(str(error)) from error
    except OSError as error:
        raise CannotTrain(
            f"the base model {settings.base_model!r} (COPYDESK_BASE_MODEL) cannot be had: it is no folder with a "
            f"model, and the model hub has not given it ({str(error).splitlines()[0]})"
        ) from error


def _out_of_memory(error: Exception) -> bool:
    """On a GPU it has a type of its own; the CPU's allocator only has words."""
    return not isinstance(error, RuntimeError) or any(
        words in str(error) for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def facts(settings: Settings, recipe: Recipe, version: str, dataset_hash: str) -> dict[str, object]:
    """What the manifest says of a version beside its log."""
    base_name, base_revision = base_identity(settings)
    trained_on = base_digests(settings.base_model, settings.base_revision)
    return {
        "version": version,
        "kind": Kind.model if recipe.method is Method.full else Kind.adapter,
        "base_model": base_name,
        "base_revision": base_revision,
        "dataset_hash": dataset_hash,
        "prompt_version": recipe.prompt_version,
        "prompt_digest": prompts.digest(recipe.prompt_version),
        "tokenizer_digest": trained_on.tokenizer,
        "chat_template_digest": trained_on.chat_template,
        "sample_digest": trained_on.sample,
        "recipe": recipe.model_dump(mode="json"),
    }
