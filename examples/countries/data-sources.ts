import { DataSource } from "typeorm";
import { type Capture, withEventLog } from "../../src/index.js";
import { currencyVersions } from "./currency-versions.js";
import { Contact, Country, Currency, CurrencyV1, Language, Note, Region } from "./model.js";
import { SplitCurrencyLabel1767225600000 } from "./migrations/split-currency-label.js";

/** The application today. `withEventLog` is all that tracking asks of a DataSource. */
export function releaseTwo(url: string | undefined, capture: Capture = "trigger"): DataSource {
  return new DataSource(
    withEventLog(
      {
        type: "postgres",
        ...(url === undefined ? {} : { url }),
        entities: [Region, Language, Currency, Country, Note, Contact],
        migrations: [SplitCurrencyLabel1767225600000],
      },
      { capture, replay: currencyVersions },
    ),
  );
}

/** The application as it started: its tables made by `synchronize`, a currency with a label. */
export function releaseOne(url: string, capture: Capture): DataSource {
  return new DataSource(
    withEventLog(
      {
        type: "postgres",
        url,
        entities: [Region, Language, CurrencyV1, Country, Note, Contact],
        synchronize: true,
      },
      { capture },
    ),
  );
}
