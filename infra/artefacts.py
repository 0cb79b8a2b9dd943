"""Whether an artefact's files may be served: those that were registered, and nothing that runs code when it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from infra.registry import BARE_BASE, digest_folder
from schemas.records import ModelVersionRow

MANIFEST = "manifest.json"
"""What a trained artefact says of itself; written last."""
SAMPLE_MESSAGE = "Zürich’s 1,234 ships – “ready”? 🚢\n\nA second line."
"""What every tokenizer and chat template is compared by."""
WEIGHTS = "adapter_model.safetensors"
"""An adapter's weights, as PEFT calls them."""
WHOLE = "config.json"
"""What a whole model's folder has and an adapter's has not."""
PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
"""Formats of which reading a file means running the code in it."""


def objection(folder: Path, digest: str) -> str | None:
    """Why the files in `folder` must not be served, or None. An empty `digest` is not compared."""
    try:
        there = folder.is_dir()
    except OSError as error:  # an address that no file can have
        return f"its artefact is not there: {error.strerror}"
    if not there:
        return f"its artefact {folder} is not there"
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if pickle := next((file for file in files if file.suffix.lower() in PICKLES), None):
        return f"{pickle} is a pickle, which runs code when it is loaded: only safetensors are served"
    if not any(file.suffix == ".safetensors" for file in files):
        return f"{folder} holds no safetensors"
    if digest and digest_folder(folder) != digest:
        return f"the files in {folder} are not those that were registered: they were changed or damaged"
    return None


def version_objection(version: ModelVersionRow) -> str | None:
    """The same for a registered version; the bare base has no artefact of ours."""
    if version.version == BARE_BASE:
        return None
    parts = urlsplit(version.artefact_uri)
    return objection(Path(unquote(parts.path) if parts.scheme == "file" else version.artefact_uri), version.digest)


def tokens_digest(tokens: Sequence[int]) -> str:
    """sha256 (hex) of token ids, for a manifest."""
    return hashlib.sha256(",".join(map(str, tokens)).encode()).hexdigest()


def sample_digest(folder: Path) -> str:
    """What `SAMPLE_MESSAGE` became in training, by the artefact's manifest; empty where that says nothing of it."""
    try:
        return str(json.loads((folder / MANIFEST).read_bytes()).get("sample_digest", ""))
    except (OSError, ValueError, AttributeError):  # on another machine, or from before this was written
        return ""
