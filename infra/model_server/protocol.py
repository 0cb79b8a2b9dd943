"""What is said over HTTP: the part of OpenAI's chat protocol that titles need, and vLLM's adapter requests.

Unknown fields are ignored, as vLLM does; a field whose meaning we cannot honour is refused with 400.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    role: str
    content: str


class ChatRequest(BaseModel):
    """`POST /v1/chat/completions`."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    stop: str | list[str] | None = None
    seed: int | None = None
    n: Literal[1] = 1
    stream: Literal[False] = False

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings, always as a tuple."""
        return () if self.stop is None else (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class Usage(BaseModel):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Choice(BaseModel):
    """The answer; `finish_reason` is `stop`, or `length` when it was cut."""

    index: int = 0
    message: ChatMessage
    finish_reason: Literal["stop", "length"]


class ChatResponse(BaseModel):
    """The answer of `POST /v1/chat/completions`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class ModelCard(BaseModel):
    """A served model; an adapter names its base as `parent` and its folder as `root`."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "copydesk"
    root: str
    parent: str | None
    max_model_len: int


class ModelList(BaseModel):
    """The answer of `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class LoadAdapter(BaseModel):
    """`POST /v1/load_lora_adapter`."""

    lora_name: str = Field(min_length=1)
    lora_path: str = Field(min_length=1)
    digest: str = ""
    """What the folder's content must be (`infra.registry.digest_folder`); ours alone, vLLM does not look at it."""


class UnloadAdapter(BaseModel):
    """`POST /v1/unload_lora_adapter`."""

    lora_name: str = Field(min_length=1)


class ErrorDetail(BaseModel):
    """What went wrong; `code` repeats the HTTP status as vLLM does."""

    message: str
    type: str
    param: str | None = None
    code: int


class ErrorResponse(BaseModel):
    """OpenAI's error shape."""

    error: ErrorDetail


class TokenizeRequest(BaseModel):
    """`POST /tokenize`."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)


class TokenizeResponse(BaseModel):
    """Its answer: what the chat template and the tokenizer make of the messages."""

    count: int
    max_model_len: int
    tokens: list[int]
