"""The tables of a study as Markdown, HTML and CSV."""

import csv
import io
import re

from tests.reports.test_tables import only, row, runs
from uaps_jax.reports import table_texts, tables


def test_the_caption_explains_the_numbers():
    text = table_texts.caption(only(runs("base", 1.0, 2.0, 3.0) + runs("new", 2.0)))
    for words in (
        "Percent",
        "16 labeled images",
        "1 to 3 runs",
        "± the sample standard deviation",
        "best mean of each column (the highest)",
        "no correction for multiple comparisons",
        "Differences to base",
        "95 % confidence interval",
        "Student's t",
    ):
        assert words in text


def test_markdown_is_a_table_and_shows_names_as_they_are():
    rows = runs("base", 70.0, 71.0) + runs("a|b <script>*", 70.0, 71.5)
    text = table_texts.markdown([only(rows, entries=("base", "a|b <script>*"))])
    assert "| base | 2 | 70.50 ± 0.71 (2) | baseline |" in text
    assert r"| a\|b &lt;script&gt;\* | 2 | **70.75 ± 1.06 (2)** | +0.25 ± 3.18 |" in text
    drawn = [line for line in text.splitlines() if line.startswith("|")]
    assert len(drawn) == 4
    assert {line.replace(r"\|", "").count("|") for line in drawn} == {5}


def test_lines_for_a_terminal():
    rows = runs("base", 70.0, 71.0) + runs("newer", 70.0, 71.5) + runs("x", 1.0)
    table = only(rows, entries=("base", "newer", "x"))
    title, *lines = table_texts.score_lines([table])
    assert title == f"{table.title}, percent; differences are to base:"
    [metric] = table.metrics
    assert lines == [
        f"  base   {metric} 70.50 ± 0.71 (2)",
        f"  newer  {metric} 70.75 ± 1.06 (2), difference +0.25 ± 3.18",
        f"  x      {metric} 1.00, difference -69.00 (1 pair)",
    ]


def test_no_minus_before_zero():
    text = table_texts.markdown([only(runs("base", 1.0) + runs("new", 0.999))])
    assert "+0.00 (1 pair)" in text


def test_html_escapes_every_name():
    name = "<script>alert('x')</script>"
    rows = [
        row(name, seed, 1.0 + seed, dataset=name) | {name: float(i + seed)}
        for i, seed in enumerate((0, 1))
    ] + [row("new", 0, 5.0, dataset=name) | {name: 2.0}]
    (table,) = tables.tables(rows, (name, "new"), (name,), name)
    text = table_texts.html([table])
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;") == 6
    assert '<td class="best"><b>2.00</b></td><td>+2.00 (1 pair)</td>' in text
    assert "does not mean that this entry is significantly better" in text


def test_csv_has_all_keys_and_empty_cells():
    rows = [{"entry": 'a,"b"', "iou": None, "dice": float("nan")}, {"entry": "c", "more": 1.25}]
    text = table_texts.csv_text(rows)
    assert list(csv.reader(io.StringIO(text))) == [
        ["entry", "iou", "dice", "more"],
        ['a,"b"', "", "", ""],
        ["c", "", "", "1.25"],
    ]


def test_html_headers_name_their_columns_and_rows():
    rows = [row(name, 0, 1.0, dice=2.0) for name in ("base", "new")]
    compared = table_texts.html([only(rows, metrics=("iou", "dice"))])
    headers = re.findall(r"<th([^>]*)>([^<]*)</th>", compared)
    both = [(' scope="col"', "score"), (' scope="col"', "difference to base")]
    assert headers == [
        (' rowspan="2" scope="col"', "entry"),
        (' rowspan="2" scope="col"', "runs"),
        (' colspan="2" scope="colgroup"', "iou"),
        (' colspan="2" scope="colgroup"', "dice"),
        *both,
        *both,
        (' scope="row"', "base"),
        (' scope="row"', "new"),
    ]
    # A header of a column group needs the group that it names.
    assert re.findall(r'<colgroup span="(\d)">', compared) == ["2", "2", "2"]
    alone = table_texts.html([only(rows[1:])])
    assert '<th rowspan="1" scope="col">runs</th><th scope="col">iou</th>' in alone
    assert "colgroup" not in alone.replace("<colgroup", "").replace("</colgroup", "")
