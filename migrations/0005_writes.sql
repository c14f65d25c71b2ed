-- Why: the writes. Each runs inside one transaction with its ledger entry and its idempotency record.
-- States it assumes: 0001-0004.

-- First statement of every write: one at a time per key, and a repeat is answered from what was stored.
create type api.begun as (state text, status smallint, answer bytea, etag text);

create function api.begin_write(p_key bytea, p_request bytea) returns api.begun
    language plpgsql volatile security definer as $$
declare
    b api.begun;
    r ledger.idempotency;
begin
    if not pg_try_advisory_xact_lock(('x' || encode(substring(p_key from 1 for 8), 'hex'))::bit(64)::bigint) then
        b.state := 'in-progress';
        return b;
    end if;
    select * into r from ledger.idempotency where key_digest = p_key and expires_at > clock_timestamp();
    if not found then
        b.state := 'new';
    elsif r.request_digest <> p_request then
        b.state := 'reused';
    else
        b := ('replayed', r.status, r.answer, r.etag);
    end if;
    return b;
end $$;

create function api.end_write(p_key bytea, p_request bytea, p_status smallint, p_answer bytea, p_etag text)
    returns void language plpgsql volatile security definer as $$
begin
    delete from ledger.idempotency where key_digest = p_key and expires_at <= clock_timestamp();
    insert into ledger.idempotency (key_digest, request_digest, status, answer, etag, expires_at)
    values (p_key, p_request, p_status, p_answer, p_etag, clock_timestamp() + interval '7 days');
end $$;

-- Replay ids of a call that writes no entry of its own (a repeated write); the caller must stand as for an append.
create function api.claim(
    p_client text, p_client_version integer, p_kinds text[], p_digests bytea[], p_expiries bigint[]
) returns text
    language plpgsql volatile security definer as $$
declare
    v_claimed integer;
begin
    if not exists (
        select 1 from registry.client c join registry.organisation o on o.id = c.organisation
         where c.id = p_client and c.active and c.version = p_client_version and o.active) then
        return 'caller-changed';
    end if;
    insert into ledger.claim (kind, digest, expires_at)
    select k, d, to_timestamp(e) from unnest(p_kinds, p_digests, p_expiries) c(k, d, e)
    on conflict do nothing;
    get diagnostics v_claimed = row_count;
    return case when v_claimed = cardinality(p_digests) then 'claimed' else 'replayed' end;
end $$;

-- Nightly and at start: what may be forgotten.
create function api.forget_expired() returns void
    language sql volatile security definer
    begin atomic
        delete from ledger.claim where expires_at < clock_timestamp() - interval '1 minute';
        delete from ledger.idempotency where expires_at < clock_timestamp();
    end;

create type api.known_subject as (
    subject uuid, canonical uuid, seed bytea, key_ids uuid[], key_classes text[], key_wrapped bytea[]
);

create function api.find_subject(p_controller text, p_index bytea) returns setof api.known_subject
    language sql stable security definer
    begin atomic
        select s.id, s.canonical, s.seed,
               array_agg(k.id order by k.class), array_agg(k.class order by k.class),
               array_agg(k.wrapped order by k.class)
          from exchange.identifier i
          join exchange.subject s on s.id = i.subject
          join keys.data_key k on k.subject = s.id and k.state = 'active'
         where i.controller = p_controller and i.blind_index = p_index
         group by s.id;
    end;

-- A new person at a controller. False: another transaction added the same identifier first.
create function api.add_subject(
    p_controller text, p_subject uuid, p_index bytea, p_sealed_identifier bytea, p_seed bytea,
    p_key_ids uuid[], p_key_classes text[], p_key_wrapped bytea[]
) returns boolean
    language plpgsql volatile security definer as $$
begin
    if exists (select 1 from exchange.identifier where controller = p_controller and blind_index = p_index) then
        return false;
    end if;
    insert into exchange.subject (id, controller, canonical, seed) values (p_subject, p_controller, p_subject, p_seed);
    insert into exchange.subject_basis (subject) values (p_subject);
    insert into exchange.identifier (controller, blind_index, subject, sealed)
    values (p_controller, p_index, p_subject, p_sealed_identifier);
    insert into keys.data_key (id, subject, class, wrapped)
    select k.id, p_subject, k.class, k.wrapped from unnest(p_key_ids, p_key_classes, p_key_wrapped) k(id, class, wrapped);
    return true;
exception when unique_violation then -- the other one has committed by now; nothing of this one stands
    return false;
end $$;

-- Protection and handling unit from the newest person record; null leaves the protection as it was. The unit of a
-- protected person is opaque: a dump does not tell where they are dealt with.
create function api.protect_subject(p_subject uuid, p_protected boolean, p_unit text, p_opaque_unit text) returns void
    language plpgsql volatile security definer as $$
begin
    update exchange.subject s
       set protected = coalesce(p_protected, s.protected),
           handling_unit = case when coalesce(p_protected, s.protected) then p_opaque_unit else p_unit end
     where s.canonical = (select o.canonical from exchange.subject o where o.id = p_subject)
       and (s.protected, s.handling_unit) is distinct from
           (coalesce(p_protected, s.protected),
            case when coalesce(p_protected, s.protected) then p_opaque_unit else p_unit end);
    if found then
        perform exchange.bump(p_subject);
    end if;
end $$;

create type api.written as (status text, revision integer);

create function api.put_matter(
    p_organisation text, p_case bytea, p_subject uuid, p_state text, p_expected integer, p_sealed bytea
) returns api.written
    language plpgsql volatile security definer as $$
declare
    w api.written;
    m exchange.matter;
begin
    select * into m from exchange.matter where organisation = p_organisation and case_mac = p_case for update;
    if not found then
        if p_expected is not null then
            w.status := 'stale';
            return w;
        end if;
        insert into exchange.matter (organisation, case_mac, subject, state, sealed)
        values (p_organisation, p_case, p_subject, p_state, p_sealed)
        on conflict do nothing;
        w := (case when found then 'created' else 'stale' end, 1);
        return w;
    end if;
    if p_expected is null and p_state <> 'closed' then
        w := ('required', m.version);
        return w;
    end if;
    if p_expected is not null and p_expected <> m.version then
        w := ('stale', m.version);
        return w;
    end if;
    if not exchange.one_person(m.subject, p_subject) then
        w.status := 'conflict';
        return w;
    end if;
    update exchange.matter set subject = p_subject, state = p_state, sealed = p_sealed, version = m.version + 1
     where organisation = p_organisation and case_mac = p_case;
    w := ('changed', m.version + 1);
    return w;
end $$;

create function api.matter_version(p_organisation text, p_case bytea) returns integer
    language sql stable security definer
    begin atomic
        select m.version from exchange.matter m where m.organisation = p_organisation and m.case_mac = p_case;
    end;

create type api.record_head as (revision integer, state text, recorded_at timestamptz, classes text[], digests bytea[]);

create function api.record_state(p_controller text, p_resource text, p_record uuid) returns setof api.record_head
    language sql stable security definer
    begin atomic
        select r.revision, r.state, r.recorded_at,
               array_agg(g.class order by g.class), array_agg(g.digest order by g.class)
          from exchange.record r
          join exchange.record_group g on g.controller = r.controller and g.resource = r.resource and g.record = r.id
         where r.controller = p_controller and r.resource = p_resource and r.id = p_record
         group by r.revision, r.state, r.recorded_at;
    end;

-- p_revision is the revision the groups were sealed under: 1 for a new record, the current one plus one for a change.
create function api.put_record(
    p_controller text, p_resource text, p_record uuid, p_subject uuid, p_revision integer, p_month text,
    p_retain_until date, p_classes text[], p_sealed bytea[], p_keys uuid[], p_others uuid[]
) returns api.written
    language plpgsql volatile security definer as $$
declare
    w api.written;
    r exchange.record;
begin
    select * into r from exchange.record
     where controller = p_controller and resource = p_resource and id = p_record for update;
    if not found then
        if p_revision <> 1 then
            w.status := 'stale';
            return w;
        end if;
        insert into exchange.record (controller, resource, id, subject, revision, month, retain_until)
        values (p_controller, p_resource, p_record, p_subject, 1, p_month, p_retain_until)
        on conflict do nothing;
        if not found then
            w.status := 'stale';
            return w;
        end if;
        w.status := 'created';
    else
        if p_revision = 1 then
            w := ('required', r.revision);
            return w;
        end if;
        if r.revision <> p_revision - 1 then
            w := ('stale', r.revision);
            return w;
        end if;
        if r.state <> 'current' or not exchange.one_person(r.subject, p_subject) then
            w.status := 'conflict';
            return w;
        end if;
        update exchange.record set subject = p_subject, revision = p_revision, month = p_month, retain_until = p_retain_until,
               recorded_at = clock_timestamp()
         where controller = p_controller and resource = p_resource and id = p_record;
        delete from exchange.record_group
         where controller = p_controller and resource = p_resource and record = p_record;
        delete from exchange.record_person
         where controller = p_controller and resource = p_resource and record = p_record;
        w.status := 'changed';
    end if;
    insert into exchange.record_group (controller, resource, record, class, sealed, data_key)
    select p_controller, p_resource, p_record, c, s::exchange.sealed, k
      from unnest(p_classes, p_sealed, p_keys) g(c, s, k);
    insert into exchange.record_person (controller, resource, record, subject)
    select distinct p_controller, p_resource, p_record, o from unnest(p_others) p(o);
    w.revision := p_revision;
    return w;
end $$;

create function api.annul_record(p_controller text, p_resource text, p_record uuid, p_expected integer)
    returns api.written language plpgsql volatile security definer as $$
declare
    w api.written;
    r exchange.record;
begin
    select * into r from exchange.record
     where controller = p_controller and resource = p_resource and id = p_record for update;
    if not found then
        w.status := 'absent';
        return w;
    end if;
    if p_expected is not null and r.revision <> p_expected then
        w := ('stale', r.revision);
        return w;
    end if;
    if r.state <> 'current' then
        w.status := 'conflict';
        return w;
    end if;
    update exchange.record set state = 'annulled'
     where controller = p_controller and resource = p_resource and id = p_record;
    w := ('changed', r.revision);
    return w;
end $$;

create function api.add_prior_information(
    p_id uuid, p_organisation text, p_subject uuid, p_told_at timestamptz, p_sealed bytea
) returns void language plpgsql volatile security definer as $$
begin
    insert into exchange.prior_information (id, organisation, subject, told_at, sealed)
    values (p_id, p_organisation, p_subject, p_told_at, p_sealed);
    perform exchange.bump(p_subject);
end $$;

create function api.add_prohibition(p_id uuid, p_controller text, p_index bytea, p_kind text, p_record uuid)
    returns boolean language plpgsql volatile security definer as $$
declare
    v_subject uuid;
begin
    select i.subject into v_subject from exchange.identifier i
     where i.controller = p_controller and i.blind_index = p_index;
    if v_subject is null then
        return false;
    end if;
    insert into exchange.prohibition (id, subject, kind, record) values (p_id, v_subject, p_kind, p_record);
    perform exchange.bump(v_subject);
    return true;
end $$;

-- Old and new identifier become one person (or, for a wrong link, two again) among one controller's own records.
create function api.link_identifier(
    p_controller text, p_from bytea, p_to bytea, p_sealed bytea
) returns text language plpgsql volatile security definer as $$
declare
    v_one uuid;
    v_other uuid;
    v_from uuid;
    v_to uuid;
    v_canonical uuid;
begin
    select i.subject, s.canonical into v_one, v_from from exchange.identifier i join exchange.subject s on s.id = i.subject
     where i.controller = p_controller and i.blind_index = p_from;
    if v_from is null then
        return 'absent';
    end if;
    select i.subject, s.canonical into v_other, v_to from exchange.identifier i join exchange.subject s on s.id = i.subject
     where i.controller = p_controller and i.blind_index = p_to;
    if v_to is null then
        insert into exchange.identifier (controller, blind_index, subject, sealed)
        values (p_controller, p_to, v_one, p_sealed);
        v_canonical := v_from;
    else
        insert into exchange.link (one, other) select v_one, v_other where v_one <> v_other on conflict do nothing;
        v_canonical := v_to;
        -- an opaque unit is that of one id: where protection is new to it, nobody is competent until the next deposit
        update exchange.subject s set canonical = v_to, protected = o.protected,
               handling_unit = case when o.protected and not c.protected then '' else c.handling_unit end
          from exchange.subject c,
               (select bool_or(x.protected) as protected from exchange.subject x where x.canonical in (v_from, v_to)) o
         where c.id = v_to and s.canonical in (v_from, v_to);
    end if;
    perform exchange.bump(v_canonical);
    perform exchange.bump(v_from);
    return 'linked';
end $$;

create function api.split_identifier(
    p_controller text, p_from bytea, p_to bytea, p_new uuid, p_seed bytea, p_sealed bytea,
    p_key_ids uuid[], p_key_classes text[], p_key_wrapped bytea[]
) returns text language plpgsql volatile security definer as $$
declare
    v_from uuid;
    v_to uuid;
    v_canonical uuid;
begin
    select i.subject into v_from from exchange.identifier i
     where i.controller = p_controller and i.blind_index = p_from;
    select i.subject, s.canonical into v_to, v_canonical
      from exchange.identifier i join exchange.subject s on s.id = i.subject
     where i.controller = p_controller and i.blind_index = p_to;
    if v_from is null or v_to is null then
        return 'absent';
    end if;
    if v_from <> v_to then
        delete from exchange.link where (one, other) in ((v_from, v_to), (v_to, v_from));
        if not found then
            return 'absent';
        end if;
    end if;
    perform exchange.bump(v_from);
    -- whose home municipality the unit came from is no longer known: nobody is competent until the next person record
    update exchange.subject set handling_unit = '' where canonical = v_canonical;
    if v_from = v_to then
        -- whose the order was is not known either: both stay protected until their next person record
        insert into exchange.subject (id, controller, canonical, protected, seed)
        select p_new, p_controller, p_new, s.protected, p_seed from exchange.subject s where s.id = v_canonical;
        insert into exchange.subject_basis (subject) values (p_new);
        insert into keys.data_key (id, subject, class, wrapped)
        select k.id, p_new, k.class, k.wrapped
          from unnest(p_key_ids, p_key_classes, p_key_wrapped) k(id, class, wrapped);
        update exchange.identifier set subject = p_new, sealed = p_sealed
         where controller = p_controller and blind_index = p_to;
        return 'split';
    end if;
    perform exchange.gather_links(v_from);
    perform exchange.gather_links(v_to);
    perform exchange.bump(v_to);
    return 'split';
end $$;

create function api.put_publication_state(
    p_controller text, p_resource text, p_status text, p_as_of timestamptz
) returns api.written language plpgsql volatile security definer as $$
declare
    w api.written;
    v_revision integer;
begin
    select revision into v_revision from exchange.publication_state
     where controller = p_controller and resource = p_resource for update;
    insert into exchange.publication_state (controller, resource, status, current_as_of)
    values (p_controller, p_resource, p_status, p_as_of)
    on conflict (controller, resource) do update
       set status = excluded.status, current_as_of = excluded.current_as_of,
           revision = exchange.publication_state.revision + 1
    returning revision into w.revision;
    w.status := case when v_revision is null then 'created' else 'changed' end;
    return w;
end $$;

create function api.publication_states(p_controller text)
    returns table (resource text, status text, current_as_of timestamptz)
    language sql stable security definer
    begin atomic
        select s.resource, s.status, s.current_as_of from exchange.publication_state s
         where s.controller = p_controller order by s.resource;
    end;
