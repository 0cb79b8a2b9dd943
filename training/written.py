"""The titles that models write for an evaluation, kept in a file as they come.

An evaluation that was interrupted goes on where it was, and a repeated one asks no model. The file's name says by which
weights, with which prompt and about which articles; a line is one title.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter

from editorial import answers, prompts
from editorial.cut import cut
from infra.model_server.batcher import Prompt
from infra.model_server.engine import BASE, AdapterBroken, AdapterMissing, Engine
from infra.settings import Settings
from schemas.errors import Invalid
from training.artefact import Model
from training.batches import encode
from training.dataset import Example
from training.recipe import Recipe

FOLDER = "titles"
BATCH = 16
_NO_NAME = re.compile(r"[^\w.-]+")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Written:
    """One title, its share of its batch's seconds, the tokens of prompt and answer, and the model's loss on the
    reference title (nats per token; None where there is no reference or it does not fit).

    No token of an answer means that the prompt does not fit into the model: it was not asked, as in serving.
    """

    example_id: str
    title: str
    seconds: float
    tokens_in: int
    tokens_out: int
    loss: float | None


_ROW = TypeAdapter(Written)


def title_file(model: Model, dataset: str, settings: Settings) -> Path:
    """Where this model's titles of this data set (by its hash) are kept."""
    limits = (settings.max_article_tokens, settings.max_title_tokens)
    base = "" if model.digest and model.adapter is None else _base_state(model)
    whole = json.dumps(
        [model.digest, base, dataset, model.prompt_version, prompts.digest(model.prompt_version), limits]
    )
    return (
        settings.home / FOLDER / f"{file_name(model.version)}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}.jsonl"
    )


def file_name(words: str) -> str:
    """As a part of a file's name; an artefact from elsewhere may be called anything."""
    return _NO_NAME.sub("_", words)[-100:].lstrip(".")


def write_titles(
    models: Sequence[Model], examples: Sequence[Example], dataset: str, settings: Settings, say: Say
) -> list[list[Written]]:
    """What each model writes about each example, in their order. A base that several share is loaded once.

    Raises `Invalid` for a base or an adapter that cannot be loaded.
    """
    found: list[list[Written]] = []
    engine: Engine | None = None
    loaded = ("", "")
    for model in models:
        with _kept(title_file(model, dataset, settings), say) as (done, file):
            missing = [one for one in examples if one.example_id not in done]
            if missing:
                if engine is None or loaded != (model.base_model, model.base_revision):
                    engine = None  # its memory is free before the next takes some
                    say(f"loading {model.base_name}")
                    engine = _load(model, settings)
                    loaded = (model.base_model, model.base_revision)
                for batch in _write(engine, model, missing, settings):
                    done |= {one.example_id: one for one in batch}
                    file.write("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in batch).encode())
                    file.flush()
                    say(f"{model.version}: {len(done)} of {len(examples)} titles written")
            found.append([done[one.example_id] for one in examples])
    return found


def _load(model: Model, settings: Settings) -> Engine:
    try:
        return Engine.load(model.base_model, model.base_revision, settings.threads)
    except (OSError, ValueError) as error:  # transformers' words for what is no model, or not here
        reason = str(error).strip().partition("\n")[0]
        raise Invalid(f"the base {model.base_name} cannot be loaded ({reason}): check COPYDESK_BASE_MODEL") from error


def _write(engine: Engine, model: Model, examples: Sequence[Example], settings: Settings) -> Iterator[list[Written]]:
    name = BASE
    if model.adapter is not None:
        name = model.version
        if name not in engine.adapters:
            try:
                engine.load_adapter(name, model.adapter)
            except (AdapterMissing, AdapterBroken) as error:
                raise Invalid(str(error)) from error
    texts = {one.example_id: cut(one.text, settings.max_article_tokens) for one in examples}
    asked = {
        key: engine.tokenize([{"role": "user", "content": prompts.render(model.prompt_version, text)}])
        for key, text in texts.items()
    }
    room = engine.context - settings.max_title_tokens
    if unfit := [one for one in examples if len(asked[one.example_id]) > room]:
        yield [Written(one.example_id, "", 0.0, len(asked[one.example_id]), 0, None) for one in unfit]
    fit = [one for one in examples if len(asked[one.example_id]) <= room]
    ordered = sorted(fit, key=lambda one: len(asked[one.example_id]))  # likes share a batch
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        began = time.monotonic()
        answered = engine.complete(name, [Prompt(asked[one.example_id], settings.max_title_tokens) for one in batch])
        seconds = (time.monotonic() - began) / len(batch)
        yield [
            Written(
                one.example_id,
                answers.clean(answer.text),
                seconds,
                len(asked[one.example_id]),
                answer.output_tokens,
                _loss(engine, name, model.prompt_version, texts[one.example_id], one.title),
            )
            for one, answer in zip(batch, answered, strict=True)
        ]


def _loss(engine: Engine, name: str, prompt_version: str, text: str, reference: str) -> float | None:
    if not reference.strip():
        return None
    try:
        row = encode(
            engine.tokenizer, Recipe(prompt_version=prompt_version, max_tokens=engine.context), text, reference
        )
    except ValueError:  # longer than the model reads
        return None
    loss = engine.surprise(name, row.ids[: row.prompt_tokens], row.ids[row.prompt_tokens :])
    return loss if math.isfinite(loss) else None


@contextmanager
def _kept(path: Path, say: Say) -> Iterator[tuple[dict[str, Written], IO[bytes]]]:
    """What is written already, and the file to go on in. A second evaluation of the same waits for the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process writes {path.name}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # a line that a killed process left half written
            file.truncate(len(whole))
        yield {row.example_id: row for line in whole.splitlines() if (row := _row(line))}, file


def _row(line: bytes) -> Written | None:
    """None for a line that is damaged: that title is written again."""
    try:
        row = _ROW.validate_json(line, strict=True)
    except ValueError:
        return None
    return row


def _base_state(model: Model) -> list[object]:
    """Of a base in a folder, which files it has; of a hub's, name and revision."""
    folder = Path(model.base_model)
    if not folder.is_dir():
        return [model.base_model, model.base_revision]
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
