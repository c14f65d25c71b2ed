-- name: gather
select organisation_kind, organisation_active, organisation_version, client_version,
       discloser_kind, discloser_active, discloser_version,
       agreement, agreement_from, agreement_until, agreement_active, agreement_months, agreement_per_day,
       agreement_version, matter_state, matter_concerns, matter_version, matter_elsewhere, prior_information,
       found, subject, protected, handling_unit, subject_version,
       prohibition, prohibition_kind, prohibition_record,
       record, record_resource, record_revision, record_month, record_at, record_protected,
       group_record, group_resource, group_class, group_digest, person_record, person_resource, person_seed,
       recent, source_resource, source_status, source_as_of
  from api.gather($1, $2, $3, $4, $5, $6, $7, string_to_array($8, ','), $9, $10, $11, $12, $13)
-- name: append
select status, recorded_at, leaf_hash from api.append($1, $2, $3, $4, $5, $6, $7, $8, $9)
-- name: read
select status, controller, resource, record, class, sealed, subject, data_key, wrapped from api.read($1, $2)
-- name: add_partitions
select api.add_partitions()
-- name: forget_expired
select api.forget_expired()
-- name: known_client
select client, organisation, state, nonce_required, certificate_bound, jwks_uri, kids, algorithms, jwks, mandates,
       providers
  from api.known_client($1)
-- name: mandate_stands
select api.mandate_stands($1, $2, $3, $4)
-- name: counties
select area_code, organisation from api.counties()
