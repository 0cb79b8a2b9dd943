"""Short forms and specialist words that a general newspaper would have to explain.

Three grounds, each strong enough by itself: the article explains the short form in brackets after plain words ("novel
view synthesis (NVS)"), it is on the list of the trade's own short forms, or it is a word of the trade. Any other short
form is taken for a name (IBM, HTC): calling every capitalised company jargon would drown the curator.
"""

from __future__ import annotations

import re

from editorial.lexicon import SPECIALIST, WELL_KNOWN

_JARGON = re.compile(
    r"\b(zero[- ]shot|few[- ]shot|pre[- ]?train\w+|tokeni[sz]\w+|tokenomics|embeddings?|quanti[sz]ation|"
    r"backprop\w*|autoregressive|"
    r"multi[- ]?modal\w*|state[- ]space models?|mixture[- ]of[- ]experts|retrieval[- ]augmented|"
    r"self[- ]supervised|semi[- ]supervised|reinforcement learning from|knowledge distillation|diffusion transformers?|"
    r"convolutional|recurrent neural|hyperparameters?|logits?|perplexity score|gradient descent|softmax|"
    r"encoder|decoder|"
    r"foundation models?|inference[- ]time|chain[- ]of[- ]thought|low[- ]rank|sharding|hyperautomation)\b",
    re.IGNORECASE,
)
_SHORT_FORM = re.compile(r"(?<![\w&-])(?=\w*[A-Z]\w*[A-Z])[A-Za-z][A-Za-z0-9&]{1,9}(?![\w&]|-\d)")
_EXPLAINED = re.compile(r"(?<![\w-])[a-z][\w-]{0,40}\s{1,3}\((?:the |or )?[\"“]?([A-Z][A-Za-z0-9&-]{1,9}?)s?[\"”]?\)")


def unexplained_acronyms(title: str, article: str) -> list[str]:
    """The title's short forms that a general reader would have to look up, as written, without doubles.

    A short form in brackets behind its long form in the title is explained. A shouted title has no short forms.
    """
    if title.isupper():
        return []
    introduced = {found.upper() for found in _EXPLAINED.findall(article)}
    explained_here = {found.upper() for found in _EXPLAINED.findall(title)}
    found: list[str] = []
    for match in _SHORT_FORM.finditer(title):
        core = _singular(match[0]).upper()
        if core in explained_here or core in WELL_KNOWN or match[0] in found:
            continue
        if core in SPECIALIST or core in introduced:
            found.append(match[0])
    return found


def jargon(title: str) -> list[str]:
    """The title's specialist words, as written, without doubles."""
    return list(dict.fromkeys(match[0] for match in _JARGON.finditer(title)))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and word[:-1].isupper() else word
