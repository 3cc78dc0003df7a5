import type { Attack } from "./attacks/attack.js";
import { possible, repelled, stopScene } from "./attacks/campaign.js";
import { filesAttacks } from "./attacks/files.js";
import { httpAttacks } from "./attacks/http.js";
import { limitsAttacks } from "./attacks/limits.js";
import { namesAttacks } from "./attacks/names.js";
import { originAttacks } from "./attacks/origin.js";
import { permissionAttacks } from "./attacks/permission.js";
import { remainingAttacks } from "./attacks/remaining.js";
import { rightsAttacks } from "./attacks/rights.js";

/** By kind, as dev/attacks.mjs counts them. */
const kinds: Readonly<Record<string, readonly Attack[]>> = {
  "names that anybody may make": namesAttacks,
  "rights from elsewhere": rightsAttacks,
  "what looks like permission": permissionAttacks,
  "words of the log's own": originAttacks,
  "size, and secrets in texts": limitsAttacks,
  "files of others": filesAttacks,
  "HTTP clients": httpAttacks,
};

describe("attacks", () => {
  after(stopScene);

  for (const [kind, attacks] of Object.entries(kinds)) describe(`by ${kind}`, () => repelled(attacks));

  describe("that SECURITY.md does not promise to repel", () => possible(remainingAttacks));
});
