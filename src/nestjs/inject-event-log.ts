import { type FactoryProvider, Inject, type InjectionToken } from "@nestjs/common";
import { DataSource } from "typeorm";
import { eventLog } from "../index.js";

/**
 * Injects the event log of a DataSource, which must be among the module's `dataSource`.
 * (Default: the default DataSource's)
 */
export function InjectEventLog(dataSource?: InjectionToken): ParameterDecorator & PropertyDecorator {
  return Inject(eventLogToken(dataSource));
}

/** Gives what `@InjectEventLog` asks for. Starting the application fails with NOT_ATTACHED where there is no log. */
export function eventLogProvider(dataSource?: InjectionToken): FactoryProvider {
  return { provide: eventLogToken(dataSource), inject: [dataSourceToken(dataSource)], useFactory: eventLog };
}

const tokens = new Map<InjectionToken, symbol>();

/** The token of a DataSource's log, to replace it in tests. */
export function eventLogToken(dataSource?: InjectionToken): symbol {
  const of = dataSourceToken(dataSource);
  const token = tokens.get(of) ?? Symbol(`typeorm-chronicle log of ${typeof of === "function" ? of.name : String(of)}`);
  tokens.set(of, token);
  return token;
}

/** As @nestjs/typeorm names them: the class for the default, "nameDataSource" for a named one. Other tokens as they are. */
function dataSourceToken(dataSource: InjectionToken = "default"): InjectionToken {
  if (dataSource === "default") return DataSource;
  return typeof dataSource === "string" ? `${dataSource}DataSource` : dataSource;
}
