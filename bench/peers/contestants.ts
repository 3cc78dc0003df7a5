import { DataSource, type DataSourceOptions } from "typeorm";
import { eventLog, withEventLog } from "../../src/index.js";
import { Account } from "../capture/account.js";
import { inRequest } from "../capture/context.js";
import { fill } from "../capture/sources.js";
import { ashEvents, AshEventsSubscriber, updateByCriteria } from "./ash-events.js";
import { auditing, type History, history } from "./histories.js";

type PostgresOptions = Extract<DataSourceOptions, { type: "postgres" }>;

/** One way to keep a history, beside plain TypeORM, which is the first. */
export interface Contestant {
  readonly name: string;
  /** Whether it keeps one order of commits for all, and so is compared with AshEvents' way. */
  readonly isExclusive: boolean;
  /** Whether it is one of ours in another setting, for the exclusive order alone. */
  readonly isVariation: boolean;
  readonly optionsOf: (plain: PostgresOptions) => PostgresOptions;
  /** What is to be done once the tables are there. */
  readonly install: (dataSource: DataSource) => Promise<unknown>;
  /** Where it records, or undefined where it does not. */
  readonly table: string | undefined;
  readonly wrap: <T>(work: () => T) => T;
  readonly updateAll: (dataSource: DataSource, city: string) => Promise<unknown>;
}

const plain: Contestant = {
  name: "plain",
  isExclusive: false,
  isVariation: false,
  optionsOf: (options) => options,
  install: () => Promise.resolve(),
  table: undefined,
  wrap: (work) => work(),
  updateAll: (dataSource, city) =>
    dataSource.createQueryBuilder().update(Account).set({ city }).where("id <= 1000").execute(),
};

function ours(name: string, options: Parameters<typeof withEventLog>[1]): Contestant {
  return {
    ...plain,
    name,
    isExclusive: options?.lock?.mode === "exclusive",
    isVariation: options?.lock?.mode === "exclusive",
    optionsOf: (given) => withEventLog(given, options),
    install: (dataSource) => eventLog(dataSource).install(),
    table: "chronicle.event",
    wrap: inRequest,
  };
}

function peer(name: string, { table, entity, subscriber }: History): Contestant {
  return {
    ...plain,
    name,
    table,
    optionsOf: (options) => ({ ...options, entities: [Account, entity], subscribers: [subscriber] }),
  };
}

function packages(load: (name: string) => unknown): Contestant[] {
  return [
    peer("typeorm-auditing", auditing(load("typeorm-auditing") as Parameters<typeof auditing>[0])),
    ...["@anchan828/typeorm-history", "@operato/typeorm-history"].map((name) =>
      peer(name, history(load(name) as Parameters<typeof history>[0], `${name.replace(/\W+/g, "_").slice(1)}_account`)),
    ),
  ];
}

/** `load` gives the other packages; without it, there is only what is written here. */
export function contestants(load?: (name: string) => unknown): Contestant[] {
  const subscriber = { capture: "subscriber", uncaptured: "ignore" } as const;
  return [
    plain,
    ours("triggers", {}),
    ours("subscriber", subscriber),
    {
      ...plain,
      name: "AshEvents' way",
      isExclusive: true,
      optionsOf: (options) => ({ ...options, subscribers: [AshEventsSubscriber] }),
      install: (dataSource) => dataSource.query(ashEvents.createTable),
      table: ashEvents.table,
      updateAll: updateByCriteria,
    },
    ...(load === undefined ? [] : packages(load)),
    ours("triggers, exclusive", { lock: { mode: "exclusive" } }),
    ours("subscriber, exclusive", { ...subscriber, lock: { mode: "exclusive" } }),
  ];
}

/** The contestants' DataSources on `urls`, each on a database of its own, which is made and filled alike at `direct`, without a network. */
export async function withDataSources<T>(
  all: readonly Contestant[],
  { direct, urls }: { readonly direct: readonly string[]; readonly urls: readonly string[] },
  work: (dataSources: readonly DataSource[]) => Promise<T>,
): Promise<T> {
  const made = (url = "", { optionsOf }: Contestant) =>
    new DataSource(optionsOf({ type: "postgres", url, entities: [Account], poolSize: 16 }));
  for (const [index, contestant] of all.entries()) {
    const dataSource = await made(direct[index], contestant).initialize();
    try {
      await dataSource.synchronize();
      await contestant.install(dataSource);
      await fill(dataSource);
    } finally {
      await dataSource.destroy();
    }
  }
  const dataSources = all.map((contestant, index) => made(urls[index], contestant));
  try {
    for (const dataSource of dataSources) await dataSource.initialize();
    return await work(dataSources);
  } finally {
    for (const dataSource of dataSources) if (dataSource.isInitialized) await dataSource.destroy();
  }
}
