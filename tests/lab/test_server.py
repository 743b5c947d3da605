"""The server as it runs: who may come in, what every answer carries, how it starts and how it stops."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from contextlib import suppress

import pytest
from lab.running import start, stop
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from xent.cli import main
from xent.lab import wire
from xent.lab.guard import Guard


def ask(lab, path, method="GET", **headers):
    """(status, headers, body) of a request, with the headers just as given."""
    host = lab.partition("//")[2]
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.putrequest(method, path, skip_host="host" in {name.lower() for name in headers})
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


@pytest.mark.parametrize(
    "path", ["/neuron", "/costs", "/map", "/words/zh.json", "/static/app.js", "/plotly.js", "/export/neuron.csv?steps=2"]
)
def test_what_there_is(lab, path):
    status, headers, body = ask(lab, path)
    assert status == 200
    assert body
    assert "'unsafe-inline'" not in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    if path.endswith(".js"):
        assert headers["content-type"].startswith("text/javascript")


def test_the_first_page_keeps_its_settings(lab):
    status, headers, _ = ask(lab, "/?w=3")
    assert status == 307
    assert headers["location"].endswith("/neuron?w=3")


@pytest.mark.parametrize("path", ["/nowhere", "/static/../server.py", "/static/%2e%2e/server.py", "/static/", "/live"])
def test_what_there_is_not(lab, path):
    status, _, body = ask(lab, path)
    assert status in (403, 404)
    assert path != "/nowhere" or b"the lab has /neuron" in body


def test_a_wrong_export_is_a_sentence(lab):
    status, _, body = ask(lab, "/export/neuron.svg?rate=-1")
    assert (status, b"rate" in body) == (400, True)
    assert ask(lab, "/words/fr.json")[0] == 400


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1:80;", "", "a b", "localhost:x"]
)
def test_a_name_that_was_made_to_point_here_is_refused(lab, host):
    assert ask(lab, "/neuron", host=host)[0] == 400


def test_other_pages_are_refused(lab):
    host = lab.partition("//")[2]
    assert ask(lab, "/neuron", origin="http://evil.example")[0] == 403
    assert ask(lab, "/export/neuron.csv", sec_fetch_site="cross-site", sec_fetch_dest="image")[0] == 403
    assert ask(lab, "/neuron", sec_fetch_site="cross-site", sec_fetch_dest="document")[0] == 200  # a link that someone follows
    assert ask(lab, "/neuron", origin=f"http://{host}")[0] == 200
    assert ask(lab, "/neuron", "POST")[0] == 403
    assert ask(lab, "/neuron", "POST", origin=f"http://{host}")[0] == 405


def live(lab, **options):
    return connect(
        lab.replace("http", "ws") + "/live", origin=options.pop("origin", lab), compression=None, max_size=None, **options
    )


def question(socket, ask, given=None, id=1):
    socket.send(json.dumps({"id": id, "ask": ask, "with": given or {}}))
    return wire.unpacked(socket.recv(timeout=60))


@pytest.mark.parametrize("origin", [None, "http://evil.example", "https://127.0.0.1", "null"])
def test_another_origin_cannot_connect(lab, origin):
    with pytest.raises(InvalidStatus) as refused:
        live(lab, origin=origin)
    assert refused.value.response.status_code == 403


def test_the_socket_answers(lab):
    with live(lab) as socket:
        id, found = question(socket, "neuron", {"steps": "300"}, id=5)
        assert id == 5
        assert round(float(found["runs"][0]["a"][-1]), 4) == 0.2028


BAD = [
    "", "{", "[]", "3", '"neuron"', '{"ask": "neuron"', '{"ask": 3}', '{"ask": "nothing"}', '{"ask": "neuron", "with": 3}',
    '{"ask": ["neuron"]}', '{"id": "x", "ask": "neuron"}', '{"id": {}, "ask": "neuron"}', "[" * 10_000, "x" * 100_000, b"",
    b"\x00\xff", '{"id": 1, "ask": "neuron", "with": {"w": {}}}',
    '{"id": 1, "ask": "neuron", "with": {"outputs": "' + "(" * 5000 + '"}}',
]  # fmt: skip


def test_a_bad_message_closes_nothing_but_itself(lab):
    with live(lab) as socket:
        for message in BAD:
            socket.send(message)
            _, said = wire.unpacked(socket.recv(timeout=60))
            assert isinstance(said["error"], str), message
        assert "runs" in question(socket, "neuron", {"steps": "1"})[1]


def test_only_the_newest_of_many_questions_waits(lab):
    """A hundred moves of a slider at once: the last is answered, most of the others never are."""
    with live(lab) as socket:
        for id in range(1, 101):
            socket.send(json.dumps({"id": id, "ask": "map", "with": {"size": "128", "rate": str(id / 100)}}))
        answered = []
        while not answered or answered[-1] != 100:
            answered.append(wire.unpacked(socket.recv(timeout=120))[0])
        assert answered == sorted(answered)
        assert len(answered) < 50


def test_a_slow_question_holds_up_no_other(lab):
    with live(lab) as socket:
        socket.send(json.dumps({"id": 1, "ask": "neuron", "with": {"steps": "5000", "outputs": ",".join(["focal@sigmoid"] * 8)}}))
        socket.send(json.dumps({"id": 2, "ask": "costs", "with": {}}))
        assert wire.unpacked(socket.recv(timeout=60))[0] == 2
        assert wire.unpacked(socket.recv(timeout=60))[0] == 1


def test_a_message_that_is_far_too_long_costs_only_its_own_line(lab):
    with live(lab) as socket:
        with suppress(ConnectionClosed):  # while it is still being sent, perhaps
            socket.send("x" * (3 << 20))
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=30)
    assert ask(lab, "/neuron")[0] == 200


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process, link = start("--port", str(port))
        code, out, _ = stop(process)
    assert code == 0
    assert f":{port}/" not in link
    assert "closed" in out


def test_beyond_this_machine_it_wants_its_token():
    process, link = start("--host", "0.0.0.0")
    try:
        place, _, token = link.partition("/?token=")
        here = f"http://127.0.0.1:{place.rpartition(':')[2]}"
        assert len(token) >= 32
        assert ask(here, "/neuron")[0] == 403
        assert ask(here, "/neuron?token=wrong")[0] == 403
        status, headers, _ = ask(here, f"/neuron?w=3&token={token}")
        assert (status, headers["location"]) == (303, "/neuron?w=3")
        cookie = headers["set-cookie"].partition(";")[0]
        assert "HttpOnly" in headers["set-cookie"]
        assert ask(here, "/neuron", cookie=cookie)[0] == 200
        assert ask(here, "/neuron", cookie=cookie, host="evil.example")[0] == 400
        assert ask(here, f"//evil.example/%0d%0aset-cookie:x=1?token={token}")[1]["location"].startswith("/evil.example")
        with pytest.raises(InvalidStatus):
            live(here)
        with live(here, additional_headers={"cookie": cookie}) as socket_:
            assert "runs" in question(socket_, "neuron")[1]
    finally:
        stop(process)


def test_names_of_this_machine():
    """Without a token only this machine's own names, with one its addresses too; never a stranger's."""
    alone, open_ = Guard(None, "127.0.0.1"), Guard(None, "0.0.0.0", "t")
    for host in ("127.0.0.1:1", "localhost", "[::1]:80"):
        assert alone._is_ours(host)
    assert not alone._is_ours("192.168.1.7:80")
    assert open_._is_ours("192.168.1.7:80")
    assert open_._is_ours(socket.gethostname())
    assert not open_._is_ours("evil.example")


def test_wrong_flags(capsys):
    for flags, says in (
        (["--port", "70000"], "65535"),
        (["--host", "no.such.host.invalid"], "--host"),
        (["--host", "8.8.8.8"], "--host"),
    ):
        assert main(["lab", "--no-browser", *flags]) == 2
        assert says in capsys.readouterr().err


def test_without_its_packages_it_says_what_to_install():
    code = "import sys; sys.modules['starlette'] = None\nfrom xent.cli import main\nsys.exit(main(['lab']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "LANG": "C"})
    assert done.returncode == 2
    assert "pip install 'xent[lab]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_starts_without_what_it_does_not_need_yet():
    code = "import xent.lab.server, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "jax", "matplotlib", "sympy", "numba", "plotly", "polars"} & set(loaded)
