"""What a person does on the console, again and again."""

from playwright.sync_api import Locator, Page, expect


def answer(page: Page) -> Locator:
    """Return the latest answer."""
    return page.locator("#answers > li").first


def call(page: Page, method: str, params: str = "") -> Locator:
    """Call a method as a person does, and return its answer once it is there."""
    page.get_by_label("Method", exact=True).fill(method)
    page.get_by_label("Params, as JSON").fill(params)
    page.get_by_role("button", name="Call").click()
    expect(answer(page)).not_to_have_attribute("data-state", "waiting")
    return answer(page)


def statuses(page: Page) -> list[str]:
    """Return the statuses of the event log, the oldest first."""
    names = reversed(page.locator("#log li > span").all_inner_texts())
    return [name for name in names if name not in ("demo", "call failed")]


def connect(page: Page, url: str) -> None:
    """Fill in the address of a circle and press Connect."""
    page.get_by_label("Circle", exact=True).fill(url)
    page.get_by_role("button", name="Connect", exact=True).click()
