"""The segmenter in inference engines beside what inference runs: the folded network in the window around the brain.

``pip install onnx onnxruntime openvino`` (onnx and onnxruntime are in the extra ``export``), then
``python -m benchmarks.engines``. An engine that is not installed is left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks import inference
from benchmarks.composite import composite
from benchmarks.table import Row
from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.networks import WindowedUNet, fold_batch_norm

__all__ = ["measure"]

_BUNDLE = Path(__file__).resolve().parents[1] / "bundles" / "brain_mri_defended_segmentation"
# An engine would have to be a quarter faster to be worth a dependency.
_BAR = 0.8
_HERE = "inference"

Run = Callable[[Tensor], Tensor]


@torch.no_grad()
def measure(segmenter: nn.Module, image: Tensor, folder: Path, *, repeats: int) -> list[Row]:
    """Rows for a batch ``image`` ``(B, 1, H, W)``; all take turns on one thread."""
    torch.set_num_threads(1)
    folded = fold_batch_norm(segmenter)
    windowed = WindowedUNet(folded, [torch.zeros_like(image[:1])])
    runs: dict[str, Run] = {_HERE: windowed, "torch, whole slices": folded, **_engines(folded, image, folder)}
    labels = {name: run(image).argmax(1) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            run(image)
            seconds[name].append(time.process_time() - start)
    found = {name: median(turns) for name, turns in seconds.items()}
    rows = [Row(f"{name}: seconds of processor for a batch", value, unit=" s") for name, value in found.items()]
    for name in list(runs)[1:]:
        rows.append(Row(f"{name}: ratio to {_HERE}", found[name] / found[_HERE], _BAR))
        rows.append(Row(f"{name}: pixels with other labels", float((labels[name] != labels[_HERE]).sum())))
    return rows


def _engines(network: nn.Module, image: Tensor, folder: Path) -> Mapping[str, Run]:
    file = folder / "segmenter.onnx"
    free = {name: {0: "batch"} for name in ("image", "pred")}
    torch.onnx.export(
        network, (image,), file, input_names=["image"], output_names=["pred"], dynamic_axes=free, dynamo=False
    )
    makers = {"onnxruntime": _onnxruntime, "openvino": _openvino}
    return {f"{name}, whole slices": make(file) for name, make in makers.items() if find_spec(name)}


def _onnxruntime(file: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


def _openvino(file: Path) -> Run:
    import openvino

    # By default it computes in bfloat16 where the processor can, and labels then differ.
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    model = openvino.Core().compile_model(file, "CPU", options)
    return lambda image: torch.from_numpy(model(image.numpy())[0])


def main() -> None:
    """Measure the engines on the middle slices of a sample brain and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=main.__doc__)
    parser.add_argument("--repeats", type=int, default=25, help="turns")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = composite(_BUNDLE, folder / "images", folder / "output")
        [sample] = write_template_samples(folder, 1, first_seed=900)
        volume = inference.preprocessed(bundle, str(sample))
        batch = int(bundle.get_parsed_content("inferer").sw_batch_size)
        first = (volume.shape[2] - batch) // 2
        image = volume[:, :, first : first + batch].movedim(2, 0).contiguous()
        segmenter = bundle.get_parsed_content("network").segmenter
        print(*measure(segmenter, image, folder, repeats=options.repeats), sep="\n")


if __name__ == "__main__":
    main()
