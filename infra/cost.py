"""What titles cost a day: hosted models against graphics cards of one's own. Pure arithmetic; prices are handed in.

A card is paid by the hour, whether it writes or waits, so what it costs depends on how it is used:

    always on       it runs day and night; as many cards as the titles of a day need
    in bursts       articles wait and are worked off several times a day; each time the card starts anew
    scale to zero   titles are wanted at once: the card starts with an article and stops when none came for a while.
                    Articles come at random (Poisson) within the active hours: a pause longer than the idle time comes
                    with probability exp(-rate × idle), and with it one more start
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, exp

from infra.prices import Price

DAY_S, HOUR_S = 86_400.0, 3600.0


@dataclass(frozen=True)
class Traffic:
    """What a day brings."""

    requests_per_day: float = 100_000
    input_tokens: int = 1100
    output_tokens: int = 30


@dataclass(frozen=True)
class Card:
    """A rented graphics card and how it is used. How many titles a second it writes must be measured."""

    name: str
    usd_per_hour: float
    titles_per_second: float
    bursts_per_day: float = 24
    start_s: float = 180
    """From the order for a machine to its first title; paid."""
    idle_s: float = 300
    """How long it waits for another article before it stops."""
    active_hours: float = 12
    """Hours of the day in which articles come."""


@dataclass(frozen=True)
class Way:
    """One way to have the titles written."""

    name: str
    kind: str
    usd_per_day: float
    usd_per_title: float
    busy: float | None = None
    """Share of the paid time in which a card writes; None for hosted models."""
    note: str = ""


HOSTED, BATCH, ALWAYS, BURSTS, TO_ZERO = "hosted", "hosted, in batches", "always on", "in bursts", "scale to zero"


def hosted(traffic: Traffic, name: str, price: Price, *, batch: bool = False) -> Way:
    """A model that is paid by the token."""
    title = float(price.usd(traffic.input_tokens, traffic.output_tokens, batch=batch))
    return Way(name, BATCH if batch else HOSTED, title * traffic.requests_per_day, title, note=_note(price))


def _note(price: Price) -> str:
    return ", ".join(filter(None, (price.note, f"until {price.shutdown}" if price.shutdown else "")))


def own(traffic: Traffic, card: Card) -> list[Way]:
    """A card of one's own, in each of its uses."""
    busy_s = traffic.requests_per_day / card.titles_per_second
    always_s = max(1, ceil(busy_s / DAY_S)) * DAY_S
    bursts_s = min(always_s, busy_s + min(card.bursts_per_day, traffic.requests_per_day) * card.start_s)
    active_s = card.active_hours * HOUR_S
    rate = traffic.requests_per_day / active_s
    cards = max(1, ceil(rate / card.titles_per_second))
    pauses = exp(-rate * card.idle_s)
    zero_s = active_s * (1 - pauses) * cards + traffic.requests_per_day * pauses * card.start_s
    paid = ((ALWAYS, always_s), (BURSTS, bursts_s), (TO_ZERO, min(always_s, max(busy_s, zero_s))))
    return [_own(traffic, card, kind, seconds, busy_s) for kind, seconds in paid]


def _own(traffic: Traffic, card: Card, kind: str, paid_s: float, busy_s: float) -> Way:
    usd = paid_s / HOUR_S * card.usd_per_hour
    return Way(card.name, kind, usd, usd / traffic.requests_per_day, busy=busy_s / paid_s)


def break_even(card: Card, usd_per_title: float) -> float | None:
    """From how many titles a day on a card that is always on costs less; None if even a busy one never does."""
    if usd_per_title <= 0:
        return None
    titles = card.usd_per_hour * 24 / usd_per_title
    return titles if titles <= card.titles_per_second * DAY_S else None


def at_full_load(card: Card) -> float:
    """Dollars per title on a card that never waits: less it cannot cost."""
    return card.usd_per_hour / HOUR_S / card.titles_per_second


def ways(traffic: Traffic, models: Mapping[str, Price], cards: list[Card]) -> list[Way]:
    """Everything, the cheapest first."""
    found = [hosted(traffic, name, price) for name, price in models.items()]
    found += [hosted(traffic, name, price, batch=True) for name, price in models.items() if price.batch < 1]
    found += [way for card in cards for way in own(traffic, card)]
    return sorted(found, key=lambda way: (way.usd_per_day, way.name, way.kind))


def verdict(traffic: Traffic, found: list[Way], cards: list[Card]) -> list[str]:
    """What follows from it, in sentences."""
    at_once = _cheapest(found, (HOSTED,)), _cheapest(found, (ALWAYS, TO_ZERO))
    waiting = _cheapest(found, (HOSTED, BATCH)), _cheapest(found, (ALWAYS, BURSTS, TO_ZERO))
    cheap, machine = at_once
    if cheap is None or machine is None or waiting[0] is None or waiting[1] is None:
        return []
    sentences = [
        _against("Titles wanted at once", cheap, machine),
        _against("Titles that may wait", waiting[0], waiting[1]),
    ]
    dear = max((way for way in found if way.kind == HOSTED), key=lambda way: way.usd_per_day)
    if dear.usd_per_day > machine.usd_per_day:
        sentences.append(
            f"Against {dear.name} (${dear.usd_per_day:,.2f} a day) {machine.name}, {machine.kind}, saves "
            f"{1 - machine.usd_per_day / dear.usd_per_day:.0%}."
        )
    for card in cards:
        least = at_full_load(card)
        volume = break_even(card, cheap.usd_per_title)
        name = card.name[:1].upper() + card.name[1:]
        if volume is None:
            sentences.append(
                f"{name}, always on, never gets cheaper than {cheap.name}: a title costs ${least:.7f} on it even "
                f"when it is never idle, there ${cheap.usd_per_title:.7f}."
            )
        else:
            sentences.append(
                f"{name}, always on, is cheaper than {cheap.name} from {volume:,.0f} titles a day; "
                f"never idle, by {cheap.usd_per_title / least:.1f}x."
            )
    return sentences


def _cheapest(found: list[Way], kinds: tuple[str, ...]) -> Way | None:
    return min((way for way in found if way.kind in kinds), key=lambda way: way.usd_per_day, default=None)


def _against(what: str, theirs: Way, mine: Way) -> str:
    its = f"{theirs.name}, {theirs.kind}, for ${theirs.usd_per_day:,.2f} a day"
    ours = f"{mine.name}, {mine.kind}, for ${mine.usd_per_day:,.2f}"
    if theirs.usd_per_day <= mine.usd_per_day:
        return f"{what}: {its} is cheaper than any card ({ours}). The price alone is no reason for a card."
    return f"{what}: {ours} a day is {theirs.usd_per_day / mine.usd_per_day:.1f}x cheaper than {its}."
