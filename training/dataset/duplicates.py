"""Which texts are nearly the same: MinHash (Broder 1997) over runs of words, with locality-sensitive hashing.

Two thresholds of one measure, the share of word runs that two texts have in common (Jaccard): texts that share half of
them tell one story and stand on the same side of every border; texts that share four fifths are copies.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SAME_STORY = 0.5
SAME_TEXT = 0.8
_RUN = 4
"""Words in a run: long enough that two texts of one genre share few."""
_PERMUTATIONS, _BAND = 96, 3
"""32 bands of 3: two texts with half of their runs in common meet in a band with 98.6 %, with four fifths always."""
_CROWD = 32
"""Texts that meet in one band are compared with so many others: a crowd there is boilerplate."""
_MIXED = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)
"""Large odd numbers: the sum of a band's products with them, modulo 2**64, is its hash."""
_WORD = re.compile(r"\w+")

Signature = NDArray[np.uint32]
Likeness = dict[str, dict[str, float]]
"""For every key that has one nearly the same: those keys, and how much they share. Both ways."""


def signature(text: str) -> Signature:
    """What is kept of a text: under 400 bytes, whatever its length. Case and punctuation do not count."""
    words = _WORD.findall(text.casefold())
    runs = {" ".join(words[at : at + _RUN]).encode() for at in range(max(1, len(words) - _RUN + 1))}
    # crc32 instead of sha1, and the same permutations for all: half of the time
    minhash = MinHash(num_perm=_PERMUTATIONS, hashfunc=zlib.crc32, permutations=_permutations())
    minhash.update_batch(runs)
    return minhash.hashvalues.astype(np.uint32)  # type: ignore[no-any-return]


@cache
def _permutations() -> Any:
    return MinHash(num_perm=_PERMUTATIONS).permutations


def alike(signatures: Mapping[str, Signature]) -> Likeness:
    """Who is nearly the same as whom. Sorted bands instead of an index of them: a twentieth of its memory."""
    keys = list(signatures)
    found: Likeness = {}
    if len(keys) < 2:
        return found
    matrix = np.stack(list(signatures.values()))
    for start in range(0, _PERMUTATIONS, _BAND):
        for one, other in _met(matrix[:, start : start + _BAND]):
            if keys[other] in found.get(keys[one], {}):
                continue
            share = float((matrix[one] == matrix[other]).mean())
            if share >= SAME_STORY:
                found.setdefault(keys[one], {})[keys[other]] = share
                found.setdefault(keys[other], {})[keys[one]] = share
    return found


def _met(band: Signature) -> Iterator[tuple[int, int]]:
    """Pairs of rows with the same band; a few others as well, for bands are compared by a hash."""
    values = band.astype(np.uint64) @ _MIXED
    order = np.argsort(values, kind="stable")
    same = values[order[1:]] == values[order[:-1]]
    first = 0
    for at in range(1, len(order)):
        if not same[at - 1]:
            first = at
            continue
        yield int(order[first]), int(order[at])
        for earlier in range(max(first + 1, at - _CROWD), at):
            yield int(order[earlier]), int(order[at])


def groups(keys: Sequence[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The keys, with those together that are linked, directly or over others between."""
    number = {key: at for at, key in enumerate(keys)}
    ends = np.array([(number[one], number[other]) for one, other in links], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(keys), len(keys)))
    count, labels = connected_components(graph, directed=False)
    together: list[list[str]] = [[] for _ in range(count)]
    for key, label in zip(keys, labels, strict=True):
        together[label].append(key)
    return together


def links(likeness: Likeness) -> Iterable[tuple[str, str]]:
    """The pairs of one story."""
    return ((one, other) for one, others in likeness.items() for other in others)


def copies(order: Iterable[str], likeness: Likeness) -> dict[str, str]:
    """Every key that is a copy of one before it in `order`, with that one. What comes first is kept."""
    kept: set[str] = set()
    copied: dict[str, str] = {}
    for key in order:
        same = [other for other, share in likeness.get(key, {}).items() if share >= SAME_TEXT and other in kept]
        if same:
            copied[key] = min(same)
        else:
            kept.add(key)
    return copied
