import { actorText, eventCells } from "../event-text.js";
import { counted, tableOf } from "../output.js";
import { recordIdOf } from "../record-id.js";
import type { Register } from "../run.js";

export const history: Register = (program, action) => {
  program
    .command("history <entity> <id>")
    .description("The events of one record, oldest first.")
    .addHelpText("after", `\nA composite key is JSON: chronicle history OrderLine '{"order_id": 1, "line": 2}'`)
    .action(
      action(async ({ log, out }, entity: string, id: string) => {
        const events = await log.history(entity, recordIdOf(id));
        out.result(events, () => [
          ...(events.length === 0
            ? []
            : [
                tableOf(
                  ["position", "at", "action", "by", "columns"],
                  events.map((event) => {
                    const [position, at, what, , , columns] = eventCells(event);
                    return [position, at, what, actorText(event), columns];
                  }),
                ),
              ]),
          counted(events.length, "event"),
        ]);
      }),
    );
};
