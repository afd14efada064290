"""classes.yaml is two columns of text; other features of YAML are refused."""

import pytest

from uaps_jax.datasets.folder import class_map
from uaps_jax.datasets.folder.class_file import MOST_BYTES, ClassFileError, entries

LAUGHS = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)


def test_names_and_values_are_the_text_of_the_file():
    text = """
background: 0  # and a comment
on: 1
~: [2, "3"]
2024-01-01: '#ff0000'
"two words": 4
"""
    assert entries(text) == [
        ("background", ["0"]),
        ("on", ["1"]),
        ("~", ["2", "3"]),
        ("2024-01-01", ["#ff0000"]),
        ("two words", ["4"]),
    ]


@pytest.mark.parametrize("text", ["a0: &a0 [1]\n" + LAUGHS, MERGED, "a: &x 1\nb: *x"])
def test_aliases_are_refused_before_they_are_followed(text):
    with pytest.raises(ClassFileError, match="anchors and aliases are not read"):
        entries(text)


@pytest.mark.parametrize("text", ["[" * 20000, "a: " + "[" * 20000, "- " * 500, "a: [[1]]"])
def test_depth_is_refused_before_it_is_followed(text):
    with pytest.raises(ClassFileError, match="lists in lists|cannot be read"):
        entries(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2", "class 'a' comes twice"),
        ("a: {b: 1}", "must map class names to values"),
        ("[a]: 1", "must map class names to values"),
        ("- a", "must map class names to values"),
        ("", "must map class names to values"),
        ("a: 1\n---\nb: 2", "cannot be read"),
        ("a: \x07", "cannot be read"),
        ("a: 'b", "cannot be read"),
    ],
)
def test_a_text_that_is_no_mapping_is_refused(text, reason):
    with pytest.raises(ClassFileError, match=reason):
        entries(text)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("scratch: 2024-99-99", "'2024-99-99' is neither"),
        ("scratch: " + "1" * 5000, r"'1+\.\.\.1+' is neither"),
        ("scratch: 0x" + "f" * 5000, "is neither"),
        ("scratch: 0377", "'0377' is neither"),
        ("scratch: 4:15", "'4:15' is neither"),
        ("scratch: ²", "'²' is neither"),
        ("scratch: ٣", "'٣' is neither"),
        ("scratch:", "in YAML a colour needs quotes"),
        ("scratch: #ff0000", "in YAML a colour needs quotes"),
        ('"": 1', "the name is empty or holds control characters"),
        ('"  ": 1', "the name is empty or holds control characters"),
        (r'"a\nb": 1', "the name is empty or holds control characters"),
        (r'"\uD800": 1', "the name is empty or holds control characters"),
        (r'a: "\uD800"', "is neither"),
        ("background: 1", "comes twice"),
    ],
)
def test_no_value_is_read_as_another(line, reason, tmp_path):
    (tmp_path / "classes.yaml").write_text(f"background: 0\n{line}\n")
    with pytest.raises(class_map.ClassMapError, match=reason) as caught:
        class_map.from_file(tmp_path / "classes.yaml")
    assert len(str(caught.value)) < 300


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "classes.yaml").write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(class_map.ClassMapError, match="cannot be read: it has"):
        class_map.from_file(tmp_path / "classes.yaml")


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "classes.yaml").write_text("background: 0\ndent: 1\n", encoding="utf-8-sig")
    assert class_map.from_file(tmp_path / "classes.yaml").names == ("background", "dent")
