-- Why: the tree over the ledger. Entries are written without an order; one sequencer, alone in its role, gives each a
-- place, builds the Merkle tree of RFC 6962 in tiles of 256 hashes, and publishes signed heads. Everything but the right
-- edge and the size is inserted once and never changed; the edge can be rebuilt from the leaves and nothing trusts it.
-- What a place is given to, the database takes from the entry itself: the sequencer cannot invent a leaf.
-- States it assumes: 0001-0012. A server of before does not notice; entries it wrote are given places as any others.
create schema sequencer;
grant usage on schema sequencer to sauma_sequencer;

create table ledger.tree_leaf (
    seq bigint primary key check (seq >= 0),
    entry uuid not null unique,
    recorded_at timestamptz not null, -- names the entry's partition
    leaf_hash bytea not null check (length(leaf_hash) = 32)
);

create table ledger.tile (
    level smallint not null check (level between 0 and 7),
    index bigint not null check (index >= 0),
    hashes bytea not null check (length(hashes) = 8192),
    primary key (level, index)
);
alter table ledger.tile alter column hashes set storage external;

create table ledger.edge (
    level smallint primary key check (level between 0 and 7),
    index bigint not null check (index >= 0),
    hashes bytea not null check (length(hashes) % 32 = 0 and length(hashes) < 8192)
);

create table ledger.tree (
    one boolean primary key default true check (one),
    size bigint not null check (size >= 0)
);
insert into ledger.tree (size) values (0);

create table ledger.checkpoint (
    size bigint primary key check (size > 0),
    root bytea not null check (length(root) = 32),
    note text not null check (length(note) <= 65536),
    signed_at timestamptz not null default clock_timestamp()
);

do $$
declare
    t regclass;
begin
    foreach t in array array['ledger.tree_leaf', 'ledger.tile', 'ledger.checkpoint']::regclass[] loop
        execute format('create trigger immutable_row before update or delete on %s
                        for each row execute function ledger.forbid()', t);
        execute format('create trigger immutable_table before truncate on %s
                        for each statement execute function ledger.forbid()', t);
        execute format('alter table %s enable always trigger immutable_row', t);
        execute format('alter table %s enable always trigger immutable_table', t);
    end loop;
end $$;

-- The edge and the size may change, not vanish.
create trigger immutable_row before delete on ledger.edge for each row execute function ledger.forbid();
create trigger immutable_table before truncate on ledger.edge for each statement execute function ledger.forbid();
create trigger immutable_row before delete on ledger.tree for each row execute function ledger.forbid();
create trigger immutable_table before truncate on ledger.tree for each statement execute function ledger.forbid();
alter table ledger.edge enable always trigger immutable_row;
alter table ledger.edge enable always trigger immutable_table;
alter table ledger.tree enable always trigger immutable_row;
alter table ledger.tree enable always trigger immutable_table;

-- What may still be running began at or after this transaction: everything before it is visible, or was rolled back.
create function sequencer.horizon() returns xid8
    language sql stable security definer
    begin atomic
        select pg_snapshot_xmin(pg_current_snapshot());
    end;

-- Entries without a place that were written by a transaction from `p_low` on. Never by id or time: a slow writer commits
-- behind either. STABLE, so that it sees the snapshot of the statement that also asks for the horizon.
create function sequencer.next_window(p_low xid8, p_cap integer)
    returns table (xid xid8, entry uuid, recorded_at timestamptz, leaf_hash bytea)
    language sql stable security definer
    begin atomic
        select e.xid, e.id, e.recorded_at, e.leaf_hash
          from ledger.entry e
         where e.xid >= p_low and e.xid < pg_snapshot_xmax(pg_current_snapshot())
           and not exists (select from ledger.tree_leaf t where t.entry = e.id)
         order by e.xid, e.id
         limit p_cap;
    end;

-- The same of any transaction: a restored database counts them anew, so each sequencer begins with a sweep of all.
create function sequencer.without_place(p_low xid8, p_cap integer)
    returns table (xid xid8, entry uuid, recorded_at timestamptz, leaf_hash bytea)
    language sql stable security definer
    begin atomic
        select e.xid, e.id, e.recorded_at, e.leaf_hash
          from ledger.entry e
         where e.xid >= p_low and not exists (select from ledger.tree_leaf t where t.entry = e.id)
         order by e.xid, e.id
         limit p_cap;
    end;

create function sequencer.tree() returns table (size bigint, level smallint, index bigint, hashes bytea)
    language sql stable security definer
    begin atomic
        select t.size, e.level, e.index, e.hashes from ledger.tree t left join ledger.edge e on true order by e.level;
    end;

-- Give places to entries and note what has grown; false where the tree is no longer of the size it was read at.
create function sequencer.integrate(p_size bigint, p_entries uuid[], p_times timestamptz[], p_hashes bytea[],
                                    p_levels smallint[], p_indexes bigint[], p_tiles bytea[],
                                    p_edge_levels smallint[], p_edge_indexes bigint[], p_edge bytea[])
    returns boolean
    language plpgsql security definer as $$
declare
    v_placed bigint;
begin
    perform set_config('synchronous_commit', 'on', true);
    perform from ledger.tree t where t.size = p_size for update;
    if not found then
        return false;
    end if;
    insert into ledger.tree_leaf (seq, entry, recorded_at, leaf_hash)
    select p_size + u.place - 1, e.id, e.recorded_at, e.leaf_hash
      from unnest(p_entries, p_times, p_hashes) with ordinality as u (entry, at, hash, place)
      join ledger.entry e on e.recorded_at = u.at and e.id = u.entry and e.leaf_hash = u.hash;
    get diagnostics v_placed = row_count;
    if v_placed <> cardinality(p_entries) then
        raise exception 'an entry is not what it was read as' using errcode = 'SA005';
    end if;
    insert into ledger.tile (level, index, hashes)
    select u.level, u.index, u.hashes from unnest(p_levels, p_indexes, p_tiles) as u (level, index, hashes);
    insert into ledger.edge as e (level, index, hashes)
    select u.level, u.index, u.hashes from unnest(p_edge_levels, p_edge_indexes, p_edge) as u (level, index, hashes)
        on conflict (level) do update set index = excluded.index, hashes = excluded.hashes;
    update ledger.tree set size = p_size + v_placed;
    return true;
end $$;

-- A head is published once, of a size the tree has; false where one as large already is.
create function sequencer.publish(p_size bigint, p_root bytea, p_note text) returns boolean
    language plpgsql security definer as $$
begin
    perform set_config('synchronous_commit', 'on', true);
    perform from ledger.tree t where t.size >= p_size for update;
    if not found then
        raise exception 'the tree is smaller than its head' using errcode = 'SA005';
    end if;
    if exists (select from ledger.checkpoint c where c.size >= p_size) then
        return false;
    end if;
    insert into ledger.checkpoint (size, root, note) values (p_size, p_root, p_note);
    return true;
end $$;

-- The newest head.
create function api.checkpoint() returns table (size bigint, root bytea, note text, signed_at timestamptz)
    language sql stable security definer
    begin atomic
        select c.size, c.root, c.note, c.signed_at from ledger.checkpoint c order by c.size desc limit 1;
    end;

-- All heads from one size on, for whoever keeps them.
create function api.checkpoints(p_from bigint, p_cap integer)
    returns table (size bigint, root bytea, note text, signed_at timestamptz)
    language sql stable security definer
    begin atomic
        select c.size, c.root, c.note, c.signed_at
          from ledger.checkpoint c where c.size >= p_from order by c.size limit p_cap;
    end;

-- Tiles by their places, full or as wide as the edge is; a place the tree has not reached is left out.
create function api.tiles(p_levels smallint[], p_indexes bigint[])
    returns table (level smallint, index bigint, hashes bytea)
    language sql stable security definer
    begin atomic
        select u.level, u.index, coalesce(t.hashes, e.hashes)
          from unnest(p_levels, p_indexes) as u (level, index)
          left join ledger.tile t on t.level = u.level and t.index = u.index
          left join ledger.edge e on e.level = u.level and e.index = u.index
         where coalesce(t.hashes, e.hashes) is not null;
    end;

create function api.tile(p_level smallint, p_index bigint) returns bytea
    language sql stable security definer
    begin atomic
        select t.hashes from api.tiles(array[p_level], array[p_index]) t;
    end;

-- The leaves of one tile, each behind its length in two bytes (C2SP tlog-tiles); null where there are not so many.
create function api.entry_bundle(p_index bigint, p_width integer) returns bytea
    language sql stable security definer
    begin atomic
        select case when count(*) = p_width
                    then string_agg(substring(int4send(length(e.leaf)) from 3 for 2) || e.leaf, ''::bytea order by t.seq)
               end
          from ledger.tree_leaf t
          join ledger.entry e on e.recorded_at = t.recorded_at and e.id = t.entry
         where t.seq >= p_index * 256 and t.seq < p_index * 256 + least(p_width, 256);
    end;

-- Where an entry stands in the tree; no row while it has no place yet.
create function api.tree_leaf_of(p_entry uuid) returns table (seq bigint, recorded_at timestamptz, leaf_hash bytea)
    language sql stable security definer
    begin atomic
        select t.seq, t.recorded_at, t.leaf_hash from ledger.tree_leaf t where t.entry = p_entry;
    end;

create function sequencer.tiles(p_levels smallint[], p_indexes bigint[])
    returns table (level smallint, index bigint, hashes bytea)
    language sql stable security definer
    begin atomic
        select t.level, t.index, t.hashes from api.tiles(p_levels, p_indexes) t;
    end;

create function sequencer.checkpoints(p_from bigint, p_cap integer) returns table (size bigint, root bytea, note text)
    language sql stable security definer
    begin atomic
        select c.size, c.root, c.note from api.checkpoints(p_from, p_cap) c;
    end;

create function sequencer.checkpoint() returns table (size bigint, root bytea, note text)
    language sql stable security definer
    begin atomic
        select c.size, c.root, c.note from api.checkpoint() c;
    end;

-- What a check of the whole reads: each place with what the tree says of it and what the entry is.
create function sequencer.leaves(p_from bigint, p_cap integer)
    returns table (seq bigint, entry uuid, leaf_hash bytea, leaf bytea, entry_hash bytea)
    language sql stable security definer
    begin atomic
        select t.seq, t.entry, t.leaf_hash, e.leaf, e.leaf_hash
          from ledger.tree_leaf t
          left join ledger.entry e on e.recorded_at = t.recorded_at and e.id = t.entry
         where t.seq >= p_from order by t.seq limit p_cap;
    end;

do $$
declare
    f record;
begin
    for f in select p.oid::regprocedure as name, n.nspname as schema
               from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'sequencer'
                 or n.nspname = 'api' and p.proname in ('checkpoint', 'checkpoints', 'tiles', 'tile', 'entry_bundle',
                                                        'tree_leaf_of') loop
        execute format('alter function %s set search_path = pg_catalog, pg_temp', f.name);
        execute format('revoke all on function %s from public', f.name);
        execute format('grant execute on function %s to %I', f.name,
                       case f.schema when 'api' then 'sauma_server' else 'sauma_sequencer' end);
    end loop;
end $$;
