-- Why: a name without a schema, a type's most of all, is looked for in the session's temporary schema first. Whoever may
-- make temporary objects (PostgreSQL lets everybody, until bootstrap takes it away) could put a type of its own under a
-- function that runs with the owner's rights, and read what the gate keeps. A clause of the function, not of its body:
-- PL/pgSQL looks types up before the body begins. A later migration that replaces such a function repeats this.
-- States it assumes: 0001-0008.
do $$
declare
    f record;
begin
    for f in select p.oid::regprocedure as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'api') and p.prosecdef loop
        execute format('alter function %s set search_path = pg_catalog, pg_temp', f.name);
    end loop;
end $$;
