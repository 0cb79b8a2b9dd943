"""Which article is this, has its text changed, and has another site told the same story? Pure functions of values."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b, sha256
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

TRACKING = re.compile(
    r"^(utm_.*|fbclid|gclid|dclid|msclkid|mc_cid|mc_eid|igshid|yclid|_hs(enc|mi)|ref|ref_src|cmpid)$", re.I
)
DEFAULT_PORTS = {"http": 80, "https": 443}
BITS = 64
SAME_STORY_BITS = 14
"""Two fingerprints that differ in at most so many of 64 bits tell one story; unrelated ones differ in about 32 +- 4."""

_NAME = re.compile(r"[A-Z][\w'’-]*[\w]|[A-Z]{2,}")
_NUMBER = re.compile(r"\d[\d.,]*")
_WORD = re.compile(r"[^\W\d_]{4,}")


def canonical_url(address: str) -> str:
    """The address without what changes between two links to one page: case, default port, fragment, tracking marks."""
    parts = urlsplit(address.strip())
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if ":" in host:  # an IPv6 literal lost its brackets
        host = f"[{host}]"
    if parts.port and parts.port != DEFAULT_PORTS.get(scheme):
        host = f"{host}:{parts.port}"
    query = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not TRACKING.match(name)
    ]
    return urlunsplit((scheme, host, parts.path or "/", urlencode(query), ""))


def page_address(fetched: str, declared: str) -> str:
    """The article's own address: the one its page declares (`rel=canonical`), if it is on the same host.

    A page may not claim another publisher's address: it would replace that publisher's article with its own.
    """
    own = canonical_url(fetched)
    if not declared:
        return own
    claimed = canonical_url(urljoin(fetched, declared))
    same_site = urlsplit(claimed).netloc.removeprefix("www.") == urlsplit(own).netloc.removeprefix("www.")
    return claimed if same_site and urlsplit(claimed).scheme in DEFAULT_PORTS else own


def content_hash(headline: str, text: str) -> str:
    """sha256 (hex) of what a reader reads; white space and Unicode's ways of writing one letter do not count."""
    plain = " ".join(unicodedata.normalize("NFC", f"{headline}\n{text}").split())
    return sha256(plain.encode()).hexdigest()


def fingerprint(headline: str, text: str) -> int:
    """A 64-bit simhash (Charikar 2002) of what a retelling keeps: names and numbers weigh more than other words.

    Another newsroom writes other sentences about the same people, products and figures; word order is ignored.
    """
    weights = _features(headline, text)
    sums = [0] * BITS
    for feature, weight in weights.items():
        bits = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
        for position in range(BITS):
            sums[position] += weight if bits >> position & 1 else -weight
    return sum(1 << position for position, total in enumerate(sums) if total > 0)


def nearest(mark: int, others: Iterable[int]) -> tuple[int, int] | None:
    """(position, differing bits) of the closest fingerprint within `SAME_STORY_BITS`; the first of equals."""
    best: tuple[int, int] | None = None
    for position, other in enumerate(others):
        distance = (mark ^ other).bit_count()
        if distance <= SAME_STORY_BITS and (best is None or distance < best[1]):
            best = (position, distance)
    return best


def _features(headline: str, text: str) -> Counter[str]:
    whole = f"{headline}. {text}"
    weights: Counter[str] = Counter()
    for word in set(_WORD.findall(whole.casefold())):
        weights[word] = 1
    for name, count in Counter(_NAME.findall(whole)).items():
        weights[f"name {name.casefold()}"] = 4 * min(count, 4)
    for number in set(_NUMBER.findall(whole)):
        weights[f"number {number.rstrip('.,')}"] = 6
    return weights
