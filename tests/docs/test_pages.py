"""The pages: code comes from examples, links lead somewhere, the site can be built."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest

from tests.docs import documents

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SNIPPET = re.compile(r'^\s*--8<-- "examples/[\w.]+(:\w+)?"$')


@pytest.mark.parametrize("file", documents.PAGES, ids=documents.name)
def test_python_is_shown_from_examples(file):
    for block in documents.blocks(file, "python"):
        assert all(map(SNIPPET.match, block.splitlines())), block


@pytest.mark.parametrize("file", documents.PAGES, ids=documents.name)
def test_a_page_links_the_examples_that_it_shows(file):
    text = file.read_text()
    shown = set(re.findall(r'--8<-- "(examples/[\w.]+)', text))
    linked = {(file.parent / target).resolve() for target in LINK.findall(text)}
    assert {documents.PROJECT / name for name in shown} <= linked


def test_python_in_the_readme_is_that_of_examples():
    [block] = documents.blocks(documents.PROJECT / "README.md", "python")
    example = (documents.PROJECT / "examples" / "predict.py").read_text()
    for line in block.splitlines():
        assert line.replace("runs/mine_small", "runs/first/fixmatch") in example.splitlines()


def test_the_readme_is_short():
    assert len((documents.PROJECT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("file", documents.DOCUMENTS, ids=documents.name)
def test_links_are_sound(file):
    for target in LINK.findall(documents.FENCED.sub("", file.read_text())):
        parsed = urlparse(target)
        if parsed.scheme:
            assert parsed.scheme == "https"
            assert "." in parsed.netloc, target
        elif parsed.path:
            assert (file.parent / parsed.path).is_file(), target


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly: a page or a heading that a link names and is not there stops it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=documents.PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_the_site_is_complete(site):
    pages = {file.relative_to(site).as_posix() for file in site.rglob("*.html")}
    assert len(pages) > len(documents.PAGES)
    settings = (site / "reference" / "configuration" / "index.html").read_text()
    for key in ("optimizer.learning_rate", "views.labeled.hflip", "data.folder.white"):
        assert f"<code>{key}</code>" in settings
    assert "<code>network.widths</code>" in settings
    assert "<math" in (site / "methods" / "uaps" / "index.html").read_text()
    entropy = (site / "extend" / "method" / "index.html").read_text()
    assert "EntropyConfig" in entropy
    assert re.search(r'href="?../../examples/my_entropy.py', entropy)
    assert (site / "examples" / "my_entropy.py").is_file()


def test_the_site_needs_nothing_from_elsewhere(site):
    loaded = re.compile(
        r"<(?:script|img|iframe)[^>]*?src=[\"']?(https?:[^\"' >]+)|<link[^>]*?rel=[\"']?"
        r"(?:stylesheet|preconnect)[^>]*?href=[\"']?(https?:[^\"' >]+)"
    )
    for page in site.rglob("*.html"):
        assert not loaded.findall(page.read_text()), page
        assert "<!-- settings" not in page.read_text()
        assert "--8&lt;--" not in page.read_text()


def test_the_theme_writes_no_attribute_that_the_standard_forbids(site):
    forbidden = re.compile(r"""tabindex=(""|''|[ >])|<input[^>]*checkbox[^>]*autocomplete""")
    for page in site.rglob("*.html"):
        assert not forbidden.search(page.read_text()), page


def test_every_page_is_in_the_navigation():
    text = (documents.PROJECT / "mkdocs.yml").read_text()
    for page in documents.PAGES:
        assert page.relative_to(documents.PROJECT / "docs").as_posix() in text
    assert Path(documents.PROJECT, "docs", "index.md").is_file()
