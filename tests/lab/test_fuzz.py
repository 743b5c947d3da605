"""Nonsense from all sides: no answer is a 5xx, nothing hangs, memory does not grow, and the lab goes on answering."""

from __future__ import annotations

import json
import random
import string
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from lab.running import start, stop
from lab.test_server import ask, live, question
from websockets.exceptions import ConnectionClosed

from xent.lab import wire

pytestmark = pytest.mark.slow

NAMES = (
    "outputs", "w", "b", "z", "first", "seed", "x", "target", "rate", "rates", "steps", "plane", "size", "span", "learned", "along",
    "lang", "theme", "data", "hidden", "seeds", "epochs", "batch", "activation", "optimiser", "output", "\x00", "é",
)  # fmt: skip
WORDS = (
    "quadratic", "focal(gamma=2)@softmax", "smooth(smooth(lq))", "hinge,exponential", "1e308", "-1e308", "5e-324", "inf", "nan",
    "0", "-0", "1", "0.5", "300", "9" * 400, "٣", "1_0", "0x10", " ", "", "(" * 200, "a" * 3000, "%00", "../../etc/passwd",
    "<script>", "'", '"', "\ud7ff", "iris", "start", "rate", "zh", "en", "dark", "input", "true", "null", "-1", "5000",
    "512", "1e-9",
)  # fmt: skip
ASKS = ("neuron", "start", "costs", "explain", "map", "race", "race-stop", "everything", "", "__class__")


def settings(rng):
    return {rng.choice(NAMES): rng.choice(WORDS) for _ in range(rng.randrange(6))}


def resident(process):
    """Megabytes that a process holds."""
    return next(
        int(line.split()[1]) / 1024
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )


@pytest.fixture
def own():
    process, link = start()
    yield process, link.rstrip("/")
    code, _, err = stop(process)
    assert code == 0
    assert "Traceback" not in err, err


def test_questions(own):
    """Five hundred drawn questions: each gets numbers or a sentence; asked again five times, their numbers do not stay behind."""
    process, lab = own
    sizes = []
    for _ in range(6):
        rng = random.Random(2015)
        with live(lab) as socket:
            for id in range(500):
                _, said = question(socket, rng.choice(ASKS[:-3]), settings(rng) | {"size": "16"}, id=id)
                assert "terminal" not in str(said.get("error", "")), said
        sizes.append(resident(process))
    assert sizes[-1] < sizes[1] + 20, sizes  # in the first turn loops are compiled and packages loaded


def test_messages(own):
    """Drawn bytes and broken JSON, and pages that come and go in the middle of a question."""
    _, lab = own
    rng = random.Random(7)
    whole = json.dumps({"id": 1, "ask": "neuron", "with": {"steps": "3"}})
    for _ in range(40):
        with live(lab) as socket:
            for _ in range(rng.randrange(1, 20)):
                kind = rng.randrange(4)
                if kind == 0:
                    socket.send(rng.randbytes(rng.randrange(200)))
                elif kind == 1:
                    socket.send("".join(rng.choices(string.printable, k=rng.randrange(300))))
                elif kind == 2:
                    cut = rng.randrange(len(whole))
                    socket.send(whole[:cut] + rng.choice('{}[]",:x') + whole[cut + 1 :])
                else:
                    socket.send(
                        json.dumps({"id": rng.randrange(9), "ask": rng.choice(ASKS), "with": settings(rng) | {"size": "64"}})
                    )
    with live(lab) as socket:
        assert "runs" in question(socket, "neuron")[1]


def test_routes(own):
    """Every route with drawn paths, settings and methods: nothing that is the server's fault."""
    from urllib.parse import quote, urlencode

    _, lab = own
    rng = random.Random(11)
    places = [
        "/", "/neuron", "/costs", "/map", "/race", "/live", "/upload", "/plotly.js", "/static/app.js", "/static/pages/",
        "/words/en.json", "/words/xx.json", "/race/0123456789abcdef/race.csv",
    ]  # fmt: skip
    places += [f"/export/{page}.{kind}" for page in ("neuron", "costs", "map", "x") for kind in ("csv", "py", "svg", "x")]
    for _ in range(600):
        path = (
            rng.choice(places) if rng.random() < 0.8 else "/" + quote("".join(rng.choices(string.printable, k=rng.randrange(40))))
        )
        query = urlencode(settings(rng) | {"size": "8", "steps": str(rng.randrange(30))}, errors="surrogatepass")
        method = rng.choice(["GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "NONSENSE"])
        status, _, _ = ask(lab, f"{path}?{query}", method, origin=lab, content_length="0")
        assert status < 500, (method, path, query, status)
    assert ask(lab, "/neuron")[0] == 200


def test_a_crowd(own):
    """Twenty pages that ask at once: every one of them has its answer."""
    _, lab = own
    failed = []

    def visit():
        try:
            with live(lab) as socket:
                for id in range(1, 8):
                    socket.send(json.dumps({"id": id, "ask": "map", "with": {"size": "96", "rate": str(id)}}))
                while wire.unpacked(socket.recv(timeout=120))[0] != 7:
                    pass
        except (ConnectionClosed, TimeoutError, AssertionError) as error:
            failed.append(error)

    crowd = [threading.Thread(target=visit) for _ in range(20)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(180)
    assert not failed
    assert not any(one.is_alive() for one in crowd)


def test_a_gigabyte_is_refused_early(own):
    """Announced or not: the lab stops reading at its limit and its memory stays small."""
    process, lab = own
    code = (
        "import http.client, sys\n"
        f"c = http.client.HTTPConnection('{lab.partition('//')[2]}', timeout=60)\n"
        "def rows():\n"
        "    for _ in range(1 << 14):\n"
        "        yield b'a,b\\n' * (1 << 14)\n"
        "try:\n"
        f"    c.request('POST', '/upload?name=x.csv', body=rows(), headers={{'Origin': '{lab}'}}, encode_chunked=True)\n"
        "    print(c.getresponse().status)\n"
        "except OSError:\n"
        "    print('closed')\n"
    )
    before = resident(process)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120).stdout.strip()
    assert said in ("400", "413", "closed")
    assert resident(process) < before + 200
    assert ask(lab, "/neuron")[0] == 200
