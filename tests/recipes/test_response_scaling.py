"""URN on a user's folder: killed and resumed, and what its files hold."""

import csv
import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import uaps_jax
from tests import crashes, published
from tests.commands import mine
from tests.recipes import of_user_urn
from uaps_jax import files
from uaps_jax.commands import opening, training
from uaps_jax.commands import recipe as recipe_command
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.crf.refine import pairwise_terms
from uaps_jax.data import protocols, rough, source, targets
from uaps_jax.datasets.common import DataError, read_mask
from uaps_jax.evaluation import metrics, ranking
from uaps_jax.labels import IGNORE
from uaps_jax.recipes import (
    cyclic_masks,
    given_checks,
    run_recipe,
    target_files,
    uncertainty_report,
    work,
)
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes.response_scaling import ResponseScaling
from uaps_jax.recipes.stage import Place, Training
from uaps_jax.recipes.uncertainty_report import Maps
from uaps_jax.study import pseudo_labels
from uaps_jax.training import checkpoints
from uaps_jax.weak_supervision.lost_classes import restored
from uaps_jax.weak_supervision.response_scaling import scaled_responses, stored_weights

LAST = str(of_user_urn.STEPS)


class Killed(BaseException):
    """In place of the end of the process; `test_progressive.py` has real ones."""


def run(root, name, kill_at=None):
    """Runs the recipe until it writes for the N-th time to a path that holds a text."""
    recipe = of_user_urn.of(str(root), weightings=("none", "hard"))
    request = Request(config=recipe, workdir=root / name, checkpoint="best", input=None)
    usual_bytes, usual_save = files.write_bytes, checkpoints.save
    text, left = kill_at or ("", 0)

    def note(path):
        nonlocal left
        left -= text in str(path)
        if left == 0:
            raise Killed

    def write_bytes(path, content):
        note(path)
        usual_bytes(path, content)

    def save(manager, *rest):
        note(manager.directory)
        usual_save(manager, *rest)

    with pytest.MonkeyPatch.context() as patch:
        if kill_at:
            patch.setattr(files, "write_bytes", write_bytes)
            patch.setattr(checkpoints, "save", save)
        recipe_command.recipe(request)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A user's folder, the recipe in `whole`, and in `killed`, which was killed twice."""
    root = tmp_path_factory.mktemp("urn")
    mine.write_folder(root / "mine")
    run(root, "whole")
    for kill_at in (("cyclic/weight", 5), ("phase_2_hard/checkpoints", 2)):
        with pytest.raises(Killed):
            run(root, "killed", kill_at)
    run(root, "killed")
    return root


@pytest.fixture(scope="module")
def opened(root):
    """The dataset, its split and the settings of the data."""
    config = of_user_urn.get_config(str(root)).base
    _, dataset = opening.open_dataset(config)
    return dataset, protocols.make_split(dataset, config.data), config.data


def written(folder):
    """The files of the passes, without the records, which hold times."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for passes in ("targets", "scores")
        for file in (folder / passes).rglob("*")
        if file.is_file() and file.name != "stage.json"
    }


def test_a_killed_recipe_gives_the_bits_of_an_uninterrupted_one(root):
    whole, killed = (root / name for name in ("whole", "killed"))
    assert written(whole) == written(killed)
    for stage in ("phase_1", "phase_2_hard"):
        one, other = (
            crashes.arrays_of(folder / stage / "checkpoints" / LAST) for folder in (whole, killed)
        )
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert not list(killed.rglob("*.previous-*"))
    # The masks as they are would be phase 1 again.
    assert not (whole / "phase_2_none").exists()


def test_phase_1_learns_the_ellipses_and_phase_2_the_weights(root, opened):
    dataset, split, data = opened
    folder = root / "whole"
    names = target_files.names_in(folder / "targets" / "phase_0")
    assert names == split["labeled"]
    for name in names:
        truth = target_files.truth(dataset, name, data)
        ellipse = target_files.read(folder / "targets" / "phase_0", targets.MASKS, name, data)
        np.testing.assert_array_equal(ellipse, rough.rough_mask(truth, name, data.rough))
    for stage, weighting in (("phase_1", "none"), ("phase_2_hard", "hard")):
        config = uaps_jax.load(folder / stage, "latest").config
        assert config.method.weighting == weighting
        assert config.data.targets.weights == (weighting == "hard")
        assert (config.data.targets.part, config.data.rough.kind) == ("labeled", "none")
        assert json.loads((folder / stage / "split.json").read_text())["labeled"] == names


def test_cyclic_masks_and_weights_are_those_of_the_formula(root, opened, tmp_path):
    dataset, split, data = opened
    folder = root / "whole" / "targets" / "cyclic"
    model = uaps_jax.load(root / "whole" / "phase_1", "latest")
    recipe = of_user_urn.get_config(str(root))
    name = split["labeled"][0]
    pool = source.read(dataset, [name], data)
    images = pool.images.astype(np.float32)
    predict = jax.jit(lambda v, x: model.method.predictor("")(v, x))

    def bilinear(x, size):
        return jax.image.resize(x, (1, size, size, x.shape[-1]), "bilinear", antialias=False)

    found = []
    for size in (16, 32):
        view = bilinear(images, size)
        plain = jnp.log(predict(model.variables, view))
        mirrored = jnp.log(predict(model.variables, view[:, :, ::-1]))[:, :, ::-1]
        found += [jax.nn.softmax(bilinear(logits, 16)) for logits in (plain, mirrored)]
    mean = sum(found) / 4
    with (folder.parent / "phase_0" / "image_labels.csv").open() as file:
        lines = {row[0]: row[1:] for row in csv.reader(file)}
    tags = np.array([c == "background" or c in lines[name] for c in dataset.class_names])
    assert not tags.all()
    expected = scaled_responses(
        mean[0],
        jnp.asarray(tags),
        pairwise_terms(pool.images[0], recipe.crf),
        iterations=10,
        scales=recipe.powers,
        form="repaired",
    )
    learnt = target_files.read(folder.parent / "phase_0", targets.MASKS, name, data)
    expected_mask, is_restored = restored(np.asarray(expected.mask), learnt, tags, recipe.restored)
    mask = target_files.read(folder, targets.MASKS, name, data)
    np.testing.assert_array_equal(mask, expected_mask)
    weight = target_files.read(folder, targets.WEIGHTS, name, data)
    expected_weight = stored_weights(expected.variance, recipe.powers, "repaired")
    np.testing.assert_array_equal(weight, np.where(is_restored, 255, expected_weight))
    confidence = target_files.read_grey(target_files.file_of(folder, "confidence", name))
    largest = np.where(is_restored, 1, mean[0].max(-1))
    np.testing.assert_allclose(confidence / 65535, largest, atol=2e-5)
    stages = {stage.name: stage for stage in stage_lib.checked(recipe, tmp_path)}
    for stage, is_kept in (
        ("threshold", confidence / 65535 >= 0.7245),
        ("oracle", mask == target_files.truth(dataset, name, data)),
    ):
        place = Place(
            folder=tmp_path / stage, inputs={"cyclic": folder}, dataset=dataset, split=split
        )
        stages[stage].write(place)
        other = target_files.read(tmp_path / stage, targets.WEIGHTS, name, data)
        np.testing.assert_array_equal(other, np.where(is_kept, 255, 0))
        again = target_files.read(tmp_path / stage, targets.MASKS, name, data)
        np.testing.assert_array_equal(again, mask)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_lost_classes_are_restored_and_others_are_not(
    root, opened, tmp_path, monkeypatch, share, caplog
):
    dataset, split, data = opened
    whole = root / "whole"
    names = target_files.names_in(whole / "targets" / "phase_0")
    rough_of = {
        name: target_files.read(whole / "targets" / "phase_0", targets.MASKS, name, data)
        for name in names
    }
    images = source.read(dataset, names, data).images
    found = np.stack([rough_of[name] > 0 for name in names])
    found[::2] = False  # the network sees nothing in half of the images

    def mean_prediction(trained, views):
        def predict(variables, batch):
            rows = [int(np.abs(images - one).sum((1, 2, 3)).argmin()) for one in np.asarray(batch)]
            classes = np.stack([rough_of[names[row]] for row in rows])
            own = np.where(found[rows], classes, 0)
            return 0.9 * np.eye(3, dtype=np.float32)[own] + 0.1 / 3

        return predict

    monkeypatch.setattr(cyclic_masks, "mean_prediction", mean_prediction)
    monkeypatch.setattr(cyclic_masks.compiler, "jit_optimized", lambda f, **_: f)
    recipe = of_user_urn.of(str(root), restored=share)
    recipe.crf.iterations = 0
    [stage] = [one for one in recipe.stages() if one.name == "cyclic"]
    assert stage.options.get("restored") == (share or None)
    inputs = {"phase_0": whole / "targets" / "phase_0", "phase_1": whole / "phase_1"}
    stage.write(Place(folder=tmp_path, inputs=inputs, dataset=dataset, split=split))
    for row, name in enumerate(names):
        mask = target_files.read(tmp_path, targets.MASKS, name, data)
        weight = target_files.read(tmp_path, targets.WEIGHTS, name, data)
        is_expected = found[row].any() or share > 0
        np.testing.assert_array_equal(mask, np.where(is_expected, rough_of[name], 0))
        if share and not found[row].any():
            confidence = target_files.read_grey(target_files.file_of(tmp_path, "confidence", name))
            assert (weight[mask > 0] == 255).all()
            assert (confidence[mask > 0] == 65535).all()
            assert (confidence[mask == 0] < 65535).all()
    counts = {
        dataset.class_names[label]: [
            sum((rough_of[name] == label).any() for name in names[::2]),
            sum((rough_of[name] == label).any() for name in names),
        ]
        for label in (1, 2)
    }
    expected = {name: row for name, row in counts.items() if share and row[0]}
    assert json.loads((tmp_path / "summary.json").read_text())["restored"] == expected
    with (tmp_path / "uncertainty.csv").open() as file:
        lines = {line["name"]: line["restored"] for line in csv.DictReader(file)}
    assert all(bool(lines[name]) == (share > 0) for name in names[::2] if rough_of[name].any())
    assert not any(lines[name] for name in names[1::2])
    for name, (count, of) in expected.items():
        assert f"{name}: {count} of {of} images have the rough mask back" in caplog.text


def test_the_report_compares_with_the_hidden_masks(root, opened):
    dataset, split, data = opened
    folder = root / "whole" / "targets" / "cyclic"
    pairs = [
        (
            target_files.read(folder, targets.MASKS, name, data),
            target_files.truth(dataset, name, data),
            target_files.read(folder, targets.WEIGHTS, name, data),
        )
        for name in split["labeled"]
    ]
    masks, truths, weights = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
    wrong = masks != truths
    summary = json.loads((folder / "summary.json").read_text())
    found = summary["uncertainty"]
    assert found["wrong"] == pytest.approx(wrong.mean())
    expected = ranking.auroc(255.0 - weights.reshape(-1), wrong.reshape(-1))
    assert found["response_scaling"]["auroc"] == pytest.approx(expected)
    low = weights <= 0.05 * 255
    assert found["share"] == pytest.approx(low.mean())
    assert summary["quality"]["cyclic"]["images"] == len(split["labeled"])
    stages = of_user_urn.of(str(root), weightings=("none", "hard")).stages()
    of_study = [
        (one.stage, one.model, one.part) for one in pseudo_labels.of_recipe(root / "whole", stages)
    ]
    assert of_study == [("targets/cyclic", "phase_1", part) for part in ("rough", "cyclic")]
    shutil.copytree(folder, folder.with_name("cyclic.previous-1"))
    assert [one.stage for one in pseudo_labels.of_recipe(root / "whole", stages)] == (
        ["targets/cyclic"] * 2
    )
    shutil.rmtree(folder.with_name("cyclic.previous-1"))
    with (folder / "uncertainty.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    shares = [float(rows[name]["wrong"]) for name in split["labeled"]]
    np.testing.assert_allclose(shares, wrong.mean((1, 2)), atol=1e-6)
    with Image.open(folder / "uncertain_and_certain.png") as sheet:
        assert sheet.width > 100


def test_the_uncertainty_of_wrong_pixels_by_hand():
    truth = np.array([[1, 1, 0, 0, IGNORE]])
    maps = Maps(
        name="a",
        rough=None,
        cyclic=np.array([[1, 0, 0, 1, 1]]),
        uncertainty={
            "response_scaling": np.array([[0, 255, 0, 10, 255]]),
            "confidence": np.array([[5, 5, 5, 5, 5]]),
        },
        truth=truth,
    )
    found = uncertainty_report.errors_found([maps], 12)
    assert found["wrong"] == 0.5
    assert found["response_scaling"] == {"auroc": 1.0, "average_precision": 1.0}
    assert found["confidence"] == {"auroc": 0.5, "average_precision": 0.5}
    assert (found["share"], found["precision"], found["recall"]) == (0.25, 1.0, 0.5)
    # With a larger `method.least`, the other wrong pixel, of weight 245, counts less, too.
    found = uncertainty_report.errors_found([maps], 245)
    assert (found["share"], found["precision"], found["recall"]) == (0.5, 1.0, 1.0)
    unknown = dataclasses.replace(maps, truth=None)
    assert uncertainty_report.errors_found([unknown], 12) is None


def test_scores_are_those_of_the_test_images_with_and_without_the_crf(root, opened):
    dataset, split, data = opened
    scores = json.loads((root / "whole" / "scores" / "scores.json").read_text())
    models = ["phase 1", "none", "hard"]
    assert [row["model"] for row in scores] == [m for model in models for m in (model, model)]
    assert [row["crf"] for row in scores] == [False, True] * len(models)
    pool = source.read(dataset, split["test"], data)
    for row in scores[4:6]:
        iterations = 10 if row["crf"] else 0
        model = uaps_jax.load(
            root / "whole" / "phase_2_hard",
            "latest",
            overrides={"evaluation.crf.iterations": iterations},
        )
        masks = model.predict_pool(pool).masks
        confusions = [
            metrics.confusion(truth, mask, 3) for truth, mask in zip(pool.masks, masks, strict=True)
        ]
        expected = metrics.scores(np.stack(confusions), dataset.class_names)
        assert row["dataset_iou"] == pytest.approx(expected["dataset_iou"])


def test_phases_are_left_out_by_giving_their_files(root, opened, tmp_path, caplog):
    """Masks and a run are given, without a CRF; then cyclic masks, which are trained on at once."""
    dataset, _, _ = opened
    whole = root / "whole"
    shutil.copytree(whole / "targets" / "phase_0" / "mask", tmp_path / "given" / "mask")
    recipe = of_user_urn.of(
        str(root),
        masks=str(tmp_path / "given"),
        model=str(whole / "phase_1"),
        weightings=("cyclic",),
        views=(1.0,),
    )
    recipe.crf.iterations = 0
    with caplog.at_level("WARNING"):
        run_recipe.run_recipe(
            recipe, tmp_path / "one", dataset, work.in_this_process(training.train)
        )
    assert "without a CRF, response scaling looks at each pixel alone" in caplog.text
    written = tmp_path / "one" / "targets"
    labels = (written / "phase_0" / "image_labels.csv").read_bytes()
    assert labels == (whole / "targets" / "phase_0" / "image_labels.csv").read_bytes()
    assert (tmp_path / "one" / "phase_2_cyclic" / "checkpoints" / LAST).is_dir()
    assert (tmp_path / "one" / "scores" / "scores.csv").read_text().count("without") == 2

    def stages(**settings):
        found = stage_lib.checked(of_user_urn.of(str(root), **settings), tmp_path / "two")
        return {stage.name: stage for stage in found}

    cyclic = str(written / "cyclic")
    first = stages(cyclic=cyclic, weightings=("hard", "threshold"))
    assert list(first) == ["cyclic", "threshold", "phase_2_hard", "phase_2_threshold", "scores"]
    assert list(stages(cyclic=cyclic, weightings=("none",))) == [
        "phase_0",
        "cyclic",
        "phase_2_none",
        "scores",
    ]
    # What is given belongs to the settings: a changed file is learnt anew.
    mask = next((written / "cyclic" / "mask").iterdir())
    mask.write_bytes(mask.read_bytes() + b"\0")
    again = stages(cyclic=cyclic, weightings=("hard",))
    assert again["cyclic"].options["digest"] != first["cyclic"].options["digest"]


def test_labeled_images_keep_their_masks_and_unlabeled_ones_get_cyclic_masks(
    root, opened, tmp_path
):
    dataset, split, data = opened
    assert split["unlabeled"]
    recipe = of_user_urn.of(str(root), start="labeled", views=(1.0,))
    stages = {stage.name: stage for stage in stage_lib.checked(recipe, tmp_path)}
    folders = {name: tmp_path / name for name in ("phase_0", "cyclic")}
    place = Place(folder=folders["phase_0"], inputs={}, dataset=dataset, split=split)
    stages["phase_0"].write(place)
    inputs = {"phase_0": folders["phase_0"], "phase_1": root / "whole" / "phase_1"}
    place = Place(folder=folders["cyclic"], inputs=inputs, dataset=dataset, split=split)
    stages["cyclic"].write(place)
    assert target_files.names_in(folders["cyclic"]) == sorted(
        [*split["labeled"], *split["unlabeled"]]
    )
    for name in split["labeled"]:
        mask = target_files.read(folders["cyclic"], targets.MASKS, name, data)
        np.testing.assert_array_equal(mask, target_files.truth(dataset, name, data))
        weight = target_files.read(folders["cyclic"], targets.WEIGHTS, name, data)
        assert (weight == 255).all()
    with (folders["cyclic"] / "uncertainty.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == split["unlabeled"]


def test_what_does_not_fit_the_data_is_found_before_the_first_stage(root, opened):
    dataset, split, _ = opened
    model = str(root / "whole" / "phase_1")
    of_user_urn.of(str(root), model=model).split(dataset)
    other = of_user_urn.of(str(root), model=model)
    other.base.data.split_seed = 1
    held = {dataset.groups[n] for n in protocols.make_split(dataset, other.base.data)["test"]}
    assert held & {dataset.groups[name] for name in split["labeled"] + split["val"]}
    with pytest.raises(ConfigError, match=r"labeled and validation images are test images of this"):
        other.split(dataset)
    larger = of_user_urn.of(str(root), model=model)
    larger.base.data.height = 32
    with pytest.raises(ConfigError, match=r"base.data.height = 32: the model was trained with 16"):
        larger.split(dataset)
    masks = str(root / "whole" / "targets" / "phase_0")
    without = dataclasses.replace(dataset, masked=dataset.masked - {split["labeled"][0]})
    with pytest.raises(ConfigError, match=f"oracle .* have none, {split['labeled'][0]} among them"):
        given_checks.check(
            of_user_urn.of(str(root), masks=masks, weightings=("oracle",)), without, split
        )
    with pytest.raises(ConfigError, match="no unlabeled images that could get cyclic masks"):
        given_checks.check(
            of_user_urn.of(str(root), masks=masks, start="labeled"),
            dataset,
            split | {"unlabeled": []},
        )


def test_a_model_that_has_not_ended_is_warned_of(root, opened, tmp_path, caplog):
    dataset = opened[0]
    model = tmp_path / "model"
    shutil.copytree(root / "whole" / "phase_1", model)
    of_user_urn.of(str(root), model=str(model)).split(dataset)
    assert "of its" not in caplog.text
    first, *later = checkpoints.saved_steps(model)
    assert later
    for step in later:
        shutil.rmtree(model / "checkpoints" / str(step))
    of_user_urn.of(str(root), model=str(model)).split(dataset)
    assert f"it was trained for {first} of its {of_user_urn.STEPS} steps" in caplog.text


def test_labels_beside_given_masks_are_read_before_the_first_training(root, opened, tmp_path):
    dataset, split, _ = opened
    given = tmp_path / "given"
    shutil.copytree(root / "whole" / "targets" / "phase_0", given)
    table = given / "image_labels.csv"
    lines = table.read_text().splitlines(keepends=True)
    stages = of_user_urn.of(str(root), masks=str(given)).stages()
    pass_of_masks = next(stage for stage in stages if stage.name == "phase_0")

    def write(content):
        table.write_bytes(content)
        place = Place(folder=tmp_path / "phase_0", inputs={}, dataset=dataset, split=split)
        pass_of_masks.write(place)

    write("".join(lines).encode("utf-8-sig"))
    with pytest.raises(DataError, match="has no line for 1 of"):
        write("".join(lines[:-1]).encode())
    with pytest.raises(DataError, match="is not UTF-8"):
        write("".join(lines).replace("scratch", "Schl\u00e4ge").encode("cp1252"))
    name = lines[1].split(",")[0]
    file = target_files.file_of(given, targets.MASKS, name)
    Image.fromarray(np.full((16, 16), 7, np.uint8)).save(file)
    pass_of_masks = next(stage for stage in stages if stage.name == "phase_0")
    with pytest.raises(DataError, match="the class id 7 does not exist"):
        write("".join(lines).encode())


def test_settings_without_an_effect_are_those_of_phases_that_are_left_out(root):
    def unused(**settings):
        return set(of_user_urn.of(str(root), **settings).unused())

    assert "base.data.rough.kind" in unused(masks="given")
    assert "base.data.rough.kind" not in unused(masks="given", start="labeled")
    assert "restored" in unused(masks="given", start="labeled")
    assert "restored" not in unused()
    assert "maps.steps" in unused(masks="given", start="image_labels")
    assert "maps.steps" not in unused(start="image_labels")


def test_masks_are_made_of_image_labels(root, opened, tmp_path):
    """Of a classifier of four steps: a mask holds no class that its image does not have."""
    dataset, split, data = opened
    recipe = of_user_urn.of(str(root), start="image_labels", masks="")
    recipe.maps.steps, recipe.maps.views = 4, (1.0,)
    stages = {stage.name: stage for stage in stage_lib.checked(recipe, tmp_path)}
    assert list(stages)[:4] == ["image_labels", "classifier", "phase_0", "phase_1"]
    folders = {name: tmp_path / name for name in ("image_labels", "classifier", "phase_0")}

    def place(name):
        folders[name].mkdir()
        return Place(folder=folders[name], inputs=folders, dataset=dataset, split=split)

    stages["image_labels"].write(place("image_labels"))
    for name in split["labeled"]:
        stripes = read_mask(target_files.file_of(folders["image_labels"], targets.MASKS, name))
        part, index = dataset.position[name]
        exact = read_mask(dataset.records[part][index]["mask"])
        assert stripes.shape == exact.shape
        assert rough.image_labels(stripes) == rough.image_labels(exact)
    training.train(stages["classifier"].configure(folders), folders["classifier"])
    stages["phase_0"].write(place("phase_0"))
    assert target_files.names_in(folders["phase_0"]) == split["labeled"]
    for name in split["labeled"]:
        mask = target_files.read(folders["phase_0"], targets.MASKS, name, data)
        part, index = dataset.position[name]
        exact = read_mask(dataset.records[part][index]["mask"])
        assert set(rough.image_labels(mask)) <= set(rough.image_labels(exact))
    quality = json.loads((folders["phase_0"] / "quality.json").read_text())
    assert quality["images"] == len(split["labeled"])
    labels = [(folders[name] / "image_labels.csv").read_text() for name in list(folders)[::2]]
    assert labels[0] == labels[1]


def test_settings_that_exclude_each_other_are_reported(tmp_path):
    recipe = of_user_urn.of(str(tmp_path), masks=str(tmp_path), cyclic=str(tmp_path / "no"))
    recipe.base.method.weighting = "hard"
    recipe.base.data.targets.part = "labeled"
    recipe.base.data.targets.folders = ("somewhere",)
    recipe.base.train.minutes = 1.0
    recipe.model = str(tmp_path)
    recipe.start = "labeled"
    with pytest.raises(ConfigError) as caught:
        stage_lib.checked(recipe, tmp_path)
    begins = (
        'base.method: must be urn with weighting = "none"',
        "base.train.minutes = 1.0: ",
        "base.data.targets.folders = ('somewhere',): ",
        f"masks = {str(tmp_path)!r}: there is no folder mask in it",
        f"cyclic = {str(tmp_path / 'no')!r}: there is no folder mask in it",
        f"cyclic = {str(tmp_path / 'no')!r}: there is no folder weight in it",
        f"model = {str(tmp_path)!r}: there is no checkpoint in it",
    )
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    for line, begin in zip(lines, begins, strict=True):
        assert line.startswith(begin)
    recipe = of_user_urn.of(str(tmp_path), weightings=("hard", "best"))
    with pytest.raises(ConfigError, match=r"weightings = .*: must be one or more of none, cyclic"):
        stage_lib.checked(recipe, tmp_path)
    recipe = of_user_urn.of(str(tmp_path), weightings=("hard",))
    with pytest.raises(ConfigError, match=r"least_confidence = 0.7245: has no effect without"):
        stage_lib.require_used(recipe, ["least_confidence", "views"])


@pytest.mark.parametrize("name", [n for n in published.RECIPES if n.endswith("_urn")])
@pytest.mark.parametrize("variant", ["", "small", "medium"])
def test_the_recipes_of_configs_are_valid(name, variant, tmp_path):
    recipe = published.EVERY[name].get_config(variant)
    assert isinstance(recipe, ResponseScaling)
    stages = stage_lib.checked(recipe, tmp_path)
    first, second = (
        stage.configure(stage_lib.folders(stages, tmp_path))
        for stage in stages
        if isinstance(stage, Training)
    )
    assert first.train.steps == second.train.steps
    assert (first.method.weighting, second.method.weighting) == ("none", "hard")
    is_published = not variant and not name.startswith("folder")
    assert second.method.weight_fcn == (0.4 if is_published else 0)
    assert (second.network.name == "pspnet") == is_published
