import { loadModule, parsePlPgSQLSync, parseSync } from "libpg-query";

type Node = Readonly<Record<string, unknown>>;

/** A search_path that nobody can put anything into: tables of the session are found last, and never functions. */
export const safePath = "pg_catalog, pg_temp";

/** Loads the parser, which is PostgreSQL's own. */
export async function loadParser(): Promise<void> {
  await loadModule();
}

/**
 * What PostgreSQL looks up by search_path in a message of one or more statements: functions, operators (those that
 * hide in IN, BETWEEN, NULLIF, CASE and USING too), types, collations and tables whose name has no schema. Statements
 * after one that sets a safe search_path look up nothing that others can make.
 */
export function unqualifiedIn(text: string, path: string | null = null): string[] {
  if (text.trim() === "") return [];
  const found: string[] = [];
  let safe = path === safePath;
  for (const { stmt } of (parseSync(text) as unknown as { stmts?: { stmt: Node }[] }).stmts ?? []) {
    if (!safe) look(stmt, new Set(), found);
    const set = stmt["VariableSetStmt"];
    if (isNode(set) && set["name"] === "search_path") safe = valuesOf(set) === safePath;
  }
  return found;
}

/**
 * The same for the body of a function, as pg_get_functiondef() gives it, unless it sets a safe search_path: then
 * nothing. Nothing either for BEGIN ATOMIC, whose names were looked up when it was made.
 */
export function unqualifiedInFunction(definition: string): string[] {
  const [{ stmt }] = (parseSync(definition) as unknown as { stmts: [{ stmt: Node }] }).stmts;
  const options = nodes((stmt["CreateFunctionStmt"] as Node)["options"]).map((option) => option["DefElem"] as Node);
  const given = (name: string) => options.filter(({ defname }) => defname === name).map(({ arg }) => arg as Node);
  const sets = given("set").map(({ VariableSetStmt: set }) => set as Node);
  if (sets.some((set) => set["name"] === "search_path" && valuesOf(set) === safePath)) return [];
  const body = textOf(nodes((given("as")[0]?.["List"] as Node | undefined)?.["items"])[0]);
  if (body === undefined) return [];
  if (textOf(given("language")[0]) === "sql") return unqualifiedIn(body);
  const found: string[] = [];
  lookIntoBlock(parsePlPgSQLSync(definition), (text) => void found.push(...unqualifiedIn(text)));
  return found;
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;
const nodes = (value: unknown): Node[] => (Array.isArray(value) ? value.filter(isNode) : []);
const textOf = (value: Node | undefined) => (value?.["String"] as { sval: string } | undefined)?.sval;
const valuesOf = (set: Node): string =>
  nodes(set["args"])
    .map((argument) => ((argument["A_Const"] as Node)["sval"] as Node | undefined)?.["sval"])
    .join(", ");

function look(node: unknown, known: ReadonlySet<string>, found: string[]): void {
  if (Array.isArray(node)) {
    for (const child of node) look(child, known, found);
    return;
  }
  if (!isNode(node)) return;
  const inside = withNames(node, known);
  const only = (value: unknown): string | undefined => {
    const list = nodes(value);
    return list.length === 1 ? textOf(list[0]) : undefined;
  };
  const note = (kind: string, name: string | undefined) => {
    if (name !== undefined) found.push(`${kind} ${name}`);
  };
  note("function", only(node["funcname"]));
  note("function", only(node["objname"]));
  note("collation", only(node["collname"]));
  note("operator class", only(node["opclass"]));
  note("operator", only(node["useOp"]));
  if ("typemod" in node) note("type", only(node["names"]));
  if (typeof node["relname"] === "string" && node["schemaname"] === undefined) {
    const makesTemporary = node["relpersistence"] === "t";
    if (!known.has(node["relname"]) && !makesTemporary) note("table", node["relname"]);
  }
  const kind = node["kind"];
  if (typeof kind === "string" && kind.startsWith("AEXPR_")) {
    if (kind.startsWith("AEXPR_BETWEEN") || kind.startsWith("AEXPR_NOT_BETWEEN")) note("operator", ">= of between");
    else note("operator", addTo(only(node["name"]), kind));
  }
  if ("subLinkType" in node && isNode(node["testexpr"])) {
    note("operator", node["operName"] === undefined ? "= of in (select)" : only(node["operName"]));
  }
  if (nodes(node["usingClause"]).length > 0 && "jointype" in node) note("operator", "= of using");
  if (node["isNatural"] === true) note("operator", "= of a natural join");
  if (isNode(node["CaseExpr"]) && isNode(node["CaseExpr"]["arg"])) note("operator", "= of case");
  if (isNode(node["TypeCast"])) note("name", nameIn(node["TypeCast"]));
  if (isNode(node["DropStmt"])) for (const name of dropped(node["DropStmt"])) note("table", name);
  for (const [key, child] of Object.entries(node)) {
    const writes = isNode(child) && ["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"].includes(key);
    if (writes) look(child["relation"], new Set(), found); // never a name of WITH
    look(writes ? { ...child, relation: undefined } : child, inside, found);
  }
}

function addTo(operator: string | undefined, kind: string): string | undefined {
  const words: Record<string, string> = {
    AEXPR_IN: "in",
    AEXPR_NULLIF: "nullif",
    AEXPR_DISTINCT: "is distinct from",
    AEXPR_NOT_DISTINCT: "is not distinct from",
    AEXPR_LIKE: "like",
    AEXPR_ILIKE: "ilike",
    AEXPR_SIMILAR: "similar to",
  };
  return operator === undefined || words[kind] === undefined ? operator : `${operator} of ${words[kind]}`;
}

/** The names that a statement's WITH gives, and those that are known outside. */
function withNames(node: Node, known: ReadonlySet<string>): ReadonlySet<string> {
  const clause = node["withClause"];
  if (!isNode(clause)) return known;
  const names = nodes(clause["ctes"]).map((each) => (each["CommonTableExpr"] as Node)["ctename"] as string);
  return new Set([...known, ...names]);
}

/** The text of a literal that is read as the name of something, such as 'pg_class'::regclass. */
function nameIn(cast: Node): string | undefined {
  const type = textOf(nodes((cast["typeName"] as Node)["names"]).at(-1));
  const { A_Const: constant } = cast["arg"] as Node;
  const text = isNode(constant) ? (constant["sval"] as Node | undefined)?.["sval"] : undefined;
  if (typeof text !== "string" || !/^reg(?!namespace|role)/.test(type ?? "")) return undefined;
  if (type === "regtype") return unqualifiedIn(`select null::${text}`).length > 0 ? `'${text}'` : undefined;
  return text.includes(".") ? undefined : `'${text}'`;
}

function dropped(drop: Node): string[] {
  const names = nodes(drop["objects"]).map((object) => nodes((object["List"] as Node | undefined)?.["items"]));
  const least = drop["removeType"] === "OBJECT_TRIGGER" ? 3 : 2;
  const named = /TABLE|VIEW|SEQUENCE|INDEX|TRIGGER/.test(String(drop["removeType"]));
  return named ? names.filter((name) => name.length < least).map((name) => name.map(textOf).join(".")) : [];
}

/** Every expression, statement and declared type of a PL/pgSQL body. */
function lookIntoBlock(node: unknown, inStatement: (text: string) => void): void {
  if (Array.isArray(node)) for (const child of node) lookIntoBlock(child, inStatement);
  if (!isNode(node) || Array.isArray(node)) return;
  const { PLpgSQL_expr: expression, lineno, datatype } = node;
  if (isNode(expression)) {
    const { query, parseMode = 0 } = expression as { query: string; parseMode?: number };
    if (parseMode === 0) inStatement(query);
    else if (parseMode === 2) inStatement(`select ${query}`);
    else if (parseMode > 2) inStatement(`select ${query.slice(query.indexOf("=") + 1)}`);
  }
  if (lineno !== undefined && isNode(datatype)) {
    const { typname } = datatype["PLpgSQL_type"] as { typname: string };
    if (!typname.includes("%")) inStatement(`select null::${typname}`);
  }
  for (const child of Object.values(node)) lookIntoBlock(child, inStatement);
}
