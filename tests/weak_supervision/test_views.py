"""The mean over views: which views there are, and that each is turned back."""

import jax
import numpy as np

from uaps_jax.weak_supervision import views


def test_sizes_are_multiples_of_the_stride():
    assert views.view_sizes((64, 40), (0.5, 1.0, 1.75), 16) == ((32, 16), (64, 48), (112, 64))
    assert views.view_sizes((16, 16), (0.25,), 16) == ((16, 16),)


def test_a_local_network_sees_each_view_and_its_answers_are_turned_back():
    image = np.zeros((1, 4, 8, 1), np.float32)
    image[0, :, :4] = 1  # the left half is bright
    seen = []

    def network(view):
        seen.append(np.asarray(view))
        return np.concatenate([view, 1 - view], -1)[:, ::2, ::2]  # at half of the size

    mean = np.asarray(views.mean_over_views(network, image, ((4, 8), (8, 16)), lambda x: x))
    assert [view.shape for view in seen] == [(1, 4, 8, 1)] * 2 + [(1, 8, 16, 1)] * 2
    assert seen[0][0, 0].argmax() == 0
    assert seen[1][0, 0].argmax() == 4  # mirrored
    assert mean.shape == (1, 4, 8, 2)
    np.testing.assert_allclose(mean.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(mean[0, :, :3, 0], 1, atol=0.05)
    np.testing.assert_allclose(mean[0, :, 5:, 0], 0, atol=0.05)


def test_the_softmax_comes_before_the_mean():
    image = np.zeros((1, 2, 2, 1), np.float32)
    outputs = iter(np.array([[[[[4.0, 0.0]]]], [[[[0.0, 0.0]]]]], np.float32))
    mean = views.mean_over_views(lambda view: next(outputs), image, ((2, 2),), jax.nn.softmax)
    expected = (1 / (1 + np.exp(-4)) + 0.5) / 2
    np.testing.assert_allclose(mean[..., 0], np.full((1, 2, 2), expected), rtol=1e-6)
