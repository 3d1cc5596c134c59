"""Open a page in headless Chromium, move every control, and print what was seen as JSON.

    python -m tests.paper_results.browse PAGE WIDTH [PICTURE.png]

Needs PyQt6-WebEngine, which brings its own Chromium.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ |= {"QT_QPA_PLATFORM": "offscreen", "QT_QUICK_BACKEND": "software"}
# In a container there is neither a sandbox nor a graphics card.
os.environ |= {"QTWEBENGINE_DISABLE_SANDBOX": "1", "QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu"}

from PyQt6.QtCore import QEventLoop, QTimer, QUrl
from PyQt6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile, QWebEngineUrlRequestInterceptor
from PyQt6.QtWebEngineWidgets import QWebEngineView
from PyQt6.QtWidgets import QApplication

LOADING = 60_000
"""Milliseconds for a page to load, at most."""
HEIGHT = 1000
MOVE = """(() => {
  const seen = [];
  for (const control of document.querySelectorAll("form input, form select")) {
    const { type, value, min, max } = control, before = document.body.innerHTML;
    if (type === "range") control.value = value === max ? min : max;
    else control.selectedIndex = (control.selectedIndex + 1) % control.options.length;
    control.dispatchEvent(new Event("input", { bubbles: true }));
    const changed = document.body.innerHTML !== before;
    seen.push([`${control.form.id} ${control.name}`, changed]);
  }
  return JSON.stringify(seen);
})()"""
"""Whether the page changed after each control was moved."""
WIDTHS = "document.documentElement.scrollWidth - window.innerWidth"


class Requests(QWebEngineUrlRequestInterceptor):
    """Notes every address that a page asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def interceptRequest(self, info) -> None:  # noqa: N802
        self.addresses.append(info.requestUrl().toString()[:200])


class Page(QWebEnginePage):
    """Notes every message on its console."""

    def __init__(self, profile: QWebEngineProfile) -> None:
        super().__init__(profile)
        self.said: list[str] = []

    def javaScriptConsoleMessage(self, level, message, line, source) -> None:  # noqa: N802
        self.said.append(f"{message} (line {line})")


def wait(milliseconds: int, until=None) -> None:
    """Let the browser work for so long, or until a signal comes."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    if until is not None:
        until.connect(lambda *_: loop.quit())
    loop.exec()


def result(page: QWebEnginePage, script: str) -> object:
    found: list[object] = []
    page.runJavaScript(script, found.append)
    for _ in range(100):
        if found:
            break
        wait(50)
    return found[0]


def main(path: Path, width: int, picture: Path | None) -> None:
    application = QApplication(sys.argv[:1])
    requests, profile = Requests(), QWebEngineProfile()
    profile.setUrlRequestInterceptor(requests)
    page, view = Page(profile), QWebEngineView()
    view.setPage(page)
    view.resize(width, HEIGHT)
    view.show()
    view.load(QUrl.fromLocalFile(str(path.resolve())))
    wait(LOADING, until=page.loadFinished)
    wait(200)
    seen = {
        "title": page.title(),
        "wider": result(page, WIDTHS),
        "moved": json.loads(result(page, MOVE)),
    }
    wait(200)
    if picture is not None:
        view.grab().save(str(picture))
    own = path.resolve().as_uri()
    seen["requests"] = [a for a in requests.addresses if a != own and not a.startswith("data:")]
    print(json.dumps(seen | {"said": page.said}), flush=True)
    del application
    # Its threads would be waited for, in an order that it does not say.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
