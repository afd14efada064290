"""The front door, as a person uses it: real processes, killed and started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import crashes
from tests.datasets.test_folder import corpus

PROJECT = Path(__file__).resolve().parents[1]
STEPS = 24
TINY = [
    "--config=configs/synthetic_uaps.py",
    "--config.data.height=32",
    "--config.data.width=32",
    "--config.model.widths=(4,6,8)",
    "--config.model.dropout=(0.05,0.1,0.5)",
    f"--config.train.steps={STEPS}",
    "--config.train.eval_every=8",
    "--config.train.log_every=1",
    "--config.checkpoint.every=3",
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    return folder, os.environ | settings


def command(folder, workdir, *arguments, config=TINY):
    data = [f"--config.data.data_dir={folder / 'data'}"] if config else []
    return [sys.executable, "run.py", *config, *data, f"--workdir={folder / workdir}", *arguments]


def call(shared, workdir, *arguments, config=TINY):
    folder, environment = shared
    return subprocess.run(
        command(folder, workdir, *arguments, config=config),
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def start(shared, workdir, *arguments, output=subprocess.DEVNULL):
    folder, environment = shared
    return subprocess.Popen(
        command(folder, workdir, *arguments),
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=output,
        text=True,
    )


def wait_for_step(workdir, step, *processes):
    """Returns when a running training has logged a step."""
    deadline = time.monotonic() + 300
    while not any(line["step"] >= step for line in lines_now(workdir / "metrics.jsonl")):
        assert all(process.poll() is None for process in processes), "a process ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def final_state(workdir):
    return crashes.arrays_of(workdir / "checkpoints" / str(STEPS))


@pytest.fixture(scope="module")
def trained(shared):
    done = call(shared, "whole")
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_training_ends_with_scores_and_pictures(shared, trained):
    folder = shared[0] / "whole"
    assert "test scores, checkpoint best" in trained.stdout
    for file in ("config.json", "split.json", "metrics.jsonl", "evaluations.jsonl"):
        assert (folder / file).stat().st_size
    for picture in ("curves.png", "contact_sheet.png"):
        with Image.open(folder / picture) as image:
            assert min(image.size) > 200
    assert list((folder / "events").iterdir())
    masks = sorted(folder.glob("predictions/step_*/test/mask/test/*.png"))
    assert len(masks) == 192
    with Image.open(masks[0]) as mask:
        assert mask.mode == "L"
        assert mask.size == (32, 32)
        assert set(np.unique(np.asarray(mask))) <= set(range(5))


def test_the_time_left_and_the_losses_are_shown(trained):
    assert "first step, compilation included" in trained.stderr
    assert "left, evaluations apart" in trained.stderr
    assert "loss=" in trained.stderr
    assert "tracked_metric" not in trained.stderr


def test_evaluation_in_a_new_process_gives_the_logged_score_to_the_last_digit(shared, trained):
    done = call(shared, "whole", "--mode=evaluate", "--checkpoint=best", config=[])
    assert done.returncode == 0, done.stderr[-3000:]
    folder = shared[0] / "whole"
    val = [r for r in lines(folder / "evaluations.jsonl") if r["part"] == "val"][-1]
    logged = next(
        r for r in lines(folder / "metrics.jsonl") if r["step"] == val["step"] and "val/images" in r
    )
    scores = {name.removeprefix("val/"): v for name, v in logged.items() if name != "step"}
    assert {name: val[name] for name in scores} == scores


def test_a_finished_run_started_again_changes_nothing(shared, trained):
    before = final_state(shared[0] / "whole")
    done = call(shared, "whole")
    assert done.returncode == 0, done.stderr[-3000:]
    after = final_state(shared[0] / "whole")
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_killed_at_any_moment_and_started_again_is_identical_to_the_bit(shared, trained, tmp_path):
    """Four of the kills of `python -m tests.crashes`, which has more."""
    whole, killed = (crashes.Trial(shared[0], "uaps", name, 40) for name in ("left", "killed"))
    whole.finish()
    plan = [("step", 4), ("checkpoint", 7), ("cache", 0), ("start", 0)]
    moments = crashes.interrupted(killed, plan, seed=3)
    assert len(moments) == len(plan)
    assert not crashes.differences(whole, killed)


@pytest.fixture
def interruptible():
    """SIGINT is not ignored, which the children of a job in the background would inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_signals_save_and_end_with_their_status(shared, trained, interruptible):
    folder, _ = shared
    workdir = folder / "asked"
    for number, status, target in ((signal.SIGTERM, 143, 4), (signal.SIGINT, 130, 13)):
        process = start(shared, "asked", output=subprocess.PIPE)
        wait_for_step(workdir, target, process)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == status, said[-3000:]
        assert f"{signal.Signals(number).name}: stopped after step" in said
        assert "Traceback" not in said
        saved = max(int(f.name) for f in (workdir / "checkpoints").iterdir() if f.name.isdigit())
        assert f"stopped after step {saved}, which is saved" in said
        assert saved >= target
    assert call(shared, "asked").returncode == 0
    whole, asked = final_state(folder / "whole"), final_state(workdir)
    assert not [name for name in whole if not np.array_equal(whole[name], asked[name])]


def test_a_full_disk_is_said_and_the_run_goes_on_later(shared, trained, small_disk):
    folder, _ = shared
    disk = small_disk(150)
    done = call(shared, disk / "run")
    assert done.returncode == 1
    assert "error: no space is left on a disk: " in done.stderr
    assert "Traceback" not in done.stderr
    small_disk(100_000)
    done = call(shared, disk / "run")
    assert done.returncode == 0, done.stderr[-3000:]
    whole, late = final_state(folder / "whole"), final_state(disk / "run")
    assert not [name for name in whole if not np.array_equal(whole[name], late[name])]


def test_two_processes_train_one_run_and_one_goes_on(shared, trained):
    folder, _ = shared
    workdir = folder / "both"
    with socket.socket() as listening:
        listening.bind(("localhost", 0))
        place = f"localhost:{listening.getsockname()[1]}"
    several = [f"--coordinator={place}", "--processes=2"]
    started = [start(shared, "both", *several, f"--process={index}") for index in range(2)]
    try:
        wait_for_step(workdir, 9, *started)
    finally:
        for process in started:
            process.kill()
            process.wait()
    done = call(shared, "both")
    assert done.returncode == 0, done.stderr[-3000:]
    both, alone = (
        {
            line["step"]: line["train/loss"]
            for line in lines(folder / run / "metrics.jsonl")
            if "train/loss" in line
        }
        for run in ("both", "whole")
    )
    assert list(both) == list(range(1, STEPS + 1))
    np.testing.assert_allclose(both[1], alone[1], rtol=1e-5)
    np.testing.assert_allclose(both[8], alone[8], rtol=1e-2)


def test_processes_that_do_not_fit_together_are_refused(shared):
    for wrong, reason in (
        (["--coordinator=localhost:1"], "belong together"),
        (["--coordinator=localhost:1", "--processes=2", "--process=2"], "must be 0 to 1"),
        (["--profile_steps=5,2"], "must be a first and a last step"),
        (["--profile_steps=1,2", "--mode=split"], "is for --mode=train"),
    ):
        done = call(shared, "refused", *wrong)
        assert done.returncode == 1
        assert reason in done.stderr
        assert "Traceback" not in done.stderr


def test_a_process_starts_itself_again_for_huge_pages(shared):
    _, environment = shared
    script = "import os; print(os.environ.get('GLIBC_TUNABLES'))"
    text = (PROJECT / "run.py").read_text().partition("from absl import")[0] + script
    copy = shared[0] / "start.py"
    copy.write_text(text)
    for before, expected in (({}, "glibc.malloc.hugetlb=1"), ({"UAPS_JAX_STARTED": "1"}, "None")):
        clean = {k: v for k, v in environment.items() if k not in TUNED} | before
        done = subprocess.run(
            [sys.executable, copy], env=clean, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


TUNED = ("GLIBC_TUNABLES", "UAPS_JAX_STARTED")


def lines_now(file):
    """Complete lines of a file that is being written."""
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def test_a_folder_of_any_sizes_is_predicted(shared, trained, tmp_path):
    random_pixels = np.random.default_rng(0)
    sizes = {"a.png": (50, 70, 3), "deep/b.jpg": (33, 20, 3), "grey ü.png": (64, 64)}
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pixels = random_pixels.integers(0, 256, size).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    done = call(shared, "whole", "--mode=predict", f"--input={tmp_path}", config=[])
    assert done.returncode == 0, done.stderr[-3000:]
    [target] = shared[0].glob("whole/predictions/step_*/folder")
    for name, size in sizes.items():
        for kind in ("mask", "overlay", "uncertainty"):
            with Image.open(target / kind / Path(name).with_suffix(".png")) as image:
                assert image.size == (size[1], size[0])


def test_unreadable_images_of_a_folder_are_all_named(shared, trained, tmp_path):
    (tmp_path / "x.png").write_bytes(b"no image")
    (tmp_path / "y.jpg").write_bytes(b"")
    done = call(shared, "whole", "--mode=predict", f"--input={tmp_path}", config=[])
    assert done.returncode == 1
    assert "x.png" in done.stderr
    assert "y.jpg" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_everything_that_can_be_bad(shared, tmp_path):
    _, environment = shared
    reasons = corpus(tmp_path / "bad")
    (tmp_path / "bad" / "classes.yaml").write_text("background: 0\nscratch: 1\ndent: 2\n")
    for mode in ("audit", "split", "train"):
        done = subprocess.run(
            [
                *(sys.executable, "run.py", "--config=configs/folder_uaps.py:small"),
                *(f"--mode={mode}", f"--workdir={tmp_path / mode}"),
                f"--config.data.manual_dir={tmp_path / 'bad'}",
                f"--config.data.data_dir={tmp_path / 'built'}",
            ],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert f"{len(reasons)} problems in the files" in done.stderr
        for name, reason in reasons.items():
            assert name in done.stderr
            assert reason in done.stderr
    assert not [p for p in (tmp_path / "built").rglob("*") if p.is_file()]
    assert not (tmp_path / "train").exists()
    assert not (tmp_path / "split").exists()
    assert [p.name for p in (tmp_path / "audit").iterdir()] == ["audit.html"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--config.optimizer.learnin_rate=1"], "Did you mean --config.optimizer.learning_rate?"),
        (["--config.train.steps=1.5"], "train.steps"),
        (["--config.train.batch_unlabeled=3"], "must equal train.batch_labeled"),
        (["--config.train.steps=25"], "train.steps: 24 -> 25"),
        (["--mode=evaluate", "--checkpoint=7"], "--checkpoint=7: must be best, latest or one of"),
        (["--mode=evaluate", "--config.model.auxiliary=2"], "model.auxiliary: 3 -> 2"),
        (["--bogus"], "bogus"),
        (["--config.method=supervised"], "--config.method is a group"),
        (["--config.train.seed=3", "--mode=evaluate"], "train.seed: 0 -> 3"),
        (["--config.evaluation.predictor=best"], "must be one of main, ensemble"),
        (["--config.data.labeled_ratio=1"], "no unlabeled images are left"),
        (["--mode=audit", "--config.data.labeled_ratio=1"], "no unlabeled images are left"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(shared, trained, arguments, expected):
    done = call(shared, "whole", *arguments)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_override_is_explained_in_either_spelling_of_the_flag(shared):
    mistake = "--config.optimizer.learnin_rate=1"
    done = call(shared, "none", config=["--config", "configs/neu_uaps.py:small", mistake])
    assert done.returncode == 1
    assert "Did you mean --config.optimizer.learning_rate?" in done.stderr


def test_a_file_that_is_no_configuration_is_said_so(shared):
    done = call(shared, "none", config=["--config=configs/base.py"])
    assert done.returncode == 1
    assert "get_config" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_names_the_ones_there_are(shared):
    done = call(shared, "none", config=["--config=configs/nothing.py"])
    assert done.returncode == 1
    assert "configs/neu_uaps.py" in done.stderr
