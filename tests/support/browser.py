"""A real Chromium without a window, told what to do over two pipes (the DevTools protocol): no port, no driver, nothing beside it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from needs import need_command

_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-dev-shm-usage", "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
)  # fmt: skip
_PATIENCE = 30.0  # seconds for an answer
_KEYS = {"Tab": 9, "Enter": 13, " ": 32}
_TEXTS = {"Enter": "\r", " ": " "}


class Chromium:
    """The browser, with a profile of its own that goes when it ends. `end` it whatever happens."""

    def __init__(self) -> None:
        need_command("chromium")
        self._profile = tempfile.mkdtemp(prefix="ph-chromium-")
        told, self._out = os.pipe()
        self._in, answered = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (told, answered)]  # out of the way of 3 and 4, where it looks for them
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{ends[0]} 4>&{ends[1]}', "chromium", *_SWITCHES, f"--user-data-dir={self._profile}"],
            pass_fds=ends, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        for end in (told, answered, *ends):
            os.close(end)
        self._number, self._buffer, self._pages = 0, b"", dict[str, Page]()

    def page(self, address: str, *, width: int = 1280, height: int = 900, dark: bool = False, media: str = "screen") -> Page:
        """A new page in a window of this size, once it has loaded."""
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._pages[session] = made = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            made.tell(f"{domain}.enable")
        made.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        made.tell("Emulation.setEmulatedMedia", media=media, features=[scheme])
        made.tell("Page.navigate", url=address)
        made.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return made

    def tell(self, method: str, session: str | None = None, **params: Any) -> Any:
        """What it answers to `method`."""
        self._number += 1
        number = self._number
        told = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        left = memoryview(json.dumps(told).encode() + b"\0")
        while left:
            left = left[os.write(self._out, left):]
        end = time.monotonic() + _PATIENCE
        while True:
            one = self._next(end)
            if one.get("id") == number:
                if "error" in one:
                    raise RuntimeError(f"{method}: {one['error']}")
                return one["result"]
            if page := self._pages.get(one.get("sessionId", "")):
                page.heard(one["method"], one["params"])

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError("Chromium does not answer")
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise EOFError("Chromium has ended")
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        """Ends it and all that it has started."""
        os.close(self._out)
        os.close(self._in)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)


class Page:
    """A page. `requests` are the addresses it has asked for, `complaints` what stands in its console, also what its policy forbade."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser, self._session = browser, session
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def tell(self, method: str, **params: Any) -> Any:
        """What the page answers to `method`."""
        return self._browser.tell(method, self._session, **params)

    def heard(self, method: str, params: dict[str, Any]) -> None:
        """Notes what happens."""
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])

    def ask(self, script: str) -> Any:
        """The value of an expression, as JSON can say it."""
        found = self.tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Waits until the expression is true."""
        end = time.monotonic() + _PATIENCE
        while not self.ask(f"!!({script})"):
            assert time.monotonic() < end, f"never: {script}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """What stands in the first element of this selector, as people see it."""
        return str(self.ask(f"document.querySelector({json.dumps(selector)}).innerText"))

    def texts(self, selector: str) -> list[str]:
        """What stands in each element of this selector."""
        return list(self.ask(f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.innerText ?? one.textContent)"))

    def click(self, selector: str) -> None:
        """A click of the mouse into the middle of the first element of this selector."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.ask(f"{found}.scrollIntoView({{block: 'center'}})")
        box = self.ask(f"(({{x, y, width, height}}) => ({{x: x + width / 2, y: y + height / 2}}))({found}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.tell("Input.dispatchMouseEvent", type=kind, **box, button="left", clickCount=1)

    def key(self, name: str) -> None:
        """A key pressed and let go."""
        about = {"key": name, "windowsVirtualKeyCode": _KEYS[name]} | ({"text": _TEXTS[name]} if name in _TEXTS else {})
        self.tell("Input.dispatchKeyEvent", type="keyDown", **about)
        self.tell("Input.dispatchKeyEvent", type="keyUp", **about)

    def write(self, text: str) -> None:
        """Text typed into what has the focus."""
        self.tell("Input.insertText", text=text)

    def picture(self, path: Path, selector: str = "body") -> None:
        """A PNG of the first element of this selector, for people to look at."""
        box = self.ask(f"(({{x, y, width, height}}) => ({{x: x + scrollX, y: y + scrollY, width, height, scale: 1}}))"
                       f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())")  # fmt: skip
        found = self.tell("Page.captureScreenshot", clip=box, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))
