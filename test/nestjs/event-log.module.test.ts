import { type INestApplication, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import { getDataSourceToken, TypeOrmModule } from "@nestjs/typeorm";
import { expect } from "chai";
import { defer, lastValueFrom, of } from "rxjs";
import { DataSource } from "typeorm";
import {
  type EventLog,
  eventLog,
  type RequestContext,
  requestContext,
  withEventLog,
  withRequestContext,
} from "../../src/index.js";
import { EventLogInterceptor } from "../../src/nestjs/event-log.interceptor.js";
import { EventLogModule, eventLogToken } from "../../src/nestjs/index.js";
import { recordedEvents } from "../../src/testing/index.js";
import { createDatabase, type TestDatabase } from "../database.js";
import { expectOwnEvents, Note, post, sendCrowd } from "../doors/crowd.js";
import { applicationModule, listen, NotesService, platforms, type SignedRequest } from "./applications.js";

const actor = ({ user }: SignedRequest) => (user === undefined ? undefined : { type: "user", id: user.id });

for (const platform of Object.keys(platforms) as (keyof typeof platforms)[]) {
  describe(`the Nest door on ${platform}`, function () {
    this.timeout(300_000);

    let database: TestDatabase;
    let app: INestApplication;
    let url: string;
    let dataSource: DataSource;

    async function start(
      ...[options, prepare]: [Parameters<typeof applicationModule>[1], Parameters<typeof listen>[2]?]
    ) {
      ({ app, url } = await listen(applicationModule(database.url, options), platform, prepare));
      dataSource = app.get(DataSource);
      await eventLog(dataSource).install();
    }

    beforeEach(async () => void (database = await createDatabase()));
    afterEach(async () => {
      await app.close();
      await database.drop();
    });

    it("gives each of 1,000 interleaved requests the actor that its guard found, on its own events only", async () => {
      await start({ actor });
      await sendCrowd(`${url}/notes/crowd`);
      await expectOwnEvents(dataSource);
    });

    it("takes the names of DataSources besides what is asked of a request", async () => {
      await start({ actor: () => ({ type: "user", id: "ada" }), dataSource: ["default"] });
      const events = await recordedEvents(dataSource, () => post(`${url}/notes/guarded`, {}));
      expect(events[0]?.actor?.id).to.equal("ada");
    });

    it("takes actor, tenant and metadata from options made by a factory", async () => {
      const options = { provide: "options", useValue: { tenant: "acme" } };
      @Module({ providers: [options], exports: [options] })
      class Settings {}
      await start(
        EventLogModule.forRootAsync({
          imports: [Settings],
          inject: ["options"],
          useFactory: async ({ tenant }: { tenant: string }) => ({
            actor,
            tenant: () => tenant,
            metadata: (request: SignedRequest) => ({ agent: request.headers["x-agent"] }),
          }),
        }),
      );
      const events = await recordedEvents(dataSource, () =>
        post(`${url}/notes/named`, { "x-user": "ada", "x-agent": "curl" }, { author: "ada" }),
      );
      expect(events).to.have.length(2);
      for (const event of events) {
        expect(event).to.deep.include({
          actor: { type: "user", id: "ada", name: null },
          tenant: "acme",
          metadata: { agent: "curl" },
          correlationId: events[0]?.correlationId,
        });
      }
    });

    it("names what handlers and methods below them do, whichever decorator stands first", async () => {
      await start({ actor });
      const events = await recordedEvents(dataSource, () =>
        post(`${url}/notes/named`, { "x-user": "ada" }, { author: "ada" }),
      );
      expect(events.map(({ actionName, actor: by }) => [actionName, by?.id])).to.deep.equal([
        ["note.write", "ada"],
        ["note.archive", "ada"],
      ]);
    });

    it("holds for what an observable writes when it is subscribed to", async () => {
      await start({ actor });
      const events = await recordedEvents(dataSource, () =>
        post(`${url}/notes/observable`, { "x-user": "ada" }, { author: "ada" }),
      );
      expect(events.map(({ actionName, actor: by }) => [actionName, by?.id])).to.deep.equal([
        ["note.stream", "ada"],
        ["note.stream", "ada"],
      ]);
    });

    it("is open for guards, whose own words stay where the reader knows nothing", async () => {
      await start({ actor: () => null, metadata: () => ({ source: "api" }) });
      const events = await recordedEvents(dataSource, () => post(`${url}/notes/guarded`, {}));
      expect(events.map(({ actor: by, metadata }) => [by?.id ?? null, metadata])).to.deep.equal([
        [null, { source: "api" }],
        ["7", { source: "api", guarded: true }],
      ]);
      expect(events[0]?.correlationId).to.equal(events[1]?.correlationId).and.to.be.a("string");
    });

    it("is open on routes under a global prefix too", async () => {
      await start({ actor }, (nest) => nest.setGlobalPrefix("api/v1"));
      const events = await recordedEvents(dataSource, () => post(`${url}/api/v1/notes/guarded`, {}));
      expect(events).to.have.length(2);
      expect(events[0]?.correlationId).to.be.a("string");
    });

    it("names methods outside of requests, as queues and cron jobs call them", async () => {
      await start({ actor });
      await dataSource.getRepository(Note).save({ author: "ada", text: "" });
      const [alone] = await recordedEvents(dataSource, () => app.get(NotesService).archive("ada"));
      expect(alone).to.deep.include({ actionName: "note.archive", actor: null });
      await dataSource.getRepository(Note).save({ author: "ada", text: "" });
      const job = { actor: { type: "job", id: "archive-notes" }, correlationId: "the message's" };
      const [consumed] = await recordedEvents(dataSource, () =>
        withRequestContext(job, () => app.get(NotesService).archive("ada")),
      );
      expect(consumed).to.deep.include({
        actionName: "note.archive",
        actor: { ...job.actor, name: null },
        correlationId: "the message's",
      });
    });

    it("fails the request when the reader throws", async () => {
      await start({
        actor: () => {
          throw new Error("nobody");
        },
      });
      const before = (await eventLog(dataSource).status()).position;
      const answer = await post(`${url}/notes/named`, {}, { author: "ada" }).catch((error: Error) => error.message);
      expect(answer).to.match(/^500/);
      expect((await eventLog(dataSource).status()).position).to.equal(before);
    });

    it("injects the log", async () => {
      await start({ actor });
      await dataSource.getRepository(Note).save({ author: "ada", text: "" });
      const { position } = await eventLog(dataSource).status();
      expect(JSON.parse(await post(`${url}/notes/position`, {}))).to.deep.equal({ position: String(position) });
    });
  });
}

describe("the Nest door", function () {
  this.timeout(60_000);

  let database: TestDatabase;
  beforeEach(async () => void (database = await createDatabase()));
  afterEach(() => database.drop());

  const options = (name?: string) =>
    ({ type: "postgres", url: database.url, entities: [Note], ...(name && { name }) }) as never;

  it("gives the logs of several DataSources by name", async () => {
    @Module({
      imports: [
        TypeOrmModule.forRoot(withEventLog(options())),
        TypeOrmModule.forRoot(withEventLog(options("billing"), { schema: "billing_log" })),
        EventLogModule.forRoot({ dataSource: ["default", "billing"] }),
      ],
    })
    class Application {}
    const app = await NestFactory.createApplicationContext(Application, { logger: false });
    try {
      for (const [name, token] of [
        [undefined, DataSource],
        ["billing", getDataSourceToken("billing")],
      ] as const) {
        const wanted = eventLog(app.get<DataSource>(token));
        expect(app.get<EventLog>(eventLogToken(name)), name).to.equal(wanted);
      }
    } finally {
      await app.close();
    }
  });

  it("asks a GraphQL request, and opens a context of its own for a message that has no request to ask", async () => {
    const asked: unknown[] = [];
    const reader = (request: unknown) => {
      asked.push(request);
      return { type: "user", id: "ada" };
    };
    const interceptor = new EventLogInterceptor({ actor: reader });
    const seen = async (type: string, args: unknown[]) => {
      const context = new ExecutionContextHost(args);
      context.setType(type);
      const handled = await interceptor.intercept(context, { handle: () => defer(() => of(requestContext())) });
      return (await lastValueFrom(handled)) as RequestContext | undefined;
    };
    const request = { headers: {} };
    expect((await seen("graphql", [{}, {}, { req: request }, {}]))?.actor?.id).to.equal("ada");
    const message = await seen("rpc", [{ payload: 1 }, {}]);
    expect(message?.actor).to.equal(undefined);
    expect(message?.correlationId).to.be.a("string");
    expect(asked).to.deep.equal([request]);
    expect(requestContext()).to.equal(undefined);
  });

  it("refuses an option that is mistyped", () => {
    const make = () => new EventLogInterceptor({ actr: () => null } as object);
    expect(make).to.throw('request context: unknown option "actr". Did you mean "actor"?');
  });

  it("stops the start where a DataSource has no log", async () => {
    @Module({ imports: [TypeOrmModule.forRoot(options()), EventLogModule.forRoot()] })
    class Application {}
    const error = await NestFactory.createApplicationContext(Application, { logger: false, abortOnError: false }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.include({ code: "NOT_ATTACHED" });
  });
});
