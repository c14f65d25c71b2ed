-- Why: the path of 0004 for less work (docs/bench.md). The rules are the same, asked in fewer and flatter statements.
-- What belongs to one person is looked up by their ids once those are known; arrays come in the order of their rows
-- instead of being sorted once more; each row that a manifest or a page names is fetched by its key, whatever the
-- statistics say of the moment: `lateral` with `limit` or `offset 0` may not be reordered, and a column compared with
-- `is not distinct from` (never null here) cannot choose an index, so that the one which begins with the person does.
-- States it assumes: 0001-0007. Signatures and result types are those of 0004: a server of before runs on it as well.

-- How often a person was asked for is told by an index alone. An entry's row (about 3 kB, mostly ciphertext) is not
-- squeezed below 2 kB.
create or replace function ledger.add_partition(month date) returns void language plpgsql as $$
declare
    name text := 'entry_' || to_char(month, 'YYYYMM');
    next date := (month + interval '1 month')::date;
begin
    if to_regclass('ledger.' || name) is not null then
        return;
    end if;
    execute format('create table ledger.%I partition of ledger.entry for values from (%L) to (%L)
                    with (toast_tuple_target = 8160)',
                   name, month::text || ' 00:00:00+00', next::text || ' 00:00:00+00');
    execute format('create unique index on ledger.%I (id)', name);
    execute format('create unique index on ledger.%I (writer, counter)', name);
    execute format('create index on ledger.%I (subject_tag, recorded_at) where subject_tag is not null', name);
    execute format('create index on ledger.%I (basis_subject, purpose, recorded_at, organisation)
                    where kind = ''disclosure''', name);
    execute format('create index on ledger.%I (xid)', name);
    execute format('create index on ledger.%I (organisation, recorded_at)', name);
    execute format('create index on ledger.%I (counterparty, recorded_at)', name);
    execute format('create trigger immutable_table before truncate on ledger.%I
                    for each statement execute function ledger.forbid()', name);
    execute format('alter table ledger.%I enable always trigger immutable_table', name);
    execute format('alter table ledger.%I enable always trigger immutable_row', name);
    execute format('alter table ledger.%I enable always trigger whole_row', name);
end $$;

-- What the seven checks of 0002 asked of a new row, in one trigger: PostgreSQL reads a check from its text for every
-- statement (half of what an insert cost), a function is kept by the session. As immutable_row it is always on.
create function ledger.demand_whole() returns trigger language plpgsql as $$
declare
    v_whole boolean;
begin
    v_whole := length(new.leaf) <= 1024 and length(new.manifest) <= 65536
        and (new.kind = 'writer' or (new.organisation is not null and new.client is not null))
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
            else new.kind in ('write', 'annulment', 'annotation', 'read', 'admin', 'writer') end;
    if v_whole is not true then
        raise exception 'an entry of this kind is not whole' using errcode = '23514';
    end if;
    return new;
end $$;
revoke all on function ledger.demand_whole() from public;

create trigger whole_row before insert on ledger.entry for each row execute function ledger.demand_whole();
alter table ledger.entry enable always trigger whole_row;

do $$
declare
    held record;
    p record;
begin
    for held in select conname from pg_constraint where conrelid = 'ledger.entry'::regclass and contype = 'c' loop
        execute format('alter table ledger.entry drop constraint %I', held.conname);
    end loop;
    for p in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
              where i.inhparent = 'ledger.entry'::regclass loop
        execute format('alter table ledger.%I enable always trigger whole_row', p.relname);
        execute format('alter table ledger.%I set (toast_tuple_target = 8160)', p.relname);
        execute format('create index on ledger.%I (basis_subject, purpose, recorded_at, organisation)
                        where kind = ''disclosure''', p.relname);
        execute format('drop index ledger.%I', p.relname || '_basis_subject_recorded_at_idx');
    end loop;
end $$;

-- (1) gather: one row always. Where nobody is found the controller's decoy stands in, and everything is asked of it as
-- it would be of a person, so the answer costs the same. Two statements: who it is, and what is known of them.
create or replace function api.gather(
    p_client text, p_organisation text, p_discloser text, p_purpose text, p_case bytea,
    p_own_index bytea, p_index bytea, p_resources text[], p_first text, p_last text,
    p_after uuid, p_after_resource text, p_limit integer
) returns api.gathered
    language plpgsql stable security definer as $$
declare
    g api.gathered;
    v_same uuid[];
    v_now timestamptz := clock_timestamp();
begin
    select o.kind, o.active and c.active, o.version, c.version, d.kind, d.active, d.version,
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
      left join (registry.client c join registry.organisation o on o.id = c.organisation)
        on c.id = p_client and o.id = p_organisation
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
            select from registry.client c join registry.organisation o on o.id = c.organisation
             where c.id = b.client and c.active and c.version = b.client_version
               and o.id = b.organisation and o.active
               and (b.organisation_version is null or o.version = b.organisation_version)) then 'caller-changed'
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

-- (2) append: basis locked and compared, replay ids claimed, entry inserted. The caller's session cannot make the
-- commit asynchronous. A replayed claim rolls the whole statement back (SQLSTATE SA001).
create or replace function api.append(
    p_leaf bytea, p_manifest bytea, p_side bytea, p_payload bytea, p_payload_key bytea,
    p_basis api.basis, p_claim_kinds text[], p_claim_digests bytea[], p_claim_expiries bigint[]
) returns api.appended
    language plpgsql volatile security definer as $$
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
    v_claimed integer;
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
        insert into ledger.claim (kind, digest, expires_at)
        select c.kind, c.digest, to_timestamp(c.expiry)
          from unnest(p_claim_kinds, p_claim_digests, p_claim_expiries) c(kind, digest, expiry)
        on conflict do nothing;
        get diagnostics v_claimed = row_count;
        if v_claimed <> cardinality(p_claim_digests) then
            raise exception 'claimed before' using errcode = 'SA001';
        end if;
    end if;
    insert into ledger.entry (
        id, leaf, manifest, side, payload, payload_key, kind, writer, counter, organisation, counterparty, client,
        purpose, decision, reason, refers, subject_tag, subject_tags, officer_tag, case_tag,
        row_resource, row_record, row_revision, row_class, row_digest,
        basis_subject, basis_subject_version, basis_case, basis_matter_version, basis_client_version,
        basis_organisation_version, basis_discloser_version, basis_agreement, basis_agreement_version, provisions)
    values ((l ->> 'id')::uuid, p_leaf, p_manifest, p_side, p_payload, p_payload_key, v_kind,
            (l ->> 'writer')::uuid, (l ->> 'counter')::bigint, l ->> 'organisation', l ->> 'counterparty',
            l ->> 'client', l ->> 'purpose', l ->> 'decision', l ->> 'reason', (l ->> 'refers')::uuid,
            v_tags[1], v_tags, ledger.unbase64url(l ->> 'officer'), ledger.unbase64url(l ->> 'case'),
            coalesce(v_resource, '{}'), coalesce(v_record, '{}'), coalesce(v_revision, '{}'),
            coalesce(v_class, '{}'), coalesce(v_digest, '{}'),
            p_basis.subject, p_basis.subject_version, p_basis.case_mac, p_basis.matter_version,
            p_basis.client_version, p_basis.organisation_version, p_basis.discloser_version,
            p_basis.agreement, p_basis.agreement_version, v_provisions)
    returning recorded_at, leaf_hash into a.recorded_at, a.leaf_hash;
    a.status := 'appended';
    return a;
end $$;

-- (3) read: the gate. Ciphertext of exactly the groups a committed, fresh permit of another transaction names, at the
-- revision and digest it names, and only while its basis stands.
create or replace function api.read(p_entry uuid, p_recorded_at timestamptz) returns api.handed_out
    language plpgsql volatile security definer as $$
declare
    h api.handed_out;
    e record;
    v_present integer;
begin
    select n.kind, n.decision, n.xid, n.recorded_at, n.client, n.basis_client_version, n.organisation,
           n.basis_organisation_version, n.counterparty, n.basis_discloser_version, n.basis_agreement,
           n.basis_agreement_version, n.basis_subject, n.basis_subject_version, n.basis_case, n.basis_matter_version,
           n.row_resource, n.row_record, n.row_revision, n.row_class, n.row_digest
      into e from ledger.entry n where n.id = p_entry and n.recorded_at = p_recorded_at;
    if not found or e.kind <> 'disclosure' or e.decision is distinct from 'permit' then
        h.status := 'no-entry';
        return h;
    end if;
    if e.xid is not distinct from pg_current_xact_id_if_assigned() then
        h.status := 'uncommitted';
        return h;
    end if;
    if e.recorded_at < clock_timestamp() - interval '30 seconds' then
        h.status := 'stale';
        return h;
    end if;
    h.status := ledger.standing((e.client, e.basis_client_version, e.organisation, e.basis_organisation_version,
                                 e.counterparty, e.basis_discloser_version, e.basis_agreement,
                                 e.basis_agreement_version, e.basis_subject, e.basis_subject_version,
                                 e.basis_case, e.basis_matter_version)::api.basis, false);
    if h.status <> 'standing' then
        return h;
    end if;
    select count(*), array_agg(n.resource) filter (where g.sealed is not null),
           array_agg(n.record) filter (where g.sealed is not null),
           array_agg(n.class) filter (where g.sealed is not null),
           array_agg(g.sealed) filter (where g.sealed is not null),
           array_agg(r.subject) filter (where g.sealed is not null),
           array_agg(g.key) filter (where g.sealed is not null),
           array_agg(g.wrapped) filter (where g.sealed is not null)
      into v_present, h.resource, h.record, h.class, h.sealed, h.subject, h.data_key, h.wrapped
      from unnest(e.row_resource, e.row_record, e.row_revision, e.row_class, e.row_digest)
           n(resource, record, revision, class, digest)
     cross join lateral (
        select r.controller, r.subject from exchange.record r
         where r.controller = e.counterparty and r.resource = n.resource and r.id = n.record
           and r.revision = n.revision and r.state = 'current' and r.subject = any (
                array(select s.id from exchange.subject s where s.canonical = e.basis_subject))
         limit 1) r
      left join lateral (
        select g.sealed::bytea as sealed, k.id as key, k.wrapped
          from exchange.record_group g join keys.data_key k on k.id = g.data_key
         where n.class <> '' and g.controller = r.controller and g.resource = n.resource and g.record = n.record
           and g.class = n.class and g.digest = n.digest
           and k.subject = r.subject and k.state = 'active' and k.wrapped is not null
         limit 1) g on true
     where n.class = '' or g.key is not null;
    if v_present <> cardinality(e.row_record) then
        h := null;
        h.status := 'superseded';
        return h;
    end if;
    h.status := 'handed-out';
    h.controller := e.counterparty;
    return h;
end $$;
