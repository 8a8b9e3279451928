import { refusal, unreachable, WeftError } from "./errors.js";
import { pause, sleep, type Fetch } from "./fetching.js";

/** One message of a stream. `type` is an event's kind, or `delta` for streamed text; `at` is in microseconds. */
export interface Envelope {
  seq: number;
  topic: string;
  type: string;
  at: number;
  data: unknown;
  /** Where a stream goes on after it, if it can. */
  id?: string;
}

export interface Following {
  /** Where to begin: after this event, or after this id. */
  last?: string | number;
  signal?: AbortSignal;
}

const ENDS = new Set(["run.completed", "run.failed", "run.cancelled"]);
const SILENCE_MS = 50_000;
const PATIENCE = 24;
const LONGEST = 33_554_432;

/** The messages of a stream, over as many connections as it takes. With `ends`, the last event of a run ends it. */
export async function* follow(
  url: string,
  headers: Record<string, string>,
  send: Fetch,
  ends: boolean,
  { last, signal }: Following,
): AsyncGenerator<Envelope> {
  let place = last === undefined ? "" : String(last);
  let failures = 0;
  let silent = 0;
  for (;;) {
    const silence = new AbortController();
    const signals = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
    let wait: number;
    try {
      const asked = { ...headers, Accept: "text/event-stream", ...(place ? { "Last-Event-ID": place } : {}) };
      const response = await send(new Request(url, { headers: asked, signal: signals }));
      if (!response.ok) throw await refusal(response);
      let heard = false;
      for await (const envelope of messages(response, silence)) {
        heard = true;
        failures = silent = 0;
        place = envelope.id ?? place;
        yield envelope;
        if (ends && ENDS.has(envelope.type)) return;
      }
      // A service that stops ends its streams; one that has no more to say of a run does so again at once.
      silent = heard ? 0 : silent + 1;
      if (ends && silent >= 2) return;
      wait = pause(silent);
    } catch (cause) {
      if (signal?.aborted) throw cause;
      const error = cause instanceof WeftError ? cause : unreachable(url, cause);
      if (!["transient", "rate-limited"].includes(error.code) || ++failures > PATIENCE) throw error;
      wait = pause(failures - 1, error);
    } finally {
      silence.abort();
    }
    await sleep(wait, signal);
  }
}

async function* messages(response: Response, silence: AbortController): AsyncGenerator<Envelope> {
  if (!response.body) return;
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let rest = "";
  try {
    for (;;) {
      const timer = setTimeout(() => silence.abort(new Error("nothing was said for too long")), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      rest += decoder.decode(value, { stream: true }).replaceAll("\r", "");
      if (rest.length > LONGEST) throw new WeftError({ code: "mismatch", detail: "a message of the stream is too long" });
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const envelope = read(block);
        if (envelope) yield envelope;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function read(block: string): Envelope | undefined {
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    else if (line.startsWith("id:")) id = line.slice(3).trim();
  }
  if (!data.length) return undefined;
  try {
    const envelope = JSON.parse(data.join("\n")) as Envelope;
    return id === undefined ? envelope : { ...envelope, id };
  } catch (cause) {
    throw new WeftError({ code: "mismatch", detail: "the stream sends what this client does not know" }, undefined, {
      cause,
    });
  }
}
