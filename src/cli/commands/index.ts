import type { Register } from "../run.js";
import { activity } from "./activity.js";
import { baseline } from "./baseline.js";
import { bookmark } from "./bookmark.js";
import { events } from "./events.js";
import { history } from "./history.js";
import { init } from "./init.js";
import { install } from "./install.js";
import { migration } from "./migration.js";
import { partition } from "./partition.js";
import { reconcile } from "./reconcile.js";
import { replay } from "./replay.js";
import { retain } from "./retain.js";
import { schema } from "./schema.js";
import { shadow } from "./shadow.js";
import { status } from "./status.js";
import { verify } from "./verify.js";

/** Every command, a file each, in the order of the help. */
export const commands: readonly Register[] = [
  init,
  install,
  migration,
  status,
  events,
  history,
  replay,
  shadow,
  verify,
  reconcile,
  schema,
  baseline,
  bookmark,
  partition,
  retain,
  activity,
];
