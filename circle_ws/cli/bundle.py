"""`bundle`: a folder for pages, with Pyodide, circle-ws and all it needs."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..bundle import builder
from ..bundle.cache import ToolError
from ..bundle.programs import Missing
from ..bundle.steps import telling
from .output import ExitCode, Json, fail, printable, reason, run, show, show_json
from .progress import spinner

__all__ = ["PAGE", "POLICY", "bundle", "steps_shown"]

PAGE = """\
<!doctype html>
<pre id="out">Python starts ...</pre>
<script type="module">
  import {{ loadPyodide }} from "./{name}/pyodide.mjs";
  const pyodide = await loadPyodide({{ packages: ["circle-ws"] }});
  await pyodide.runPythonAsync(`
    import circle_ws, js
    async with circle_ws.connect("ws://localhost:8765", private_key=circle_ws.KeyPair.generate()) as client:
        js.document.querySelector("#out").textContent = f"signed in: {{await client.whoami()}}"`);
</script>
"""
"""A page that signs in to a circle; `name` is the folder of the bundle, which is beside it."""

POLICY = "default-src 'self'; script-src 'self'{cdn} 'wasm-unsafe-eval'; connect-src 'self'{cdn} {circle}"
"""A strict content security policy for a page with the bundle. The guide has one that names the rest of a page too."""

_NEXT = """\
A page that signs in, say {page}:

{lines}
To try it, in two terminals:

  circle-ws serve
  python3 -m http.server --bind 127.0.0.1 --directory {root} 8000

and open http://127.0.0.1:8000/. Any server of files will do, if it sends .mjs as text/javascript and .wasm as
application/wasm. A strict content security policy is this one; with it the script is in a file of its own:

  {policy}"""


def bundle(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make; an older bundle is replaced.")],
    extra: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="REQUIREMENT", help="One more package, as 'pydantic>=2'; repeat it."),
    ] = None,
    cdn: Annotated[
        bool, typer.Option("--cdn", help="Leave Pyodide, and packages of its own, to its official CDN.")
    ] = False,
    pyodide: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An unpacked npm package of Pyodide; else it comes from npm.")
    ] = None,
    wheel: Annotated[
        list[Path] | None,
        typer.Option("--wheel", metavar="W", help="A wheel of yours, or the folder of a project; repeat it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make it anew even if it is fresh.")] = False,
    as_json: Json = False,
) -> None:
    """Make a folder for pages: Pyodide, circle-ws and what it needs, for any server of files."""
    if cdn and pyodide is not None:
        fail("--cdn leaves Pyodide to its CDN, so there is none to take from --pyodide", code=ExitCode.USAGE)
    source = "cdn" if cdn else str(pyodide) if pyodide else None
    options = {"pyodide": source, "extra": extra or [], "wheels": wheel or [], "reuse": not force}
    began = time.monotonic()
    try:
        made = run(_make(out, options))
    except (ToolError, Missing) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{out} cannot be made: {reason(error)}")
    told = _described(out, reused=not made)
    if as_json:
        show_json(told)
    else:
        _show(out, told, time.monotonic() - began)


async def _make(out: Path, options: dict[str, Any]) -> bool:
    with steps_shown():
        return await asyncio.to_thread(lambda: builder.build(out, **options))


@contextmanager
def steps_shown() -> Iterator[None]:
    """Show the steps of the block on stderr: by a spinner on a terminal, else as lines."""
    with spinner("looking for what makes bundles", otherwise=_tell) as say, telling(say):
        yield


def _tell(words: str) -> None:
    typer.echo(printable(words), err=True)


def _described(out: Path, *, reused: bool) -> dict[str, Any]:
    described = json.loads((out / "bundle.json").read_text(encoding="utf-8"))
    return {
        "out": str(out.resolve()),
        "reused": reused,
        "bytes": sum(path.stat().st_size for path in out.iterdir()),
        "pyodide": described["pyodide_version"],
        "cdn": described["cdn"],
        "packages": described["packages"],
    }


def _show(out: Path, told: dict[str, Any], seconds: float) -> None:
    """Print what there is now, and what to do with it."""
    whence = f"Pyodide {told['pyodide']}" + (", which pages load from its CDN," if told["cdn"] else "")
    became = "is fresh and stays as it is (--force makes it anew)" if told["reused"] else f"is ready in {seconds:.0f} s"
    show(printable(f"{out} {became}: {whence} with {', '.join(told['packages'])}; {told['bytes'] / 1e6:.1f} MB\n"))
    root = out.resolve().parent
    shown_root = out.parent if out.name else root
    origin = f" https://{told['cdn'].split('/')[2]}" if told["cdn"] else ""
    lines = "".join(f"  {line}\n" for line in PAGE.format(name=out.resolve().name).splitlines())
    policy = POLICY.format(cdn=origin, circle="ws://localhost:8765")
    show(printable(_NEXT.format(page=shown_root / "index.html", lines=lines, root=shown_root, policy=policy)))
