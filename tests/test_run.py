"""`run.py` in real processes, killed and resumed."""

import json
import logging
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import command_lines, crashes
from tests.datasets.test_folder import corpus
from uaps_jax.command_line import library_logs
from uaps_jax.training import workdir

PROJECT = Path(__file__).resolve().parents[1]
STEPS = 32


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, crashes.environment(folder)


def command(folder, workdir, *arguments, config=None):
    config = crashes.settings(folder, "uaps", STEPS) if config is None else config
    return [sys.executable, "run.py", *config, f"--workdir={folder / workdir}", *arguments]


def call(shared, workdir, *arguments, config=None, before=()):
    folder, environment = shared
    return subprocess.run(
        [*before, *command(folder, workdir, *arguments, config=config)],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def final_state(workdir):
    return crashes.arrays_of(workdir / "checkpoints" / str(STEPS))


# A command in front of another, which then has no network; nothing where that is not allowed.
OFFLINE = ("unshare", "--net") if shutil.which("unshare") else ()
if OFFLINE and subprocess.run([*OFFLINE, "true"], capture_output=True, check=False).returncode:
    OFFLINE = ()


@pytest.fixture(scope="module")
def trained(shared):
    done = call(shared, "whole", before=OFFLINE)
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
    assert len(masks) == 12
    with Image.open(masks[0]) as mask:
        assert mask.mode == "P"
        assert mask.size == (64, 64)  # that of the images; the network sees 32 px
        assert set(np.unique(np.asarray(mask))) <= set(range(5))


@pytest.mark.skipif(not OFFLINE, reason="no process can be cut off from the network here")
def test_a_whole_run_needs_no_network(shared, trained):
    reach = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)"
    cut_off = subprocess.run(
        [*OFFLINE, sys.executable, "-c", reach], capture_output=True, text=True, check=False
    )
    assert "Network is unreachable" in cut_off.stderr
    assert trained.args[: len(OFFLINE)] == list(OFFLINE)
    assert trained.returncode == 0


def test_a_second_run_in_one_work_directory_is_refused(shared, trained):
    with workdir.locked(shared[0] / "whole"):
        done = call(shared, "whole")
    assert done.returncode == 1
    assert "is in use by another process; wait for it, or use another --workdir" in done.stderr


def test_the_time_left_and_the_losses_are_shown(trained):
    assert "first step, compilation included" in trained.stderr
    assert "left, without evaluations" in trained.stderr
    assert "loss=" in trained.stderr
    assert "tracked_metric" not in trained.stderr


def test_evaluation_in_a_new_process_gives_the_logged_score_to_the_last_digit(shared, trained):
    done = call(shared, "whole", "--mode=evaluate", "--checkpoint=best", config=[])
    assert done.returncode == 0, done.stderr[-3000:]
    folder = shared[0] / "whole"
    # A line that is there is not repeated, so that another score would be a second line.
    (val,) = (
        line
        for line in lines(folder / "evaluations.jsonl")
        if (line["part"], line["checkpoint"], line["predictor"]) == ("val", "best", "main")
    )
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


@pytest.fixture(scope="module")
def stopped(shared, trained):
    """A run that was killed twice, interrupted twice, and then ran to its end; and its output."""
    folder, _ = shared
    trial = crashes.Trial(folder, "uaps", "stopped", STEPS)
    moments = crashes.interrupted(trial, [("checkpoint", 2), ("cache", 0)], seed=3, finish=False)
    output = {}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may ignore it
    try:
        for number, target in ((signal.SIGTERM, 11), (signal.SIGINT, 15)):
            known = trial.log.stat().st_size
            process = trial.start()
            trial.wait_for(target, process)
            process.send_signal(number)
            process.wait(120)
            text = trial.log.read_bytes()[known:].decode()
            saved = max(
                int(f.name) for f in trial.workdir.glob("checkpoints/*") if f.name.isdigit()
            )
            drawn = {file.name for file in trial.workdir.glob("*.png")}
            output[number] = (process.returncode, text, saved, drawn)
    finally:
        signal.signal(signal.SIGINT, before)
    trial.finish()
    return trial, moments, output


def test_killed_at_any_moment_and_started_again_is_identical_to_the_bit(shared, stopped):
    """Two of the kills of `python -m tests.crashes`, which has more, and two signals."""
    trial, moments, _ = stopped
    assert len(moments) == 2
    assert not crashes.differences(crashes.Trial(shared[0], "uaps", "whole", STEPS), trial)


def test_signals_save_and_end_with_their_status(stopped):
    _, _, output = stopped
    for number, status, target in ((signal.SIGTERM, 143, 11), (signal.SIGINT, 130, 15)):
        result, text, saved, drawn = output[number]
        assert result == status, text[-3000:]
        assert drawn == {"curves.png", "contact_sheet.png"}
        assert f"{signal.Signals(number).name}: stopped after step {saved}, which is saved" in text
        assert "Traceback" not in text
        assert saved >= target


# The file that could not be written complains when it is freed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_reported_and_the_run_is_resumed_later(shared, trained, small_disk):
    folder, _ = shared
    disk = small_disk(250)  # more than the arrays of a checkpoint, less than all of its files
    done = call(shared, disk / "run")
    assert done.returncode == 1
    assert "error: no space is left on a disk: " in done.stderr
    assert "MiB are needed" not in done.stderr  # it began to write
    assert done.stderr.rstrip().endswith(
        "the same command again: it resumes from the latest checkpoint."
    )
    small_disk(100_000)
    done = call(shared, disk / "run")
    assert done.returncode == 0, done.stderr[-3000:]
    whole, late = final_state(folder / "whole"), final_state(disk / "run")
    assert not [name for name in whole if not np.array_equal(whole[name], late[name])]


@pytest.mark.parametrize(
    ("place", "name", "text", "shown"),
    [
        ("lib/site-packages/orbax/checkpoint/future.py", "absl", "No space left on device", False),
        ("lib/site-packages/orbax/checkpoint/future.py", "absl", "%s threads failed", True),
        ("lib/python/asyncio/events.py", "asyncio", "Disk quota exceeded", False),
        ("lib/site-packages/grain/pool.py", "absl", "/dev/shm: No space left on device", True),
        ("uaps_jax/training/loop.py", "absl", "No space left on device", True),
    ],
)
# The file that could not be written complains when it is freed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_reported_once(place, name, text, shown):
    record = logging.LogRecord(name, logging.ERROR, place, 1, text, (1, 2), None)
    if "%" not in text:
        record.args = ()
    assert library_logs.is_for_user(record) == shown


def test_two_processes_train_one_run_and_one_process_resumes_it(shared, trained):
    folder, _ = shared
    trial = crashes.Trial(folder, "uaps", "both", STEPS)
    with socket.socket() as listening:
        listening.bind(("localhost", 0))
        place = f"localhost:{listening.getsockname()[1]}"
    several = [f"--coordinator={place}", "--processes=2"]
    started = [trial.start(*several, f"--process={index}") for index in range(2)]
    try:
        trial.wait_for(9, *started)
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


def test_a_process_starts_itself_again_for_huge_pages(shared):
    _, environment = shared
    copy = shared[0] / "start.py"
    copy.write_text(
        "import os\n"
        "from uaps_jax.command_line import huge_pages\n"
        "huge_pages.restart_process_with_huge_pages()\n"
        "print(os.environ.get('GLIBC_TUNABLES'))\n"
    )
    for before, expected in (({}, "glibc.malloc.hugetlb=1"), ({"UAPS_JAX_STARTED": "1"}, "None")):
        clean = {k: v for k, v in environment.items() if k not in TUNED} | before
        clean["PYTHONPATH"] = str(PROJECT)
        done = subprocess.run(
            [sys.executable, copy], env=clean, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


TUNED = ("GLIBC_TUNABLES", "UAPS_JAX_STARTED")


def test_a_folder_of_any_sizes_is_predicted(shared, trained, tmp_path):
    random_pixels = np.random.default_rng(0)
    sizes = {"a.png": (50, 70, 3), "deep/b.jpg": (33, 20, 3), "grey ü.png": (64, 64)}
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pixels = random_pixels.integers(0, 256, size).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    done = call(shared, "whole", "--mode=predict", f"--input={tmp_path}", config=[])
    assert done.returncode == 0, done.stderr[-3000:]
    [target] = shared[0].glob(f"whole/predictions/step_*/{tmp_path.name}-*")
    assert "3 images predicted" in done.stdout
    assert (target / "report.html").is_file()
    for name, size in sizes.items():
        for kind in ("mask", "overlay", "uncertainty"):
            with Image.open(target / kind / Path(name).with_suffix(".png")) as image:
                assert image.size == (size[1], size[0])


def test_unreadable_images_of_a_folder_are_all_named(shared, trained, tmp_path):
    (tmp_path / "x.png").write_bytes(b"no image")
    (tmp_path / "y.jpg").write_bytes(b"")
    Image.new("L", (20, 30)).save(tmp_path / "z.png")
    done = call(shared, "whole", "--mode=predict", f"--input={tmp_path}", config=[])
    assert done.returncode == 1
    assert "2 files could not be predicted" in done.stderr
    assert "x.png" in done.stderr
    assert "y.jpg" in done.stderr
    assert "Traceback" not in done.stderr
    [target] = shared[0].glob(f"whole/predictions/step_*/{tmp_path.name}-*")
    assert (target / "mask" / "z.png").is_file()


def test_a_folder_of_everything_that_can_be_bad(shared, tmp_path):
    _, environment = shared
    reasons = corpus(tmp_path / "bad")
    (tmp_path / "bad" / "classes.yaml").write_text("background: 0\nscratch: 1\ndent: 2\n")
    folders = [
        f"--config.data.manual_dir={tmp_path / 'bad'}",
        f"--config.data.data_dir={tmp_path / 'built'}",
    ]
    start = ["run.py", "--config=configs/folder_uaps.py:small", *folders]
    modes = ("audit", "split", "train")
    messages = command_lines.ends(
        [[*start, f"--mode={mode}", f"--workdir={tmp_path / mode}"] for mode in modes], environment
    )
    for message in messages:
        assert "Traceback" not in message
        assert f"{len(reasons)} problems in the files" in message
        for name, reason in reasons.items():
            assert name in message
            assert reason in message
    assert not [p for p in (tmp_path / "built").rglob("*") if p.is_file()]
    assert not (tmp_path / "train").exists()
    assert not (tmp_path / "split").exists()
    assert [p.name for p in (tmp_path / "audit").iterdir()] == ["audit.html"]


ALL_LABELED = (
    "--config.data.protocol=native",
    "--config.data.split_file=",
    "--config.data.labeled_ratio=1",
)
MISTAKES = [
    (["--config.optimizer.learnin_rate=1"], "Did you mean --config.optimizer.learning_rate?"),
    (["--config.train.steps=1.5"], "train.steps"),
    (["--config.train.batch_unlabeled=0"], "train.batch_unlabeled = 0: must be at least 1"),
    (["--config.train.steps=41"], "train.steps: 32 -> 41"),
    (["--config.data.height=64", "--config.data.width=64"], "data.height: 32 -> 64"),
    (["--mode=evaluate", "--checkpoint=7"], "--checkpoint=7: must be best, latest or one of"),
    (["--mode=evaluate", "--config.network.auxiliary=2"], "network.auxiliary: 1 -> 2"),
    (["--mode=replay"], "holds no failed step"),
    (["--bogus"], "bogus"),
    (["--config.method=supervised"], "--config.method is a section"),
    (["--config.train.seed=3", "--mode=evaluate"], "train.seed: 0 -> 3"),
    (["--config.evaluation.predictor=best"], "must be one of main, ensemble"),
    ([*ALL_LABELED], "no unlabeled images are left"),
    (["--mode=audit", *ALL_LABELED], "no unlabeled images are left"),
    (["--coordinator=localhost:1"], "must be given together"),
    (["--coordinator=localhost:1", "--processes=2", "--process=2"], "must be 0 to 1"),
    (["--profile_steps=5,2"], "must be a first and a last step"),
    (["--profile_steps=1,2", "--mode=split"], "is for --mode=train"),
    (["--mode=study"], "give --config=FILE of the study, without --mode"),
    (["--mode=study", "--config=configs/studies/neu_small.py"], "--mode=study does not exist"),
    (["--mode=learn"], "--mode=learn: value should be one of <audit|train|"),
    (["more"], "unexpected arguments: more"),
]


@pytest.fixture(scope="module")
def ends(shared, trained):
    """The exit message of each of `MISTAKES`."""
    folder, environment = shared
    lines = [command(folder, "whole", *arguments)[1:] for arguments, _ in MISTAKES]
    return command_lines.ends(lines, environment)


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=lambda n: " ".join(MISTAKES[n][0]))
def test_mistakes_are_explained_without_a_traceback(ends, number):
    output, expected = ends[number], MISTAKES[number][1]
    assert str(output).startswith("error: ")
    assert expected in output
    assert "Traceback" not in output


def test_a_mistake_is_written_to_stderr_with_status_1(shared, trained):
    done = call(shared, "whole", "--config.train.steps=41")
    assert done.returncode == 1
    assert "train.steps: 32 -> 41" in done.stderr
    assert "Traceback" not in done.stderr
