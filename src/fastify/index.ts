export type { RequestReader } from "../index.js";
export { requestContext } from "./request-context.js";
