// The Anthropic SDK's helpers in TypeScript.
import { command, describeBlocks, environ, run, url } from "./_checks.mjs";
import { load } from "./_packages.mjs";

const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = await load("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { mcpTools } = await load("@anthropic-ai/sdk/helpers/beta/mcp");

const client = new Client({ name: "interop", version: "1" });
const [program, ...args] = command;
await client.connect(
  url ? new StreamableHTTPClientTransport(new URL(url)) : new StdioClientTransport({ command: program, args, env: environ }),
);
const { tools } = await client.listTools();
const byName = Object.fromEntries(mcpTools(tools, client).map((tool) => [tool.name, tool]));
await run(Object.keys(byName), async (name, args) => describeBlocks(await byName[name].run(args)));
