/** What the service says is wrong, as RFC 9457 has it and with Weft's own members. */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  instance?: string | null;
  code?: string;
  fix?: string | null;
  place?: Record<string, unknown> | null;
  ids?: Record<string, unknown> | null;
  problems?: Record<string, unknown>[] | null;
}

/** An error of the service or of the way to it. `code` names its kind, such as `not-found`; `fix` says what to do. */
export class WeftError extends Error {
  readonly code: string;
  readonly status: number | undefined;
  readonly fix: string;
  readonly place: Record<string, unknown>;
  readonly ids: Record<string, unknown>;
  readonly problems: Record<string, unknown>[];
  /** Seconds after which to try again, where the service says so. */
  readonly retryAfter: number | undefined;

  constructor(problem: Problem, retryAfter?: number, options?: ErrorOptions) {
    super(problem.detail ?? "", options);
    this.name = "WeftError";
    this.code = problem.code ?? "internal";
    this.status = problem.status;
    this.fix = problem.fix ?? "";
    this.place = problem.place ?? {};
    this.ids = problem.ids ?? {};
    this.problems = problem.problems ?? [];
    this.retryAfter = retryAfter;
  }
}

const KINDS: Record<number, string> = {
  401: "auth",
  403: "policy",
  404: "not-found",
  409: "conflict",
  429: "rate-limited",
};

/** The error that an answer without success means, also when a proxy gave it. */
export async function refusal(response: Response): Promise<WeftError> {
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  const retryAfter = Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
  let problem: Problem | undefined;
  try {
    problem = (await response.json()) as Problem;
  } catch {
    problem = undefined;
  }
  if (typeof problem?.code === "string") {
    return new WeftError({ status: response.status, ...problem }, retryAfter);
  }
  const code = KINDS[response.status] ?? (response.status >= 500 ? "transient" : "input");
  const detail = `the answer has the status ${response.status} and is none of Weft's`;
  return new WeftError({ code, status: response.status, detail, fix: "check the address of the service" }, retryAfter);
}

/** The error that a broken way means. */
export function unreachable(url: string, cause: unknown): WeftError {
  const detail = `the service at ${url} cannot be reached`;
  return new WeftError({ code: "transient", detail, fix: "`weft up` starts one; check the address" }, undefined, {
    cause,
  });
}
