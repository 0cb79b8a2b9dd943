"""`copydesk export`: a model version in a form that other engines read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

from infra.settings import get_settings


class Format(StrEnum):
    """What is written."""

    merged = "merged"
    adapter = "adapter"
    gguf = "gguf"


class Precision(StrEnum):
    """How the weights of a merged model are written."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def export(
    model: str = typer.Argument(help="A version, `champion`, `base`, or an artefact's folder."),
    form: Format = typer.Option(
        Format.merged,
        "--format",
        help="merged: one safetensors model for vLLM. adapter: the LoRA adapter alone. gguf: one file for llama.cpp.",
    ),
    out: Path = typer.Option(..., help="Folder to write, or the .gguf file; it must not exist yet."),
    precision: Precision = typer.Option(Precision.auto, help="Of the weights; auto keeps that of the base."),
) -> None:
    """Write a model so that others can serve it; refused when it no longer fits its base, chat template or prompt."""
    from training import export as exports
    from training.artefact import find_model

    settings = get_settings()
    found = find_model(model, settings)
    if form is Format.adapter:
        written = exports.write_adapter(found, out)
    elif form is Format.merged:
        written = exports.write_merged(found, out, precision.value)
    else:
        written = exports.write_gguf(found, out, precision.value)
    size = sum(file.stat().st_size for file in ([out] if out.is_file() else out.rglob("*")) if file.is_file())
    typer.echo(f"{found.version} is in {out} ({size / 1e6:.1f} MB): {written}")
