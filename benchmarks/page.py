"""How quick the page is, and how much memory its server takes.

    python benchmarks/page.py samples/astronaut.jpg

A server is started; the photograph is enlarged to 12 megapixels and uploaded. Times are from the
request to its last byte, on this machine: the median of several, the quickest, and the time that
the server's threads together had a core (Linux), which depends less on what else the machine does.
"Network" is what the colorizer's network alone takes of it, measured in this process.
Then 50 such photographs are opened one after the other, each with a point; the server's memory is
read after each ten (Linux). All of them are colored at full size by a job, and their ZIP is taken.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import opsin
from opsin.drawing.pixels import resized

WIDTH, HEIGHT = 4000, 3000
SIDE = 1000
TIMES = 15
LOADING = 3  # seconds in which the user looks for a photograph, and the network is loaded
PHOTOGRAPHS = 50


class Client:
    """A browser's part: one connection and the session's cookie."""

    def __init__(self, address: str) -> None:
        self.host = urlsplit(address).netloc
        self.connection = HTTPConnection(self.host)
        self.headers = {"Origin": f"http://{self.host}"}
        answer = self.ask("POST", "/api/session", b"{}")
        self.headers["Cookie"] = answer[0].split(";")[0]

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[str, bytes]:
        """The new cookie, if any, and the body."""
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status < 300, data
        return answer.getheader("set-cookie", ""), data

    def count(self, path: str) -> int:
        """The bytes of an answer, which are not kept."""
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        return sum(len(part) for part in iter(lambda: answer.read(1 << 20), b""))

    def upload(self, data: bytes) -> str:
        """The address of the new photograph."""
        _, body = self.ask("POST", f"/api/photographs?name=scan.jpg&side={SIDE}", data)
        return f"/api/photographs/{json.loads(body.partition(bytes([10]))[0])['id']}"

    def change(self, at: str, **what: object) -> None:
        self.ask("POST", f"{at}/change?side={SIDE}", json.dumps(what).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    data = enlarged(parser.parse_args().photo)
    call = [sys.executable, "-m", "opsin", "page", "--port", "0"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            client = Client(server.stdout.readline().decode().strip())
            print(f"12 megapixels, {len(data) / 1e6:.1f} MB; a picture of {SIDE} pixels")
            tell_times(client, data, server.pid)
            tell_memory(client, data, server.pid)
        finally:
            server.terminate()


def tell_times(client: Client, data: bytes, pid: int) -> None:
    count = iter(range(10_000))
    time.sleep(LOADING)
    tell("the very first color", lambda: client.upload(data), pid, times=1)
    at = client.upload(data)
    work = opsin.Touchup(opsin.open(data))

    def points() -> list[tuple[int, int, str]]:
        return [(next(count) * 10, 1500, "#a03020")]

    tell("first color", lambda: client.upload(data), pid, times=7)
    tell("vividness", lambda: client.change(at, vividness=next(count) % 100 / 100), pid)
    tell("a point", lambda: client.change(at, points=points()), pid)
    tell("likely colors", lambda: client.ask("GET", f"{at}/suggest?x=9&y=9"), pid)
    tell("its network alone", lambda: work.change(points=points()), os.getpid())


def tell(what: str, act: Callable[[], object], pid: int, times: int = TIMES) -> None:
    """Prints what it takes, in milliseconds."""
    taken, before = [], processor(pid)
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(1000 * (time.perf_counter() - start))
    worked = (processor(pid) - before) / times
    print(f"{what}: {median(taken):.0f} ms, quickest {min(taken):.0f}, processor {worked:.0f}")


def processor(pid: int) -> float:
    """Milliseconds that a process has had a core."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tell_memory(client: Client, data: bytes, pid: int) -> None:
    client.connection.close()  # it has rested, and the server may have closed it
    for number in range(1, PHOTOGRAPHS + 1):
        at = client.upload(data)
        client.change(at, points=[[number * 50, 1500, "#a03020"]])
        if number % 10 == 0:
            print(f"{number} photographs: {memory(pid)}")
    start = time.perf_counter()
    client.ask("POST", "/api/job", b"{}")
    while json.loads(client.ask("GET", "/api/job")[1])["state"] == "running":
        time.sleep(0.1)
    print(f"all at full size: {time.perf_counter() - start:.0f} s; {memory(pid)}")
    taken = client.count("/api/job/download")
    print(f"their ZIP of {taken / 1e6:.0f} MB: {memory(pid)}")


def memory(pid: int) -> str:
    """What a process takes, and took at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, most = (int(re.search(rf"{key}:\s+(\d+)", status)[1]) for key in ("VmRSS", "VmHWM"))
    return f"{now / 1024:.0f} MB, at most {most / 1024:.0f} MB"


def enlarged(path: Path) -> bytes:
    """A photograph as a JPEG of 12 megapixels."""
    photo = opsin.open(path)
    return opsin.open(resized(photo.pixels, HEIGHT, WIDTH)).encode("jpeg")


if __name__ == "__main__":
    main()
