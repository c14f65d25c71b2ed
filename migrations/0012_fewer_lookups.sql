-- Why: half of what a disclosure costs PostgreSQL is to begin and end the scans of its plans (docs/bench.md). What gather
-- looked up one by one is kept where it is read anyway, by triggers and in the same transaction: a record's group digests
-- and how many others it names in the record's row, the discloser's facts in the agreement's, and whether a person ever
-- stood in a household record in the person's. What only some need (the household, others named, another's matter, a
-- discloser without an agreement) is asked in statements of their own. The rules are those of 0008 and 0010; a decoy goes
-- the same way as a person.
-- States it assumes: 0001-0011. Signatures and result types stay: a server of before runs on it as well.

alter table exchange.record
    add column classes text[] not null default '{}',
    add column digests bytea[] not null default '{}',
    add column others integer not null default 0;
alter type api.gathered add attribute others bigint;
alter table exchange.subject add column housed boolean not null default false;
alter table registry.agreement
    add column discloser_kind text,
    add column discloser_active boolean,
    add column discloser_version integer;

-- The digests are those of the groups as they stand, by class.
create function exchange.keep_groups() returns trigger language plpgsql as $$
begin
    update exchange.record r
       set classes = array(select g.class from exchange.record_group g
                            where g.controller = r.controller and g.resource = r.resource and g.record = r.id
                            order by g.class),
           digests = array(select g.digest from exchange.record_group g
                            where g.controller = r.controller and g.resource = r.resource and g.record = r.id
                            order by g.class)
      from (select distinct c.controller, c.resource, c.record from changed c) c
     where r.controller = c.controller and r.resource = c.resource and r.id = c.record;
    return null;
end $$;

create function exchange.keep_others() returns trigger language plpgsql as $$
begin
    update exchange.record r
       set others = (select count(*) from exchange.record_person p
                      where p.controller = r.controller and p.resource = r.resource and p.record = r.id)
      from (select distinct c.controller, c.resource, c.record from changed c) c
     where r.controller = c.controller and r.resource = c.resource and r.id = c.record;
    return null;
end $$;

-- Never taken back: it says where to look, not what is found there.
create function exchange.note_household() returns trigger language plpgsql as $$
begin
    update exchange.subject s set housed = true where s.id = new.subject and not s.housed;
    return null;
end $$;

create function registry.note_discloser() returns trigger language plpgsql as $$
begin
    select o.kind, o.active, o.version into new.discloser_kind, new.discloser_active, new.discloser_version
      from registry.organisation o where o.id = new.discloser for share;
    return new;
end $$;

create function registry.tell_agreements() returns trigger language plpgsql as $$
begin
    update registry.agreement a set discloser = new.id where a.discloser = new.id;
    return null;
end $$;

create trigger groups_added after insert on exchange.record_group referencing new table as changed
    for each statement execute function exchange.keep_groups();
create trigger groups_changed after update on exchange.record_group referencing new table as changed
    for each statement execute function exchange.keep_groups();
create trigger groups_gone after delete on exchange.record_group referencing old table as changed
    for each statement execute function exchange.keep_groups();
create trigger others_added after insert on exchange.record_person referencing new table as changed
    for each statement execute function exchange.keep_others();
create trigger others_gone after delete on exchange.record_person referencing old table as changed
    for each statement execute function exchange.keep_others();
create trigger household_of after insert or update of subject on exchange.record
    for each row when (new.resource = 'households') execute function exchange.note_household();
create trigger household_with after insert on exchange.record_person
    for each row when (new.resource = 'households') execute function exchange.note_household();
create trigger discloser_noted before insert or update on registry.agreement
    for each row execute function registry.note_discloser();
create trigger agreements_told after update on registry.organisation
    for each row execute function registry.tell_agreements();
alter table registry.agreement enable always trigger discloser_noted;
alter table registry.organisation enable always trigger agreements_told;

-- What stands already.
update exchange.record r
   set classes = g.classes, digests = g.digests
  from (select g.controller, g.resource, g.record, array_agg(g.class order by g.class) as classes,
               array_agg(g.digest order by g.class) as digests
          from exchange.record_group g group by g.controller, g.resource, g.record) g
 where r.controller = g.controller and r.resource = g.resource and r.id = g.record;
update exchange.record r
   set others = p.others
  from (select p.controller, p.resource, p.record, count(*) as others
          from exchange.record_person p group by p.controller, p.resource, p.record) p
 where r.controller = p.controller and r.resource = p.resource and r.id = p.record;
update exchange.subject s
   set housed = true
 where s.id in (select r.subject from exchange.record r where r.resource = 'households'
                union
                select p.subject from exchange.record_person p where p.resource = 'households');
update registry.agreement a set discloser = a.discloser;
alter table registry.agreement
    alter column discloser_kind set not null,
    alter column discloser_active set not null,
    alter column discloser_version set not null;

-- Whether anybody in a household of these people is protected: it counts for every record (661/2009 36 §).
create function exchange.guarded_home(p_same uuid[]) returns boolean language plpgsql stable as $$
begin
    return exists (
        select from unnest (p_same) same(id) cross join lateral (
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
         where c.protected);
end $$;

-- What the others named in the gathered records add: their seeds, their protection, and what stands on their data, which
-- holds back the records that name them.
create function exchange.with_others(g api.gathered, p_controller text) returns api.gathered
    language plpgsql stable as $$
begin
    with people as materialized (
        select p.record, p.resource, p.seed, p.protected, p.canonical
          from unnest(g.record, g.record_resource) with ordinality page(id, resource, n) cross join lateral (
            select n.record, n.resource, s.seed, s.protected, s.canonical
              from exchange.record_person n join exchange.subject s on s.id = n.subject
             where n.controller = p_controller and n.resource = page.resource and n.record = page.id offset 0) p
         order by page.n
    ), stopped as (
        select array_agg(p.id) as ids, array_agg(p.kind) as kinds, array_agg(people.record) as records
          from people cross join lateral (
            select p.id, p.kind from exchange.subject same join exchange.prohibition p on p.subject = same.id
             where same.canonical = people.canonical and not p.ended
               and (p.record is null or p.record = people.record) offset 0) p
    )
    select array(select page.guarded or exists (
                            select from people
                             where people.record = page.id and people.resource = page.resource and people.protected)
                   from unnest(g.record, g.record_resource, g.record_protected)
                        with ordinality page(id, resource, guarded, n)
                  order by page.n),
           array(select people.record from people), array(select people.resource from people),
           array(select people.seed from people),
           g.prohibition || coalesce(stopped.ids, '{}'), g.prohibition_kind || coalesce(stopped.kinds, '{}'),
           g.prohibition_record || coalesce(stopped.records, '{}')
      into g.record_protected, g.person_record, g.person_resource, g.person_seed,
           g.prohibition, g.prohibition_kind, g.prohibition_record
      from stopped;
    return g;
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
    v record;
    v_guarded boolean;
    v_now timestamptz := clock_timestamp();
begin
    select n.kind, n.stands and v_now >= n.valid_from and v_now < n.valid_until as stands, n.organisation_version,
           n.version, a.id as agreement, a.discloser_kind, a.discloser_active, a.discloser_version,
           a.valid_from, a.valid_until, a.active, a.max_months, a.per_person_day, a.version as agreement_version,
           m.state, m.version as matter_version,
           ms.canonical is not null and ms.canonical is not distinct from os.canonical as concerns,
           (select p.id from exchange.subject s join exchange.prior_information p on p.subject = s.id
             where s.canonical = os.canonical and p.organisation = p_organisation order by p.told_at desc limit 1)
               as told,
           ts.canonical is not null as found, w.id, w.protected, w.handling_unit, b.version as subject_version,
           same.ids as same, same.housed
      into v
      from (select) one
      left join registry.mandate n on n.client = p_client and n.organisation = p_organisation
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
        on w.id = coalesce(ts.canonical, y.subject)
     cross join lateral (
        select array_agg(s.id) as ids, bool_or(s.housed) as housed
          from exchange.subject s where s.canonical = w.id) same;
    v_guarded := coalesce(v.protected, false) or (coalesce(v.housed, false) and exchange.guarded_home(v.same));

    with page as materialized (
        select r.resource, r.id, r.revision, r.month, r.recorded_at, r.classes, r.digests, r.others
          from unnest (v.same) same(id) cross join lateral (
            select r.resource, r.id, r.revision, r.month, r.recorded_at, r.classes, r.digests, r.others
              from exchange.record r
             where r.subject = same.id and r.controller is not distinct from p_discloser and r.state = 'current'
               and r.resource = any (p_resources)
               and (r.month is null or r.month between p_first and p_last)
               and (p_after is null or (r.id, r.resource) > (p_after, p_after_resource)) offset 0) r
         order by r.id, r.resource limit p_limit
    ), heads as (
        select array_agg(page.id) as ids, array_agg(page.resource) as resources,
               array_agg(page.revision) as revisions, array_agg(page.month) as months,
               array_agg(page.recorded_at) as times, array_agg(v_guarded) as guarded, sum(page.others) as others
          from page
    ), groups as (
        select array_agg(page.id) as records, array_agg(page.resource) as resources,
               array_agg(x.class) as classes, array_agg(x.digest) as digests
          from page cross join lateral unnest(page.classes, page.digests) x(class, digest)
    ), stopped as (
        select array_agg(p.id) as ids, array_agg(p.kind) as kinds, array_agg(p.record) as records
          from exchange.prohibition p where p.subject = any (v.same) and not p.ended
    ), published as (
        select array_agg(p.resource) as resources, array_agg(p.status) as statuses,
               array_agg(p.current_as_of) as times
          from (select q.resource, q.status, q.current_as_of from exchange.publication_state q
                 where q.controller = p_discloser order by q.resource) p
    )
    select v.kind, v.stands, v.organisation_version, v.version,
           v.discloser_kind, v.discloser_active, v.discloser_version,
           v.agreement, v.valid_from, v.valid_until, v.active, v.max_months, v.per_person_day, v.agreement_version,
           v.state, v.concerns, v.matter_version, false, v.told,
           v.found, v.id, v.protected, v.handling_unit, v.subject_version,
           coalesce(stopped.ids, '{}'), coalesce(stopped.kinds, '{}'), coalesce(stopped.records, '{}'),
           coalesce(heads.ids, '{}'), coalesce(heads.resources, '{}'), coalesce(heads.revisions, '{}'),
           coalesce(heads.months, '{}'), coalesce(heads.times, '{}'), coalesce(heads.guarded, '{}'),
           coalesce(groups.records, '{}'), coalesce(groups.resources, '{}'),
           coalesce(groups.classes, '{}'), coalesce(groups.digests, '{}'),
           '{}'::uuid[], '{}'::text[], '{}'::bytea[],
           -- by the person, not by the tag: another identifier of the same person is no second allowance. More than
           -- the agreement allows are not counted. The organisation is compared so that only the index that begins
           -- with the person answers: that of its day's entries would be read for one person's. One id at a time:
           -- for a list of them PostgreSQL 18 skips through the organisations of that index all the same
           (select count(*) from (
                select from unnest (v.same) same(id) cross join lateral (
                    select from ledger.entry e
                     where e.basis_subject = same.id and e.purpose = p_purpose and e.kind = 'disclosure'
                       and e.recorded_at > v_now - interval '24 hours' and e.recorded_at < v_now + interval '1 day'
                       and e.organisation is not distinct from p_organisation offset 0) e
                 limit greatest(v.per_person_day, 0)) asked),
           coalesce(published.resources, '{}'), coalesce(published.statuses, '{}'),
           coalesce(published.times, '{}'), heads.others
      into g
      from heads, groups, stopped, published;
    if g.others > 0 then
        g := exchange.with_others(g, p_discloser);
    end if;
    -- the caller's own side: nothing of it depends on the person asked about
    if v.agreement is null then
        select o.kind, o.active, o.version into g.discloser_kind, g.discloser_active, g.discloser_version
          from registry.organisation o where o.id = p_discloser;
    end if;
    if v.state is null then
        g.matter_elsewhere := exists (
            select from exchange.matter e where e.case_mac = p_case and e.organisation <> p_organisation);
    end if;
    return g;
end $$;

revoke all on function exchange.keep_groups(), exchange.keep_others(), exchange.note_household(),
    registry.note_discloser(), registry.tell_agreements(), exchange.guarded_home(uuid[]),
    exchange.with_others(api.gathered, text) from public;
