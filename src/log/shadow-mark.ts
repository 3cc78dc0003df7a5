/** The comment of a schema that `shadow()` made: says that it is ours, whatever became of the process that made it. */
export const shadowMark =
  "typeorm-chronicle shadow: made by log.shadow(), dropped by its drop() or replaced by the next one";
