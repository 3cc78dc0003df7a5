import { withRequestContext } from "../../src/index.js";

/** Runs `work` as a request's handler would be run: who acts, for whom, and why. */
export function inRequest<T>(work: () => T): T {
  return withRequestContext(
    {
      actor: { type: "user", id: "5f7c2f0e-8f3d-4c57-9a25-0f6d8c3b2a11", name: "ada@example.com" },
      tenant: "acme",
      metadata: { source: "api", requestId: "req-0000001" },
    },
    work,
  );
}
