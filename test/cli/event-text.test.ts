import { expect } from "chai";
import { eventCells } from "../../src/cli/event-text.js";
import type { RecordedEvent } from "../../src/index.js";

describe("an event as the command chronicle prints it", () => {
  const cellOf = (recordId: RecordedEvent["recordId"]) => {
    const event = {
      position: 1n,
      occurredAt: new Date(0),
      action: "create",
      actionName: null,
      entity: "Line",
      data: {},
    };
    return eventCells({ ...event, recordId, actor: null, previous: null } as unknown as RecordedEvent)[3];
  };

  it("has the record's key, a composite one with its columns, for they come in no order", () => {
    expect(cellOf({ id: 7 })).to.equal("Line 7");
    expect(cellOf({ line: 2, order_id: 10 })).to.equal("Line line=2,order_id=10");
  });
});
