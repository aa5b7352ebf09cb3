"""A MONAI Deploy application: NIfTI volumes in, defended segmentations out.

python app.py --input VOLUMES --output RESULTS --model model.ts
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

try:
    import nibabel as nib
    import numpy as np
    from monai.deploy.conditions import CountCondition
    from monai.deploy.core import AppContext, Application, Fragment, Image, IOType, Operator, OperatorSpec
    from monai.deploy.operators import IOMapping, MonaiBundleInferenceOperator
    from monai.transforms import LoadImage
except ImportError as error:
    raise SystemExit(
        f"error: {str(error).splitlines()[0]}: pip install -r examples/monai_deploy/requirements.txt"
    ) from error


class NiftiSource(Operator):
    """Emits one volume after the other, with channel axis and metadata as MONAI's own loading transform gives them."""

    def __init__(self, fragment: Fragment, *args: Any, paths: list[Path], **kwargs: Any) -> None:
        self._paths = iter(paths)
        super().__init__(fragment, CountCondition(fragment, len(paths)), *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """One output."""
        spec.output("image")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Load the next volume."""
        # The inference operator leaves out the bundle's LoadImaged, which would add the channel axis.
        volume = LoadImage(ensure_channel_first=True)(next(self._paths))
        op_output.emit(Image(volume.numpy(), dict(volume.meta)), "image")


class NiftiSink(Operator):
    """Writes each segmentation in the geometry of its input."""

    def __init__(self, fragment: Fragment, *args: Any, folder: Path, **kwargs: Any) -> None:
        self._folder = folder
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """One input."""
        spec.input("pred")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Write one segmentation, whole or not at all."""
        segmentation = op_input.receive("pred")
        source = nib.load(segmentation.metadata()["filename_or_obj"])
        # Images of the SDK have the axes of DICOM: depth, height, width.
        labels = np.swapaxes(segmentation.asnumpy(), 0, 2)
        header = source.header.copy()
        header.set_data_dtype(labels.dtype)
        name = Path(source.get_filename()).name.removesuffix(".gz").removesuffix(".nii")
        target = self._folder / f"{name}_seg.nii.gz"
        temporary = target.with_name(f".{target.name}")
        nib.save(nib.Nifti1Image(labels, source.affine, header), temporary)
        os.replace(temporary, target)
        rejected = "a slice or more" if (labels == 28).any() else "no slice"
        print(f"wrote {target}, {rejected} rejected", flush=True)


class DefendedSegmentation(Application):
    """Source, the exported bundle with its own preparation and postprocessing, sink."""

    def compose(self) -> None:
        """Connect the three operators."""
        context = Application.init_app_context(self.argv)
        model = _model(context)
        source = NiftiSource(self, paths=_volumes(Path(context.input_path)), name="source")
        guard = MonaiBundleInferenceOperator(
            self,
            app_context=context,
            bundle_path=model,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            name="guard",
        )
        folder = Path(context.output_path)
        folder.mkdir(parents=True, exist_ok=True)
        sink = NiftiSink(self, folder=folder, name="sink")
        self.add_flow(source, guard, {("image", "image")})
        self.add_flow(guard, sink, {("pred", "pred")})


def _volumes(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(path.iterdir())
    volumes = [file for file in found if file.name.endswith((".nii", ".nii.gz"))]
    if not volumes:
        raise SystemExit(f"error: {path}: expected NIfTI volumes, found none: give another --input")
    return volumes


def _model(context: AppContext) -> Path:
    """The exported bundle. Under another name than that of its export the SDK would run it without preparation."""
    path = Path(context.model_path)
    try:
        with zipfile.ZipFile(path) as archive:
            root = archive.namelist()[0].split("/")[0]
    except (OSError, zipfile.BadZipFile) as error:
        raise SystemExit(f"error: {path}: expected a TorchScript file, found {error}: see docs/export.md") from error
    if root != path.stem:
        raise SystemExit(f"error: {path}: expected its name of the export, {root}.ts: rename it")
    return path


if __name__ == "__main__":
    DefendedSegmentation().run()
