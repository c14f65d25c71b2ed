-- Why: a server that starts with another key ring than the one the data were written under would find nobody: every
-- prohibition stands under a keyed index, so it would disclose what was forbidden. The ring is compared at each start.
-- States it assumes: 0001.
create table keys.ring_key (
    purpose text not null,
    version integer not null,
    check_value bytea not null check (length(check_value) = 16), -- a MAC under the key over a constant text
    first_seen timestamptz not null default clock_timestamp(),
    primary key (purpose, version)
);

create function api.ring_keys() returns table (purpose text, version integer, check_value bytea)
    language sql stable security definer
    begin atomic
        select k.purpose, k.version, k.check_value from keys.ring_key k;
    end;

-- Called at start: a key seen for the first time is noted; one that is known is never replaced.
create function api.note_ring_keys(p_purposes text[], p_versions integer[], p_checks bytea[]) returns void
    language sql volatile security definer
    begin atomic
        insert into keys.ring_key (purpose, version, check_value)
        select n.purpose, n.version, n.check_value
          from unnest(p_purposes, p_versions, p_checks) as n (purpose, version, check_value)
            on conflict do nothing;
    end;

revoke all on function api.ring_keys(), api.note_ring_keys(text[], integer[], bytea[]) from public;
grant execute on function api.ring_keys(), api.note_ring_keys(text[], integer[], bytea[]) to sauma_server;
