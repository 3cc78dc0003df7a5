import type { Facts } from "../facts.js";

/** Where the story is told to. */
export interface Report {
  /** Rows written so far, of one kind. */
  progress(what: string, done: number, total: number): void;
  /** A chapter has ended. */
  tell<Chapter extends keyof Facts>(chapter: Chapter, facts: Facts[Chapter]): void;
  /** Nothing more comes. */
  end(): void;
}
