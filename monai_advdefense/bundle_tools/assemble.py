"""Assemble a self-contained, guarded bundle from the bundles of its three parts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from monai_advdefense.bundle_tools.bundle_folder import config_of, network_of, weights_of
from monai_advdefense.bundle_tools.write_guarded_bundle import write_guarded_bundle
from monai_advdefense.errors import exit_on_error
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.weights import load_weights, save_weights

__all__ = ["assemble", "main"]

_PROBE_SHAPE = (2, 1, 64, 64)


def assemble(
    detector: str | Path,
    reformer: str | Path,
    segmenter: str | Path,
    output: str | Path,
    *,
    overlays: Sequence[str | Path] = (),
) -> Path:
    """Write a self-contained bundle of a detector, a reformer and a segmenter.

    Where there is no bundle yet, it is a copy of the segmenter's, whatever network that is, with the guard in its
    transforms: see :func:`~monai_advdefense.bundle_tools.write_guarded_bundle.write_guarded_bundle`.

    Where there is the bundle of a defended segmenter, whose three parts take the same slices, their weights and the
    detector's threshold become one file. The combined score depends on all three parts, so it is not calibrated
    afterwards, whatever the file said before; the record of an earlier calibration is removed.

    A part is a bundle with ``configs/inference.json`` (its ``network_def``) and ``models/model.pt``. The
    ``network_def`` of the output bundle defines a network with the submodules ``detector``, ``reformer`` and
    ``segmenter``. Each of them must compute what the part computes: fitting weights alone do not tell a detector of
    images from one of spectra.

    Args:
        detector: bundle of the detector, with a calibrated threshold.
        reformer: bundle of the reformer.
        segmenter: bundle of the segmenter.
        output: bundle of the defended segmenter, or a folder that does not exist.
        overlays: configuration files over ``configs/inference.json`` of each of the four bundles, as in
            ``monai.bundle run``, where these do not define the networks that were trained. Only for a bundle that is
            there.

    Returns:
        The file written, whole or not at all: ``models/model.pt`` of the defended segmenter, a flat state dict, or
        the inference configuration of the new bundle.

    Raises:
        InputError: if a file is missing, weights do not fit, the definition of a part differs from that in the
            output bundle, or there are overlays for a new folder.
        CalibrationError: if the detector is not calibrated.
        OutputError: if the file cannot be written.
    """
    output = Path(output)
    if not output.exists():
        if overlays:
            raise broken_rule(
                output,
                f"the bundle of a defended segmenter under the overlays {[*map(str, overlays)]}",
                "no such folder",
                "put what they say into the configuration of the segmenter",
            )
        return write_guarded_bundle(detector, reformer, segmenter, output)
    network = network_of(output, overlays)
    for name, bundle in (("detector", detector), ("reformer", reformer), ("segmenter", segmenter)):
        path = weights_of(bundle)
        try:
            submodule = network.get_submodule(name)
        except AttributeError as error:
            raise broken_rule(
                config_of(output),
                f"a network_def with a {name}",
                f"{type(network).__name__} without one",
                "use that of a DefendedSegmenter",
            ) from error
        part = network_of(bundle, overlays)
        load_weights(path, part, require_calibrated=name == "detector")
        load_weights(path, submodule, require_calibrated=name == "detector")
        try:
            same = _compute_the_same(part, submodule)
        except RuntimeError as error:
            raise broken_rule(
                config_of(bundle),
                f"a {name} of slices {_PROBE_SHAPE}",
                f"one that cannot take them ({reason(error)})",
                "give a new folder as output, and the guard goes in front of it as it is",
            ) from error
        if not same:
            raise broken_rule(
                config_of(output),
                f"the {name} of {config_of(bundle)} in network_def",
                "another one whose weights fit",
                "copy the definition from there",
            )
    target = weights_of(output)
    save_weights(network, target)
    target.with_suffix(".calibration.json").unlink(missing_ok=True)
    return target


@torch.no_grad()
def _compute_the_same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks with the same weights give the same output for some image."""
    image = torch.rand(_PROBE_SHAPE, generator=torch.Generator().manual_seed(0))
    return torch.equal(one(image), other(image))


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Assemble a self-contained, guarded bundle of the bundles of its three parts."""
    parser = argparse.ArgumentParser(prog="python -m monai_advdefense.bundle_tools.assemble", description=main.__doc__)
    for name in ("detector", "reformer", "segmenter"):
        parser.add_argument(f"--{name}", required=True, metavar="DIR", help=f"bundle of the {name}")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="a new folder, or the bundle of a defended segmenter"
    )
    parser.add_argument(
        "--overlay", action="append", default=[], metavar="FILE", help="configuration over those of all four bundles"
    )
    options = parser.parse_args(arguments)
    path = assemble(options.detector, options.reformer, options.segmenter, options.output, overlays=options.overlay)
    if path.suffix == ".pt":
        print(f"wrote {path}; now calibrate the sum of its scores by configs/calibrate.json of the bundle")
    else:
        print(f"wrote {path}; its entry 'guard' says which slices and channels are guarded")


if __name__ == "__main__":
    main()
