"""What a page must have for a keyboard and for a screen reader, as far as its tags say it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_NAMED = ("a", "h1", "h2", "h3", "summary", "caption", "figcaption", "th", "title")


def faults(text: str) -> list[str]:
    """What is wrong with a page, a line each; empty if nothing is."""
    page = _Page()
    page.feed(text)
    page.close()
    return page.faults + page.ends()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.regions: list[str] = []
        self.language = ""
        # Names of what is read aloud and not yet closed, and what stands in each.
        self.open: list[tuple[str, list[str]]] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "html":
            self.language = given.get("lang", "")
        if tag in _NAMED:
            self.open.append((tag, []))
        self._check(tag, given)

    def handle_startendtag(self, tag, attrs):
        self._check(tag, dict(attrs))

    def _check(self, tag, given):
        pictures = tag == "img" or given.get("role") == "img"
        name = given.get("alt", "") + given.get("aria-label", "")
        if pictures and not name:
            self.faults.append(f"{tag}: no text in place of the picture")
        if pictures and self.open:
            self.open[-1][1].append(name)
        if tag == "th" and given.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
            self.faults.append("th: no scope")
        if "scroll" in given.get("class", "").split():
            if (given.get("tabindex"), given.get("role")) != ("0", "region") or not name:
                self.faults.append(f"{tag}: scrolls, and the keyboard does not reach it by a name: {given}")
            self.regions.append(name)
        if int(given.get("tabindex", 0)) > 0:
            self.faults.append(f"{tag}: takes its turn before what stands above")
        if tag == "a":
            self.links.append(given.get("href", ""))

    def handle_data(self, data):
        if self.open:
            self.open[-1][1].append(data)

    def handle_endtag(self, tag):
        if self.open and self.open[-1][0] == tag:
            _, words = self.open.pop()
            if self.open:
                self.open[-1][1].extend(words)
            if not "".join(words).strip():
                self.faults.append(f"{tag}: no words")

    def ends(self) -> list[str]:
        steps = zip([0, *self.levels], self.levels, strict=False)
        checks = {
            "headings skip a level": any(after > before + 1 for before, after in steps),
            "not one h1": self.levels.count(1) != 1,
            "no language": not self.language,
            "an id twice": len(set(self.ids)) < len(self.ids),
            "two regions of one name": len(set(self.regions)) < len(self.regions),
            "a link to nowhere": any(link[1:] not in self.ids for link in self.links if link.startswith("#")),
        }
        return [fault for fault, found in checks.items() if found]
