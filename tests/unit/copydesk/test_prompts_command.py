"""`copydesk prompts`, without a model server."""

from __future__ import annotations

import json

from typer.testing import CliRunner, Result

from copydesk.main import app
from editorial import prompts
from schemas.errors import Invalid


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["prompts", *words])


def test_every_version_is_listed_with_its_hash() -> None:
    listed = {row["version"]: row for row in json.loads(run("list", "--json").output)}
    assert {version: row["digest"] for version, row in listed.items()} == {
        version: prompts.digest(version) for version in prompts.PROMPTS
    }
    assert listed["v2"]["fixed_tokens"] > listed["v3"]["fixed_tokens"] > listed["v4"]["fixed_tokens"] == 0
    assert all(version in run("list").output for version in prompts.PROMPTS)


def test_a_version_is_shown_as_it_is() -> None:
    assert run("show", "v2").output == prompts.PROMPTS["v2"] + "\n"


def test_the_difference_between_two_versions_is_shown() -> None:
    lines = run("diff", "v1", "v2").output.splitlines()
    assert "+House rules:" in lines
    assert not [line for line in lines if line.startswith("-") and not line.startswith("---")]
    assert "same text" in run("diff", "v1", "v1").output


def test_an_unknown_version_is_refused_with_the_known_ones() -> None:
    for words in (("show", "v0"), ("diff", "v1", "v0"), ("try", "v0")):
        refused = run(*words)
        assert isinstance(refused.exception, Invalid)
        assert "v1, v2" in str(refused.exception)
