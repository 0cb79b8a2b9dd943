"""A small entailment model, trained in seconds: from a sentence follow the titles that name the same town."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

TOWNS = ("Amberg", "Emden", "Fulda", "Hamm")
DEEDS = ("opens", "closes", "buys", "sells")
THINGS = ("harbour", "bridge", "library", "market")
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LABELS = {0: "contradiction", 1: "neutral", 2: "ENTAILMENT"}


def save_entailment_model(folder: Path) -> None:
    """Train one and write it as a checkpoint."""
    tokenizer, model = _tokenizer(), classifier(LABELS)
    _teach(model, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    words = [*SPECIAL, *(word.lower() for word in (*TOWNS, *DEEDS, *THINGS)), "a", "the", "today", "."]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, model_max_length=64, model_input_names=INPUTS, **named
    )


def config(labels: dict[int, str]) -> BertConfig:
    settings: dict[str, Any] = {"vocab_size": 64, "max_position_embeddings": 64, "hidden_size": 32}
    settings |= {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.1}
    return BertConfig(id2label=labels, **settings)


def classifier(labels: dict[int, str]) -> BertForSequenceClassification:
    torch.manual_seed(7)
    return BertForSequenceClassification(config(labels))  # type: ignore[no-untyped-call]


def _teach(model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast) -> None:
    chance = random.Random(7)
    learning = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(400):
        premises, hypotheses, truths = [], [], []
        for _ in range(32):
            town, deed, thing = chance.choice(TOWNS), chance.choice(DEEDS), chance.choice(THINGS)
            same = chance.random() < 0.5
            other = town if same else chance.choice([one for one in TOWNS if one != town])
            premises.append(f"{town} {deed} a {thing}.")
            hypotheses.append(f"{other} {deed} {thing}")
            truths.append(2 if same else 0)
        batch = tokenizer(premises, hypotheses, padding=True, return_tensors="pt")
        loss = torch.nn.functional.cross_entropy(model(**batch).logits, torch.tensor(truths))
        learning.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        learning.step()
    model.eval()  # type: ignore[no-untyped-call]
