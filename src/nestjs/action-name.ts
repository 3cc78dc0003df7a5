import "reflect-metadata";
import { isObservable, Observable } from "rxjs";
import { withRequestContext } from "../index.js";

// oxlint-disable-next-line typescript/no-explicit-any -- any method may be named
type Method = (...given: any[]) => unknown;

/**
 * What the application calls what a method does, such as "account.close": the `actionName` of every event of a write made in
 * it. For handlers of controllers, and as well for queue consumers, cron jobs and methods of services: outside of a request it
 * opens a request context. A method inside a named one wins.
 */
export function ActionName(actionName: string) {
  return <Work extends Method>(
    _prototype: object,
    _name: string | symbol,
    descriptor: TypedPropertyDescriptor<Work>,
  ): void => {
    const method = descriptor.value as Method;
    const named: Method = function (this: unknown, ...given) {
      const result = withRequestContext({ actionName }, () => method.apply(this, given));
      return isObservable(result) ? inContext(result, actionName) : result;
    };
    Object.defineProperty(named, "name", { value: method.name });
    // Decorators below this one have left what they say on the method.
    for (const key of Reflect.getMetadataKeys(method)) {
      Reflect.defineMetadata(key, Reflect.getMetadata(key, method), named);
    }
    descriptor.value = named as Work;
  };
}

/** An observable does its work when it is subscribed to. */
function inContext<T>(source: Observable<T>, actionName: string): Observable<T> {
  return new Observable((subscriber) => withRequestContext({ actionName }, () => source.subscribe(subscriber)));
}
