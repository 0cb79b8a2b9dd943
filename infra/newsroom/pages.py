"""Article pages: each site's own template, full of what surrounds an article on the web."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from infra.newsroom.feeds import page_url
from infra.newsroom.sites import Item, Page, Press, Site

TEMPLATES = Path(__file__).parent / "templates"
HEAVY_BYTES = 2 * 1024 * 1024
GENERATOR = "Copydesk simulated newsroom"


def render_page(site: Site, item: Item, related: Sequence[Item], *, base: str, simulated: bool) -> str:
    """The item's page. `related` are other items that the page links to, as pages do."""
    template = _environment().get_template(site.template)
    return template.render(
        site=site,
        item=item,
        related=related,
        url=page_url(site, item, base),
        base=base,
        generator=GENERATOR if simulated else "",
        state=_inline_state(item.slug) if item.page is Page.heavy else "",
    )


def render_index(press: Press, *, base: str, count: int) -> str:
    """The page that says what this server is."""
    return _environment().get_template("index.html").render(press=press, base=base, count=count)


def _inline_state(slug: str) -> str:
    """The 2 MB of application state that some publishers send along with three paragraphs."""
    rng = random.Random(slug)
    record = {"id": 0, "text": "recommended for you", "tracking": "", "variants": ["a", "b", "c"]}
    records = [{**record, "id": n, "tracking": f"{rng.getrandbits(256):064x}"} for n in range(HEAVY_BYTES // 140)]
    return json.dumps(records)


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
