"""The whole way from raw photographs to verdicts, in processes, on a small scale."""

import csv
import re
import sys
from pathlib import Path

from tests import example_files

PROJECT = Path(__file__).resolve().parents[2]
LENGTH = (
    "--config.train.steps=4",
    "--config.train.eval_every=4",
    "--config.checkpoint.every=4",
    "--config.data.height=16",
    "--config.data.width=16",
    "--config.network.widths=(4,6)",
    "--config.network.dropout=(0.0,0.0)",
)
ENVIRONMENT = {
    "PYTHONPATH": str(PROJECT),
    "UAPS_JAX_STARTED": "1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
}


def test_raw_photographs_with_messy_names_become_verdicts(tmp_path, monkeypatch, capsys):
    (tmp_path / "serve_client.py").write_text(example_files.code("serve_client.py"))
    module = example_files.imported("own_parts.py", tmp_path / "own_parts.py")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(module, "PROGRAM", (sys.executable, str(PROJECT / "run.py")))
    monkeypatch.setattr(module, "PARTS", 20)
    monkeypatch.setattr(module, "LENGTH", LENGTH)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    module.main()
    text = capsys.readouterr().out
    commands = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    said = {}
    for one in commands:
        command, _, output = one.partition("\n")
        mode = re.search(r"--mode=(\w+)", command)
        said.setdefault(mode.group(1) if mode else command.split()[0], []).append(output)
    refused, imported = said["import"]
    assert "IMG_20260302.heic: is not of a format that is read" in refused
    assert "exit status 1" in refused
    assert "41 images, 30 of them annotated, 18 of these without a defect" in imported
    refused, audited = said["audit"]
    assert "900 links.JPG: cannot be read: " in refused
    assert "exit status 1" in refused
    assert "exit status" not in audited
    [trained] = said["uaps-jax"]
    assert "false alarms" in trained
    assert "exit status" not in trained
    [predicted] = said["predict"]
    assert "4.png: the file is empty" in predicted
    assert "exit status 1" in predicted
    [asked] = said["python"]
    [report] = Path("runs/parts/predictions").glob("*/new-*/report.csv")
    with report.open(newline="") as file:
        verdicts = {row["file"]: row["verdict"] for row in csv.DictReader(file)}
    lines = dict(re.findall(r"^new/(\S+) (.*)$", asked, re.MULTILINE))
    assert lines.pop("4.png") == "the photograph is not judged: the file is empty"
    assert {name: line.split(",")[0] for name, line in lines.items()} == {
        name: verdict for name, verdict in verdicts.items() if name != "4.png"
    }
    assert len(lines) == 4
    assert "stopped: photographs 4" in text
