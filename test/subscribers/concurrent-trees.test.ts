import { expect } from "chai";
import type { EntityManager } from "typeorm";
import { type OfRecord, Oracle } from "../oracle.js";
import { seeded } from "../seeded.js";
import type { TrackedApplication } from "../tracked-application.js";
import { ClosureNode, PathNode, SetNode } from "./entities/structures.js";
import { startWorkshop, watched } from "./workshop.js";

type Node = ClosureNode | PathNode | SetNode;
const kinds = [ClosureNode, PathNode, SetNode] as const;

describe("subscriber capture of what hooks do not name, under concurrent writers and rollbacks", function () {
  this.timeout(120_000);
  let application: TrackedApplication;
  before(async () => {
    application = await startWorkshop("statement", { log: { capture: "subscriber", uncaptured: "error" } });
  });
  after(() => application?.stop());

  it("records closure rows, paths, nested sets and insert() in a transaction as row triggers see them", async () => {
    const oracle = await Oracle.watch(application, watched);
    for (const Type of kinds) {
      const root = await application.manager.save(Object.assign(new Type(), { name: "root", parent: null }));
      for (let n = 0; n < 3; n++)
        await application.manager.save(Object.assign(new Type(), { name: `child ${n}`, parent: root }));
    }
    const ends = { committed: 0, "rolled back": 0, failed: 0 };

    const writer = async (number: number) => {
      const random = seeded(number);
      for (let turn = 0; turn < 12; turn++) {
        const undo = random() < 0.3;
        const write = async (manager: EntityManager) => {
          for (let step = 0; step < 3; step++) await writeTo(manager, kinds[Math.floor(random() * 3)]!, random);
          if (undo) throw new Error("undone");
        };
        const end = await application.dataSource.transaction(write).then(
          () => "committed" as const,
          (error: { code?: string; message: string }) => {
            if (error.message === "undone") return "rolled back" as const;
            if (["40P01", "23505"].includes(error.code ?? "")) return "failed" as const; // moves of TypeORM's that met
            throw error;
          },
        );
        ends[end]++;
      }
    };

    const { seen, recorded } = await oracle.observe(() => Promise.all([1, 2, 3, 4].map(writer)), { net: true });
    // What the oracle saw is in order for one writer at a time; of several, each event has to follow from the one before it.
    const happened = groupBy(seen, ({ record }) => record);
    const told = groupBy(recorded, ({ record }) => record);
    expect([...told.keys()].toSorted()).to.deep.equal([...happened.keys()].toSorted());
    for (const [record, events] of told) {
      expect(byTransaction(events), record).to.deep.equal(byTransaction(happened.get(record) ?? []));
      let row: Record<string, unknown> = {};
      for (const { change } of events) {
        for (const [column, before] of Object.entries(change.previous))
          if (column in row) expect(before, `${record} ${column}`).to.equal(row[column]);
        row = change.action === "destroy" ? {} : { ...row, ...change.data };
      }
    }
    expect(ends.committed).to.be.above(10);
    expect(ends["rolled back"]).to.be.above(5);
    for (const table of ["closure_node", "closure_node_closure", "path_node", "set_node"])
      expect(recorded.filter(({ record }) => record.includes(table)).length, table).to.be.above(5);
    expect(await application.log.verify()).to.include({ equal: true });
  });
});

function groupBy(changes: readonly OfRecord[], key: (change: OfRecord) => string): Map<string, OfRecord[]> {
  const groups = new Map<string, OfRecord[]>();
  for (const change of changes) groups.set(key(change), [...(groups.get(key(change)) ?? []), change]);
  return groups;
}

function byTransaction(changes: readonly OfRecord[]): OfRecord[] {
  return changes.toSorted((a, b) => Number(a.change.transactionId) - Number(b.change.transactionId));
}

/** Adds a node below another one by save, moves one where its tree lets it, renames one, or inserts without a hook's entity. */
async function writeTo(manager: EntityManager, Type: new () => Node, random: () => number): Promise<void> {
  const nodes = await manager.find<Node>(Type, { order: { id: "ASC" } });
  const any = () => nodes[Math.floor(random() * nodes.length)] ?? null;
  const [dice, name] = [random(), `node ${random()}`];
  const leaf = nodes.at(-1);
  if (Type === PathNode && dice < 0.2) await manager.insert(PathNode, { name, parent: any() as PathNode });
  else if (Type !== SetNode && dice < 0.5 && leaf !== undefined && nodes[1] !== undefined && leaf.id !== nodes[1].id)
    await manager.save(Object.assign(leaf, { parent: random() < 0.5 ? nodes[0] : nodes[1] }));
  else if (dice < 0.65) await manager.save(Object.assign(any() ?? new Type(), { name }));
  else await manager.save(Object.assign(new Type(), { name, parent: any() }));
}
