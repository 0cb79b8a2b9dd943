"""Prompt templates: words with `{column}` placeholders, filled from an example. `{{` and `}}` are plain braces."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import Formatter

from schemas.errors import Invalid
from training.dataset.example import Example

OWN = ("text", "source", "language")
"""Placeholders that every example has; further ones are its own columns."""


def placeholders(template: str) -> tuple[str, ...]:
    """The columns that a template asks for. Raises `Invalid` where it is not one."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise Invalid(
            f"the prompt template cannot be read ({error}): columns stand as {{name}}, plain braces as {{{{ and }}}}"
        ) from None
    found = []
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if not name or form or conversion:
            raise Invalid(f"the prompt template: {{{name}{':' if form else ''}{form}}} is not simply {{column}}")
        found.append(name)
    return tuple(dict.fromkeys(found))


def check(template: str, columns: Collection[str]) -> None:
    """Raises `Invalid` for a template that asks for a column that is not there, or that never shows the text."""
    known = (*OWN, *columns)
    asked = placeholders(template)
    for name in asked:
        if name not in known:
            raise Invalid(f"the prompt template asks for {{{name}}}; there are {', '.join(known)} (--column adds one)")
    if not any(name == "text" or name in columns for name in asked):
        raise Invalid("the prompt template shows no text of the example: it needs {text} or another column")


def render(template: str, example: Example) -> str:
    """The prompt for one example; what the columns hold is taken as it is. Raises `Invalid` for a missing column."""
    values = {**example.columns, "text": example.text, "source": example.source, "language": example.language}
    return fill(template, values, example.example_id)


def fill(template: str, values: Mapping[str, str], example_id: str) -> str:
    """The template with these values, which are those of an example. Raises `Invalid` for one that is not there."""
    missing = [name for name in placeholders(template) if name not in values]
    if missing:
        raise Invalid(f"the prompt template asks for {{{missing[0]}}}, which example {example_id} does not have")
    return "".join(
        words + (values[name] if name is not None else "") for words, name, _, _ in Formatter().parse(template)
    )
