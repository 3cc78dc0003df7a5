import { expect } from "chai";
import pg from "pg";
import { cursorOf, cursorText } from "../../src/log/cursor.js";
import { cutOff, grown, hasEnded, type Snapshot, snapshotOf, snapshotText } from "../../src/log/snapshot.js";
import { seeded } from "../seeded.js";

const random = seeded(11);
const below = (most: number) => Math.floor(random() * most);

/** A snapshot, and a later one: of those that were open, some have ended, and others have begun. */
function pairOf(): [Snapshot, Snapshot] {
  const grow = ({ end, open }: Snapshot): Snapshot => {
    const to = end + BigInt(below(8));
    const begun = Array.from({ length: Number(to - end) }, (_, index) => end + BigInt(index));
    return { end: to, open: [...open, ...begun].filter(() => random() < 0.5) };
  };
  const before = grow(grow({ end: 5n, open: [] }));
  return [before, grow(before)];
}

const ids = Array.from({ length: 40 }, (_, index) => BigInt(index + 1));
const endedIn = (snapshot: Snapshot) => ids.filter((id) => hasEnded(id, snapshot));

describe("a snapshot", () => {
  it("means what it means to PostgreSQL, also grown and cut off", async () => {
    const client = new pg.Client({ connectionString: process.env["DATABASE_URL"] });
    await client.connect();
    try {
      for (let round = 0; round < 300; round++) {
        const [before, later] = pairOf();
        const id = BigInt(below(Number(later.end)) + 1);
        for (const snapshot of [before, later, grown(before, later, id), cutOff(later, id)]) {
          const text = snapshotText(snapshot);
          expect(snapshotOf(text)).to.deep.equal(snapshot);
          const { rows } = await client.query<{ same: string; ended: string[] }>(
            `select $1::pg_snapshot::text as same,
              array(select id::text from unnest($2::text[]) id where pg_visible_in_snapshot(id::xid8, $1::pg_snapshot)) as ended`,
            [text, ids],
          );
          expect(rows[0]).to.deep.equal({ same: text, ended: endedIn(snapshot).map(String) });
        }
      }
    } finally {
      await client.end();
    }
  });

  it("has, grown to a transaction, what the first has, and what the second has before it", () => {
    for (let round = 0; round < 2_000; round++) {
      const [before, later] = pairOf();
      const id = BigInt(below(Number(later.end)) + 1);
      const wanted = ids.filter((each) => hasEnded(each, before) || (each < id && hasEnded(each, later)));
      expect(endedIn(grown(before, later, id))).to.deep.equal(wanted);
      expect(endedIn(cutOff(later, id))).to.deep.equal(endedIn(later).filter((each) => each < id));
    }
  });

  it("is a cursor's, for each transaction that is new in the second", () => {
    let cursors = 0;
    for (let round = 0; round < 2_000; round++) {
      const [before, later] = pairOf();
      for (const transaction of endedIn(later).filter((id) => !hasEnded(id, before))) {
        const cursor = { epoch: 1, given: grown(before, later, transaction), transaction, position: 7n };
        expect(cursorOf(cursorText(cursor))).to.deep.equal(cursor);
        cursors++;
      }
    }
    expect(cursors).to.be.greaterThan(2_000);
  });
});
