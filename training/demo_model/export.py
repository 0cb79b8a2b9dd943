"""Writes the base as Hugging Face files: bf16, with its tokenizer, complete or not at all."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

from transformers import GenerationConfig, LlamaForCausalLM, PreTrainedTokenizerFast

BASE_NAME = "copydesk-demo-base"  # what an adapter calls its base: a name, never a path


def export_base(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Replaces `folder` by the model in bf16, its tokenizer and greedy generation settings."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    small = copy.deepcopy(model).bfloat16()
    small.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        do_sample=False,
        max_new_tokens=48,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    small.save_pretrained(fresh)
    tokenizer.save_pretrained(fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
