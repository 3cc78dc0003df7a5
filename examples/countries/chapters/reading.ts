import type { RecordedEvent } from "../../../src/index.js";
import { Contact, Country } from "../model.js";
import { tryToRewriteHistory } from "../proof.js";
import { countEvents, lastOfEachRequest, oldVersions } from "../reading.js";
import type { Stage } from "./stage.js";

/** What the log tells: the last requests, one record's life, an event of version 1. */
export async function read({ log, report, expect }: Stage): Promise<void> {
  report.tell("requests", { lastEvents: await lastOfEachRequest(log, 12) });

  const events = await log.history(Country, "HMD");
  report.tell("history", { name: "Heard Island and McDonald Islands", events });
  expect(events[0]?.action === "create", "The history of HMD does not begin with its creation.");

  const updates: RecordedEvent[] = [];
  for await (const event of log.events({ entity: Contact, action: "update" })) updates.push(event);
  const leaks = await countEvents(log, (event) => JSON.stringify(event).includes("@example.org"));
  report.tell("sensitive", { updates, leaks });
  expect(leaks === 0, `An e-mail address can be read in ${leaks} events.`);

  const old = await oldVersions(log, "GEL");
  report.tell("versions", { old });
  expect(
    old.at(-1)?.today?.name === "Georgian lari" && old.at(-1)?.today?.symbol === "₾",
    "The version 1 events of GEL do not come out as name and symbol.",
  );
}

/** The log's owner tries to rewrite it. */
export async function tamper({ client, report, expect }: Stage): Promise<void> {
  const attempts = await tryToRewriteHistory(client);
  report.tell("appendOnly", { attempts });
  for (const { statement, refusal } of attempts) expect(refusal !== null, `The database did not refuse: ${statement}`);
}
