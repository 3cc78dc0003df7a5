import { expect } from "chai";
import { Output, tableOf } from "../../src/cli/output.js";
import { printable, printableLines } from "../../src/cli/printable.js";
import { visible } from "../../src/activity/export.js";
import { entryText } from "../../src/cli/entry-text.js";
import { eventCells } from "../../src/cli/event-text.js";
import { tell } from "../../src/cli/run.js";
import type { ActivityEntry, RecordedEvent } from "../../src/index.js";

/** Every code point that a terminal acts on, does not show, or shows in another order, by range. */
const ranges: readonly (readonly [first: number, last: number, what: string])[] = [
  [0x00, 0x1f, "C0, ESC among them"],
  [0x7f, 0x9f, "DEL and C1"],
  [0xad, 0xad, "soft hyphen"],
  [0x034f, 0x034f, "grapheme joiner"],
  [0x061c, 0x061c, "Arabic letter mark"],
  [0x115f, 0x1160, "Hangul fillers"],
  [0x180e, 0x180e, "Mongolian vowel separator"],
  [0x200b, 0x200f, "zero-width, and marks of direction"],
  [0x2028, 0x202e, "separators, embeddings and overrides"],
  [0x2060, 0x206f, "word joiner, invisible operators, isolates"],
  [0x3164, 0x3164, "Hangul filler"],
  [0xfeff, 0xfeff, "zero-width no-break space"],
  [0xffa0, 0xffa0, "halfwidth filler"],
  [0xfff9, 0xfffb, "interlinear annotation"],
  [0xd800, 0xdfff, "lone surrogates"],
  [0xe0001, 0xe0001, "language tag"],
  [0xe0020, 0xe007f, "tags"],
];
const dangerous = ranges.flatMap(([first, last]) =>
  Array.from({ length: last - first + 1 }, (_, index) => String.fromCodePoint(first + index)),
);
/** The dangerous code points that a text has. */
function raw(text: string, but = ""): string[] {
  const all = new Set(text);
  return dangerous.filter((character) => character !== but && all.has(character));
}

describe("text on a terminal", () => {
  it("spells out every code point that could deceive, and no other", () => {
    for (const character of dangerous) {
      const code = character.codePointAt(0)?.toString(16) ?? "";
      for (const spelled of [printable, visible]) {
        expect(spelled(`a${character}b`), code).to.match(/^a(?:\\u[0-9a-f]{4}){1,2}b$/);
        expect(JSON.parse(`"${spelled(character)}"`), code).to.equal(character);
      }
      expect(printableLines(character), code).to.equal(character === "\n" ? "\n" : printable(character));
    }
    const plain = "aZ09 ~é漢字 👩🏽 ❤️ שלום مرحبا नमस्ते \u00a0";
    for (const spelled of [printable, printableLines, visible]) expect(spelled(plain)).to.equal(plain);
  });

  it("is spelled out in events, entries, tables and errors", async () => {
    const all = dangerous.join("x");
    const event = {
      position: 1n,
      occurredAt: new Date(0),
      action: "create",
      actionName: all,
      origin: "capture",
      entity: all,
      recordId: { [all]: all, b: 1 },
      data: { [all]: all },
      actor: { type: all, id: all, name: all },
    } as unknown as RecordedEvent;
    expect(raw(eventCells(event).join(""))).to.deep.equal([]);
    const entry = {
      occurredAt: new Date(0),
      severity: "info",
      outcome: "success",
      action: all,
      actor: { type: all, id: all, name: all },
      subject: all,
      request: { ip: all },
      error: all,
    } as unknown as ActivityEntry;
    expect(raw(entryText(entry))).to.deep.equal([]);
    expect(raw(tableOf(["a"], [[all]]), "\n")).to.deep.equal([]);

    const said = await written(async () => {
      for (const json of [true, false]) {
        const out = new Output(json);
        out.result({ [all]: all }, () => all);
        await out.stream(one(all), (text) => text);
        tell(new Error(all), json);
        tell(Object.assign(new Error(), { errors: [new Error(all)], code: all }), json);
      }
    });
    expect(said).to.have.length.greaterThan(8);
    for (const text of said) expect(raw(text, "\n")).to.deep.equal([]);
    expect((JSON.parse(printableLines(JSON.stringify([all]))) as string[])[0]).to.equal(all);
  });
});

async function* one<T>(value: T): AsyncGenerator<T> {
  yield await Promise.resolve(value);
}

/** What is written to stdout and stderr meanwhile. */
async function written(work: () => Promise<void>): Promise<string[]> {
  const texts: string[] = [];
  const streams = [process.stdout, process.stderr];
  const writes = streams.map((stream) => stream.write);
  for (const stream of streams) stream.write = (text: string) => texts.push(text) > 0;
  try {
    await work();
  } finally {
    for (const [index, stream] of streams.entries()) stream.write = writes[index] ?? stream.write;
  }
  return texts;
}
