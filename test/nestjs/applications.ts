import {
  type CanActivate,
  Controller,
  type DynamicModule,
  type ExecutionContext,
  Injectable,
  type INestApplication,
  Module,
  Post,
  Req,
  UseGuards,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { InjectDataSource, InjectRepository, TypeOrmModule } from "@nestjs/typeorm";
import { concatMap, from, type Observable } from "rxjs";
import { DataSource, type Repository } from "typeorm";
import { enrichRequestContext, type EventLog, requestContext, withEventLog } from "../../src/index.js";
import { ActionName, EventLogModule, type EventLogModuleOptions, InjectEventLog } from "../../src/nestjs/index.js";
import { Note, poolSize, writeNotes } from "../doors/crowd.js";

export interface SignedRequest {
  readonly headers: Record<string, string | undefined>;
  readonly body: { readonly author: string };
  user?: { readonly id: string };
}

/** Signs the user in, as passport's guards do: not before the body was read. */
@Injectable()
export class SignIn implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<SignedRequest>();
    await Promise.resolve();
    request.user = { id: String(request.headers["x-user"]) };
    return true;
  }
}

/** Knows what the reader does not, and says it by itself. */
@Injectable()
export class Enriches implements CanActivate {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  async canActivate(): Promise<boolean> {
    await this.notes.save({ author: "guard", text: "written by the guard" });
    enrichRequestContext({ actor: { type: "robot", id: "7" }, metadata: { guarded: true } });
    return true;
  }
}

@Injectable()
export class NotesService {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  @ActionName("note.archive")
  async archive(author: string): Promise<void> {
    await this.notes.update({ author }, { text: "archived" });
  }
}

@Controller("notes")
export class NotesController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    @InjectDataSource() private readonly dataSource: DataSource,
    @InjectEventLog() private readonly log: EventLog,
    private readonly service: NotesService,
  ) {}

  @Post("crowd")
  @UseGuards(SignIn)
  async crowd(@Req() request: SignedRequest): Promise<object> {
    await writeNotes(this.dataSource, request.body.author);
    return {};
  }

  @ActionName("note.write")
  @Post("named")
  @UseGuards(SignIn)
  async named(@Req() request: SignedRequest): Promise<object> {
    await this.notes.save({ author: request.body.author, text: "named" });
    await this.service.archive(request.body.author);
    return {};
  }

  @Post("observable")
  @UseGuards(SignIn)
  @ActionName("note.stream")
  observable(@Req() request: SignedRequest): Observable<unknown> {
    return from(["one", "two"]).pipe(concatMap((text) => this.notes.save({ author: request.body.author, text })));
  }

  @Post("guarded")
  @UseGuards(Enriches)
  async guarded(): Promise<object> {
    await this.notes.save({ author: "guarded", text: "" });
    return { open: requestContext() };
  }

  @Post("position")
  async position(): Promise<object> {
    return { position: String((await this.log.status()).position) };
  }
}

export function applicationModule(url: string, options: EventLogModuleOptions | DynamicModule): DynamicModule {
  @Module({})
  class Application {}
  return {
    module: Application,
    imports: [
      TypeOrmModule.forRoot(
        withEventLog({ type: "postgres" as const, url, synchronize: true, poolSize, autoLoadEntities: true }),
      ),
      TypeOrmModule.forFeature([Note]),
      "module" in options ? options : EventLogModule.forRoot(options),
    ],
    controllers: [NotesController],
    providers: [NotesService],
  };
}

export const platforms = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
};

/** A Nest application on a port of its own. */
export async function listen(
  module: DynamicModule,
  platform: keyof typeof platforms,
  prepare?: (app: INestApplication) => void,
): Promise<{ app: INestApplication; url: string }> {
  const app = await NestFactory.create(module, platforms[platform]() as never, { logger: false, abortOnError: false });
  prepare?.(app);
  await app.listen(0, "127.0.0.1");
  return { app, url: await app.getUrl() };
}
