"""The page about money, in a real browser and without its script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.desk.conftest import DeskInTest

SET = "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }"


def test_the_reckoning_follows_the_sliders_and_the_address_keeps_them(page: Page, running_desk: DeskInTest) -> None:
    page.goto(f"{running_desk.address}/cost")
    expect(page.get_by_role("heading", name="Dollars a day for 100,000 titles")).to_be_visible()
    expect(page.get_by_role("row", name="your card always on $60.00")).to_be_visible()
    expect(page.get_by_role("button", name="Reckon")).to_be_hidden()
    page.get_by_label("Titles a day").evaluate(f"slider => ({SET})(slider, 3)")
    expect(page.get_by_role("heading", name="Dollars a day for 1,000 titles")).to_be_visible()
    expect(page.get_by_text("The price alone is no reason for a card").first).to_be_visible()
    page.get_by_label("Your card, an hour").evaluate(f"slider => ({SET})(slider, 1)")
    expect(page.get_by_role("row", name="your card always on $24.00")).to_be_visible()
    page.reload()
    expect(page.get_by_role("row", name="your card always on $24.00")).to_be_visible()
    expect(page.get_by_label("Titles a day")).to_have_attribute("aria-valuetext", "1,000")
    page.get_by_role("link", name="As it was").click()
    expect(page.get_by_role("row", name="your card always on $60.00")).to_be_visible()


def test_it_works_without_the_script_and_on_a_phone(browser: Browser, running_desk: DeskInTest) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{running_desk.address}/cost")
        page.get_by_label("Seconds until it writes").press("End")
        page.get_by_role("button", name="Reckon").click()
        assert "start=900" in page.url
        expect(page.get_by_label("Seconds until it writes")).to_have_value("900")
        box = page.locator("main").bounding_box()
        assert box is not None
        assert box["width"] <= 360
        table = page.locator("table.bars").bounding_box()
        assert table is not None
        assert table["x"] + table["width"] <= 360
    finally:
        context.close()


@pytest.mark.parametrize("query", ["volume=99", "speed=nan", "gpu_hour=-1", "start=x"])
def test_nonsense_in_the_address_is_refused_in_words(page: Page, running_desk: DeskInTest, query: str) -> None:
    answer = page.request.get(f"{running_desk.address}/cost?{query}")
    assert answer.status == 422
    assert query.partition("=")[0] in answer.text()
