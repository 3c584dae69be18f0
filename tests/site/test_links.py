"""Every link of the built site leads somewhere, and nothing that a page loads comes from another host."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")}


@dataclass
class _Reader(HTMLParser):
    """What one page links to, what it loads, and the anchors that it has."""

    links: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)
    anchors: set[str] = field(default_factory=lambda: {"", "__top"})

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        for name in ("href", "src"):
            if name not in given:
                continue
            is_loaded = (tag, name) in _LOADED or (
                tag == "link" and given.get("rel") not in ("canonical", "next", "prev")
            )
            (self.loads if is_loaded else self.links).add(given[name])


def _read(path: Path) -> _Reader:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc or parts.scheme not in ("", "data"))


def test_no_link_is_broken(site: Path) -> None:
    """Pages, files and anchors; addresses of other hosts are not asked for."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        # A host serves 404.html at every address, so its links begin at the root.
        root = site if path.name == "404.html" else path.parent
        for link in page.links | page.loads:
            if _is_elsewhere(link) or link.startswith("data:"):
                continue
            parts = urlsplit(link)
            target = (
                site / parts.path.lstrip("/") if parts.path.startswith("/") else root / unquote(parts.path)
            ).resolve()
            if not parts.path:
                target = path
            elif target.is_dir():
                target /= "index.html"
            if not target.exists() or target.suffix == ".html" and unquote(parts.fragment) not in pages[target].anchors:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert len(pages) > 10
    assert broken == []


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    """Pictures, scripts and styles lie beside the pages, so the site works without a network."""
    loads = {one for path in site.rglob("*.html") for one in _read(path).loads}
    assert loads
    assert [one for one in loads if _is_elsewhere(one)] == []
