"""The app against a circle in memory, and in forked workers against a real one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from calculator import create_app
from flask import Flask

from circle_ws import CircleWsClientBuilder
from circle_ws.auth import generate_private_key
from circle_ws.testing import QUICK, Circle


@pytest.fixture
def circle() -> Circle:
    return Circle(play=lambda script: str(sum(int(number) for number in script.split("+"))))


@pytest.fixture
def app(circle: Circle) -> Iterator[Flask]:
    builder = CircleWsClientBuilder(circle.url).with_keypair(circle.key).with_transport(circle.transport)
    app = create_app(builder.with_reconnect(backoff=QUICK))
    yield app
    app.extensions["circle"].close()


def test_it_answers(app: Flask) -> None:
    http = app.test_client()
    assert http.get("/calculate?script=40%2B2").json == {"output": "42"}
    assert http.get("/health").json == {"circle": "connected", "process": os.getpid()}


def test_its_threads_share_one_client(app: Flask, circle: Circle) -> None:
    def ask(number: int) -> str:
        return app.test_client().get(f"/calculate?script={number}%2B1").json["output"]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(50))) == [str(number + 1) for number in range(50)]
    assert len(circle.calls("authenticate")) == 1


def test_it_survives_a_restart_of_its_circle(app: Flask, circle: Circle) -> None:
    http = app.test_client()
    assert http.get("/calculate?script=1").status_code == 200
    circle.restart()
    assert http.get("/calculate?script=2").json == {"output": "2"}


def test_a_call_that_may_have_run_is_told(app: Flask, circle: Circle) -> None:
    circle.cut_after("play")
    unknown = app.test_client().get("/calculate?script=1")
    assert (unknown.status_code, unknown.json["error"]) == (502, "OutcomeUnknown")


WORKERS = """
import os
from calculator import create_app

app = create_app()  # before the fork, as gunicorn --preload does it
workers = []
for number in range(3):
    if (worker := os.fork()) == 0:
        http = app.test_client()
        answers = [http.get(f"/calculate?script={number}%2B{other}").json["output"] for other in range(5)]
        right = answers == [str(number + other) for other in range(5)]
        os._exit(0 if right and http.get("/health").json == {"circle": "connected", "process": os.getpid()} else 1)
    workers.append(worker)
print([os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_workers_have_a_connection_each() -> None:
    """The app is loaded once and forked three times, as by a pre-fork server."""
    serve = [sys.executable, "-m", "circle_ws", "serve", "--port", "0", "--json"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as circle:
        try:
            url = json.loads(circle.stdout.readline())["url"]
            environ = {**os.environ, "CIRCLE_URL": url, "CIRCLE_WS_PRIVATE_KEY": generate_private_key()}
            workers = [sys.executable, "-c", WORKERS]
            here = Path(__file__).parent
            done = subprocess.run(workers, cwd=here, env=environ, capture_output=True, text=True)
        finally:
            circle.terminate()
    assert (done.stdout, done.stderr) == ("[0, 0, 0]\n", "")
