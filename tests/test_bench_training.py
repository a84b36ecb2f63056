"""The training benchmark compares like with like: the same files, the same updates, honest
ratios."""

import pandas as pd
import pytest
import torch

from bench import training_cases as cases
from bench.training import speed_ratios
from bench.training_cases import (
    EVALUATE_OURS,
    EVALUATE_THEIRS,
    EVALUATE_THEIRS_ONE,
    FACES,
    TRAIN_OURS,
    TRAIN_THEIRS,
    least_cost,
    work_of,
)
from fer_utils.training.reduced_network import ReducedResEmoteNet
from fer_utils.training.resemotenet import ResEmoteNet

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    cases.write_faces(folder)
    return folder


def test_both_ways_train_on_the_same_files_in_the_same_number_of_steps(faces, monkeypatch):
    monkeypatch.setattr(cases, "WIDTH", 0.0625)
    steps = []
    monkeypatch.setattr(cases.SGD, "step", lambda self, closure=None: steps.append(len(self.state)))
    assert len(list(faces.iterdir())) == FACES
    for name in (TRAIN_THEIRS, f"{TRAIN_OURS}, float32"):
        steps.clear()
        work_of(name, faces, CPU)()
        assert len(steps) == FACES / cases.BATCH


def test_both_ways_of_evaluation_read_the_same_from_the_same_faces(faces, monkeypatch):
    monkeypatch.setattr(cases, "WIDTH", 0.0625)
    found = []
    for name in (EVALUATE_THEIRS_ONE, f"{EVALUATE_OURS}, float32"):
        torch.manual_seed(0)
        result = work_of(name, faces, CPU)()
        found.append(torch.cat(result) if isinstance(result, list) else torch.from_numpy(result))
    assert [len(each) for each in found] == [
        cases.images_in(EVALUATE_THEIRS_ONE),
        cases.images_in(f"{EVALUATE_OURS}, x"),
    ]
    # PIL and torchvision resize to within a gray level or two
    torch.testing.assert_close(found[0][:FACES], found[1][:FACES], atol=0.01, rtol=0)


def test_ratios_set_each_case_against_the_authors_way_of_the_same_work():
    table = pd.DataFrame(
        {
            "case": [
                TRAIN_THEIRS,
                f"{TRAIN_OURS}, float32",
                EVALUATE_THEIRS,
                EVALUATE_THEIRS_ONE,
                f"{EVALUATE_OURS}, float32",
            ],
            "images_per_second": [10, 30, 50, 20, 100],
            "processor_ms_per_image": [8, 2, 6, 6, 3],
            "peak_mb": [200, 150, 100, 100, 90],
        }
    )
    ratios = speed_ratios(table)
    assert ratios[f"{TRAIN_OURS}, float32: times as fast as {TRAIN_THEIRS}"] == 3
    assert ratios[f"{TRAIN_OURS}, float32: times less processor time than {TRAIN_THEIRS}"] == 4
    assert ratios[f"{TRAIN_OURS}, float32: share of the memory of {TRAIN_THEIRS}"] == 0.75
    assert ratios[f"{EVALUATE_OURS}, float32: times as fast as {EVALUATE_THEIRS_ONE}"] == 5
    assert len(ratios) == 9


def test_the_limit_of_the_machine_counts_weights_and_arithmetic(monkeypatch):
    network = ReducedResEmoteNet(ResEmoteNet(0.0625))
    monkeypatch.setattr(cases, "_fastest", lambda *_: (1e30, 1.0))
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert least_cost(network, CPU, "float32", training=True) == 32 * weights
    monkeypatch.setattr(cases, "_fastest", lambda *_: (1.0, 1e30))
    forward = least_cost(network, CPU, "float32", training=False)
    assert 2.5 < least_cost(network, CPU, "float32", training=True) / forward < 3.1
