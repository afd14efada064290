"""The U-Net: its size, initial values and connections, and the numbers of the published network."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks import torch_names
from tests.compare import relative_difference, report
from tests.models.networks import small
from uaps_jax import models
from uaps_jax.config import Head
from uaps_jax.configs.parts import datasets as settings
from uaps_jax.models import initialize

KEY = jax.random.key(0)

# Trainable parameters with 0 to 4 auxiliary decoders (docs of the released code, by instantiation).
COUNTS = {
    "neu_seg": (1_814_052, 2_447_352, 3_080_652, 3_713_952, 4_347_252),
    "dagm": (1_814_199, 2_447_934, 3_081_669, 3_715_404, 4_349_139),
    "mtiles": (1_814_342, 2_447_932, 3_081_522, 3_715_112, 4_348_702),
    "ksdd2": (1_813_762, 2_446_772, 3_079_782, 3_712_792, 4_345_802),
}
ENCODER = {"neu_seg": 1_180_752, "dagm": 1_180_464, "mtiles": 1_180_752, "ksdd2": 1_180_752}


@functools.cache
def published_shapes(dataset, auxiliary):
    config = getattr(settings, dataset)()
    config.network.auxiliary = auxiliary
    return models.build(config, {}).shapes()


def linear(channels):
    return Head("linear", channels)


def published(auxiliary=3):
    config = settings.neu_seg()
    config.network.auxiliary = auxiliary
    return models.build(config, {})


def variables(model, seed=0):
    """Initial variables with running statistics about those of the activations, none trivial."""
    rng = np.random.default_rng(seed)
    tree = model.init(seed)
    stats = jax.tree.map(lambda v: rng.uniform(0.1, 0.3, v.shape), tree["batch_stats"])
    return jax.tree.map(lambda v: jnp.array(v, jnp.float32), tree | {"batch_stats": stats})


def test_the_stacked_decoders_compute_what_each_does_alone():
    model = small(heads={"variance": linear(1), "projection": linear(6)})
    tree, batch = variables(model), images(4)
    alone = jax.jit(functools.partial(dataclasses.replace(model, auxiliary=0).train_outputs))

    @jax.jit
    def gradient(params):
        def objective(params):
            given = {"params": params, "batch_stats": tree["batch_stats"]}
            outputs, stats = model.train_outputs(given, batch, KEY)
            return jnp.square(outputs.logits).sum(), (outputs, stats)

        return jax.grad(objective, has_aux=True)(params)

    gradients, (outputs, _) = gradient(tree["params"])
    result = jax.tree.map(lambda leaf: leaf[:1], tree["params"]["decoders"])
    heads = jax.tree.map(lambda leaf: leaf[:1], tree["params"]["heads"])
    stats = tree["batch_stats"] | {
        "decoders": jax.tree.map(lambda leaf: leaf[:1], tree["batch_stats"]["decoders"])
    }
    params = tree["params"] | {"decoders": result, "heads": heads}
    main, _ = alone({"params": params, "batch_stats": stats}, batch, KEY)
    assert_allclose(outputs.logits[:1], main.logits, rtol=1e-5, atol=1e-5)
    for name, channels in (("variance", 1), ("projection", 6)):
        assert outputs.heads[name].shape == (4, 4, 8, 8, channels)
        assert_allclose(outputs.heads[name][:1], main.heads[name], rtol=1e-5, atol=1e-5)

    def main_variables(decoders):
        whole = {"params": params | {"decoders": decoders}, "batch_stats": stats}
        return jnp.square(
            dataclasses.replace(model, auxiliary=0).train_outputs(whole, batch, KEY)[0].logits
        ).sum()

    expected = jax.jit(jax.grad(main_variables))(result)
    jax.tree.map(
        lambda a, b: assert_allclose(a[:1], b, rtol=1e-3, atol=1e-3),
        gradients["decoders"],
        expected,
    )


def test_extra_heads_change_neither_the_rest_of_the_start_nor_each_other():
    plain, one, two = (
        small(heads=h).init(5) for h in ({}, {"a": linear(1)}, {"a": linear(1), "b": linear(3)})
    )
    for tree in (one, two):
        rest = {name: tree["params"][name] for name in plain["params"]}
        jax.tree.map(assert_array_equal, rest, plain["params"])
        jax.tree.map(assert_array_equal, tree["batch_stats"], plain["batch_stats"])
    assert_array_equal(one["params"]["heads"]["a"]["kernel"], two["params"]["heads"]["a"]["kernel"])
    assert two["params"]["heads"]["b"]["kernel"].shape == (4, 1, 1, 4, 3)
    assert (
        small(heads={"a": linear(1)}).parameter_groups(one["params"])["heads"]["a"]["bias"]
        == "heads"
    )


@functools.cache
def train(model, parts=1):
    return jax.jit(functools.partial(model.train_outputs, parts=parts))


@functools.cache
def main_logits(model):
    return jax.jit(model.main_logits)


@functools.cache
def all_logits(model, perturbed):
    if perturbed:
        return jax.jit(model.all_logits)
    return jax.jit(lambda tree, x: model.all_logits(tree, x, None))


def part(tree, name):
    return {collection: tree[collection][name] for collection in tree}


def images(batch=2, size=8, seed=1):
    return np.random.default_rng(seed).normal(size=(batch, size, size, 3)).astype(np.float32)


# Size


@pytest.mark.parametrize("auxiliary", range(5))
@pytest.mark.parametrize("dataset", COUNTS)
def test_parameters_are_as_many_as_published(dataset, auxiliary):
    params = published_shapes(dataset, auxiliary)["params"]
    assert initialize.count(params) == COUNTS[dataset][auxiliary]
    assert initialize.count(params["encoder"]) == ENCODER[dataset]


def copies(path):
    return 4 if path[0].key == "decoders" else 1


def test_uaps_has_208_trainable_tensors_and_42_batch_norms():
    leaves = jax.tree.leaves_with_path(published_shapes("neu_seg", 3)["params"])
    assert sum(copies(path) for path, _ in leaves) == 208
    assert sum(copies(path) for path, _ in leaves if path[-1].key == "scale") == 42
    for path, leaf in leaves:
        if path[0].key == "decoders":
            assert leaf.shape[0] == 4
    stats = jax.tree.leaves_with_path(published_shapes("neu_seg", 3)["batch_stats"])
    assert sum(copies(path) for path, _ in stats) == 2 * 42


# Start


@functools.cache
def initial(seed):
    return initialize.fill(published_shapes("neu_seg", 3), seed)


def layers_with_kernel(node, path=()):
    if "kernel" in node:
        yield path, node
    for name, child in node.items():
        if isinstance(child, dict):
            yield from layers_with_kernel(child, (*path, name))


def test_convolutions_start_uniform_within_one_over_root_fan_in():
    result = list(layers_with_kernel(initial(0)["params"]))
    assert len(result) == 10 + 13
    for path, layer in result:
        kernel, bias = layer["kernel"], layer["bias"]
        height, width, inputs = kernel.shape[-4:-1]
        bound = 1 / np.sqrt(height * width * inputs)
        assert np.abs(kernel).max() <= bound, path
        assert np.abs(bias).max() <= bound, path
        assert np.abs(kernel).max() > 0.95 * bound, path
        # Four standard errors; that of a uniform sample's deviation is 0.45 / sqrt(n) of it.
        share = 4 * 0.45 / np.sqrt(kernel.size)
        assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=share), path
        assert abs(kernel.mean()) < 4 * bound / np.sqrt(3 * kernel.size), path
    biases = np.concatenate(
        [
            layer["bias"].ravel() * np.sqrt(np.prod(layer["kernel"].shape[-4:-1]))
            for _, layer in result
        ]
    )
    assert biases.std() == pytest.approx(1 / np.sqrt(3), rel=4 * 0.45 / np.sqrt(biases.size))


def test_batch_norms_start_as_the_identity():
    tree = initial(0)
    norms = [
        leaf
        for path, leaf in jax.tree.leaves_with_path(tree)
        if any(str(part.key).startswith("norm") for part in path)
    ]
    assert len(norms) == 4 * 18
    for path, leaf in jax.tree.leaves_with_path(tree):
        if str(path[-2].key).startswith("norm"):
            expected = 1.0 if path[-1].key in ("scale", "var") else 0.0
            assert_array_equal(leaf, np.full(leaf.shape, expected), str(path))


def test_initial_weights_depend_on_the_seed_alone():
    again = initialize.fill(published_shapes("neu_seg", 3), 0)
    jax.tree.map(assert_array_equal, again, initial(0))
    for (path, one), (_, two) in zip(
        layers_with_kernel(initial(0)["params"]),
        layers_with_kernel(initial(1)["params"]),
        strict=True,
    ):
        assert np.abs(one["kernel"] - two["kernel"]).max() > 0, path
        assert np.abs(one["bias"] - two["bias"]).max() > 0, path


def test_decoders_start_differently():
    for path, layer in layers_with_kernel(initial(0)["params"]["decoders"]):
        for k in range(4):
            for other in range(k):
                assert np.abs(layer["kernel"][k] - layer["kernel"][other]).max() > 0, path


def test_an_unknown_leaf_is_refused_by_name():
    shapes = {"encoder": {"gate": jax.ShapeDtypeStruct((3,), np.float32)}}
    with pytest.raises(ValueError, match="encoder/gate"):
        initialize.fill(shapes, 0)


# Wiring


def test_outputs_have_one_head_a_decoder_and_the_size_of_the_images():
    model = small()
    start = variables(model)
    outputs, stats = train(model)(start, images(), KEY)
    assert outputs.logits.shape == (4, 2, 8, 8, 2)
    assert outputs.logits.dtype == jnp.float32
    assert jax.tree.map(jnp.shape, stats) == jax.tree.map(jnp.shape, start["batch_stats"])
    assert main_logits(model)(start, images()[:, :4]).shape == (2, 4, 8, 2)


def test_main_logits_are_head_0_of_all_logits():
    model = small()
    start = variables(model)
    main, every = main_logits(model)(start, images()), all_logits(model, False)(start, images())
    assert every.shape == (4, 2, 8, 8, 2)
    assert_allclose(main, every[0], rtol=1e-5, atol=1e-6)
    for k in range(1, 4):
        assert np.abs(main - every[k]).max() > 1e-3


def test_only_auxiliary_heads_are_perturbed_in_evaluation_and_only_with_a_key():
    model = small(feature_dropout=(0.1, 0.9))
    start = variables(model)
    clean = all_logits(model, False)(start, images())
    one, two = (all_logits(model, True)(start, images(), jax.random.key(k)) for k in (1, 2))
    assert_allclose(one[0], clean[0], rtol=1e-5, atol=1e-6)
    for k in range(1, 4):
        assert np.abs(one[k] - clean[k]).max() > 1e-4
        assert np.abs(one[k] - two[k]).max() > 1e-4


def test_each_decoder_reads_its_own_copy_of_the_pyramid():
    model = small()
    start = variables(model)

    @jax.jit
    def one_by_one(tree, x, key):
        pyramid = model.encoder.apply(part(tree, "encoder"), x, train=False)
        stacked = model.perturbed(pyramid, key, parts=1)
        return [
            model.decoder.apply(
                jax.tree.map(lambda leaf, k=k: leaf[k], part(tree, "decoders")),
                [level[k] for level in stacked],
                train=False,
            ).logits
            for k in range(4)
        ]

    result = all_logits(model, True)(start, images(), KEY)
    assert_allclose(result, one_by_one(start, images(), KEY), rtol=1e-4, atol=1e-5)


def convolutions(function, *arguments):
    return jax.jit(function).lower(*arguments).as_text().count("stablehlo.convolution")


def test_main_logits_run_the_encoder_and_one_decoder_only():
    model = published()
    shapes = published_shapes("neu_seg", 3)
    image = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
    assert convolutions(model.main_logits, shapes, image) == 10 + 13
    assert convolutions(lambda v, x: model.all_logits(v, x, None), shapes, image) == 10 + 4 * 13


def test_without_auxiliary_decoders_there_is_one_clean_head():
    model = small(auxiliary=0, dropout=(0.0, 0.0))
    start = variables(model)
    assert {leaf.shape[0] for leaf in jax.tree.leaves(start["params"]["decoders"])} == {1}
    one, _ = train(model)(start, images(), jax.random.key(1))
    two, _ = train(model)(start, images(), jax.random.key(2))
    assert one.logits.shape == (1, 2, 8, 8, 2)
    assert_array_equal(one.logits, two.logits)
    every = all_logits(model, False)(start, images())
    assert_allclose(every[0], main_logits(model)(start, images()), rtol=1e-5, atol=1e-6)


def test_encoder_dropout_acts_in_training_only():
    model = small(auxiliary=0)
    start = variables(model)
    one, _ = train(model)(start, images(), jax.random.key(1))
    two, _ = train(model)(start, images(), jax.random.key(2))
    again, _ = train(model)(start, images(), jax.random.key(1))
    assert np.abs(one.logits - two.logits).max() > 1e-3
    assert_array_equal(one.logits, again.logits)


def test_each_auxiliary_decoder_has_its_own_perturbation_at_every_level():
    model = small(auxiliary=4)
    pyramid = [
        np.random.default_rng(level).uniform(0.5, 1.5, (2, 16, 16, 3)).astype(np.float32)
        for level in range(3)
    ]
    stacked = model.perturbed(pyramid, KEY, parts=1)
    assert len(stacked) == 3
    noises = []
    for z, copies in zip(pyramid, stacked, strict=True):
        clean, noise, dropout, drop, second = np.asarray(copies)
        assert_array_equal(clean, z)
        ratio = noise / z - 1
        assert 0.25 < np.abs(ratio).max() <= 0.3 + 1e-5
        assert_allclose(ratio[0], ratio[1], atol=1e-5)
        kept = dropout != 0
        assert kept.mean() == pytest.approx(0.5, abs=0.1)
        assert_allclose(dropout[kept], 2 * z[kept], rtol=1e-6)
        kept = drop != 0
        assert 0 < kept.mean() < 1
        assert_array_equal(drop[kept], z[kept])
        assert_array_equal(kept.all(-1), kept.any(-1))
        # The fourth is feature noise again, drawn anew.
        again = second / z - 1
        assert 0.25 < np.abs(again).max() <= 0.3 + 1e-5
        assert np.abs(again - ratio).max() > 0.1
        noises.append(ratio[0])
    assert np.abs(noises[0] - noises[1]).max() > 0.1


def test_features_reach_the_decoder_behind_the_skip_connection():
    # With the reduced features' half of a kernel at zero, only the skips count.
    model = small(auxiliary=0)
    start = variables(model)
    kernel = start["params"]["decoders"]["block_0"]["conv_0"]["kernel"]
    assert kernel.shape == (1, 3, 3, 8, 4)
    start["params"]["decoders"]["block_0"]["conv_0"]["kernel"] = kernel.at[:, :, :, 4:].set(0)
    before = main_logits(model)(start, images())
    deep = start["params"]["encoder"]["block_1"]
    deep["conv_1"]["kernel"] = deep["conv_1"]["kernel"] * 3
    assert_array_equal(before, main_logits(model)(start, images()))
    shallow = start["params"]["encoder"]["block_0"]
    shallow["conv_1"]["kernel"] = shallow["conv_1"]["kernel"] * 3
    assert np.abs(before - main_logits(model)(start, images())).max() > 1e-4


def test_two_parts_equal_two_forward_passes_running_statistics_included():
    # Nothing is random here: the noise is 0, the dropout off, the threshold of the feature dropout
    # fixed at 0.8 of each image's peak.
    model = small(
        dropout=(0.0, 0.0),
        noise_limit=0.0,
        perturb_dropout=0.0,
        feature_dropout=(0.8, 0.8),
    )
    start = variables(model)
    labeled, unlabeled = images(2, 8, seed=1), 3 * images(2, 8, seed=2) + 1
    both = np.stack([labeled, unlabeled], axis=1).reshape(4, 8, 8, 3)
    outputs, stats = train(model, 2)(start, both, KEY)
    first, middle = train(model)(start, labeled, KEY)
    second, after = train(model)(start | {"batch_stats": middle}, unlabeled, KEY)
    assert_allclose(outputs.logits[:, 0::2], first.logits, rtol=1e-4, atol=1e-5)
    assert_allclose(outputs.logits[:, 1::2], second.logits, rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-5, atol=1e-5), stats, after)


def test_perturbations_are_drawn_for_each_part():
    model = small(auxiliary=1)
    z = np.ones((4, 4, 4, 3), np.float32)
    noise = model.perturbed([z], KEY, parts=2)[0][1]
    assert_array_equal(noise[0], noise[2])
    assert_array_equal(noise[1], noise[3])
    assert np.abs(noise[0] - noise[1]).max() > 0.05


def test_bfloat16_computes_in_bfloat16_and_returns_float32():
    model = small(auxiliary=0, dtype="bfloat16")
    start = variables(model)
    text = jax.jit(model.main_logits).lower(start, images()).as_text()
    result = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert len(result) == 4 + 4
    assert all("bf16" in line for line in result)
    narrow = main_logits(model)(start, images())
    assert narrow.dtype == jnp.float32
    wide = main_logits(small(auxiliary=0))(start, images())
    assert 0 < relative_difference(narrow, wide) < 0.1


# The published network


@pytest.fixture(scope="module")
def parity(data_dir):
    path = data_dir / "parity" / "unet_neu.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def below(stored, prefix):
    return {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}


def channels_last(x):
    return np.moveaxis(x, 1, -1)


def test_converted_weights_fill_the_tree(parity):
    ours = torch_names.variables(below(parity, "weights/"))
    shapes = jax.tree.map(lambda leaf: leaf.shape, published().shapes())
    assert jax.tree.map(np.shape, ours) == shapes


def test_evaluation_equals_the_published_network(parity):
    model = published()
    ours = torch_names.variables(below(parity, "weights/"))
    x = channels_last(parity["x"])

    @jax.jit
    def run(tree, x):
        features = model.encoder.apply(part(tree, "encoder"), x, train=False)
        return features, model.all_logits(tree, x, None)

    features, logits = run(ours, x)
    differences = {
        f"feature_{level}": relative_difference(
            feature, channels_last(parity[f"eval/feature_{level}"])
        )
        for level, feature in enumerate(features)
    }
    differences |= {
        f"logits_head_{k}": relative_difference(
            logits[k], channels_last(parity[f"eval/logits_clean_head_{k}"])
        )
        for k in range(4)
    }
    assert len(differences) == 5 + 4
    assert report("evaluation", differences) <= 1e-4


def test_training_without_dropout_equals_the_published_network(parity):
    # Batch statistics, and the running ones that a forward pass leaves behind.
    model = published(auxiliary=0)
    model = dataclasses.replace(model, encoder=dataclasses.replace(model.encoder, rates=(0.0,) * 5))
    main = {k: v for k, v in below(parity, "weights/").items() if not k.startswith("aux")}
    ours = torch_names.variables(main)
    x = channels_last(parity["x"])
    outputs, stats = jax.jit(model.train_outputs)(ours, x, KEY)
    differences = {
        "logits": relative_difference(
            outputs.logits[0], channels_last(parity["train_no_dropout/logits_main"])
        )
    }
    after = below(parity, "train_no_dropout/after/")
    assert len(after) == len(jax.tree.leaves(stats))
    for name, expected in after.items():
        result = torch_names.leaf({"batch_stats": stats}, name)
        differences[name] = relative_difference(result, expected)
    assert report("training", differences) <= 1e-4
