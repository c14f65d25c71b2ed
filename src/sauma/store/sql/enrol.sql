-- name: enrolled_record
select exists (select from exchange.record where controller = $1 and resource = $2 and id = $3)
-- name: enrolled_keys
select count(*) from registry.client_key k where k.active and k.kid = any ($1::text[])
-- name: enrol_lock
select pg_advisory_xact_lock(7215002)
-- name: enrol_organisation
insert into registry.organisation (id, kind, name_fi, name_sv, name_en, area_code, municipality_code, active)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing
-- name: enrol_grant
insert into registry.organisation_grant (organisation, scopes, purposes, details_required)
values ($1, $2, $3, $4) on conflict do nothing
-- name: enrol_delegation
insert into registry.delegation (organisation, supplier, scopes, purposes, valid_from, valid_until)
values ($1, $2, $3, $4, coalesce($5, clock_timestamp()), $6) on conflict do nothing
-- name: enrol_provider
insert into registry.identity_provider (organisation, issuer, kid, algorithm, jwk)
values ($1, $2, $3, $4, $5) on conflict do nothing
-- name: enrol_client
insert into registry.client (id, organisation, scopes) values ($1, $2, $3) on conflict do nothing
-- name: enrol_key
insert into registry.client_key (client, kid, algorithm, jwk) values ($1, $2, $3, $4) on conflict do nothing
-- name: enrol_audit
insert into registry.auditor_grant as g (client, organisations, dossier, until)
values ($1, $2, $3, clock_timestamp() + make_interval(days => $4))
on conflict (client, dossier) where active do update
   set organisations = excluded.organisations, granted_at = excluded.granted_at, until = excluded.until
 where g.until <= clock_timestamp()
-- name: enrol_agreement
insert into registry.agreement (id, discloser, receiver, purpose, valid_from, max_months, per_person_day)
values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
-- name: enrol_decoy
with chosen as materialized (
    select gen_random_uuid() as id where not exists (select from exchange.decoy d where d.controller = $1)
), person as (
    insert into exchange.subject (id, controller, canonical, seed)
    select c.id, $1, c.id, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) from chosen c
    returning id
), basis as (
    insert into exchange.subject_basis (subject) select p.id from person p
), held as (
    insert into keys.data_key (id, subject, class, wrapped)
    select gen_random_uuid(), p.id, c.class,
           (select '\x01'::bytea || substring(string_agg(uuid_send(gen_random_uuid()), ''::bytea) from 1 for 84)
              from generate_series(1, 6 + length(c.class) * 0))
      from person p, unnest(array['ordinary', 'restricted', 'protection']) c(class)
    returning id, class
), made as materialized (
    select gen_random_uuid() as id, r.resource, r.n, p.id as subject
      from person p, unnest($2::text[]) with ordinality r(resource, n)
), record as (
    insert into exchange.record (controller, resource, id, subject, revision, retain_until)
    select $1, m.resource, m.id, m.subject, 1, date '9999-12-31' from made m
), sealed as (
    insert into exchange.record_group (controller, resource, record, class, sealed, data_key)
    select $1, m.resource, m.id, 'ordinary',
           (select '\x5399'::bytea || string_agg(uuid_send(gen_random_uuid()), ''::bytea)
              from generate_series(1, 24 + 16 * m.n::integer)),
           h.id
      from made m join held h on h.class = 'ordinary'
)
insert into exchange.decoy (controller, subject) select $1, p.id from person p
