-- Why: the ledger. Rows are leaves: inserted once, in monthly partitions, never changed, not even by the owner.
-- States it assumes: 0001.
create function ledger.base64url(value bytea) returns text
    language sql immutable strict parallel safe
    return translate(rtrim(encode(value, 'base64'), '='), E'+/\n', '-_');

create function ledger.unbase64url(value text) returns bytea
    language sql immutable strict parallel safe
    return decode(translate(value, '-_', '+/') || repeat('=', (4 - length(value) % 4) % 4), 'base64');

create table ledger.entry (
    id uuid not null,
    recorded_at timestamptz not null default clock_timestamp(),
    xid xid8 not null default pg_current_xact_id(),
    session name not null default session_user,
    leaf bytea not null check (length(leaf) <= 1024),
    leaf_hash bytea not null generated always as (sha256('\x00'::bytea || leaf)) stored,
    manifest bytea not null check (length(manifest) <= 65536),
    side bytea not null,
    payload bytea,
    payload_key bytea,
    -- derived from leaf and manifest by api.append; nothing else writes them
    kind text not null check (kind in ('disclosure', 'refusal', 'write', 'outcome', 'erasure', 'annulment',
                                       'annotation', 'read', 'admin', 'writer')),
    writer uuid not null,
    counter bigint not null,
    organisation text,
    counterparty text,
    client text,
    purpose text,
    decision text,
    reason text,
    refers uuid,
    subject_tag bytea,
    subject_tags bytea[] not null,
    officer_tag bytea,
    case_tag bytea,
    row_resource text[] not null,
    row_record uuid[] not null,
    row_revision integer[] not null,
    row_class text[] not null,
    row_digest bytea[] not null,
    -- the versions decided on; the gate compares them again
    basis_subject uuid,
    basis_subject_version bigint,
    basis_case bytea,
    basis_matter_version integer,
    basis_client_version integer,
    basis_organisation_version integer,
    basis_discloser_version integer,
    basis_agreement uuid,
    basis_agreement_version integer,
    provisions text[],
    constraint actor check (kind = 'writer' or (organisation is not null and client is not null)),
    constraint disclosure_is_whole check (kind <> 'disclosure' or (
        counterparty is not null and purpose is not null and provisions is not null and decision = 'permit'
        and payload is not null and payload_key is not null and subject_tag is not null and officer_tag is not null
        and case_tag is not null and cardinality(row_record) > 0 and basis_subject is not null
        and basis_organisation_version is not null and basis_discloser_version is not null
        and basis_agreement is not null and basis_agreement_version is not null)),
    constraint refusal_has_reason check (kind <> 'refusal' or (
        decision = 'refuse' and reason is not null and payload is not null and payload_key is not null)),
    constraint outcome_refers check (kind not in ('outcome', 'erasure') or refers is not null)
) partition by range (recorded_at);

create function ledger.forbid() returns trigger language plpgsql as $$
begin
    raise exception 'ledger entries are never changed' using errcode = '42501';
end $$;

create trigger immutable_row before update or delete on ledger.entry
    for each row execute function ledger.forbid();
create trigger immutable_table before truncate on ledger.entry
    for each statement execute function ledger.forbid();
alter table ledger.entry enable always trigger immutable_row;
alter table ledger.entry enable always trigger immutable_table;

-- One partition a month. Truncate triggers are not cloned to partitions, so each gets its own.
create function ledger.add_partition(month date) returns void language plpgsql as $$
declare
    name text := 'entry_' || to_char(month, 'YYYYMM');
    next date := (month + interval '1 month')::date;
begin
    if to_regclass('ledger.' || name) is not null then
        return;
    end if;
    execute format('create table ledger.%I partition of ledger.entry for values from (%L) to (%L)',
                   name, month::text || ' 00:00:00+00', next::text || ' 00:00:00+00');
    execute format('create unique index on ledger.%I (id)', name);
    execute format('create unique index on ledger.%I (writer, counter)', name);
    execute format('create index on ledger.%I (subject_tag, recorded_at) where subject_tag is not null', name);
    execute format('create index on ledger.%I (basis_subject, recorded_at) where basis_subject is not null', name);
    execute format('create index on ledger.%I (xid)', name);
    execute format('create index on ledger.%I (organisation, recorded_at)', name);
    execute format('create index on ledger.%I (counterparty, recorded_at)', name);
    execute format('create trigger immutable_table before truncate on ledger.%I
                    for each statement execute function ledger.forbid()', name);
    execute format('alter table ledger.%I enable always trigger immutable_table', name);
    execute format('alter table ledger.%I enable always trigger immutable_row', name);
end $$;

-- Called at start and daily: this month and the next two always exist.
create function api.add_partitions() returns void
    language plpgsql security definer as $$
declare
    this date := date_trunc('month', clock_timestamp() at time zone 'UTC')::date;
begin
    perform pg_advisory_xact_lock(7215001);
    for ahead in 0..2 loop
        perform ledger.add_partition((this + make_interval(months => ahead))::date);
    end loop;
end $$;

-- Once-only ids: DPoP proofs and client assertions. Kept until they could not be accepted anyway.
create table ledger.claim (
    kind text not null,
    digest bytea not null check (length(digest) = 16),
    expires_at timestamptz not null,
    primary key (digest, kind)
);
create index on ledger.claim (expires_at);

-- What a repeated write is answered with: never client data.
create table ledger.idempotency (
    key_digest bytea primary key check (length(key_digest) = 16),
    request_digest bytea not null,
    status smallint not null,
    answer bytea not null check (length(answer) <= 65536),
    etag text,
    expires_at timestamptz not null
);
create index on ledger.idempotency (expires_at);

create table ledger.audit_session (
    id uuid primary key,
    organisation registry.business_id not null references registry.organisation,
    client text not null references registry.client,
    audit_purpose text not null,
    until timestamptz not null
);
