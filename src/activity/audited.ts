import "reflect-metadata";
import type { DataSource } from "typeorm";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { aFunction } from "../core/option-kinds.js";
import { audit, type AuditInput } from "./audit.js";
import { entryInput } from "./entry.js";
import { recorderOf, theOnlyOne } from "./lifecycle.js";

export interface AuditedOptions extends Omit<AuditInput, "params" | "subject"> {
  /** Which DataSource's log, where a process has several. (Default: the only one) */
  readonly dataSource?: ((self: never) => DataSource) | undefined;
  /** Makes params of the arguments. (Default: none) */
  readonly params?: ((...parameters: never[]) => object) | undefined;
  /** Makes the subject of the arguments. (Default: none) */
  readonly subject?: ((...parameters: never[]) => string | null | undefined) | undefined;
}

const { outcome: _outcome, error: _error, ...input } = entryInput;

const auditedOptions = section({
  ...input,
  dataSource: aFunction(),
  params: aFunction(),
  subject: aFunction(),
  outcomeOf: aFunction(),
} satisfies OptionsOf<AuditedOptions>);

type Method = (this: unknown, ...parameters: never[]) => unknown;

/** Records each call of a method, as `activity.audit` does. The method's answer becomes a promise. */
export function Audited(action: string, options: AuditedOptions = {}) {
  const { dataSource, params, subject, ...input } = checkOptions(`@Audited("${action}")`, options, auditedOptions);
  return <T extends (...parameters: never[]) => Promise<unknown>>(
    _prototype: object,
    _name: string | symbol,
    descriptor: TypedPropertyDescriptor<T>,
  ): void => {
    const method = descriptor.value as unknown as Method;
    const audited: Method = function (...parameters) {
      const of = dataSource === undefined ? theOnlyOne() : dataSource(this as never);
      const work = () => method.apply(this, parameters) as Promise<unknown>;
      if (of === undefined) {
        process.emitWarning(
          `@Audited("${action}") records nothing: name the DataSource in its options, for there is not exactly one with an activity log.`,
          { code: "CHRONICLE_ACTIVITY" },
        );
        return work();
      }
      const given = {
        ...input,
        ...(params && { params: made(action, () => params(...parameters)) }),
        ...(subject && { subject: made(action, () => subject(...parameters)) }),
      };
      return audit(recorderOf(of), action, given, work);
    };
    Object.defineProperty(audited, "name", { value: method.name });
    // Decorators below this one, such as a framework's guards and routes, have left what they say on the method.
    for (const key of Reflect.getMetadataKeys(method)) {
      Reflect.defineMetadata(key, Reflect.getMetadata(key, method), audited);
    }
    descriptor.value = audited as unknown as T;
  };
}

/** What cannot be made of the arguments is left out with a warning: the method is called and recorded all the same. */
function made<T>(action: string, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    process.emitWarning(`@Audited("${action}") records no subject or params of a call: ${String(error)}`, {
      code: "CHRONICLE_ACTIVITY",
    });
    return undefined;
  }
}
