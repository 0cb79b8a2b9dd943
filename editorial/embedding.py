"""Texts as vectors: near ones are about like things. all-MiniLM-L6-v2 as its authors use it (Reimers and Gurevych 2019,
arXiv 1908.10084): the mean of the tokens' vectors, at unit length. torch is imported when an `Embedder` is built.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from editorial.bertscore import minilm_folder

Vectors = NDArray[np.float32]
MAX_TOKENS = 256
"""What the model was trained on; an article's beginning says what it is about."""
_AT_ONCE = 16


class Embedder:
    """A loaded model. Not for use by several threads at once."""

    def __init__(self, threads: int = 0) -> None:
        """`threads` sets torch's threads for the whole process, 0 leaves them."""
        import torch
        from transformers import AutoModel, AutoTokenizer

        if threads:
            torch.set_num_threads(threads)
        folder = str(minilm_folder())
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """texts -> len(texts) x 384 of float32, each row of unit length."""
        rows = [self._embed(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
        return np.concatenate(rows) if rows else np.empty((0, self._model.config.hidden_size), np.float32)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        import torch

        readable = [text[: MAX_TOKENS * 20].encode("utf-8", "replace").decode() for text in texts]
        read = self._tokenizer(readable, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            vectors = self._model(**read).last_hidden_state
        mask = read["attention_mask"].unsqueeze(-1).to(vectors.dtype)
        means = (vectors * mask).sum(1) / mask.sum(1)
        found: Vectors = torch.nn.functional.normalize(means, dim=-1).numpy()
        return found
