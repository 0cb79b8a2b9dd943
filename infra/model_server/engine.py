"""The model: one base, any number of LoRA adapters and whole models beside it, and decoding of whole batches.

A whole model is one that was trained from the base in all its weights; it takes its own memory, an adapter hardly any.
Not thread-safe: `batcher.py` sees to it that one thread uses it.

Exception
├── AdapterMissing    there is no adapter and no model at this path
├── AdapterBroken     there is one, but it does not fit the base or holds no safetensors
└── AdapterLoaded     the name is taken; a name stands for one set of weights for ever
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from infra.artefacts import WHOLE
from infra.model_server.batcher import Completion, Prompt

BASE = "base"
"""The name under which the base model is served."""
DEFAULT_CONTEXT = 2048


class AdapterMissing(Exception):
    """No such folder, or neither an adapter nor a model in it."""


class AdapterBroken(Exception):
    """The folder's contents cannot serve beside this base."""


class AdapterLoaded(Exception):
    """The name is already in use."""


class Engine:
    """A loaded model. Build it with `Engine.load`."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.context: int = getattr(model.config, "max_position_embeddings", None) or DEFAULT_CONTEXT
        self.adapters: dict[str, Path] = {}
        self._base = model
        self._tuned: PeftModel | None = None
        self._whole: dict[str, PreTrainedModel] = {}
        self._end_ids = _end_ids(model, tokenizer)
        self._pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self._end_ids[0]

    @classmethod
    def load(cls, base_model: str, revision: str, threads: int) -> Engine:
        """Load the base by folder or hub name."""
        torch.set_num_threads(threads or os.cpu_count() or 1)
        tokenizer = AutoTokenizer.from_pretrained(base_model, revision=revision)
        return cls(_load(base_model, revision)[0], tokenizer, base_model)

    def tokenize(self, messages: Sequence[dict[str, str]]) -> tuple[int, ...]:
        """The whole prompt by the tokenizer's chat template. Raises `ValueError` if it has none. Thread-safe."""
        text = self.tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
        assert isinstance(text, str)
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def load_adapter(self, name: str, path: Path) -> None:
        """Serve the adapter or the whole model in folder `path` as `name`. Raises the errors of this module."""
        if name == BASE or name in self.adapters:
            raise AdapterLoaded(f"The lora adapter '{name}' has already been loaded.")
        whole = (path / WHOLE).is_file()
        if not whole and not (path / "adapter_config.json").is_file():
            raise AdapterMissing(f"Loading lora {name} failed: no adapter found for {path}")
        if not whole and not (path / "adapter_model.safetensors").is_file():
            raise AdapterBroken(f"Loading lora {name} failed: {path} holds no adapter_model.safetensors")
        try:
            if whole:
                self._add_whole(name, path)
            else:
                self._inject(name, path)
        except Exception as error:  # whatever PEFT, safetensors and torch raise for weights that do not fit
            self._drop(name)
            raise AdapterBroken(f"Loading lora {name} failed: {error}") from error
        self.adapters[name] = path

    def _inject(self, name: str, path: Path) -> None:
        config = PeftConfig.from_pretrained(str(path), inference_mode=True)
        if self._tuned is None:
            self._tuned = PeftModel(self._base, config, adapter_name=name)
        else:
            self._tuned.add_adapter(name, config)
        weights = load_file(path / "adapter_model.safetensors")
        # save_embedding_layers="auto" would ask the hub about the base's name
        expected = get_peft_model_state_dict(self._tuned, adapter_name=name, save_embedding_layers=False)
        if weights.keys() != expected.keys():  # PEFT itself would only warn and serve random weights
            raise ValueError(f"{len(weights.keys() ^ expected.keys())} tensors are missing or fit nowhere")
        set_peft_model_state_dict(self._tuned, weights, name)
        self._tuned.eval()

    def _add_whole(self, name: str, path: Path) -> None:
        """Prompts are tokenized before it is known who answers them: so its tokenizer has to be the base's."""
        tokenizer = AutoTokenizer.from_pretrained(path)
        if (tokenizer.backend_tokenizer.to_str(), tokenizer.chat_template) != (
            self.tokenizer.backend_tokenizer.to_str(),
            self.tokenizer.chat_template,
        ):
            raise ValueError("its tokenizer or chat template is not the base's")
        model, account = _load(str(path), "main")
        if faults := [*account["missing_keys"], *account["unexpected_keys"], *account["mismatched_keys"]]:
            raise ValueError(f"{len(faults)} tensors are missing or fit nowhere")  # else they would be random
        self._whole[name] = model

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter; `KeyError` if there is none of this name."""
        del self.adapters[name]
        self._drop(name)

    def _drop(self, name: str) -> None:
        if self._whole.pop(name, None) is not None:
            return
        if self._tuned is None or name not in self._tuned.peft_config:
            return
        if len(self._tuned.peft_config) == 1:  # PEFT cannot be left without any adapter: restore the plain base
            self._tuned.unload()
            self._tuned = None
            return
        if self._tuned.active_adapter == name:
            self._tuned.set_adapter(next(other for other in self._tuned.peft_config if other != name))
        self._tuned.delete_adapter(name)

    def complete(self, adapter: str, prompts: Sequence[Prompt]) -> list[Completion]:
        """Answer a batch with one adapter (or `BASE`). Rows do not influence each other."""
        with self._using(adapter) as model:
            return self._decode(model, prompts)

    @torch.inference_mode()
    def surprise(self, adapter: str, prompt_ids: Sequence[int], answer_ids: Sequence[int]) -> float:
        """How unlikely an answer is to this adapter (or `BASE`), in nats per token of the answer."""
        with self._using(adapter) as model:
            ids = torch.tensor([[*prompt_ids, *answer_ids]], device=model.device)
            logits = model(input_ids=ids, logits_to_keep=len(answer_ids) + 1).logits[0, :-1].float()
            return float(torch.nn.functional.cross_entropy(logits, ids[0, -len(answer_ids) :]))

    @contextmanager
    def _using(self, adapter: str) -> Iterator[PreTrainedModel]:
        """The model as this adapter has it, or the whole model of this name."""
        if adapter in self._whole:
            yield self._whole[adapter]
        elif self._tuned is None:
            assert adapter == BASE, "an adapter's name reached the engine before the adapter"
            yield self._base
        elif adapter == BASE:
            with self._tuned.disable_adapter():
                yield self._base
        else:
            if self._tuned.active_adapter != adapter:
                self._tuned.set_adapter(adapter)
            yield self._base  # PEFT's layers sit inside it

    @torch.inference_mode()
    def _decode(self, model: PreTrainedModel, prompts: Sequence[Prompt]) -> list[Completion]:
        """Left-padded prefill, then one token per step for the rows that are not finished yet.

        Rows that have ended leave the batch, so that one long answer does not make all pay for its length.
        """
        device = model.device
        longest = max(len(prompt.token_ids) for prompt in prompts)
        rows = [[self._pad_id] * (longest - len(p.token_ids)) + list(p.token_ids) for p in prompts]
        real = [[0] * (longest - len(p.token_ids)) + [1] * len(p.token_ids) for p in prompts]
        ids, mask = torch.tensor(rows, device=device), torch.tensor(real, device=device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache()
        alive = list(range(len(prompts)))
        written: list[list[int]] = [[] for _ in prompts]
        samplers = [_Sampler(prompt) for prompt in prompts]
        while True:
            output = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            logits = output.logits[:, -1].float()
            greedy = logits.argmax(-1).tolist()
            for place, row in enumerate(alive):
                token = greedy[place] if prompts[row].temperature == 0 else samplers[row].draw(logits[place])
                written[row].append(token)
            keep = [place for place, row in enumerate(alive) if not self._ended(written[row], prompts[row])]
            if not keep:
                break
            if len(keep) < len(alive):
                kept = torch.tensor(keep, device=device)
                cache.batch_select_indices(kept)
                mask, positions = mask[kept], positions[kept]
                alive = [alive[place] for place in keep]
            ids = torch.tensor([[written[row][-1]] for row in alive], device=device)
            mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
            positions = positions[:, -1:] + 1
        return [self._completion(tokens) for tokens in written]

    def _ended(self, tokens: list[int], prompt: Prompt) -> bool:
        return tokens[-1] in self._end_ids or len(tokens) >= prompt.max_tokens

    def _completion(self, tokens: list[int]) -> Completion:
        stopped = tokens[-1] in self._end_ids
        text = self.tokenizer.decode(tokens[:-1] if stopped else tokens, skip_special_tokens=True)
        assert isinstance(text, str)
        return Completion(text, len(tokens), "stop" if stopped else "length")


def _load(name: str, revision: str) -> tuple[PreTrainedModel, dict[str, Any]]:
    """By folder or hub name, fp32 on a CPU (exact and fastest there), bf16 on a GPU; with what was missing."""
    on_gpu = torch.cuda.is_available()
    loaded = AutoModelForCausalLM.from_pretrained(
        name,
        revision=revision,
        dtype=torch.bfloat16 if on_gpu else torch.float32,
        device_map="cuda" if on_gpu else "cpu",
        output_loading_info=True,
    )
    return cast("tuple[PreTrainedModel, dict[str, Any]]", loaded)


class _Sampler:
    """Draws one row's tokens by its own temperature, top_p and seed, whoever shares the batch."""

    def __init__(self, prompt: Prompt) -> None:
        self._temperature = prompt.temperature
        self._top_p = prompt.top_p
        self._random = torch.Generator()
        if prompt.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(prompt.seed)

    def draw(self, logits: Tensor) -> int:
        shares, order = torch.softmax(logits.cpu() / self._temperature, -1).sort(descending=True)
        before = shares.cumsum(-1) - shares
        shares = shares.where(before < self._top_p, 0.0)
        return int(order[torch.multinomial(shares, 1, generator=self._random)])


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """All tokens that end an answer: chat models often have one for the turn and one for the text."""
    configured: int | list[int] | None = getattr(model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return tuple(sorted({token for token in [*ids, tokenizer.eos_token_id] if token is not None}))
