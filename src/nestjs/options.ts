import type { FactoryProvider, InjectionToken, ModuleMetadata } from "@nestjs/common";
import type { RequestReader } from "../index.js";

/**
 * The options of `EventLogModule`. The functions get the platform's request: Express's or Fastify's, for GraphQL the `req` of
 * its context. They are asked when the request comes in and again after guards, before the handler, so that `actor` may rely
 * on what a guard found; what they do not know then (null, undefined) changes nothing. They may be async.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- which request it is depends on Nest's platform
export interface EventLogModuleOptions<Request = any> extends RequestReader<Request> {
  /** The DataSources whose log `@InjectEventLog` gives, by name or provider token. (Default: the default DataSource) */
  readonly dataSource?: InjectionToken | readonly InjectionToken[] | undefined;
}

/** How `forRootAsync` comes by its options; the DataSources cannot wait for them. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
export interface EventLogModuleAsyncOptions<Request = any>
  extends
    Pick<ModuleMetadata, "imports">,
    Pick<FactoryProvider<RequestReader<Request>>, "inject" | "useFactory">,
    Pick<EventLogModuleOptions, "dataSource"> {}

export const moduleOptions = Symbol("typeorm-chronicle options");
