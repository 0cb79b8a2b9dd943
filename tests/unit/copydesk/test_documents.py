"""What README and guides tell people to type exists, word for word, and what they point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from copydesk.main import app
from infra.settings import Settings

DOCUMENTS = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(Path("docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(app)
COMMAND_LINE = re.compile(r"(?:^|[`\s])(?:\.venv/bin/)?copydesk ((?:[a-z-]+)(?: [^`|\n\\]*)?)")
MAKE_LINE = re.compile(r"(?:^|[`\s])make ([a-z-]+)")
VARIABLE = re.compile(r"COPYDESK_[A-Z_]+")
LINK = re.compile(r"\]\(((?!https?:|#)[^)#]+)")


def _typed_commands(document: Path) -> list[list[str]]:
    code = re.findall(r"```console\n(.*?)```|`([^`\n]+)`", document.read_text(), re.DOTALL)
    lines = [line for block, inline in code for line in (block or inline).splitlines()]
    found = [match.group(1).split() for line in lines if (match := COMMAND_LINE.search(line))]
    return [words for words in found if not words[0].startswith("-")]


def _resolve(words: list[str]) -> tuple[set[str], list[str]] | None:
    """The options of the command that the words name and what follows its name; None if there is no such command."""
    command = COMMANDS
    rest = list(words)
    while rest and isinstance(command, TyperGroup) and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    if isinstance(command, TyperGroup) and len(rest) == len(words):
        return None
    return {option for parameter in command.params for option in parameter.opts}, rest


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_command_in_it_exists_with_its_options(document: Path) -> None:
    for words in _typed_commands(document):
        found = _resolve(words)
        assert found is not None, f"there is no `copydesk {' '.join(words)}`"
        known, rest = found
        for word in rest:
            assert not word.startswith("--") or word.split("=")[0] in known, f"`copydesk {' '.join(words)}`: {word}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_make_target_in_it_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(), re.MULTILINE))
    code = " ".join(
        block or inline
        for block, inline in re.findall(r"```console\n(.*?)```|`([^`\n]+)`", document.read_text(), re.DOTALL)
    )
    assert set(MAKE_LINE.findall(code)) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_setting_in_it_exists(document: Path) -> None:
    known = {f"COPYDESK_{name.upper()}" for name in Settings.model_fields} | {"COPYDESK_POSTGRES_PASSWORD"}
    assert set(VARIABLE.findall(document.read_text())) <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_file_it_points_at_is_there(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_readers_of_the_readme_find_a_command_at_all() -> None:
    assert _typed_commands(Path("README.md"))
