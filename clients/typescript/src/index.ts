import createClient, { type Client } from "openapi-fetch";

import { patient, type Fetch } from "./fetching.js";
import type { components, paths } from "./schema.js";
import { follow, type Envelope, type Following } from "./streaming.js";

export { WeftError, type Problem } from "./errors.js";
export type { Envelope, Following } from "./streaming.js";
export type { components, paths } from "./schema.js";

/** What the service answers with, by name: `Shape<"RunView">`. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];

export interface Options {
  /** Where the service is; this machine by default. */
  url?: string;
  /** What is shown as a bearer token. */
  token?: string;
  /** How often what does no harm is tried again. */
  retries?: number;
  fetch?: Fetch;
}

/** A client of a running Weft service. */
export class Weft {
  /** Every operation of the OpenAPI document: `weft.api.GET("/api/v1/runs")`. An error is thrown as a `WeftError`. */
  readonly api: Client<paths>;
  readonly url: string;
  readonly #headers: Record<string, string>;
  readonly #fetch: Fetch;

  constructor({ url = "http://127.0.0.1:8480", token, retries = 4, fetch: send = (input) => fetch(input) }: Options = {}) {
    this.url = url.replace(/\/+$/, "");
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
    this.#fetch = send;
    this.api = createClient<paths>({
      baseUrl: this.url,
      headers: this.#headers,
      fetch: patient(this.url, retries, send),
    });
  }

  /** Start a run. Trying again by itself never starts a second one. */
  start(
    workflow: string,
    inputs: Record<string, unknown> = {},
    more: Partial<Shape<"StartRun">> & { key?: string } = {},
  ): Promise<Shape<"RunView">> {
    const { key, ...rest } = more;
    const header = key === undefined ? {} : { "Idempotency-Key": key };
    const body = { ...rest, workflow, inputs } as Shape<"StartRun">;
    return data(this.api.POST("/api/v1/runs", { params: { header }, body }));
  }

  /** Answer a gate. */
  decide(gate: string, decision: Shape<"Decision">): Promise<Shape<"Decided">> {
    return data(this.api.POST("/api/v1/gates/{gate_id}/decide", { params: { path: { gate_id: gate } }, body: decision }));
  }

  /** What has happened to a run and what comes, until it ends; a broken connection goes on where it broke. */
  stream(run: string, options: Following = {}): AsyncGenerator<Envelope> {
    const url = `${this.url}/api/v1/runs/${encodeURIComponent(run)}/stream`;
    return follow(url, this.#headers, this.#fetch, true, options);
  }

  /** News of all runs and gates, and of the runs named as `run/ID`, from now on. */
  news(topics: string[] = ["runs", "gates"], options: Following = {}): AsyncGenerator<Envelope> {
    const url = `${this.url}/api/v1/stream?topics=${encodeURIComponent(topics.join(","))}`;
    return follow(url, this.#headers, this.#fetch, false, options);
  }
}

/** What an operation answers with; what went wrong was thrown before. */
export async function data<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}

/** All items of a list, page after page: `items((cursor) => weft.api.GET("/api/v1/runs", { params: { query: { cursor } } }))`. */
export async function* items<T>(
  page: (cursor?: string) => Promise<{ data?: { items: T[]; next?: string | null } }>,
): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const found = await data(page(cursor));
    yield* found.items;
    cursor = found.next ?? undefined;
  } while (cursor !== undefined);
}
