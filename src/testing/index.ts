export { assertReplayEqualsLive } from "./assert-replay-equals-live.js";
export { recordedEvents } from "./recorded-events.js";
export { storeEvent } from "./store-event.js";
export type { StoredEvent } from "./store-event.js";
