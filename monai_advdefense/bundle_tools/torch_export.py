"""Write the network of a bundle as a program of torch.export."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import monai.bundle
import torch
from torch import nn

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import exit_on_error
from monai_advdefense.messages import broken_rule

__all__ = ["main", "torch_export"]


def torch_export(bundle_root: str | Path, filepath: str | Path) -> Path:
    """Export the network of a bundle with its weights; batch, height and width stay free.

    MONAI exports TorchScript (``ckpt_export``) and ONNX (``onnx_export``), but no such program.

    Args:
        bundle_root: folder of a bundle of 2-D slices, ``(B, 1, H, W)``.
        filepath: file to write, ``.pt2`` by custom; its folder is made, an existing file replaced.

    Returns:
        The file.

    Raises:
        InputError: if configuration or weights are missing.

    Example:
        >>> program = torch.export.load(torch_export("bundles/brain_mri_reformer", "model.pt2"))  # doctest: +SKIP
        >>> reformed = program.module()(slices)  # doctest: +SKIP
    """
    root, path = Path(bundle_root).absolute(), Path(filepath)
    for needed in (root / "configs" / "inference.json", root / "models" / "model.pt"):
        # MONAI would look for a bundle of this name in the internet.
        if not needed.is_file():
            raise broken_rule(needed, "a file of a bundle", "none", "check bundle_root")
    network: nn.Module = monai.bundle.load(
        name=root.name, bundle_dir=str(root.parent), workflow_type="inference", device="cpu"
    ).eval()
    free = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        # The size of the example is none of those that torch.export would specialize on.
        program = torch.export.export(
            network, (torch.rand(2, 1, 96, 96),), dynamic_shapes=({0: free, 2: free, 3: free},)
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        torch.export.save(program, temporary)
    return path


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Write the network of a bundle as a program of torch.export, with free batch, height and width."""
    parser = argparse.ArgumentParser(
        prog="python -m monai_advdefense.bundle_tools.torch_export", description=main.__doc__
    )
    parser.add_argument("--bundle_root", required=True, metavar="DIR", help="folder of the bundle")
    parser.add_argument("--filepath", required=True, metavar="FILE", help="file to write, for example model.pt2")
    print(f"wrote {torch_export(**vars(parser.parse_args(arguments)))}")


if __name__ == "__main__":
    main()
