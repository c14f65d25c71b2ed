-- name: list_disclosures
select id, recorded_at, leaf, leaf_hash, manifest, payload, payload_key
  from api.list_disclosures($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
-- name: find_disclosure
select id, recorded_at, leaf, leaf_hash, manifest, payload, payload_key
  from api.find_disclosure($1, $2, $3, $4, $5, $6)
-- name: audit_session_stands
select api.audit_session_stands($1, $2, $3)
-- name: audit_is_granted
select api.audit_is_granted($1, $2, $3)
-- name: inspect_entry
select id, recorded_at, leaf, leaf_hash, manifest, payload, payload_key
  from api.inspect_entry($1, $2, $3, $4, $5, $6, $7)
