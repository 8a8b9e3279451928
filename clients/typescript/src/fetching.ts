import { refusal, unreachable, WeftError } from "./errors.js";

const KEY = "Idempotency-Key";
const PASSING = new Set([502, 503, 504]);
const LONGEST_ASKED_S = 30;

export type Fetch = (input: Request) => Promise<Response>;

/** How long to wait before the next attempt, in milliseconds: what was asked for, else longer each time. */
export function pause(attempt: number, error?: WeftError): number {
  if (error?.retryAfter !== undefined) return error.retryAfter * 1000;
  return Math.min(5000, 200 * 2 ** attempt) * (0.5 + Math.random() / 2);
}

export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    function stop() {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Whether a request creates something that a key names, so that sending it again finds it. */
function creates(request: Request): boolean {
  return request.method === "POST" && /\/api\/v1\/(runs|sessions\/[^/]+\/turns)$/.test(new URL(request.url).pathname);
}

/** A fetch that tries again what does no harm, and throws the service's own errors. */
export function patient(base: string, retries: number, send: Fetch): Fetch {
  return async (first) => {
    const request = new Request(first);
    if (creates(request) && !request.headers.has(KEY)) request.headers.set(KEY, crypto.randomUUID());
    const harmless = ["GET", "HEAD", "PUT"].includes(request.method) || request.headers.has(KEY);
    for (let attempt = 0; ; attempt++) {
      let error: WeftError;
      let again: boolean;
      try {
        const response = await send(request.clone());
        if (response.ok) return response;
        error = await refusal(response);
        // Whoever asks to slow down has done nothing yet.
        again = response.status === 429 || (harmless && PASSING.has(response.status));
      } catch (cause) {
        if (request.signal.aborted) throw cause;
        error = cause instanceof WeftError ? cause : unreachable(base, cause);
        again = harmless;
      }
      if (!again || attempt >= retries || (error.retryAfter ?? 0) > LONGEST_ASKED_S) throw error;
      await sleep(pause(attempt, error), request.signal);
    }
  };
}
