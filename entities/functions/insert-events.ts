/** What differs between the writers of events: SQL expressions over `change` (image) unless said otherwise. */
export interface EventSource {
  /** The rows written: a query giving ordinal, old, new, table-specific columns too (old or new is null for a create or destroy). */
  readonly changes: string;
  readonly tableName: string;
  readonly entity: string;
  readonly recordId: string;
  readonly recordKey: string;
  /** Whether old and new are the same record: over \`old\` and \`new\`. */
  readonly sameRecord: string;
  readonly versions: string;
  readonly deleteDateColumn: string;
  readonly tenantColumn: string;
  readonly plainColumns: string;
  readonly actions: string;
  /** jsonb: the request context, or null. */
  readonly context: string;
  /** text: the action's name whatever the context says, or null. */
  readonly actionName: string;
}

/**
 * The one piece of SQL that writes events, whoever writes them: it finds what changed, gives every event its position,
 * and splits off the columns that are not known to be plain.
 *
 * A changed key is a destroy and a create, destroys first. An update that changes nothing writes nothing.
 * Positions are drawn here, after the rows were written: the order of the fold rests on that.
 */
export const insertEvents = (s: string, from: EventSource): string => `
with change as materialized (${from.changes}),
effect as materialized (
  select e.*, (select array_agg(k.name) from jsonb_object_keys(e.image) as k (name) where k.name <> all (${from.plainColumns})) as hidden
  from (
    select c.*, 1 as part, 'update' as action, c.new as image, c.new - d.same as data, c.old - d.same as previous
    from change c
    cross join lateral (select array(select o.key from jsonb_each_text(c.old) o where c.new ->> o.key is not distinct from o.value) as same offset 0) d
    where ${from.sameRecord}
    union all
    select c.*, 0, 'destroy', c.old, '{}'::jsonb, c.old
    from change c
    where c.old is not null and (${from.sameRecord}) is not true
    union all
    select c.*, 1, 'create', c.new, c.new, '{}'::jsonb
    from change c
    where c.new is not null and (${from.sameRecord}) is not true
  ) e
  where e.action = any (${from.actions}) and (e.action <> 'update' or e.data <> '{}')
  order by e.part, e.ordinal
),
drawn as materialized (
  select nextval('${s}.event_position_seq') as position, e.* from effect e
),
event as (
  insert into ${s}.event (position, table_name, entity, record_id, record_key, action, action_name, version, data, previous,
    actor_type, actor_id, actor_name, metadata, tenant, correlation_id, causation_id)
  overriding system value
  select position, ${from.tableName}, ${from.entity}, ${from.recordId}, ${from.recordKey}, action,
    coalesce(${from.actionName}, ${from.context} ->> 'actionName', case
      when action <> 'update' or ${from.deleteDateColumn} is null or not data ? ${from.deleteDateColumn} then null
      when previous ->> ${from.deleteDateColumn} is null then 'soft-remove'
      when data ->> ${from.deleteDateColumn} is null then 'recover'
    end),
    (${from.versions} ->> action)::integer,
    case when hidden is null then data else data - hidden end,
    case when hidden is null then previous else previous - hidden end,
    ${from.context} #>> '{actor,type}', ${from.context} #>> '{actor,id}', ${from.context} #>> '{actor,name}',
    coalesce(${from.context} -> 'metadata', '{}'),
    coalesce(image ->> ${from.tenantColumn}, ${from.context} ->> 'tenant'),
    ${from.context} ->> 'correlationId', ${from.context} ->> 'causationId'
  from drawn
  order by position
)
insert into ${s}.event_sensitive (position, data, previous)
select position, data - (${from.plainColumns}), previous - (${from.plainColumns})
from drawn
where hidden is not null and (data ?| hidden or previous ?| hidden)
`;
