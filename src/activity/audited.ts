import type { DataSource } from "typeorm";
import { audit, type AuditInput } from "./audit.js";
import { recorderOf, theOnlyOne } from "./lifecycle.js";

export interface AuditedOptions extends Omit<AuditInput, "params" | "subject"> {
  /** Which DataSource's log, where a process has several. (Default: the only one) */
  readonly dataSource?: ((self: never) => DataSource) | undefined;
  /** Makes params of the arguments. (Default: none) */
  readonly params?: ((...parameters: never[]) => object) | undefined;
  /** Makes the subject of the arguments. (Default: none) */
  readonly subject?: ((...parameters: never[]) => string | null | undefined) | undefined;
}

type Method = (this: unknown, ...parameters: never[]) => unknown;

/** Records each call of a method, as `activity.audit` does. The method's answer becomes a promise. */
export function Audited(action: string, { dataSource, params, subject, ...input }: AuditedOptions = {}) {
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
        ...(params && { params: params(...parameters) }),
        ...(subject && { subject: subject(...parameters) }),
      };
      return audit(recorderOf(of), action, given, work);
    };
    descriptor.value = audited as unknown as T;
  };
}
