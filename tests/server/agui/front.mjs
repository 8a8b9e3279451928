// A chat front end on the protocol's own client: asks, answers an interrupt with edited arguments, and tells what it saw.
import { createRequire } from "node:module";
const require = createRequire(process.argv[2] + "/");
const { HttpAgent } = require("@ag-ui/client");

const agent = new HttpAgent({ url: process.argv[3], threadId: process.argv[4] });
const seen = [];
const subscriber = { onEvent: ({ event }) => { seen.push(event); } };

agent.setMessages([{ id: "m1", role: "user", content: process.argv[5] }]);
await agent.runAgent({}, subscriber);
const outcome = seen.at(-1).outcome;
const first = seen.map((event) => event.type);
let resumed = [];
if (outcome?.type === "interrupt") {
  seen.length = 0;
  const resume = outcome.interrupts.map((one) => ({
    interruptId: one.id,
    status: "resolved",
    payload: { approved: true, editedArgs: { customer: "zoe", amount: 7 } },
  }));
  await agent.runAgent({ resume }, subscriber);
  resumed = seen.map((event) => event.type);
}
console.log(JSON.stringify({ first, resumed, messages: agent.messages, state: agent.state }));
