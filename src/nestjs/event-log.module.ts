import { type DynamicModule, Global, Inject, Module, type NestModule } from "@nestjs/common";
import { APP_INTERCEPTOR, HttpAdapterHost } from "@nestjs/core";
import type { FastifyInstance } from "fastify";
import { requestContext as forExpress } from "../express/index.js";
import { requestContext as forFastify } from "../fastify/index.js";
import { checkReader, type RequestReader } from "../index.js";
import { EventLogInterceptor } from "./event-log.interceptor.js";
import { eventLogProvider } from "./inject-event-log.js";
import { type EventLogModuleAsyncOptions, type EventLogModuleOptions, moduleOptions } from "./options.js";

/**
 * Opens a request context for every HTTP request, on Express or Fastify, before guards run, and asks again who acts after them.
 * Global: import it once. It provides the logs that `@InjectEventLog` gives.
 *
 * On Express it comes before the application's own middleware, on Fastify behind it.
 */
@Global()
@Module({})
export class EventLogModule implements NestModule {
  readonly #reader: RequestReader<unknown>;

  constructor(
    @Inject(moduleOptions) options: EventLogModuleOptions,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {
    this.#reader = checkReader(options, ["dataSource"]);
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- which request it is depends on Nest's platform
  static forRoot<Request = any>(options: EventLogModuleOptions<Request> = {}): DynamicModule {
    return this.forRootAsync({ dataSource: options.dataSource, useFactory: () => options });
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- see above
  static forRootAsync<Request = any>(options: EventLogModuleAsyncOptions<Request>): DynamicModule {
    const { imports = [], inject = [], useFactory, dataSource = "default" } = options;
    const logs = [dataSource].flat().map((token) => eventLogProvider(token));
    return {
      module: EventLogModule,
      imports,
      providers: [
        { provide: moduleOptions, inject, useFactory },
        { provide: APP_INTERCEPTOR, useClass: EventLogInterceptor },
        ...logs,
      ],
      exports: logs.map(({ provide }) => provide),
    };
  }

  /** Called by Nest before routes are made. */
  configure(): void {
    const { httpAdapter } = this.host;
    if (httpAdapter.getType() === "fastify") {
      void httpAdapter.getInstance<FastifyInstance>().register(forFastify, this.#reader);
    } else httpAdapter.use(forExpress(this.#reader));
  }
}
