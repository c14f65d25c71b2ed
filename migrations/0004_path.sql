-- Why: the one path as three autocommit statements: gather what the decision rests on, append the entry, read by it.
-- The server role may execute these and owns no table privilege, so no row leaves without a committed entry.
-- States it assumes: 0001-0003.

-- (1) gather: one row always. Where nobody is found the controller's decoy stands in, so the answer costs the same.
create table exchange.decoy (
    controller registry.business_id primary key references registry.organisation,
    subject uuid not null references exchange.subject
);

-- Who lives with a person by the controller's household records: whoever these are about or name (661/2009 36 §: an
-- address that is kept from others is kept when another of the household is asked about).
create function exchange.household(p_person uuid) returns setof uuid language sql stable as $$
    with homes as (
        select r.controller, r.resource, r.id from exchange.subject s join exchange.record r on r.subject = s.id
         where s.canonical = p_person and r.resource = 'households' and r.state = 'current'
        union
        select r.controller, r.resource, r.id from exchange.subject s join exchange.record_person p on p.subject = s.id
          join exchange.record r on r.controller = p.controller and r.resource = p.resource and r.id = p.record
         where s.canonical = p_person and r.resource = 'households' and r.state = 'current'
    )
    select s.canonical from homes
      join exchange.record r on r.controller = homes.controller and r.resource = homes.resource and r.id = homes.id
      join exchange.subject s on s.id = r.subject
    union
    select s.canonical from homes
      join exchange.record_person p
        on p.controller = homes.controller and p.resource = homes.resource and p.record = homes.id
      join exchange.subject s on s.id = p.subject
$$;

-- The basis of a person changed: the person, whoever they are one with, those whose records name them, the household.
create function exchange.bump(p_subject uuid) returns void language sql volatile as $$
    update exchange.subject_basis b set version = b.version + 1
     where b.subject in (
        select s.canonical from exchange.subject s where s.id = p_subject
        union
        select o.canonical from exchange.record_person p
          join exchange.record r on r.controller = p.controller and r.resource = p.resource and r.id = p.record
          join exchange.subject o on o.id = r.subject
         where p.subject in (select t.id from exchange.subject t
                              where t.canonical = (select s.canonical from exchange.subject s where s.id = p_subject))
        union
        select exchange.household((select s.canonical from exchange.subject s where s.id = p_subject)))
$$;

create type api.gathered as (
    organisation_kind text, organisation_active boolean, organisation_version integer,
    client_version integer,
    discloser_kind text, discloser_active boolean, discloser_version integer,
    agreement uuid, agreement_from date, agreement_until date, agreement_active boolean,
    agreement_months integer, agreement_per_day integer, agreement_version integer,
    matter_state text, matter_concerns boolean, matter_version integer, matter_elsewhere boolean,
    prior_information uuid,
    found boolean, subject uuid, protected boolean, handling_unit text, subject_version bigint,
    prohibition uuid[], prohibition_kind text[], prohibition_record uuid[],
    record uuid[], record_resource text[], record_revision integer[], record_month text[],
    record_at timestamptz[], record_protected boolean[],
    group_record uuid[], group_resource text[], group_class text[], group_digest bytea[],
    person_record uuid[], person_resource text[], person_seed bytea[],
    recent bigint,
    source_resource text[], source_status text[], source_as_of timestamptz[]
);

create function api.gather(
    p_client text, p_organisation text, p_discloser text, p_purpose text, p_case bytea,
    p_own_index bytea, p_index bytea, p_resources text[], p_first text, p_last text,
    p_after uuid, p_after_resource text, p_limit integer
) returns api.gathered
    language plpgsql stable security definer as $$
declare
    g api.gathered;
    v_own uuid;
    v_matter_subject uuid;
    v_guarded boolean;
begin
    select o.kind, o.active and c.active, o.version, c.version
      into g.organisation_kind, g.organisation_active, g.organisation_version, g.client_version
      from registry.client c join registry.organisation o on o.id = c.organisation
     where c.id = p_client and o.id = p_organisation;
    select o.kind, o.active, o.version into g.discloser_kind, g.discloser_active, g.discloser_version
      from registry.organisation o where o.id = p_discloser;
    select a.id, a.valid_from, a.valid_until, a.active, a.max_months, a.per_person_day, a.version
      into g.agreement, g.agreement_from, g.agreement_until, g.agreement_active, g.agreement_months,
           g.agreement_per_day, g.agreement_version
      from registry.agreement a
     where a.discloser = p_discloser and a.receiver = p_organisation and a.purpose = p_purpose;

    select s.canonical into v_own
      from exchange.identifier i join exchange.subject s on s.id = i.subject
     where i.controller = p_organisation and i.blind_index = p_own_index;
    select m.state, m.version, s.canonical into g.matter_state, g.matter_version, v_matter_subject
      from exchange.matter m join exchange.subject s on s.id = m.subject
     where m.organisation = p_organisation and m.case_mac = p_case;
    g.matter_concerns := v_matter_subject is not distinct from v_own and v_own is not null;
    g.matter_elsewhere := exists (
        select 1 from exchange.matter m where m.case_mac = p_case and m.organisation <> p_organisation);
    select p.id into g.prior_information
      from exchange.prior_information p join exchange.subject s on s.id = p.subject
     where s.canonical = v_own and p.organisation = p_organisation
     order by p.told_at desc limit 1;

    select s.canonical into g.subject
      from exchange.identifier i join exchange.subject s on s.id = i.subject
     where i.controller = p_discloser and i.blind_index = p_index;
    g.found := g.subject is not null;
    if not g.found then
        select d.subject into g.subject from exchange.decoy d where d.controller = p_discloser;
    end if;
    select s.protected, s.handling_unit, b.version into g.protected, g.handling_unit, g.subject_version
      from exchange.subject s join exchange.subject_basis b on b.subject = s.id where s.id = g.subject;
    v_guarded := exists (select from exchange.household(g.subject) h(id) join exchange.subject s on s.id = h.id
                          where s.protected) or coalesce(g.protected, false);

    select coalesce(array_agg(p.id), '{}'), coalesce(array_agg(p.kind), '{}'), coalesce(array_agg(p.record), '{}')
      into g.prohibition, g.prohibition_kind, g.prohibition_record
      from exchange.prohibition p join exchange.subject s on s.id = p.subject
     where s.canonical = g.subject and not p.ended;
    -- and what stands on the data of others: it holds back the records that name them
    select g.prohibition || coalesce(array_agg(p.id), '{}'), g.prohibition_kind || coalesce(array_agg(p.kind), '{}'),
           g.prohibition_record || coalesce(array_agg(r.id), '{}')
      into g.prohibition, g.prohibition_kind, g.prohibition_record
      from exchange.subject s
      join exchange.record r on r.subject = s.id
      join exchange.record_person n on n.controller = r.controller and n.resource = r.resource and n.record = r.id
      join exchange.subject named on named.id = n.subject
      join exchange.subject same on same.canonical = named.canonical
      join exchange.prohibition p on p.subject = same.id
     where s.canonical = g.subject and not p.ended and (p.record is null or p.record = r.id);

    with page as materialized (
        select r.controller, r.resource, r.id, r.revision, r.month, r.recorded_at
          from exchange.record r join exchange.subject s on s.id = r.subject
         where s.canonical = g.subject and r.controller = p_discloser and r.state = 'current'
           and r.resource = any (p_resources)
           and (r.month is null or r.month between p_first and p_last)
           and (p_after is null or (r.id, r.resource) > (p_after, p_after_resource))
         order by r.id, r.resource limit p_limit
    ), people as materialized (
        select p.record, p.resource, s.seed, s.protected
          from page join exchange.record_person p
            on p.controller = page.controller and p.resource = page.resource and p.record = page.id
          join exchange.subject s on s.id = p.subject
    ), heads as (
        select array_agg(page.id order by page.id, page.resource) as ids,
               array_agg(page.resource order by page.id, page.resource) as resources,
               array_agg(page.revision order by page.id, page.resource) as revisions,
               array_agg(page.month order by page.id, page.resource) as months,
               array_agg(page.recorded_at order by page.id, page.resource) as times,
               array_agg(v_guarded or exists (
                   select 1 from people
                    where people.record = page.id and people.resource = page.resource and people.protected)
                   order by page.id, page.resource) as guarded
          from page
    ), groups as (
        select array_agg(x.record) as records, array_agg(x.resource) as resources,
               array_agg(x.class) as classes, array_agg(x.digest) as digests
          from page join exchange.record_group x
            on x.controller = page.controller and x.resource = page.resource and x.record = page.id
    ), named as (
        select array_agg(people.record) as records, array_agg(people.resource) as resources,
               array_agg(people.seed) as seeds
          from people
    )
    select coalesce(heads.ids, '{}'), coalesce(heads.resources, '{}'), coalesce(heads.revisions, '{}'),
           coalesce(heads.months, '{}'), coalesce(heads.times, '{}'), coalesce(heads.guarded, '{}'),
           coalesce(groups.records, '{}'), coalesce(groups.resources, '{}'),
           coalesce(groups.classes, '{}'), coalesce(groups.digests, '{}'),
           coalesce(named.records, '{}'), coalesce(named.resources, '{}'), coalesce(named.seeds, '{}')
      into g.record, g.record_resource, g.record_revision, g.record_month, g.record_at, g.record_protected,
           g.group_record, g.group_resource, g.group_class, g.group_digest,
           g.person_record, g.person_resource, g.person_seed
      from heads, groups, named;

    -- by the person, not by the tag: another identifier of the same person is no second allowance
    select count(*) into g.recent from ledger.entry e
     where e.basis_subject in (select s.id from exchange.subject s where s.canonical = g.subject)
       and e.recorded_at > clock_timestamp() - interval '24 hours'
       and e.organisation = p_organisation and e.purpose = p_purpose and e.kind = 'disclosure';
    select coalesce(array_agg(p.resource order by p.resource), '{}'),
           coalesce(array_agg(p.status order by p.resource), '{}'),
           coalesce(array_agg(p.current_as_of order by p.resource), '{}')
      into g.source_resource, g.source_status, g.source_as_of
      from exchange.publication_state p where p.controller = p_discloser;
    return g;
end $$;

create type api.basis as (
    client text, client_version integer, organisation text, organisation_version integer,
    discloser text, discloser_version integer, agreement uuid, agreement_version integer,
    subject uuid, subject_version bigint, case_mac bytea, matter_version integer
);

-- Whether everything decided on still stands. Locking: subject basis and matter are held FOR SHARE to the end of the
-- append, so a withdrawal either waits for the entry or is seen by it. Not locking: the gate's own snapshot.
-- A transaction that keeps one snapshot would compare with what once stood: refused (SQLSTATE SA003).
create function ledger.standing(b api.basis, locking boolean) returns text
    language plpgsql volatile as $$
declare
    v_subject bigint;
    v_matter integer;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'the basis is compared under read committed only' using errcode = 'SA003';
    end if;
    if b.subject is not null then
        if locking then
            select version into v_subject from exchange.subject_basis where subject = b.subject for share;
        else
            select version into v_subject from exchange.subject_basis where subject = b.subject;
        end if;
        if v_subject is distinct from b.subject_version then
            return 'basis-changed';
        end if;
    end if;
    if b.matter_version is not null then
        if locking then
            select version into v_matter from exchange.matter
             where organisation = b.organisation and case_mac = b.case_mac for share;
        else
            select version into v_matter from exchange.matter
             where organisation = b.organisation and case_mac = b.case_mac;
        end if;
        if v_matter is distinct from b.matter_version then
            return 'basis-changed';
        end if;
    end if;
    if not exists (
        select 1 from registry.client c join registry.organisation o on o.id = c.organisation
         where c.id = b.client and c.active and c.version = b.client_version
           and o.id = b.organisation and o.active
           and (b.organisation_version is null or o.version = b.organisation_version)) then
        return 'caller-changed';
    end if;
    if b.discloser is not null and not exists (
        select 1 from registry.organisation o
         where o.id = b.discloser and o.active and o.version = b.discloser_version) then
        return 'basis-changed';
    end if;
    if b.agreement is not null and not exists (
        select 1 from registry.agreement a
         where a.id = b.agreement and a.active and a.version = b.agreement_version
           and a.discloser = b.discloser and a.receiver = b.organisation) then
        return 'basis-changed';
    end if;
    return 'standing';
end $$;

create type api.appended as (status text, recorded_at timestamptz, leaf_hash bytea);

-- (2) append: basis locked and compared, replay ids claimed, entry inserted. The caller's session cannot make the
-- commit asynchronous. A replayed claim rolls the whole statement back (SQLSTATE SA001).
create function api.append(
    p_leaf bytea, p_manifest bytea, p_side bytea, p_payload bytea, p_payload_key bytea,
    p_basis api.basis, p_claim_kinds text[], p_claim_digests bytea[], p_claim_expiries bigint[]
) returns api.appended
    language plpgsql volatile security definer as $$
declare
    a api.appended;
    l jsonb := convert_from(p_leaf, 'UTF8')::jsonb;
    m jsonb := convert_from(p_manifest, 'UTF8')::jsonb;
    v_tags bytea[] := '{}';
    v_claimed integer;
begin
    perform set_config('synchronous_commit', 'on', true);
    if l ->> 'kind' <> 'writer' then
        if p_basis.client is distinct from l ->> 'client' or p_basis.organisation is distinct from l ->> 'organisation'
           or (l ->> 'kind' = 'disclosure' and p_basis.discloser is distinct from l ->> 'counterparty') then
            raise exception 'leaf and basis disagree' using errcode = 'SA002';
        end if;
        a.status := ledger.standing(p_basis, true);
        -- what went wrong with an entry that stands is recorded whoever has been suspended meanwhile
        if (a.status = 'caller-changed' and l ->> 'kind' <> 'outcome')
           or (a.status = 'basis-changed' and l ->> 'kind' = 'disclosure') then
            return a;
        end if;
    end if;
    if (jsonb_array_length(m) > 0 or l ? 'manifest')
       and l ->> 'manifest' is distinct from ledger.base64url(sha256(p_manifest)) then
        raise exception 'manifest does not match its leaf' using errcode = 'SA002';
    end if;
    if exists (select from jsonb_array_elements(m) r(v)
                where (r.v ->> 3 = '') <> (jsonb_array_length(r.v -> 4) = 0)) then
        raise exception 'a manifest row names a group without a field, or fields without a group' using errcode = 'SA002';
    end if;
    if length(p_side) > 0 or l ? 'side' then
        if length(p_side) % 16 <> 0 or l ->> 'side' is distinct from ledger.base64url(sha256(p_side)) then
            raise exception 'side tags do not match their leaf' using errcode = 'SA002';
        end if;
        select array_agg(substring(p_side from i * 16 + 1 for 16) order by i) into v_tags
          from generate_series(0, length(p_side) / 16 - 1) i;
    elsif l ? 'subjects' then
        select array_agg(ledger.unbase64url(t.tag) order by t.n) into v_tags
          from jsonb_array_elements_text(l -> 'subjects') with ordinality t(tag, n);
    end if;
    if cardinality(p_claim_digests) > 0 then
        insert into ledger.claim (kind, digest, expires_at)
        select k, d, to_timestamp(e) from unnest(p_claim_kinds, p_claim_digests, p_claim_expiries) c(k, d, e)
        on conflict do nothing;
        get diagnostics v_claimed = row_count;
        if v_claimed < cardinality(p_claim_digests) then
            raise exception 'claimed before' using errcode = 'SA001';
        end if;
    end if;
    insert into ledger.entry (
        id, leaf, manifest, side, payload, payload_key, kind, writer, counter, organisation, counterparty, client,
        purpose, decision, reason, refers, subject_tag, subject_tags, officer_tag, case_tag,
        row_resource, row_record, row_revision, row_class, row_digest,
        basis_subject, basis_subject_version, basis_case, basis_matter_version, basis_client_version,
        basis_organisation_version, basis_discloser_version, basis_agreement, basis_agreement_version, provisions)
    select (l ->> 'id')::uuid, p_leaf, p_manifest, p_side, p_payload, p_payload_key, l ->> 'kind',
           (l ->> 'writer')::uuid, (l ->> 'counter')::bigint, l ->> 'organisation', l ->> 'counterparty',
           l ->> 'client', l ->> 'purpose', l ->> 'decision', l ->> 'reason', (l ->> 'refers')::uuid,
           v_tags[1], v_tags, ledger.unbase64url(l ->> 'officer'), ledger.unbase64url(l ->> 'case'),
           coalesce(array_agg(r.v ->> 0 order by r.n) filter (where r.v is not null), '{}'),
           coalesce(array_agg((r.v ->> 1)::uuid order by r.n) filter (where r.v is not null), '{}'),
           coalesce(array_agg((r.v ->> 2)::integer order by r.n) filter (where r.v is not null), '{}'),
           coalesce(array_agg(r.v ->> 3 order by r.n) filter (where r.v is not null), '{}'),
           coalesce(array_agg(ledger.unbase64url(r.v ->> 5) order by r.n) filter (where r.v is not null), '{}'),
           p_basis.subject, p_basis.subject_version, p_basis.case_mac, p_basis.matter_version,
           p_basis.client_version, p_basis.organisation_version, p_basis.discloser_version,
           p_basis.agreement, p_basis.agreement_version,
           (select array_agg(p.v order by p.n)
              from jsonb_array_elements_text(l -> 'provisions') with ordinality p(v, n))
      from (select 1) one left join jsonb_array_elements(m) with ordinality r(v, n) on true
    returning recorded_at, leaf_hash into a.recorded_at, a.leaf_hash;
    a.status := 'appended';
    return a;
end $$;

create type api.handed_out as (
    status text, controller text,
    resource text[], record uuid[], class text[], sealed bytea[], subject uuid[], data_key uuid[], wrapped bytea[]
);

-- (3) read: the gate. Ciphertext of exactly the groups a committed, fresh permit of another transaction names, at the
-- revision and digest it names, and only while its basis stands.
create function api.read(p_entry uuid, p_recorded_at timestamptz) returns api.handed_out
    language plpgsql volatile security definer as $$
declare
    h api.handed_out;
    e ledger.entry;
    v_named integer;
    v_present integer;
begin
    select * into e from ledger.entry where id = p_entry and recorded_at = p_recorded_at;
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
    v_named := cardinality(e.row_record);
    select count(*), array_agg(n.resource order by n.n) filter (where g.sealed is not null),
           array_agg(n.record order by n.n) filter (where g.sealed is not null),
           array_agg(n.class order by n.n) filter (where g.sealed is not null),
           array_agg(g.sealed::bytea order by n.n) filter (where g.sealed is not null),
           array_agg(r.subject order by n.n) filter (where g.sealed is not null),
           array_agg(k.id order by n.n) filter (where g.sealed is not null),
           array_agg(k.wrapped order by n.n) filter (where g.sealed is not null)
      into v_present, h.resource, h.record, h.class, h.sealed, h.subject, h.data_key, h.wrapped
      from unnest(e.row_resource, e.row_record, e.row_revision, e.row_class, e.row_digest)
           with ordinality n(resource, record, revision, class, digest, n)
      join exchange.record r
        on r.controller = e.counterparty and r.resource = n.resource and r.id = n.record
       and r.revision = n.revision and r.state = 'current'
      join exchange.subject s on s.id = r.subject and s.canonical = e.basis_subject
      left join exchange.record_group g
        on n.class <> '' and g.controller = r.controller and g.resource = r.resource and g.record = r.id
       and g.class = n.class and g.digest = n.digest
      left join keys.data_key k
        on k.id = g.data_key and k.subject = r.subject and k.state = 'active' and k.wrapped is not null
     where n.class = '' or k.id is not null;
    if v_present <> v_named then
        h := null;
        h.status := 'superseded';
        return h;
    end if;
    h.status := 'handed-out';
    h.controller := e.counterparty;
    return h;
end $$;
