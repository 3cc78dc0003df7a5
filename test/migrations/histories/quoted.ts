import pg from "pg";

export const quoted = (name: string): string => pg.escapeIdentifier(name);
export const literal = (text: string): string => pg.escapeLiteral(text);
export const listed = (names: readonly string[]): string => names.map(quoted).join(", ");
