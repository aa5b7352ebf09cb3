"""Pack bundles as the model zoo distributes them."""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.checksums import SUMS, file_sha256
from monai_advdefense.errors import exit_on_error
from monai_advdefense.messages import broken_rule

__all__ = ["main", "package"]

# What runs leave in a bundle, and exports that can be made anew.
_LEFT_OUT = ("runs", "eval", "__pycache__")
_EXPORTS = (".ts", ".onnx", ".pt2")
# The earliest time that a ZIP file can hold: the same content gives the same file.
_TIME = (1980, 1, 1, 0, 0, 0)


def package(bundle_root: str | Path, output_dir: str | Path) -> Path:
    """Write a bundle as ``NAME_vVERSION.zip`` with ``NAME_vVERSION.zip.sha256`` beside it.

    The same bundle gives the same bytes. Beside weights lies a ``SHA256SUMS``, against which they are loaded.
    ``python -m monai.bundle download`` reads the file.

    Args:
        bundle_root: folder of the bundle.
        output_dir: folder to write to; it is made, and files of the same name are replaced.

    Returns:
        The ZIP file.

    Raises:
        InputError: if metadata or weights are missing, the metadata have no version, or ``output_dir`` lies in the
            bundle.
    """
    root, folder = Path(bundle_root).resolve(), Path(output_dir).resolve()
    if folder.is_relative_to(root):  # an archive would hold itself, and those of before
        raise broken_rule(folder, "a folder outside the bundle", "one in it", "give output_dir")
    metadata = root / "configs" / "metadata.json"
    for needed in (metadata, root / "models" / "model.pt", root / "LICENSE"):
        if not needed.is_file():
            raise broken_rule(needed, "a file of a bundle", "none", "check bundle_root")
    version = json.loads(metadata.read_text(encoding="utf-8")).get("version")
    if not version:
        raise broken_rule(metadata, "a version", "none", "add the key 'version'")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{root.name}_v{version}.zip"
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for inner, content in sorted(_contents(root).items()):
            entry = zipfile.ZipInfo(f"{root.name}/{inner}", _TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with atomic_path(path.with_name(f"{path.name}.sha256")) as temporary:
        temporary.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    return path


def _contents(root: Path) -> dict[str, bytes]:
    """Files of a bundle by name, and a ``SHA256SUMS`` beside all weights, against which they are loaded."""
    files: dict[str, bytes] = {}
    sums: defaultdict[str, str] = defaultdict(str)
    for path in sorted(root.rglob("*")):
        inner = path.relative_to(root)
        left_out = set(inner.parts) & set(_LEFT_OUT) or path.suffix in _EXPORTS or path.name == SUMS
        if path.is_file() and not left_out:
            files[inner.as_posix()] = path.read_bytes()
            if path.suffix == ".pt":
                sums[inner.with_name(SUMS).as_posix()] += f"{file_sha256(path)}  {path.name}\n"
    return files | {name: text.encode() for name, text in sums.items()}


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Write bundles as NAME_vVERSION.zip with their sha256 beside them."""
    parser = argparse.ArgumentParser(prog="python -m monai_advdefense.bundle_tools.package", description=main.__doc__)
    parser.add_argument("bundle_root", nargs="+", help="folder of a bundle")
    parser.add_argument("--output_dir", default="dist", help="folder to write to")
    options = parser.parse_args(arguments)
    for bundle_root in options.bundle_root:
        print(f"wrote {package(bundle_root, options.output_dir)}")


if __name__ == "__main__":
    main()
