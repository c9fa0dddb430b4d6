// @ai-sdk/mcp: tools as the AI SDK has them. It asks for the newest revision first and falls back on one connection.
import { command, describeBlocks, environ, run, url } from "./_checks.mjs";
import { load } from "./_packages.mjs";

const { createMCPClient } = await load("@ai-sdk/mcp");
const { Experimental_StdioMCPTransport: StdioTransport } = await load("@ai-sdk/mcp/mcp-stdio");

const [program, ...args] = command;
const client = await createMCPClient({
  transport: url ? { type: "http", url } : new StdioTransport({ command: program, args, env: environ }),
});
const tools = await client.tools();
await run(Object.keys(tools), async (name, args) => {
  const output = await tools[name].execute(args, { toolCallId: "1", messages: [] });
  return describeBlocks(output.content ?? output);
});
