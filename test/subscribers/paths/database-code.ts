import { Account, Address, Entry, Memo, Page, Pledge, Reading, Station } from "../entities/machines.js";
import { type Desk, unique, type WritePaths } from "./write-path.js";

const anAccount = ({ manager }: Desk, more: Partial<Account> = {}): Promise<Account> =>
  manager.save(Object.assign(new Account(), { owner: unique("owner"), ...more }));

const anEntry = ({ manager }: Desk, account: Account, amount: number): Promise<Entry> =>
  manager.save(Object.assign(new Entry(), { account, amount }));

let lastReading = 0;
const aReading = async ({ manager }: Desk, day: string): Promise<Reading> => {
  const reading = Object.assign(new Reading(), { id: ++lastReading, day, value: 1, raw: { " kept ": 1 } });
  await manager.insert(Reading, reading);
  return reading;
};

export const databaseCode: WritePaths = {
  "an AFTER ROW trigger updates its own row": [
    { create: 1, update: 1 },
    ({ manager }) =>
      () =>
        manager.save(Object.assign(new Account(), { owner: "own row" })),
  ],
  "an AFTER ROW trigger updates its own rows, of several": [
    { update: 4 },
    async (desk) => {
      const ids = [(await anAccount(desk)).id, (await anAccount(desk)).id];
      return () => desk.manager.update(Account, ids, { balance: 7 });
    },
  ],
  "an AFTER ROW trigger updates other rows of its statement": [
    { create: 3, update: 3 },
    ({ manager }) => {
      const owner = unique("owner");
      return () => manager.save([1, 2, 3].map(() => Object.assign(new Address(), { owner, preferred: true })));
    },
  ],
  "an AFTER ROW trigger updates another row of its table": [
    { update: 2 },
    async ({ manager }) => {
      const owner = unique("owner");
      const [one, other] = await manager.save(
        [true, false].map((preferred) => Object.assign(new Address(), { owner, preferred })),
      );
      return () => manager.save([one!, Object.assign(other!, { preferred: true })]);
    },
  ],
  "an AFTER ROW trigger updates a parent, which updates itself": [
    { create: 2, update: 4 },
    async (desk) => {
      const account = await anAccount(desk);
      return () =>
        desk.manager.insert(
          Entry,
          [5, 6].map((amount) => ({ account, amount })),
        );
    },
  ],
  "an AFTER ROW trigger updates children": [
    { update: 3 },
    async (desk) => {
      const account = await anAccount(desk);
      for (const amount of [1, 2]) await anEntry(desk, account, amount);
      return () => desk.manager.update(Account, account.id, { owner: "somebody else" });
    },
  ],
  "a cascade fires an AFTER ROW trigger that updates the row that is gone": [
    { destroy: 2 },
    async (desk) => {
      const account = await anAccount(desk);
      await anEntry(desk, account, 3);
      return () => desk.manager.delete(Account, account.id);
    },
  ],
  "a BEFORE ROW trigger changes the row": [
    { create: 1, update: 1 },
    ({ manager }) =>
      async () => {
        const page = await manager.save(Object.assign(new Page(), { title: "On Engines" }));
        await manager.update(Page, page.id, { title: "On Looms" });
      },
  ],
  "a BEFORE ROW trigger keeps the row": [
    {},
    async ({ manager }) => {
      const page = await manager.save(Object.assign(new Page(), { title: "Kept", locked: true }));
      return () => manager.delete(Page, page.id);
    },
  ],
  "a rule writes instead": [
    { update: 1 },
    async ({ manager }) => {
      const { id } = await manager.save(Object.assign(new Memo(), { text: "to be hidden" }));
      return () => manager.delete(Memo, id);
    },
  ],
  "a rule writes also": [
    { create: 2 },
    ({ manager }) =>
      () =>
        manager.insert(Memo, { text: "Hidden From The Start", hidden: true }),
  ],
  "a function writes": [
    { update: 4 },
    async (desk) => {
      const [one, other] = [await anAccount(desk), await anAccount(desk)];
      return () => desk.manager.query("select move_balance($1, $2, 10)", [one.id, other.id]);
    },
  ],
  "a procedure writes": [
    { create: 1, update: 1 },
    ({ manager }) =>
      () =>
        manager.query("call open_account($1)", [unique("owner")]),
  ],
  "a deferred constraint trigger writes at COMMIT": [
    { create: 2, update: 2 },
    ({ manager }) =>
      () =>
        manager.save([1, 2].map((amount) => Object.assign(new Pledge(), { amount }))),
  ],
  "a deferred constraint trigger writes after an autocommit statement": [
    { create: 1, update: 1 },
    ({ manager }) =>
      () =>
        manager.insert(Pledge, { amount: 3 }),
  ],
  "a key change cascades within its table": [
    { create: 3, destroy: 3, update: 2 },
    async ({ manager }) => {
      const codes = ["a", "b", "c"].map((name) => unique(name));
      for (const [at, code] of codes.entries())
        await manager.insert(Station, { code, previous: codes[at - 1] ?? null });
      return () => manager.update(Station, codes, { code: () => "code || '!'" });
    },
  ],
  "writes to a partitioned table": [
    { create: 2, update: 1, destroy: 1 },
    (desk) => async () => {
      const [one, other] = [await aReading(desk, "2025-03-04"), await aReading(desk, "2026-03-04")];
      await desk.manager.update(Reading, { id: one.id }, { value: 2, raw: [1] });
      await desk.manager.delete(Reading, { id: other.id });
    },
  ],
  "writes to a partition itself": [
    { create: 1, update: 1, destroy: 1 },
    async (desk) => {
      const reading = await aReading(desk, "2025-05-06");
      return async () => {
        await desk.manager.query(
          `insert into reading_2026 (day, id, value) values ('2026-02-01', ${++lastReading}, 3)`,
        );
        await desk.manager.query(`update reading_2025 set value = 9 where id = ${reading.id}`);
        await desk.manager.query(`delete from reading_2026 where id = ${lastReading}`);
      };
    },
  ],
  "moves a row between partitions": [
    { create: 2, destroy: 2 },
    async (desk) => {
      const [one, other] = [await aReading(desk, "2025-07-08"), await aReading(desk, "2025-07-09")];
      return () =>
        desk.manager.query(`update reading set day = day + 365, value = 8 where id in (${one.id}, ${other.id})`);
    },
  ],
  "truncates a partition": [
    { destroy: 1 },
    async (desk) => {
      await aReading(desk, "1999-01-01");
      return async () => {
        await desk.oracle.noteTruncate("reading_other", "reading");
        await desk.manager.query("truncate reading_other");
      };
    },
  ],
};
