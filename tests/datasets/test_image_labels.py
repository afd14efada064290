"""The CSV of labels of whole images: what is written is read, and what is wrong is reported."""

from uaps_jax.datasets import image_labels

CLASSES = ("background", "scratch", "dent, deep")


def read(text):
    problems = []
    return image_labels.from_csv(text, "labels.csv", CLASSES, problems), problems


def test_what_is_written_is_read():
    text = image_labels.to_csv({"b": ["dent, deep", "scratch"], "a/1": [], "c": ["scratch"]})
    assert text.splitlines()[:2] == ["name,classes", "a/1"]
    found, problems = read(text)
    assert not problems
    assert found == {"a/1": (), "b": (1, 2), "c": (1,)}
    assert read("name,classes\nd,background,scratch,\n\n")[0] == {"d": (1,)}


def test_every_wrong_line_is_reported():
    found, problems = read("name,classes\na,scratch\na\nb,rust\n,scratch\n")
    assert found == {"a": (1,)}
    assert [f"{where}: {reason}" for where, reason in problems] == [
        "labels.csv, line 3: 'a' has a line already",
        "labels.csv, line 4: 'rust' is no class; the classes are background, scratch, dent, deep",
        "labels.csv, line 5: names no image",
    ]
    _, problems = read("a,scratch\n")
    assert problems[0].reason == "its first line must be name,classes, not 'a,scratch'"
    gone = list(image_labels.unknown_names({"a": (), "b": (1,)}, {"a"}, "labels.csv"))
    assert gone[0].reason.startswith("1 lines name no image: b;")
