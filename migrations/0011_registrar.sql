-- Why: who may call is decided by two persons, and each step of it is a ledger entry. A registrar proposes, another
-- approves; what takes access away one may do alone, and it holds at the next call. An auditor reads the ledger under a
-- grant that names a system, organisations and a dossier, and ends.
-- States it assumes: 0001-0010, and the role sauma_registrar: run what `sauma migrate --print-bootstrap` prints first.
-- A server of before opens no audit session on it (its function is gone: it could not say under which grant), and
-- sessions that stood end; grants are made anew.
create schema registrar;
grant usage on schema registrar to sauma_registrar;
grant usage on schema sauma_meta to sauma_registrar;
grant execute on function sauma_meta.applied() to sauma_registrar;

-- Named by its ledger entry. The second person is not the first, whoever writes the row.
create table registry.proposal (
    id uuid primary key,
    act text not null check (act in ('client', 'resumption', 'client-key', 'delegation', 'provider',
                                     'organisation-grant', 'audit-grant')),
    arguments jsonb not null,
    proposed_by name not null default session_user,
    proposed_at timestamptz not null default clock_timestamp(),
    approved_by name,
    approved_at timestamptz,
    withdrawn_by name,
    withdrawn_at timestamptz,
    check (approved_by <> proposed_by),
    check (approved_by is null or withdrawn_by is null)
);

-- Whom the ledger is opened to, for which dossier, and until when: a year at most.
create table registry.auditor_grant (
    id uuid primary key default gen_random_uuid(),
    client text not null references registry.client,
    organisations text[] not null check (cardinality(organisations) > 0),
    dossier text not null check (dossier ~ '^[A-Za-z0-9._:~-]{1,64}$'),
    active boolean not null default true,
    granted_at timestamptz not null default clock_timestamp(),
    until timestamptz not null,
    check (until > granted_at and until <= granted_at + interval '366 days')
);
create unique index on registry.auditor_grant (client, dossier) where active;
alter table ledger.audit_session add column auditor_grant uuid references registry.auditor_grant;

create function ledger.of_a_registrar() returns boolean language sql stable as $$
    select pg_has_role(session_user, 'sauma_registrar', 'member')
$$;

-- As 0008, and: an act of the registrars is written in a session of theirs, so that a server cannot invent one; it may
-- concern an organisation without naming a system.
create or replace function ledger.demand_whole() returns trigger language plpgsql as $$
declare
    v_whole boolean;
begin
    v_whole := length(new.leaf) <= 1024 and length(new.manifest) <= 65536
        and (new.kind = 'writer' or (new.organisation is not null and (new.client is not null or new.kind = 'admin')))
        and case new.kind
            when 'disclosure' then
                new.counterparty is not null and new.purpose is not null and new.provisions is not null
                and new.decision is not null and new.decision = 'permit'
                and new.payload is not null and new.payload_key is not null and new.subject_tag is not null
                and new.officer_tag is not null and new.case_tag is not null and cardinality(new.row_record) > 0
                and new.basis_subject is not null and new.basis_organisation_version is not null
                and new.basis_discloser_version is not null and new.basis_agreement is not null
                and new.basis_agreement_version is not null
            when 'refusal' then
                new.decision is not null and new.decision = 'refuse' and new.reason is not null
                and new.payload is not null and new.payload_key is not null
            when 'outcome' then new.refers is not null
            when 'erasure' then new.refers is not null
            when 'admin' then
                new.decision is not null
                and ((new.client is not null and new.decision !~
                      '^(client|resumption|client-key|delegation|provider|organisation-grant|audit-grant)-[a-z]+$')
                     or ledger.of_a_registrar())
            else new.kind in ('write', 'annulment', 'annotation', 'read', 'writer') end;
    if v_whole is not true then
        raise exception 'an entry of this kind is not whole' using errcode = '23514';
    end if;
    return new;
end $$;

-- A change of the register by a registrar commits only beside an entry of the same transaction (0006: the server's).
create function registry.demand_entry() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
begin
    if ledger.of_a_registrar() and not (select r.rolsuper from pg_roles r where r.rolname = session_user)
       and not exists (
        select from ledger.entry e
         where e.xid = pg_current_xact_id() and e.kind = 'admin'
           and e.recorded_at > clock_timestamp() - interval '1 hour') then
        raise exception 'a write commits only with its ledger entry' using errcode = 'SA004';
    end if;
    return null;
end $$;

do $$
declare
    t regclass;
begin
    foreach t in array array['registry.client', 'registry.client_key', 'registry.organisation_grant',
                             'registry.delegation', 'registry.identity_provider', 'registry.proposal',
                             'registry.auditor_grant']::regclass[] loop
        execute format('create constraint trigger with_entry after insert or update or delete on %s
                        deferrable initially deferred for each row execute function registry.demand_entry()', t);
        execute format('alter table %s enable always trigger with_entry', t);
    end loop;
end $$;

create type ledger.noted as (recorded_at timestamptz, leaf_hash bytea);

-- The entry of an act: its leaf says exactly what the function that calls this does, and nothing besides. It needs no
-- system's mandate, so no role may call it but through the functions of the schema registrar.
create function ledger.append_act(
    p_leaf bytea, p_payload bytea, p_payload_key bytea,
    p_decision text, p_organisation text, p_client text, p_counterparty text, p_refers uuid
) returns ledger.noted
    language plpgsql volatile as $$
declare
    n ledger.noted;
    l jsonb := convert_from(p_leaf, 'UTF8')::jsonb;
    v_setting text := set_config('synchronous_commit', 'on', true);
begin
    if l is null or p_payload is null or p_payload_key is null or not l ? 'payload'
       or l ->> 'kind' is distinct from 'admin' or l ->> 'decision' is distinct from p_decision
       or l ->> 'organisation' is distinct from p_organisation or l ->> 'client' is distinct from p_client
       or l ->> 'counterparty' is distinct from p_counterparty or (l ->> 'refers')::uuid is distinct from p_refers
       or l - array['v', 'id', 'at', 'kind', 'writer', 'counter', 'previous', 'organisation', 'client', 'counterparty',
                    'decision', 'refers', 'payload', 'request', 'catalogue'] <> '{}' then
        raise exception 'leaf and act disagree' using errcode = 'SA002';
    end if;
    if abs(extract(epoch from (l ->> 'at')::timestamptz - clock_timestamp())) > 60 then
        raise exception 'the clocks are more than a minute apart' using errcode = 'SA014';
    end if;
    insert into ledger.entry (
        id, leaf, manifest, side, payload, payload_key, kind, writer, counter, organisation, counterparty, client,
        decision, refers, subject_tags, row_resource, row_record, row_revision, row_class, row_digest)
    values ((l ->> 'id')::uuid, p_leaf, '[]', '', p_payload, p_payload_key, 'admin', (l ->> 'writer')::uuid,
            (l ->> 'counter')::bigint, p_organisation, p_counterparty, p_client, p_decision, p_refers,
            '{}', '{}', '{}', '{}', '{}', '{}')
    returning recorded_at, leaf_hash into n.recorded_at, n.leaf_hash;
    return n;
end $$;

-- A registrar's machine that hangs within an act keeps no other from a suspension: it is let go after ten seconds, and
-- who waits is told after twenty. Of this transaction; called first in each act.
create function registry.never_hang() returns void language plpgsql volatile as $$
begin
    perform set_config('idle_in_transaction_session_timeout', '10s', true), set_config('lock_timeout', '20s', true);
end $$;

-- Partitions as 0002, without its advisory lock, which whoever is connected could hold against every registrar: nothing
-- is locked where nothing is missing.
create or replace function api.add_partitions() returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_this date := date_trunc('month', clock_timestamp() at time zone 'UTC')::date;
    v_month date;
begin
    for v_ahead in 0..2 loop
        v_month := (v_this + make_interval(months => v_ahead))::date;
        if to_regclass('ledger.entry_' || to_char(v_month, 'YYYYMM')) is null then
            lock table ledger.entry in share row exclusive mode;
            perform ledger.add_partition(v_month);
        end if;
    end loop;
end $$;

-- A registrar's session is a writer of its own, as each connection of a server is: this is its first entry.
create function registrar.start_writer(p_leaf bytea) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    l jsonb := convert_from(p_leaf, 'UTF8')::jsonb;
begin
    perform registry.never_hang();
    if l is null or l ->> 'kind' is distinct from 'writer' or l ->> 'decision' is distinct from 'start'
       or (l ->> 'counter')::bigint is distinct from 0
       or l - array['v', 'id', 'at', 'kind', 'writer', 'counter', 'previous', 'decision'] <> '{}' then
        raise exception 'leaf and act disagree' using errcode = 'SA002';
    end if;
    perform api.add_partitions();
    insert into ledger.entry (id, leaf, manifest, side, kind, writer, counter, decision, subject_tags,
                              row_resource, row_record, row_revision, row_class, row_digest)
    values ((l ->> 'id')::uuid, p_leaf, '[]', '', 'writer', (l ->> 'writer')::uuid, 0, 'start', '{}',
            '{}', '{}', '{}', '{}', '{}');
end $$;

create function registry.texts(value jsonb) returns text[]
    language sql immutable
    return case when jsonb_typeof(value) = 'array' then array(select jsonb_array_elements_text(value)) end;

create function registry.add_keys(p_client text, p_keys jsonb) returns void language sql volatile as $$
    insert into registry.client_key (client, kid, algorithm, jwk)
    select p_client, k ->> 'kid', k ->> 'algorithm', convert_to(k ->> 'jwk', 'UTF8')
      from jsonb_array_elements(p_keys) k
$$;

-- A moment with its offset (RFC 3339), which is the same in every session; null where the text is none.
create function registry.moment(p_text text) returns timestamptz language plpgsql immutable as $$
begin
    return case when p_text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$'
                then p_text::timestamptz end;
exception when data_exception then
    return null;
end $$;

-- Whether a member of an act's arguments has its form; null is no.
create function registry.formed(p_form text, v jsonb) returns boolean language sql immutable as $$
    select case p_form
        when 'text' then jsonb_typeof(v) = 'string' and length(v #>> '{}') between 1 and 512
        when 'truth' then jsonb_typeof(v) = 'boolean'
        when 'uri' then jsonb_typeof(v) = 'string' and v #>> '{}' ~ '^https://[!-~]+$' and length(v #>> '{}') <= 512
        when 'moment' then jsonb_typeof(v) = 'string' and registry.moment(v #>> '{}') is not null
        when 'texts' then case when jsonb_typeof(v) = 'array' then
            jsonb_array_length(v) between 1 and 64
            and not exists (select from jsonb_array_elements(v) t(e)
                             where jsonb_typeof(t.e) <> 'string' or length(t.e #>> '{}') not between 1 and 512) end
        when 'keys' then case when jsonb_typeof(v) = 'array' then
            jsonb_array_length(v) between 1 and 20
            and not exists (
                select from jsonb_array_elements(v) k(e)
                 where case when jsonb_typeof(k.e) = 'object' then
                           k.e - array['kid', 'algorithm', 'jwk'] = '{}'
                           and jsonb_typeof(k.e -> 'kid') = 'string' and jsonb_typeof(k.e -> 'jwk') = 'string'
                           and k.e ->> 'kid' ~ '^[A-Za-z0-9._:~=+/-]{1,128}$'
                           and k.e ->> 'algorithm' in ('ES256', 'EdDSA', 'Ed25519', 'PS256')
                           and registry.public_jwk(convert_to(k.e ->> 'jwk', 'UTF8')) end is not true) end
        end
$$;

-- The first member of an act's arguments that is not as it must be; null where all are. The list is closed, and nothing
-- is cast that is of another form: what the second person reads is what is enacted. A question mark: it may be absent.
create function registry.misshapen(p_act text, a jsonb) returns text language plpgsql immutable as $$
declare
    v_members jsonb := case p_act
        when 'client' then '{"organisation": "text", "client": "text", "scopes": "texts", "keys": "keys?",
                             "jwksUri": "uri?", "nonceRequired": "truth?", "certificateBound": "truth?"}'
        when 'resumption' then '{"organisation": "text", "client": "text"}'
        when 'client-key' then '{"organisation": "text", "client": "text", "keys": "keys"}'
        when 'delegation' then '{"organisation": "text", "supplier": "text", "scopes": "texts", "purposes": "texts?",
                                 "validFrom": "moment?", "validUntil": "moment?"}'
        when 'provider' then '{"organisation": "text", "issuer": "uri", "keys": "keys"}'
        when 'organisation-grant' then '{"organisation": "text", "scopes": "texts", "purposes": "texts?",
                                         "detailsRequired": "truth?"}'
        when 'audit-grant' then '{"organisation": "text", "client": "text", "organisations": "texts",
                                  "dossier": "text", "until": "moment"}'
        end;
begin
    if v_members is null or jsonb_typeof(a) is distinct from 'object' then
        return 'act';
    end if;
    if a - array(select jsonb_object_keys(v_members)) <> '{}' then
        return 'arguments';
    end if;
    return (select m.key from jsonb_each_text(v_members) m
             where case when a ? m.key then registry.formed(rtrim(m.value, '?'), a -> m.key) is not true
                        else m.value not like '%?' end
             order by m.key limit 1);
end $$;

-- What makes a key that key, whatever it is called (RFC 7638); null where it is none.
create function registry.key_material(p_jwk bytea) returns jsonb language sql immutable as $$
    select case when registry.public_jwk(p_jwk) then (
        select jsonb_object_agg(m.key, m.value) from jsonb_each(convert_from(p_jwk, 'UTF8')::jsonb) m
         where m.key in ('kty', 'crv', 'x', 'y', 'n', 'e')) end
$$;

-- A key is one system's or one provider's, and once: else a system could vouch for its own officers, and a key that was
-- taken away come back under another name. One provider may serve several organisations, by the same issuer and keys.
-- The key of a withdrawn proposal was never one. The lock keeps two proposals from not seeing each other.
create function registry.refuse_known_keys(p_act text, a jsonb, p_approving boolean) returns void
    language plpgsql volatile as $$
begin
    if not coalesce(a ? 'keys', false) then
        return;
    end if;
    lock table registry.identity_provider in share row exclusive mode;
    if exists (
        select from jsonb_array_elements(a -> 'keys') stated(key)
         where registry.key_material(convert_to(stated.key ->> 'jwk', 'UTF8')) in (
             select registry.key_material(k.jwk) from registry.client_key k join registry.client c on c.id = k.client
              where c.state <> 'retired' and (p_act <> 'client' or not p_approving or c.id <> a ->> 'client')
             union all
             select registry.key_material(p.jwk) from registry.identity_provider p
              where p_act <> 'provider' or not p.active or p.issuer <> a ->> 'issuer'
                 or p.organisation = a ->> 'organisation')) then
        raise exception 'a key that is known already' using errcode = 'SA016', hint = 'keys';
    end if;
end $$;

-- What a proposal rests on, asked when it is made and again when it is approved. SQLSTATE SA011: not there; SA012: not
-- in a state for it; SA015: not one that may have it.
create function registry.examine(p_act text, a jsonb, p_approving boolean) returns void
    language plpgsql stable as $$
declare
    o registry.organisation;
    c registry.client;
    v_misshapen text := registry.misshapen(p_act, a);
begin
    if v_misshapen is not null then
        raise exception 'not the arguments of that act' using errcode = 'SA015', hint = v_misshapen;
    end if;
    select * into o from registry.organisation x where x.id = a ->> 'organisation';
    if o.id is null then
        raise exception 'no such organisation' using errcode = 'SA011', hint = 'organisation';
    end if;
    if not o.active then
        raise exception 'the organisation is not active' using errcode = 'SA012', hint = 'organisation';
    end if;
    if p_act in ('resumption', 'client-key', 'audit-grant') or (p_act = 'client' and p_approving) then
        select * into c from registry.client x where x.id = a ->> 'client' and x.organisation = o.id;
        if c.id is null then
            raise exception 'no such system' using errcode = 'SA011', hint = 'client';
        end if;
        if (p_act = 'client' and c.state <> 'proposed') or (p_act = 'resumption' and c.state <> 'suspended')
           or (p_act in ('client-key', 'audit-grant') and c.state not in ('active', 'suspended')) then
            raise exception 'not in a state for that' using errcode = 'SA012', hint = 'client';
        end if;
    end if;
    if p_act in ('client', 'delegation', 'organisation-grant')
       and exists (select from unnest(registry.texts(a -> 'scopes')) s where s !~ '^[a-z]+:[a-z]+$') then
        raise exception 'no scopes' using errcode = 'SA015', hint = 'scopes';
    end if;
    if p_act = 'client' and not a ?| array['keys', 'jwksUri'] then
        raise exception 'no key' using errcode = 'SA015', hint = 'keys';
    end if;
    if p_act in ('delegation', 'organisation-grant') and o.kind = 'vendor' then
        raise exception 'nothing is granted to a supplier for itself' using errcode = 'SA015', hint = 'organisation';
    end if;
    if p_act = 'delegation' and not exists (
        select from registry.organisation s where s.id = a ->> 'supplier' and s.kind = 'vendor' and s.active) then
        raise exception 'not a supplier' using errcode = 'SA015', hint = 'supplier';
    end if;
    if p_act in ('delegation', 'audit-grant')
       and registry.moment(coalesce(a ->> 'validUntil', a ->> 'until'))
           <= greatest(registry.moment(a ->> 'validFrom'), clock_timestamp()) then
        raise exception 'ends before it begins' using errcode = 'SA015', hint = 'until';
    end if;
    if p_act = 'audit-grant' and (
        a ->> 'dossier' !~ '^[A-Za-z0-9._:~-]{1,64}$'
        or registry.moment(a ->> 'until') > clock_timestamp() + interval '366 days') then
        raise exception 'no dossier, or longer than a year' using errcode = 'SA015', hint = 'until';
    end if;
    if p_act = 'audit-grant' and (
        not 'ledger:read' = any (c.scopes)
        or exists (select from unnest(registry.texts(a -> 'organisations')) n
                    where not exists (select from registry.organisation x where x.id = n))) then
        raise exception 'not one that may audit, or not organisations' using errcode = 'SA015', hint = 'organisations';
    end if;
end $$;

-- What takes access away withdraws the open proposals about the same object, before anything else and in the order in
-- which an approval locks: else one person could keep proposals in store and undo it alone with an older one.
create function registry.withdraw_open(p_acts text[], p_about jsonb) returns void language sql volatile as $$
    update registry.proposal set withdrawn_by = session_user, withdrawn_at = clock_timestamp()
     where act = any (p_acts) and arguments @> p_about and approved_by is null and withdrawn_by is null
$$;

-- The effect of an approved proposal, from what was proposed and from nothing else.
create function registry.enact(p_id uuid, p_act text, a jsonb) returns void
    language plpgsql volatile as $$
begin
    case p_act
        when 'client', 'resumption' then
            update registry.client set state = 'active', version = version + 1 where id = a ->> 'client';
        when 'client-key' then
            perform registry.add_keys(a ->> 'client', a -> 'keys');
        when 'delegation' then
            insert into registry.delegation as d (organisation, supplier, scopes, purposes, valid_from, valid_until)
            values (a ->> 'organisation', a ->> 'supplier', registry.texts(a -> 'scopes'),
                    registry.texts(a -> 'purposes'),
                    coalesce(registry.moment(a ->> 'validFrom'), clock_timestamp()),
                    registry.moment(a ->> 'validUntil'))
            on conflict (organisation, supplier) do update
               set scopes = excluded.scopes, purposes = excluded.purposes, active = true,
                   valid_from = excluded.valid_from, valid_until = excluded.valid_until, version = d.version + 1;
        when 'provider' then
            insert into registry.identity_provider (organisation, issuer, kid, algorithm, jwk)
            select a ->> 'organisation', a ->> 'issuer', k ->> 'kid', k ->> 'algorithm',
                   convert_to(k ->> 'jwk', 'UTF8')
              from jsonb_array_elements(a -> 'keys') k;
        when 'organisation-grant' then
            insert into registry.organisation_grant (organisation, scopes, purposes, details_required)
            values (a ->> 'organisation', registry.texts(a -> 'scopes'), registry.texts(a -> 'purposes'),
                    coalesce((a ->> 'detailsRequired')::boolean, false))
            on conflict (organisation) do update
               set scopes = excluded.scopes, purposes = excluded.purposes,
                   details_required = excluded.details_required;
        when 'audit-grant' then
            update registry.auditor_grant set active = false
             where client = a ->> 'client' and dossier = a ->> 'dossier' and active and until <= clock_timestamp();
            insert into registry.auditor_grant (id, client, organisations, dossier, until)
            values (p_id, a ->> 'client', registry.texts(a -> 'organisations'), a ->> 'dossier',
                    registry.moment(a ->> 'until'));
    end case;
end $$;

create function registrar.propose(
    p_act text, p_arguments jsonb, p_leaf bytea, p_payload bytea, p_payload_key bytea
) returns ledger.noted
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_id uuid := (convert_from(p_leaf, 'UTF8')::jsonb ->> 'id')::uuid;
begin
    perform registry.never_hang();
    perform registry.examine(p_act, p_arguments, false);
    perform registry.refuse_known_keys(p_act, p_arguments, false);
    if p_act = 'client' then
        insert into registry.client (id, organisation, scopes, state, nonce_required, certificate_bound, jwks_uri)
        values (p_arguments ->> 'client', p_arguments ->> 'organisation', registry.texts(p_arguments -> 'scopes'),
                'proposed', coalesce((p_arguments ->> 'nonceRequired')::boolean, false),
                coalesce((p_arguments ->> 'certificateBound')::boolean, false), p_arguments ->> 'jwksUri');
        perform registry.add_keys(p_arguments ->> 'client', coalesce(p_arguments -> 'keys', '[]'));
    end if;
    insert into registry.proposal (id, act, arguments) values (v_id, p_act, p_arguments);
    return ledger.append_act(p_leaf, p_payload, p_payload_key, p_act || '-proposed', p_arguments ->> 'organisation',
                             p_arguments ->> 'client', p_arguments ->> 'supplier', null);
end $$;

-- SQLSTATE SA010: by who proposed it; SA011: no such open proposal; SA013: older than 30 days.
create function registrar.approve(p_proposal uuid, p_leaf bytea, p_payload bytea, p_payload_key bytea)
    returns ledger.noted
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    r registry.proposal;
begin
    perform registry.never_hang();
    select * into r from registry.proposal p
     where p.id = p_proposal and p.approved_by is null and p.withdrawn_by is null for update;
    if r.id is null then
        raise exception 'no such open proposal' using errcode = 'SA011', hint = 'proposal';
    end if;
    if r.proposed_by = session_user then
        raise exception 'approved by another than who proposed it' using errcode = 'SA010', hint = 'proposal';
    end if;
    if r.proposed_at < clock_timestamp() - interval '30 days' then
        raise exception 'too old' using errcode = 'SA013', hint = 'proposal';
    end if;
    perform registry.examine(r.act, r.arguments, true);
    perform registry.refuse_known_keys(r.act, r.arguments, true);
    update registry.proposal set approved_by = session_user, approved_at = clock_timestamp() where id = r.id;
    perform registry.enact(r.id, r.act, r.arguments);
    return ledger.append_act(p_leaf, p_payload, p_payload_key, r.act || '-approved', r.arguments ->> 'organisation',
                             r.arguments ->> 'client', r.arguments ->> 'supplier', r.id);
end $$;

-- Whoever it was: a proposal less gives nobody anything. A proposed system's id is not used again.
create function registrar.withdraw(p_proposal uuid, p_leaf bytea, p_payload bytea, p_payload_key bytea)
    returns ledger.noted
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    r registry.proposal;
begin
    perform registry.never_hang();
    update registry.proposal set withdrawn_by = session_user, withdrawn_at = clock_timestamp()
     where id = p_proposal and approved_by is null and withdrawn_by is null
    returning id, act, arguments into r.id, r.act, r.arguments;
    if r.id is null then
        raise exception 'no such open proposal' using errcode = 'SA011', hint = 'proposal';
    end if;
    if r.act = 'client' then
        update registry.client set state = 'retired', version = version + 1
         where id = r.arguments ->> 'client' and state = 'proposed';
    end if;
    return ledger.append_act(p_leaf, p_payload, p_payload_key, r.act || '-withdrawn', r.arguments ->> 'organisation',
                             r.arguments ->> 'client', r.arguments ->> 'supplier', r.id);
end $$;

create function registrar.suspend(p_client text, p_leaf bytea, p_payload bytea, p_payload_key bytea)
    returns ledger.noted
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_organisation text;
begin
    perform registry.never_hang();
    perform registry.withdraw_open(array['resumption', 'client-key', 'audit-grant'],
                                   jsonb_build_object('client', p_client));
    update registry.client set state = 'suspended', version = version + 1
     where id = p_client and state = 'active' returning organisation into v_organisation;
    if v_organisation is null then
        raise exception 'no such active system' using errcode = 'SA011', hint = 'client';
    end if;
    return ledger.append_act(p_leaf, p_payload, p_payload_key, 'client-suspended', v_organisation, p_client, null,
                             null);
end $$;

create function registrar.remove_key(p_client text, p_kid text, p_leaf bytea, p_payload bytea, p_payload_key bytea)
    returns ledger.noted
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_organisation text;
begin
    perform registry.never_hang();
    perform registry.withdraw_open(array['client-key'], jsonb_build_object('client', p_client));
    update registry.client_key k set active = false from registry.client c
     where c.id = k.client and k.client = p_client and k.kid = p_kid and k.active
    returning c.organisation into v_organisation;
    if v_organisation is null then
        raise exception 'no such key' using errcode = 'SA011', hint = 'key';
    end if;
    return ledger.append_act(p_leaf, p_payload, p_payload_key, 'client-key-removed', v_organisation, p_client, null,
                             null);
end $$;

create function registrar.end_delegation(
    p_organisation text, p_supplier text, p_leaf bytea, p_payload bytea, p_payload_key bytea
) returns ledger.noted
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform registry.never_hang();
    perform registry.withdraw_open(array['delegation'],
                                   jsonb_build_object('organisation', p_organisation, 'supplier', p_supplier));
    update registry.delegation set active = false, version = version + 1
     where organisation = p_organisation and supplier = p_supplier and active;
    if not found then
        raise exception 'no such delegation' using errcode = 'SA011', hint = 'delegation';
    end if;
    return ledger.append_act(p_leaf, p_payload, p_payload_key, 'delegation-ended', p_organisation, null, p_supplier,
                             null);
end $$;

create function registrar.remove_provider(
    p_organisation text, p_issuer text, p_kid text, p_leaf bytea, p_payload bytea, p_payload_key bytea
) returns ledger.noted
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform registry.never_hang();
    perform registry.withdraw_open(array['provider'],
                                   jsonb_build_object('organisation', p_organisation, 'issuer', p_issuer));
    update registry.identity_provider set active = false
     where organisation = p_organisation and issuer = p_issuer and kid = p_kid and active;
    if not found then
        raise exception 'no such key' using errcode = 'SA011', hint = 'key';
    end if;
    return ledger.append_act(p_leaf, p_payload, p_payload_key, 'provider-removed', p_organisation, null, null, null);
end $$;

create function registrar.end_audit(p_grant uuid, p_leaf bytea, p_payload bytea, p_payload_key bytea)
    returns ledger.noted
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_client text;
    v_organisation text;
begin
    perform registry.never_hang();
    perform registry.withdraw_open(array['audit-grant'], (
        select jsonb_build_object('client', g.client, 'dossier', g.dossier)
          from registry.auditor_grant g where g.id = p_grant));
    update registry.auditor_grant g set active = false from registry.client c
     where c.id = g.client and g.id = p_grant and g.active
    returning c.id, c.organisation into v_client, v_organisation;
    if v_client is null then
        raise exception 'no such grant' using errcode = 'SA011', hint = 'grant';
    end if;
    return ledger.append_act(p_leaf, p_payload, p_payload_key, 'audit-grant-ended', v_organisation, v_client, null,
                             p_grant);
end $$;

-- The register as its keepers see it: nothing of records, people or the ledger.
create function registrar.register() returns jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp
    begin atomic
        select jsonb_build_object(
            'operator', session_user,
            'organisations', coalesce((
                select jsonb_agg(jsonb_build_object(
                           'id', o.id, 'kind', o.kind, 'name', o.name_fi, 'active', o.active, 'scopes', g.scopes,
                           'purposes', g.purposes, 'detailsRequired', g.details_required) order by o.kind, o.id)
                  from registry.organisation o left join registry.organisation_grant g on g.organisation = o.id), '[]'),
            'clients', coalesce((
                select jsonb_agg(jsonb_build_object(
                           'id', c.id, 'organisation', c.organisation, 'state', c.state, 'scopes', c.scopes,
                           'nonceRequired', c.nonce_required, 'certificateBound', c.certificate_bound,
                           'jwksUri', c.jwks_uri,
                           'keys', coalesce((
                               select jsonb_agg(jsonb_build_object('kid', k.kid, 'algorithm', k.algorithm,
                                                                   'active', k.active) order by k.kid)
                                 from registry.client_key k where k.client = c.id), '[]')) order by c.id)
                  from registry.client c), '[]'),
            'delegations', coalesce((
                select jsonb_agg(jsonb_build_object(
                           'organisation', d.organisation, 'supplier', d.supplier, 'scopes', d.scopes,
                           'purposes', d.purposes, 'active', d.active, 'validFrom', d.valid_from,
                           'validUntil', d.valid_until) order by d.organisation, d.supplier)
                  from registry.delegation d), '[]'),
            'providers', coalesce((
                select jsonb_agg(jsonb_build_object(
                           'organisation', p.organisation, 'issuer', p.issuer, 'kid', p.kid,
                           'algorithm', p.algorithm, 'active', p.active) order by p.organisation, p.issuer, p.kid)
                  from registry.identity_provider p), '[]'),
            'auditGrants', coalesce((
                select jsonb_agg(jsonb_build_object(
                           'id', g.id, 'client', g.client, 'organisation', c.organisation,
                           'organisations', g.organisations, 'dossier', g.dossier, 'active', g.active,
                           'until', g.until) order by g.client, g.dossier, g.until)
                  from registry.auditor_grant g join registry.client c on c.id = g.client), '[]'),
            'proposals', coalesce((
                select jsonb_agg(jsonb_build_object(
                           'id', p.id, 'act', p.act, 'arguments', p.arguments, 'proposedBy', p.proposed_by,
                           'proposedAt', p.proposed_at,
                           'tooOld', p.proposed_at < clock_timestamp() - interval '30 days') order by p.id)
                  from registry.proposal p where p.approved_by is null and p.withdrawn_by is null), '[]'));
    end;

-- A registrar with another key ring would seal what nobody can open.
create function registrar.ring_keys() returns table (purpose text, version integer, check_value bytea)
    language sql stable security definer set search_path = pg_catalog, pg_temp
    begin atomic
        select k.purpose, k.version, k.check_value from keys.ring_key k;
    end;

-- An audit session opens under a grant of its system and dossier that outlives it; false where there is none.
drop function api.open_audit_session(uuid, text, text, text, timestamptz);
create function api.open_audit_session(
    p_id uuid, p_organisation text, p_client text, p_purpose text, p_until timestamptz, p_dossier text
) returns boolean
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into ledger.audit_session (id, organisation, client, audit_purpose, until, auditor_grant)
    select p_id, p_organisation, p_client, p_purpose, p_until, g.id
      from registry.auditor_grant g
     where g.client = p_client and g.dossier = p_dossier and g.active
       and p_until > clock_timestamp() and p_until <= g.until;
    return found;
end $$;

-- The same, asked before anything is written.
create function api.audit_is_granted(p_client text, p_until timestamptz, p_dossier text) returns boolean
    language sql stable security definer set search_path = pg_catalog, pg_temp
    begin atomic
        select exists (
            select from registry.auditor_grant g
             where g.client = p_client and g.dossier = p_dossier and g.active
               and p_until > clock_timestamp() and p_until <= g.until);
    end;

create or replace function api.audit_session_stands(p_id uuid, p_organisation text, p_client text) returns boolean
    language sql stable security definer set search_path = pg_catalog, pg_temp
    begin atomic
        select exists (
            select from ledger.audit_session s join registry.auditor_grant g on g.id = s.auditor_grant
             where s.id = p_id and s.organisation = p_organisation and s.client = p_client
               and s.until > clock_timestamp() and g.active and g.until > clock_timestamp());
    end;

-- As 0006, and within the grant: an entry that one of its organisations is party to.
create or replace function api.inspect_entry(
    p_read uuid, p_read_at timestamptz, p_organisation text, p_entry uuid, p_from timestamptz, p_to timestamptz,
    p_session uuid
) returns setof api.disclosure_row
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_within text[];
begin
    select g.organisations into v_within
      from ledger.audit_session s join registry.auditor_grant g on g.id = s.auditor_grant
     where s.id = p_session and s.organisation = p_organisation and s.until > clock_timestamp()
       and g.client = s.client and g.active and g.until > clock_timestamp();
    if v_within is null or not ledger.read_stands(p_read, p_read_at, p_organisation, p_entry) then
        return;
    end if;
    return query
        select e.id, e.recorded_at, e.leaf, e.leaf_hash, e.manifest, e.payload, e.payload_key
          from ledger.entry e
         where e.id = p_entry and e.recorded_at >= p_from and e.recorded_at < p_to
           and (e.organisation = any (v_within) or e.counterparty = any (v_within))
           and (p_organisation in (e.organisation, e.counterparty)
                or exists (select 1 from registry.organisation o
                            where o.id = p_organisation and o.kind = 'supervisor' and o.active));
end $$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname in ('registrar', 'registry', 'ledger', 'api') loop
        execute format('revoke all on function %s from public', f);
    end loop;
    for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'registrar' loop
        execute format('grant execute on function %s to sauma_registrar', f);
    end loop;
    for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'api' and p.proname in ('open_audit_session', 'audit_is_granted') loop
        execute format('grant execute on function %s to sauma_server', f);
    end loop;
end $$;
