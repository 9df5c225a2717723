-- The vault: what people said and who they are is sealed. A database, a backup or a disk that is stolen holds ciphertext.
--
-- Each complaint has a data key of its own, made when it comes in. It seals the complaint's words and, where it grows into a case,
-- what belongs to the case. Data keys are wrapped by a master key that the database never holds.

-- Which master keys may be in use. A data key refers to one of them, so that a master key cannot be given up while anything, even
-- something that is being written this moment, was wrapped by it.
create table master_keys (
    id text constraint master_keys_pkey primary key constraint master_keys_id_form check (id ~ '^[0-9a-f]{16}$'),
    known_since timestamptz not null
);
comment on table master_keys is 'The names of the master keys that wrap data keys; the keys themselves are with the servers.';

create table data_keys (
    id uuid constraint data_keys_pkey primary key,
    matter_id uuid,
    master text not null constraint data_keys_master_fkey references master_keys,
    wrapped bytea,
    made_at timestamptz not null,
    destroyed_at timestamptz,
    salt uuid not null default gen_random_uuid(),
    constraint data_keys_there_or_destroyed check ((wrapped is null) = (destroyed_at is not null))
);
create index data_keys_of_matter on data_keys (matter_id);
create index data_keys_by_master on data_keys (master, id);
comment on table data_keys is 'The keys that seal. Each has the id of the complaint, or of the case, that it was made for; the one without a matter is the register''s own.';
comment on column data_keys.matter_id is 'The matter that it belongs to now: it follows its complaint into a case.';
comment on column data_keys.wrapped is 'The key, sealed with the master key. Destroyed, with all that it sealed, when the matter is erased.';
comment on column data_keys.salt is 'Random: makes the digest of this row tell nothing of what it holds.';

create function keep_data_key() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'data keys are destroyed, never removed' using errcode = 'restrict_violation';
    end if;
    if (new.id, new.made_at, new.salt) is distinct from (old.id, old.made_at, old.salt)
        or (old.matter_id is null) <> (new.matter_id is null)
        or (old.destroyed_at is not null and (new.destroyed_at, new.wrapped) is distinct from (old.destroyed_at, old.wrapped))
    then
        raise exception 'a data key is what it is, and does not come back' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
comment on function keep_data_key is 'Lets a data key be rewrapped, follow its complaint, and be destroyed for good; nothing else.';
create trigger data_keys_stay before update or delete on data_keys for each row execute function keep_data_key();
create trigger data_keys_never_emptied before truncate on data_keys for each statement execute function refuse_change();

alter table master_keys enable row level security;
create policy master_keys_open on master_keys for select to temwen_server using (true);
create policy master_keys_add on master_keys for insert to temwen_server with check ((select acting_kind()) = 'system');
create policy master_keys_give_up on master_keys for delete to temwen_server using ((select acting_kind()) = 'system');

alter table data_keys enable row level security;
-- A wrapped key opens nothing by itself; still, nobody gets one of a matter that is hidden from them.
create policy data_keys_wall on data_keys for select to temwen_server using (
    (select acting_kind()) is not null and not exists (select from own_walls w where w.matter_id = data_keys.matter_id));
create policy data_keys_make on data_keys for insert to temwen_server with check ((select acting_kind()) is not null);
create policy data_keys_change on data_keys for update to temwen_server using (
    (select acting_kind()) is not null and not exists (select from own_walls w where w.matter_id = data_keys.matter_id));

grant select, insert, delete on master_keys to temwen_server;
grant select, insert, update (matter_id, master, wrapped, destroyed_at) on data_keys to temwen_server;

select remember('data_keys', 'id::text', 'coalesce(matter_id, id)::text');
