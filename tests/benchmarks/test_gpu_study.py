"""Entries of a study side by side: their flags, and what is packed."""

import argparse
import io
import tarfile

from benchmarks import gpu_neu, gpu_study

STUDY = "configs/studies/neu_weak_to_strong.py:published"


def test_the_flags_are_those_of_the_study_with_other_steps(tmp_path):
    given = argparse.Namespace(
        study=STUDY,
        entries=["UAPS", "UniMatch V2"],
        steps=100,
        data=tmp_path,
        set=["network.dtype=bfloat16"],
    )
    found = gpu_study.commands(given)
    assert list(found) == ["UAPS", "UniMatch_V2"]
    assert "--config.train.steps=100" in found["UAPS"]
    assert "--config.method.ramp_length=34" in found["UAPS"]  # as long a share as before
    assert f"--config.data.data_dir={tmp_path}" in found["UAPS"]
    assert found["UAPS"][-1] == "--config.network.dtype=bfloat16"
    assert "--config.data.labeled_ratio=0.1" in found["UAPS"]


def test_what_is_packed_is_the_last_checkpoint_without_its_state(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "study"
    for step in (5, 10):
        for part in ("state", "variables"):
            file = folder / "UAPS" / "checkpoints" / str(step) / part / "array"
            file.parent.mkdir(parents=True)
            file.write_bytes(b"0" * 1000)
    (folder / "UAPS" / "evaluations.jsonl").write_text('{"image_iou": 12.345}\n')
    (folder / "UAPS.log").write_text("done\n")
    (folder / "CPS.log").write_text("failed before its first checkpoint\n")
    monkeypatch.setattr(gpu_neu, "PART", 4096)

    (tmp_path / "out").mkdir()
    gpu_study.pack(folder, ["UAPS", "CPS"], tmp_path / "out")

    parts = sorted((tmp_path / "out").glob("study.tar.*"))
    assert len(parts) > 1
    assert max(part.stat().st_size for part in parts) == 4096
    content = io.BytesIO(b"".join(part.read_bytes() for part in parts))
    with tarfile.open(fileobj=content) as archive:
        names = [member.name for member in archive.getmembers() if member.isfile()]
    assert sorted(names) == [
        "CPS.log",
        "UAPS.log",
        "UAPS/checkpoints/10/variables/array",
        "UAPS/evaluations.jsonl",
    ]
    assert "UAPS [12.35]" in capsys.readouterr().out
