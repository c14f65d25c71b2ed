-- Why: what a party asked or gave, and what an auditor may see: metadata and single entries, never content of records.
-- States it assumes: 0001-0005.
create type api.disclosure_row as (
    id uuid, recorded_at timestamptz, leaf bytea, leaf_hash bytea, manifest bytea,
    payload bytea, payload_key bytea
);

-- Whether a committed, fresh read entry of this organisation names what is now read.
create function ledger.read_stands(p_read uuid, p_read_at timestamptz, p_organisation text, p_refers uuid)
    returns boolean language sql volatile as $$
    select exists (
        select 1 from ledger.entry r
         where r.id = p_read and r.recorded_at = p_read_at and r.kind = 'read' and r.organisation = p_organisation
           and r.refers is not distinct from p_refers
           and r.xid is distinct from pg_current_xact_id_if_assigned()
           and r.recorded_at > clock_timestamp() - interval '30 seconds')
$$;

create function api.list_disclosures(
    p_read uuid, p_read_at timestamptz, p_organisation text, p_as_receiver boolean,
    p_from timestamptz, p_to timestamptz, p_cases bytea[], p_after uuid, p_limit integer
) returns setof api.disclosure_row
    language plpgsql volatile security definer as $$
begin
    if not ledger.read_stands(p_read, p_read_at, p_organisation, null) then
        return;
    end if;
    return query
        select e.id, e.recorded_at, e.leaf, e.leaf_hash, e.manifest, e.payload, e.payload_key
          from ledger.entry e
         where e.kind = 'disclosure' and e.recorded_at >= p_from and e.recorded_at < p_to
           and (case when p_as_receiver then e.organisation else e.counterparty end) = p_organisation
           and (p_cases is null or e.case_tag = any (p_cases))
           and (p_after is null or e.id > p_after)
         order by e.id limit p_limit;
end $$;

create function api.find_disclosure(
    p_read uuid, p_read_at timestamptz, p_organisation text, p_entry uuid, p_from timestamptz, p_to timestamptz
) returns setof api.disclosure_row
    language plpgsql volatile security definer as $$
begin
    if not ledger.read_stands(p_read, p_read_at, p_organisation, p_entry) then
        return;
    end if;
    return query
        select e.id, e.recorded_at, e.leaf, e.leaf_hash, e.manifest, e.payload, e.payload_key
          from ledger.entry e
         where e.id = p_entry and e.kind = 'disclosure' and e.recorded_at >= p_from and e.recorded_at < p_to
           and p_organisation in (e.organisation, e.counterparty);
end $$;

-- Who received and who disclosed: what an attestation of erasure must know, and no more.
create function api.disclosure_parties(p_entry uuid, p_from timestamptz, p_to timestamptz)
    returns table (receiver text, discloser text)
    language sql stable security definer
    begin atomic
        select e.organisation, e.counterparty from ledger.entry e
         where e.id = p_entry and e.kind = 'disclosure' and e.recorded_at >= p_from and e.recorded_at < p_to;
    end;

create function api.open_audit_session(
    p_id uuid, p_organisation text, p_client text, p_purpose text, p_until timestamptz
) returns void language sql volatile security definer
    begin atomic
        insert into ledger.audit_session (id, organisation, client, audit_purpose, until)
        values (p_id, p_organisation, p_client, p_purpose, p_until);
    end;

create function api.audit_session_stands(p_id uuid, p_organisation text, p_client text) returns boolean
    language sql stable security definer
    begin atomic
        select exists (
            select 1 from ledger.audit_session s
             where s.id = p_id and s.organisation = p_organisation and s.client = p_client
               and s.until > clock_timestamp());
    end;

-- An entry for an auditor: only with the committed read entry that says so, and only within their own sight: a
-- supervisor sees all, anyone else the entries their organisation is party to.
create function api.inspect_entry(
    p_read uuid, p_read_at timestamptz, p_organisation text, p_entry uuid, p_from timestamptz, p_to timestamptz,
    p_session uuid
) returns setof api.disclosure_row
    language plpgsql volatile security definer as $$
begin
    if not ledger.read_stands(p_read, p_read_at, p_organisation, p_entry)
       or not exists (select 1 from ledger.audit_session s
                       where s.id = p_session and s.organisation = p_organisation and s.until > clock_timestamp())
    then
        return;
    end if;
    return query
        select e.id, e.recorded_at, e.leaf, e.leaf_hash, e.manifest, e.payload, e.payload_key
          from ledger.entry e
         where e.id = p_entry and e.recorded_at >= p_from and e.recorded_at < p_to
           and (p_organisation in (e.organisation, e.counterparty)
                or exists (select 1 from registry.organisation o
                            where o.id = p_organisation and o.kind = 'supervisor' and o.active));
end $$;

create function api.find_client(p_client text)
    returns table (organisation text, kind text, active boolean, scopes text[], client_version integer,
                   organisation_version integer, kids text[], algorithms text[], jwks bytea[])
    language sql stable security definer
    begin atomic
        select c.organisation, o.kind, c.active and o.active, c.scopes, c.version, o.version,
               coalesce(array_agg(k.kid) filter (where k.kid is not null), '{}'),
               coalesce(array_agg(k.algorithm) filter (where k.kid is not null), '{}'),
               coalesce(array_agg(k.jwk) filter (where k.kid is not null), '{}')
          from registry.client c
          join registry.organisation o on o.id = c.organisation
          left join registry.client_key k on k.client = c.id and k.active
         where c.id = p_client
         group by c.organisation, o.kind, c.active, o.active, c.scopes, c.version, o.version;
    end;

-- Which organisation answers for which area (Helsinki is one); read once at start.
create function api.counties() returns table (area_code text, organisation text)
    language sql stable security definer
    begin atomic
        select o.area_code, o.id from registry.organisation o where o.kind = 'county' and o.area_code is not null;
    end;

-- A write of the server commits only beside an entry of the same transaction: effect and entry together or neither.
create function ledger.demand_entry() returns trigger language plpgsql security definer as $$
begin
    if session_user = 'sauma_server' and not exists (
        select 1 from ledger.entry e
         where e.xid = pg_current_xact_id() and e.recorded_at > clock_timestamp() - interval '1 hour') then
        raise exception 'a write commits only with its ledger entry' using errcode = 'SA004';
    end if;
    return null;
end $$;

do $$
declare
    t regclass;
begin
    foreach t in array array['exchange.subject', 'exchange.subject_basis', 'exchange.identifier', 'exchange.link',
                             'exchange.matter', 'exchange.prior_information', 'exchange.prohibition',
                             'exchange.record', 'exchange.record_group', 'exchange.record_person',
                             'exchange.publication_state', 'keys.data_key', 'ledger.audit_session']::regclass[] loop
        execute format('create constraint trigger with_entry after insert or update or delete on %s
                        deferrable initially deferred for each row execute function ledger.demand_entry()', t);
    end loop;
end $$;

-- The least the server role needs: to execute these and nothing else.
do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname in ('api', 'ledger', 'exchange', 'registry', 'keys') loop
        execute format('revoke all on function %s from public', f);
    end loop;
    for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'api' loop
        execute format('grant execute on function %s to sauma_server', f);
    end loop;
end $$;
