"""The figures of a study: their content, and that pictures are written."""

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from uaps_jax import palette
from uaps_jax.reports.study_figures import bars, decoders, lines, panels
from uaps_jax.reports.study_figures.decoders import DecoderRow


def pixels(file):
    """The picture, which has a minimum size and a minimum number of colours."""
    picture = np.asarray(Image.open(file).convert("RGB"))
    assert picture.shape[0] > 150
    assert picture.shape[1] > 400
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    return picture


def share(picture, colour, tolerance=12):
    return (np.abs(picture.astype(int) - np.array(colour)).max(-1) <= tolerance).mean()


def whiskers(container):
    """Both ends of every whisker that is drawn, `[N, 2]`."""
    (bars,) = container.lines[2]
    axis = 1 if container.has_yerr else 0
    return np.array([segment[:, axis] for segment in bars.get_segments() if segment.size])


def test_lines_are_means_with_deviations(tmp_path, drawn):
    series = {
        "UAPS": [(0.5, [70.0]), (0.1, [60.0, 62.0, 64.0]), (0.2, [])],
        "DUEB (aleatoric only)": [(0.5, [66.0])],
    }
    lines.draw("Labels", "share", "image_iou, %", series, tmp_path / "lines.png")
    picture = pixels(tmp_path / "lines.png")
    axes = drawn[0].axes[0]
    first, second = axes.containers
    np.testing.assert_allclose(first.lines[0].get_xydata(), [[0.1, 62.0], [0.5, 70.0]])
    np.testing.assert_allclose(whiskers(first), [[60.0, 64.0]])
    np.testing.assert_allclose(second.lines[0].get_xydata(), [[0.5, 66.0]])
    assert share(picture, palette.COLOURS[5]) > 1e-4  # the lone point of one seed is seen
    assert axes.get_xscale() == "linear"
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels == list(series)


def test_the_axis_labels_explain_the_positions(tmp_path, drawn):
    series = {"UAPS": [(0.1, [60.0]), (0.5, [70.0])]}
    counts = {0.5: "389 labeled images of 389 leakage groups", 0.1: "78 labeled images of 78"}
    target = tmp_path / "lines.png"
    lines.draw("Labels", "data.labeled_ratio", "%", series, target, counts=counts)
    label = drawn[0].axes[0].get_xlabel()
    assert " ".join(label.split()) == (
        "data.labeled_ratio 0.1: 78 labeled images of 78; "
        "0.5: 389 labeled images of 389 leakage groups"
    )
    assert max(map(len, label.splitlines())) <= 90


@pytest.mark.parametrize(
    ("places", "scale"),
    [
        ((0.01, 0.1, 1.0), "linear"),
        ((0.1, 1.0, 10.0), "log"),
        ((0.2, 1.0, 10.0), "linear"),
        ((0.0, 1.0, 1000.0), "linear"),
        ((4.0,), "linear"),
    ],
)
def test_only_wide_sweeps_are_logarithmic(tmp_path, drawn, places, scale):
    series = {"UAPS": [(x, [1.0]) for x in places]}
    lines.draw("Sweep", "weight", "%", series, tmp_path / "lines.png")
    assert drawn[0].axes[0].get_xscale() == scale


def test_bars_start_at_zero_where_means_are_far_apart(tmp_path, drawn):
    values = {"a": [10.0, 20.0], "b": [80.0], "failed": []}
    bars.draw("Ablation", "%", values, tmp_path / "bars.png")
    pixels(tmp_path / "bars.png")
    axes = drawn[0].axes[0]
    assert axes.get_ylim()[0] == 0
    assert [patch.get_height() for patch in axes.patches] == [15.0, 80.0]
    np.testing.assert_allclose(whiskers(axes.containers[1])[0], 15 + np.array([-1, 1]) * 50**0.5)
    assert [text.get_text() for text in axes.texts] == ["15.00", "80.00", "no score"]
    assert "does not start at 0" not in axes.get_title()


def test_close_means_are_points_on_an_axis_that_is_marked_as_cut(tmp_path, drawn):
    values = {"a": [70.0, 71.0], "b": [72.5]}
    bars.draw("Ablation", "%", values, tmp_path / "bars.png")
    axes = drawn[0].axes[0]
    assert not axes.patches
    assert axes.get_ylim()[0] > 60
    assert "does not start at 0" in axes.get_title().replace("\n", " ")
    assert [text.get_text() for text in axes.texts] == ["70.50", "72.50"]


def overlapping(texts, renderer):
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    return [
        (i, j)
        for i, first in enumerate(boxes)
        for j, second in enumerate(boxes[:i])
        if first.overlaps(second)
    ]


def test_twelve_long_names_do_not_overlap(tmp_path, drawn):
    names = [f"DUEB (aleatoric only) {i}" for i in range(12)]
    bars.draw("Names", "%", {n: [70.0] for n in names}, tmp_path / "bars.png")
    figure = drawn[0]
    renderer = figure.canvas.get_renderer()
    assert not overlapping(figure.axes[0].get_xticklabels(), renderer)
    mask = np.zeros((1, 8, 8), np.uint8)
    panels.draw(
        "Names",
        np.zeros((1, 8, 8, 1), np.uint8),
        mask,
        dict.fromkeys(names, mask),
        ["a_long_name_of_an_image_000001.jpg"],
        ("background", "defect"),
        tmp_path / "panels.png",
    )
    figure = drawn[1]
    texts = [axes.title for axes in figure.axes] + [figure.axes[0].yaxis.label]
    assert len(texts) == 15
    assert not overlapping(texts, figure.canvas.get_renderer())


def test_decoders_show_scores_costs_and_times(tmp_path, drawn):
    rows = [
        DecoderRow(
            name="UAPS",
            main=[70.0, 72.0],
            ensemble=[73.0],
            parameters=3_710_000,
            macs=4_120_000_000,
            main_ms=12.3,
            ensemble_ms=31.2,
        ),
        DecoderRow(
            name="supervised",
            main=[69.0],
            ensemble=[],
            parameters=1_810_000,
            macs=1_220_000_000,
            main_ms=1234.0,
            ensemble_ms=None,
        ),
    ]
    decoders.draw("Decoders", "image_iou, %", rows, tmp_path / "decoders.png")
    picture = pixels(tmp_path / "decoders.png")
    assert share(picture, palette.COLOURS[7]) > 1e-3  # main
    assert share(picture, palette.COLOURS[4]) > 1e-3  # ensemble
    texts = [[text.get_text() for text in axes.texts] for axes in drawn[0].axes]
    assert texts == [
        ["71.00", "73.00", "69.00"],
        ["3.71", "1.81"],
        ["4.12", "1.22"],
        ["12.3", "31.2", "1,234"],
    ]
    scores, parameters = drawn[0].axes[:2]
    np.testing.assert_allclose(whiskers(scores.containers[0]), [71 + np.array([-1, 1]) * 2**0.5])
    assert [patch.get_width() for patch in parameters.patches] == pytest.approx([3.71, 1.81])
    assert parameters.get_xlim()[0] == 0
    low, high = scores.get_ylim()
    assert low > high  # the first network is on top


def panel_arguments(channels):
    images = np.full((2, 12, 8, channels), 100, np.uint8)
    truths = np.zeros((2, 12, 8), np.uint8)
    truths[:, :6] = 2
    result = np.zeros_like(truths)
    result[1] = 1
    return images, truths, {"truth": result, "UAPS": truths}


@pytest.mark.parametrize("channels", [1, 3])
def test_panels_tint_the_predicted_defects(tmp_path, drawn, channels):
    images, truths, predictions = panel_arguments(channels)
    names, classes = ["a.png", "b.png"], ("background", "inclusion", "patches")
    target = tmp_path / "panels.png"
    panels.draw("Panels", images, truths, predictions, names, classes, target)
    picture = pixels(target)
    axes = np.array(drawn[0].axes).reshape(2, 4)
    shown = [[np.asarray(a.get_images()[0].get_array()) for a in line] for line in axes]
    assert (shown[0][0] == 100).all()
    np.testing.assert_array_equal(shown[0][1], palette.overlay(images[0], truths[0]))
    assert (shown[0][2] == 100).all()  # an entry may be called truth
    np.testing.assert_array_equal(shown[1][2], palette.overlay(images[1], predictions["truth"][1]))
    assert [a.get_title() for a in axes[0]] == ["image", "truth", "truth", "UAPS"]
    assert [a.get_ylabel() for a in axes[:, 0]] == names
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["inclusion", "patches"]
    faces = [patch.get_facecolor()[:3] for patch in legend.get_patches()]
    np.testing.assert_allclose(faces, palette.COLOURS[1:3] / 255)
    assert share(picture, 0.45 * 100 + 0.55 * palette.COLOURS[2]) > 0.02


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["a.png"]},
        {"predictions": {"UAPS": np.zeros((1, 12, 8), np.uint8)}},
        {"truths": np.zeros((2, 8, 12), np.uint8)},
        {"images": np.zeros((0, 12, 8, 1), np.uint8), "names": []},
    ],
)
def test_panels_refuse_what_does_not_fit(tmp_path, change):
    images, truths, predictions = panel_arguments(1)
    arguments = {
        "images": images,
        "truths": truths,
        "predictions": predictions,
        "names": ["a.png", "b.png"],
    }
    with pytest.raises(ValueError, match="do not fit"):
        panels.draw(
            "Panels",
            **(arguments | change),
            class_names=("background", "defect"),
            target=tmp_path / "panels.png",
        )
    assert not (tmp_path / "panels.png").exists()


def test_no_figure_stays_open(tmp_path):
    before = pyplot.get_fignums()
    bars.draw("Ablation", "%", {"a": [1.0]}, tmp_path / "bars.png")
    assert pyplot.get_fignums() == before


def test_a_dollar_sign_in_a_name_begins_no_formula(tmp_path):
    odd = r"$\frac{ and $x^{ \udcff"
    lines.draw(odd, "x", "y", {odd: [(1.0, [1.0])]}, tmp_path / "lines.png")
    bars.draw(odd, "y", {odd: [1.0]}, tmp_path / "bars.png")
    row = DecoderRow(
        name=odd, main=[1.0], ensemble=[], parameters=1, macs=1, main_ms=1.0, ensemble_ms=None
    )
    decoders.draw(odd, "y", [row], tmp_path / "decoders.png")
    images, masks = np.zeros((1, 8, 8, 3), np.uint8), np.ones((1, 8, 8), np.uint8)
    panels.draw(
        odd, images, masks, {odd: masks}, [odd], ["background", odd], tmp_path / "panels.png"
    )
    assert len(list(tmp_path.iterdir())) == 4
