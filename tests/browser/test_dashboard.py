"""The pages in a real browser: they are drawn, they lead to each other, and nothing in a record becomes markup or a request."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Watch
from tests.dashboards import fixture_lake

pytestmark = pytest.mark.browser
RUN = f"/run?run={fixture_lake.RUN_SUPPORT}"


def opened(page: Page, address: str) -> Page:
    """The page when all of it is drawn."""
    page.goto(address)
    expect(page.get_by_text("As of")).to_be_visible(timeout=30_000)
    expect(page.locator("[data-testid=stException]")).to_have_count(0)
    return page


@pytest.mark.parametrize("path", ["/overview", "/runs", RUN])
def test_every_page_is_drawn_in_both_themes(themed: BrowserContext, site: str, path: str) -> None:
    page = themed.new_page()
    seen = Watch(page, site)
    opened(page, site + path)
    page.wait_for_timeout(500)
    assert seen.errors == []
    assert seen.foreign == []


def test_the_root_leads_to_the_overview(page: Page, site: str) -> None:
    opened(page, site)
    assert page.url.startswith(f"{site}/overview")


def test_charts_have_words_for_those_who_do_not_see_them(page: Page, site: str) -> None:
    opened(page, f"{site}/overview")
    expect(page.get_by_label(re.compile("Runs by outcome over the last 24 hours")).first).to_be_attached()
    expect(page.get_by_label(re.compile("Audit-write latency.*5 and 20 ms")).first).to_be_attached()


def test_a_tile_leads_to_its_page_with_the_filter_set(page: Page, site: str) -> None:
    opened(page, f"{site}/overview")
    page.get_by_role("link", name="Failed runs").click()
    expect(page.get_by_text(re.compile("match · rows"))).to_be_visible()
    assert "statuses=error" in page.url


def test_filters_survive_a_reload(page: Page, site: str) -> None:
    opened(page, f"{site}/runs")
    page.get_by_label("Status", exact=True).click()
    page.get_by_role("option", name="error", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_placeholder(re.compile("Text in ids")).fill("charge_card")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("text=charge_card"))
    opened(page, page.url)
    expect(page.get_by_placeholder(re.compile("Text in ids"))).to_have_value("charge_card")
    assert "statuses=error" in page.url
    counts = re.search(r"(\d+) runs? match.*· (\d+) failed", page.get_by_text(re.compile("match · rows")).inner_text())
    assert counts is not None
    assert counts[1] == counts[2]


def test_a_click_on_a_row_opens_its_run(page: Page, site: str) -> None:
    opened(page, f"{site}/runs?sort=steps")
    grid = page.locator("[data-testid=stDataFrame] canvas").first
    expect(grid).to_be_visible()
    page.wait_for_timeout(500)
    grid.click(position={"x": 300, "y": 52}, force=True)  # the grid's own scroll layer lies over its canvas
    page.wait_for_url(re.compile(f"/run.*run={fixture_lake.RUN_LONG}"))
    expect(page.get_by_text("419 steps folded")).to_be_visible()


def test_the_waterfall_chooses_a_step_by_mouse_and_by_keyboard(page: Page, site: str) -> None:
    opened(page, site + RUN)
    page.get_by_role("treeitem", name=re.compile("^Tool, issue_refund")).click()
    page.wait_for_url(re.compile("step="))
    expect(page.get_by_role("heading", name="issue_refund")).to_be_visible()
    page.get_by_role("tree").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="support-agent", level=4)).to_be_visible()


def test_a_branch_folds_and_opens_by_keyboard(page: Page, site: str) -> None:
    opened(page, site + RUN)
    rows = page.get_by_role("treeitem")
    expect(rows).to_have_count(14)
    page.get_by_role("tree").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(rows).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(rows).to_have_count(14)


def test_a_deep_link_opens_the_step_it_names(page: Page, site: str) -> None:
    opened(page, site + RUN)
    page.get_by_role("article").filter(has_text="update_memory").click()
    page.wait_for_url(re.compile("step="))
    opened(page, page.url)
    expect(page.get_by_role("heading", name="update_memory")).to_be_visible()


def test_nothing_in_a_record_becomes_markup_or_a_request(page: Page, site: str, watch: Watch) -> None:
    """Names, prompts, ids and errors of the hostile run hold scripts, images, links and Markdown."""
    for address in ("/overview", "/runs", f"/run?run={fixture_lake.RUN_XSS}"):
        opened(page, site + address)
        page.wait_for_timeout(500)
    for tab in ("Attributes", "Events and links", "Evidence"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(200)
    page.get_by_role("treeitem").nth(1).click()
    page.wait_for_timeout(800)
    assert page.evaluate("window.pwned") is None
    assert watch.foreign == []
    assert page.locator("img[src='x'], a[href*='beacon'], a[href^='javascript']").count() == 0


def test_the_sql_of_a_panel_is_one_click_away(page: Page, site: str) -> None:
    opened(page, f"{site}/overview")
    page.get_by_role("button", name="SQL").first.click()
    expect(page.get_by_text("GROUPING SETS").first).to_be_visible()
