// A chat front end on the protocol's own client that goes away in the middle and comes back, and whose service dies while it asks.
import { createInterface } from "node:readline/promises";
import { createRequire } from "node:module";
const require = createRequire(process.argv[2] + "/");
const { HttpAgent } = require("@ag-ui/client");

const agent = new HttpAgent({ url: process.argv[3], threadId: process.argv[4] });
const ask = [{ id: "m1", role: "user", content: process.argv[5] }];
const runId = crypto.randomUUID();

// It leaves as soon as the run has begun, and asks for the same run again.
agent.setMessages(ask);
await agent.runAgent({ runId }, { onEvent: ({ event }) => { if (event.type === "STEP_STARTED") agent.abortRun(); } }).catch(() => {});
const seen = [];
const subscriber = { onEvent: ({ event }) => { seen.push(event); } };
const back = new HttpAgent({ url: process.argv[3], threadId: process.argv[4] });
back.setMessages(ask);
await back.runAgent({ runId }, subscriber);
const outcome = seen.at(-1).outcome;
const first = seen.map((event) => event.type);
console.log(JSON.stringify({ asked: outcome?.interrupts?.length ?? 0 }));

// Meanwhile the service is killed and started again.
const lines = createInterface({ input: process.stdin });
await lines.question("");
lines.close();
seen.length = 0;
const resume = outcome.interrupts.map((one) => ({
  interruptId: one.id,
  status: "resolved",
  payload: { approved: true, editedArgs: { customer: "una", amount: 8 } },
}));
await back.runAgent({ resume }, subscriber);
console.log(JSON.stringify({ first, resumed: seen.map((event) => event.type), messages: back.messages }));
