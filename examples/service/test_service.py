"""The service against a circle in memory, which is restarted, cut off and slow on command."""

import math
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from service import create_app

from circle_ws import CircleWsClientBuilder
from circle_ws.errors import RpcError
from circle_ws.testing import QUICK, Circle


def add(script: str) -> str:
    try:
        return str(sum(int(number) for number in script.split("+")))
    except ValueError:
        raise RpcError(-32000, "that is no sum") from None


@pytest.fixture
def circle() -> Circle:
    return Circle(play=add)


def service(circle: Circle, call_timeout: float = 30) -> TestClient:
    builder = CircleWsClientBuilder(circle.url).with_keypair(circle.key).with_transport(circle.transport)
    return TestClient(create_app(builder.with_reconnect(backoff=QUICK).with_timeouts(call=call_timeout)))


@pytest.fixture
def http(circle: Circle) -> Iterator[TestClient]:
    with service(circle) as client:
        yield client


def wait_until_connected(http: TestClient) -> None:
    http.portal.call(http.app.state.client.wait_until_connected, 30)


def test_it_answers(http: TestClient) -> None:
    assert http.get("/calculate", params={"script": "40 + 2"}).json() == {"output": "42"}
    health = http.get("/health")
    assert (health.status_code, health.json()) == (200, {"circle": "connected", "reconnects": 0, "failure": None})


def test_it_survives_a_restart_of_its_circle(http: TestClient, circle: Circle) -> None:
    assert http.get("/calculate", params={"script": "1 + 1"}).status_code == 200
    circle.restart()
    assert http.get("/calculate", params={"script": "40 + 2"}).json() == {"output": "42"}
    assert http.get("/health").json() == {"circle": "connected", "reconnects": 1, "failure": None}


def test_it_is_up_while_its_circle_is_down(circle: Circle) -> None:
    circle.stop()
    with service(circle, call_timeout=0.1) as http:
        late = http.get("/calculate", params={"script": "1 + 1"})
        assert (late.status_code, late.json()["error"]) == (504, "CallTimeout")
        assert http.get("/health").status_code == 503
        circle.start()
        wait_until_connected(http)
        assert http.get("/health").status_code == 200


def test_an_error_of_the_circle_is_told(http: TestClient) -> None:
    refused = http.get("/calculate", params={"script": "one"})
    assert refused.status_code == 422
    assert "that is no sum" in refused.json()["message"]


def test_a_call_that_may_have_run_is_not_repeated(http: TestClient, circle: Circle) -> None:
    wait_until_connected(http)
    circle.cut_after("play")
    unknown = http.get("/calculate", params={"script": "1 + 1"})
    assert (unknown.status_code, unknown.json()["error"]) == (502, "OutcomeUnknown")
    assert len(circle.calls("play")) == 1


def test_a_rejected_key_is_told_by_health(circle: Circle) -> None:
    circle.reject_sign_in(math.inf)
    with service(circle) as http:
        assert http.get("/calculate", params={"script": "1 + 1"}).status_code == 503
        health = http.get("/health")
    assert (health.status_code, health.json()["circle"]) == (503, "failed")
    assert "refused the signature" in health.json()["failure"]
