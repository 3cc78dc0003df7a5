import { styleText } from "node:util";
import Table from "cli-table3";

/** No frame and no rules: columns two blanks apart, as in the output of a good command. */
const chars = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Rows under a dim head. Columns named in `right` are aligned to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { right = [] as readonly string[] } = {},
): string {
  const made = new Table({
    head: head.map((name) => styleText("dim", name)),
    colAligns: head.map((name) => (right.includes(name) ? "right" : "left")),
    chars,
    // cli-table3 would colour the head by itself, on a terminal or not.
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  made.push(...rows.map((row) => [...row]));
  return indent(made.toString());
}

/** Two blanks in front of every line, none behind. */
export function indent(text: string): string {
  return text.replace(/^/gm, "  ").replace(/[ \t]+$/gm, "");
}
