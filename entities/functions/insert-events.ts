import { mostExpansion } from "./text-size.sql.js";

/**
 * What differs between the writers of events: SQL expressions over `effect` (and its `image`) unless said otherwise.
 */
export interface EventSource {
  /**
   * What happened to each record, in the order in which it is to be recorded: a query giving `action`, `data`,
   * `previous`, and `image`, a jsonb object that holds at least the columns which the expressions below read.
   */
  readonly effects: string;
  readonly tableName: string;
  readonly entity: string;
  readonly recordId: string;
  readonly recordKey: string;
  readonly versions: string;
  readonly deleteDateColumn: string;
  readonly tenantColumn: string;
  /** text[]: every other column goes to the side table. */
  readonly plainColumns: string;
  /** text[]: the columns of the row that are not plain, or null where there are none. */
  readonly hidden: string;
  /** jsonb: the request context, or null. */
  readonly context: string;
  /** text: where the events come from. */
  readonly origin: string;
  /** bigint: the shape that the table has, null for that of the last install. (Default: null) */
  readonly shape?: string | undefined;
  /** integer: how many bytes data and previous may have together, as text. */
  readonly dataLimit: string;
}

/**
 * The expressions for writers on any table. `of` gives the SQL that reads a column of the table's row in `tracked`.
 * (Default: changes are joined with `tracked`) Each change has `child`, the entry of its entity in
 * `discriminator_entities`.
 */
export const ofTracked = (s: string, of = (column: string) => column) => ({
  tableName: of("table_name"),
  entity: `coalesce(child ->> 'entity', ${of("entity")})`,
  recordId: `(select jsonb_object_agg(k.name, image -> k.name) from unnest(${of("key_columns")}) as k (name))`,
  recordKey: `${s}.record_key(image, ${of("key_columns")})`,
  versions: `coalesce(child -> 'versions', ${of("versions")})`,
  deleteDateColumn: of("delete_date_column"),
  tenantColumn: of("tenant_column"),
  plainColumns: of("plain_columns"),
  hidden: "hidden",
  dataLimit: `(select data_limit from ${s}.installation)`,
});

const columns = `table_name, entity, record_id, record_key, action, action_name, version, data, previous,
    actor_type, actor_id, actor_name, metadata, tenant, correlation_id, causation_id, signed_by`;
/** What a table's own capture leaves to the columns' defaults while its shape is that of the last install. */
const marks = "origin, shape";

/**
 * Positions are drawn here, after the rows were written, in the order of the effects: the order of the fold rests on
 * that.
 */
const drawn = (s: string, { effects }: EventSource, positions = `${s}.event_position_seq`): string =>
  `select nextval('${positions}') as position, e.* from (${effects}) e`;

const values = (s: string, from: EventSource, { data, previous }: { data: string; previous: string }): string =>
  `${from.tableName}, ${from.entity}, ${from.recordId}, ${from.recordKey}, action,
    coalesce(${from.context} ->> 'actionName', case
      when action <> 'update' or ${from.deleteDateColumn} is null or not data ? ${from.deleteDateColumn} then null
      when previous ->> ${from.deleteDateColumn} is null then 'soft-remove'
      when data ->> ${from.deleteDateColumn} is null then 'recover'
    end),
    (${from.versions} ->> action)::integer,
    case
      when pg_column_size(data) + pg_column_size(previous) > ${from.dataLimit} / ${mostExpansion}
        and ${s}.refuse_size(data, previous, ${from.dataLimit}) then null
      else ${data}
    end, ${previous},
    ${from.context} #>> '{actor,type}', ${from.context} #>> '{actor,id}', ${from.context} #>> '{actor,name}',
    coalesce(${from.context} -> 'metadata', '{}'),
    coalesce(image ->> ${from.tenantColumn}, ${from.context} ->> 'tenant'),
    ${from.context} ->> 'correlationId', ${from.context} ->> 'causationId', ${from.context} ->> 'signedBy'`;

/**
 * The one piece of SQL that writes events, whoever writes them; columns that are not known to be plain go to their side
 * table. `into`: a table that is to become a part of the log, and the sequence of its positions. (Default: the log)
 */
export const insertEvents = (s: string, from: EventSource, into?: { event: string; positions: string }): string => `
with drawn as materialized (${drawn(s, from, into?.positions)}),
apart as (
  insert into ${s}.event_sensitive (position, data, previous)
  select position, data - ${from.plainColumns}, previous - ${from.plainColumns}
  from drawn
  where data ?| ${from.hidden} or previous ?| ${from.hidden}
)
insert into ${into?.event ?? `${s}.event`} (position, ${marks}, ${columns})
overriding system value
select position, ${from.origin}, ${from.shape ?? "null"}, ${values(s, from, {
  data: `case when ${from.hidden} is null then data else data - ${from.hidden} end`,
  previous: `case when ${from.hidden} is null then previous else previous - ${from.hidden} end`,
})}
from drawn
order by position
`;

/**
 * The same for a table that keeps no column apart: one insert, with little to set up, which is most of the time of a
 * small write. The position is the column's own, drawn for each row in the order of the effects: to draw it in a query
 * would be a node more.
 */
export const insertPlainEvents = (s: string, from: EventSource): string => `
insert into ${s}.event (origin, ${columns})
select ${from.origin}, ${values(s, from, { data: "data", previous: "previous" })}
from (${from.effects}) d
`;

interface Images {
  readonly changes: string;
  /** Whether old and new are the same record: over `c.old` and `c.new`. */
  readonly sameRecord: string;
  readonly plainColumns: string;
  /** text[]: the actions that are recorded. */
  readonly actions: string;
}

/**
 * Effects of changes given as whole images: `changes` is a query giving `ordinal`, `old` and `new` (either image is
 * null for a create or a destroy) and whatever else the event's source reads. A changed key is a destroy and a create,
 * destroys first. An update that changes nothing is no effect.
 */
export const effectsOfImages = (images: Images): string => `
  with change as materialized (${images.changes})${effectsOf(
    images,
    `select c.*, ${updated(images)}
    union all
    select c.*, 0, 'destroy', c.old, '{}'::jsonb, c.old
    from change c
    where c.old is not null and (${images.sameRecord}) is not true
    union all
    select c.*, 1, 'create', c.new, c.new, '{}'::jsonb
    from change c
    where c.new is not null and (${images.sameRecord}) is not true`,
  )}`;

/** How the table is asked for the row that it has now under a key. */
export interface Places {
  /** SQL for the key in the log of a record, of which an image is given. */
  readonly keyOf: (image: string) => string;
  /** A query of the row that the table has now under the key of the image `p.id`: `image`, and whether it `is_recorded`. */
  readonly live: string;
}

/**
 * The same for a statement, if the table can be asked which row has a key now. Rows leave a key and take it in turns, so
 * whether a row has it now says whether one had it before. If rows did both, what happened between the first and the
 * last is left out, and the last event says whether there is a row. If another row has a key that was left, and the
 * event of that row came first, the row is recorded once more.
 */
export const effectsOfMoves = (images: Images, { keyOf, live }: Places): string => `
  with change as materialized (${images.changes}),
  place as materialized (
    select p.*, l.image, l.is_recorded
    from (
      select s.key, min(s.ordinal) as ordinal,
        count(*) filter (where s.departs) as departed, count(*) filter (where s.arrives) as arrived,
        (array_agg(s.image order by s.ordinal, s.is_new))[1] as first,
        (array_agg(s.image order by s.ordinal desc) filter (where s.departs))[1] as gone,
        (array_agg(s.image order by s.ordinal) filter (where s.arrives))[1] as come,
        (array_agg(s.image))[1] as id
      from change c
      cross join lateral (select (${images.sameRecord}) is not true as moves) m
      cross join lateral (values
        (${keyOf("c.old")}, c.ordinal, false, c.old, m.moves, false),
        (${keyOf("c.new")}, c.ordinal, true, c.new, false, m.moves)) as s (key, ordinal, is_new, image, departs, arrives)
      where s.image is not null
      group by s.key
      having bool_or(m.moves)
    ) p
    left join lateral (${live}) l on true
  )${effectsOf(
    images,
    `select c.ordinal, ${updated(images, {
      part: "case when p.departed > 0 then 0 else 2 end",
      places: `left join place p on p.key = ${keyOf("c.new")}`,
    })}
    and (p.departed > 0 and p.arrived > 0) is not true
    union all
    select p.ordinal, 1, 'destroy', d.image, '{}'::jsonb, d.image
    from place p
    cross join lateral (select case when p.arrived = 0 then p.gone else p.first end as image) d
    where p.departed > 0 and p.departed - p.arrived + (p.image is not null)::integer > 0
    union all
    select p.ordinal, 2, 'create', c.image, c.image, '{}'::jsonb
    from place p
    cross join lateral (select case when p.departed = 0 then p.come else p.image end as image) c
    where c.image is not null and (p.arrived > 0 or p.is_recorded)`,
  )}`;

const updated = ({ sameRecord }: Images, { part = "1", places = "" } = {}): string => `${part} as part,
      'update' as action, c.new as image, c.new - d.same as data, c.old - d.same as previous
    from change c
    ${places}
    cross join lateral (
      select array(
        select o.key from jsonb_each_text(c.old) o where c.new ->> o.key is not distinct from o.value
      ) as same offset 0
    ) d
    where ${sameRecord}`;

const effectsOf = ({ plainColumns, actions }: Images, effects: string): string => `
  select e.*, (
      select array_agg(k.name) from jsonb_object_keys(e.image) as k (name) where k.name <> all (${plainColumns})
    ) as hidden
  from (
    ${effects}
  ) e
  where e.action = any (${actions}) and (e.action <> 'update' or e.data <> '{}')
  order by e.part, e.ordinal`;
