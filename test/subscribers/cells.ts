/** What subscriber capture makes of each write path, by group and path. */
export const subscriberCells: Readonly<
  Record<string, Readonly<Record<string, "recorded" | "reported" | "out of reach">>>
> = {};
