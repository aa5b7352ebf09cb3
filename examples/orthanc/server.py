"""Orthanc for this machine alone, with a store of its own, for as long as a block lasts."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["orthanc"]

_START_S = 30


@contextmanager
def orthanc(unpacked: Path, store: Path, port: int) -> Iterator[str]:
    """Start Orthanc, and stop it behind the block; the store stays.

    Args:
        unpacked: folder of unpack.sh; what is installed in the system is found as well.
        store: folder of the archive.
        port: on 127.0.0.1.

    Yields:
        URL of the DICOMweb service.
    """
    store.mkdir(parents=True, exist_ok=True)
    config = store / "orthanc.json"
    config.write_text(json.dumps(_configuration(unpacked, store, port)))
    program = unpacked / "usr/sbin/Orthanc"
    libraries = [*(unpacked / "usr/lib").glob("*-linux-gnu"), unpacked / "usr/lib/orthanc"]
    environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries))}
    # The dictionary of DCMTK is looked for where Debian's package would put it.
    for dictionary in unpacked.glob("usr/share/libdcmtk*/dicom.dic"):
        environment["DCMDICTPATH"] = str(dictionary)
    with (store / "log.txt").open("a") as log:
        command = [str(program) if program.is_file() else shutil.which("Orthanc") or "/usr/sbin/Orthanc", str(config)]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603
    try:
        _wait(process, port, store / "log.txt")
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait()


def _configuration(unpacked: Path, store: Path, port: int) -> dict[str, object]:
    folders = (unpacked / "usr/lib/orthanc", Path("/usr/lib/orthanc"))
    plugins = [str(path) for folder in folders for path in sorted(folder.glob("libOrthancDicomWeb.so*"))]
    return {
        "Name": "pacs",
        "Locale": "C",
        "StorageDirectory": str(store),
        "IndexDirectory": str(store),
        "HttpPort": port,
        # Versions of before September 2025, as Debian 12's, do not know this: they listen on all interfaces.
        "HttpBindAddresses": ["127.0.0.1"],
        # Requests from elsewhere are refused, and no DICOM port is open.
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": plugins[:1],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"error: Orthanc: expected it to listen on port {port}, found that it does not: see {log}")
