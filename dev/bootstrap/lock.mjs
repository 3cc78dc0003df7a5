import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "./root.mjs";

const HEARTBEAT_MS = 1_000;
/** A holder that shows no life for this long is gone: killed, or on a machine that was switched off. */
const STALE_MS = 15_000;
const ASK_AGAIN_MS = 100;

/**
 * Lets one process at a time install and build in this clone; the others wait.
 * @template Result
 * @param {() => Promise<Result>} work
 * @param {{ file?: string, onWait?: () => void }} [options]
 * @returns {Promise<Result>}
 */
export async function withLock(work, { file = join(ROOT, ".bootstrap", "lock"), onWait } = {}) {
  mkdirSync(dirname(file), { recursive: true });
  const own = `${process.pid} ${randomBytes(6).toString("hex")}`;
  for (let attempt = 1; !take(file, own); attempt++) {
    if (attempt === 1) onWait?.();
    await sleep(ASK_AGAIN_MS);
  }
  const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if (read(file) === own) rmSync(file, { force: true });
  }
}

/**
 * @param {string} file
 * @param {string} own
 */
function take(file, own) {
  const holder = read(file);
  if (holder !== null) {
    if (isAlive(holder, file)) return false;
    setAside(file, holder, own);
  }
  // Linked into place with its content, so that nobody reads an empty lock.
  const draft = `${file}.${own.replace(" ", "-")}`;
  writeFileSync(draft, own);
  try {
    linkSync(draft, file);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Takes a dead holder's lock away; a lock that another process took in between is put back.
 * @param {string} file
 * @param {string} holder
 * @param {string} own
 */
function setAside(file, holder, own) {
  const aside = `${file}.${own.replace(" ", "-")}.stale`;
  try {
    renameSync(file, aside);
    if (read(aside) !== holder) linkSync(aside, file);
  } catch {
    // Another process set it aside, or took it, first.
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * @param {string} holder
 * @param {string} file
 */
function isAlive(holder, file) {
  const touched = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (touched === undefined || Date.now() - touched > STALE_MS) return false;
  try {
    process.kill(Number.parseInt(holder, 10), 0);
    return true;
  } catch (error) {
    // A process of another user is alive, too.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** @param {string} file */
function touch(file) {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // Set aside by one that took us for dead; the work is the same twice.
  }
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
