"""The table of verdicts in a study's report."""

from uaps_jax.study import verdicts

ROW = {
    "entry": "supervised",
    "dataset": "folder",
    "budget": "labeled_ratio 1.0",
    "split_seed": 2,
    "seed": 1,
}


def test_a_row_has_counts_rates_and_intervals():
    judged = {
        "found": 31,
        "defective_images": 78,
        "recall_low": 20.04,
        "recall_high": 61.0,
        "false_alarms": 0,
        "good_images": 0,
        "false_alarm_rate_low": float("nan"),
        "false_alarm_rate_high": float("nan"),
        "auroc": None,
        "auroc_low": None,
        "auroc_high": None,
    }
    assert verdicts.rows([ROW | judged]) == [
        (
            "supervised on folder, labeled_ratio 1.0, draw 2, seed 1",
            "31 of 78",
            "20.0 to 61.0",
            "0 of 0",
            "n/a",
            "n/a",
            "n/a",
        )
    ]


def test_a_training_without_a_decision_has_no_row():
    assert verdicts.rows([ROW | {"image_iou": 50.0}]) == []
