-- name: begin_write
select state, status, answer, etag from api.begin_write($1, $2)
-- name: end_write
select api.end_write($1, $2, $3, $4, $5)
-- name: claim
select api.claim($1, $2, $3, $4, $5, $6)
-- name: find_subject
select subject, canonical, seed, key_ids, key_classes, key_wrapped from api.find_subject($1, $2)
-- name: add_subject
select api.add_subject($1, $2, $3, $4, $5, $6, $7, $8)
-- name: protect_subject
select api.protect_subject($1, $2, $3, $4)
-- name: put_matter
select status, revision from api.put_matter($1, $2, $3, $4, $5, $6)
-- name: put_record
select status, revision from api.put_record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
-- name: record_state
select revision, state, recorded_at, classes, digests from api.record_state($1, $2, $3)
-- name: annul_record
select status, revision from api.annul_record($1, $2, $3, $4)
-- name: add_prior_information
select api.add_prior_information($1, $2, $3, $4, $5)
-- name: link_identifier
select api.link_identifier($1, $2, $3, $4)
-- name: split_identifier
select api.split_identifier($1, $2, $3, $4, $5, $6, $7, $8, $9)
-- name: put_publication_state
select status, revision from api.put_publication_state($1, $2, $3, $4)
-- name: open_audit_session
select api.open_audit_session($1, $2, $3, $4, $5, $6)
-- name: disclosure_parties
select receiver, discloser, purpose, case_tag from api.disclosure_parties($1, $2, $3)
