"""Proves that the connection options reach the circle, and what is said about files of another kind."""

from pathlib import Path

import pytest

from circle_ws.cli.connection import Connection
from circle_ws.cli.output import ExitCode
from tests.native.command_line import invoke
from tests.support.peers import Peers


async def test_headers_subprotocols_and_compression_are_in_the_opening_handshake(peers: Peers, tmp_path: Path) -> None:
    """Headers of the command line and of a file; the last of a name holds."""
    file = tmp_path / "headers"
    file.write_text("X-Token: a:b\n\n  X-Of-File :  yes  \n", "utf-8")
    opening = await peers.start("opening", take="circle")
    connection = Connection(
        opening.url,
        header=["X-Token: other", "X-Given:1", f"@{file}"],
        subprotocol=["other", "circle"],
        compression=True,
        proxy="none",
    )
    async with connection.builder().build():
        pass
    [sent] = [dict(one) for one in await opening.ask("requests")]
    assert (sent["X-Token"], sent["X-Given"], sent["X-Of-File"]) == ("a:b", "1", "yes")
    assert [name.strip() for name in sent["Sec-WebSocket-Protocol"].split(",")] == ["other", "circle"]
    assert "permessage-deflate" in sent["Sec-WebSocket-Extensions"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--header=@FILE", "is no text in UTF-8"),
        ("--ca-file=FILE", "holds no certificates in PEM"),
    ],
)
def test_a_file_of_something_else_is_one_sentence(tmp_path: Path, option: str, words: str) -> None:
    """What it holds is not repeated: it may be a secret."""
    file = tmp_path / "file"
    file.write_bytes(b"\xff hunter2")
    done = invoke("call", "wss://127.0.0.1:1/", "whoami", option.replace("FILE", str(file)))
    assert (done.exit_code, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr == f"{option.partition('=')[0]} {option.partition('=')[2].replace('FILE', str(file))} {words}\n"
