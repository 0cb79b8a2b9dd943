"""What models and GPUs cost, from a dated file: `infra/prices.yaml`, or one of yours (COPYDESK_PRICE_FILE)."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.settings import Settings
from schemas.errors import Invalid

PRICE_FILE = Path(__file__).parent / "prices.yaml"
MILLION = Decimal(1_000_000)
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class Price(BaseModel):
    """Dollars per million tokens. Without a cached price, what the server remembers costs as much as what is new."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cached: Decimal | None = Field(default=None, ge=0)
    batch: Decimal = Field(default=Decimal(1), gt=0, le=1)
    """Share of the price that the same requests cost as a batch."""
    shutdown: date | None = None
    """The day after which the provider answers no more, as far as announced."""
    gone: bool = False
    """Kept for comparisons only: it cannot be asked any more."""
    as_of: date | None = None
    """Where it is not the file's own."""
    note: str = ""

    def usd(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0, *, batch: bool = False) -> Decimal:
        """What a request costs; `cached_tokens` are among the input's."""
        cached = min(cached_tokens, input_tokens)
        cached_price = self.input if self.cached is None else self.cached
        whole = (input_tokens - cached) * self.input + cached * cached_price + output_tokens * self.output
        return whole / MILLION * (self.batch if batch else 1)


class Gpu(BaseModel):
    """A rented graphics card, and how many titles of a 7B model it is assumed to write when it is kept busy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd_per_hour: Decimal = Field(ge=0)
    titles_per_second: Decimal = Field(gt=0)
    note: str = ""


class Prices(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    source: str
    models: dict[str, Price]
    gpus: dict[str, Gpu] = Field(default_factory=dict)

    def find(self, model: str) -> Price | None:
        """The price of a model; a dated snapshot of it (gpt-5-2026-01-31) costs what the model costs."""
        return self.models.get(model) or self.models.get(_DATED.sub("", model))


def load_prices(settings: Settings) -> Prices:
    """The price file in use. Raises `Invalid` where it cannot be read or is none."""
    path = settings.price_file or PRICE_FILE
    try:
        return Prices.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise Invalid(f"COPYDESK_PRICE_FILE: {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "the file"
        raise Invalid(f"the price file {path}: {place}: {fault['msg']}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise Invalid(f"the price file {path} is not YAML: {str(error).partition(chr(10))[0]}") from error
