"""What the doctor concludes."""

from __future__ import annotations

from rich.console import Console

from copydesk.doctor import Check, as_table, memory_check


def _text(*checks: Check) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(as_table(list(checks)))
    return capture.get()


def test_what_is_missing_comes_with_what_to_do_about_it() -> None:
    text = _text(Check("broker", False, "silent", "start it"), Check("GPU", False, "none", "buy one", necessary=False))
    assert "missing" in text
    assert "start it" in text
    assert "optional" in text


def test_what_is_there_needs_no_advice() -> None:
    assert "advice" not in _text(Check("Python", True, "3.11", "advice"))


def test_too_little_memory_is_told_but_stops_nobody() -> None:
    low = memory_check(1000)
    assert (low.ok, low.necessary) == (False, False)
    assert memory_check(8000).ok
