-- name: server
select current_setting('server_version_num')::integer as version,
       pg_is_in_recovery() as replica,
       current_setting('transaction_read_only') = 'on' as read_only,
       current_setting('transaction_isolation') as isolation,
       current_setting('server_encoding') as encoding,
       current_setting('data_checksums') = 'on' as checksums,
       current_setting('max_connections')::integer
         - current_setting('superuser_reserved_connections')::integer
         - coalesce(current_setting('reserved_connections', true)::integer, 0) as connections,
       inet_server_addr() is null
         or inet_server_addr() << '127.0.0.0/8'::inet or inet_server_addr() = '::1'::inet as near,
       coalesce((select s.ssl from pg_stat_ssl s where s.pid = pg_backend_pid()), false) as encrypted,
       clock_timestamp() as clock
-- name: role
select r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication as mighty,
       exists (select from pg_roles o
                where o.rolname = 'sauma_owner' and pg_has_role(session_user, o.oid, 'member')) as owner,
       (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'api', 'sauma_meta')
           and c.relkind in ('r', 'p', 'v', 'm')
           and (has_table_privilege(session_user, c.oid, 'select, insert, update, delete, truncate, references')
                or has_table_privilege(session_user, c.oid, 'trigger')
                or has_any_column_privilege(session_user, c.oid, 'select, insert, update, references'))) as relations,
       (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname = 'api' and not has_function_privilege(session_user, p.oid, 'execute')) as missing,
       (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'registrar', 'sequencer')
           and has_function_privilege(session_user, p.oid, 'execute')) as inner_functions,
       (select count(*) from pg_namespace n where has_schema_privilege(session_user, n.oid, 'create')) as creates,
       has_database_privilege(session_user, current_database(), 'temporary, create') as makes_temporary,
       (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'api', 'registrar', 'sequencer') and p.prosecdef
           and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)) as wandering
  from pg_roles r
 where r.rolname = session_user
-- name: guards
with ours as (
    select c.oid, c.relname, n.nspname, c.relkind, c.relowner
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('registry', 'exchange', 'keys', 'ledger') and c.relkind in ('r', 'p')
), owners as (
    select o.relowner as id from ours o
    union all
    select p.proowner from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'api', 'registrar', 'sequencer')
)
select (select count(*)
          from ours o
         cross join (values ('immutable_row'), ('immutable_table'), ('whole_row')) as wanted (name)
         where o.nspname = 'ledger'
           and (o.relname = 'entry' or exists (select from pg_inherits i where i.inhrelid = o.oid))
           and not exists (select from pg_trigger t
                            where t.tgrelid = o.oid and t.tgname = wanted.name and t.tgenabled = 'A'))
         + (select count(*)
              from unnest(array['tree_leaf', 'tile', 'edge', 'tree', 'checkpoint']) as kept (name)
             cross join (values ('immutable_row'), ('immutable_table')) as wanted (name)
             where not exists (
                   select from pg_trigger t join ours o on o.oid = t.tgrelid
                    where o.nspname = 'ledger' and o.relname = kept.name and t.tgname = wanted.name
                      and t.tgenabled = 'A'))
         + (select count(*)
              from unnest(array['client', 'client_key', 'organisation', 'organisation_grant', 'delegation',
                                'identity_provider']) as followed (name)
             where not exists (
                   select from pg_trigger t join ours o on o.oid = t.tgrelid
                    where o.nspname = 'registry' and o.relname = followed.name and t.tgname = 'mandate_follows'
                      and t.tgenabled = 'A')) as unguarded,
       (select count(*) from pg_trigger t join ours o on o.oid = t.tgrelid
         where t.tgenabled not in ('O', 'A')) as disabled,
       (select count(*) from owners w join pg_roles r on r.oid = w.id
         where r.rolname <> 'sauma_owner' or r.rolcanlogin or r.rolsuper) as foreign_owned,
       (select count(*) from generate_series(0, 1) as ahead
         where not exists (
               select from ours o
                where o.nspname = 'ledger'
                  and o.relname = 'entry_' || to_char((clock_timestamp() at time zone 'UTC')
                                                      + make_interval(months => ahead), 'YYYYMM'))) as months_missing
-- name: registrars
with operator as (
    select r.oid, r.rolname, r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication as mighty
      from pg_roles r
     where r.rolcanlogin and not r.rolsuper
       and pg_has_role(r.oid, (select g.oid from pg_roles g where g.rolname = 'sauma_registrar'), 'member')
)
select (select g.rolcanlogin or g.rolsuper from pg_roles g where g.rolname = 'sauma_registrar') as logs_in,
       (select count(*) from operator o
         where o.mighty or exists (
               select from pg_roles s
                where s.rolname in ('sauma_owner', 'sauma_migrator', 'sauma_server', 'sauma_auditor', 'sauma_sequencer')
                  and (s.oid = o.oid or pg_has_role(o.oid, s.oid, 'member')))) as doubled,
       (select count(*) from operator o join operator x on x.oid <> o.oid
         where pg_has_role(o.oid, x.oid, 'member')) as shared,
       (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('registry', 'exchange', 'keys', 'ledger') and c.relkind in ('r', 'p', 'v', 'm')
           and (has_table_privilege('sauma_registrar', c.oid, 'select, insert, update, delete, truncate')
                or has_any_column_privilege('sauma_registrar', c.oid, 'select, insert, update')))
         + (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
             where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'api', 'sequencer')
               and has_function_privilege('sauma_registrar', p.oid, 'execute')) as beyond,
       (select count(*) from operator) as operators
-- name: ring_keys
select purpose, version, check_value from api.ring_keys()
-- name: note_ring_keys
select api.note_ring_keys($1, $2, $3)
