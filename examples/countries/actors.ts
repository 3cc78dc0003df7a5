import type { RequestContext } from "../../src/index.js";

/** Who writes in this demo. In an application the middleware makes such a context of the request. */
export const importJob: RequestContext = {
  actor: { type: "job", id: "import", name: "Import" },
  metadata: { source: "world-countries", reason: "First import" },
};
export const deployJob: RequestContext = { actor: { type: "job", id: "deploy", name: "Deployment" } };
export const nightlyJob: RequestContext = { actor: { type: "job", id: "nightly", name: "Nightly job" } };
export const ada: RequestContext = { actor: { type: "user", id: "1", name: "Ada" } };
export const grace: RequestContext = { actor: { type: "user", id: "2", name: "Grace" } };
export const linus: RequestContext = { actor: { type: "user", id: "3", name: "Linus" } };
export const operator: RequestContext = { actor: { type: "user", id: "4", name: "Margaret" } };
