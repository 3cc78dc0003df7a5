import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from "@nestjs/common";
import { Observable } from "rxjs";
import {
  checkReader,
  enrichRequestContext,
  readRequest,
  requestContext,
  type RequestReader,
  withRequestContext,
} from "../index.js";
import { type EventLogModuleOptions, moduleOptions } from "./options.js";

/**
 * Asks again who acts, after guards. A message of a queue or a socket has no request to ask: its handler runs in a request
 * context of its own, which it may enrich.
 */
@Injectable()
export class EventLogInterceptor implements NestInterceptor {
  readonly #reader: RequestReader<unknown>;

  constructor(@Inject(moduleOptions) options: EventLogModuleOptions) {
    this.#reader = checkReader(options, ["dataSource"]);
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = requestOf(context);
    const known = request === undefined ? {} : await readRequest(request, this.#reader);
    if (requestContext() === undefined) {
      return new Observable((subscriber) => withRequestContext(known, () => next.handle().subscribe(subscriber)));
    }
    enrichRequestContext(known);
    return next.handle();
  }
}

function requestOf(context: ExecutionContext): unknown {
  const type: string = context.getType();
  if (type === "http") return context.switchToHttp().getRequest<unknown>();
  // A resolver's third argument is GraphQL's context, which holds the request unless the application says otherwise.
  return type === "graphql" ? context.getArgByIndex<{ req?: unknown } | undefined>(2)?.req : undefined;
}
