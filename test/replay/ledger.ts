import { Column, DataSource, Entity, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn, type Relation } from "typeorm";
import { type EventLog, eventLog, Tracked, withEventLog } from "../../src/index.js";
import { query } from "../database.js";

@Entity()
@Tracked()
export class Account {
  @PrimaryColumn("integer") id!: number;
  @Column("integer") balance!: number;
}

@Entity()
@Tracked()
export class Transfer {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Account, { nullable: false }) from!: Relation<Account>;
  @ManyToOne(() => Account, { nullable: false }) to!: Relation<Account>;
  @Column("integer") amount!: number;
}

/** Not tracked, and tied to what is. */
@Entity()
export class Receipt {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Account, { nullable: false, onDelete: "CASCADE" }) account!: Relation<Account>;
}

export const ledgerEntities = [Account, Transfer, Receipt];

/** Accounts whose sum never changes, because money only goes from one to another. */
export class Ledger {
  private constructor(
    readonly url: string,
    readonly dataSource: DataSource,
    readonly accounts: number,
  ) {}

  /** Opens the ledger of a database; the first time, with the tables, the log and accounts of 100 each. */
  static async open(url: string, { accounts = 10, poolSize = 20 } = {}): Promise<Ledger> {
    const options = { type: "postgres", url, entities: ledgerEntities, synchronize: true, poolSize } as const;
    const dataSource = await new DataSource(withEventLog(options)).initialize();
    const ledger = new Ledger(url, dataSource, accounts);
    await ledger.log.install();
    await dataSource.query(
      `insert into account select n, 100 from generate_series(1, ${accounts}) n on conflict do nothing`,
    );
    return ledger;
  }

  get log(): EventLog {
    return eventLog(this.dataSource);
  }

  /** What all accounts hold; told past the library. */
  async sum(): Promise<number> {
    const [row] = await query<{ sum: string }>(this.url, "select sum(balance) from account");
    return Number(row?.sum);
  }

  close(): Promise<void> {
    return this.dataSource.destroy();
  }
}
