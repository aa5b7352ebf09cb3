"""A MONAI Deploy application: NIfTI volumes in, defended segmentations and verdicts out.

python app.py --input VOLUMES --output RESULTS --model BUNDLE
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import nibabel as nib
    import numpy as np
    from monai.deploy.conditions import CountCondition
    from monai.deploy.core import Application, Fragment, Image, IOType, Operator, OperatorSpec
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


class Guard(MonaiBundleInferenceOperator):
    """The bundle with its own preparation, inferer and postprocessing; emits what the guard says as well."""

    def post_process(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Keep what the bundle's last transform says; the operator emits outputs of the network alone."""
        outputs = super().post_process(data, *args, **kwargs)
        self._said = outputs["result"]["guard"]
        return outputs

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Segment and judge one volume."""
        super().compute(op_input, op_output, context)
        op_output.emit(self._said, "guard")


class ResultSink(Operator):
    """Writes each segmentation in the geometry of its input, and the verdict beside it."""

    def __init__(self, fragment: Fragment, *args: Any, folder: Path, **kwargs: Any) -> None:
        self._folder = folder
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Two inputs."""
        spec.input("pred")
        spec.input("guard")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Write the results of one volume, each whole or not at all."""
        segmentation, said = op_input.receive("pred"), op_input.receive("guard")
        source = nib.load(segmentation.metadata()["filename_or_obj"])
        # Images of the SDK have the axes of DICOM: depth, height, width.
        labels = np.swapaxes(segmentation.asnumpy(), 0, 2)
        header = source.header.copy()
        header.set_data_dtype(labels.dtype)
        name = Path(source.get_filename()).name.removesuffix(".gz").removesuffix(".nii")
        with _whole(self._folder / f"{name}_guard.json") as path:
            path.write_text(json.dumps(said, indent=1), encoding="utf-8")
        with _whole(self._folder / f"{name}_seg.nii.gz") as path:
            nib.save(nib.Nifti1Image(labels, source.affine, header), path)
        print(f"{name}: {said['verdict']}, {said['explanation']}", flush=True)


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A path to write, which takes its place at the end."""
    temporary = target.with_name(f".{target.name}")
    yield temporary
    os.replace(temporary, target)


class DefendedSegmentation(Application):
    """Source, the bundle with its own preparation and postprocessing, sink."""

    def compose(self) -> None:
        """Connect the three operators."""
        context = Application.init_app_context(self.argv)
        folder = Path(context.output_path).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        source = NiftiSource(self, paths=_volumes(Path(context.input_path).absolute()), name="source")
        bundle = _bundle(Path(context.model_path).absolute())
        # Else the operator would take a model of the SDK for the network, which knows no bundle in a folder.
        context.models = None
        # Paths of its configuration are relative to its folder.
        os.chdir(bundle)
        guard = Guard(
            self,
            app_context=context,
            bundle_path=bundle,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY), IOMapping("guard", dict, IOType.IN_MEMORY)],
            name="guard",
        )
        sink = ResultSink(self, folder=folder, name="sink")
        self.add_flow(source, guard, {("image", "image")})
        self.add_flow(guard, sink, {("pred", "pred"), ("guard", "guard")})


def _volumes(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(path.iterdir())
    volumes = [file for file in found if file.name.endswith((".nii", ".nii.gz"))]
    if not volumes:
        raise SystemExit(f"error: {path}: expected NIfTI volumes, found none: give another --input")
    return volumes


def _bundle(path: Path) -> Path:
    """The folder of the bundle. Of an exported network the SDK would take the decision without the screen."""
    if not (path / "configs" / "inference.json").is_file():
        raise SystemExit(f"error: {path}: expected the folder of a bundle, found none: give another --model")
    if (path / "models" / "model.ts").exists():
        raise SystemExit(f"error: {path}/models/model.ts: expected no exported network, which comes first: move it")
    return path


if __name__ == "__main__":
    DefendedSegmentation().run()
