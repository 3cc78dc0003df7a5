import type pg from "pg";

/** A row that was changed behind the log's back, in the words in which `verify()` reports it. */
export interface Spoiled {
  readonly entity: string;
  readonly recordId: Readonly<Record<string, unknown>>;
  readonly kind: "missing" | "different" | "unexpected";
  readonly columns: readonly string[];
}

/**
 * Deletes one row, changes one and adds one while the capture triggers are off, as only the owner of the tables can:
 * what a careless restore or a tampering administrator would leave.
 */
export async function spoil(client: pg.Client): Promise<Spoiled[]> {
  const tables = ["country", "language", "note"];
  await client.query("begin");
  for (const table of tables) await client.query(`alter table ${table} disable trigger user`);
  // The last note has no replies, so its row goes alone.
  const deleted = await client.query<{ id: number }>(
    "delete from note where id = (select max(id) from note) returning id",
  );
  await client.query("update country set capital = 'Atlantis' where cca3 = 'CHE'");
  await client.query("insert into language (code, name) values ('qaa', 'Nobody speaks it')");
  for (const table of tables) await client.query(`alter table ${table} enable trigger user`);
  await client.query("commit");
  return [
    { entity: "Note", recordId: { id: deleted.rows[0]?.id }, kind: "missing", columns: [] },
    { entity: "Country", recordId: { cca3: "CHE" }, kind: "different", columns: ["capital"] },
    { entity: "Language", recordId: { code: "qaa" }, kind: "unexpected", columns: [] },
  ];
}
