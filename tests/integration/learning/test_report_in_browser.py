"""The report of an evaluation in a real browser: wide and narrow, light and dark, by keyboard and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.evaluation_samples import EXAMPLES, contender, two_models
from tests.install_browser import launch
from training.evaluation import Evaluation
from training.held_out import HeldOut
from training.report import PAGE, write_report
from training.votes import BALLOT, KEY, count_votes, write_sheet

LONG = "W" * 90
"""A word that fits nowhere, as broken models write."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a report of seven models with long names; one of them writes a word without end."""
    names = ["base", *(f"demo-qlora-{number}bit-with-a-long-name-3f1c22ab" for number in range(5))]
    models = [
        contender(name, [f"{name} {at}" for at in range(8)], 0.3 + place / 10) for place, name in enumerate(names)
    ]
    broken = contender("broken", [LONG, "", *(["عنوان قصير"] * 6)], 0.1)
    folder = tmp_path_factory.mktemp("report")
    write_report(Evaluation(HeldOut("data set press", "ab" * 32, EXAMPLES), (*models, broken)), folder)
    return (folder / PAGE).as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = launch(playwright)
        try:
            yield started
        finally:
            started.close()


def opened(browser: Browser, address: str, width: int, scheme: str = "light") -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light", offline=True
    )
    page = context.new_page()
    page.goto(address)
    return page


@pytest.mark.parametrize("width", [1440, 820, 390, 320])
def test_nothing_reaches_beyond_the_screen(browser: Browser, report: str, width: int) -> None:
    page = opened(browser, report, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter(one => !one.closest('.scroll, .unseen, thead'))
            .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
            .map(one => one.outerHTML.slice(0, 80))"""
    )
    assert beyond == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_told_from_its_ground(browser: Browser, report: str, scheme: str) -> None:
    page = opened(browser, report, 1440, scheme)
    faint = page.evaluate(CONTRAST)
    assert faint == []
    page.context.close()


def test_one_model_is_shown_above_the_others_by_keyboard(browser: Browser, report: str) -> None:
    page = opened(browser, report, 1440)
    curve = page.locator("svg path.of-1").first
    assert curve.evaluate("one => getComputedStyle(one).opacity") == "1"
    page.get_by_role("radio", name="all").focus()
    page.keyboard.press("ArrowDown")
    assert page.get_by_role("radio", name="base").is_checked()
    assert curve.evaluate("one => getComputedStyle(one).opacity") == "0.13"
    assert page.locator("svg path.of-0").first.evaluate("one => getComputedStyle(one).opacity") == "1"
    page.context.close()


def test_a_table_wider_than_a_phone_can_be_moved_by_keyboard_and_keeps_its_first_column(
    browser: Browser, report: str
) -> None:
    page = opened(browser, report, 390)
    table = page.get_by_role("region", name="All figures, table")
    head = table.get_by_role("rowheader", name="precision BERTScore of the title's words")
    before = head.bounding_box()
    table.focus()
    page.keyboard.press("End")
    table.evaluate("one => one.scrollLeft = 300")
    after = head.bounding_box()
    assert table.evaluate("one => one.scrollLeft") == 300
    assert before is not None
    assert after is not None
    assert after["x"] == pytest.approx(before["x"], abs=1)
    page.context.close()


def test_what_a_screen_reader_hears_is_what_is_seen(browser: Browser, report: str) -> None:
    page = opened(browser, report, 390)  # as cards, the table at a glance is still a table
    row = page.get_by_role("row", name="broken").first
    assert row.get_by_role("cell").count() == 7
    heard = page.locator("main").aria_snapshot()
    assert "worse beyond chance" in heard
    assert "better beyond chance" in heard
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(one => +one.tagName[1])")
    assert levels[0] == 1
    assert all(now - was <= 1 for was, now in pairwise(levels))
    page.context.close()


def test_on_paper_every_section_is_there(browser: Browser, report: str) -> None:
    page = opened(browser, report, 800)
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation").is_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(one => one.scrollWidth <= one.clientWidth + 1)"
    )
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.context.close()


def test_a_ballot_is_filled_in_and_saved_as_a_sheet_that_is_counted(browser: Browser, tmp_path: Path) -> None:
    assert write_sheet(two_models(), tmp_path) == 8
    page = opened(browser, (tmp_path / BALLOT).as_uri(), 390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(CONTRAST) == []
    page.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.locator("fieldset").nth(1).get_by_text("equally good or bad").click()
    page.reload()  # somebody comes back the next day
    assert page.get_by_role("status").inner_text() == "2 of 8"
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the votes").click()
    download.value.save_as(tmp_path / "votes.csv")
    (count,), _ = count_votes([tmp_path / "votes.csv"], tmp_path / KEY)
    assert (count.first_won + count.second_won, count.ties) == (1, 1)
    page.context.close()


CONTRAST = """() => {
  const probe = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  };
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = one => {
    const found = rgba(getComputedStyle(one).backgroundColor);
    return found[3] == 255 ? found : ground(one.parentElement);
  };
  const ratio = one => {
    const [high, low] = [rgba(getComputedStyle(one).color), ground(one)].map(light).sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const speaks = one => [...one.childNodes].some(node => node.nodeType == 3 && node.data.trim());
  return [...document.querySelectorAll('header *, main *, footer *')].filter(one => speaks(one) && ratio(one) < 4.5)
    .map(one => one.outerHTML.slice(0, 90));
}"""
"""Texts whose contrast is below that of WCAG 2.2, success criterion 1.4.3."""
