import { expect } from "chai";
import { EntitySchema } from "typeorm";
import { track } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";
import { codeOf } from "./paths/write-path.js";

interface Country {
  id: number;
  code: string;
  name: string;
}
interface City {
  id: number;
  country: Pick<Country, "code"> | null;
}
interface Street {
  name: string;
  city: Pick<City, "id">;
}

const countryOf = (name: string) =>
  new EntitySchema<Country>({
    name,
    tableName: "country",
    columns: { id: { type: "integer", primary: true }, code: { type: "text", unique: true }, name: { type: "text" } },
  });
const country = countryOf("Country");
const trackedCountry = track(countryOf("Tracked country"));
/** Refers to a country by its code, which may change. */
const cityOf = (of: string, onUpdate: "CASCADE" | "SET NULL" | "NO ACTION") =>
  track(
    new EntitySchema<City>({
      name: "City",
      columns: { id: { type: "integer", primary: true } },
      relations: {
        country: {
          type: "many-to-one",
          target: of,
          joinColumn: { referencedColumnName: "code" },
          onUpdate,
          nullable: true,
        },
      },
    }),
  );

const settings = { capture: "subscriber", uncaptured: "error" } as const;

describe("rows that follow what they refer to, under subscriber capture", function () {
  this.timeout(60_000);

  for (const isTracked of [true, false])
    for (const onUpdate of ["CASCADE", "SET NULL"] as const)
      it(`are reported: ON UPDATE ${onUpdate} from an entity that is ${isTracked ? "" : "not "}tracked`, async () => {
        const parent = isTracked ? trackedCountry : country;
        const application = await TrackedApplication.start([parent, cityOf(parent.options.name, onUpdate)], {
          log: settings,
        });
        try {
          const [countries, cities] = [
            application.manager.getRepository(parent),
            application.manager.getRepository("City"),
          ];
          await countries.save({ id: 1, code: "nl", name: "Holland" });
          await cities.save({ id: 1, country: { code: "nl" } });
          // What nothing refers to may change.
          await countries.save({ id: 1, name: "Netherlands" });
          const before = await application.countEvents();
          expect(await codeOf(countries.save({ id: 1, code: "NL" }))).to.equal("WRITE_NOT_CAPTURED");
          expect(await codeOf(application.manager.query("update country set name = 'x', code = 'NL'"))).to.equal(
            "WRITE_NOT_CAPTURED",
          );
          expect(
            await codeOf(
              application.manager.query("with c as (update country set code = 'NL' returning *) select from c"),
            ),
          ).to.equal("WRITE_NOT_CAPTURED");
          expect(await application.countEvents()).to.equal(before);
          expect(await application.value("select code from country")).to.equal("nl");
          expect(await application.log.verify()).to.include({ equal: true });
        } finally {
          await application.stop();
        }
      });

  it("are not reported where a changed key is refused by the database, or where nothing follows", async () => {
    const application = await TrackedApplication.start([country, cityOf("Country", "NO ACTION")], { log: settings });
    try {
      const countries = application.manager.getRepository(country);
      await countries.save({ id: 1, code: "nl", name: "Netherlands" });
      await countries.save({ id: 1, code: "NL" });
      expect(await application.value("select code from country")).to.equal("NL");
    } finally {
      await application.stop();
    }
  });

  it("keep their keys: a save that changes a key which is a relation is recorded, or reported", async () => {
    const city = track(new EntitySchema<City>({ name: "City", columns: { id: { type: "integer", primary: true } } }));
    const street = track(
      new EntitySchema<Street>({
        name: "Street",
        columns: { name: { type: "text", primary: true } },
        relations: { city: { type: "many-to-one", target: "City", primary: true, joinColumn: true } },
      }),
    );
    const application = await TrackedApplication.start([city, street], { log: settings });
    try {
      await application.manager.getRepository(city).save([{ id: 1 }, { id: 2 }]);
      const streets = application.manager.getRepository(street);
      await streets.save({ name: "Main", city: { id: 1 } });
      const [found] = await streets.find({ relations: { city: true } });
      found!.city = { id: 2 };
      const code = await streets.save(found!).then(
        () => "saved",
        (error: { code?: string }) => error.code,
      );
      expect(code).to.be.oneOf(["saved", "WRITE_NOT_CAPTURED"]);
      expect(await application.log.verify()).to.include({ equal: true });
    } finally {
      await application.stop();
    }
  });
});
