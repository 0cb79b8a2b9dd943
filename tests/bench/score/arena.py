"""One contender scores the pairs that come on stdin; its figures go to stdout as one line of JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from editorial.bertscore import MAX_WINDOWS, MINILM_LAYERS, Scorer, minilm_folder

PACKAGE = "package"
PACKAGE_LOADED = "package-loaded"
CONTENDERS = {
    PACKAGE: "`bert_score.score(...)`, one call for all",
    PACKAGE_LOADED: "`BERTScorer.score(...)`, loaded before",
    "cut": "Copydesk, 512 tokens of an article, loading included",
    "cut-loaded": "the same, loaded before",
    "cut-bf16": "the same in bfloat16",
    "windows": "Copydesk, the whole article, loaded before",
    "windows-again": "the whole article, other titles over articles seen before",
}
ENOUGH = 4 << 30  # bytes: all articles of the run stay in the cache
Figures = dict[str, Any]


def main() -> None:
    """Measure one."""
    name, threads = sys.argv[1], int(sys.argv[2])
    pairs = json.load(sys.stdin)
    titles, articles = [title for title, _ in pairs], [article for _, article in pairs]
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(threads)
    figures = growth(threads) if name == "growth" else measured(name, titles, articles, threads)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"name": name, "memory_mb": memory, **figures}))


def measured(name: str, titles: list[str], articles: list[str], threads: int) -> Figures:
    """Seconds of CPU and precisions of one contender."""
    import bert_score

    model = {"model_type": str(minilm_folder()), "num_layers": MINILM_LAYERS}
    if name == PACKAGE:
        return timed(lambda: bert_score.score(titles, articles, **model)[0].tolist())
    if name == PACKAGE_LOADED:
        scorer = bert_score.BERTScorer(**model)
        return timed(lambda: scorer.score(titles, articles)[0].tolist())

    def load() -> Scorer:
        windows = 1 if name.startswith("cut") else MAX_WINDOWS
        dtype = "bfloat16" if name.endswith("bf16") else "float32"
        kept = ENOUGH if name.endswith("again") else 0
        return Scorer(threads=threads, dtype=dtype, windows=windows, cache_bytes=kept)

    def precisions(ours: Scorer, titles: Sequence[str]) -> list[float]:
        return [score.precision for score in ours.score(titles, articles)]

    if name == "cut":
        return timed(lambda: precisions(load(), titles))
    ours = load()
    if name.endswith("again"):
        precisions(ours, [title[::-1] for title in titles])
    return timed(lambda: precisions(ours, titles))


def growth(threads: int) -> Figures:
    """Milliseconds per 1,000 tokens of articles of growing length."""
    from tests.bench.score.__main__ import GROWTH

    ours = Scorer(threads=threads, cache_bytes=0)
    took = {}
    for length in (GROWTH[0], *GROWTH):  # the first once more: nobody is warm at once
        began = time.process_time()
        for number in range(5):
            ours.score(["Quiet"], ["Streets were quiet. " * (length // 4) + str(number)])
        took[length] = (time.process_time() - began) * 1000 / 5 / (length / 1000)
    return {"ms": took}


def timed(work: Callable[[], list[float]]) -> Figures:
    """Run it: seconds of CPU and what it gave."""
    began = time.process_time()
    precision = work()
    return {"seconds": time.process_time() - began, "precision": precision}


if __name__ == "__main__":
    main()
