// The extension's own package: its session over a port, which here is either transport in its plainest form.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { command, describeBlocks, environ, run, url } from "./_checks.mjs";
import { load } from "./_packages.mjs";

const { withTasks } = await load("@modelcontextprotocol/ext-tasks/client");
const { DetailedTaskV2Schema, CreateTaskResultV2Schema } = await load("@modelcontextprotocol/ext-tasks/core/v2");
const REVISION = "2026-07-28";
const META = {
  "io.modelcontextprotocol/protocolVersion": REVISION,
  "io.modelcontextprotocol/clientInfo": { name: "interop", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": { extensions: { "io.modelcontextprotocol/tasks": {} } },
};
const seen = { tasks: 0 };
let lastId = 0;

function openPipe() {
  const [program, ...args] = command;
  const server = spawn(program, args, { env: environ, stdio: ["pipe", "pipe", "inherit"] });
  const waiting = new Map();
  createInterface({ input: server.stdout }).on("line", (line) => {
    const message = JSON.parse(line);
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  });
  return (message) =>
    new Promise((resolve) => {
      waiting.set(message.id, resolve);
      server.stdin.write(JSON.stringify(message) + "\n");
    });
}

async function post(message) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": REVISION,
      "mcp-method": message.method,
      "mcp-name": message.params.taskId ?? message.params.name ?? "",
    },
    body: JSON.stringify(message),
  });
  const text = await response.text();
  const data = text.split("\n").filter((line) => line.startsWith("data:")).at(-1);
  return JSON.parse(data ? data.slice(5) : text);
}

const send = url ? post : openPipe();

async function dispatch({ method, params }) {
  const message = { jsonrpc: "2.0", id: ++lastId, method, params: { ...params, _meta: { ...params?._meta, ...META } } };
  const answer = await send(message);
  if (answer.error) return { kind: "error", error: answer.error };
  // By the schemas of the extension: the session itself reads less strictly.
  if (answer.result.resultType === "task") CreateTaskResultV2Schema.parse(answer.result);
  if (method === "tasks/get") seen.tasks += DetailedTaskV2Schema.parse(answer.result) ? 1 : 0;
  return { kind: "result", result: answer.result };
}

const nothing = () => () => {};
const session = withTasks({
  endpointId: "atelier",
  taskCapabilities: { generation: "v2", capabilities: {} },
  dispatch,
  onServerRequest: nothing,
  onNotification: nothing,
  onInvalidated: nothing,
  invalidated: false,
});
const discovered = await dispatch({ method: "server/discover" });
if (!discovered.result.capabilities.extensions["io.modelcontextprotocol/tasks"]) throw new Error("no tasks here");
const { result } = await dispatch({ method: "tools/list" });
await run(
  result.tools.map(({ name }) => name),
  async (name, args) => {
    const before = seen.tasks;
    const { outcome } = await (await session.callTool(name, args)).settle();
    if (args.width && seen.tasks === before) throw new Error("a picture was no task");
    return describeBlocks(outcome.result.content);
  },
);
