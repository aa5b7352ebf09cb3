from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.bundles import BUNDLES
from experiments.paper.experiment import Experiment
from experiments.paper.names import CALIBRATION, COMBINED, DETECTORS, TARGETS
from experiments.paper.presets import PRESETS
from experiments.paper.stages import overlap_names
from experiments.tables import CLEAN
from monai_advdefense.data.phantom import write_phantom_dataset

SMOKE = PRESETS["smoke"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_dataset(folder, SMOKE.phantoms, shape=(12, 8, 12), classes=SMOKE.num_classes)
    return folder


def digests(data, preset=SMOKE, seed=0):
    """Checksum of every artefact, by kind and names: ``("attack", target, attack)`` and so on."""
    experiment = Experiment(preset, data, data.parent / "work", BUNDLES, seed)
    names = [CALIBRATION, CLEAN, *experiment.settings]
    artefacts = {("network", *key): experiment.network(*key) for key in experiment.trainings}
    for target in TARGETS:
        artefacts |= {("attack", target, name): experiment.attack(target, name) for name in experiment.settings}
        artefacts |= {("divergence", target, name): experiment.divergence(target, name) for name in names}
        artefacts |= {
            ("score", target, name, detector): experiment.scores(detector, target, name)
            for detector in DETECTORS
            for name in names
        }
        artefacts |= {
            ("overlap", target, name, reformer): experiment.overlaps(reformer, target, name)
            for reformer, measured in overlap_names(experiment).items()
            for name in measured
        }
    return {key: artefact.digest for key, artefact in artefacts.items()}


def changed(data, **options):
    before, after = digests(data), digests(data, **options)
    assert before.keys() == after.keys()
    return {key for key in before if before[key] != after[key]}


def attack_of(key):
    return None if key[0] == "network" else key[2]


def epochs(role, name):
    counts = SMOKE.epochs[role] | {name: SMOKE.epochs[role][name] + 1}
    return replace(SMOKE, epochs={**SMOKE.epochs, role: counts})


def test_nothing_changed_is_nothing_to_do(data):
    assert not changed(data)


def test_the_seed_changes_everything(data):
    assert changed(data, seed=1) == set(digests(data))


def test_the_steps_of_who_knows_the_guard_change_his_attacks_and_what_is_measured_on_them(data):
    found = changed(data, preset=replace(SMOKE, informed_steps=SMOKE.informed_steps + 1))
    assert found == {key for key in digests(data) if (attack_of(key) or "").startswith("selective_pgd")}


def test_the_number_of_test_slices_changes_neither_networks_nor_calibration(data):
    found = changed(data, preset=replace(SMOKE, slices=2))
    assert found == {key for key in digests(data) if attack_of(key) not in (None, CALIBRATION)}


def test_a_target_network_changes_what_is_made_against_it_and_nothing_of_the_others(data):
    found = changed(data, preset=epochs("target", "SegNet"))
    own = {key for key in digests(data) if "SegNet" in key[:3] and key[:2] != ("network", "reformer")}
    # Detectors score clean slices whatever the target network.
    shared = {key for key in own if key[0] == "score" and attack_of(key) in (CLEAN, CALIBRATION)}
    assert found == own - shared


def test_the_denoiser_changes_the_divergence_and_the_attacks_on_the_guard_that_it_is_part_of(data):
    found = changed(data, preset=epochs("reformer", "UNet"))
    expected = {("network", "reformer", "UNet"), ("network", "reformer", "UNet denoiser")}
    for key in digests(data):
        name = attack_of(key) or ""
        against_a_guard = name.startswith("selective_pgd")
        behind = key[0] == "divergence" or (key[0] == "overlap" and key[3] in ("UNet", "UNet denoiser"))
        if against_a_guard or behind:
            expected.add(key)
    assert found == expected


def test_data_that_changed_change_everything(data, tmp_path):
    other = tmp_path / "phantoms"
    write_phantom_dataset(other, SMOKE.phantoms, shape=(12, 8, 12), classes=SMOKE.num_classes)
    assert digests(other) == digests(data)
    image = next((other / "labels").glob("*.nii*"))
    image.write_bytes(image.read_bytes()[:-1])
    before, after = digests(data), digests(other)
    assert not [key for key in before if before[key] == after[key]]


def test_only_the_sum_needs_the_calibration_of_the_divergence(data):
    experiment = Experiment(SMOKE, data, data.parent / "work", BUNDLES, 0)
    parts = {
        setting.target: len(experiment.attack("UNet", name).settings["guard"])
        for name, setting in experiment.settings.items()
        if setting.form == "selective_pgd"
    }
    assert parts == {"UNet shifted": 2, COMBINED: 3}
