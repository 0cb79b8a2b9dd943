"""A tokenizer whose words are whole and look the same wherever they stand, over bytes for everything else."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from infra.newsroom.stories import retell, write_story
from training.demo_model.lessons import INSTRUCTIONS, first_turn

PAD, END, BEGIN, USER, ASSISTANT = SPECIAL = ("<|pad|>", "<|end|>", "<|begin|>", "<|user|>", "<|assistant|>")
CONTEXT = 2048  # positions the model is built for; it is trained on far shorter texts
_STORIES = 12_000
_PIECES = 700  # bytes and frequent fragments, for words the press never uses

# A word after one of these would lack the space that the same word has elsewhere, and be another token. The normalizer
# puts a space there, the decoder takes away exactly one again: every text survives the round trip.
_OPENERS = ("\n", '"', "(", "$")
_WORD = r" ?[A-Za-z]+| ?[0-9]{1,3}"
_SPLIT = rf"{_WORD}|\n(?: \n)*| ?[^\sA-Za-z0-9]|\s"

CHAT_TEMPLATE = (
    "{{ '<|begin|>' }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + '<|end|>' }}"
    "{% else %}{{ '<|user|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tokenizer(seed: int, stories: int = _STORIES) -> PreTrainedTokenizerFast:
    """Trains the tokenizer on `stories` articles of the press called `seed`."""
    inner = Tokenizer(models.BPE(ignore_merges=True))
    inner.normalizer = normalizers.Sequence(
        [*(normalizers.Replace(char, f"{char} ") for char in _OPENERS), normalizers.Prepend(" ")]
    )
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.Sequence(
        [
            decoders.ByteLevel(),
            *(decoders.Replace(f"{char} ", char) for char in _OPENERS),
            decoders.Strip(" ", 1, 0),
        ]
    )
    texts = list(_press(seed, stories))
    trainer = trainers.BpeTrainer(
        vocab_size=_PIECES,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    whole = Tokenizer.from_str(_with_words(inner.to_str(), _words(inner, texts)))
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=whole,
        pad_token=PAD,
        eos_token=END,
        bos_token=BEGIN,
        additional_special_tokens=[USER, ASSISTANT],
        model_max_length=CONTEXT,
        padding_side="left",  # prompts of a batch end together, where the answers start
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    number = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(number, int)
    return number


def _press(seed: int, stories: int) -> Iterator[str]:
    yield from INSTRUCTIONS
    for index in range(stories):
        story = write_story(seed, index)
        yield from (first_turn(story, seed=index)[0], story.careless_title, story.house_title, story.kind)
        if index % 10 == 0:
            yield retell(story, index).text


def _words(inner: Tokenizer, texts: Iterable[str]) -> list[str]:
    """Every word and number of the press, as the byte-level alphabet spells it."""
    normalizer = inner.normalizer
    assert normalizer is not None
    counts = Counter(word for text in texts for word in re.findall(_WORD, normalizer.normalize_str(text)))
    return sorted(word.replace(" ", "\u0120") for word, count in counts.items() if count > 1)


def _with_words(state: str, words: Iterable[str]) -> str:
    """Adds whole words to a byte-pair model that takes a word it knows without asking its merges."""
    parsed = json.loads(state)
    vocabulary = parsed["model"]["vocab"]
    for word in words:
        vocabulary.setdefault(word, len(vocabulary))
    return json.dumps(parsed)
