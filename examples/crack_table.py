"""A table of range images and their crack masks, in the folders of the U2PL crack project.

    python examples/crack_table.py FOLDER
    python examples/crack_table.py FOLDER --rough --queue=annotation_queue.txt

FOLDER holds Data_train and Data_test. A folder whose name has "Range" holds images; the folder
beside it whose name has "Segmentation" and "crop" (or, in Data_train, "rough") holds masks of the
same names, for some of them. Writes FOLDER/table.csv and, with a list of the project,
FOLDER/labeled.txt. The four crops of a frame are one leakage group. Nothing is copied.
"""

import argparse
import csv
from pathlib import Path


def rows(root: Path, masks: str) -> list[dict[str, str]]:
    """The lines of the table, with "crop" or "rough" masks of training images.

    Paths are relative to the root.
    """
    found = []
    for folder in sorted(path for path in root.rglob("*Range*") if path.is_dir()):
        kind = masks if "Data_train" in folder.relative_to(root).parts else "crop"
        beside = [f for f in folder.parent.glob("*Segmentation*") if kind in f.name]
        for image in sorted(folder.glob("*.png")):
            named = [f / image.name for f in beside if (f / image.name).exists()]
            found.append(
                {
                    "image": image.relative_to(root).as_posix(),
                    "mask": named[0].relative_to(root).as_posix() if named else "",
                    "split": part(image.relative_to(root), has_mask=bool(named)),
                    "group": image.stem.rpartition("_")[0],
                }
            )
    return [row for row in found if row["split"]]


def part(image: Path, *, has_mask: bool) -> str:
    """The part of an image by its folder; "" for a test image without a mask, which is left out."""
    if image.parts[0] != "Data_test":
        return "train"
    if not has_mask:
        return ""
    return "val" if "val" in image.parts[1] else "test"


def listed(queue: Path, table: list[dict[str, str]]) -> list[str]:
    """The names of a list, whose paths are those of the machine on which it was written."""
    names = {Path(row["image"]).with_suffix("").as_posix() for row in table}
    found = []
    for line in filter(None, queue.read_text(encoding="utf-8").splitlines()):
        words = Path(line).with_suffix("").parts
        tails = ("/".join(words[start:]) for start in range(len(words)))
        name = next((tail for tail in tails if tail in names), None)
        if name is None:
            raise SystemExit(f"error: {queue}: {line} is not in the table")
        found.append(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rough", action="store_true", help="rough masks of training images")
    parser.add_argument("--queue", type=Path, help="a list of images, such as labeled.txt")
    given = parser.parse_args()
    table = rows(given.folder, "rough" if given.rough else "crop")
    if not table:
        raise SystemExit(f"error: {given.folder}: no folder with Range in its name holds images")
    with (given.folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["image", "mask", "split", "group"])
        writer.writeheader()
        writer.writerows(table)
    if given.queue:
        names = "".join(f"{name}\n" for name in sorted(set(listed(given.queue, table))))
        (given.folder / "labeled.txt").write_text(names, encoding="utf-8")


if __name__ == "__main__":
    main()
