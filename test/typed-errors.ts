import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { EventLogError, Tracked } from "../src/index.js";

@Entity()
@Tracked()
export class Account {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("jsonb", { nullable: true }) notes!: unknown;
}

export function errorOf(work: () => unknown): EventLogError {
  try {
    work();
  } catch (error) {
    return error as EventLogError;
  }
  return expect.fail("expected an error");
}

/** A code, words that name the place, and a way out. */
export function expectTyped(error: unknown, code: string, ...words: string[]): void {
  const own = (error as { driverError?: unknown }).driverError ?? error;
  expect(own, String(error)).to.be.instanceOf(EventLogError).with.property("code", code);
  const { message, hint } = own as EventLogError;
  for (const word of words) expect(message).to.include(word);
  expect(hint, message).to.have.length.greaterThan(10);
}
