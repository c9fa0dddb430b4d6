// The TypeScript SDK's client.
import { command, describeBlocks, environ, run, url } from "./_checks.mjs";
import { load } from "./_packages.mjs";

const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = await load("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");

const client = new Client({ name: "interop", version: "1" });
const [program, ...args] = command;
await client.connect(
  url ? new StreamableHTTPClientTransport(new URL(url)) : new StdioClientTransport({ command: program, args, env: environ }),
);
const { tools } = await client.listTools();
await run(
  tools.map(({ name }) => name),
  async (name, args) => describeBlocks((await client.callTool({ name, arguments: args })).content),
);
