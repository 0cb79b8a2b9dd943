"""One contender trains one adapter, in this process, and prints its figures as a line of JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid5

import torch

from editorial.cut import cut
from infra.newsroom.stories import write_story
from infra.settings import Settings
from tests.learning_samples import PRESS
from training.batches import Encoded, encode, pad_id, title_loss
from training.dataset import TRAIN, Example, Origin
from training.finetune import add_adapter, finetune, load_base
from training.recipe import Recipe, load_recipe

OURS = "ours"
CONTENDERS = {
    OURS: "the recipe (`copydesk train`)",
    "trainer": "transformers' Trainer, its defaults",
    "sft": "TRL's SFTTrainer, its defaults",
    "sft-plain": "TRL's SFTTrainer, without gradient checkpointing and bf16",
}
BATCH = 8
RATE = 1e-3
PRESS_SEED = 5
UNSEEN = 24


@dataclass(frozen=True)
class Case:
    """A model, and articles of a length."""

    description: str
    examples: int
    stories_each: int
    """Articles are made of so many stories one after the other."""
    own_model: bool = False
    """A random Llama with 35 million parameters and 32,000 tokens in its vocabulary, instead of the demo's base."""


CASES = {
    "short": Case("The demo's base, articles of the simulated press as they are", 160, 1),
    "long": Case("The demo's base, articles of about 700 tokens", 32, 5),
    "vocabulary": Case(
        "A random Llama of 35 M parameters with a vocabulary of 32,000, articles as they are", 48, 1, True
    ),
}


@dataclass
class Ground:
    """What all contenders are given."""

    recipe: Recipe
    base: str
    revision: str
    examples: list[Example]
    unseen: list[Example]
    scratch: Path

    def encoded(self, examples: Sequence[Example]) -> list[Encoded]:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.base, revision=self.revision)
        return [encode(tokenizer, self.recipe, shortened(one.text), one.title) for one in examples]

    def model(self) -> Any:
        """The base with a fresh adapter."""
        torch.manual_seed(self.recipe.seed)
        return add_adapter(load_base(self.recipe, self.base, self.revision), self.recipe, None)

    @property
    def padding(self) -> int:
        from transformers import AutoTokenizer

        return pad_id(AutoTokenizer.from_pretrained(self.base, revision=self.revision))

    def loss(self, model: Any) -> float:
        """Nats per title token on articles that nobody trained on."""
        held = self.encoded(self.unseen)
        model.eval()
        with torch.inference_mode():
            nats = sum(title_loss(model, [one], self.padding).item() for one in held)
        return nats / sum(one.title_tokens for one in held)


def shortened(text: str) -> str:
    """An article as all contenders get it."""
    return cut(text, 700)


def ground(case: Case, scratch: Path, seed: int) -> Ground:
    """Examples and model of the case."""
    settings = Settings()
    recipe = load_recipe("demo").model_copy(
        update={"epochs": 1, "batch_size": BATCH, "learning_rate": RATE, "seed": seed, "warmup_share": 0.1}
    )
    base = str(scratch / "base") if case.own_model else settings.base_model
    if case.own_model:
        make_base(settings, Path(base))
    examples = [example(number, case.stories_each) for number in range(case.examples + UNSEEN)]
    return Ground(recipe, base, settings.base_revision, examples[UNSEEN:], examples[:UNSEEN], scratch)


def example(number: int, stories_each: int) -> Example:
    stories = [write_story(PRESS_SEED, number * stories_each + at) for at in range(stories_each)]
    text = "\n\n".join(story.text for story in stories)
    article = uuid5(PRESS, text)
    return Example(str(article), article, 1, article, text, stories[0].house_title, Origin.correction, TRAIN)


def make_base(settings: Settings, folder: Path) -> None:
    """A random model with the demo's tokenizer: for speed alone."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(PRESS_SEED)
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model, revision=settings.base_revision)
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=6,
        max_position_embeddings=2048,
        pad_token_id=pad_id(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)


def ours(given: Ground, threads: int) -> tuple[Any, float, float]:
    """The recipe, as `copydesk train` runs it."""
    from peft import PeftModel

    log = finetune(
        given.recipe,
        given.examples,
        base_model=given.base,
        base_revision=given.revision,
        base_name="bench",
        parent=None,
        out=given.scratch / "ours",
        cut=shortened,
        threads=threads,
        progress=lambda step: None,
    )
    base = load_base(given.recipe, given.base, given.revision)
    return PeftModel.from_pretrained(base, str(given.scratch / "ours")), log.seconds, padded_by_length(given)


def padded_by_length(given: Ground) -> float:
    from training.batches import endless_batches

    encoded = given.encoded(given.examples)
    batches = endless_batches(encoded, BATCH, given.recipe.seed)
    steps = -(-len(encoded) // BATCH)
    taken = [next(batches) for _ in range(steps)]
    whole = sum(len(batch) * max(one.tokens for one in batch) for batch in taken)
    return 1 - sum(one.tokens for batch in taken for one in batch) / whole


def arguments(given: Ground) -> dict[str, Any]:
    """What both trainers are told beside their defaults: where, how long, how fast to learn."""
    return {
        "output_dir": str(given.scratch / "trainer"),
        "num_train_epochs": 1,
        "per_device_train_batch_size": BATCH,
        "learning_rate": RATE,
        "warmup_steps": round(0.1 * len(given.examples) / BATCH),
        "report_to": [],
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": given.recipe.seed,
    }


def rows(encoded: Sequence[Encoded]) -> list[dict[str, list[int]]]:
    """Prompt and title; the loss counts the title."""
    return [
        {
            "input_ids": list(one.ids),
            "attention_mask": [1] * one.tokens,
            "labels": [-100] * one.prompt_tokens + list(one.ids[one.prompt_tokens :]),
        }
        for one in encoded
    ]


def trainer(given: Ground) -> tuple[Any, float, float]:
    """transformers' own loop, with the collator that its examples use for padded labels."""
    from transformers import AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments

    tokenizer = AutoTokenizer.from_pretrained(given.base, revision=given.revision)
    model, counted = given.model(), Padding()
    collate = DataCollatorForSeq2Seq(tokenizer)
    loop = Trainer(
        model=model,
        args=TrainingArguments(**arguments(given)),
        train_dataset=rows(given.encoded(given.examples)),
        data_collator=counted.of(collate),
    )
    return model, timed(loop), counted.share


def sft(given: Ground, **further: Any) -> tuple[Any, float, float]:
    """TRL's loop on prompt and completion, its loss on the completion."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    encoded = given.encoded(given.examples)
    data = Dataset.from_list(
        [
            {"input_ids": list(one.ids), "completion_mask": [0] * one.prompt_tokens + [1] * one.title_tokens}
            for one in encoded
        ]
    )
    model, counted = given.model(), Padding()
    loop = SFTTrainer(
        model=model,
        args=SFTConfig(**arguments(given), max_length=2048, completion_only_loss=True, **further),
        train_dataset=data,
    )
    loop.data_collator = counted.of(loop.data_collator)
    return loop.model, timed(loop), counted.share


def timed(loop: Any) -> float:
    """Seconds that the loop's training takes."""
    began = time.monotonic()
    loop.train()
    return time.monotonic() - began


class Padding:
    """Counts how much of the batches is padding, on their way."""

    def __init__(self) -> None:
        self._real = self._all = 0

    def of(self, collate: Any) -> Any:
        """The same collator, looked at."""

        def looked_at(features: Any) -> Any:
            batch = collate(features)
            self._all += batch["input_ids"].numel()
            self._real += sum(len(one["input_ids"]) for one in features)
            return batch

        return looked_at

    @property
    def share(self) -> float:
        return 1 - self._real / self._all


def main() -> None:
    """case, contender, scratch folder, threads, seed."""
    case, name, scratch, threads, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    torch.set_num_threads(threads)
    given = ground(CASES[case], scratch, seed)
    runs = {
        OURS: lambda: ours(given, threads),
        "trainer": lambda: trainer(given),
        "sft": lambda: sft(given),
        "sft-plain": lambda: sft(given, gradient_checkpointing=False, bf16=False),
    }
    model, seconds, padding = runs[name]()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures = {
        "case": case,
        "name": name,
        "seconds": seconds,
        "tokens": sum(one.tokens for one in given.encoded(given.examples)),
        "padding": padding,
        "loss": given.loss(model),
        "memory_mb": memory,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
