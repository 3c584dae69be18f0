"""Who opens a page: what it complains of that no person would notice, and what it says."""

from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page

from tests.example.chapter import Site, blocks
from tests.support.limits import PATIENCE


@dataclass
class Seen:
    """What a browser tells that no person would notice."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note errors of every kind, and whatever the page asks for."""
        # A violation that a script catches goes to no console.
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', (it) => console.error(it.blockedURI))"
        )
        page.on("console", self._hear)
        page.on("pageerror", lambda it: self.complaints.append(str(it)))
        page.on("requestfailed", lambda it: self.complaints.append(f"{it.url}: {it.failure}"))
        page.on("request", lambda it: self.requests.append(it.url))
        page.on("websocket", lambda it: self.requests.append(it.url))

    def _hear(self, message: ConsoleMessage) -> None:
        # Who presses Connect while the page dials has it hang up, and Chromium remarks on that.
        if message.type in ("error", "warning") and "closed before the connection" not in message.text:
            self.complaints.append(message.text)


class Reader:
    """Who opens the examples, and what their pages complain of."""

    def __init__(self, page: Page, site: Site) -> None:
        self.seen = Seen()
        self.page = page
        self.seen.watch(self.page)
        self._site = site
        self.said: list[str] = []
        self.page.on("console", lambda it: self.said.append(it.text))

    def open(self, folder: str) -> Page:
        """Open an example."""
        self._site.asked.clear()
        self.page.goto(f"{self._site.origin}/{folder}{'/' if folder else ''}")
        return self.page

    def hear(self, words: str) -> None:
        """Wait until the console has said these words."""
        while not any(words in line for line in self.said):
            self.page.wait_for_event("console", timeout=PATIENCE * 1000)

    def check(self, folder: str) -> None:
        """Make sure that each file of the example was asked for, nothing from elsewhere, and nothing complains."""
        names = {name for name in blocks() if folder and name.startswith(f"{folder}/") and not name.endswith(".mts")}
        assert names - {f"{folder}/index.html"} <= set(self._site.asked)
        assert {url for url in self.seen.requests if url.startswith("http") and self._site.origin not in url} == set()
        # What the library logs of connections that a test cuts is no complaint.
        assert [it for it in self.seen.complaints if ": lost the connection: " not in it] == []
