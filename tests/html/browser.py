"""A headless Chromium, driven over a pipe (the DevTools protocol): no port is opened and nothing is installed."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path


class Browser:
    """`with Browser(width, height, dark) as browser`: one empty page."""

    def __init__(self, width=1280, height=1000, dark=False):
        self.size = width, height
        self.dark = dark
        self.number = 0
        self.text = b""
        self.events = []

    def __enter__(self):
        program = shutil.which("chromium")
        if program is None:
            raise RuntimeError("there is no chromium: tools/setup long installs it")
        self.folder = tempfile.TemporaryDirectory(prefix="gmlake-browser-")
        theirs, self.out = os.pipe()
        self.inside, others = os.pipe()

        def as_three_and_four():
            # By way of high numbers: one of them may be 3 or 4 already.
            high = os.dup2(theirs, 100), os.dup2(others, 101)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
        command = [program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-software-rasterizer", "--in-process-gpu", "--no-first-run",
                   "--disable-extensions", "--disable-component-update", "--disable-background-networking",
                   f"--window-size={self.size[0]},{self.size[1]}", f"--user-data-dir={self.folder.name}", "about:blank"]
        with open(Path(self.folder.name) / "stderr", "wb") as stderr:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, close_fds=False,
                                            preexec_fn=as_three_and_four, env={**os.environ, "HOME": self.folder.name})
        os.close(theirs)
        os.close(others)
        target = self.first_page()
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setScrollbarsHidden", hidden=True)  # a screenshot has none, and would be wider
        scheme = "dark" if self.dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=self.size[0], height=self.size[1], deviceScaleFactor=1, mobile=False)
        return self

    def __exit__(self, *_):
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(20)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.inside)
        self.folder.cleanup()

    session = None

    def first_page(self):
        """A browser that has just begun may need a moment for it."""
        for _ in range(600):
            pages = [one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page"]
            if pages:
                return pages[0]["targetId"]
            time.sleep(0.1)
        raise RuntimeError("the browser has no page")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read(60)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def read(self, seconds):
        until = time.monotonic() + seconds
        while b"\0" not in self.text:
            ready, _, _ = select.select([self.inside], [], [], max(0, until - time.monotonic()))
            more = os.read(self.inside, 1 << 20) if ready else b""
            if not more:
                said = (Path(self.folder.name) / "stderr").read_text(errors="replace")[-3000:]
                raise RuntimeError("the browser does not answer: " + said)
            self.text += more
        one, self.text = self.text.split(b"\0", 1)
        return json.loads(one)

    def open(self, path):
        """Waits until the page says that its first picture is there; the milliseconds that took."""
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        opened = self.until("document.documentElement?.dataset.opened || document.documentElement?.dataset.failed")
        return float(opened)

    def until(self, expression, seconds=60):
        until = time.monotonic() + seconds
        while True:
            value = self.ask(expression)
            if value:
                return value
            if time.monotonic() > until:
                raise RuntimeError(f"was never so: {expression}\n{self.problems()}")
            time.sleep(0.03)

    def ask(self, expression):
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def data(self, name):
        return self.ask(f"document.documentElement.dataset.{name}")

    def settle(self):
        """Two frames later everything that was asked for is drawn."""
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        self.ask("window.gmlake.report()")

    def place(self, selector, x=0.5, y=0.5):
        """A point of an element, scrolled into view: parts of its width and height."""
        box = self.ask(f"(() => {{const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
                       " const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height];})()")
        return box[0] + x * box[2], box[1] + y * box[3]

    def mouse(self, kind, at, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)

    def click(self, selector, x=0.5, y=0.5):
        at = self.place(selector, x, y)
        self.mouse("mouseMoved", at)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, at, button="left", buttons=1, clickCount=1)
        self.settle()

    def wheel(self, selector, delta, x=0.5, y=0.5):
        self.mouse("mouseWheel", self.place(selector, x, y), deltaX=0, deltaY=delta)
        self.settle()

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" and len(key) == 1 else "")
        self.settle()

    def screenshot(self, path):
        """Of the whole page."""
        self.ask("scrollTo(0, 0)")
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        picture = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        Path(path).write_bytes(base64.b64decode(picture))

    def problems(self):
        """What the page has thrown, logged as an error, or asked the network for."""
        found = []
        for one in self.events:
            if one.get("method") == "Runtime.exceptionThrown":
                found.append(one["params"]["exceptionDetails"])
            if one.get("method") == "Network.requestWillBeSent" and not one["params"]["request"]["url"].startswith(("file:", "data:", "about:")):
                found.append(one["params"]["request"]["url"])
        return found

    def memory(self):
        """Bytes of the page's own process, and of all the browser's, each page of memory counted once (PSS)."""
        children = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    stat = (folder / "stat").read_text()
                    children.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(folder.name))
                except OSError:
                    continue
        mine, waiting = [], [self.process.pid]
        while waiting:
            mine.append(waiting.pop())
            waiting += children.get(mine[-1], [])
        largest = whole = 0
        for pid in mine:
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                renderer = b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            bytes_used = 1024 * int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")))
            whole += bytes_used
            if renderer:
                largest = max(largest, bytes_used)
        return largest, whole
