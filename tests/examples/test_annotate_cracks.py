"""Queue, correction, import and a second training on CrackForest, in processes, at a small size."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import example_files
from tests.examples.test_own_parts import ENVIRONMENT, LENGTH, PROJECT

FILE = "CrackForest-dataset-master.zip"


def test_photographs_that_nobody_has_annotated_are_queued_corrected_and_learnt(
    tmp_path, monkeypatch, capsys, data_dir
):
    if not (data_dir / FILE).exists():
        pytest.skip(f"{FILE} is not in {data_dir}")
    monkeypatch.syspath_prepend(str(example_files.EXAMPLES))
    module = example_files.imported("annotate_cracks.py", tmp_path / "annotate_cracks.py")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(module.own_parts, "PROGRAM", (sys.executable, str(PROJECT / "run.py")))
    monkeypatch.setattr(module, "ANNOTATED", 12)
    monkeypatch.setattr(module, "HELD", 2)
    monkeypatch.setattr(module, "QUEUED", 3)
    monkeypatch.setattr(module, "LENGTH", LENGTH)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    module.main(data_dir / FILE)
    text = capsys.readouterr().out
    assert "exit status" not in text
    assert "cracks/images: 49 files" in text
    assert "held/masks: 2 files" in text
    audits = re.findall(r"(\d+) of 49; they are used as unlabeled images", text)
    assert audits == ["37", "34"]
    [queue] = Path("runs/cracks_1/queue").glob("step_*/*")
    lines = [json.loads(line) for line in (queue / "queue.jsonl").read_text().splitlines()]
    queued = {line["name"] for line in lines}
    assert len(queued) == 3
    for name in queued:
        with Image.open(Path("cracks/masks", f"{name}.png")) as mask:
            values = np.unique(np.asarray(mask))
        assert set(values) <= {0, 255}
    assert (Path("annotated/classes.yaml").read_text().split("\n")[:2]) == [
        '"background": 0',
        '"crack": 255',
    ]
    assert len(list(Path("cracks/masks").iterdir())) == 15
    labeled = [
        json.loads(Path(f"runs/cracks_{number}/split.json").read_text()) for number in (1, 2)
    ]
    sizes = [sum(len(split[part]) for part in ("labeled", "val", "test")) for split in labeled]
    assert sizes == [12, 15]
    assert len(re.findall(r"^held scores, .*:$", text, flags=re.MULTILINE)) == 2
