"""Studies on a GPU machine: their folders, their end, and what is packed."""

import io
import os
import sys
import tarfile

import pytest

from benchmarks import gpu_neu, gpu_study


def test_each_study_has_a_folder_of_its_own():
    assert gpu_study.name_of("configs/studies/thirty_256px.py") == "thirty_256px"
    assert gpu_study.name_of("thirty_256px.py:efficientnet_lite0,30") == (
        "thirty_256px_efficientnet_lite0_30"
    )


@pytest.mark.parametrize(
    ("code", "seconds", "expected"),
    [
        ("raise SystemExit(3)", 60, 3),
        ("import time; time.sleep(60)", 1, -15),
        ("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)", 3, -9),
        ("", 0, None),
    ],
)
def test_a_study_is_asked_to_stop_when_its_time_ends(monkeypatch, code, seconds, expected):
    monkeypatch.setattr(gpu_study, "STOPPING_SECONDS", 1)
    assert gpu_study.run([sys.executable, "-c", code], dict(os.environ), seconds) == expected


def test_studies_run_in_their_order_and_those_that_did_not_end_are_named(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "run.py").write_text(
        "import sys\n"
        "flags = dict(f.split('=', 1) for f in sys.argv[1:])\n"
        "raise SystemExit(3 if flags['--config'].startswith('b') else 0)\n"
    )
    monkeypatch.setattr(gpu_study, "PROJECT", tmp_path)
    monkeypatch.setattr(gpu_study, "FOLDER", tmp_path / "studies")
    monkeypatch.setattr(gpu_neu, "install", lambda _: dict(os.environ))
    given = f"x --data={tmp_path} --out={tmp_path / 'out'} --minutes=2 --study a.py b.py:8 a.py:30"
    monkeypatch.setattr(sys, "argv", given.split())
    with pytest.raises(SystemExit, match="not finished: b.py:8;"):
        gpu_study.main()
    said = [line.split("] ")[1] for line in capsys.readouterr().out.splitlines() if "] " in line]
    assert said == ["a.py: exit status 0", "b.py:8: exit status 3", "a.py:30: exit status 0"]


def test_what_is_packed_are_the_work_directories_without_checkpoints(tmp_path, monkeypatch):
    run = tmp_path / "studies" / "thirty" / "runs" / "neu" / "supervised"
    for name in ("checkpoints/10/variables/array", "result.json", "metrics.jsonl"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(os.urandom(3000))
    (tmp_path / "studies" / "thirty" / "compiled").mkdir()
    (tmp_path / "studies" / "thirty" / "compiled" / "program").write_bytes(b"0")
    monkeypatch.setattr(gpu_neu, "PART", 4096)

    (tmp_path / "out").mkdir()
    gpu_study.pack(tmp_path / "studies", tmp_path / "out")

    parts = sorted((tmp_path / "out").glob("study.tar.*"))
    assert len(parts) > 1
    assert max(part.stat().st_size for part in parts) == 4096
    content = io.BytesIO(b"".join(part.read_bytes() for part in parts))
    with tarfile.open(fileobj=content) as archive:
        names = [member.name for member in archive.getmembers()]
    assert sorted(names) == [
        "thirty/runs/neu/supervised/metrics.jsonl",
        "thirty/runs/neu/supervised/result.json",
    ]
