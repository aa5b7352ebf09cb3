from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import torch
from torch import nn

from monai_advdefense.robustness import Settings, robustness_report
from monai_advdefense.robustness.page import worst_first
from tests.accessible_page import faults


class _Parser(HTMLParser):
    """Ids, inner links, addresses and open tags of a page."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.addresses, self.open = set(), set(), set(), []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids.add(found.get("id"))
        for name in ("href", "src", "srcset"):
            if value := found.get(name):
                (self.links if value.startswith("#") else self.addresses).add(value)
        if tag not in {"meta", "img", "source", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(network, items, tmp_path):
    settings = Settings(
        budgets=(0.05, 0.2), attacks=("fgsm", "pgd"), corruptions=("darker", "mirrored"), changes=(0.1, 0.4)
    )
    items[0]["name"] = "<b>one</b>"
    robustness_report(network, items, tmp_path, settings=settings, structures=["a & b"], about={"command": "x < y"})
    return (tmp_path / "robustness.html").read_text(encoding="utf-8")


def test_the_page_stands_alone_and_its_links_lead_somewhere(page):
    parser = _Parser()
    parser.feed(page)
    assert parser.open == []
    assert {link[1:] for link in parser.links} <= parser.ids
    assert parser.addresses
    assert all(address.startswith("data:image/png") for address in parser.addresses)
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_claims_come_first_and_limits_are_there(page):
    order = [page.index(f'id="{name}"') for name in ("claims", "attacks", "ruined", "corruptions", "clauses", "limits")]
    assert order == sorted(order)
    assert "Mean Dice falls from 1.00 to 0.41 at worst" in page
    assert "evidence" in page[page.index('id="limits"') :]
    assert 'id="guard"' not in page
    assert len(re.findall(r'class="corruption"', page)) == 2


def test_names_from_outside_are_escaped(page):
    assert "&lt;b&gt;one&lt;/b&gt;" in page
    assert "<b>one" not in page
    assert "x &lt; y" in page


def test_the_worst_corruption_comes_first():
    def corruption(name, *dice):
        return {"name": name, "levels": [{"dice": {"estimate": value}} for value in dice]}

    listed = [corruption("mild", 0.9, 0.8), corruption("empty", None), corruption("bad", 0.9, 0.1)]
    assert [one["name"] for one in worst_first(listed)] == ["bad", "mild", "empty"]


def test_a_keyboard_and_a_screen_reader_get_everywhere(page):
    assert faults(page) == []
    pictures = re.findall(r'alt="([^"]*)"', page)
    assert len(set(pictures)) == len(pictures)


class _WithAThirdClass(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        logits = self.network(image)
        return torch.cat([logits, torch.full_like(logits[:, :1], -100.0)], 1)


def test_structures_that_are_nowhere_are_named_once_and_fill_no_rows(network, items, tmp_path):
    settings = Settings(budgets=(0.05,), attacks=("fgsm",), corruptions=())
    report = robustness_report(
        _WithAThirdClass(network), items, tmp_path, settings=settings, structures=["square", "nowhere"]
    )
    page = (tmp_path / "robustness.html").read_text(encoding="utf-8")
    assert "Neither in the reference nor predicted in any image: nowhere." in page
    assert page.count('scope="row">square<') == 2
    assert page.count('scope="row">nowhere<') == 0
    assert report["structures"] == ["square", "nowhere"]
