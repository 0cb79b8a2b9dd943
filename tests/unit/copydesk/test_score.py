"""`copydesk score`, as a person types it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from copydesk.main import app
from copydesk.score import answers
from infra.newsroom.stories import write_story
from infra.settings import Settings

STORIES = [write_story(5, number) for number in range(3)]


def rows() -> list[dict[str, Any]]:
    return [
        {"id": str(number), "title": story.house_title, "text": story.text, "reference": story.headline}
        for number, story in enumerate(STORIES)
    ]


def run(path: Path | str, *words: str, given: str = "") -> tuple[int, list[str], str]:
    result = CliRunner().invoke(app, ["score", str(path), *words], input=given)
    return result.exit_code, result.stdout.splitlines(), str(result.exception or "")


def test_every_line_gets_one_line_of_json_in_its_place(tmp_path: Path) -> None:
    wrong = dict(rows()[0], title="Zebra Bank buys 77 castles", reference="")
    file = tmp_path / "titles.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows(), wrong]))

    status, printed, _ = run(file, "--json")
    found = [json.loads(line) for line in printed]

    assert status == 0
    assert [answer["id"] for answer in found] == ["0", "1", "2", "0"]
    assert [answer["decision"] for answer in found] == ["publish", "publish", "publish", "review"]
    assert {one["rule"] for one in found[3]["rules"]} >= {"number_not_in_article"}
    assert found[3]["weakest_word"]["support"] < found[0]["weakest_word"]["support"]
    assert found[0]["reference"]["precision"] > 0.3
    assert "reference" not in found[3]
    assert found[0]["evidence"] in STORIES[0].text


def test_what_cannot_be_scored_is_said_in_its_place_and_the_rest_is_scored(tmp_path: Path) -> None:
    file = tmp_path / "titles.jsonl"
    file.write_text('{"title": "A"}\nnot json\n\n' + json.dumps(rows()[0]) + "\n[1]\n")

    status, printed, told = run(file, "--json")
    found = [json.loads(line) for line in printed]

    assert status == 1
    assert "3 lines" in told
    assert "text" in found[0]["error"]
    assert "JSON" in found[1]["error"]
    assert found[2]["decision"] == "publish"
    assert "error" in found[3]


def test_any_text_gets_a_verdict_even_half_a_surrogate_pair() -> None:
    odd = ["\ud800", "\x00", "🦊" * 5, "‏مرحبا", "e" + "\u0301" * 50, "\u200b", "x" * 100_000, ""]
    given = "".join(json.dumps({"title": title, "text": STORIES[0].text}) + "\n" for title in odd)

    for words in (["--json"], []):
        status, printed, told = run("-", *words, given=given)
        assert status == 0, told
        assert len([line for line in printed if not line.startswith("    ")]) == len(odd)


def test_a_line_without_end_is_passed_over() -> None:
    huge = json.dumps({"title": "A", "text": "word " * 400_000})

    found = list(answers(io.StringIO(f"{huge}\n{json.dumps(rows()[0])}\n"), Settings(), longest_line=500_000))

    assert "too long" in found[0]["error"]
    assert found[1]["decision"] == "publish"


def test_a_missing_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    status, _, told = run(tmp_path / "ghost.jsonl")

    assert status == 1
    assert "cannot read" in told
