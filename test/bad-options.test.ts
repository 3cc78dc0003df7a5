import { inspect } from "node:util";
import { DataSource, type DataSourceOptions } from "typeorm";
import { eventLog, type EventLogOptions, override, Tracked, upcast, withEventLog } from "../src/index.js";
import { rejectionOf } from "./replay/application.js";
import { newDataSource } from "./tracked-application.js";
import { Account, errorOf, expectTyped } from "./typed-errors.js";

const postgres: DataSourceOptions = { type: "postgres", url: "postgres://nowhere", entities: [Account] };

describe("bad input to withEventLog", () => {
  const wrong: readonly [unknown, ...string[]][] = [
    [null, "options", "null"],
    [[], "options"],
    ["chronicle", "options"],
    [{ shcema: "x" }, 'unknown option "shcema"', 'Did you mean "schema"?'],
    [{ schema: 7 }, "schema", "7"],
    [{ schema: "" }, "schema"],
    [{ schema: "a".repeat(64) }, "schema"],
    [{ schema: "a\0b" }, "schema"],
    [{ capture: "triggers" }, "capture", '"triggers"'],
    [{ uncaptured: "log" }, "uncaptured"],
    [{ requireActor: "yes" }, "requireActor", '"yes"'],
    [{ clockSkewSeconds: -1 }, "clockSkewSeconds"],
    [{ clockSkewSeconds: Number.NaN }, "clockSkewSeconds"],
    [{ limits: 7 }, "limits", "7"],
    [{ limits: { metadataBytes: 0 } }, "limits.metadataBytes", "positive integer", "0"],
    [{ limits: { depth: 1.5 } }, "limits.depth"],
    [{ limits: { bytes: 1 } }, 'unknown option "limits.bytes"', "limits takes metadataBytes, dataBytes, depth."],
    [{ lock: { mode: "none" } }, "lock.mode"],
    [{ lock: { key: 1.5 } }, "lock.key"],
    [{ lock: { key: [1, 2, 3] } }, "lock.key"],
    [{ lock: { key: 2n ** 70n } }, "lock.key"],
    [{ lock: { name: "x" } }, 'unknown option "lock.name"'],
    [{ replay: 7 }, "replay"],
    [{ replay: { upcaster: [] } }, "replay", "upcaster"],
    [{ replay: { overrides: [() => undefined] } }, "override"],
  ];
  for (const [options, ...words] of wrong) {
    it(`refuses ${inspect(options, { breakLength: Infinity }).slice(0, 60)}`, () => {
      expectTyped(
        errorOf(() => withEventLog(postgres, options as EventLogOptions)),
        "OPTIONS_INVALID",
        ...words,
      );
    });
  }

  it("tells everything that is wrong in one list", () => {
    const error = errorOf(() => withEventLog(postgres, { schema: 7, limits: { depth: 0 }, colour: 1 } as object));
    expectTyped(error, "OPTIONS_INVALID", "schema", "limits.depth", "colour");
  });

  it("refuses another database, pg-native, and options that went through it already", () => {
    expectTyped(
      errorOf(() => withEventLog({ type: "mysql", url: "mysql://nowhere" })),
      "DATABASE_UNSUPPORTED",
      "mysql",
    );
    expectTyped(
      errorOf(() => withEventLog({ ...postgres, nativeDriver: {} })),
      "DATABASE_UNSUPPORTED",
      "pg-native",
    );
    expectTyped(
      errorOf(() => withEventLog(withEventLog(postgres))),
      "OPTIONS_INVALID",
      "already",
    );
  });

  it("is told from a DataSource that did not go through it, and from one that is not initialized", async () => {
    expectTyped(
      errorOf(() => eventLog(new DataSource(postgres))),
      "NOT_ATTACHED",
      "withEventLog",
    );
    const log = eventLog(newDataSource("postgres://nowhere", [Account]));
    for (const call of [() => log.status(), () => log.bookmark("x"), () => log.verify()])
      expectTyped(await rejectionOf(call()), "NOT_ATTACHED", "initialize");
  });
});

describe("bad input to @Tracked, upcast and override", () => {
  const trackedOptions: readonly [unknown, ...string[]][] = [
    [{ verison: 2 }, "verison"],
    [{ version: 0 }, "version", "0"],
    [{ version: 1.5 }, "version"],
    [{ version: 2 ** 40 }, "version"],
    [{ version: { created: 2 } }, "version", "created"],
    [{ name: "" }, "name"],
    [{ formerly: "Old" }, "formerly"],
    [{ exclude: [7] }, "exclude"],
    [{ actions: ["create"] }, "actions", "auditOnly"],
    [{ auditOnly: true, actions: ["insert"] }, "actions", "insert"],
    [{ auditOnly: "yes" }, "auditOnly"],
    [{ tenant: 7 }, "tenant"],
  ];
  for (const [options, ...words] of trackedOptions) {
    it(`refuses @Tracked(${JSON.stringify(options)})`, () => {
      const decorate = () => Tracked(options as object)(class Wrong {});
      expectTyped(errorOf(decorate), "OPTIONS_INVALID", "@Tracked on Wrong", ...words);
    });
  }

  it("refuses handlers that could not work", () => {
    const handler = () => undefined;
    for (const make of [
      () => upcast(Account, "destroy" as "create", { from: 1 }, (row) => row),
      () => upcast(Account, "insert" as "create", { from: 1 }, (row) => row),
      () => upcast(Account, "create", { from: 0 }, (row) => row),
      () => upcast(Account, "create", { from: 1 }, undefined as never),
      () => override(Account, "remove" as "create", { versions: [1] }, handler),
      () => override(Account, "create", { versions: [] }, handler),
      () => override(Account, "create", { versions: ["1"] as never }, handler),
      () => override(Account, "create", { versions: [1] }, undefined as never),
    ])
      expectTyped(errorOf(make), "OPTIONS_INVALID");
  });
});
