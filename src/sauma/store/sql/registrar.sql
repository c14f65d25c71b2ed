-- name: operator
select session_user::text
-- name: registrar_ring_keys
select purpose, version, check_value from registrar.ring_keys()
-- name: register
select registrar.register()::text
-- name: registrar_start_writer
select registrar.start_writer($1)
-- name: propose
select recorded_at, leaf_hash from registrar.propose($1, $2::text::jsonb, $3, $4, $5)
-- name: approve
select recorded_at, leaf_hash from registrar.approve($1, $2, $3, $4)
-- name: withdraw
select recorded_at, leaf_hash from registrar.withdraw($1, $2, $3, $4)
-- name: suspend
select recorded_at, leaf_hash from registrar.suspend($1, $2, $3, $4)
-- name: remove_key
select recorded_at, leaf_hash from registrar.remove_key($1, $2, $3, $4, $5)
-- name: end_delegation
select recorded_at, leaf_hash from registrar.end_delegation($1, $2, $3, $4, $5)
-- name: remove_provider
select recorded_at, leaf_hash from registrar.remove_provider($1, $2, $3, $4, $5, $6)
-- name: end_audit
select recorded_at, leaf_hash from registrar.end_audit($1, $2, $3, $4)
