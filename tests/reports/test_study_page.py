"""The page of a study."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from uaps_jax.reports import study_page, table_texts, tables

SCRIPT = "<script>alert('x')</script>"


def some_tables(entry="new"):
    rows = [
        {
            "dataset": "neu",
            "entry": name,
            "split_seed": 0,
            "seed": seed,
            "labeled": 16,
            "step": 1,
        }
        | {"iou": 60.0 + seed + (name == entry), "labeled_groups": 4, "budget": "labeled_count 16"}
        for name in ("base", entry)
        for seed in (0, 1)
    ]
    return tables.tables(rows, ("base", entry), ("iou",), "base")


class Outline(HTMLParser):
    """Checks that every element is closed; keeps addresses and text."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(page):
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    return outline


def test_the_page_is_complete_and_loads_no_other_files():
    page = study_page.render(
        "A study",
        table_texts.html(some_tables()),
        [("Label efficiency", "figures/lines.png"), ("Ablation", "bars & points.png")],
        ["CCT, seed 2: exit status 1"],
        ["Variant :medium."],
    )
    outline = read(page)
    assert set(outline.addresses) == {"figures/lines.png", "bars%20%26%20points.png"}
    assert not re.search(r"https?:|@import|url\(", page)
    text = "".join(outline.words)
    parts = ("CCT, seed 2", "Variant :medium.", "60.50 ± 0.71 (2)", "Label efficiency", "Ablation")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_every_table_is_in_a_scroll_region_with_a_name_of_its_own():
    twice = [*some_tables(), *(dataclasses.replace(t, title="other") for t in some_tables())]
    page = study_page.render("A study", table_texts.html(twice), [], [], [])
    regions = re.findall(r'<section class="wide" tabindex="0" aria-label="([^"]*)"><table>', page)
    assert regions == [
        "Scores: neu, 16 labeled images of 4 leakage groups (labeled_count 16)",
        "Scores: other",
    ]
    assert page.count("<table>") == 2
    assert page.count("<main>") == 1


def test_every_text_is_escaped():
    page = study_page.render(
        SCRIPT,
        table_texts.html(some_tables(SCRIPT)),
        [(SCRIPT, f"{SCRIPT}.png")],
        [SCRIPT],
        [SCRIPT],
    )
    assert "<script" not in page
    # Title twice; failure; note; entry; caption and its alternative text.
    assert page.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;") == 7
    read(page)


def test_parts_without_content_are_left_out():
    page = study_page.render("Empty", "", [], [], [])
    assert "<h2>" not in page
    read(page)


@pytest.mark.parametrize("file", ["", "/tmp/lines.png", "//elsewhere/lines.png"])
def test_figures_must_be_relative(file):
    with pytest.raises(ValueError, match="relative"):
        study_page.render("A study", "", [("Lines", file)], [], [])


def test_an_address_elsewhere_is_only_a_strange_file_name():
    page = study_page.render("A study", "", [("Lines", "https://a.b/c.png")], [], [])
    assert set(read(page).addresses) == {"https%3A//a.b/c.png"}
