"""Check the guard in a MONAI Label server: a volume goes in over REST, segmentation and verdict come back.

python -m examples.monai_label.check --python ENVIRONMENT/bin/python
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import requests

from examples.attacked_sample import (
    compare_answers,
    compare_segmentations,
    defend,
    fitted_bundle,
    run_logged,
    write_attacked_sample,
)
from monai_advdefense.errors import OutputError, exit_on_error

_MODEL = "brain_mri_defended_segmentation"


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Start a server with a copy of the bundle, segment a volume with attacked slices, and compare."""
    parser = argparse.ArgumentParser(prog="python -m examples.monai_label.check", description=main.__doc__)
    parser.add_argument("--python", type=Path, required=True, help="interpreter of MONAI Label's environment")
    parser.add_argument("--work_dir", type=Path, default=Path("build/examples"), help="folder of all files")
    parser.add_argument("--start_seconds", type=float, default=300, help="how long the server may take to start")
    options = parser.parse_args(arguments)
    work = options.work_dir.resolve()
    # Absolute, but not resolved: the link leads out of the environment.
    python = str(options.python.absolute())

    bundle, volume = fitted_bundle(work), write_attacked_sample(work)
    expected, record = defend(volume, bundle, work / "bundle")
    app = _app(python, bundle, work / "label")
    with _server(python, app, work / "label", options.start_seconds) as address:
        print("the request ...", flush=True)
        answer, segmentation = _infer(address, volume)
    found = work / "label" / expected.name
    found.write_bytes(segmentation)
    found.with_suffix("").with_suffix(".json").write_text(json.dumps(answer, indent=4), encoding="utf-8")
    compare_segmentations(expected, found)
    compare_answers(record, expected, answer.get("guard", {}))


def _app(python: str, bundle: Path, folder: Path) -> Path:
    """The app monaibundle with a copy of the bundle, as docs/monai-label.md says."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "studies").mkdir(parents=True)
    command = [python, "-m", "monailabel.main", "apps", "--download", "--name", "monaibundle"]
    run_logged([*command, "--output", str(folder)], folder / "log_app.txt")
    app = folder / "monaibundle"
    with (app / "main.py").open("a", encoding="utf-8") as main:
        main.write(Path(__file__).with_name("spacing_fix.py").read_text(encoding="utf-8"))
    shutil.copytree(bundle, app / "model" / _MODEL)
    return app


@contextmanager
def _server(python: str, app: Path, folder: Path, seconds: float) -> Iterator[str]:
    """A server on a free port; it is stopped in any case."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [python, "-m", "monailabel.main", "start_server", "--app", str(app), "--studies", str(folder / "studies")]
    command += ["--conf", "models", _MODEL, "--conf", "zoo_source", "local", "--conf", "sam2", "false"]
    command += ["--conf", "skip_trainers", "true", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "log_server.txt"
    print(f"MONAI Label at {address} ...", flush=True)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=folder)  # noqa: S603
        try:
            _wait(f"{address}/info/", process, log, seconds)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            models = requests.get(url, timeout=30).json()["models"]
        except requests.RequestException:
            time.sleep(1)
            continue
        if _MODEL in models:
            return
        raise OutputError(f"{log}: expected the model {_MODEL}, found {sorted(models)}: see this log")
    raise OutputError(f"{log}: expected the server to start within {seconds:g} s, found that it did not: see this log")


def _infer(address: str, volume: Path) -> tuple[dict[str, Any], bytes]:
    """Send a volume; return the JSON answer and the NIfTI file that come back."""
    with volume.open("rb") as file:
        response = requests.post(
            f"{address}/infer/{_MODEL}",
            params={"output": "all"},
            files={"file": (volume.name, file)},
            data={"params": json.dumps({"result_dtype": "uint8"})},
            timeout=600,
        )
    if response.status_code != 200:
        raise OutputError(f"{response.url}: expected status 200, found {response.status_code}: {response.text[:500]}")
    header = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    parts = {
        part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True)
        for part in message_from_bytes(header + response.content).walk()
        if not part.is_multipart()
    }
    return json.loads(parts["params"]), parts["image"]


if __name__ == "__main__":
    main()
