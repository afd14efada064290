"""What is done is kept, what is outdated runs again, and nothing of a person is overwritten."""

import dataclasses
import errno
import json
import shutil

import pytest

from tests.commands import mine
from uaps_jax import external, files
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import source
from uaps_jax.datasets.common import UnreadableError
from uaps_jax.recipes import listing, reuse, run_recipe, work
from uaps_jax.recipes.errors import StageFailed
from uaps_jax.recipes.stage import Pass, Place, Recipe, Training
from uaps_jax.training.interrupt import Interrupted

ERRORS = {
    "settings": ConfigError("no paper is left"),
    "image": UnreadableError("the file is truncated"),
    "device": OSError(errno.EIO, "Input/output error"),
    "disk": OSError(errno.ENOSPC, "No space left on device"),
    "signal": Interrupted(15, 3),
}


@dataclasses.dataclass(slots=True, kw_only=True)
class Letters(Recipe):
    """Three passes, c reads b and b reads a, and d, which reads none of them."""

    text: str
    fails: str  # one of `ERRORS`, raised by c; "": none

    def stages(self):
        def write(name, inputs, text):
            def run(place):
                read = [(folder / "text.txt").read_text() for folder in place.inputs.values()]
                assert list(place.inputs) == list(inputs)
                if name == "c" and self.fails:
                    raise ERRORS[self.fails]
                files.write_text(place.folder / "text.txt", f"{text}{name}" + "".join(read))
                (place.folder / ".hidden").write_text("of a killed process")

            folder = f"texts/{name}" if name == "b" else name
            options = {"text": text, "range": (1, 2)}
            return Pass(name=name, folder=folder, inputs=inputs, options=options, write=run)

        return [
            write("a", (), ""),
            write("b", ("a",), self.text),
            write("c", ("b",), ""),
            write("d", (), ""),
        ]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("of_user") / "mine"
    mine.write_folder(root)
    config = mine.settings(root)
    return root, source.open_dataset(config.data)


@pytest.fixture
def run(dataset, tmp_path, caplog):
    """Runs the recipe with some settings; returns what it logged."""
    root, opened = dataset

    def go(text="x", fails="", again=None, labeled=0):
        base = mine.settings(root)
        base.data.labeled_count = labeled
        recipe = Letters(base=base, text=text, fails=fails)
        caplog.clear()
        with caplog.at_level("INFO", logger="absl"):
            run_recipe.run_recipe(
                recipe, tmp_path / "run", opened, work.in_this_process(None), again
            )
        return caplog.text

    return go


def texts(folder):
    return {
        file.relative_to(folder).parent.as_posix(): file.read_text()
        for file in folder.rglob("text.txt")
    }


FIRST = {"a": "a", "texts/b": "xba", "c": "cxba", "d": "d"}


def test_every_stage_runs_once_and_a_changed_setting_runs_what_reads_it(run, tmp_path):
    folder = tmp_path / "run"
    run()
    assert texts(folder) == FIRST
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    run()
    after = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    assert before.keys() == after.keys()
    assert {f for f in before if before[f] != after[f]} <= {folder / ".lock"}
    record = json.loads((folder / "texts/b/stage.json").read_text())
    assert record["settings"] == {"text": "x", "range": [1, 2]}
    assert record["outputs"].keys() == {"text.txt"}
    assert record["inputs"].keys() == {"data", "a"}

    log = run(text="y")
    assert "stage b: outdated (other settings: text: x -> y)" in log
    assert "stage c: waiting (for b)" in log
    assert log.index("stage b: outdated") < log.index("stage b runs again")
    moved = {"texts/b.previous-1": "xba", "c.previous-1": "cxba"}
    assert texts(folder) == {"a": "a", "texts/b": "yba", "c": "cyba", "d": "d"} | moved
    # Back again: a second folder of what was there.
    run(text="x")
    assert texts(folder) == FIRST | moved | {"texts/b.previous-2": "yba", "c.previous-2": "cyba"}


def test_a_stage_is_run_again_with_all_that_depend_on_it(run, tmp_path):
    run()
    run(again="b")
    assert texts(tmp_path / "run") == FIRST | {"texts/b.previous-1": "xba", "c.previous-1": "cxba"}
    with pytest.raises(ConfigError, match=r"--stage=e: must be one of a, b, c, d"):
        run(again="e")


def test_a_failing_stage_stops_the_recipe_and_is_repeated_alone(run, tmp_path):
    with pytest.raises(StageFailed, match=r"stage c failed: no paper is left\n.*; the same comm"):
        run(fails="settings")
    folder = tmp_path / "run"
    assert texts(folder) == {"a": "a", "texts/b": "xba"}
    assert "stage c: interrupted" in run()
    assert texts(folder) == FIRST


@pytest.mark.parametrize(
    ("fails", "error", "message"),
    [
        ("settings", StageFailed, r"stage c failed: no paper is left\n.* done; run it without"),
        ("image", StageFailed, r"stage c failed: the file is truncated\n.* done; run it without"),
        ("device", StageFailed, r"stage c failed: .*Input/output error\n.* done; run it without"),
        ("disk", OSError, "No space left on device"),
        ("signal", Interrupted, r"SIGTERM: stopped after step 3, which is saved; run it without"),
    ],
)
def test_a_stage_that_was_run_again_goes_on_without_the_flag(run, tmp_path, fails, error, message):
    run()
    with pytest.raises(error, match=message) as caught:
        run(fails=fails, again="c")
    assert fails == "disk" or "run it without --stage to go on" in str(caught.value)
    run()
    assert texts(tmp_path / "run") == FIRST | {"c.previous-1": "cxba"}


@pytest.mark.parametrize("change", ["changed", "removed", "added"])
def test_a_file_changed_by_hand_is_reported_and_nothing_is_written(run, tmp_path, change):
    run()
    file = tmp_path / "run" / "texts/b" / "text.txt"
    if change == "removed":
        file.unlink()
    elif change == "added":
        file = file.with_name("mine.txt")
    if change != "removed":
        file.write_text("mine")
    with pytest.raises(ConfigError, match=rf"stage b, .*/b: 1 of 1 files: {file.name}\n.*--stage="):
        run(text="y")
    assert not list((tmp_path / "run").rglob("*.previous-*"))
    assert change == "removed" or file.read_text() == "mine"
    run(again="b")
    fresh = texts(tmp_path / "run")
    assert fresh | FIRST == fresh
    assert (tmp_path / "run" / "texts" / "b.previous-1").is_dir()


def test_other_data_make_every_stage_outdated(run, tmp_path):
    run()
    log = run(labeled=3)
    assert log.count("outdated (other data:") == 4
    assert len(list((tmp_path / "run").rglob("*.previous-1"))) == 4


class Begun(Recipe):
    """A training from a file of weights, and one from the first."""

    def stages(self):
        def second(folders):
            network = dataclasses.replace(self.base.network, pretrained=str(folders["t"]))
            return dataclasses.replace(self.base, network=network)

        return [
            Training(name="t", configure=lambda _: self.base),
            Training(name="u", inputs=("t",), configure=second),
        ]


def test_other_content_of_initial_weights_trains_again(dataset, tmp_path, caplog):
    root, opened = dataset
    file, trained = tmp_path / "weights.pth", []

    def train(config, folder):
        del config
        trained.append(folder.name)
        files.write_text(folder / "result.json", "{}")

    def go(resident_mib):
        base = mine.settings(root)
        base.network.pretrained, base.data.resident_mib = str(file), resident_mib
        run_recipe.run_recipe(
            Begun(base=base), tmp_path / "run", opened, work.in_this_process(train)
        )

    with pytest.raises(ConfigError, match=r"network\.pretrained = .*No such file"):
        go(64)
    assert not trained
    file.write_bytes(b"one")
    go(64)
    go(0)  # where images are kept changes nothing
    assert trained == ["t", "u"]
    file.write_bytes(b"two")
    with caplog.at_level("INFO", logger="absl"):
        go(64)
    assert "stage t: outdated (other initial weights: " in caplog.text
    assert trained == ["t", "u", "t"]  # whose files came out the same


def test_a_folder_that_is_no_stage_is_left_alone(run, tmp_path):
    file = tmp_path / "run" / "a" / "mine.txt"
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(ConfigError, match=r"run/a has no stage\.json: it is not a stage"):
        run()
    assert [p for p in (tmp_path / "run").rglob("*") if p.is_file()] == [
        tmp_path / "run" / ".lock",
        file,
    ]


def test_the_list_shows_states_inputs_and_folders(dataset, run, tmp_path):
    root, opened = dataset
    run()
    recipe = Letters(base=mine.settings(root), text="y", fails="")
    _, data = run_recipe.split_of(recipe, opened)
    lines = listing.table(run_recipe.open_recipe(recipe, tmp_path / "run", data)).splitlines()
    words = [line.split() for line in lines]
    assert words[0] == ["stage", "kind", "state", "folder", "files", "time", "finished", "reads"]
    assert [*words[1][:5], words[1][-1]] == ["a", "pass", "done", "a", "1", "data"]
    assert "outdated (other settings: text: x -> y)  texts/b  1" in lines[2]
    assert lines[2].endswith("  a")
    assert [*words[3][:5], words[3][-1]] == ["c", "pass", "waiting", "(for", "b)", "b"]
    assert listing._named(("a", "b", "c", "d")) == "a, b, c, d"
    assert listing._named(tuple("abcdef")) == "a, b, c, d, 2 more"
    assert texts(tmp_path / "run") == FIRST


def test_problems_of_a_recipe_are_one_report(dataset, tmp_path):
    root, opened = dataset

    class Wrong(Letters):
        def stages(self):
            first, second, *_ = Letters.stages(self)
            config: Config = dataclasses.replace(self.base, train=self.base.train)
            config.train = dataclasses.replace(config.train, steps=0)
            training = Training(name="t", inputs=("a",), configure=lambda _: config)
            return [second, first, first, training]

    base = mine.settings(root)
    with pytest.raises(ConfigError) as caught:
        run_recipe.run_recipe(
            Wrong(base=base, text="x", fails=""), tmp_path, opened, work.in_this_process(None)
        )
    report = str(caught.value)
    assert "2 stages have the name 'a'" in report
    assert "2 stages have the folder 'a'" in report
    assert "stage b: its input 'a' is not an earlier stage" in report
    assert "train.steps = 0: must be at least 1" in report


@pytest.fixture
def begun(dataset, tmp_path):
    """Runs `Begun` with weights in a work directory; returns the trainings that ran."""
    root, opened = dataset

    def go(name, content=b"one", steps=3, reuse=""):
        file, trained = tmp_path / "weights.pth", []
        file.write_bytes(content)

        def train(config, folder):
            trained.append(folder.name)
            files.write_text(folder / "result.json", f"{config.train.steps} {content!r}")
            files.write_text(folder / "curves.txt", folder.name)

        base = mine.settings(root)
        base.network.pretrained, base.train.steps = str(file), steps
        run_recipe.run_recipe(
            Begun(base=base),
            tmp_path / name / "run",
            opened,
            work.in_this_process(train),
            reuse=tmp_path / reuse if reuse else None,
        )
        return trained

    return go


def test_an_equal_training_of_another_recipe_is_copied(begun, tmp_path, caplog):
    assert begun("first") == ["t", "u"]
    with caplog.at_level("INFO", logger="absl"):
        assert begun("second", reuse="first") == ["u"]  # whose settings name the folder of "t"
    assert f"stage t: copied from {tmp_path / 'first/run/t'}, where it took" in caplog.text
    one, other = (
        {f.name: f.read_bytes() for f in (tmp_path / name / "run" / "t").iterdir()}
        for name in ("first", "second")
    )
    assert one == other
    assert one.keys() == {"stage.json", "result.json", "curves.txt"}
    assert begun("second") == []  # it is its own now
    assert begun("third") == ["t", "u"]


@pytest.mark.parametrize("change", [{"steps": 4}, {"content": b"two"}])
def test_a_training_of_other_settings_or_files_is_not_copied(begun, change):
    begun("first")
    assert begun("second", **change, reuse="first") == ["t", "u"]


@pytest.mark.parametrize("state", ["changed", "not finished", "run again", "being moved"])
def test_a_training_that_is_not_whole_is_not_copied(begun, tmp_path, state, caplog, monkeypatch):
    begun("first")
    folder = tmp_path / "first" / "run" / "t"
    if state == "changed":
        (folder / "result.json").write_text("mine")
    elif state == "not finished":
        record = json.loads((folder / "stage.json").read_text())
        (folder / "stage.json").write_text(json.dumps(record | {"outputs": None}))
    elif state == "run again":
        folder.rename(folder.with_name("t.previous-1"))
    else:

        def copytree(source, target):
            raise FileNotFoundError(f"no such file: {source}")

        monkeypatch.setattr(shutil, "copytree", copytree)
    (tmp_path / "first" / "damaged").mkdir()
    (tmp_path / "first" / "damaged" / "stage.json").write_text("{")
    assert begun("second", reuse="first") == ["t", "u"]
    reason = {"changed": "its files were changed", "being moved": "no such file"}.get(state)
    assert (f"{folder} is not reused: {reason}" in caplog.text) == (reason is not None)
    assert not [*tmp_path.rglob("*.copying")]


def test_a_copy_that_was_interrupted_is_made_anew(begun, tmp_path):
    begun("first")
    left = tmp_path / "second" / "run" / ".t.copying"
    left.mkdir(parents=True)
    (left / "stage.json").write_bytes((tmp_path / "first/run/t/stage.json").read_bytes())
    (tmp_path / "second" / "run" / "t").mkdir()
    (tmp_path / "second" / "run" / "t" / ".lock").touch()
    assert begun("second", reuse=".") == ["u"]
    assert (tmp_path / "second/run/t/result.json").exists()
    assert not left.exists()


def test_what_the_settings_do_not_say_is_not_copied(dataset, tmp_path, monkeypatch):
    root, opened = dataset
    base = mine.settings(root)
    training = Training(name="t", inputs=("a",), configure=lambda _: base)
    place = Place(folder=tmp_path, inputs={"a": tmp_path / "a"}, dataset=opened, split={})
    assert reuse.can_be_copied(training, place)
    base.data.targets.folders = (str(tmp_path / "a"),)
    assert reuse.can_be_copied(training, place)
    base.data.targets.folders = (str(tmp_path / "a"), str(tmp_path / "mine"))
    assert not reuse.can_be_copied(training, place)
    base.data.targets.folders = ()
    monkeypatch.setitem(external.FILES, ("method", base.method.name), tmp_path / "mine.py")
    assert not reuse.can_be_copied(training, place)
