"""An archive of DICOM objects that speaks DICOMweb: what is in a study, one object in, one object out."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.dicom.libraries import check_libraries
from monai_advdefense.errors import AdvDefenseError, InputError, OutputError
from monai_advdefense.messages import broken_rule, reason

__all__ = ["Archive"]

# Series that hold no image.
_NO_IMAGES = {"AU", "DOC", "KO", "PLAN", "PR", "REG", "RTDOSE", "RTPLAN", "RTSTRUCT", "RWV", "SEG", "SR"}
_TIMEOUT_S = 60
# One message, however large: an upload in pieces cannot be told from one that broke off.
_CHUNK = 2**31

_T = TypeVar("_T")


class Archive:
    """The DICOMweb service of an archive (QIDO-RS, WADO-RS, STOW-RS).

    No other address is contacted: redirections and proxies are not followed. Name and password, where the archive asks
    for them, are taken from the file ``~/.netrc``; certificates are checked against those that ``REQUESTS_CA_BUNDLE``
    names, or the public ones.

    Args:
        url: of the service, such as ``https://pacs.example.org/dicom-web``.
        attempts: how often to try a request when the connection breaks.
        pause_s: before the second attempt, doubled from one to the next.

    Raises:
        InputError: if the URL is none, or the extra ``dicom`` is not installed.
    """

    def __init__(self, url: str, *, attempts: int = 4, pause_s: float = 1.0) -> None:
        check_libraries("dicomweb_client")
        from dicomweb_client import DICOMwebClient
        from requests import Session
        from requests.utils import get_netrc_auth

        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise broken_rule("pacs", "a URL such as http://127.0.0.1:8042/dicom-web", url, "give that of its DICOMweb")
        self.url, self.attempts, self.pause_s = url.rstrip("/"), attempts, pause_s
        session = Session()
        session.trust_env, session.max_redirects = False, 0
        session.auth = get_netrc_auth(url)
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._client = DICOMwebClient(self.url, session=session, chunk_size=_CHUNK, timeout=_TIMEOUT_S)
        # It tells of every request, and repeats one with a body that was read to its end.
        for name in ("dicomweb_client", "retrying"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._client.set_http_retry_params(retry=False)

    def images(self, study: str) -> dict[str, list[str]]:
        """UIDs of the images of a study by that of their series; series without images are left out.

        Raises:
            InputError: if the archive knows no such study or has no image of it, cannot be asked, or answers with what
                is no UID.
        """
        _check_uid("study", "Study", study, "copy it from the archive")
        found = self._ask(lambda: self._client.search_for_series(study, get_remaining=True))
        images = [each for each in found if _value(each, "00080060") not in _NO_IMAGES]
        series = [self._uid(each, "0020000E", "Series") for each in images]
        if not series:
            what = f"{len(found)} series without images" if found else "no such study"
            raise broken_rule(f"study {study}", f"images in {self.url}", what, "check its UID")
        return {uid: self._instances(study, uid) for uid in sorted(series)}

    def _instances(self, study: str, series: str) -> list[str]:
        found = self._ask(lambda: self._client.search_for_instances(study, series, get_remaining=True))
        return sorted(self._uid(each, "00080018", "SOP") for each in found)

    def _uid(self, found: dict[str, Any], tag: str, kind: str) -> str:
        """A UID that the archive has answered."""
        uid = _value(found, tag)
        _check_uid(f"answer of {self.url}", kind, uid, "ask its administrator")
        return uid

    def fetch(self, study: str, series: str, instance: str, path: Path) -> None:
        """Write an object as the archive holds it; nothing incomplete gets the name of the file.

        Raises:
            InputError: if it cannot be fetched.
            OutputError: if the file cannot be written.
        """
        dataset = self._ask(lambda: self._client.retrieve_instance(study, series, instance))
        with atomic_path(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)

    def store(self, path: Path) -> bool:
        """Store an object in its study, if the archive does not have it.

        Returns:
            Whether it was stored; False if it was there.

        Raises:
            OutputError: if the archive refuses it or cannot be reached.
        """
        from pydicom import dcmread

        dataset = dcmread(path)
        study, uid = str(dataset.StudyInstanceUID), str(dataset.SOPInstanceUID)
        filters = {"SOPInstanceUID": uid}

        def send() -> bool:
            # Asked at each attempt: an answer may be lost of what was stored.
            if self._client.search_for_instances(study, search_filters=filters):
                return False
            told = self._client.store_instances([dataset], study)
            if told.get("FailedSOPSequence"):
                found = f"a failure ({told.FailedSOPSequence[0].get('FailureReason')})"
                raise broken_rule(path, f"{self.url} to store it", found, "ask its administrator", error=OutputError)
            return True

        return self._ask(send, error=OutputError)

    def _ask(self, request: Callable[[], _T], *, error: type[AdvDefenseError] = InputError) -> _T:
        """The answer to a request; it is sent again if the connection breaks or the archive is busy."""
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.pause_s * 2 ** (attempt - 1))
            try:
                return request()
            except AdvDefenseError:
                raise
            # Besides the errors of requests those of an answer that was cut off or is no DICOMweb.
            except Exception as found:
                last = found
                if not _may_pass(found):
                    break
        remedy = "check address, rights and network, then run again: what is there is kept"
        raise broken_rule("pacs", f"an answer of {self.url}", _reason(last), remedy, error=error) from last


def _check_uid(subject: str, kind: str, uid: str, remedy: str) -> None:
    """Refuse what is no UID: they become parts of paths and addresses."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", uid):
        raise broken_rule(subject, f"a {kind} Instance UID, digits and dots", uid or "none", remedy)


def _value(found: dict[str, Any], tag: str) -> str:
    """The one value of an attribute in DICOM's JSON; empty if there is none."""
    return str(next(iter(found.get(tag, {}).get("Value", [])), ""))


def _may_pass(error: Exception) -> bool:
    """Whether the same request may be answered another time."""
    from requests.exceptions import ConnectionError, HTTPError, RequestException, TooManyRedirects

    if isinstance(error, HTTPError) and error.response is not None:
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    if isinstance(error, TooManyRedirects):
        return False
    return isinstance(error, (ConnectionError, RequestException, IndexError))


def _reason(error: Exception) -> str:
    from requests.exceptions import ChunkedEncodingError, ConnectionError, TooManyRedirects

    if isinstance(error, TooManyRedirects):
        return "a redirection, which is not followed"
    if isinstance(error, ConnectionError):
        return f"no connection ({type(error).__name__})"
    return "an answer that was cut off" if isinstance(error, (ChunkedEncodingError, IndexError)) else reason(error)
