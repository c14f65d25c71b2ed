-- Why: the persons, matters and records. A person is a random id; everything that says who they are or what is known
-- of them is sealed. In clear: the protection flag, the handling unit, states, revisions, months (see the trust table).
-- States it assumes: 0001, 0002.
create domain exchange.sealed as bytea
    check (length(value) between 60 and 262144 and get_byte(value, 0) = 83 and get_byte(value, 1) = 153);

create table exchange.subject (
    id uuid primary key,
    controller registry.business_id not null references registry.organisation,
    canonical uuid not null references exchange.subject deferrable initially deferred,
    protected boolean not null default false,
    handling_unit text not null default '',
    seed bytea not null
);
create index on exchange.subject (canonical);

-- Bumped by every change of consent, prohibition, prior information or protection of the person at this controller.
create table exchange.subject_basis (
    subject uuid primary key references exchange.subject,
    version bigint not null default 1
);

create table exchange.identifier (
    controller registry.business_id not null,
    blind_index bytea not null check (length(blind_index) = 16),
    subject uuid not null references exchange.subject,
    sealed exchange.sealed not null,
    added_at timestamptz not null default clock_timestamp(),
    primary key (controller, blind_index)
);
create index on exchange.identifier (subject);

-- Whom the controller said to be one person, pair by pair: taking a wrong link back takes back that pair only.
create table exchange.link (
    one uuid not null references exchange.subject,
    other uuid not null references exchange.subject,
    primary key (one, other)
);
create index on exchange.link (other);

create table keys.data_key (
    id uuid primary key,
    subject uuid not null references exchange.subject,
    class text not null check (class in ('ordinary', 'restricted', 'protection')),
    wrapped bytea not null,
    state text not null default 'active' check (state in ('active', 'closing')),
    unique (subject, class)
);

create table exchange.matter (
    organisation registry.business_id not null references registry.organisation,
    case_mac bytea not null check (length(case_mac) = 16),
    subject uuid not null references exchange.subject,
    state text not null check (state in ('open', 'closed')),
    version integer not null default 1,
    sealed exchange.sealed not null,
    primary key (organisation, case_mac)
);
create index on exchange.matter (case_mac);

create table exchange.prior_information (
    id uuid primary key,
    organisation registry.business_id not null references registry.organisation,
    subject uuid not null references exchange.subject,
    told_at timestamptz not null,
    sealed exchange.sealed not null
);
create index on exchange.prior_information (subject, told_at desc);

create table exchange.prohibition (
    id uuid primary key,
    subject uuid not null references exchange.subject,
    kind text not null,
    record uuid,
    ended boolean not null default false
);
create index on exchange.prohibition (subject) where not ended;

create table exchange.record (
    controller registry.business_id not null references registry.organisation,
    resource text not null,
    id uuid not null,
    subject uuid not null references exchange.subject,
    revision integer not null,
    state text not null default 'current' check (state in ('current', 'annulled')),
    month text check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    recorded_at timestamptz not null default clock_timestamp(),
    retain_until date not null,
    primary key (controller, resource, id)
);
create index on exchange.record (subject, id);

create table exchange.record_group (
    controller registry.business_id not null,
    resource text not null,
    record uuid not null,
    class text not null check (class in ('ordinary', 'restricted', 'protection')),
    sealed exchange.sealed not null,
    digest bytea not null generated always as (sha256(sealed::bytea)) stored,
    data_key uuid not null references keys.data_key,
    primary key (controller, resource, record, class),
    foreign key (controller, resource, record) references exchange.record
);

-- Persons other than the subject whose data stand in the record.
create table exchange.record_person (
    controller registry.business_id not null,
    resource text not null,
    record uuid not null,
    subject uuid not null references exchange.subject,
    primary key (controller, resource, record, subject),
    foreign key (controller, resource, record) references exchange.record
);
create index on exchange.record_person (subject);

-- All that are linked with a person, near or far, are one with them.
create function exchange.gather_links(p_subject uuid) returns void language sql volatile as $$
    with recursive same (id) as (
        select p_subject
        union
        select case when l.one = same.id then l.other else l.one end
          from same join exchange.link l on same.id in (l.one, l.other)
    )
    update exchange.subject s set canonical = p_subject from same where s.id = same.id
$$;

-- Linked identifiers are one person: what was written under the old one may be changed under the new one.
create function exchange.one_person(p_one uuid, p_other uuid) returns boolean language sql stable as $$
    select count(distinct s.canonical) = 1 from exchange.subject s where s.id in (p_one, p_other)
$$;
