#!/usr/bin/env bash
# dicomweb-client repeats a large upload that the server was too busy to take with a body that is empty.
#
# Versions:  dicomweb-client 0.61.2, pydicom 3.0.2.
# Behaviour: store_instances of more than one chunk (1 MB) sends the message from a generator. If the server answers 503, 429,
#            408 or 504, the client tries again, as it does by default, with the same generator, which is at its end: the second
#            request has no body. If the server answers that with 200, the call returns without an error and nothing is stored.
# Expected:  the whole message in each attempt, as for messages of less than one chunk.
# Hit:       uploads of segmentations to an archive under load. A way round: set_http_retry_params(retry=False) and a loop of
#            one's own, or a chunk_size larger than any object.
#
# Output:
#   small object: 2 requests, both of equal length
#   large object: 2 requests, the second of 0 bytes; no error
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dicomweb-client==0.61.2 pydicom==3.0.2

"$folder/venv/bin/python" - <<'PYTHON'
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

logging.disable(logging.CRITICAL)
lengths = []


class Archive(BaseHTTPRequestHandler):
    """Too busy for the first request, takes the second."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                length += len(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            self.rfile.read(length)
        lengths.append(length)
        self.send_response(503 if len(lengths) == 1 else 200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


server = HTTPServer(("127.0.0.1", 0), Archive)
threading.Thread(target=server.serve_forever, daemon=True).start()


def store(size):
    lengths.clear()
    image = Dataset()
    image.file_meta, image.preamble = FileMetaDataset(), bytes(128)
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = MRImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
    image.PixelData, image.BitsAllocated = bytes(size), 8
    image["PixelData"].VR = "OB"
    client = DICOMwebClient(f"http://127.0.0.1:{server.server_port}")
    client.set_http_retry_params(wait_exponential_multiplier=10)
    client.store_instances([image])
    return list(lengths)


small, large = store(1000), store(3_000_000)
print(f"small object: {len(small)} requests, both of {'equal' if small[0] == small[1] else 'another'} length")
print(f"large object: {len(large)} requests, the second of {large[1]} bytes; no error")
assert small[0] == small[1] > 1000, f"changed: {small}"
assert large[0] > 3_000_000, f"changed: {large}"
assert large[1:] == [0], f"changed: {large}"
print("as stated")
PYTHON
