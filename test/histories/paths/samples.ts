import { createHash } from "node:crypto";
import { Sample } from "../entities.js";
import { keysOf, type Path, type Paths, type Write } from "./path.js";

/** An id that the history itself gives, so that a second run has the same. */
function idOf(write: Write): string {
  const hash = createHash("sha256").update(JSON.stringify(write)).digest("hex");
  return hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const valuesOf = ({ sample }: Write) => ({
  ...sample,
  bytes: sample.bytes === null ? null : Buffer.from(sample.bytes, "hex"),
});

const withSample =
  (work: (...given: [...Parameters<Path>, id: string]) => Promise<unknown>): Path =>
  async (hand, write) => {
    const [sample] = await keysOf<Sample>(hand, "sample", ["id"], [write.picks[0]]);
    return sample === undefined ? undefined : work(hand, write, sample.id);
  };

export const samples: Paths = {
  "save a sample": ({ manager }, write) => manager.save(Sample, { id: idOf(write), ...valuesOf(write) } as Sample),
  "insert a sample": ({ manager }, write) => manager.insert(Sample, { id: idOf(write), ...valuesOf(write) } as never),
  "change a sample": withSample(({ manager }, write, id) => manager.update(Sample, id, valuesOf(write) as never)),
  "save a part of a sample": withSample(({ manager }, { sample }, id) =>
    manager.save(Sample, { id, jsonb: sample.json, numeric: sample.numeric } as Sample),
  ),
  "make a sample's document JSON null": withSample(({ manager }, _, id) =>
    manager.query(`update sample set jsonb = 'null', json = ' null ' where id = $1`, [id]),
  ),
  "set a key in a sample's document": withSample(({ manager }, { text, number }, id) =>
    manager.query(
      `update sample set jsonb = jsonb_set(case jsonb_typeof(jsonb) when 'object' then jsonb else '{}' end, array[$2::text], to_jsonb($3::numeric)) where id = $1`,
      [id, text ?? "__proto__", `${number}.000`],
    ),
  ),
  "give a sample arrays with bounds": withSample(({ manager }, { text }, id) =>
    manager.query(
      `update sample set texts = array_prepend($2, array['a', null, '"'])::text[], floats = '[-3:-1]={-0,NaN,1e300}' where id = $1`,
      [id, text],
    ),
  ),
  "give a sample the values that are hard to keep": withSample(({ manager }, _, id) =>
    manager.query(
      `update sample set float = '-0', numeric = '1e400', moment = '-infinity', span = '1 mon -1 day 00:00:00.000001',
       big = 9007199254740993, texts = '{{a,b},{c,d}}', jsonb = '"a string"', json = '{"a":1,"a": 2, "__proto__": {"x": 1.10}}' where id = $1`,
      [id],
    ),
  ),
  "delete a sample": withSample(({ manager }, _, id) => manager.delete(Sample, id)),
};
