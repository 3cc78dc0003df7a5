import { expect } from "chai";
import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from "typeorm";
import { Sensitive, Tracked } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Session {
  @PrimaryColumn("text") token!: string;
}

@Entity()
@Tracked({ exclude: ["salt"] })
class Login {
  @PrimaryColumn("integer") id!: number;
  @Column("text") passwordHash!: string;
  @Column("text", { name: "key_of_api" }) apiKey!: string;
  @Column("text") @Sensitive() secret!: string;
  @Column("text", { select: false }) pin!: string;
  @Column("text", { nullable: true }) salt!: string | null;
  @Column("text") shipping!: string;
  @ManyToOne(() => Session) @JoinColumn({ name: "session_token" }) session!: Relation<Session>;
}

describe("status", () => {
  it("advises of columns that are named like secrets, but not of hidden ones, keys and references", async () => {
    const application = await TrackedApplication.start([Session, Login]);
    try {
      const { advice, findings } = await application.log.status();
      expect(findings).to.deep.equal([]);
      const sentence = advice.find((text) => text.includes("look like secrets"));
      expect(sentence).to.include("events show their values: Login.passwordHash, Login.apiKey. Mark them @Sensitive()");
      await application.log.check({ strict: true });
    } finally {
      await application.stop();
    }
  });
});
