-- What happened, who did it, when: append only, for everybody, the owner of the table included.

create table audit_entries (
    id uuid constraint audit_entries_pkey primary key,
    at timestamptz not null,
    actor_kind text not null constraint audit_entries_actor_kind_known
        check (actor_kind in ('user', 'reporter', 'public', 'system')),
    actor text not null,
    action text not null constraint audit_entries_action_form check (action ~ '^[a-z_]+\.[a-z_]+$'),
    object_kind text not null,
    object_id uuid not null,
    matter_id uuid,
    request_id text not null,
    detail jsonb not null
);
create index audit_entries_of_matter on audit_entries (matter_id, at, id) where matter_id is not null;
create index audit_entries_of_object on audit_entries (object_id, at, id);
create index audit_entries_of_policy on audit_entries (at) where action = 'policy.took_effect';
create index audit_entries_by_time on audit_entries (at, id);
comment on table audit_entries is 'The audit record: ids and words only, never a name and never free text.';
comment on column audit_entries.actor is 'The id of the account, the id of the reporter''s complaint, "public", or the name of a part of the system.';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed or removed', tg_table_name using errcode = 'restrict_violation';
end
$$;
comment on function refuse_change is 'Refuses whatever statement it is put on: for rows that are written once.';

create trigger audit_entries_stay before update or delete on audit_entries
    for each row execute function refuse_change();
create trigger audit_entries_are_never_emptied before truncate on audit_entries
    for each statement execute function refuse_change();

grant select, insert on audit_entries to temwen_server;
