"""A batch is a function of the seed and the step, resident or streamed."""

import itertools

import numpy as np
import pytest

from tests import tiny
from uaps_jax.data import streams
from uaps_jax.methods.one_network import both_streams

STREAMS = ("labeled", "unlabeled")


def config(**train):
    settings = tiny.config(steps=12)
    for name, value in train.items():
        setattr(settings.train, name, value)
    return settings


def batches(settings, pools, start=0, **options):
    alone = {"process": 0, "processes": 1}
    return list(
        streams.decoded_batches(settings, both_streams(settings), pools, start, **(alone | options))
    )


@pytest.fixture(scope="module")
def pools():
    return tiny.in_files(tiny.pools()).train


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for stream in STREAMS:
            assert a[stream].keys() == b[stream].keys()
            for name in a[stream]:
                np.testing.assert_array_equal(a[stream][name], b[stream][name])


def test_decoded_batches_are_the_rows_of_the_step(pools):
    made = batches(config(), pools)
    assert len(made) == 12
    resident = tiny.pools().train
    for step, batch in enumerate(made):
        for stream, chosen in streams.batch_rows(
            config(), both_streams(config()), pools, step
        ).items():
            np.testing.assert_array_equal(batch[stream]["index"], chosen)
            np.testing.assert_array_equal(batch[stream]["image"], resident[stream].images[chosen])
        labeled = resident["labeled"].masks[batch["labeled"]["index"]]
        np.testing.assert_array_equal(batch["labeled"]["mask"], labeled)
        assert "mask" not in batch["unlabeled"]


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_the_number_of_threads_changes_nothing(threads, pools):
    settings = config()
    settings.data.stream_threads = threads
    assert_same(batches(config(), pools), batches(settings, pools))


@pytest.mark.parametrize("start", [1, 5, 11])
def test_a_later_start_continues(start, pools):
    assert_same(batches(config(), pools)[start:], batches(config(), pools, start=start))


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_read_disjoint_parts_of_every_batch(processes, pools):
    whole = batches(config(), pools)
    parts = [batches(config(), pools, process=p, processes=processes) for p in range(processes)]
    for step, batch in enumerate(whole):
        for stream in STREAMS:
            joined = np.concatenate([part[step][stream]["image"] for part in parts])
            np.testing.assert_array_equal(joined, batch[stream]["image"])


def test_a_batch_that_does_not_divide_over_processes_is_refused():
    with pytest.raises(ValueError, match="batch of 4 images cannot be divided over 3"):
        streams.process_rows(np.arange(4), 0, 3)


@pytest.mark.parametrize(("labeled", "unlabeled"), [(1, 40), (40, 1), (3, 3), (2, 17)])
def test_pools_of_any_size_fill_every_batch_evenly(labeled, unlabeled):
    pools = {"labeled": tiny.pool(labeled), "unlabeled": tiny.pool(unlabeled)}
    settings = config()
    shown = {"labeled": [], "unlabeled": []}
    for step in range(60):
        for stream, chosen in streams.batch_rows(
            settings, both_streams(settings), pools, step
        ).items():
            assert chosen.shape == (4,)
            shown[stream].extend(chosen.tolist())
    for stream, pool in pools.items():
        counts = np.bincount(shown[stream], minlength=len(pool.names))
        assert counts.max() - counts.min() <= 1


def test_another_seed_shows_other_images(pools):
    first = [batches(config(seed=seed), pools)[0]["unlabeled"]["index"] for seed in (0, 1)]
    assert not np.array_equal(*first)
    orders = [
        streams.batch_rows(config(), both_streams(config()), pools, step)["unlabeled"]
        for step in range(3)
    ]
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(orders))
