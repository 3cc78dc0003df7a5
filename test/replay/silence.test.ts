import { expect } from "chai";
import {
  AfterLoad,
  BeforeInsert,
  BeforeUpdate,
  Column,
  Entity,
  type EntitySubscriberInterface,
  EventSubscriber,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  VersionColumn,
} from "typeorm";
import { Tracked } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { application } from "./application.js";

const heard: string[] = [];

@Entity()
@Tracked()
class Order {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") state!: string;
  @VersionColumn() revision!: number;
  @UpdateDateColumn() changedAt!: Date;
  @BeforeInsert() beforeInsert(): void {
    heard.push("before insert");
  }
  @BeforeUpdate() beforeUpdate(): void {
    heard.push("before update");
  }
  @AfterLoad() afterLoad(): void {
    heard.push("after load");
  }
}

/** An AFTER trigger of the database writes it. */
@Entity()
class Letter {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") text!: string;
}

@EventSubscriber()
class Listener implements EntitySubscriberInterface<Order> {
  listenTo() {
    return Order;
  }
  beforeInsert(): void {
    heard.push("subscriber");
  }
  afterUpdate(): void {
    heard.push("subscriber");
  }
  afterRemove(): void {
    heard.push("subscriber");
  }
  afterTransactionCommit(): void {
    heard.push("commit");
  }
}

describe("replay and what runs on writes", () => {
  const app = application({
    entities: [Order, Letter],
    dataSource: { subscribers: [Listener] },
    after: `
      create function write_letter() returns trigger language plpgsql as $$ begin insert into letter (text) values (tg_op); return null; end $$;
      create function shout() returns trigger language plpgsql as $$ begin new.state := upper(new.state); return new; end $$;
      create trigger letters after insert or update or delete on "order" for each row execute function write_letter();
      create trigger always after insert on "order" for each statement execute function write_letter();
      create trigger quiet before insert on "order" for each row execute function shout();
      create trigger off before update on "order" for each row execute function shout();
      create rule second as on delete to "order" do also insert into letter (text) values ('rule')`,
  });
  const setTriggers = () =>
    app.sql('alter table "order" disable trigger off; alter table "order" enable always trigger always');
  const state = () =>
    app.sql<{ name: string; state: string }>(
      `select tgname as name, tgenabled as state from pg_trigger where tgrelid = '"order"'::regclass and not tgisinternal
       union all select rulename, ev_enabled from pg_rewrite where ev_class = '"order"'::regclass order by 1`,
    );

  it("runs no listener, subscriber, trigger or rule, counts no version up and moves no date", async () => {
    const orders = app.dataSource.getRepository(Order);
    const [first, second] = await orders.save([{ state: "new" }, { state: "new" }]);
    await orders.save(Object.assign(first as Order, { state: "paid" }));
    await orders.remove(second as Order);
    const [rows, events] = [await app.sql('select * from "order"'), await app.position()];
    await app.wipe();
    await setTriggers();
    const before = await state();
    const letters = await app.sql("select from letter");
    heard.length = 0;
    await app.log.replay();
    expect(await app.sql('select * from "order"')).to.deep.equal(rows);
    expect(await app.sql("select from letter"), "letters that a trigger or the rule wrote").to.have.length(
      letters.length,
    );
    expect(heard).to.deep.equal([]);
    expect(await app.position(), "events recorded by the replay").to.equal(events);
    expect(await state()).to.deep.equal(before);
  });

  it("puts triggers back after a replay to the past, and after one that failed", async () => {
    const orders = app.dataSource.getRepository(Order);
    await setTriggers();
    await orders.save({ state: "new" });
    const { bookmark } = await app.moment();
    const before = await state();
    await orders.save([{ state: "other" }]);
    const rows = await app.rows();
    const failed = await app.log.replay({ bookmark }, { signal: AbortSignal.abort() }).catch((error: unknown) => error);
    expect(failed).to.have.property("code", "REPLAY_ABORTED");
    expectSameRows(await app.rows(), rows);
    await app.log.replay({ bookmark });
    expect(await state()).to.deep.equal(before);
    const letters = await app.sql("select from letter");
    await orders.save({ state: "heard again" });
    expect(await app.sql("select from letter")).to.have.length(letters.length + 2);
  });
});
