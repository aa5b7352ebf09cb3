"""A small DICOMweb archive in this process, written from the standard alone (PS3.18), whose connection can break."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pydicom import dcmread

_TAGS = {"SeriesInstanceUID": "0020000E", "SOPInstanceUID": "00080018", "Modality": "00080060"}


class ArchiveServer(ThreadingHTTPServer):
    """Objects by UID; ``breaking`` takes (method, path) and says how a request breaks, if it does."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects = {}
        self.requests = Counter()
        self.breaking = lambda method, path: None
        self.url = f"http://127.0.0.1:{self.server_port}/dicom-web"

    def add(self, content):
        """Keep an object, unless one of its UID is there."""
        self.objects.setdefault(str(dcmread(io.BytesIO(content)).SOPInstanceUID), content)

    def modalities(self):
        return Counter(dcmread(io.BytesIO(content)).Modality for content in self.objects.values())


@contextmanager
def archive_server():
    server = ArchiveServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        self.server.requests["GET"] += 1
        if self._break("GET", url.path):
            return
        parts = url.path.removeprefix("/dicom-web/studies/").split("/")
        if len(parts) == 5:
            self._instance(parts[4])
        else:
            filters = {name: values[0] for name, values in parse_qs(url.query).items()}
            self._query(parts[0], parts[-1], parts[2] if len(parts) == 4 else None, filters)

    def _query(self, study, level, series, filters):
        headers = [dcmread(io.BytesIO(content), stop_before_pixels=True) for content in self.server.objects.values()]
        found = [each for each in headers if each.StudyInstanceUID == study]
        found = [each for each in found if series in (None, each.SeriesInstanceUID)]
        uid = filters.get("SOPInstanceUID")
        found = [each for each in found if uid in (None, each.SOPInstanceUID)]
        if level == "series":
            found = list({each.SeriesInstanceUID: each for each in found}.values())
        # A page of two, as an archive may cut a long list.
        start = int(filters.get("offset", 0))
        rows = [{tag: {"Value": [str(each[name].value)]} for name, tag in _TAGS.items()} for each in found]
        self._send(200, "application/dicom+json", json.dumps(rows[start : start + 2]).encode())

    def _instance(self, uid):
        body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + self.server.objects[uid] + b"\r\n--part--"
        self._send(200, 'multipart/related; type="application/dicom"; boundary=part', body)

    def do_POST(self):
        self.server.requests["POST"] += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._break("POST", self.path):
            return
        message = BytesParser().parsebytes(
            b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
        )
        for part in message.get_payload():
            self.server.add(part.get_payload(decode=True))
        if not self._break("stored", self.path):
            self._send(200, "application/dicom+json", b"{}")

    def _break(self, method, path):
        how = self.server.breaking(method, path)
        if how == "close":
            self.close_connection = True
        elif how == "cut":
            self.send_response(200)
            self.send_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=part')
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"--part\r\nContent-Type: application/dicom\r\n\r\n" + bytes(132))
            self.close_connection = True
        elif isinstance(how, dict):
            self._send(202, "application/dicom+json", json.dumps(how).encode())
        elif isinstance(how, str):
            self.send_response(302)
            self.send_header("Location", how)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif how:
            self._send(how, "text/plain", b"no")
        return bool(how)

    def _send(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
