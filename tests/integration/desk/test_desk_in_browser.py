"""What a curator does at the desk, with a real browser's hands."""

from __future__ import annotations

import json

from playwright.sync_api import Browser, BrowserContext, Page, expect

from schemas.envelope import decode
from schemas.events import Correction
from tests.desk_seed import OTHERS, TIDE, Case, put
from tests.integration.desk.conftest import DeskInTest

BETTER = "Nine-day tide forecasts run on an office computer"


def corrections(desk: DeskInTest) -> list[Correction]:
    events = [decode(message.value, message.headers).event for _, message in desk.broker.sent]
    return [event for event in events if isinstance(event, Correction)]


def test_a_curator_edits_tags_and_saves_with_the_mouse(page: Page, running_desk: DeskInTest) -> None:
    expect(page.locator("#counter")).to_have_text("71 of 60")
    expect(page.locator("#marks mark").first).to_have_text("TFN")
    page.get_by_label("House title").fill(BETTER)
    expect(page.locator("#counter")).to_have_text("49 of 60")
    page.locator(".chip", has_text="Too long").click()
    page.get_by_label("Note").fill("The unit was invented.")
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_text("Corrected and published")).to_contain_text(BETTER)
    (correction,) = corrections(running_desk)
    assert (correction.title_after, correction.curator, correction.note) == (BETTER, "Ana", "The unit was invented.")
    assert correction.error_tags == ("too_long",)
    expect(page.locator(f"#queue a[href='/titles/{TIDE.title_id}']")).to_have_count(0)
    assert page.url.split("?")[0].endswith(str(OTHERS[0].title_id))  # on to the next one


def has_loaded(page: Page) -> None:
    """A key pressed while the page's script is still on its way reaches nobody."""
    page.wait_for_load_state("load")


def test_the_desk_works_without_a_mouse(page: Page, running_desk: DeskInTest) -> None:
    keys = page.keyboard
    keys.press("1")
    keys.press("6")
    keys.press("1")
    keys.press("e")
    keys.press("Control+a")
    keys.type(BETTER)
    keys.press("Alt+4")
    keys.press("Control+Enter")
    expect(page.locator("#reopen")).to_be_visible()
    assert corrections(running_desk)[0].error_tags == ("too_long", "not_in_article")
    has_loaded(page)
    keys.press("s")
    expect(page.get_by_text("Spiked")).to_be_visible()
    expect(page.locator("#text")).to_have_value("")  # the title that nobody wrote
    has_loaded(page)
    keys.press("j")
    expect(page.locator("#text")).not_to_have_value("")
    has_loaded(page)
    keys.press("k")
    expect(page.locator("#text")).to_have_value("")
    has_loaded(page)
    keys.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    assert [correction.verdict for correction in corrections(running_desk)] == ["corrected", "spiked"]


def test_a_good_title_is_approved_with_one_key_and_can_be_reopened(page: Page, running_desk: DeskInTest) -> None:
    council = next(case for case in OTHERS if case.slug == "council")
    page.goto(f"{running_desk.address}/titles/{council.title_id}")
    page.keyboard.press("a")
    expect(page.get_by_text("Approved and published")).to_contain_text(council.title)
    has_loaded(page)
    page.keyboard.press("u")
    expect(page.get_by_text("A new verdict of yours replaces it.")).to_be_visible()
    has_loaded(page)
    page.get_by_label("House title").fill("Council: machines must say that they write")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Corrected and published")).to_be_visible()
    assert [correction.verdict for correction in corrections(running_desk)] == ["approved", "corrected"]


def test_house_rules_answer_while_somebody_types(page: Page) -> None:
    rules = page.locator("#rules")
    expect(rules).to_contain_text("71 characters")
    page.get_by_label("House title").fill("“Nine days” of tides")
    expect(rules).to_have_text("It has quotation marks.")
    page.get_by_label("House title").fill(BETTER)
    expect(rules).to_have_text("Keeps every house rule.")


def test_with_the_broker_down_nothing_typed_is_lost(page: Page, running_desk: DeskInTest) -> None:
    running_desk.broker.down = True
    page.get_by_label("House title").fill(BETTER)
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_role("alert")).to_contain_text("Your wording is kept here")
    expect(page.get_by_label("House title")).to_have_value(BETTER)
    page.reload()
    expect(page.get_by_label("House title")).to_have_value(BETTER)
    expect(page.locator("#notices")).to_contain_text("Your wording from before is back.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    running_desk.broker.down = False
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Corrected and published")).to_be_visible()
    assert len(corrections(running_desk)) == 1


def test_hammering_on_the_keys_sends_one_verdict(page: Page, running_desk: DeskInTest) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if request.method == "POST" else None)
    page.get_by_label("House title").fill(BETTER)
    page.evaluate(
        """() => {
            const save = document.querySelector("[value=corrected]");
            for (let times = 0; times < 4; times += 1) document.getElementById("verdict").requestSubmit(save);
        }"""
    )
    expect(page.locator("#reopen")).to_be_visible()
    assert len([url for url in requests if url.endswith("/verdict")]) == 1
    assert len(corrections(running_desk)) == 1


def test_nobody_judges_without_a_name(context: BrowserContext, running_desk: DeskInTest) -> None:
    page = context.new_page()
    page.goto(running_desk.address)
    page.keyboard.press("s")
    expect(page.get_by_role("alert")).to_contain_text("Say who you are")
    page.keyboard.type("Ben")
    page.keyboard.press("Enter")
    page.keyboard.press("s")
    expect(page.locator("#reopen")).to_be_visible()
    assert [correction.curator for correction in corrections(running_desk)] == ["Ben"]


def test_a_hostile_title_is_text_and_nothing_else(page: Page, running_desk: DeskInTest) -> None:
    attack = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    case = Case("attack", attack, f"{attack}\n\n{attack}", attack, evidence=attack, source=attack)
    put(running_desk.engine, case)
    page.goto(f"{running_desk.address}/titles/{case.title_id}")
    editor = page.get_by_label("House title")
    expect(editor).to_have_value(attack)
    editor.press("End")
    with page.expect_response("**/api/check"):
        editor.type("<b>!")
    expect(page.locator("#marks b, #marks img, #marks script, article img, #queue img")).to_have_count(0)
    expect(page.locator("article mark").first).to_have_text(attack)
    assert "taken" not in page.evaluate("document.title.slice(0, 5)")


def test_another_curators_verdict_is_shown_and_kept(page: Page, running_desk: DeskInTest, browser: Browser) -> None:
    other = browser.new_context()
    other.add_cookies([{"name": "curator", "value": "Ben", "url": running_desk.address}])
    ben = other.new_page()
    ben.goto(running_desk.address)
    ben.keyboard.press("s")
    expect(ben.locator("#reopen")).to_be_visible()
    other.close()
    page.get_by_label("House title").fill(BETTER)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Ben has already judged this title")
    expect(page.get_by_label("House title")).to_have_value(BETTER)


def test_the_desk_clears_and_wakes_up_by_itself(page: Page, running_desk: DeskInTest) -> None:
    for _ in range(7):
        page.keyboard.press("s")
        expect(page.locator("#reopen")).to_be_visible()
        has_loaded(page)
        page.evaluate("document.getElementById('reopen').remove()")
    expect(page.get_by_role("heading", name="The desk is clear.")).to_be_visible()
    put(running_desk.engine, Case("late", "Late", "A late article about tides.", "A late title"))
    expect(page.get_by_label("House title")).to_have_value("A late title")


def test_every_control_has_a_name_and_enough_contrast(page: Page) -> None:
    unnamed = page.evaluate(
        """() => Array.from(document.querySelectorAll("a, button, input, textarea, meter, progress"))
            .filter((node) => node.type !== "hidden" && node.checkVisibility())
            .filter((node) => !(node.textContent.trim() || node.getAttribute("aria-label") || node.labels?.length))
            .map((node) => node.outerHTML)"""
    )
    assert unnamed == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        colours = json.loads(page.evaluate(_COLOURS))
        for ink, ground in (("ink", "paper"), ("soft", "paper"), ("soft", "sheet"), ("pencil", "sheet")):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (scheme, ink, ground)
        for ink, ground in (
            ("trouble", "trouble-wash"),
            ("on-pencil", "pencil"),
            ("ink", "highlight"),
            ("ink", "wash"),
        ):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (scheme, ink, ground)


_COLOURS = """() => {
    const style = getComputedStyle(document.documentElement);
    const probe = document.body.appendChild(document.createElement("i"));
    const names = ["ink", "soft", "paper", "sheet", "pencil", "on-pencil", "wash", "highlight", "trouble",
                   "trouble-wash"];
    const colours = {};
    for (const name of names) {
        probe.setAttribute("class", "");
        probe.style.color = style.getPropertyValue(`--${name}`);
        colours[name] = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).map(Number);
    }
    probe.remove();
    return JSON.stringify(colours);
}"""


def contrast(one: list[int], other: list[int]) -> float:
    """WCAG 2.2's contrast ratio of two sRGB colours."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: list[int]) -> float:
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_on_a_phone_everything_fits_and_the_buttons_stay_in_reach(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("Approve", "Save correction", "Spike"):
        expect(page.get_by_role("button", name=name)).to_be_in_viewport()
    page.mouse.wheel(0, 900)
    expect(page.get_by_role("button", name="Save correction")).to_be_in_viewport()
