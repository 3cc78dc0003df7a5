import { Car, ClosureNode, PathNode, SetNode, Truck, Vehicle } from "../entities/structures.js";
import { type Desk, unique, type WritePaths } from "./write-path.js";

type Node = ClosureNode | PathNode | SetNode;

const node = <T extends Node>(Type: new () => T, parent: T | null = null): T =>
  Object.assign(new Type(), { name: unique("node"), parent });

/** A root, two children, and a grandchild below the first. */
async function tree<T extends Node>({ manager }: Desk, Type: new () => T): Promise<[T, T, T, T]> {
  const root = await manager.save(node(Type));
  const [left, right] = [await manager.save(node(Type, root)), await manager.save(node(Type, root))];
  return [root, left, right, await manager.save(node(Type, left))];
}

/** A nested set has one root. */
async function nestedSet({ manager }: Desk): Promise<SetNode> {
  const [root] = await manager.find(SetNode, { order: { id: "ASC" }, take: 1 });
  return root ?? manager.save(node(SetNode));
}

export const trees: WritePaths = {
  "closure table: saves": [
    { create: 3 },
    async (desk) => {
      const root = await desk.manager.save(node(ClosureNode));
      return () => desk.manager.save(node(ClosureNode, root)); // a row, its link to itself and to its parent
    },
  ],
  "closure table: moves": [
    { update: 1, create: 2, destroy: 2 },
    async (desk) => {
      const [, , right, leaf] = await tree(desk, ClosureNode);
      return () => desk.manager.save(Object.assign(leaf, { parent: right }));
    },
  ],
  "closure table: removes": [
    { destroy: 4 },
    async (desk) => {
      const [, , , leaf] = await tree(desk, ClosureNode);
      return () => desk.manager.remove(leaf);
    },
  ],
  "materialized path: saves": [
    { create: 1, update: 1 },
    async (desk) => {
      const [root] = await tree(desk, PathNode);
      return () => desk.manager.save(node(PathNode, root));
    },
  ],
  "materialized path: moves a subtree": [
    { update: 3 }, // its parent, then its path, and the path of what is below it
    async (desk) => {
      const [, left, right] = await tree(desk, PathNode);
      return () => desk.manager.save(Object.assign(left, { parent: right }));
    },
  ],
  "nested set: saves": [
    { create: 1, update: 1 },
    async (desk) => {
      const root = await nestedSet(desk);
      return () => desk.manager.save(node(SetNode, root));
    },
  ],
};

const car = (): Car => Object.assign(new Car(), { name: unique("car"), doors: 4 });
const truck = (): Truck => Object.assign(new Truck(), { name: unique("truck"), load: 40 });

export const inheritance: WritePaths = {
  "by the child's repository": [
    { create: 1, update: 1, destroy: 1 },
    ({ manager }) =>
      async () => {
        const saved = await manager.getRepository(Car).save(car());
        await manager.getRepository(Car).save(Object.assign(saved, { doors: 2 }));
        await manager.getRepository(Car).remove(saved);
      },
  ],
  "by the parent's repository": [
    { create: 3, update: 1 },
    ({ manager }) =>
      async () => {
        const vehicle = Object.assign(new Vehicle(), { name: unique("vehicle") });
        const [first] = await manager.getRepository(Vehicle).save([car(), truck(), vehicle]);
        await manager.getRepository(Vehicle).save(Object.assign(first!, { name: "renamed" }));
      },
  ],
  "criteria on the parent": [
    { update: 2, destroy: 2 },
    async ({ manager }) => {
      const ids = (await manager.save([car(), truck()])).map(({ id }) => id);
      return async () => {
        await manager.update(Vehicle, ids, { name: "all" });
        await manager.delete(Vehicle, ids);
      };
    },
  ],
  "criteria on the child": [
    { update: 1, destroy: 1 },
    async ({ manager }) => {
      const { id } = await manager.save(truck());
      return async () => {
        await manager.update(Truck, { id }, { load: 12 });
        await manager.delete(Truck, { id });
      };
    },
  ],
};
