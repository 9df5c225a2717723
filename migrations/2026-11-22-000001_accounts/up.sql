-- Who may sign in. Accounts are never deleted: what they did must stay attributable.

-- The role the server acts as: it owns nothing and cannot pass row security. The role belongs to the
-- whole cluster, so another database of the same cluster may have made it already.
do $$
begin
    if not exists (select from pg_roles where rolname = 'temwen_server') then
        create role temwen_server nologin nosuperuser nocreatedb nocreaterole noinherit nobypassrls;
    end if;
exception when duplicate_object or unique_violation then null;
end
$$;

revoke create on schema public from public;
grant usage on schema public to temwen_server;
grant select on __diesel_schema_migrations to temwen_server;

create table users (
    id uuid constraint users_pkey primary key,
    email text not null constraint users_email_key unique constraint users_email_lower check (email = lower(email)),
    name text not null constraint users_name_given check (name <> ''),
    roles text[] not null constraint users_roles_given check (cardinality(roles) > 0),
    country text constraint users_country_code check (country ~ '^[A-Z]{2}$'),
    seat text constraint users_seat_known check (seat in ('mss', 'pnh', 'ohchr')),
    password text not null,
    rights_version integer not null default 1,
    created_at timestamptz not null,
    deactivated_at timestamptz,
    deactivated_because text,
    version integer not null default 1
);
comment on table users is 'Accounts of officers and systems. Deactivated, never deleted.';
comment on column users.password is 'Argon2id in PHC form.';
comment on column users.rights_version is 'Raised when roles, country or seat change: tokens issued before are then refused.';

create table sessions (
    id uuid constraint sessions_pkey primary key,
    user_id uuid not null constraint sessions_user_fkey references users,
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    ended_because text constraint sessions_ended_known
        check (ended_because in ('signed_out', 'refresh_reused', 'password_changed', 'deactivated', 'rights_changed', 'ended_elsewhere')),
    constraint sessions_end_has_reason check ((ended_at is null) = (ended_because is null))
);
create index sessions_of_user on sessions (user_id, created_at) where ended_at is null;
comment on table sessions is 'One row per sign-in. Holds neither address nor device, which would tell where an officer was.';

create table refresh_tokens (
    digest bytea constraint refresh_tokens_pkey primary key,
    session_id uuid not null constraint refresh_tokens_session_fkey references sessions,
    issued_at timestamptz not null,
    used_at timestamptz
);
create index refresh_tokens_of_session on refresh_tokens (session_id);
comment on table refresh_tokens is 'SHA-256 of every refresh token of a session. A used one presented again means theft: the session ends.';

create table idempotency_keys (
    actor text not null,
    operation text not null,
    key_digest bytea not null,
    body_digest bytea not null,
    status smallint not null,
    etag text,
    location text,
    body text not null,
    matter_id uuid,
    created_at timestamptz not null,
    constraint idempotency_keys_pkey primary key (actor, operation, key_digest)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
comment on table idempotency_keys is 'First answers of creating requests, given again when the same key comes again within a day.';

grant select, insert on users, sessions, refresh_tokens, idempotency_keys to temwen_server;
grant update (name, roles, country, seat, password, rights_version, deactivated_at, deactivated_because, version) on users to temwen_server;
grant update (last_used_at, expires_at, ended_at, ended_because) on sessions to temwen_server;
grant update (used_at) on refresh_tokens to temwen_server;
grant delete on idempotency_keys to temwen_server;
