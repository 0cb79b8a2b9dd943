"""A model version in a form that other engines read: merged safetensors, the adapter alone, or GGUF for llama.cpp.

What is exported writes the titles that the served version writes, so it is refused where that cannot be: the base's
tokenizer or chat template, or the prompt, is no longer the one of training (`training.artefact` says so on reading).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils.hub import cached_file

from editorial import prompts
from schemas.errors import Mendable
from training.artefact import Model

FACTS = "copydesk.json"
"""Beside the weights: which version this is, what it was trained on, and the prompt that belongs to it."""
SENTENCEPIECE = "tokenizer.model"
SPACE = "▁"
"""How SentencePiece writes a space."""
OUTTYPES = {"auto": "auto", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}
"""The converter's names of the precisions."""


class CannotExport(Mendable):
    """This model cannot be written in this form; the message says why."""


def write_adapter(model: Model, out: Path) -> str:
    """Copy the adapter's files to the new folder `out`. Raises `CannotExport`."""
    if model.adapter is None:
        raise CannotExport(f"{model.version} is a whole model, not an adapter: export it with --format merged")
    with _new_folder(out) as folder:
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copyfile(model.adapter / name, folder / name)
        _write_facts(model, folder)
    return f"a LoRA adapter of {model.base_model}"


def write_merged(model: Model, out: Path, precision: str = "auto") -> str:
    """Fold the adapter into its base and save the whole model, with tokenizer and chat template, to the folder `out`.

    The sum is formed in fp32 and rounded once; `precision` is `auto` (as the base is stored) or a torch dtype's name.
    """
    merged, stored = _merge(model)
    dtype = stored if precision == "auto" else getattr(torch, precision)
    with _new_folder(out) as folder:
        merged.to(dtype)  # type: ignore[arg-type]  # in place; its stub knows no dtype
        merged.save_pretrained(folder)
        _copy_tokenizer(model, folder)
        _write_facts(model, folder)
    return f"safetensors in {str(dtype).removeprefix('torch.')}, for `vllm serve` or transformers"


def write_gguf(model: Model, out: Path, precision: str = "auto") -> str:
    """Merge, then convert with llama.cpp's own converter to the file `out`. Raises `CannotExport`."""
    if out.exists():
        raise CannotExport(f"{out} exists already")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as scratch:
        merged, converted = Path(scratch) / "merged", Path(scratch) / "model.gguf"
        write_merged(model, merged, precision)
        _say_how_text_begins(merged)
        arguments = [str(merged), "--outfile", str(converted), "--outtype", OUTTYPES[precision]]
        done = subprocess.run(
            [sys.executable, "-m", "convert_hf_to_gguf", *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode or not converted.is_file():
            raise CannotExport(f"llama.cpp's converter cannot write {model.version} as GGUF: {_why(done.stderr)}")
        converted.replace(out)
    return f"GGUF for llama.cpp; its prompt is {model.prompt_version}"


def _merge(model: Model) -> tuple[PreTrainedModel, torch.dtype]:
    base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        model.base_model, revision=model.base_revision, dtype="auto"
    )
    stored = base.dtype
    base.to(torch.float32)  # type: ignore[arg-type]
    if model.adapter is None:
        return base, stored
    tuned = PeftModel.from_pretrained(base, str(model.adapter))
    merged: PreTrainedModel = tuned.merge_and_unload(safe_merge=True)
    return merged, stored


def _copy_tokenizer(model: Model, folder: Path) -> None:
    AutoTokenizer.from_pretrained(model.base_model, revision=model.base_revision).save_pretrained(folder)
    # transformers no longer writes the SentencePiece file, but llama.cpp's converter reads no other exactly
    pieces = cached_file(
        model.base_model,
        SENTENCEPIECE,
        revision=model.base_revision,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    if pieces:
        shutil.copyfile(pieces, folder / SENTENCEPIECE)


def _say_how_text_begins(folder: Path) -> None:
    """Whether a space goes before text that follows a special token: llama.cpp puts one there unless it is told."""
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    if not (folder / SENTENCEPIECE).is_file() or not tokenizer.bos_token:
        return
    pieces = tokenizer.convert_ids_to_tokens(tokenizer(f"{tokenizer.bos_token}a", add_special_tokens=False).input_ids)
    config = folder / "tokenizer_config.json"
    facts = json.loads(config.read_text()) | {"add_prefix_space": pieces[1].startswith(SPACE)}
    config.write_text(json.dumps(facts, ensure_ascii=False))


def _write_facts(model: Model, folder: Path) -> None:
    facts = {
        "version": model.version,
        "base_model": model.base_name,
        "base_revision": model.base_revision,
        "dataset_hash": model.dataset_hash,
        "prompt_version": model.prompt_version,
        "prompt_digest": prompts.digest(model.prompt_version),
        "prompt": prompts.PROMPTS[model.prompt_version],
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False))


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder that is there whole or not at all."""
    if out.exists():
        raise CannotExport(f"{out} exists already")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as scratch:
        folder = Path(scratch) / "whole"
        folder.mkdir()
        yield folder
        folder.replace(out)


def _why(stderr: str) -> str:
    if "pre-tokenizer was not recognized" in stderr:
        return "llama.cpp knows no tokenizer like this one; --format merged works"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
