"""Weights are read from a run, from a file of this project, and from checkpoints as people save
them; others are refused in a plain sentence."""

import collections
import hashlib
import io
import json
import pickle
import struct
import tarfile

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from fer_utils import cli
from fer_utils.core.emotions import AUTHORS_ORDER, EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.training.resemotenet import ResEmoteNet, save_weights
from fer_utils.training.trained import class_probabilities, read_trained

DEMO = load_profile("demo")


def network(width=0.0625, **options):
    torch.manual_seed(1)
    return ResEmoteNet(width, **options).eval()


@pytest.mark.parametrize("width", [0.0625, 0.1, 0.125, 0.3])
def test_width_size_and_colour_are_found_in_the_file_whatever_the_profile_says(tmp_path, width):
    model = network(width, image_size=40)
    save_weights(model, tmp_path / "model.safetensors", channels=1)
    for address in (tmp_path, tmp_path / "model.safetensors"):
        found = read_trained(address, DEMO)
        assert (found.model.width, found.model.image_size, found.channels) == (width, 40, 1)
    images = torch.rand(2, 3, 40, 40)
    torch.testing.assert_close(found.model(images), model(images))
    assert "40x40" in found.about and found.assumed == ""


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model_state_dict": state, "epoch": 3},
        lambda state: {f"module.{name}": value for name, value in state.items()},
    ],
)
def test_the_authors_checkpoints_are_read_in_their_size_in_gray_and_in_our_order_of_classes(
    tmp_path, wrap
):
    model = network()
    torch.save(wrap(model.state_dict()), tmp_path / "best_model.pth")
    found = read_trained(tmp_path / "best_model.pth", DEMO)
    assert (found.model.width, found.model.image_size, found.channels) == (0.0625, 64, 1)
    images = torch.rand(2, 3, 64, 64)
    theirs, ours = model(images), found.model(images)
    for label, emotion in enumerate(EMOTIONS):
        torch.testing.assert_close(ours[:, label], theirs[:, AUTHORS_ORDER.index(emotion)])
    assert "happy, surprise, sad" in found.about


def test_the_names_and_shapes_of_the_full_network_are_the_authors(tmp_path):
    with torch.device("meta"):
        state = ResEmoteNet().state_dict()
    torch.save(
        {name: torch.zeros(()).expand(value.shape) for name, value in state.items()},
        tmp_path / "full.pth",
    )
    found = read_trained(tmp_path / "full.pth", DEMO)
    assert (
        found.model.width == 1.0 and sum(p.numel() for p in found.model.parameters()) == 80_238_599
    )


def test_a_file_of_an_earlier_version_takes_its_size_from_the_profile_and_says_so(tmp_path):
    save_file(
        network().state_dict(),
        tmp_path / "model.safetensors",
        metadata={"resemotenet": '{"width": 0.0625, "classes": ["' + '", "'.join(EMOTIONS) + '"]}'},
    )
    found = read_trained(tmp_path, DEMO)
    assert (
        found.model.image_size == DEMO.network.image_size
        and "taken from the profile demo" in found.about
    )


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (open, ("evil", "w"))


def other_network():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 7)).state_dict()


def uneven():
    return network().state_dict() | {"conv1.weight": torch.zeros(24, 3, 3, 3)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            other_network,
            r"another network than ResEmoteNet: \d+ of \d+ entries are missing.*it has 0.bias",
        ),
        (
            lambda: {"conv1.bias": torch.zeros(3)},
            "another network than ResEmoteNet.*it has nothing else",
        ),
        (lambda: network(num_classes=8).state_dict(), "tells 8 classes apart; expected 7"),
        (
            uneven,
            r"do not fit ResEmoteNet of width 0.0625: conv1.weight has the shape \[24, 3, 3, 3\];"
            r" expected "
            r"\[8, 3, 3, 3\]",
        ),
        (lambda: [1, 2], "holds no state dict.*it holds a list. Save model.state_dict"),
        (lambda: {}, "holds nothing"),
        (
            lambda: {"epoch": 3, "optimizer": {"lr": 0.1}, "\x1b[31mred": 1},
            r"its keys are epoch, optimizer, " r"\?\[31mred\. Save",
        ),
        (Evil, "an object of Python without tensors"),
        (lambda: {"model": Evil(), "best": np.float64(0.7)}, "its keys are model, best"),
        (
            lambda: network().state_dict() | {"fc1.weight": torch.tensor(1.0)},
            r"fc1.weight has the shape \[\]; " r"expected",
        ),
        (
            lambda: network().state_dict() | {"fc4.bias": torch.tensor(1.0)},
            r"fc4.bias has the shape \[\]; " r"expected \[7\]",
        ),
        (
            lambda: (
                network().state_dict() | {"fc1.weight": torch.zeros(()).expand(1 << 20, 1 << 20)}
            ),
            "layer fc1 has 1,048,576 inputs",
        ),
        (
            lambda: network().state_dict() | {"conv1.bias": torch.zeros(8, dtype=torch.int8)},
            "conv1.bias holds int8",
        ),
        (
            lambda: network().state_dict() | {"conv1.bias": torch.zeros(8).to_sparse()},
            "conv1.bias holds float32 in another form",
        ),
        (
            lambda: {
                f"{kind}.{name}": value
                for kind in ("model", "module")
                for name, value in network().state_dict().items()
            },
            "holds two networks: model.conv1.weight and module.conv1.weight are the same entry",
        ),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_other_weights_are_refused_with_what_was_found(
    tmp_path, monkeypatch, content, message, zipped
):
    monkeypatch.chdir(tmp_path)
    torch.save(content(), tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CompanionError, match=message) as problem:
        read_trained(tmp_path / "x.pth", DEMO)
    assert not (tmp_path / "evil").exists()
    assert "weights_only" not in str(problem.value) and "\x1b" not in str(problem.value)


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "x.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CompanionError, match=rf"{name} is not a"):
        read_trained(tmp_path / name, DEMO)


def test_what_is_not_there_is_told_with_what_is_accepted(tmp_path):
    with pytest.raises(
        CompanionError, match="No trained network at .*model.safetensors.*authors' .pth file"
    ):
        read_trained(tmp_path, DEMO)


def test_half_precision_weights_are_computed_in_float32(tmp_path):
    save_file(
        {
            name: value.half() if value.is_floating_point() else value
            for name, value in network().state_dict().items()
        },
        tmp_path / "half.safetensors",
    )
    found = read_trained(tmp_path / "half.safetensors", DEMO)
    assert {parameter.dtype for parameter in found.model.parameters()} == {torch.float32}
    assert np.isfinite(found.model(torch.rand(1, 3, 64, 64)).detach().numpy()).all()


def assert_same_network(found, model):
    images = torch.rand(2, 3, 64, 64)
    order = [AUTHORS_ORDER.index(emotion) for emotion in EMOTIONS]
    torch.testing.assert_close(found.model(images), model(images)[:, order])


WRAPS = [
    lambda kept: {"net": kept, "acc": 71.5, "epoch": 12},
    lambda kept: {
        "model": kept,
        "optimizer": torch.optim.SGD(network().parameters(), 0.1).state_dict(),
    },
    lambda kept: {
        "state_dict": kept,
        "best_acc": np.float64(0.7),
        "losses": np.zeros(3),
        "n": np.int64(7),
    },
    lambda kept: {"epoch": 1, "checkpoint": {"model_state_dict": kept}},
    lambda kept: collections.OrderedDict(model=kept, rng=torch.get_rng_state()),
    lambda kept: kept,
]
ENDINGS = [
    "best.pth.tar",
    "last.ckpt",
    "pytorch_model.bin",
    "PrivateTest_model.t7",
    "net.pkl",
    "weights",
]


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("zipped", [True, False])
def test_weights_are_read_whatever_holds_them_and_whatever_the_file_is_called(
    tmp_path, name, wrap, zipped
):
    model = network()
    torch.save(wrap(model.state_dict()), tmp_path / name, _use_new_zipfile_serialization=zipped)
    assert_same_network(read_trained(tmp_path / name, DEMO), model)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: {"model": model, "epoch": 3},
        lambda model: {"net": torch.nn.DataParallel(model), "acc": 70},
    ],
)
def test_a_whole_pickled_model_gives_its_weights_and_runs_nothing(tmp_path, wrap):
    model = network()
    torch.save(wrap(model), tmp_path / "model.pkl")
    assert_same_network(read_trained(tmp_path / "model.pkl", DEMO), model)
    # The format of before PyTorch 1.6 holds the source of the model's class too.
    torch.save(wrap(model), tmp_path / "old.pkl", _use_new_zipfile_serialization=False)
    with pytest.raises(
        CompanionError,
        match="old.pkl is not a file of tensors.*before PyTorch 1.6.*holds code, which is not run",
    ):
        read_trained(tmp_path / "old.pkl", DEMO)


def torchs_first_format(path, state):
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            data = pickle.dumps(dict(state), 2)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (torchs_first_format, "PyTorch wrote it before 2017, as a tar archive of storages"),
        (
            lambda path, state: torch.save(network(), path, _use_new_zipfile_serialization=False),
            "torch.save wrote it before PyTorch 1.6 .*which is not run, as a whole model does",
        ),
        (
            lambda path, state: path.write_bytes(pickle.dumps(state)),
            "Python's pickle wrote it, not torch.save",
        ),
        (
            lambda path, state: path.write_bytes(
                pickle.dumps({n: value.numpy() for n, value in state.items()})
            ),
            "Python's pickle wrote it, not torch.save",
        ),
    ],
)
def test_old_and_plain_pickles_are_refused_with_the_format_they_are_in(tmp_path, write, message):
    write(tmp_path / "old.pth.tar", network().state_dict())
    with pytest.raises(
        CompanionError,
        match=rf"old.pth.tar is not a file of tensors.*{message}.*save by "
        r"torch.save\(model.state_dict",
    ):
        read_trained(tmp_path / "old.pth.tar", DEMO)


def test_of_two_networks_the_usual_one_is_taken_and_that_is_said(tmp_path):
    model, averaged = network(), network()
    averaged.fc4.bias.data += 1
    torch.save({"ema": averaged.state_dict(), "model": model.state_dict()}, tmp_path / "last.ckpt")
    found = read_trained(tmp_path / "last.ckpt", DEMO)
    assert_same_network(found, model)
    assert "holds 2 networks (model, ema): the first was taken" in found.about


def test_weights_of_before_pytorch_0_4_1_have_no_counters_of_batches(tmp_path):
    model = network()
    kept = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    torch.save(kept, tmp_path / "old.t7")
    assert_same_network(read_trained(tmp_path / "old.t7", DEMO), model)


PREFIXES = st.lists(st.sampled_from(["module.", "model.", "_orig_mod.", "net."]), max_size=3).map(
    "".join
)


QUICK = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@QUICK
@given(
    prefix=PREFIXES,
    inner=st.booleans(),
    wraps=st.lists(st.sampled_from(range(len(WRAPS))), max_size=2),
    damage=st.none() | st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)),
    cut=st.none() | st.floats(0, 1),
    zipped=st.booleans(),
)
def test_any_wrapping_and_any_damage_gives_the_same_network_or_one_sentence(
    tmp_path, prefix, inner, wraps, damage, cut, zipped
):
    model = network()
    kept = {
        prefix + (name.replace(".conv1.", "._orig_mod.conv1.") if inner else name): value
        for name, value in model.state_dict().items()
    }
    for number in wraps:
        kept = WRAPS[number](kept)
    path = tmp_path / "any.ckpt"
    torch.save(kept, path, _use_new_zipfile_serialization=zipped)
    whole = bytearray(path.read_bytes())
    if damage:
        start = int(damage[0] * len(whole))
        whole[start : start + len(damage[1])] = damage[1]
    path.write_bytes(whole[: int(cut * len(whole))] if cut is not None else whole)
    try:
        found = read_trained(path, DEMO)
    except CompanionError as problem:
        assert damage or cut is not None, problem
        assert "\n" not in str(problem) and len(str(problem)) > 40
    else:
        if not damage:
            assert_same_network(found, model)


ABOUT = {"width": 0.0625, "image_size": 64, "channels": 3, "classes": EMOTIONS}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": None}, "classes is null; expected these in any order: anger, disgust"),
        ({"classes": ["happy"] * 7}, "classes is .*expected these"),
        ({"classes": [*EMOTIONS[:6], "contempt"]}, "classes is .*expected these"),
        ({"image_size": "64"}, 'image_size is "64"; expected a whole number of 8 to 1024'),
        ({"image_size": 64.0}, "image_size is 64.0; expected a whole number"),
        ({"image_size": True}, "image_size is true"),
        ({"channels": 2}, "channels is 2; expected 1 or 3"),
        ({"width": float("nan")}, "width is NaN; expected a number over 0, at most 4"),
        ({"width": "\x1b[1m"}, "width is .*expected a number"),
        ({"width": 0.125}, "do not fit ResEmoteNet of width 0.125: conv2.weight has the shape"),
    ],
)
def test_metadata_that_no_training_writes_is_refused_with_the_entry(tmp_path, change, message):
    about = {"resemotenet": json.dumps(ABOUT | change)}
    save_file(network().state_dict(), tmp_path / "x.safetensors", metadata=about)
    with pytest.raises(CompanionError, match=message):
        read_trained(tmp_path / "x.safetensors", DEMO)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"x"'])
def test_metadata_that_is_no_object_is_refused(tmp_path, text):
    save_file(network().state_dict(), tmp_path / "x.safetensors", metadata={"resemotenet": text})
    with pytest.raises(
        CompanionError, match="its metadata .resemotenet. is .*expected width, image_size"
    ):
        read_trained(tmp_path / "x.safetensors", DEMO)


def test_a_header_of_a_million_names_is_refused_unread(tmp_path):
    nothing = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"x{number}": nothing for number in range(1_000_000)})
    (tmp_path / "many.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode())
    with pytest.raises(
        CompanionError,
        match=r"has a header of \d\d,\d+,\d+ bytes; that of ResEmoteNet has " r"some thousand",
    ):
        read_trained(tmp_path / "many.safetensors", DEMO)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "it is a git-lfs pointer.*git lfs pull",
        ),
        (b"<!DOCTYPE html><html>", "it is a web page.*sign in"),
        (b"\x89HDF\r\n\x1a\n" + bytes(80), "it is an HDF5 file, such as Keras writes"),
        (b"", "it is empty"),
    ],
)
@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
def test_a_file_in_the_place_of_weights_is_told_by_its_first_bytes(
    tmp_path, name, content, message
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CompanionError, match=f"{name} is not a weights file: {message}"):
        read_trained(tmp_path / name, DEMO)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "fc1.weight",
            float("nan"),
            r"8,192 of 8,192 values of the layer fc1 \(fc1.weight\) are not numbers",
        ),
        ("se.fc.0.weight", float("inf"), "of the layer se.fc.0 "),
        (
            "res_block2.bn1.running_var",
            -1.0,
            "of the layer res_block2.bn1 .* are negative variances",
        ),
        (
            "fc2.bias",
            1e39,
            "of the layer fc2 ",
        ),  # a number in float64, in which nothing is computed
    ],
)
@pytest.mark.parametrize("save", [torch.save, save_file])
def test_weights_that_are_no_numbers_are_refused_with_their_layer(
    tmp_path, name, value, message, save
):
    state = network().state_dict()
    state[name] = torch.full(state[name].shape, value, dtype=torch.float64)
    save(state, tmp_path / "diverged")
    with pytest.raises(CompanionError, match=message):
        read_trained(tmp_path / "diverged", DEMO)


def test_answers_that_are_no_numbers_end_with_the_layer_that_gives_them(tmp_path):
    model = network()
    model.fc1.bias.data += 1e30
    model.fc2.weight.data = model.fc2.weight.data.abs() * 1e30
    save_weights(model, tmp_path / "model.safetensors")
    faces = FaceSet(
        np.full((3, 64, 64, 3), 200, np.uint8),
        np.zeros(3, np.int64),
        np.array(["a", "b", "c"]),
        np.array(["x"] * 3),
    )
    with pytest.raises(
        CompanionError,
        match=(
            "gives no numbers for 3 of 3 faces, the first is a: the layer "
            "fc2 gives values too large"
        ),
    ):
        class_probabilities(read_trained(tmp_path, DEMO), faces, device="cpu")


def test_a_bit_flipped_in_a_runs_weights_is_noticed(tmp_path, capsys):
    save_weights(network(), tmp_path / "model.safetensors")
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    (tmp_path / "trained_with.json").write_text(json.dumps({"sha256": digest}))
    read_trained(tmp_path, DEMO)
    whole = bytearray((tmp_path / "model.safetensors").read_bytes())
    whole[-100] ^= 1
    (tmp_path / "model.safetensors").write_bytes(whole)
    assert cli.main(["predict", "x.png", "--weights", str(tmp_path)]) == 2
    assert "model.safetensors is not the file that training left" in capsys.readouterr().err
    (tmp_path / "trained_with.json").write_text("{")
    with pytest.raises(CompanionError, match="trained_with.json can't be read"):
        read_trained(tmp_path, DEMO)
    (tmp_path / "trained_with.json").unlink()
    read_trained(tmp_path, DEMO)
