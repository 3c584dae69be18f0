// Makes clients in a Node that has no WebSocket: node without_websocket.mjs BUNDLE
import process from "node:process";

// Node 20 has none unless it is told to; later ones have it by themselves.
delete globalThis.WebSocket;
const files = `${process.argv[2]}/`;
const { loadPyodide } = await import(`${files}pyodide.mjs`);
const pyodide = await loadPyodide();
await pyodide.loadPackage(["circle-ws"], { messageCallback: () => {} });
await pyodide.runPythonAsync(`
import circle_ws

URL = "ws://127.0.0.1:1/"
for make in (
    lambda: circle_ws.CircleWsClientBuilder(URL).build(),
    lambda: circle_ws.CircleWsClient(circle_ws.ClientConfig(URL)),
    lambda: circle_ws.connect(URL),
):
    try:
        make()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
print("Python goes on")
`);
