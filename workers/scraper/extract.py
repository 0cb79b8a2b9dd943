"""An article out of a page: its text without the clutter, its own address, its language, its opt-outs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml.etree import _Element as Element
from lxml.etree import strip_elements
from trafilatura import bare_extraction, load_html

from schemas.errors import Invalid
from schemas.topics import MAX_TEXT_BYTES

LEAST_TEXT = 120
"""Characters; what is shorter is a stub, a consent wall or a caption."""
CLUTTER = ("script", "style", "noscript", "template", "svg", "iframe")
AROUND = (
    "cookie",
    "consent",
    "newsletter",
    "related",
    "recommended",
    "comments",
    "sidebar",
    "share",
    "paywall",
    "gate",
)
HEADING = ("kicker", "dateline", "byline", "breadcrumbs", "meta")
"""Words in the class or id of what stands around an article and over it. Trafilatura knows many; a page whose article
is short or missing makes it take these for one, the cookie notice first of all."""

_LANGUAGE = re.compile(r"^[a-z]{2,3}(?=[-_]|$)", re.I)
_TRUE_MARKS = {"tdm-reservation": "1"}
_SPACED = "translate(concat(' ', {0}, ' '), '-_ABCDEFGHIJKLMNOPQRSTUVWXYZ', '  abcdefghijklmnopqrstuvwxyz')"
_NOT_WHOLE = "[not(self::article or self::main or .//article or .//main)]"  # some sites name their outermost box oddly
_PRUNED = ["//body//h1", "//body//nav", "//body//footer"] + [
    f"//body//*[contains({_SPACED.format(attribute)}, ' {word} ')]{_NOT_WHOLE}"
    for word in (*AROUND, *HEADING)
    for attribute in ("@class", "@id")
]
_ROBOTS_MARKS = frozenset({"noai", "noimageai"})


@dataclass(frozen=True)
class Page:
    """What is worth keeping of a page. `canonical` is as declared, unchecked; `language` is empty if not declared."""

    headline: str
    text: str
    canonical: str
    language: str
    opt_outs: frozenset[str]


def extract(body: bytes, *, url: str, charset: str = "") -> Page:
    """Read an HTML page. Raises `Invalid` when there is no article in it.

    `charset` is the one of the Content-Type header, which outranks the page's own. The text has one paragraph per line
    and is cut after the last whole paragraph within `MAX_TEXT_BYTES`.
    """
    try:
        return _read(body, url, charset)
    except (Invalid, MemoryError):
        raise
    except Exception as error:  # the parsers raise what they like; a page that breaks one must not stop the others
        raise Invalid(f"the page cannot be read ({type(error).__name__}: {error})") from error


def _read(body: bytes, url: str, charset: str) -> Page:
    tree = load_html(_decode(body, charset))
    if tree is None:
        raise Invalid("the page is empty" if not body.strip() else "the page is not HTML")
    declared = _declared(tree)
    canonical = _attribute(tree, "//link[@rel='canonical']/@href")
    language = _LANGUAGE.match(_attribute(tree, "/html/@lang") or declared.get("og:locale", ""))
    # inline state and scripts can be most of a page; trafilatura would walk through all of it first
    strip_elements(tree, *CLUTTER, with_tail=False)
    found = bare_extraction(
        tree, url=url, include_comments=False, include_tables=False, with_metadata=True, prune_xpath=_PRUNED
    )
    text = "" if found is None or isinstance(found, dict) else (found.text or "").strip()
    if len(text) < LEAST_TEXT:
        raise Invalid(f"no article text on the page ({len(text)} characters)")
    title = "" if found is None or isinstance(found, dict) else (found.title or "")
    return Page(
        headline=" ".join(title.split()),
        text=cut(text, MAX_TEXT_BYTES),
        canonical=canonical,
        language=language.group().lower() if language else "",
        opt_outs=_opt_outs(declared),
    )


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, ending with a whole paragraph if there is one."""
    raw = text.encode("utf-8", errors="replace")
    if len(raw) <= limit:
        return raw.decode()
    head = raw[:limit].decode("utf-8", errors="ignore")
    paragraphs, _, _ = head.rpartition("\n")
    return paragraphs or head


def _decode(body: bytes, charset: str) -> bytes | str:
    try:
        return body.decode(charset) if charset else body
    except (LookupError, UnicodeDecodeError):
        return body


def _declared(tree: Element) -> dict[str, str]:
    pairs = (
        (str(meta.get("name") or meta.get("property") or ""), str(meta.get("content") or ""))
        for meta in tree.iter("meta")
    )
    return {name.lower(): content.strip() for name, content in pairs if name}


def _attribute(tree: Element, path: str) -> str:
    found = tree.xpath(path)
    return str(found[0]).strip() if isinstance(found, list) and found else ""


def _opt_outs(declared: dict[str, str]) -> frozenset[str]:
    marks = {f"{name}: {value}" for name, value in _TRUE_MARKS.items() if declared.get(name) == value}
    robots = re.split(r"[\s,]+", declared.get("robots", "").lower())
    return frozenset(marks | {f"robots: {mark}" for mark in _ROBOTS_MARKS.intersection(robots)})
