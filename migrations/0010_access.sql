-- Why: a token is necessary, never sufficient. What a system may do for an organisation is one row, its mandate, and
-- one version that moves with everything it follows from: the system's state, scopes and keys, the organisation and
-- what it was granted, a delegation to the system's supplier, the organisation's identity providers. Each append,
-- claim, read and gather compares that row, so a suspension, an ended delegation or a removed key holds at the very
-- next call, on every worker. A revoked token (RFC 7009) stands among the once-only ids and is asked for there.
-- States it assumes: 0001-0009, and no system whose id is longer than 32 characters (it stops at one, nothing changed).
-- Signatures and result types stay: a server of before runs on it as well. Each system keeps its version as that of its
-- mandate, each organisation is granted what its systems held; a supplier's systems lose what they held for themselves.

alter table registry.client
    add column state text not null default 'active'
        check (state in ('proposed', 'active', 'suspended', 'retired')),
    add column nonce_required boolean not null default false,
    add column certificate_bound boolean not null default false,
    add column jwks_uri text check (length(jwks_uri) <= 512 and jwks_uri like 'https://%');
update registry.client set state = 'suspended' where not active;

-- A leaf has 1024 bytes and names the supplier and the assurance too now; nobody has been registered by hand so far.
alter table registry.client
    drop constraint client_id_check,
    add constraint client_id_check check (id ~ '^[A-Za-z0-9._:~/-]{1,32}$');

-- A key is a public JWK: an object of texts without a private member. That verifies nothing; but one row which nobody
-- can read must not keep its system, or others, from the rest, and a private key in the register would be everybody's.
create function registry.public_jwk(p_jwk bytea) returns boolean language plpgsql immutable as $$
declare
    v_jwk jsonb;
begin
    v_jwk := convert_from(p_jwk, 'UTF8')::jsonb;
    return jsonb_typeof(v_jwk) = 'object' and v_jwk ? 'kty'
       and not v_jwk ?| array['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth']
       and not exists (select from jsonb_each(v_jwk) m where jsonb_typeof(m.value) <> 'string');
exception when others then
    return false;
end $$;
alter table registry.client_key add constraint client_key_jwk_check check (registry.public_jwk(jwk));

-- Said once: `state` is written, `active` follows.
drop function api.find_client(text);
alter table registry.client drop column active;
alter table registry.client add column active boolean not null generated always as (state = 'active') stored;

-- Scopes are granted to the organisation, never to a supplier for itself. No purposes: no narrowing.
create table registry.organisation_grant (
    organisation registry.business_id primary key references registry.organisation,
    scopes text[] not null,
    purposes text[],
    details_required boolean not null default false
);

-- The organisation lets a supplier's systems act for it; ended, and perhaps begun again, never deleted.
create table registry.delegation (
    id uuid primary key default gen_random_uuid(),
    organisation registry.business_id not null references registry.organisation,
    supplier registry.business_id not null references registry.organisation,
    scopes text[] not null,
    purposes text[],
    active boolean not null default true,
    valid_from timestamptz not null default clock_timestamp(),
    valid_until timestamptz,
    version integer not null default 1,
    unique (organisation, supplier),
    check (organisation <> supplier),
    check (valid_from < valid_until)
);

-- Who may say that an officer of the organisation has logged in (RFC 8693): a public key each, registered with it.
create table registry.identity_provider (
    organisation registry.business_id not null references registry.organisation,
    issuer text not null check (length(issuer) <= 512),
    kid text not null,
    algorithm text not null,
    jwk bytea not null check (registry.public_jwk(jwk)),
    active boolean not null default true,
    primary key (organisation, issuer, kid)
);

-- What all of that comes to. Written by the triggers below and by nothing else; the dates are compared at each call.
create table registry.mandate (
    client text not null references registry.client,
    organisation registry.business_id not null references registry.organisation,
    kind text not null,
    supplier registry.business_id,
    scopes text[] not null,
    purposes text[],
    details_required boolean not null,
    stands boolean not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    organisation_version integer not null,
    version integer not null default 1,
    primary key (client, organisation)
);
create index on registry.mandate (organisation);
create index on registry.client (organisation);

create function registry.common(one text[], other text[]) returns text[]
    language sql immutable
    return case when one is null then other when other is null then one
                else array(select unnest(one) intersect select unnest(other) order by 1) end;

-- The mandates of a system, of an organisation, or of a supplier for others, derived anew. One at a time: two changes
-- at once would each derive from what stood before the other, and the later one would take the earlier back. The lock is
-- the table's: it stops no reader, and a role without a right on the table cannot hold it against a suspension, as
-- whoever is connected can an advisory one.
create function registry.renew_mandates(p_client text, p_organisation text, p_supplier text) returns void
    language plpgsql volatile as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'mandates are derived under read committed only' using errcode = 'SA003';
    end if;
    lock table registry.mandate in share row exclusive mode;
    insert into registry.mandate as kept (client, organisation, kind, supplier, scopes, purposes, details_required,
                                          stands, valid_from, valid_until, organisation_version)
    select c.id, o.id, o.kind, case when c.organisation <> o.id then c.organisation end,
           registry.common(registry.common(c.scopes, coalesce(g.scopes, '{}')),
                           case when c.organisation <> o.id then coalesce(d.scopes, '{}') end),
           registry.common(g.purposes, d.purposes), coalesce(g.details_required, false),
           c.active and o.active and s.active and g.organisation is not null
               and (c.organisation = o.id or coalesce(d.active, false)),
           coalesce(d.valid_from, '-infinity'), coalesce(d.valid_until, 'infinity'), o.version
      from (select m.client, m.organisation::text from registry.mandate m
            union
            select c.id, c.organisation::text from registry.client c
            union
            select c.id, d.organisation::text from registry.client c
              join registry.delegation d on d.supplier = c.organisation) pair (client, organisation)
      join registry.client c on c.id = pair.client
      join registry.organisation s on s.id = c.organisation
      join registry.organisation o on o.id = pair.organisation
      left join registry.organisation_grant g on g.organisation = o.id
      left join registry.delegation d on d.organisation = o.id and d.supplier = c.organisation
     where (p_client is null or c.id = p_client)
       and (p_organisation is null or o.id = p_organisation)
       and (p_supplier is null or (c.organisation = p_supplier and o.id <> p_supplier))
    on conflict (client, organisation) do update
       set kind = excluded.kind, supplier = excluded.supplier, scopes = excluded.scopes, purposes = excluded.purposes,
           details_required = excluded.details_required, stands = excluded.stands, valid_from = excluded.valid_from,
           valid_until = excluded.valid_until, organisation_version = excluded.organisation_version,
           version = kept.version + 1;
end $$;

create function registry.mandate_of_client() returns trigger language plpgsql as $$
begin
    perform registry.renew_mandates(new.id, null, null);
    return null;
end $$;

-- A key more takes nothing away; one that is changed or removed ends what was given under it.
create function registry.mandate_of_key() returns trigger language plpgsql as $$
begin
    perform registry.renew_mandates(old.client, null, null);
    return null;
end $$;

create function registry.mandate_of_organisation() returns trigger language plpgsql as $$
begin
    perform registry.renew_mandates(null, new.id, null);
    perform registry.renew_mandates(null, null, new.id);
    return null;
end $$;

create function registry.mandate_of_provider() returns trigger language plpgsql as $$
begin
    perform registry.renew_mandates(null, old.organisation, null);
    return null;
end $$;

create function registry.mandate_of_grant() returns trigger language plpgsql as $$
begin
    if tg_op <> 'DELETE' and exists (
        select from registry.organisation o where o.id = new.organisation and o.kind = 'vendor') then
        raise exception 'nothing is granted to a supplier for itself' using errcode = '23514';
    end if;
    if tg_op <> 'INSERT' then
        perform registry.renew_mandates(null, old.organisation, null);
    end if;
    if tg_op = 'INSERT' or (tg_op = 'UPDATE' and new.organisation <> old.organisation) then
        perform registry.renew_mandates(null, new.organisation, null);
    end if;
    return null;
end $$;

create function registry.mandate_of_delegation() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        perform registry.renew_mandates(null, old.organisation, old.supplier);
    end if;
    if tg_op = 'INSERT'
       or (tg_op = 'UPDATE' and (new.organisation, new.supplier) <> (old.organisation, old.supplier)) then
        perform registry.renew_mandates(null, new.organisation, new.supplier);
    end if;
    return null;
end $$;

-- What stands already: each system keeps its version, so that tokens given before hold for their five minutes.
insert into registry.organisation_grant (organisation, scopes)
select o.id, coalesce(array(select distinct s from registry.client c, unnest(c.scopes) s
                             where c.organisation = o.id order by s), '{}')
  from registry.organisation o
 where o.kind <> 'vendor' and exists (select from registry.client c where c.organisation = o.id);
do $$
begin
    perform registry.renew_mandates(c.id, null, null) from registry.client c;
    update registry.mandate m set version = c.version from registry.client c where c.id = m.client;
end $$;

create trigger mandate_follows after insert or update on registry.client
    for each row execute function registry.mandate_of_client();
create trigger mandate_follows after update or delete on registry.client_key
    for each row execute function registry.mandate_of_key();
create trigger mandate_follows after update on registry.organisation
    for each row execute function registry.mandate_of_organisation();
create trigger mandate_follows after insert or update or delete on registry.organisation_grant
    for each row execute function registry.mandate_of_grant();
create trigger mandate_follows after insert or update or delete on registry.delegation
    for each row execute function registry.mandate_of_delegation();
create trigger mandate_follows after update or delete on registry.identity_provider
    for each row execute function registry.mandate_of_provider();
alter table registry.client enable always trigger mandate_follows;
alter table registry.client_key enable always trigger mandate_follows;
alter table registry.organisation enable always trigger mandate_follows;
alter table registry.organisation_grant enable always trigger mandate_follows;
alter table registry.delegation enable always trigger mandate_follows;
alter table registry.identity_provider enable always trigger mandate_follows;

-- Who acts for the organisation, and how sure the entry is of the officer; derived from the leaf as their neighbours.
alter table ledger.entry add column supplier text, add column assurance text;

-- Whether a token among the claims was revoked. It is asked for and never claimed: a token is used many times. By the
-- key, whatever the statistics say of the moment: they have the table empty when it was just cleared.
create function ledger.revoked(p_kinds text[], p_digests bytea[]) returns boolean
    language plpgsql volatile set enable_seqscan = off as $$
begin
    for i in 1 .. coalesce(cardinality(p_kinds), 0) loop
        if p_kinds[i] = 'token' and exists (
            select from ledger.claim c where c.digest = p_digests[i] and c.kind = 'revoked') then
            return true;
        end if;
    end loop;
    return false;
end $$;

-- Claims the once-only ids, or says the kind of the first that stood before; the caller then rolls back.
create function ledger.take_claims(p_kinds text[], p_digests bytea[], p_expiries bigint[]) returns text
    language plpgsql volatile as $$
declare
    v_claimed integer;
    v_asked integer := cardinality(array_remove(p_kinds, 'token'));
begin
    insert into ledger.claim (kind, digest, expires_at)
    select c.kind, c.digest, to_timestamp(c.expiry)
      from unnest(p_kinds, p_digests, p_expiries) c(kind, digest, expiry)
     where c.kind <> 'token'
    on conflict do nothing;
    get diagnostics v_claimed = row_count;
    if v_claimed = v_asked then
        return null;
    end if;
    -- what this transaction did not write itself stood before; nothing such is found where one id was named twice
    return coalesce((
        select c.kind from unnest(p_kinds, p_digests) with ordinality c(kind, digest, n)
          join ledger.claim r on r.kind = c.kind and r.digest = c.digest
         where r.xmin <> pg_current_xact_id()::xid order by c.n limit 1), (array_remove(p_kinds, 'token'))[1]);
end $$;

-- (1) gather: one row always. Where nobody is found the controller's decoy stands in, and everything is asked of it as
-- it would be of a person, so the answer costs the same. Two statements: who it is, and what is known of them.
create or replace function api.gather(
    p_client text, p_organisation text, p_discloser text, p_purpose text, p_case bytea,
    p_own_index bytea, p_index bytea, p_resources text[], p_first text, p_last text,
    p_after uuid, p_after_resource text, p_limit integer
) returns api.gathered
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    g api.gathered;
    v_same uuid[];
    v_now timestamptz := clock_timestamp();
begin
    select n.kind, n.stands and v_now >= n.valid_from and v_now < n.valid_until, n.organisation_version,
           n.version, d.kind, d.active, d.version,
           a.id, a.valid_from, a.valid_until, a.active, a.max_months, a.per_person_day, a.version,
           m.state, m.version, ms.canonical is not null and ms.canonical is not distinct from os.canonical,
           exists (select from exchange.matter e where e.case_mac = p_case and e.organisation <> p_organisation),
           (select p.id from exchange.subject s join exchange.prior_information p on p.subject = s.id
             where s.canonical = os.canonical and p.organisation = p_organisation order by p.told_at desc limit 1),
           ts.canonical is not null, w.id, w.protected, w.handling_unit, b.version,
           array(select s.id from exchange.subject s where s.canonical = w.id)
      into g.organisation_kind, g.organisation_active, g.organisation_version, g.client_version,
           g.discloser_kind, g.discloser_active, g.discloser_version,
           g.agreement, g.agreement_from, g.agreement_until, g.agreement_active, g.agreement_months,
           g.agreement_per_day, g.agreement_version,
           g.matter_state, g.matter_version, g.matter_concerns, g.matter_elsewhere, g.prior_information,
           g.found, g.subject, g.protected, g.handling_unit, g.subject_version, v_same
      from (select) one
      left join registry.mandate n on n.client = p_client and n.organisation = p_organisation
      left join registry.organisation d on d.id = p_discloser
      left join registry.agreement a
        on a.discloser = p_discloser and a.receiver = p_organisation and a.purpose = p_purpose
      left join (exchange.identifier oi join exchange.subject os on os.id = oi.subject)
        on oi.controller = p_organisation and oi.blind_index = p_own_index
      left join (exchange.matter m join exchange.subject ms on ms.id = m.subject)
        on m.organisation = p_organisation and m.case_mac = p_case
      left join (exchange.identifier ti join exchange.subject ts on ts.id = ti.subject)
        on ti.controller = p_discloser and ti.blind_index = p_index
      left join exchange.decoy y on y.controller = p_discloser
      left join (exchange.subject w join exchange.subject_basis b on b.subject = w.id)
        on w.id = coalesce(ts.canonical, y.subject);

    -- protection of anybody in the household counts for every record
    with guard as materialized (
        select coalesce(g.protected, false) or exists (
            select from unnest (v_same) same(id) cross join lateral (
                select h.controller, h.id, h.subject from exchange.record h
                 where h.subject = same.id and h.state = 'current' and h.resource is not distinct from 'households'
                union all
                select r.controller, r.id, r.subject
                  from (select q.controller, q.resource, q.record from exchange.record_person q
                         where q.subject = same.id and q.resource is not distinct from 'households' offset 0) q
                 cross join lateral (
                    select h.controller, h.id, h.subject from exchange.record h
                     where h.controller = q.controller and h.resource = q.resource and h.id = q.record
                       and h.state = 'current' offset 0) r
                offset 0) home cross join lateral (
                select home.subject as id
                union all
                select n.subject from exchange.record_person n
                 where n.controller = home.controller and n.resource = 'households' and n.record = home.id
                offset 0) lives cross join lateral (
                select c.protected from exchange.subject s join exchange.subject c on c.id = s.canonical
                 where s.id = lives.id offset 0) c
             where c.protected) as all_of_it
    ), page as materialized (
        select r.resource, r.id, r.revision, r.month, r.recorded_at
          from unnest (v_same) same(id) cross join lateral (
            select r.resource, r.id, r.revision, r.month, r.recorded_at from exchange.record r
             where r.subject = same.id and r.controller is not distinct from p_discloser and r.state = 'current'
               and r.resource = any (p_resources)
               and (r.month is null or r.month between p_first and p_last)
               and (p_after is null or (r.id, r.resource) > (p_after, p_after_resource)) offset 0) r
         order by r.id, r.resource limit p_limit
    ), people as materialized (
        select p.record, p.resource, p.seed, p.protected, p.canonical
          from page cross join lateral (
            select n.record, n.resource, s.seed, s.protected, s.canonical
              from exchange.record_person n join exchange.subject s on s.id = n.subject
             where n.controller = p_discloser and n.resource = page.resource and n.record = page.id offset 0) p
    ), heads as (
        select array_agg(page.id) as ids, array_agg(page.resource) as resources,
               array_agg(page.revision) as revisions, array_agg(page.month) as months,
               array_agg(page.recorded_at) as times,
               array_agg((select guard.all_of_it from guard) or exists (
                   select 1 from people
                    where people.record = page.id and people.resource = page.resource and people.protected))
                   as guarded
          from page
    ), groups as (
        select array_agg(x.record) as records, array_agg(x.resource) as resources,
               array_agg(x.class) as classes, array_agg(x.digest) as digests
          from page cross join lateral (
            select x.record, x.resource, x.class, x.digest from exchange.record_group x
             where x.controller = p_discloser and x.resource = page.resource and x.record = page.id offset 0) x
    ), named as (
        select array_agg(people.record) as records, array_agg(people.resource) as resources,
               array_agg(people.seed) as seeds
          from people
    ), stopped as (
        select array_agg(x.id) as ids, array_agg(x.kind) as kinds, array_agg(x.record) as records
          from (
            select p.id, p.kind, p.record from exchange.prohibition p where p.subject = any (v_same) and not p.ended
            union all
            -- what stands on the data of others holds back the records that name them
            select p.id, p.kind, people.record
              from people cross join lateral (
                select p.id, p.kind from exchange.subject same join exchange.prohibition p on p.subject = same.id
                 where same.canonical = people.canonical and not p.ended
                   and (p.record is null or p.record = people.record) offset 0) p
          ) x
    ), published as (
        select array_agg(p.resource) as resources, array_agg(p.status) as statuses,
               array_agg(p.current_as_of) as times
          from (select q.resource, q.status, q.current_as_of from exchange.publication_state q
                 where q.controller = p_discloser order by q.resource) p
    )
    select coalesce(heads.ids, '{}'), coalesce(heads.resources, '{}'), coalesce(heads.revisions, '{}'),
           coalesce(heads.months, '{}'), coalesce(heads.times, '{}'), coalesce(heads.guarded, '{}'),
           coalesce(groups.records, '{}'), coalesce(groups.resources, '{}'),
           coalesce(groups.classes, '{}'), coalesce(groups.digests, '{}'),
           coalesce(named.records, '{}'), coalesce(named.resources, '{}'), coalesce(named.seeds, '{}'),
           coalesce(stopped.ids, '{}'), coalesce(stopped.kinds, '{}'), coalesce(stopped.records, '{}'),
           coalesce(published.resources, '{}'), coalesce(published.statuses, '{}'), coalesce(published.times, '{}'),
           -- by the person, not by the tag: another identifier of the same person is no second allowance. More than
           -- the agreement allows are not counted. The organisation is compared so that only the index that begins
           -- with the person answers: that of its day's entries would be read for one person's
           (select count(*) from (
                select from unnest (v_same) same(id) cross join lateral (
                    select from ledger.entry e
                     where e.basis_subject = same.id and e.purpose = p_purpose and e.kind = 'disclosure'
                       and e.recorded_at > v_now - interval '24 hours' and e.recorded_at < v_now + interval '1 day'
                       and e.organisation is not distinct from p_organisation offset 0) e
                 limit greatest(g.agreement_per_day, 0)) asked)
      into g.record, g.record_resource, g.record_revision, g.record_month, g.record_at, g.record_protected,
           g.group_record, g.group_resource, g.group_class, g.group_digest,
           g.person_record, g.person_resource, g.person_seed,
           g.prohibition, g.prohibition_kind, g.prohibition_record,
           g.source_resource, g.source_status, g.source_as_of, g.recent
      from heads, groups, named, stopped, published;

    return g;
end $$;

-- Whether everything decided on still stands. Locking: subject basis and matter are held FOR SHARE to the end of the
-- append, so a withdrawal either waits for the entry or is seen by it. Not locking: the gate's own snapshot.
-- A transaction that keeps one snapshot would compare with what once stood: refused (SQLSTATE SA003).
create or replace function ledger.standing(b api.basis, locking boolean) returns text
    language plpgsql volatile as $$
declare
    v_subject bigint;
    v_matter integer;
    v_status text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'the basis is compared under read committed only' using errcode = 'SA003';
    end if;
    if locking then
        if b.subject is not null then
            select version into v_subject from exchange.subject_basis where subject = b.subject for share;
        end if;
        if b.matter_version is not null then
            select version into v_matter from exchange.matter
             where organisation = b.organisation and case_mac = b.case_mac for share;
        end if;
    end if;
    -- a statement of its own after the locks: what they waited for is seen
    select case
        when b.subject is not null and b.subject_version is distinct from case when locking then v_subject
             else (select s.version from exchange.subject_basis s where s.subject = b.subject) end
        then 'basis-changed'
        when b.matter_version is not null and b.matter_version is distinct from case when locking then v_matter
             else (select m.version from exchange.matter m
                    where m.organisation = b.organisation and m.case_mac = b.case_mac) end
        then 'basis-changed'
        when not exists (
            select from registry.mandate n
             where n.client = b.client and n.organisation = b.organisation and n.stands
               and n.version = b.client_version
               and (b.organisation_version is null or n.organisation_version = b.organisation_version)
               and clock_timestamp() >= n.valid_from and clock_timestamp() < n.valid_until) then 'caller-changed'
        when b.discloser is not null and not exists (
            select from registry.organisation o
             where o.id = b.discloser and o.active and o.version = b.discloser_version) then 'basis-changed'
        when b.agreement is not null and not exists (
            select from registry.agreement a
             where a.id = b.agreement and a.active and a.version = b.agreement_version
               and a.discloser = b.discloser and a.receiver = b.organisation) then 'basis-changed'
        else 'standing' end into v_status;
    return v_status;
end $$;

-- (2) append: basis locked and compared, replay ids claimed, entry inserted, with the supplier the mandate names. The
-- caller's session cannot make the commit asynchronous. A replayed claim rolls the whole statement back (SQLSTATE
-- SA001; the hint is its kind).
create or replace function api.append(
    p_leaf bytea, p_manifest bytea, p_side bytea, p_payload bytea, p_payload_key bytea,
    p_basis api.basis, p_claim_kinds text[], p_claim_digests bytea[], p_claim_expiries bigint[]
) returns api.appended
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    a api.appended;
    l jsonb := convert_from(p_leaf, 'UTF8')::jsonb;
    m jsonb := convert_from(p_manifest, 'UTF8')::jsonb;
    v_kind text := l ->> 'kind';
    v_tags bytea[] := '{}';
    v_provisions text[];
    v_resource text[] := '{}';
    v_record uuid[] := '{}';
    v_revision integer[] := '{}';
    v_class text[] := '{}';
    v_digest bytea[] := '{}';
    v_astray boolean;
    v_stood text;
    v_setting text;
begin
    v_setting := set_config('synchronous_commit', 'on', true);
    if v_kind <> 'writer' then
        if p_basis.client is distinct from l ->> 'client' or p_basis.organisation is distinct from l ->> 'organisation'
           or (v_kind = 'disclosure' and p_basis.discloser is distinct from l ->> 'counterparty') then
            raise exception 'leaf and basis disagree' using errcode = 'SA002';
        end if;
        a.status := ledger.standing(p_basis, true);
        -- what went wrong with an entry that stands is recorded whoever has been suspended meanwhile
        if (a.status = 'caller-changed' and v_kind <> 'outcome')
           or (a.status = 'basis-changed' and v_kind = 'disclosure') then
            return a;
        end if;
        if v_kind <> 'outcome' and ledger.revoked(p_claim_kinds, p_claim_digests) then
            a.status := 'caller-changed';
            return a;
        end if;
        if l ->> 'supplier' is distinct from (
            select n.supplier from registry.mandate n
             where n.client = p_basis.client and n.organisation = p_basis.organisation)
           or l ->> 'assurance' not in ('process', 'asserted', 'authenticated') then
            raise exception 'leaf and mandate disagree' using errcode = 'SA002';
        end if;
    end if;
    if jsonb_array_length(m) > 0 or l ? 'manifest' then
        if l ->> 'manifest' is distinct from ledger.base64url(sha256(p_manifest)) then
            raise exception 'manifest does not match its leaf' using errcode = 'SA002';
        end if;
        select bool_or((r.v ->> 3 = '') <> (jsonb_array_length(r.v -> 4) = 0)),
               array_agg(r.v ->> 0), array_agg((r.v ->> 1)::uuid), array_agg((r.v ->> 2)::integer),
               array_agg(r.v ->> 3), array_agg(ledger.unbase64url(r.v ->> 5))
          into v_astray, v_resource, v_record, v_revision, v_class, v_digest
          from jsonb_array_elements(m) r(v);
        if v_astray then
            raise exception 'a manifest row names a group without a field, or fields without a group'
                using errcode = 'SA002';
        end if;
    end if;
    if length(p_side) > 0 or l ? 'side' then
        if length(p_side) % 16 <> 0 or l ->> 'side' is distinct from ledger.base64url(sha256(p_side)) then
            raise exception 'side tags do not match their leaf' using errcode = 'SA002';
        end if;
        select array_agg(substring(p_side from i * 16 + 1 for 16) order by i) into v_tags
          from generate_series(0, length(p_side) / 16 - 1) i;
    elsif l ? 'subjects' then
        for i in 0 .. jsonb_array_length(l -> 'subjects') - 1 loop
            v_tags := v_tags || ledger.unbase64url(l -> 'subjects' ->> i);
        end loop;
    end if;
    if l ? 'provisions' then
        v_provisions := '{}';
        for i in 0 .. jsonb_array_length(l -> 'provisions') - 1 loop
            v_provisions := v_provisions || (l -> 'provisions' ->> i);
        end loop;
    end if;
    if cardinality(p_claim_digests) > 0 then
        v_stood := ledger.take_claims(p_claim_kinds, p_claim_digests, p_claim_expiries);
        if v_stood is not null then
            raise exception 'claimed before' using errcode = 'SA001', hint = v_stood;
        end if;
    end if;
    insert into ledger.entry (
        id, leaf, manifest, side, payload, payload_key, kind, writer, counter, organisation, counterparty, client,
        purpose, decision, reason, refers, subject_tag, subject_tags, officer_tag, case_tag,
        row_resource, row_record, row_revision, row_class, row_digest,
        basis_subject, basis_subject_version, basis_case, basis_matter_version, basis_client_version,
        basis_organisation_version, basis_discloser_version, basis_agreement, basis_agreement_version, provisions,
        supplier, assurance)
    values ((l ->> 'id')::uuid, p_leaf, p_manifest, p_side, p_payload, p_payload_key, v_kind,
            (l ->> 'writer')::uuid, (l ->> 'counter')::bigint, l ->> 'organisation', l ->> 'counterparty',
            l ->> 'client', l ->> 'purpose', l ->> 'decision', l ->> 'reason', (l ->> 'refers')::uuid,
            v_tags[1], v_tags, ledger.unbase64url(l ->> 'officer'), ledger.unbase64url(l ->> 'case'),
            coalesce(v_resource, '{}'), coalesce(v_record, '{}'), coalesce(v_revision, '{}'),
            coalesce(v_class, '{}'), coalesce(v_digest, '{}'),
            p_basis.subject, p_basis.subject_version, p_basis.case_mac, p_basis.matter_version,
            p_basis.client_version, p_basis.organisation_version, p_basis.discloser_version,
            p_basis.agreement, p_basis.agreement_version, v_provisions,
            l ->> 'supplier', l ->> 'assurance')
    returning recorded_at, leaf_hash into a.recorded_at, a.leaf_hash;
    a.status := 'appended';
    return a;
end $$;

-- For a call that writes no entry: the caller is compared and its ids claimed.
create function api.claim(
    p_client text, p_organisation text, p_client_version integer,
    p_kinds text[], p_digests bytea[], p_expiries bigint[]
) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if ledger.standing((p_client, p_client_version, p_organisation, null, null, null, null, null, null, null, null,
                        null)::api.basis, false) <> 'standing' or ledger.revoked(p_kinds, p_digests) then
        return 'caller-changed';
    end if;
    return case coalesce(ledger.take_claims(p_kinds, p_digests, p_expiries), '')
        when '' then 'claimed'
        when 'proof' then 'replayed'
        when 'revoked' then 'revoked-before'
        when 'assertion' then 'assertion-replayed'
        else 'subject-token-replayed' end;
end $$;

-- As a server of before calls it: of the system's own organisation.
create or replace function api.claim(
    p_client text, p_client_version integer, p_kinds text[], p_digests bytea[], p_expiries bigint[]
) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    return api.claim(p_client, (select c.organisation from registry.client c where c.id = p_client), p_client_version,
                     p_kinds, p_digests, p_expiries);
end $$;

-- Whether a token of this version and digest still holds: what introspection (RFC 7662) asks.
create function api.mandate_stands(p_client text, p_organisation text, p_client_version integer, p_token bytea)
    returns boolean language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    return ledger.standing((p_client, p_client_version, p_organisation, null, null, null, null, null, null, null, null,
                            null)::api.basis, false) = 'standing'
       and not ledger.revoked(array['token'], array[p_token]);
end $$;

-- A system as the token endpoint must know it, whatever its state, with the mandates that stand at this moment; for an
-- unknown id another system's row, so that the time does not tell who is registered.
create function api.known_client(p_client text)
    returns table (client text, organisation text, state text, nonce_required boolean, certificate_bound boolean,
                   jwks_uri text, kids text[], algorithms text[], jwks bytea[], mandates jsonb, providers jsonb)
    language sql stable security definer set search_path = pg_catalog, pg_temp
    begin atomic
        with chosen as materialized (
            select coalesce((select c.id from registry.client c where c.id = p_client),
                            (select c.id from registry.client c order by c.id limit 1)) as id
        ), mine as materialized (
            select m.organisation, m.kind, m.supplier, m.scopes, m.purposes, m.details_required, m.version
              from registry.mandate m
             where m.client = (select chosen.id from chosen) and m.stands
               and clock_timestamp() >= m.valid_from and clock_timestamp() < m.valid_until
        )
        select c.id, c.organisation, c.state, c.nonce_required, c.certificate_bound, c.jwks_uri,
               array(select k.kid from registry.client_key k where k.client = c.id and k.active order by k.kid),
               array(select k.algorithm from registry.client_key k where k.client = c.id and k.active order by k.kid),
               array(select k.jwk from registry.client_key k where k.client = c.id and k.active order by k.kid),
               (select coalesce(jsonb_agg(jsonb_build_object(
                           'organisation', m.organisation, 'kind', m.kind, 'supplier', m.supplier, 'scopes', m.scopes,
                           'purposes', m.purposes, 'details_required', m.details_required, 'version', m.version)
                           order by m.organisation), '[]')
                  from mine m),
               (select coalesce(jsonb_agg(jsonb_build_object(
                           'organisation', p.organisation, 'issuer', p.issuer, 'kid', p.kid, 'alg', p.algorithm,
                           'jwk', convert_from(p.jwk, 'UTF8')) order by p.organisation, p.issuer, p.kid), '[]')
                  from registry.identity_provider p join mine m on m.organisation = p.organisation
                 where p.active)
          from registry.client c where c.id = (select chosen.id from chosen);
    end;

-- As a server of before calls it: of the system's own organisation, under the mandate's version.
create function api.find_client(p_client text)
    returns table (organisation text, kind text, active boolean, scopes text[], client_version integer,
                   organisation_version integer, kids text[], algorithms text[], jwks bytea[])
    language sql stable security definer set search_path = pg_catalog, pg_temp
    begin atomic
        select c.organisation, m.kind, m.stands, m.scopes, m.version, m.organisation_version,
               array(select k.kid from registry.client_key k where k.client = c.id and k.active order by k.kid),
               array(select k.algorithm from registry.client_key k where k.client = c.id and k.active order by k.kid),
               array(select k.jwk from registry.client_key k where k.client = c.id and k.active order by k.kid)
          from registry.client c
          join registry.mandate m on m.client = c.id and m.organisation = c.organisation
         where c.id = p_client;
    end;

-- What a token is confined to holds where the call names neither: the purpose and the case's tag of a disclosure.
drop function api.disclosure_parties(uuid, timestamptz, timestamptz);
create function api.disclosure_parties(p_entry uuid, p_from timestamptz, p_to timestamptz)
    returns table (receiver text, discloser text, purpose text, case_tag bytea)
    language sql stable security definer set search_path = pg_catalog, pg_temp
    begin atomic
        select e.organisation, e.counterparty, e.purpose, e.case_tag from ledger.entry e
         where e.id = p_entry and e.kind = 'disclosure' and e.recorded_at >= p_from and e.recorded_at < p_to;
    end;

create function api.list_disclosures(
    p_read uuid, p_read_at timestamptz, p_organisation text, p_as_receiver boolean,
    p_from timestamptz, p_to timestamptz, p_purpose text, p_cases bytea[], p_after uuid, p_limit integer
) returns setof api.disclosure_row
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not ledger.read_stands(p_read, p_read_at, p_organisation, null) then
        return;
    end if;
    return query
        select e.id, e.recorded_at, e.leaf, e.leaf_hash, e.manifest, e.payload, e.payload_key
          from ledger.entry e
         where e.kind = 'disclosure' and e.recorded_at >= p_from and e.recorded_at < p_to
           and (case when p_as_receiver then e.organisation else e.counterparty end) = p_organisation
           and (p_purpose is null or e.purpose = p_purpose)
           and (p_cases is null or e.case_tag = any (p_cases))
           and (p_after is null or e.id > p_after)
         order by e.id limit p_limit;
end $$;

-- As a server of before calls it: of every purpose.
create or replace function api.list_disclosures(
    p_read uuid, p_read_at timestamptz, p_organisation text, p_as_receiver boolean,
    p_from timestamptz, p_to timestamptz, p_cases bytea[], p_after uuid, p_limit integer
) returns setof api.disclosure_row
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query select d.id, d.recorded_at, d.leaf, d.leaf_hash, d.manifest, d.payload, d.payload_key
      from api.list_disclosures(
        p_read, p_read_at, p_organisation, p_as_receiver, p_from, p_to, null::text, p_cases, p_after, p_limit) d;
end $$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname in ('api', 'ledger', 'registry') loop
        execute format('revoke all on function %s from public', f);
    end loop;
    for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'api' and p.proname in ('claim', 'mandate_stands', 'known_client', 'find_client',
                                                     'list_disclosures', 'disclosure_parties') loop
        execute format('grant execute on function %s to sauma_server', f);
    end loop;
end $$;
