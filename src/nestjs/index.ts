export type { RequestReader } from "../index.js";
export { ActionName } from "./action-name.js";
export { EventLogModule } from "./event-log.module.js";
export { eventLogToken, InjectEventLog } from "./inject-event-log.js";
export type { EventLogModuleAsyncOptions, EventLogModuleOptions } from "./options.js";
