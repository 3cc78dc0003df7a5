import { expect } from "chai";
import { createDatabase } from "../database.js";
import { UserProject } from "../user-project.js";

/** A Nest application as its users write it: started, asked over HTTP, and stopped. */
const application = `
import "reflect-metadata";
import { type CanActivate, Controller, type ExecutionContext, Get, Injectable, Module, Param, Post, UseGuards } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { InjectRepository, TypeOrmModule } from "@nestjs/typeorm";
import type { Request } from "express";
import { Column, Entity, PrimaryGeneratedColumn, Repository } from "typeorm";
import { EventLog, EventLogError, Tracked, withEventLog } from "typeorm-chronicle";
import { ActionName, EventLogModule, InjectEventLog } from "typeorm-chronicle/nestjs";

@Entity()
@Tracked()
class Account {
  @PrimaryGeneratedColumn("uuid") id!: string;
  @Column("text") name!: string;
}

interface Signed extends Request {
  user?: { id: string };
}

@Injectable()
class SignIn implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    context.switchToHttp().getRequest<Signed>().user = { id: "ada" };
    return true;
  }
}

@Controller("accounts")
class AccountsController {
  constructor(
    @InjectRepository(Account) private readonly accounts: Repository<Account>,
    @InjectEventLog() private readonly log: EventLog,
  ) {}

  @Post()
  @UseGuards(SignIn)
  @ActionName("account.open")
  open(): Promise<Account> {
    return this.accounts.save({ name: "Grace" });
  }

  @Get(":id/history")
  history(@Param("id") id: string) {
    return this.log.history(Account, id);
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot(withEventLog({ type: "postgres" as const, url: process.env["DATABASE_URL"]!, synchronize: true, autoLoadEntities: true })),
    TypeOrmModule.forFeature([Account]),
    EventLogModule.forRoot({ actor: (request: Signed) => request.user && { type: "user", id: request.user.id } }),
  ],
  controllers: [AccountsController],
})
class Application {
  constructor(@InjectEventLog() private readonly log: EventLog) {}
  async onApplicationBootstrap() { await this.log.install(); }
}

async function main() {
  const app = await NestFactory.create(Application, { logger: ["error", "warn"] });
  await app.listen(0, "127.0.0.1");
  const url = await app.getUrl();
  const { id } = await (await fetch(url + "/accounts", { method: "POST" })).json() as { id: string };
  const [event] = await (await fetch(url + "/accounts/" + id + "/history")).json() as any[];
  console.log(event.action, event.actionName, event.actor.id, event.data.name, EventLogError.name);
  await app.close();
}
void main();
`;

const versions = { 11: "dev/nest-11/node_modules", 12: undefined };

describe("an application on the package as it is published", function () {
  this.timeout(300_000);

  for (const [version, modules] of Object.entries(versions)) {
    for (const [type, name] of [
      ["module", "ESM"],
      ["commonjs", "CommonJS"],
    ] as const) {
      it(`compiles and runs on Nest ${version} as ${name}, and prints no warning`, async () => {
        const database = await createDatabase();
        const project = await UserProject.make({ type, modules });
        try {
          await project.write(
            "version.js",
            type === "module"
              ? `import { readFileSync } from "node:fs"; console.log(JSON.parse(readFileSync("node_modules/@nestjs/core/package.json", "utf8")).version)`
              : `console.log(require("@nestjs/core/package.json").version)`,
          );
          expect((await project.run("version.js")).stdout).to.match(new RegExp(`^${version}\\.`));
          await project.write("main.ts", application);
          await project.compile("main.ts");
          const { stdout, stderr } = await project.run("main.js", { DATABASE_URL: database.url });
          expect(stdout).to.equal("create account.open ada Grace EventLogError\n");
          expect(stderr).to.equal("");
        } finally {
          await project.remove();
          await database.drop();
        }
      });
    }
  }
});
