"""Which article is this, and has its text changed? Pure functions of values."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

TRACKING = re.compile(
    r"^(utm_.*|fbclid|gclid|dclid|msclkid|mc_cid|mc_eid|igshid|yclid|_hs(enc|mi)|ref|ref_src|cmpid)$", re.I
)
DEFAULT_PORTS = {"http": 80, "https": 443}


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
