"""A trained model on disk, and how it is found by name: a folder of safetensors whose manifest.json is written last.

What is found fits: the bytes are those that were registered, and base, tokenizer, chat template and prompt are still
those of training. Anything else would write other titles than the ones that were evaluated, so it is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from transformers import AutoTokenizer

from editorial import prompts
from infra.artefacts import MANIFEST, SAMPLE_MESSAGE, objection, tokens_digest
from infra.database import make_engine, migrate
from infra.registry import BARE_BASE, ModelRegistry, base_identity, digest_folder
from infra.settings import Settings
from schemas.errors import Mendable
from schemas.records import ModelVersionRow

BARE_PROMPT = "v2"
"""A model that was not tuned must be told the house rules."""


class UnknownModel(Mendable):
    """No version, alias or artefact of this name."""


class UnfitModel(Mendable):
    """There is such a model, but it is incomplete or tampered with, or no longer fits what it was trained with."""


class Kind(StrEnum):
    """What the weights are."""

    adapter = "adapter"
    model = "model"


class Manifest(BaseModel):
    """What an artefact says of itself; facts that are read by nobody here (the log, the machine) may stand beside."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    kind: Kind = Kind.adapter
    base_model: str
    base_revision: str
    dataset_hash: str = ""
    prompt_version: str
    prompt_digest: str
    tokenizer_digest: str = ""
    chat_template_digest: str = ""
    parent: str | None = None


@dataclass(frozen=True)
class Model:
    """A model that can be loaded now: `base_model` at `base_revision` (a folder or a hub's name), and on top of it
    the adapter in the folder `adapter`, if it has one. `digest` (sha256, hex) is over the artefact; "" for a bare base.
    """

    version: str
    base_model: str
    base_revision: str
    base_name: str
    adapter: Path | None
    digest: str
    dataset_hash: str
    prompt_version: str


@dataclass(frozen=True)
class BaseDigests:
    """sha256 (hex) of the tokenizer and of the chat template of a base, and of what they make of `SAMPLE_MESSAGE`."""

    tokenizer: str
    chat_template: str
    sample: str


def base_digests(base_model: str, base_revision: str) -> BaseDigests:
    """What the manifest of everything that is trained on this base has to say."""
    tokenizer = AutoTokenizer.from_pretrained(base_model, revision=base_revision)
    template = tokenizer.chat_template or ""
    sample = ""
    if template:
        message = [{"role": "user", "content": SAMPLE_MESSAGE}]
        text = tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        sample = tokens_digest(tokenizer(text, add_special_tokens=False)["input_ids"])
    return BaseDigests(_sha256(tokenizer.backend_tokenizer.to_str()), _sha256(str(template)), sample)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a complete artefact. Raises `UnfitModel`."""
    file = folder / MANIFEST
    if not file.is_file():
        raise UnfitModel(f"{folder} is not a complete artefact: it has no {MANIFEST}")
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "it"
        raise UnfitModel(f"{file} cannot be read: {where}: {fault['msg']}") from error


def find_model(reference: str, settings: Settings) -> Model:
    """The model that `reference` stands for: `base`, an alias such as `champion`, a version, or an artefact's folder.

    Raises `UnknownModel`, `UnfitModel`.
    """
    if reference == BARE_BASE:
        return _bare(settings)
    folder = Path(reference)
    if folder.is_dir():
        return _artefact(folder, settings, digest="")
    engine = make_engine(settings)
    migrate(engine)
    registry = ModelRegistry(engine)
    alias = registry.alias(reference)
    row = registry.get(alias.version if alias else reference)
    if row is None:
        known = ", ".join(version.version for version in registry.list()) or "none yet"
        raise UnknownModel(f"no model {reference!r}; registered versions: {known}; or give `base` or a folder")
    return _registered(row, settings)


def _bare(settings: Settings) -> Model:
    name, _ = base_identity(settings)
    return Model(BARE_BASE, settings.base_model, settings.base_revision, name, None, "", "", BARE_PROMPT)


def _registered(row: ModelVersionRow, settings: Settings) -> Model:
    if row.version == BARE_BASE:
        return _bare(settings)
    folder = Path(row.artefact_uri)
    if reason := objection(folder, row.digest):
        raise UnfitModel(f"{row.version} cannot be used: {reason}")
    if (folder / MANIFEST).is_file():
        return _artefact(folder, settings, digest=row.digest)
    _same_base(row.version, row.base_model, row.base_revision, settings)
    _same_prompt(row.version, row.prompt_version, row.prompt_digest)
    return Model(
        row.version,
        settings.base_model,
        settings.base_revision,
        row.base_model,
        folder,
        row.digest,
        row.dataset_hash,
        row.prompt_version,
    )


def _artefact(folder: Path, settings: Settings, digest: str) -> Model:
    manifest = read_manifest(folder)
    if reason := objection(folder, digest=""):
        raise UnfitModel(f"{manifest.version} cannot be used: {reason}")
    _same_prompt(manifest.version, manifest.prompt_version, manifest.prompt_digest)
    whole = manifest.kind is Kind.model
    base, revision = (str(folder), "main") if whole else (settings.base_model, settings.base_revision)
    if not whole:
        _same_base(manifest.version, manifest.base_model, manifest.base_revision, settings)
    _same_tokenizer(manifest, base, revision)
    return Model(
        manifest.version,
        base,
        revision,
        manifest.base_model,
        None if whole else folder,
        digest or digest_folder(folder),
        manifest.dataset_hash,
        manifest.prompt_version,
    )


def _same_base(version: str, name: str, revision: str, settings: Settings) -> None:
    here = base_identity(settings)
    if (name, revision) != here:
        raise UnfitModel(
            f"{version} was trained on {name} ({revision}), but the base here is {here[0]} ({here[1]}): "
            "set COPYDESK_BASE_MODEL to the one it belongs to"
        )


def _same_prompt(version: str, prompt_version: str, digest: str) -> None:
    if prompt_version not in prompts.PROMPTS or prompts.digest(prompt_version) != digest:
        raise UnfitModel(f"{version} was trained with another text of prompt {prompt_version!r} than this one")


def _same_tokenizer(manifest: Manifest, base: str, revision: str) -> None:
    if not (manifest.tokenizer_digest or manifest.chat_template_digest):  # an artefact from before these were written
        return
    here = base_digests(base, revision)
    for what, was, now in (
        ("tokenizer", manifest.tokenizer_digest, here.tokenizer),
        ("chat template", manifest.chat_template_digest, here.chat_template),
    ):
        if was != now:
            raise UnfitModel(f"{manifest.version} was trained with another {what} than its base has now")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
