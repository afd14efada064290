"""The parts that all HTML pages have in common."""

import re

from uaps_jax.reports import html_page


def test_a_page_has_language_viewport_title_and_main_content():
    page = html_page.document("a < b", "p { color: red; }", ["<p>x</p>", "<p>y</p>"])
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert page.count("<title>a &lt; b</title>") == 1
    assert "p { color: red; }</style>" in page
    (main,) = re.findall("<main>(.*)</main>", page, re.DOTALL)
    assert main == "\n<h1>a &lt; b</h1>\n<p>x</p>\n<p>y</p>\n"


def test_a_wide_table_scrolls_and_can_be_focused():
    region = html_page.scroll_region('a "b"', "<table></table>")
    assert region == (
        '<section class="wide" tabindex="0" aria-label="a &quot;b&quot;"><table></table></section>'
    )
    assert ".wide { overflow-x: auto; }" in html_page.STYLE
