#!/usr/bin/env bash
# dicomweb-client stores a data set that was made in memory without the preamble of a DICOM file, and cannot fetch it again.
#
# Versions:  dicomweb-client 0.61.2, pydicom 3.0.2.
# Behaviour: store_instances of a data set with file meta information, but without preamble: the part of the message begins
#            with the group length, not with 128 bytes and DICM. An archive may keep it so (Orthanc 1.10.1 with DICOMweb 1.7
#            does, and sends it back as it is); retrieve_instance of the same client then ends with InvalidDicomError.
# Expected:  a file of PS3.10, as PS3.18 asks of application/dicom, whatever the data set was made from.
# Hit:       whoever stores what pydicom or highdicom made, without writing it to a file before. A way round:
#            dataset.preamble = bytes(128).
#
# Output:
#   stored: 'DICM' at byte 128: False; with a preamble: True
#   fetched without preamble: InvalidDicomError; with one: as it was stored
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dicomweb-client==0.61.2 pydicom==3.0.2

"$folder/venv/bin/python" - <<'PYTHON'
import logging
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, HTTPServer

from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

logging.disable(logging.CRITICAL)
kept = []


class Archive(BaseHTTPRequestHandler):
    """Keeps each object as it came, and sends the last one back."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = BytesParser().parsebytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body)
        kept.append(message.get_payload()[0].get_payload(decode=True))
        self.answer("application/dicom+json", b"{}")

    def do_GET(self):
        body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + kept[-1] + b"\r\n--part--"
        self.answer('multipart/related; type="application/dicom"; boundary=part', body)

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = HTTPServer(("127.0.0.1", 0), Archive)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = DICOMwebClient(f"http://127.0.0.1:{server.server_port}")
image = Dataset()
image.file_meta = FileMetaDataset()
image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = MRImageStorage
image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
image.StudyInstanceUID, image.SeriesInstanceUID, image.PatientID = generate_uid(), generate_uid(), "1"
uids = image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID
client.store_instances([image])
try:
    fetched = client.retrieve_instance(*uids).PatientID
except InvalidDicomError as error:
    fetched = type(error).__name__
image.preamble = bytes(128)
client.store_instances([image])
again = "as it was stored" if client.retrieve_instance(*uids) == image else "something else"
seen = [body[128:132] == b"DICM" for body in kept]
print(f"stored: 'DICM' at byte 128: {seen[0]}; with a preamble: {seen[1]}")
print(f"fetched without preamble: {fetched}; with one: {again}")
assert (seen, fetched, again) == ([False, True], "InvalidDicomError", "as it was stored"), "changed"
print("as stated")
PYTHON
