from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.artefact import Artefact
from monai_advdefense.errors import OutputError


def test_arrays_come_back_without_the_record_that_lies_beside_them(tmp_path):
    arrays = {"score": np.array([0.5, np.nan]), "subject": np.array(["a", "b"])}
    artefact = Artefact(tmp_path, "scores of A", {"seed": 3}, lambda: arrays)
    artefact.make()
    assert artefact.arrays_path.is_file()
    read = artefact.load()
    assert set(read) == {"score", "subject"}
    np.testing.assert_array_equal(read["score"], arrays["score"])
    assert read["subject"].tolist() == ["a", "b"]
    with np.load(artefact.arrays_path, allow_pickle=False) as stored:
        record = json.loads(str(stored["record"]))
    assert record["settings"] == {"seed": 3}
    assert {"monai", "torch", "monai_advdefense"} <= set(record["versions"])


def test_what_is_there_is_not_computed_again(tmp_path):
    first = Artefact(tmp_path, "a", {"seed": 3}, lambda: {"value": np.array([1.0])}).arrays()
    again = Artefact(tmp_path, "a", {"seed": 3}, lambda: pytest.fail("computed twice")).arrays()
    np.testing.assert_array_equal(first["value"], again["value"])


def test_only_what_depends_on_a_changed_setting_moves(tmp_path):
    def chain(step):
        network = Artefact(tmp_path, "network", {"epochs": 2})
        attack = Artefact(tmp_path, "attack", {"network": network.digest, "step": step})
        return network.path, attack.path, Artefact(tmp_path, "score", {"attack": attack.digest}).path

    before, after = chain(0.5), chain(0.25)
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert before[2] != after[2]


def test_the_order_of_settings_does_not_matter(tmp_path):
    assert Artefact(tmp_path, "a", {"x": 1, "y": 2}).digest == Artefact(tmp_path, "a", {"y": 2, "x": 1}).digest


@pytest.mark.parametrize("name", ["UNet shifted + divergence", "a/b", "dag_A_0.5_brain"])
def test_names_stay_inside_the_folder(tmp_path, name):
    assert Artefact(tmp_path, name, {}).path.parent == tmp_path


def test_a_result_that_cannot_be_written_leaves_nothing(tmp_path):
    folder = tmp_path / "file"
    folder.write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        Artefact(folder, "a", {}, lambda: {"value": np.array([1.0])}).make()
    assert list(tmp_path.iterdir()) == [folder]


def test_a_computation_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError):
        Artefact(tmp_path, "a", {}, lambda: {"value": np.array([1 / 0])}).make()
    assert not list(tmp_path.iterdir())
