"""Short forms and specialist words that a general newspaper would have to explain.

Three grounds, each strong enough by itself: the article explains the short form in brackets after plain words ("novel
view synthesis (NVS)"), it is on the list of the trade's own short forms, or it is a word of the trade. Any other short
form is taken for a name (IBM, HTC): calling every capitalised company jargon would drown the curator.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from editorial.lexicon import SPECIALIST, WELL_KNOWN

_JARGON = re.compile(
    r"\b(zero[- ]shot|few[- ]shot|pre[- ]?train\w+|tokeni[sz]\w+|tokenomics|embeddings?|quanti[sz]ation|"
    r"backprop\w*|autoregressive|(?:transfer|federated|contrastive|in-context) learning|"
    r"neural operators?|"
    r"multi[- ]?modal\w*|state[- ]space models?|mixture[- ]of[- ]experts|retrieval[- ]augmented|"
    r"self[- ]supervised|semi[- ]supervised|reinforcement learning from|knowledge distillation|diffusion transformers?|"
    r"convolutional|recurrent neural|hyperparameters?|logits?|perplexity score|gradient descent|softmax|"
    r"encoder|decoder|"
    r"foundation models?|inference[- ]time|chain[- ]of[- ]thought|low[- ]rank|sharding|hyperautomation)\b",
    re.IGNORECASE,
)
_SHORT_FORM = re.compile(r"(?<![\w&-])(?=\w*[A-Z]\w*[A-Z])[A-Za-z][A-Za-z0-9&]{1,9}(?![\w&]|-\d)")
_WORD = re.compile(r"[^\W_](?:[\w&-]*\w)?")
_EXPLAINED = re.compile(r"(?<![\w-])[a-z][\w-]{0,40}\s{1,3}\((?:the |or )?[\"“]?([A-Z][A-Za-z0-9&-]{1,9}?)s?[\"”]?\)")


class Vocabulary(BaseModel):
    """What was learned, by `word_key`; sorted, so that the same verdicts give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    specialist: tuple[str, ...] = ()
    """To be explained or replaced, beside what the house's own lists have."""
    known: tuple[str, ...] = ()
    """Our readers know them, whatever the house's own lists say."""


NOTHING_LEARNED = Vocabulary()


def word_key(word: str) -> str:
    """Under which a word is learned: without case, a short form without its plural s."""
    singular = word[:-1] if len(word) > 2 and word.endswith("s") and word[:-1].isupper() else word
    return singular.casefold()


def short_forms(title: str) -> list[str]:
    """A title's short forms as written; a shouted title has none."""
    return [] if title.isupper() else [match[0] for match in _SHORT_FORM.finditer(title)]


def words(title: str) -> list[str]:
    """A title's words; compounds with hyphens are one."""
    return _WORD.findall(title)


def unexplained_acronyms(title: str, article: str, learned: Vocabulary = NOTHING_LEARNED) -> list[str]:
    """The title's short forms that a general reader would have to look up, as written, without doubles.

    A short form in brackets behind its long form in the title is explained. What curators taught goes before the
    house's own lists.
    """
    introduced = {found.upper() for found in _EXPLAINED.findall(article)}
    explained_here = {found.upper() for found in _EXPLAINED.findall(title)}
    found: list[str] = []
    for word in short_forms(title):
        key = word_key(word)
        core = key.upper()
        if core in explained_here or key in learned.known or word in found:
            continue
        if key in learned.specialist or (core not in WELL_KNOWN and (core in SPECIALIST or core in introduced)):
            found.append(word)
    return found


def jargon(title: str, learned: Vocabulary = NOTHING_LEARNED) -> list[str]:
    """The title's specialist words, as written, without doubles. Short forms are not among them."""
    listed = [match[0] for match in _JARGON.finditer(title) if word_key(match[0]) not in learned.known]
    taught = [word for word in words(title) if word_key(word) in learned.specialist and not _SHORT_FORM.fullmatch(word)]
    return list(dict.fromkeys(listed + taught))
