-- Why: who takes part: organisations, their systems and keys, and what two parties have agreed for a purpose.
-- States it assumes: an empty database bootstrapped with the roles sauma_owner, sauma_server, sauma_auditor.
create schema registry;
create schema exchange;
create schema keys;
create schema ledger;
create schema api;
grant usage on schema api to sauma_server;

create domain registry.business_id as text check (value ~ '^[0-9]{7}-[0-9]$');

create table registry.organisation (
    id registry.business_id primary key,
    kind text not null check (kind in ('kela', 'county', 'municipality', 'supervisor', 'statistics', 'vendor')),
    name_fi text not null,
    name_sv text not null,
    name_en text not null,
    area_code text,
    municipality_code text,
    active boolean not null default true,
    version integer not null default 1
);

create table registry.client (
    id text primary key check (id ~ '^[A-Za-z0-9._:~/-]{1,64}$'), -- stands in every leaf, which has 1024 bytes
    organisation registry.business_id not null references registry.organisation,
    scopes text[] not null,
    active boolean not null default true,
    version integer not null default 1
);

create table registry.client_key (
    client text not null references registry.client,
    kid text not null,
    algorithm text not null,
    jwk bytea not null,
    active boolean not null default true,
    primary key (client, kid)
);

-- One seeded table for now; both parties' approval and the versions of a text come with the agreements issue.
create table registry.agreement (
    id uuid primary key,
    discloser registry.business_id not null references registry.organisation,
    receiver registry.business_id not null references registry.organisation,
    purpose text not null,
    valid_from date not null,
    valid_until date,
    active boolean not null default true,
    max_months integer not null,
    per_person_day integer not null,
    version integer not null default 1,
    unique (discloser, receiver, purpose)
);

-- How current a controller's publication of one resource is; never about a person.
create table exchange.publication_state (
    controller registry.business_id not null references registry.organisation,
    resource text not null,
    status text not null check (status in ('current', 'delayed', 'not-published')),
    current_as_of timestamptz not null,
    revision integer not null default 1,
    primary key (controller, resource)
);
