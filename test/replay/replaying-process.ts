import "reflect-metadata";
import { Ledger } from "./ledger.js";

/** A process that replays the ledger of `LEDGER_URL` to the bookmark "past", says so before, and can be killed meanwhile. */
const ledger = await Ledger.open(process.env["LEDGER_URL"] ?? "", { accounts: 0, poolSize: 2 });
process.stdout.write("replaying\n");
await ledger.log.replay({ bookmark: "past" });
await ledger.close();
