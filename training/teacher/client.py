"""A teacher as we see it: a large model behind OpenAI's protocol, hosted by others and paid by the token.

What its failures mean:

    Dropped     the model does not take a parameter: ask again without it (temperature, reasoning effort)
    Refusal     it will never answer this article: left out, with its reason
    Busy        it turned the request away and billed nothing (429, 503, no connection): wait, then ask again
    Garbled     an answer that cannot be read, or none in time: it may have been billed
    CannotLabel wrong key, no credit, unknown model: nothing goes on before a person has acted
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from infra.settings import Settings
from schemas.errors import Mendable

OPENAI = "https://api.openai.com/v1"
CONNECT_TIMEOUT_S = 10.0
LONGEST_WAIT_S = 120.0
"""A server that asks for more is asked again after this all the same."""
_UNTAKEN = re.compile(
    r"unsupported|not supported|unrecognized|unknown parameter|does not support|extra (inputs|fields)|"
    r"invalid value|input should be",
    re.IGNORECASE,
)


class CannotLabel(Mendable):
    """Nothing more can be labelled before a person has acted; what was answered is kept."""


class Dropped(Exception):
    """The model does not take the parameter of this name."""


class Refusal(Exception):
    """The teacher will not answer this request, however often it is asked."""


class Garbled(Exception):
    """An answer that cannot be read, or none in time; it may have been billed."""


class Busy(Exception):
    """Turned away, and not billed; `wait_s` is what the server asked for."""

    def __init__(self, words: str, wait_s: float | None = None) -> None:
        super().__init__(words)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Reply:
    """What the teacher wrote and what it counted; None where it did not count."""

    text: str
    model: str
    finish: str
    input_tokens: int | None
    cached_tokens: int
    output_tokens: int | None


class Options:
    """The parameters of every request. What the model does not take is dropped, and said."""

    def __init__(self, model: str, max_tokens: int, effort: str, dropped: list[str]) -> None:
        self.model = model
        self._dropped: set[str] = set()
        self._values: dict[str, Any] = {"max_completion_tokens": max_tokens, "temperature": 0}
        if effort:
            self._values["reasoning_effort"] = effort
        for name in dropped:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Leave a parameter out. Raises `CannotLabel` for the last one that bounds the length of an answer."""
        value = self._values.pop(name, None)
        self._dropped.add(name)
        if name == "max_completion_tokens":
            self._values["max_tokens"] = value  # the older name, which many servers still want
        elif name == "max_tokens":
            raise CannotLabel(f"{self.model} takes no limit on the length of an answer, so no budget can be kept")

    def takes(self, name: str) -> bool:
        """Whether requests still have it."""
        return name in self._values

    def body(self, prompt: str) -> dict[str, Any]:
        """One request."""
        return {"model": self.model, "messages": [{"role": "user", "content": prompt}], **self._values}

    def untaken(self, status: int, fault: Mapping[str, Any]) -> str:
        """Which of our parameters the server says it does not take; empty if none. Another request may have been told
        the same a moment before.
        """
        words = str(fault.get("message") or "")
        if status not in (400, 422) or not (
            str(fault.get("code") or "").startswith("unsupported") or _UNTAKEN.search(words)
        ):
            return ""
        named = [str(fault.get("param") or "").split(".")[0], *re.findall(r"\w+", words)]
        return next((name for name in named if name in self._values or name in self._dropped), "")


class Teacher:
    """The client; makes no tries of its own, for each one may cost money. Connects with the first request."""

    def __init__(self, settings: Settings) -> None:
        self.address = settings.teacher_url or OPENAI
        key = settings.teacher_key.get_secret_value()
        if not key and not settings.teacher_url:
            raise CannotLabel(
                "a hosted teacher wants a key: set COPYDESK_TEACHER_KEY, or name your own COPYDESK_TEACHER_URL"
            )
        self.client = openai.AsyncOpenAI(
            base_url=self.address,
            api_key=key or "none",
            organization="",
            project="",
            timeout=openai.Timeout(settings.teacher_timeout_s, connect=CONNECT_TIMEOUT_S),
            max_retries=0,
        )

    async def shutdown_date(self, model: str) -> date | None:
        """When the model will be gone, if its server says so. Raises `CannotLabel` for one that it does not have."""
        try:
            page = await self.client.models.list()
            cards = {card.id: card for card in page.data}
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise CannotLabel(_denied(error)) from error
        except openai.APIConnectionError as error:
            raise CannotLabel(f"the teacher at {self.address} cannot be reached: {error.__cause__ or error}") from error
        except (openai.OpenAIError, ValueError, AttributeError, TypeError):
            return None  # a server without a list, or busy: the first request will tell
        if cards and model not in cards:
            near = difflib.get_close_matches(model, cards, n=3) or sorted(cards)[:6]
            raise CannotLabel(f"{self.address} has no model {model!r}; there are {', '.join(near)}")
        return _day(getattr(cards[model], "shutdown_date", None)) if cards else None

    async def ask(self, options: Options, prompt: str) -> Reply:
        """One answer. Raises as the module says."""
        with verdicts(options):
            answer: object = await self.client.chat.completions.create(**options.body(prompt))
        return read(answer)

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()


@contextmanager
def verdicts(options: Options) -> Iterator[None]:
    """Turn the client's exceptions into verdicts."""
    try:
        yield
    except openai.APITimeoutError as error:
        raise Garbled("no answer in time") from error
    except openai.APIConnectionError as error:
        cause = error.__cause__
        if type(cause).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout"):  # httpx: nothing was sent
            raise Busy(f"cannot be reached: {cause}") from error
        raise Garbled(f"the connection broke: {cause or error}") from error
    except openai.APIStatusError as error:
        fault = error.body if isinstance(error.body, dict) else {"message": error.message}
        raise verdict(error.status_code, fault, options, error.response.headers.get("retry-after")) from error
    except (openai.APIError, ValueError) as error:  # ValueError: JSON that is none
        raise Garbled(f"nonsense: {error}") from error


def verdict(status: int, fault: Mapping[str, Any], options: Options, retry_after: str | None = None) -> Exception:
    """What an error answer means, alone or as a line of a batch."""
    words = str(fault.get("message") or f"status {status}")
    if status in (401, 403):
        return CannotLabel(f"the teacher refuses the key ({words}): check COPYDESK_TEACHER_KEY")
    if fault.get("code") in ("insufficient_quota", "billing_hard_limit_reached"):
        return CannotLabel(f"the account has no credit left ({words}); go on with the same command when it has")
    if status == 404:
        return CannotLabel(f"the teacher does not know {options.model!r}: {words}")
    if status in (408, 409, 429, 503):
        return Busy(words, _seconds(retry_after))
    if status >= 500:
        return Garbled(f"status {status}: {words}")
    if name := options.untaken(status, fault):
        return Dropped(name)
    return Refusal(words)


def read(answer: object) -> Reply:
    """The client checks nothing: a server's nonsense arrives as a string or as an object with holes."""
    if not isinstance(answer, ChatCompletion) or not answer.choices or answer.choices[0].message is None:
        raise Garbled("no choices in the answer")
    choice, usage = answer.choices[0], answer.usage
    text = choice.message.content
    if not isinstance(text, str | None):
        raise Garbled("the content is no text")
    counts = (usage.prompt_tokens, usage.completion_tokens) if usage else (None, None)
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        counts = (None, None)
    details = usage.prompt_tokens_details if usage else None
    return Reply(
        text=text or "",
        model=str(answer.model),
        finish=str(choice.finish_reason),
        input_tokens=counts[0],
        cached_tokens=max(0, (details.cached_tokens or 0) if details else 0),
        output_tokens=counts[1],
    )


def _denied(error: openai.APIStatusError) -> str:
    return f"the teacher refuses the key ({error.message}): check COPYDESK_TEACHER_KEY"


def _seconds(words: str | None) -> float | None:
    try:
        return min(LONGEST_WAIT_S, max(0.0, float(words or "")))
    except ValueError:
        return None  # a date: the usual pause will do


def _day(value: object) -> date | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC).date()
        return date.fromisoformat(str(value)[:10]) if value else None
    except (ValueError, OverflowError, OSError):
        return None
