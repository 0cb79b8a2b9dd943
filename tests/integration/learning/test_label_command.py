"""`copydesk label` against a hosted model that misbehaves: every article once, and not a cent over the budget."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
from typer.testing import CliRunner

from copydesk.main import app
from infra.settings import Settings, get_settings
from schemas.errors import Mendable
from tests.ground import environment_for, free_ports, wait_until
from tests.hosted_teacher import BATCH_SHARE, INPUT_USD, MODEL, OUTPUT_USD, HostedTeacher, Moods
from tests.learning_samples import PRESS
from training.dataset import HOLDOUT, SPLITS, TRAIN, Example, Origin, load_snapshot, write_snapshot
from training.dataset.snapshot import name_snapshot

PRICES = f"""
as_of: 2026-11-01
source: the test
models:
  {MODEL}: {{input: {INPUT_USD}, output: {OUTPUT_USD}, batch: {BATCH_SHARE}}}
"""


def example(number: int) -> Example:
    article = uuid5(PRESS, f"label {number}")
    text = (
        f"Harbour number {number} opens for ships today. Its quay is {number + 10} metres long, and the town rejoices."
    )
    split = SPLITS[number % 3]
    return Example(str(article), article, 1, article, text, "What the publisher wrote", Origin.imported, split)


@pytest.fixture
def teacher() -> Iterator[HostedTeacher]:
    with HostedTeacher(free_ports()) as house:
        yield house


@pytest.fixture
def home(tmp_path: Path, teacher: HostedTeacher, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("COPYDESK_HOME", str(tmp_path))
    monkeypatch.setenv("COPYDESK_TEACHER_URL", teacher.address)
    monkeypatch.setenv("COPYDESK_TEACHER_KEY", "right-key")
    (tmp_path / "prices.yaml").write_text(PRICES)
    monkeypatch.setenv("COPYDESK_PRICE_FILE", str(tmp_path / "prices.yaml"))
    get_settings.cache_clear()
    rows(tmp_path, 30)
    yield tmp_path
    get_settings.cache_clear()


def rows(home: Path, number: int) -> None:
    name_snapshot(home, "rows", write_snapshot([example(one) for one in range(number)], home))


def words_for(*words: str) -> list[str]:
    return ["label", "rows", "--model", MODEL, "--keep-faulty", "--poll", "0.05", *words]


def run(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words_for(*words), "--json"])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return dict(json.loads(result.stdout))


def refused(*words: str) -> str:
    result = CliRunner().invoke(app, words_for(*words))
    assert isinstance(result.exception, Mendable), repr(result.exception)
    return str(result.exception)


def titles(home: Path, made: dict[str, Any]) -> dict[str, Example]:
    snapshot = load_snapshot(home, made["hash"])
    return {one.example_id: one for split in SPLITS for one in snapshot.examples(split)}


@pytest.mark.parametrize("way", [(), ("--batch",)], ids=["single", "batch"])
def test_every_article_is_labelled_once_and_the_account_is_the_servers(
    home: Path, teacher: HostedTeacher, way: tuple[str, ...]
) -> None:
    made = run("--budget", "1", *way, "--name", "taught")
    labelled = titles(home, made)
    assert made["written"] == len(labelled) == 30
    assert set(teacher.books.answered.values()) == {1}
    assert Decimal(made["spent_usd"]) == teacher.books.bill > 0
    assert made["models"] == [f"{MODEL}-2026-09-01"]
    for number in range(30):
        one = labelled[example(number).example_id]
        assert one.title == f"Harbour number {number} opens for ships"
        assert (one.origin, one.model_version, one.prompt_version, one.split) == (
            Origin.teacher,
            MODEL,
            "v2",
            SPLITS[number % 3],
        )
    assert run("--budget", "1", *way)["hash"] == made["hash"]
    assert teacher.books.answered.total() == 30  # the second run asked nothing


def test_a_teacher_is_shown_similar_articles_with_their_curators_titles(home: Path, teacher: HostedTeacher) -> None:
    curated = [
        replace(example(number), title=f"Curated {number}", origin=Origin.correction, split=split)
        for number, split in ((0, TRAIN), (1, TRAIN), (2, HOLDOUT))
    ]
    name_snapshot(home, "rows", write_snapshot([*curated, *(example(one) for one in range(3, 9))], home))
    assert "shows no examples" in refused("--budget", "1", "--examples", "2")
    made = run("--budget", "1", "--prompt", "v5", "--examples", "2")
    assert made["written"] == 6
    for asked in teacher.books.answered:
        assert {number for number in range(3) if f"- Curated {number}" in asked} == {0, 1}
    again = run("--budget", "1", "--prompt", "v5", "--examples", "2")
    assert (again["hash"], teacher.books.answered.total()) == (made["hash"], 6)


@pytest.mark.parametrize("way", [(), ("--batch",)], ids=["single", "batch"])
def test_a_budget_is_kept_to_the_cent_and_spent_as_far_as_it_goes(
    home: Path, teacher: HostedTeacher, way: tuple[str, ...]
) -> None:
    rows(home, 200)
    budget = Decimal("0.02") if way else Decimal("0.04")  # half of what all of them cost
    made = run("--budget", str(budget), *way)
    left_over = budget - teacher.books.bill
    assert Decimal(made["spent_usd"]) == teacher.books.bill
    assert 0 <= left_over < Decimal("0.004")  # less than what one more request might have cost
    assert made["left_out"] == {"not labelled: the budget was spent": 200 - made["written"]}
    assert 60 < made["written"] < 140
    more = run("--budget", "1", *way)
    assert more["written"] == 200
    assert set(teacher.books.answered.values()) == {1}


def test_trouble_of_every_kind_is_waited_for_and_what_may_have_been_billed_counts(
    home: Path, teacher: HostedTeacher
) -> None:
    teacher.moods = Moods(busy=0.3, broken=0.05, hang_up=0.05, garbled=0.05, retry_after="0.02")
    made = run("--budget", "1", "--pause", "0.01")
    assert made["written"] == 30
    assert Decimal(made["spent_usd"]) >= teacher.books.bill  # lost answers count at the most they can have cost


def test_an_expired_batch_a_line_that_failed_and_lines_that_are_no_json_are_asked_again(
    home: Path, teacher: HostedTeacher
) -> None:
    teacher.moods = Moods(batch_s=0.0, expire=1, fail_lines=0.1, wrong_lines=3)
    teacher.moods.largest_batch = 20
    made = run("--batch", "--budget", "1", "--batch-size", "25")
    assert made["written"] == 30
    assert Decimal(made["spent_usd"]) >= teacher.books.bill
    states = [batch["status"] for batch in map(teacher.batch, teacher.batches)]
    assert {"failed", "expired", "completed"} <= set(states)


def test_parameters_that_the_model_does_not_take_are_dropped_with_a_notice(home: Path, teacher: HostedTeacher) -> None:
    teacher.moods.untaken = ("temperature", "reasoning_effort", "max_completion_tokens")
    result = CliRunner().invoke(app, words_for("--budget", "1"))
    assert result.exit_code == 0, result.output
    for name in teacher.moods.untaken:
        assert result.stderr.count(f"does not take {name}") == 1
    assert all(set(body) == {"model", "max_tokens"} for body in teacher.books.bodies)
    asked = teacher.books.requests
    run("--budget", "1", "--keep-faulty")
    assert teacher.books.requests == asked


def test_without_a_limit_on_the_answer_nothing_is_asked(home: Path, teacher: HostedTeacher) -> None:
    teacher.moods.untaken = ("max_tokens", "max_completion_tokens")
    assert "no budget can be kept" in refused("--budget", "1")
    assert not teacher.books.bill


def test_what_the_teacher_refuses_is_left_out_with_its_reason_and_not_asked_again(
    home: Path, teacher: HostedTeacher
) -> None:
    teacher.moods.refuses = "number 7 "
    made = run("--budget", "1")
    assert made["written"] == 29
    assert made["left_out"] == {"the teacher refuses it: Invalid prompt: your prompt was flagged": 1}
    asked = teacher.books.requests
    assert run("--budget", "1")["written"] == 29
    assert teacher.books.requests == asked


def test_answers_without_a_count_cost_what_they_can_cost(home: Path, teacher: HostedTeacher) -> None:
    teacher.moods.counts = False
    made = run("--budget", "1")
    assert Decimal(made["spent_usd"]) > teacher.books.bill


@pytest.mark.parametrize(
    ("moods", "words", "said"),
    [
        (Moods(no_credit=True), (), "no credit left"),
        (
            Moods(),
            ("--model", "great-teacher", "--price-input", "1", "--price-output", "1"),
            "has no model 'great-teacher'; there are grand-teacher",
        ),
        (Moods(), ("--prompt", "v9"), "no prompt 'v9'"),
        (Moods(), ("--split", "test"), "there are train"),
    ],
)
def test_what_a_person_has_to_mend_is_told(
    home: Path, teacher: HostedTeacher, moods: Moods, words: tuple[str, ...], said: str
) -> None:
    teacher.moods = moods
    assert said in refused("--budget", "1", *words)


def test_a_wrong_key_and_a_missing_budget_are_told_before_anything_is_spent(
    home: Path, teacher: HostedTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "say what it may cost: --budget" in refused()
    monkeypatch.setenv("COPYDESK_TEACHER_KEY", "wrong-key")
    get_settings.cache_clear()
    assert "COPYDESK_TEACHER_KEY" in refused("--budget", "1")
    assert not teacher.books.bill


def test_a_dry_run_says_what_it_would_cost_and_asks_nothing(home: Path, teacher: HostedTeacher) -> None:
    ahead = run("--dry-run")
    assert teacher.books.requests == 0
    spent = Decimal(run("--budget", "1")["spent_usd"])
    assert Decimal(ahead["most_usd"]) >= spent
    assert spent / 2 < Decimal(ahead["expected_usd"]) < spent * 2
    assert run("--dry-run")["answered"] == 30


def test_a_model_that_will_be_gone_is_warned_about(home: Path, teacher: HostedTeacher) -> None:
    teacher.moods.shutdown_date = "2020-01-31"
    result = CliRunner().invoke(app, words_for("--budget", "1"))
    assert "was to be shut down on 2020-01-31" in result.stderr


def test_first_and_rest_are_the_same_articles_every_time_and_a_prompt_may_come_from_a_file(
    home: Path, tmp_path: Path, teacher: HostedTeacher
) -> None:
    better = tmp_path / "better.txt"
    better.write_text("From {source}. Article:\n{text}")
    first = titles(home, run("--budget", "1", "--limit", "12"))
    rest = titles(home, run("--budget", "1", "--skip", "12", "--prompt", f"@{better}"))
    assert (len(first), len(rest)) == (12, 18)
    assert not first.keys() & rest.keys()
    assert {one.prompt_version[:7] for one in rest.values()} == {"better-"}


@pytest.mark.parametrize("way", [(), ("--batch", "--batch-size", "300")], ids=["single", "batch"])
def test_a_thousand_articles_and_three_kills(home: Path, teacher: HostedTeacher, way: tuple[str, ...]) -> None:
    rows(home, 1000)
    teacher.moods = Moods(busy=0.02, broken=0.005, answer_s=0.002, batch_s=0.5, retry_after="0.02")
    if way:
        teacher.moods = Moods(batch_s=0.7, expire=1, fail_lines=0.01)
    budget = Decimal("1.00")
    command = [sys.executable, "-m", "copydesk", *words_for("--budget", str(budget), "--pause", "0.02", *way)]
    environment = environment_for(Settings(home=home, teacher_url=teacher.address, price_file=home / "prices.yaml")) | {
        "COPYDESK_TEACHER_KEY": "right-key"
    }
    for part in (150, 400, 700):
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            wait_until(lambda part=part: teacher.books.answered.total() >= part, 60)  # type: ignore[misc]
            assert process.poll() is None
            process.send_signal(signal.SIGKILL)
    made = run("--budget", str(budget), "--pause", "0.02", *way)
    labelled = titles(home, made)
    assert made["written"] == len(labelled) == 1000
    assert labelled.keys() == {example(number).example_id for number in range(1000)}
    spent = Decimal(made["spent_usd"])
    assert teacher.books.bill <= spent <= budget
    twice = teacher.books.answered.total() - 1000
    if way:
        assert twice == 0  # a batch that was made while we died is found again
    else:
        assert twice <= 3 * 8 + 30  # what was on its way at each kill, and the answers that broke
