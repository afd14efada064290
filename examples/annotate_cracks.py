"""Which of 37 photographs to annotate, and what it takes: the commands that a person types.

    python annotate_cracks.py CrackForest-dataset-master.zip

trains on 30 annotated photographs of CrackForest, validation and test among them, queues 10 of the
37 that nobody has annotated, removes specks from their proposed masks in labelme's files, imports
them, and trains again. Both networks are scored on 20 annotated photographs that no training sees.
It prints every command with what it says and how long it took. Lies beside `own_parts.py`.
"""

import io
import json
import shutil
import sys
import time
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import own_parts
import scipy.io
from own_parts import step
from PIL import Image

ANNOTATED, HELD, QUEUED = 30, 20, 10
SPECK = 40  # px; smaller proposals are removed
CLASSES = "background: 0\ncrack: 255\n"
TRAINING = (
    "--config=configs/folder_supervised.py:small",
    "--config.data.manual_dir=cracks",
    "--config.data.data_dir=built",
    "--config.data.fit=crop",
    "--config.data.defect_share=0.5",
    "--config.data.shares=(0.7,0.2,0.1)",
)
LENGTH = (
    "--config.train.steps=1500",
    "--config.train.eval_every=500",
    "--config.optimizer.learning_rate=0.003",
)


def unpack(archive):
    """Folders of images: `cracks`, some with a mask, and `held`, all with one."""
    with zipfile.ZipFile(archive) as file:
        names = [PurePosixPath(name) for name in file.namelist()]
        photographs = {name.stem: name for name in names if name.suffix == ".jpg"}
        truths = {name.stem: name for name in names if name.suffix == ".mat"}
        annotated = sorted(truths)
        without = sorted(photographs.keys() - truths.keys())
        for folder, masked, others in (
            ("held", annotated[:HELD], []),
            ("cracks", annotated[HELD:][:ANNOTATED], without),
        ):
            for below in ("images", "masks"):
                Path(folder, below).mkdir(parents=True)
            Path(folder, "classes.yaml").write_text(CLASSES)
            for stem in [*masked, *others]:
                photograph = file.read(str(photographs[stem]))
                Path(folder, "images", f"{stem}.jpg").write_bytes(photograph)
            for stem in masked:
                content = scipy.io.loadmat(io.BytesIO(file.read(str(truths[stem]))))
                is_crack = content["groundTruth"]["Segmentation"][0, 0] == 2
                mask = Image.fromarray(np.where(is_crack, 255, 0).astype(np.uint8))
                mask.save(Path(folder, "masks", f"{stem}.png"))


def area(points):
    """Of a polygon, in pixels."""
    x, y = np.array(points).T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def correct(folder):
    """A small part of what a person does in labelme: specks are removed."""
    removed = 0
    for file in sorted(Path(folder).glob("*.json")):
        annotation = json.loads(file.read_text())
        kept = [
            shape
            for shape in annotation["shapes"]
            if shape["label"] == "_background_" or area(shape["points"]) >= SPECK  # or a hole
        ]
        removed += len(annotation["shapes"]) - len(kept)
        file.write_text(json.dumps(annotation | {"shapes": kept}))
    print(f"(in labelme: {removed} regions are removed)\n", flush=True)


def copy(source, target):
    """Copies the files of a folder into another one, and says so."""
    print("$ cp -r", f"{source}/.", target, "\n", flush=True)
    shutil.copytree(source, target, dirs_exist_ok=True)


def train(workdir):
    """Audits and trains, and scores the photographs that were held out."""
    step("uaps-jax", "--mode=audit", *TRAINING, f"--workdir={workdir}")
    step("uaps-jax", *TRAINING, *LENGTH, f"--workdir={workdir}")
    step("uaps-jax", "--mode=evaluate", f"--workdir={workdir}", "--input=held")


def main(archive):
    started = time.perf_counter()
    unpack(archive)
    print(f"$ ls cracks/* held/*\n{own_parts.listed('cracks')}\n{own_parts.listed('held')}\n")
    train("runs/cracks_1")
    step(
        "uaps-jax", "--mode=queue", "--workdir=runs/cracks_1", "--input=cracks", f"--count={QUEUED}"
    )
    [queue] = Path("runs/cracks_1/queue").glob("step_*/*")
    copy(queue / "pre_annotations" / "labelme", "corrected")
    correct("corrected")
    step(
        "uaps-jax", "--mode=import", "--input=corrected", f"--images={queue}", "--workdir=annotated"
    )
    copy("annotated/masks", "cracks/masks")
    train("runs/cracks_2")
    print(f"[{time.perf_counter() - started:.0f} s in all]")


if __name__ == "__main__":
    main(sys.argv[1])
