"""The page about money: hosted models against cards, with a slider for everything that decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from infra.cost import Card, Traffic, Way, verdict, ways
from infra.prices import Prices, load_prices
from infra.settings import Settings
from workers.desk.desk import Desk
from workers.desk.pages import page

YOURS = "your card"


class Sliders(BaseModel):
    """Where the sliders stand. Volume and speed are powers of ten: a slider for both ten and ten million."""

    model_config = ConfigDict(frozen=True)

    volume: float = Field(default=5, ge=1, le=7.5)
    input_tokens: int = Field(default=1100, ge=50, le=8000)
    output_tokens: int = Field(default=30, ge=5, le=300)
    gpu_hour: float = Field(default=2.5, ge=0.1, le=12)
    speed: float = Field(default=1.3, ge=-1, le=3)
    bursts: float = Field(default=24, ge=1, le=96)
    start: float = Field(default=180, ge=0, le=900)
    active_hours: float = Field(default=12, ge=1, le=24)

    @property
    def traffic(self) -> Traffic:
        return Traffic(_rounded(self.volume), self.input_tokens, self.output_tokens)

    @property
    def card(self) -> Card:
        speed = _rounded(self.speed)
        return Card(
            YOURS, self.gpu_hour, speed, bursts_per_day=self.bursts, start_s=self.start, active_hours=self.active_hours
        )


@dataclass(frozen=True)
class Slider:
    """One of them, as the page draws it; `shown` is its value in words."""

    name: str
    label: str
    low: float
    high: float
    step: float
    value: float
    shown: str


@dataclass(frozen=True)
class Bar:
    """A way with the length of its bar, as a share of the longest."""

    way: Way
    share: float

    @property
    def mine(self) -> bool:
        return self.way.busy is not None


def _rounded(power: float) -> float:
    """A power of ten with two digits that say something."""
    return float(f"{10**power:.1e}")


def drawn(sliders: Sliders) -> list[Slider]:
    """Every slider, in the page's order."""
    words = {
        "volume": ("Titles a day", f"{sliders.traffic.requests_per_day:,.0f}", 0.05),
        "input_tokens": ("Tokens read per title", f"{sliders.input_tokens:,}", 50),
        "output_tokens": ("Tokens written per title", f"{sliders.output_tokens}", 5),
        "gpu_hour": ("Your card, an hour", f"${sliders.gpu_hour:,.2f}", 0.05),
        "speed": ("Your card, titles a second", f"{sliders.card.titles_per_second:,g}", 0.05),
        "bursts": ("In bursts: times a day", f"{sliders.bursts:g}", 1),
        "start": ("Seconds until it writes", f"{sliders.start:g}", 15),
        "active_hours": ("Hours in which articles come", f"{sliders.active_hours:g}", 1),
    }
    found = []
    for name, (label, shown, step) in words.items():
        low, high = (
            getattr(next(one for one in Sliders.model_fields[name].metadata if hasattr(one, side)), side)
            for side in ("ge", "le")
        )
        found.append(Slider(name, label, low, high, step, getattr(sliders, name), shown))
    return found


def compared(sliders: Sliders, prices: Prices) -> tuple[list[Bar], list[str]]:
    """The bars, the cheapest first, and what follows from them."""
    today = {name: price for name, price in prices.models.items() if not price.gone}
    found = ways(sliders.traffic, today, [sliders.card])
    longest = max((way.usd_per_day for way in found), default=0.0) or 1.0
    return [Bar(way, way.usd_per_day / longest) for way in found], verdict(sliders.traffic, found, [sliders.card])


def make_router(settings: Settings, desk: Desk) -> APIRouter:
    """One route: the page for any position of the sliders."""
    router = APIRouter(include_in_schema=False, default_response_class=Response)
    prices = load_prices(settings)

    @router.get("/cost")
    def get_cost(request: Request, sliders: Annotated[Sliders, Query()]) -> Response:
        bars, sentences = compared(sliders, prices)
        content: dict[str, object] = {
            "sliders": drawn(sliders),
            "bars": bars,
            "sentences": sentences,
            "as_of": prices.as_of.isoformat(),
            "traffic": sliders.traffic,
        }
        return page(request, desk, "cost.html", content)

    return router
