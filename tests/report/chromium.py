"""A headless Chromium that takes orders over a pipe (Chrome DevTools protocol): real keys, real clock, any
width.

Beside `--dump-dom` of test_report_browser.py, which visits and leaves, this one stays and answers.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
COMMON = [
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-first-run",
    ),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-default-apps",
        "--disable-extensions",
    ),
    "--allow-file-access-from-files",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever is asked for, nothing leaves this machine
]
OPTIONS = [*COMMON, "--remote-debugging-pipe"]
# The browser reads orders from descriptor 3 and writes answers to 4, wherever the pipes happen to be.
WITH_PIPES = """
import fcntl, os, sys
reads, writes = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 20) for number in sys.argv[1:3])
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), "/": (191, "/")}


class Page:
    """One tab. `said` collects console messages, exceptions and violations of the policy; `asked` the URLs
    that were loaded.
    """

    def __init__(self, orders: int, answers: int) -> None:
        self.orders, self.answers = orders, answers
        self.said: list[str] = []
        self.asked: list[str] = []
        self._number, self._rest, self._session = 0, b"", ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Order and wait for the answer."""
        self._number += 1
        order = {"id": self._number, "method": method, "params": parameters} | (
            {"sessionId": self._session} if self._session else {}
        )
        os.write(self.orders, json.dumps(order).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._event(answer)

    def open(self, page: Path | str, width: int = 1280, height: int = 900, dark: bool = False) -> float:
        """Visit; returns milliseconds from the start of the navigation until the page is laid out and
        drawn.
        """
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url="about:blank")
        self.asked.clear()
        started = time.monotonic()
        self.send("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while self.eval("document.readyState") != "complete":
            time.sleep(0.01)
        self.eval(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => "
            "done(document.body.offsetHeight))))"
        )
        return (time.monotonic() - started) * 1000

    def eval(self, script: str) -> Any:
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """One key, or a letter."""
        code, text = KEYS.get(key, (ord(key.upper()) if len(key) == 1 else 0, key))
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **extra)
        self.eval("new Promise(done => setTimeout(done, 60))")

    def type(self, text: str) -> None:
        for letter in text:
            self.press(letter)

    def picture(self, path: Path, whole: bool = True) -> None:
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def paper(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("Page.printToPDF", printBackground=True)["data"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self.answers, 1 << 20)
            assert part, "the browser has gone"
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _event(self, event: dict[str, Any]) -> None:
        found, method = event.get("params", {}), event.get("method")
        if method == "Network.requestWillBeSent":
            self.asked.append(found["request"]["url"])
        elif method == "Log.entryAdded":
            self.said.append(found["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.said.append(json.dumps(found["args"]))
        elif method == "Runtime.exceptionThrown":
            self.said.append(
                found["exceptionDetails"]
                .get("exception", found["exceptionDetails"])
                .get("description", "exception")
            )


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A browser with a fresh profile, gone at the end."""
    assert BROWSER is not None
    read_orders, orders = os.pipe()
    answers, write_answers = os.pipe()
    words = [BROWSER, *OPTIONS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_PIPES, str(read_orders), str(write_answers), *words],
        pass_fds=(read_orders, write_answers),
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile)},
    )
    os.close(read_orders)
    os.close(write_answers)
    try:
        yield Page(orders, answers)
    finally:
        process.terminate()
        process.wait(30)
        os.close(orders)
        os.close(answers)
