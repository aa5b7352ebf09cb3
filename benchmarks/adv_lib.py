"""DAG beside that of adv-lib 0.2.8, on the same network and images, to the same share of flipped pixels.

``pip install adv-lib==0.2.8 torchvision visdom``, then ``python -m benchmarks.adv_lib``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

from benchmarks import inference
from benchmarks.composite import composite
from benchmarks.table import Row
from monai_advdefense.attacks import accelerated, all_background, dag, step_size_for
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.data.template_sample import write_template_samples

__all__ = ["measure"]

SHARES = (0.95, 0.99)
_MOST_STEPS = 200
_STEPS_3D = 20
_SPEED = 1.5
_SPEED_3D = 1.3
_MEMORY = 0.8
_ITERATION = 1.02


def ours(network: nn.Module, image: Tensor, label: Tensor, share: float, step_size: float, steps: int) -> int:
    """Attack ``image`` ``(B, C, *spatial)`` until that share of its structures is flipped; number of passes."""
    found = dag(
        accelerated(network),
        image,
        label,
        target=all_background(label),
        step_size=step_size,
        steps=steps,
        target_term=True,
        stop="all_flipped",
        stop_share=share,
    )
    return int(found.iterations.max()) + 1


def theirs(network: nn.Module, image: Tensor, label: Tensor, share: float, step_size: float, steps: int) -> int:
    """The same by adv-lib."""
    from adv_lib.attacks.segmentation import dag as of_adv_lib

    passes = 0

    def counted(shown: Tensor) -> Tensor:
        nonlocal passes
        passes += 1
        logits: Tensor = network(shown)
        return logits

    settings = {"masks": label > 0, "adv_threshold": share, "max_iter": steps, "γ": step_size, "p": 2}
    of_adv_lib(counted, image, label, **settings)
    return passes


_ATTACKS: dict[str, Callable[..., int]] = {"adv-lib": theirs, "this package": ours}


def measure(
    network: nn.Module, image: Tensor, *, share: float, step_size: float, steps: int, speed: float, turns: int
) -> list[Row]:
    """Rows of one network, batch ``image`` ``(B, C, *spatial)`` and share, after one turn that is not counted.

    Both stop after ``steps`` where the share is not reached.
    """
    network.eval().requires_grad_(False)
    label = network(image).argmax(1)
    arguments = (network, image, label, share, step_size, steps)
    attacks = {name: partial(attack, *arguments) for name, attack in _ATTACKS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in (*attacks, "pass and gradient")}
    passes = {name: 1 for name in seconds}
    for turn in range(turns + 1):
        for name, attack in attacks.items():
            start = time.perf_counter()
            passes[name] = attack()
            seconds[name] += [time.perf_counter() - start] if turn else []
        seconds["pass and gradient"] += [_pass_and_gradient(network, image)] if turn else []
    middle = {name: median(each) for name, each in seconds.items()}
    peak = {name: _peak(name, *arguments) for name in _ATTACKS}
    what = f"{len(image)} x {' x '.join(map(str, image.shape[2:]))}, {share:.0%}"
    iteration = middle["this package"] / passes["this package"]
    return [
        *(Row(f"{what}: {name}, {passes[name]} passes", middle[name], unit=" s") for name in attacks),
        Row(f"{what}: time over that of adv-lib", middle["this package"] / middle["adv-lib"], 1 / speed),
        Row(
            f"{what}: pass of the attack over a pass and gradient", iteration / middle["pass and gradient"], _ITERATION
        ),
        Row(f"{what}: peak memory over that of adv-lib", peak["this package"] / peak["adv-lib"], _MEMORY),
    ]


def _pass_and_gradient(network: nn.Module, image: Tensor) -> float:
    """Seconds of one forward pass and one gradient of the images."""
    image = image.clone().requires_grad_(True)
    with frozen(network):
        start = time.perf_counter()
        logits = network(image)
        torch.autograd.grad(logits, image, torch.ones_like(logits))
        return time.perf_counter() - start


def _peak(name: str, *arguments: object) -> int:
    """KiB that an attack takes at most beyond what was there, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save(arguments, Path(folder, "arguments.pt"))
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(_grown, name, Path(folder, "arguments.pt")).result()


def _grown(name: str, path: Path) -> int:
    if name == "adv-lib":
        import adv_lib.attacks.segmentation  # noqa: F401  what it imports is no part of the attack
    arguments = torch.load(path, weights_only=False)
    Path("/proc/self/clear_refs").write_text("5")  # the mark falls to what is there now
    before = _status("VmRSS")
    _ATTACKS[name](*arguments)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    """A figure of this process in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """Print a table of time and memory."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adv_lib", description=__doc__)
    bundle = Path(__file__).resolve().parents[1] / "bundles" / "brain_mri_defended_segmentation"
    parser.add_argument("--bundle_root", type=Path, default=bundle, help="bundle of the defended segmenter")
    parser.add_argument("--turns", type=int, default=7, help="turns that are counted")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        configs = composite(options.bundle_root.resolve(), Path(folder, "images"), Path(folder, "output"))
        [sample] = write_template_samples(folder, 1, first_seed=900)
        volume = inference.preprocessed(configs, str(sample))
    network = configs.get_parsed_content("network").segmenter
    measure_slices = partial(
        measure, network, step_size=step_size_for(192), steps=_MOST_STEPS, speed=_SPEED, turns=options.turns
    )
    middle = volume.shape[2] // 2
    for batch in (1, 8):
        slices = volume[:, :, middle - batch // 2 : middle + (batch + 1) // 2].movedim(2, 0).contiguous()
        for share in SHARES:
            print(*measure_slices(slices, share=share), sep="\n", flush=True)
    # A network of random weights is not misled in hundreds of steps, so both attacks take the same, few ones.
    torch.manual_seed(0)
    network_3d = UNet(3, 1, 3, (16, 32, 64, 128), (2, 2, 2), norm="batch")
    measure_volumes = partial(measure, step_size=2.0, steps=_STEPS_3D, speed=_SPEED_3D, turns=options.turns)
    print(*measure_volumes(network_3d, torch.rand(1, 1, 96, 96, 96), share=0.95), sep="\n", flush=True)


if __name__ == "__main__":
    main()
