"""A second opinion: does what the article says entail the title? Any NLI checkpoint that transformers loads will do.

An entailment model reads premise and hypothesis together, so it sees who did what to whom, which a comparison of words
cannot. That costs a pass per title and premise. It is therefore asked only about the sentences that BERTScore found to
support the title best: alone the one that supports all of it, and together those that support each of its words. torch
is imported when an `Entailment` is built, not before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from editorial.bertscore import Score, first_line, readable
from schemas.errors import Invalid

_MOST_CHARACTERS = 2000  # of a title; one that long is flagged for its length anyway
_LONGEST_INPUT = 512
_PAIRS_AT_ONCE = 16


class Entailment:
    """A loaded model. Not for use by several threads at once: give it one thread of its own."""

    def __init__(self, model_name: str, *, device: str = "cpu", dtype: str = "float32") -> None:
        """Load a sequence classifier by its name or from a folder; `dtype` is `float32` or `bfloat16`.

        Raises `Invalid` for a model that has not learned to tell entailment, and where its files cannot be had.
        """
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # a worker's log is no place for it
        try:
            model, loading = AutoModelForSequenceClassification.from_pretrained(model_name, output_loading_info=True)
            self._tokenizer = AutoTokenizer.from_pretrained(model_name)
        except (OSError, ValueError) as error:  # no files, or no model that could classify
            raise Invalid(f"the entailment model {model_name!r} cannot be loaded: {first_line(error)}") from error
        self._label = entailment_label(model_name, model.config.id2label)
        if any(not key.startswith(f"{model.base_model_prefix}.") for key in loading["missing_keys"]):
            raise Invalid(f"{model_name} is no entailment model: it has no weights to classify with")
        self._model = model.to(device=device, dtype=getattr(torch, dtype)).eval()
        self._room = min(self._tokenizer.model_max_length, _LONGEST_INPUT)
        precision = "" if dtype == "float32" else f"_{dtype}"
        self.hash: str = f"nli_{Path(model_name).name}_{_digest(self._model)}{precision}"
        """Which model gave an opinion: its name and the digest of its weights."""

    def probabilities(self, premises: Sequence[str], hypotheses: Sequence[str]) -> list[float]:
        """Of each hypothesis, that the premise at the same place entails it, 0..1. A premise is cut to the model."""
        import torch

        pairs = [
            (readable(premise), readable(hypothesis[:_MOST_CHARACTERS]))
            for premise, hypothesis in zip(premises, hypotheses, strict=True)
        ]
        order = sorted(range(len(pairs)), key=lambda place: len(pairs[place][0]) + len(pairs[place][1]))
        found = [0.0] * len(pairs)
        for start in range(0, len(order), _PAIRS_AT_ONCE):
            places = order[start : start + _PAIRS_AT_ONCE]
            first, second = [pairs[place][0] for place in places], [pairs[place][1] for place in places]
            read = self._tokenizer(
                first, second, truncation=True, max_length=self._room, padding=True, return_tensors="pt"
            )
            with torch.inference_mode():
                logits = self._model(**read.to(self._model.device)).logits
            for place, probability in zip(places, logits.float().softmax(dim=-1)[:, self._label].tolist(), strict=True):
                found[place] = probability
        return found

    def judge(self, titles: Sequence[str], scores: Sequence[Score]) -> list[float]:
        """Of each title, how surely its evidence entails it, 0..1: the best of its premises. 0 where there is none."""
        asked = [
            (place, premise, title)
            for place, (title, score) in enumerate(zip(titles, scores, strict=True))
            for premise in premises_of(score)
        ]
        found = [0.0] * len(titles)
        answers = self.probabilities([premise for _, premise, _ in asked], [title for _, _, title in asked])
        for (place, _, _), probability in zip(asked, answers, strict=True):
            found[place] = max(found[place], probability)
        return found


def premises_of(score: Score) -> list[str]:
    """The sentence that supports the title best, and with it those that support its words; nothing for an empty title.

    Once only where they are the same.
    """
    if not score.evidence:
        return []
    together = " ".join(dict.fromkeys([score.evidence, *(word.sentence for word in score.words)]))
    return list(dict.fromkeys([score.evidence, together]))


def entailment_label(model_name: str, labels: Mapping[int, str]) -> int:
    """The place of the label that means entailment: checkpoints order theirs as they like. Raises `Invalid`."""
    for place, label in labels.items():
        if label.strip().lower() in {"entailment", "entail", "entails", "entailed"}:
            return place
    raise Invalid(
        f"{model_name} is no entailment model: none of its labels ({', '.join(labels.values())}) is `entailment`; "
        "take a model that was trained on NLI, or name the labels in its config.json (id2label)"
    )


def _digest(model: object) -> str:
    import torch

    assert isinstance(model, torch.nn.Module)
    digest = hashlib.sha256()
    for name, weights in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]
