"""The defended segmenter's bundle, as its configuration and weights files give it."""

from __future__ import annotations

from pathlib import Path

from monai.bundle import ConfigParser

from monai_advdefense.weights import load_weights

__all__ = ["composite"]


def composite(bundle_root: Path, dataset_dir: Path, output_dir: Path, *overlays: str) -> ConfigParser:
    """Read inference.json and overlays for the CPU and load the weights into its network; a screen loads its own.

    Raises:
        InputError: if the weights are missing or do not fit.
        CalibrationError: if the detector has no threshold.
    """
    files = [bundle_root / "configs" / f"{name}.json" for name in ("inference", *overlays)]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser.update(
        {
            "bundle_root": str(bundle_root),
            "dataset_dir": str(dataset_dir),
            "output_dir": str(output_dir),
            "device": "$torch.device('cpu')",
        }
    )
    network = parser.get_parsed_content("network").eval()
    load_weights(bundle_root / "models" / "model.pt", network, require_calibrated=True)
    return parser
