"""The table of the weightings, from the files of two recipes."""

import json

from benchmarks import weightings


def write(folder, score, auroc):
    rows = [
        {"model": model, "crf": crf, "step": 4, "dataset_iou": score + bonus + crf}
        for model, bonus in (("phase 1", 0), ("hard", 2))
        for crf in (False, True)
    ]
    errors = {name: 0.25 for name in ("wrong", "share", "precision")} | {"recall": None}
    for what in ("response_scaling", "confidence"):
        errors[what] = {"auroc": auroc, "average_precision": 0.5}
    quality = {what: {"dataset_iou": 50.0} for what in ("rough", "cyclic")}
    for name, content in (
        ("scores/scores.json", rows),
        ("targets/cyclic/summary.json", {"uncertainty": errors, "quality": quality}),
    ):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(json.dumps(content))


def test_scores_and_uncertainties_are_means_over_the_seeds(tmp_path):
    folders = [weightings.folder_of(tmp_path, "neu", "small", "ellipse", seed) for seed in range(2)]
    for folder, score, auroc in zip(folders, (40.0, 42.0), (0.5, 0.7), strict=True):
        write(folder, score, auroc)
    assert weightings.score_lines(folders)[2:] == [
        "| phase 1 | 41.000 ± 1.414 | 42.000 ± 1.414 |",
        "| hard | 43.000 ± 1.414 | 44.000 ± 1.414 |",
    ]
    lines = weightings.uncertainty_lines(folders[:1])
    assert lines[0] == "rough masks, dataset_iou: 50.000"
    assert lines[2] == "response_scaling: AUROC 0.500, average precision 0.500"
    assert lines[-1].endswith("precision 0.250, recall ")
