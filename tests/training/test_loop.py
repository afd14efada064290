"""Training as a whole: it learns, resumes, refuses other settings and is interrupted."""

import contextlib
import dataclasses
import functools
import json
import shutil

import jax
import numpy as np
import pytest

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import ConfigError
from uaps_jax.data import protocols
from uaps_jax.evaluation import evaluate, image_score
from uaps_jax.training import checkpoints, examine, loop, metric_writer, results, sharding, workdir


def frozen(config):
    return config_lib.validate(config)


def run(config, folder, **kwargs):
    folder.mkdir(exist_ok=True)
    return loop.train(config, folder, tiny.pools(), tiny.CLASS_NAMES, tiny.record(), **kwargs)


def assert_equal(a, b):
    for (path, x), y in zip(
        jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True
    ):
        assert np.array_equal(np.asarray(x), np.asarray(y)), jax.tree_util.keystr(path)


class Interrupted(Exception):
    pass


def losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["train/loss"] for line in lines if "train/loss" in line]


def test_streamed_equals_resident_to_the_bit_on_four_devices(tmp_path, monkeypatch):
    monkeypatch.setattr(sharding.over_devices, "__defaults__", (4,))
    config = frozen(tiny.plain())
    resident = run(config, tmp_path / "resident")
    streamed = tmp_path / "streamed"
    streamed.mkdir()
    state = loop.train(
        config, streamed, tiny.in_files(tiny.pools()), tiny.CLASS_NAMES, tiny.record()
    )
    assert_equal(resident, state)
    assert losses(streamed) == losses(tmp_path / "resident")


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """Method -> its configuration, and the folder and the state of an uninterrupted run."""

    @functools.cache
    def of(method):
        with_views = method in ("uaps", "supervised")
        config = frozen((tiny.config if with_views else tiny.plain)(method))
        folder = tmp_path_factory.mktemp(method) / "whole"
        return config, folder, run(config, folder)

    return of


@pytest.mark.parametrize(
    ("method", "stop"),
    [
        *(("uaps", stop) for stop in (2, 3, 5)),
        ("supervised", 3),
        ("mean_teacher", 3),
        ("ua_mt", 5),
        ("cct", 3),
        ("cps", 2),
        ("dct", 4),
        ("ucc", 3),
        ("cpcl", 5),
        ("dueb", 3),
        ("prevmatch", 4),
        ("u2pl", 4),
    ],
)
def test_resumed_equals_uninterrupted_to_the_bit(whole_run, tmp_path, monkeypatch, method, stop):
    config, whole_folder, whole = whole_run(method)
    real = loop._log_step

    def stopping(pending, *rest):
        if pending[0] == stop:
            raise Interrupted
        real(pending, *rest)

    monkeypatch.setattr(loop, "_log_step", stopping)
    with pytest.raises(Interrupted):
        run(config, tmp_path / "cut")
    monkeypatch.setattr(loop, "_log_step", real)
    resumed = run(config, tmp_path / "cut")
    assert_equal(whole, resumed)

    lines = {
        folder.name: [
            {
                k: v
                for k, v in json.loads(line).items()
                if not k.endswith(("per_second", "waiting_for_data"))
            }
            for line in (folder / "metrics.jsonl").read_text().splitlines()
        ]
        for folder in (whole_folder, tmp_path / "cut")
    }
    assert lines["whole"] == lines["cut"]


def test_same_seed_same_result_another_seed_another(tmp_path):
    config = tiny.plain("supervised", steps=2)
    first = run(config, tmp_path / "a")
    assert_equal(first, run(config, tmp_path / "b"))
    config.train.seed = 1
    other = run(config, tmp_path / "c")
    assert not np.array_equal(jax.tree.leaves(first.params)[0], jax.tree.leaves(other.params)[0])


def test_one_labeled_image_and_fewer_than_a_batch_are_enough(tmp_path):
    few = tiny.pools()
    train = {"labeled": tiny.pool(1, 1), "unlabeled": tiny.pool(2, 2)}
    pools = dataclasses.replace(few, train=train, probe=tiny.pool(1, 4))
    config = frozen(tiny.plain("mean_teacher", steps=3))
    assert config.train.batch_labeled > 2
    loop.train(config, tmp_path, pools, tiny.CLASS_NAMES, tiny.record())
    assert np.isfinite(losses(tmp_path)).all()


def test_it_learns(tmp_path):
    config = tiny.plain("uaps", steps=60)
    config.train.eval_every = config.checkpoint.every = 30
    config.optimizer.learning_rate = 1e-2
    run(frozen(config), tmp_path / "run")
    records = [json.loads(x) for x in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [r["train/supervised"] for r in records if "train/supervised" in r]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_the_best_and_the_latest_checkpoint_are_kept(tmp_path, monkeypatch):
    scores = iter([10.0, 30.0, 20.0])
    real = evaluate.evaluate
    monkeypatch.setattr(
        loop.evaluate, "evaluate", lambda *a, **k: real(*a, **k) | {"dice_and_auroc": next(scores)}
    )
    config = tiny.plain("supervised", steps=9)
    config.evaluation.selection = "dice_and_auroc"
    config.checkpoint.keep_at = (1,)
    run(frozen(config), tmp_path / "run")
    assert checkpoints.saved_steps(tmp_path / "run") == [1, 6, 8, 9]
    assert checkpoints.find_step(tmp_path / "run", "best") == 6
    assert checkpoints.find_step(tmp_path / "run", "latest") == 9
    assert checkpoints.find_step(tmp_path / "run", "1") == 1
    with pytest.raises(checkpoints.CheckpointError, match="1, 6, 8, 9"):
        checkpoints.find_step(tmp_path / "run", "4")


def test_keep_every_keeps_multiples(tmp_path):
    config = tiny.plain("supervised", steps=6)
    config.checkpoint.keep_every = 2
    run(frozen(config), tmp_path / "run")
    assert {2, 4, 6} <= set(checkpoints.saved_steps(tmp_path / "run"))


def test_evaluation_from_a_checkpoint_gives_the_logged_score(tmp_path):
    config = frozen(tiny.plain())
    run(config, tmp_path / "run")
    logged = [
        json.loads(line)
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        if "val/" in line
    ]
    step = checkpoints.find_step(tmp_path / "run", "best")
    restored = checkpoints.read_config(tmp_path / "run", step)
    assert config_lib.flatten(restored) == config_lib.flatten(config)
    method = methods.build(restored)
    like = jax.eval_shape(lambda: method.variables(*method.init(0)))
    variables = checkpoints.restore_variables(tmp_path / "run", step, like)
    rule = image_score.rule_of(config.evaluation.decision)
    function = evaluate.make_measure_function(method.predictor(""), 3, rule)
    scores = evaluate.evaluate(function, variables, tiny.pools().val, tiny.CLASS_NAMES, 4)
    record = next(r for r in logged if r["step"] == step)
    for name, value in scores.items():
        assert record[f"val/{name}"] == workdir.finite_or_none(value), name


def test_a_checkpoint_of_another_shape_is_refused_by_name(tmp_path):
    config = tiny.plain("supervised", steps=2)
    run(frozen(config), tmp_path / "run")
    other = tiny.plain("supervised")
    other.network.widths = (4, 8)
    method = methods.build(other)
    like = jax.eval_shape(lambda: method.variables(*method.init(0)))
    with pytest.raises(
        checkpoints.CheckpointError,
        match=r"block_1/conv_0/kernel: .*\(3, 3, 4, 6\).*\(3, 3, 4, 8\)",
    ):
        checkpoints.restore_variables(tmp_path / "run", 2, like)


def test_a_missing_checkpoint_is_reported(tmp_path):
    with pytest.raises(checkpoints.CheckpointError, match="train first"):
        checkpoints.find_step(tmp_path, "best")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A work directory with a checkpoint, and the configuration of its run."""
    folder = tmp_path_factory.mktemp("begun") / "run"
    config = tiny.plain("supervised", steps=2)
    workdir.claim(folder, config, tiny.record())
    run(frozen(config), folder)
    return folder


def test_a_work_directory_of_another_configuration_is_refused(begun):
    config = tiny.plain("supervised", steps=2)
    workdir.claim(begun, config, tiny.record())
    config.train.seed = 7
    with pytest.raises(ConfigError, match=r"train\.seed: 0 -> 7"):
        workdir.claim(begun, config, tiny.record())
    moved = tiny.plain("supervised", steps=2)
    moved.data.data_dir, moved.data.resident_mib = "/elsewhere", 0
    workdir.claim(begun, moved, tiny.record())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unlabeled": ["x"]}, r"unlabeled: 11 -> 1 images\n.*11 removed.*\n.*1 added, x among"),
        ({"classes": ["background", "bright", "dark"]}, r"classes: .*'dark', 'bright'\] -> "),
        ({"build": "tiny/state_2"}, "build: tiny -> tiny/state_2"),
        ({"version": 2}, "version: 1 -> 2"),
    ],
)
def test_a_work_directory_of_other_data_is_refused(begun, change, reason):
    before = (begun / "split.json").read_text()
    with pytest.raises(ConfigError, match=reason):
        workdir.claim(begun, tiny.plain("supervised", steps=2), tiny.record() | change)
    assert (begun / "split.json").read_text() == before


def test_a_run_of_the_first_grouped_draw_is_resumed_by_its_name(begun, monkeypatch):
    """Its settings say "grouped", without a choice about copies; its split has no sizes."""
    config = tiny.plain("supervised", steps=2)
    config.data.protocol = "grouped"
    older = config_lib.flatten(config)
    del older["data.labeled_group_copies"]
    before = tiny.record() | {"protocol": "grouped", "version": 1}
    monkeypatch.setattr(checkpoints, "read_config", lambda *_: config_lib.from_stored(older))
    monkeypatch.setattr(checkpoints, "read_record", lambda *_: before)
    now = before | {protocols.SIZES: {"labeled": {"images": 5, "groups": 5}}}
    assert results.digest(now) == results.digest(before)
    with pytest.raises(ConfigError, match=r"data\.protocol: 'grouped_v1' -> 'grouped'") as refused:
        workdir.claim(begun, config, now)
    assert str(refused.value).endswith("started with: add --config.data.protocol=grouped_v1")
    config.data.protocol = "grouped_v1"
    workdir.claim(begun, config, now)
    assert json.loads((begun / "split.json").read_text()) == now
    with pytest.raises(ConfigError, match="version: 1 -> 2"):
        workdir.claim(begun, config, now | {"version": 2})


@pytest.mark.parametrize(
    ("protocol", "is_refused"), [("native", False), ("grouped_v1", False), ("grouped", True)]
)
def test_the_choice_about_copies_is_compared_where_it_has_an_effect(
    begun, monkeypatch, protocol, is_refused
):
    config = tiny.plain("supervised", steps=2)
    config.data.protocol, config.data.labeled_group_copies = protocol, "unlabeled"
    older = config_lib.from_flat(config_lib.flatten(config))
    monkeypatch.setattr(checkpoints, "read_config", lambda *_: older)
    config.data.labeled_group_copies = "exclude"
    refusal = pytest.raises(ConfigError, match=r"copies: 'unlabeled' -> 'exclude'")
    with refusal if is_refused else contextlib.nullcontext():
        workdir.claim(begun, config, tiny.record())


def test_a_work_directory_without_a_checkpoint_is_taken_over(tmp_path):
    workdir.claim(tmp_path / "run", tiny.plain(), tiny.record())
    workdir.claim(tmp_path / "run", tiny.plain("supervised"), tiny.record())
    flat = json.loads((tmp_path / "run" / "config.json").read_text())
    assert flat["method.name"] == "supervised"


def test_a_work_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigError, match=r"--workdir=.*run: File exists"):
        workdir.claim(tmp_path / "run", tiny.plain(), tiny.record())


def test_a_work_directory_in_use_is_refused_and_free_again_afterwards(tmp_path):
    refused = pytest.raises(ConfigError, match="is in use by another process")
    with workdir.locked(tmp_path / "run"), refused, workdir.locked(tmp_path / "run"):
        pass
    with workdir.locked(tmp_path / "run"):
        pass


def test_without_a_finite_score_there_is_no_best(tmp_path, monkeypatch):
    real = evaluate.evaluate
    monkeypatch.setattr(
        loop.evaluate, "evaluate", lambda *a, **k: real(*a, **k) | {"image_dice": float("nan")}
    )
    run(frozen(tiny.plain("supervised")), tmp_path / "run")
    assert not checkpoints.has_best(tmp_path / "run")
    with pytest.raises(checkpoints.CheckpointError, match="use latest"):
        checkpoints.find_step(tmp_path / "run", "best")


def test_of_equal_scores_the_earlier_is_the_best(tmp_path, monkeypatch):
    real = evaluate.evaluate
    monkeypatch.setattr(
        loop.evaluate, "evaluate", lambda *a, **k: real(*a, **k) | {"image_dice": 50.0}
    )
    run(frozen(tiny.plain("supervised")), tmp_path / "run")
    assert checkpoints.find_step(tmp_path / "run", "best") == 3
    assert checkpoints.saved_steps(tmp_path / "run") == [3, 4, 6]


def test_half_written_metric_lines_are_dropped(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1, "a": 2}\n{"step": 9, "a": 3}\n{"step": 2, "a"')
    writer = metric_writer.MetricWriter(tmp_path, 4)
    writer.write(5, "train", {"x": float("nan")})
    writer.close()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == [{"step": 1, "a": 2}, {"step": 5, "train/x": None}]


def test_plateau_lowers_the_learning_rate_of_a_run(tmp_path):
    config = tiny.plain("supervised", steps=6)
    config.optimizer.schedule = "plateau"
    config.optimizer.plateau_patience = 0
    config.optimizer.plateau_threshold = 1e6
    config.train.eval_every = 1
    state = run(frozen(config), tmp_path / "run")
    assert float(state.plateau.learning_rate) < 1e-3
    assert dataclasses.is_dataclass(state.plateau)


def test_a_class_without_a_labeled_pixel_is_warned_of_once(tmp_path):
    pools = tiny.pools()
    dent = tiny.CLASS_NAMES[1]
    shares = dict.fromkeys(tiny.CLASS_NAMES, 10.0) | {dent: 0.0}
    pools = dataclasses.replace(pools, labeled_shares=shares)
    given = frozen(tiny.plain("supervised", steps=2)), tmp_path, pools, tiny.CLASS_NAMES
    loop.train(*given, tiny.record())
    loop.train(*given, tiny.record())  # it is finished already
    [warning] = (line for line in workdir.warnings(tmp_path) if "no pixel of" in line)
    count = len(pools.train["labeled"].names)
    assert warning.startswith(f"step 0, no pixel of {dent} in the labeled images ({count}), ")
    shutil.rmtree(tmp_path / "checkpoints")  # it starts again
    loop.train(*given, tiny.record())
    assert [line for line in workdir.warnings(tmp_path) if "no pixel of" in line] == [warning]


@pytest.mark.parametrize("shares", [{}, {tiny.CLASS_NAMES[0]: 0.0, tiny.CLASS_NAMES[1]: 100.0}])
def test_background_and_uncounted_classes_are_not_warned_of(shares):
    pools = dataclasses.replace(tiny.pools(), labeled_shares=shares)
    assert examine.warnings_of_labels(pools) == []


def test_only_the_process_that_writes_warns(monkeypatch):
    shares = dict.fromkeys(tiny.CLASS_NAMES, 0.0)
    pools = dataclasses.replace(tiny.pools(), labeled_shares=shares)
    assert len(examine.warnings_of_labels(pools)) == 1
    monkeypatch.setattr(examine.processes, "is_first", lambda: False)
    assert examine.warnings_of_labels(pools) == []
