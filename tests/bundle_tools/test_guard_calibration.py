import json

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from monai.transforms import Compose
from torch import nn

from monai_advdefense.bundle_tools import GuardCalibration, ScreenGuard, guard_calibration
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.errors import CalibrationError, InputError, OutputError

RATES = {"false_positive_rate": 0.2, "volume_rate": 0.2}


def _volume(seed):
    image = torch.from_numpy(brain_phantom((20, 12, 20), seed=seed)[0]).float()[None] / 2000
    return MetaTensor(image, affine=torch.eye(4), meta={"filename_or_obj": f"{seed}.nii.gz"})


def test_the_screen_is_fitted_on_what_the_bundle_shows_and_the_guard_takes_it(tmp_path, monkeypatch):
    given = {}

    def fit_screen(screen, volumes, **options):
        given.update(options, volumes=volumes)
        for buffer in screen.buffers():
            buffer.nan_to_num_(nan=1.0)
        return {"threshold": float(screen.threshold), "judged_slices": 9, "volumes": len(volumes), **options}

    monkeypatch.setattr(guard_calibration, "fit_screen", fit_screen)
    torch.manual_seed(0)
    network = nn.Conv3d(1, 3, 1)
    guard = ScreenGuard(screen_path=tmp_path / "screen.pt", smoothing=0.5)
    calibration = GuardCalibration(guard, range(5), **RATES)
    gather = calibration.postprocessing(Compose([]), network=network, inferer=SimpleInferer())
    for seed in range(5):
        data = guard.preprocessing([])({"image": _volume(seed)})
        pred = MetaTensor(network(data["image"][None])[0].detach(), affine=torch.eye(4))
        gather({**data, "pred": pred})
    record = calibration.fit()

    assert [volume.image.subject for volume in given["volumes"]] == [f"{seed}.nii.gz" for seed in range(5)]
    assert {name: given[name] for name in RATES} == RATES
    assert all(len(volume.image.clean.position) == 12 for volume in given["volumes"])
    assert (record["classes"], record["channels"], record["guard"]) == (3, 1, guard.settings)
    kept = json.loads((tmp_path / "screen.calibration.json").read_text(encoding="utf-8"))
    assert kept["threshold"] == record["threshold"] == float(guard.screen.threshold)


def test_too_few_volumes_and_no_file_are_refused_before_anything_is_computed(tmp_path):
    guard = ScreenGuard(screen_path=tmp_path / "screen.pt")
    with pytest.raises(CalibrationError, match=r"at least 9 subjects for a rate of 0\.1 of volumes, found 5"):
        GuardCalibration(guard, range(5), volume_rate=0.1)
    # What did not come after all counts as well, and what nobody had counted.
    for dataset in (range(9), iter(range(9)), object()):
        with pytest.raises(CalibrationError, match="found 0"):
            GuardCalibration(guard, dataset, **RATES).fit()
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="false_positive_rate: expected a number between 0 and 1, found 2"):
        GuardCalibration(guard, range(9), false_positive_rate=2, volume_rate=0.2)
    with pytest.raises(OutputError, match="expected a file to write, found a folder"):
        GuardCalibration(ScreenGuard(screen_path=tmp_path), range(9), **RATES)
    with pytest.raises(InputError, match="screen_path: expected a file for the screen, found none"):
        GuardCalibration(ScreenGuard(), range(9), **RATES)
