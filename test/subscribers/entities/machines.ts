import { Column, Entity, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn, type Relation } from "typeorm";
import { Tracked } from "../../../src/index.js";

/** Tables whose rows the database changes by itself: what it does is in `machinery`. */

/** Counts by AFTER ROW triggers how often its balance was set, and tells its entries when its owner changes. */
@Entity()
@Tracked()
export class Account {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") owner!: string;
  @Column("integer", { default: 0 }) balance!: number;
  @Column("integer", { default: 0 }) checks!: number;
}

/** Adds itself to its account's balance. */
@Entity()
@Tracked()
export class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column("integer") amount!: number;
  @Column("text", { nullable: true }) note!: string | null;
  @ManyToOne(() => Account, { onDelete: "CASCADE" }) account!: Relation<Account>;
}

/** One per owner is preferred: a row that becomes so takes it from the others. */
@Entity()
@Tracked()
export class Address {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") owner!: string;
  @Column("boolean", { default: false }) preferred!: boolean;
}

/** A BEFORE ROW trigger makes its slug, and keeps it from being deleted while it is locked. */
@Entity()
@Tracked()
export class Page {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") title!: string;
  @Column("text", { nullable: true }) slug!: string | null;
  @Column("boolean", { default: false }) locked!: boolean;
}

/** Rules: a delete hides it, and an insert of a hidden one makes a page. */
@Entity()
@Tracked()
export class Memo {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") text!: string;
  @Column("boolean", { default: false }) hidden!: boolean;
}

/** A deferred constraint trigger settles it when the transaction commits. */
@Entity()
@Tracked()
export class Pledge {
  @PrimaryGeneratedColumn() id!: number;
  @Column("integer") amount!: number;
  @Column("boolean", { default: false }) settled!: boolean;
}

/** Refers to itself by a natural key: ON UPDATE CASCADE. */
@Entity()
@Tracked()
export class Station {
  @PrimaryColumn("text") code!: string;
  @Column("text", { nullable: true }) previous!: string | null;
}

/** Partitioned by day. */
@Entity({ synchronize: false })
@Tracked()
export class Reading {
  @PrimaryColumn("integer") id!: number;
  @PrimaryColumn("date") day!: string;
  @Column("integer") value!: number;
  @Column("json", { nullable: true }) raw!: unknown;
}

export const machines = [Account, Entry, Address, Page, Memo, Pledge, Station, Reading];

export const machineTables = machines.map(({ name }) => ({ table: name.toLowerCase(), entity: name }));

/** The tables whose triggers ask for capture at row level. */
export const afterRowTables = ["public.account", "public.address", "public.entry", "public.pledge"];

export const machinery = `
create function account_checked() returns trigger language plpgsql as $$ begin
  update account set checks = checks + 1 where id = new.id;
  return null;
end $$;
create trigger checked after insert or update of balance on account for each row execute function account_checked();

create function account_renamed() returns trigger language plpgsql as $$ begin
  update entry set note = new.owner where "accountId" = new.id;
  return null;
end $$;
create trigger renamed after update of owner on account for each row execute function account_renamed();

create function entry_booked() returns trigger language plpgsql as $$ begin
  if tg_op <> 'INSERT' then update account set balance = balance - old.amount where id = old."accountId"; end if;
  if tg_op <> 'DELETE' then update account set balance = balance + new.amount where id = new."accountId"; end if;
  return null;
end $$;
create trigger booked after insert or update of amount or delete on entry for each row execute function entry_booked();

create function address_preferred() returns trigger language plpgsql as $$ begin
  update address set preferred = false where owner = new.owner and id <> new.id and preferred;
  return null;
end $$;
create trigger preferred after insert or update of preferred on address for each row when (new.preferred) execute function address_preferred();

create function page_kept() returns trigger language plpgsql as $$ begin
  if tg_op = 'DELETE' then
    if old.locked then return null; end if;
    return old;
  end if;
  new.slug := replace(lower(new.title), ' ', '-');
  return new;
end $$;
create trigger kept before insert or update or delete on page for each row execute function page_kept();

create rule hidden as on delete to memo do instead update memo set hidden = true where id = old.id;
create rule paged as on insert to memo where new.hidden do also insert into page (title) values (new.text);

create function pledge_settled() returns trigger language plpgsql as $$ begin
  update pledge set settled = true where id = new.id;
  return null;
end $$;
create constraint trigger settled after insert on pledge deferrable initially deferred for each row execute function pledge_settled();

alter table station add foreign key (previous) references station (code) on update cascade;

create table reading (id integer, day date, value integer not null, raw json, primary key (id, day)) partition by range (day);
create table reading_2025 partition of reading for values from ('2025-01-01') to ('2026-01-01');
create table reading_2026 (value integer not null, raw json, day date not null, id integer not null);
alter table reading attach partition reading_2026 for values from ('2026-01-01') to ('2027-01-01');
create table reading_other partition of reading default;

create function move_balance(source integer, target integer, moved integer) returns integer language plpgsql as $$ begin
  update account set balance = balance - moved where id = source;
  update account set balance = balance + moved where id = target;
  return moved;
end $$;
create procedure open_account(owner text) language plpgsql as $$ begin
  insert into account (owner, balance) values (owner, 1);
end $$;
`;
