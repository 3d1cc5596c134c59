"""What lies at an address on the web, whole, within a time and a size; or why it could not be had.

Nothing is written here: who asked for it first sees that it is the right thing.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request

SECONDS, BYTES = 300.0, 2**26
"""The longest a download may take from start to end, and the largest that is taken: 64 MiB.

The largest data set here has 14 MB.
"""


class DownloadError(Exception):
    """The network did not give what was asked of it; the message says why."""


def download(url: str, *, seconds: float = SECONDS, size: int = BYTES) -> bytes:
    """Get what lies at an http or https address, after redirects to such addresses.

    Raises DownloadError whatever goes wrong: also for an answer cut short, one that is larger than
    `size`, and one that is not whole after `seconds`.
    """
    outcome: list[bytes | Exception] = []
    late = threading.Event()

    def attempt() -> None:
        try:
            outcome.append(_read(url, size, late))
        except Exception as error:  # Of many kinds: of sockets, of HTTP, of certificates.
            outcome.append(error)

    # In a thread, as a name server, a greeting and a header may each take for ever. One that is
    # late is left behind: it ends at the next byte, or with this process.
    began = time.monotonic()
    thread = threading.Thread(target=attempt, daemon=True, name=f"download of {url}")
    thread.start()
    thread.join(seconds)
    late.set()
    if not outcome:
        raise DownloadError(f"it was not there after {time.monotonic() - began:.0f} s")
    if isinstance(outcome[0], Exception):
        raise DownloadError(str(outcome[0]) or type(outcome[0]).__name__) from outcome[0]
    return outcome[0]


def _read(url: str, size: int, late: threading.Event) -> bytes:
    with _answer(url) as answer:
        told = answer.headers.get("Content-Length")
        expected = int(told) if told else None
        if expected is not None and expected > size:
            raise DownloadError(f"the answer has {expected} bytes, more than {size}")
        content = bytearray()
        while not late.is_set() and len(content) != expected:
            # As much as has arrived, so that slow answers are noticed.
            part = answer.read1(2**16)
            content += part
            if len(content) > size:
                raise DownloadError(f"the answer has more than {size} bytes")
            if not part:
                break
    if expected is not None and len(content) != expected:
        raise DownloadError(f"the answer ended after {len(content)} of {expected} bytes")
    return bytes(content)


def _answer(url: str) -> http.client.HTTPResponse:
    try:
        return _opener().open(url, timeout=30)
    except urllib.error.HTTPError as error:
        # An answer too, and open.
        error.close()
        raise DownloadError(str(error)) from None


def _opener() -> urllib.request.OpenerDirector:
    """Of http and https alone: urllib's own also reads local files and FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    opener.addheaders = [("User-Agent", "interactions")]
    return opener
