"""The account of what a teacher was asked: nothing that may have been billed is ever forgotten."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from schemas.errors import Invalid
from training.teacher.ledger import Answered, Ended, Failed, Ledger, Lost, Sent, Submitted, Submitting, open_ledger

MOST, PRICE = Decimal("0.03"), Decimal("0.01")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "teacher" / "ledger.jsonl"


def answer(key: str, chunk: str = "") -> Answered:
    return Answered(
        key=key,
        text="A title",
        model="m",
        finish="stop",
        input_tokens=9,
        cached_tokens=0,
        output_tokens=3,
        usd=PRICE,
        chunk=chunk,
    )


def account(ledger: Ledger) -> tuple[Decimal | int, Decimal | int]:
    return ledger.spent, ledger.reserved


def test_a_request_costs_its_most_until_it_is_answered_and_its_price_from_then_on(path: Path) -> None:
    with open_ledger(path, "ab") as ledger:
        ledger.write(Sent(key="a", most=MOST))
        assert account(ledger) == (0, MOST)
        ledger.write(answer("a"))
        ledger.write(Sent(key="b", most=MOST))
        ledger.write(Failed(key="b", why="busy"))
        assert account(ledger) == (PRICE, 0)
    with open_ledger(path, "ab") as again:
        assert account(again) == (PRICE, 0)
        assert set(again.answers) == {"a"}


def test_what_was_on_its_way_when_the_process_died_counts_as_spent(path: Path) -> None:
    with open_ledger(path, "a") as ledger:
        ledger.write(Sent(key="a", most=MOST))
    with open_ledger(path, "a") as again:
        assert account(again) == (MOST, 0)
        again.write(Sent(key="a", most=MOST))
        again.write(answer("a"))
        assert account(again) == (MOST + PRICE, 0)


def test_a_batch_that_was_being_read_when_the_process_died_is_counted_once(path: Path) -> None:
    with open_ledger(path, "abc") as ledger:
        ledger.write(Submitting(chunk="1", most=dict.fromkeys("abc", MOST)))
        ledger.write(Submitted(chunk="1", batch="batch_7"))
        ledger.write(answer("a", chunk="1"))
        ledger.write(Lost(key="b", why="no JSON", chunk="1"))
        assert account(ledger) == (PRICE + MOST, MOST)
    with open_ledger(path, "abc") as again:
        assert again.batches == {"1": "batch_7"}
        again.write(answer("a", chunk="1"))
        again.write(Lost(key="b", why="no JSON", chunk="1"))
        again.write(Ended(chunk="1", status="expired"))
        assert account(again) == (PRICE + MOST, 0)
        assert not again.batches


def test_only_the_requests_at_hand_are_counted(path: Path) -> None:
    with open_ledger(path, "ab") as ledger:
        for key in "ab":
            ledger.write(Sent(key=key, most=MOST))
            ledger.write(answer(key))
    with open_ledger(path, "b") as other:
        assert account(other) == (PRICE, 0)
        assert set(other.answers) == {"b"}


def test_a_line_that_was_left_half_written_is_cut_off_and_the_next_stands_alone(path: Path) -> None:
    with open_ledger(path, "ab") as ledger:
        ledger.write(Sent(key="a", most=MOST))
    with path.open("ab") as file:
        file.write(b'{"kind":"answered","key":"a","te')
    with open_ledger(path, "ab") as again:
        again.write(Sent(key="b", most=MOST))
        again.write(answer("b"))
    with open_ledger(path, "ab") as last:
        assert account(last) == (MOST + PRICE, 0)


def test_a_damaged_line_is_not_passed_over(path: Path) -> None:
    with open_ledger(path, "a") as ledger:
        ledger.write(Sent(key="a", most=MOST))
    path.write_bytes(b'{"kind":"sent","key":\n' + path.read_bytes())
    with pytest.raises(Invalid, match="line 1 of"), open_ledger(path, "a"):
        pass


def test_two_processes_do_not_ask_the_same_at_once(path: Path) -> None:
    with open_ledger(path, "a"), pytest.raises(Invalid, match="another `copydesk label`"), open_ledger(path, "a"):
        pass
