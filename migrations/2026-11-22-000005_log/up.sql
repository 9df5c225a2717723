-- The record that cannot be buried: each entry says what the rows it changed look like now, and becomes a leaf of a
-- Merkle tree whose signed heads outsiders keep.

-- What a row looks like ------------------------------------------------------------------------------------------
--
-- A remembered table has a salt in every row, so that nobody can guess a row's content from its digest, and triggers that
-- note, for each row that a statement touched, the SHA-256 of its canonical form (RFC 8785; columns without a value are left
-- out, so that a column added later leaves the digests of older rows as they were). What was noted goes into the entries of
-- the same transaction. A change made behind the server's back notes nothing, and so differs from the last entry for ever.

create function canonical(value jsonb) returns text immutable strict language sql as $$
    select case jsonb_typeof(value)
        when 'object' then '{' || coalesce((select string_agg(to_json(key)::text || ':' || canonical(member), ',' order by key collate "C")
            from jsonb_each(value) as each (key, member) where jsonb_typeof(member) <> 'null'), '') || '}'
        when 'array' then '[' || coalesce((select string_agg(canonical(element), ',' order by place)
            from jsonb_array_elements(value) with ordinality as each (element, place)), '') || ']'
        else value::text end
$$;
comment on function canonical is 'The canonical form (RFC 8785) of JSON whose numbers are whole and whose keys are ASCII, members without a value left out.';

create function remember(tab text, key text, about text) returns void language plpgsql as $remember$
declare
    columns text;
    op record;
begin
    select string_agg(case when atttypid = 'jsonb'::regtype then format('canonical(%1$I)::json as %1$I', attname) else quote_ident(attname) end,
            ', ' order by attname collate "C")
    into strict columns from pg_attribute where attrelid = tab::regclass and attnum > 0 and not attisdropped;
    execute format($format$
        create or replace function %1$I() returns trigger language plpgsql as $body$
        begin
            perform set_config('temwen.changes', coalesce(current_setting('temwen.changes', true), '') || coalesce(
                (select string_agg(%2$s || ' %3$s ' || %4$s || ' '
                    || encode(sha256(convert_to(json_strip_nulls(row_to_json(state))::text, 'UTF8')), 'hex') || E'\n', '')
                from (select %5$s from changed) as state), ''), true);
            return null;
        end
        $body$ $format$, tab || '_noted', about, tab, key, columns);
    execute format('comment on function %I is %L', tab || '_noted', 'Notes what the rows of ' || tab || ' look like that a statement touched.');
    execute format('create or replace trigger %1$I after insert on %2$I referencing new table as changed for each statement execute function %3$I()',
        tab || '_note_insert', tab, tab || '_noted');
    execute format('create or replace trigger %1$I after update on %2$I referencing new table as changed for each statement execute function %3$I()',
        tab || '_note_update', tab, tab || '_noted');
end
$remember$;
comment on function remember is 'Has the states of a table''s rows noted; `key` names a row, `about` the object whose entry takes the note. To be called again when a column was added.';

create function entry_changes(objects uuid[]) returns table (ordinal bigint, changes text[]) language plpgsql stable as $$
declare
    noted text := rtrim(coalesce(current_setting('temwen.changes', true), ''), E'\n');
begin
    if noted = '' then
        return;
    elsif cardinality(objects) = 1 then
        return query select 1::bigint, array(select substr(line, 38) from string_to_table(noted, E'\n') as line);
    else
        return query
            select coalesce(first.ordinal, 1), array_agg(substr(line, 38) order by place)
            from string_to_table(noted, E'\n') with ordinality as noted_lines (line, place)
            left join (select id, min(o.ordinal) as ordinal from unnest(objects) with ordinality as o (id, ordinal) group by id) as first
                on first.id = left(line, 36)::uuid
            group by 1;
    end if;
end
$$;
comment on function entry_changes is 'What this transaction noted, shared out: each note goes to the first entry about its object, and the rest to the first of all.';

-- Entries ----------------------------------------------------------------------------------------------------------

alter table audit_entries
    add column salt uuid not null default gen_random_uuid(),
    add column seal bytea constraint audit_entries_seal_whole check (octet_length(seal) = 32),
    add column changes text[] not null default '{}' constraint audit_entries_fit_a_leaf check (cardinality(changes) <= 250);
comment on column audit_entries.salt is 'Random: makes the leaf hash tell nothing to whoever does not hold the entry.';
comment on column audit_entries.seal is 'HMAC-SHA-256 under a key that the database does not hold: an entry that the server did not write has none. Null before the log began.';
comment on column audit_entries.changes is 'Table, key and SHA-256 of the canonical form (RFC 8785) of each row that was changed, as it is then.';

create index audit_entries_by_actor on audit_entries (actor, at, id);
create index audit_entries_by_action on audit_entries (action, at, id);

-- Auditors see every entry but those of matters that are hidden from them.
drop policy audit_entries_wall on audit_entries;
create policy audit_entries_wall on audit_entries for select to temwen_server using (
    (select acting_kind()) = 'system'
    or (matter_id is not null and (
        exists (select from cases c where c.matter_id = audit_entries.matter_id)
        or exists (select from complaints c where c.id = audit_entries.object_id and audit_entries.object_kind = 'complaint')))
    or ((select sees('audit')) and not exists (
        select from own_walls w where w.matter_id = audit_entries.matter_id or w.matter_id = audit_entries.object_id))
);

-- The log ----------------------------------------------------------------------------------------------------------

create table log_queue (
    entry_id uuid constraint log_queue_pkey primary key,
    turn bigint generated always as identity constraint log_queue_turn_key unique
);
comment on table log_queue is 'Entries that have no place in the log yet; written in their own transaction, emptied by the sequencer.';
comment on column log_queue.turn is 'Drawn while the rows that the entry tells of are still locked: of two entries about one row, the later change has the later turn, whatever the clocks say.';
alter table log_queue set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

create table log_places (
    place bigint constraint log_places_pkey primary key constraint log_places_from_zero check (place >= 0),
    entry_id uuid not null constraint log_places_entry_key unique
);
comment on table log_places is 'Which entry is which leaf of the log, from 0, without gaps.';

create table log_tiles (
    level smallint not null,
    index bigint not null,
    hashes bytea not null constraint log_tiles_whole_hashes check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0),
    constraint log_tiles_pkey primary key (level, index)
);
comment on table log_tiles is 'Hashes of the log''s tree, up to 256 a row (c2sp.org/tlog-tiles). A row grows to the right until it is full.';
alter table log_tiles alter column hashes set storage external;

create table log_heads (
    size bigint constraint log_heads_pkey primary key constraint log_heads_of_something check (size > 0),
    root bytea not null constraint log_heads_root_whole check (octet_length(root) = 32),
    at timestamptz not null,
    note text
);
comment on table log_heads is 'Every head of the log that was made durable. It is signed after that, never before, so that no other tree of this size can ever be signed.';
comment on column log_heads.note is 'The signed checkpoint (c2sp.org/tlog-checkpoint).';
create index log_heads_signed on log_heads (size desc) where note is not null;

create table log_cosignatures (
    size bigint not null constraint log_cosignatures_head_fkey references log_heads,
    witness text not null,
    line text not null,
    at timestamptz not null,
    constraint log_cosignatures_pkey primary key (size, witness)
);
comment on table log_cosignatures is 'What outside witnesses signed under a checkpoint, verified before it was kept (c2sp.org/tlog-cosignature).';
comment on column log_cosignatures.witness is 'The witness''s verifier key.';

create table log_states (
    kind text not null,
    id text collate "C" not null,
    place bigint not null,
    state text not null,
    constraint log_states_pkey primary key (kind, id)
);
comment on table log_states is 'The last state of every remembered row and the place of the entry that says so: an index of the log, checked against it.';

create table log_findings (
    finding text constraint log_findings_pkey primary key,
    found_at timestamptz not null
);
comment on table log_findings is 'What the continual verification found, in ids and words; each is reported once.';

create function refuse_shrinking() returns trigger language plpgsql as $$
begin
    if substr(new.hashes, 1, octet_length(old.hashes)) <> old.hashes or (new.level, new.index) <> (old.level, old.index) then
        raise exception 'a tile of the log only grows' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
comment on function refuse_shrinking is 'Refuses whatever would change a hash of the log.';
create trigger log_tiles_grow before update on log_tiles for each row execute function refuse_shrinking();
create trigger log_tiles_stay before delete on log_tiles for each row execute function refuse_change();

create function sign_once() returns trigger language plpgsql as $$
begin
    if old.note is not null or new.note is null or (new.size, new.root, new.at) is distinct from (old.size, old.root, old.at) then
        raise exception 'a head of the log is signed once and never changed' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
comment on function sign_once is 'Lets a head get its signature, once, and nothing else.';
create trigger log_heads_signed_once before update on log_heads for each row execute function sign_once();
create trigger log_heads_stay before delete on log_heads for each row execute function refuse_change();
create trigger log_places_stay before update or delete on log_places for each row execute function refuse_change();
create trigger log_cosignatures_stay before update or delete on log_cosignatures for each row execute function refuse_change();
create trigger log_findings_stay before update or delete on log_findings for each row execute function refuse_change();
do $$
declare
    tab text;
begin
    foreach tab in array array['log_places', 'log_tiles', 'log_heads', 'log_cosignatures', 'log_findings'] loop
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()', tab || '_never_emptied', tab);
    end loop;
end
$$;

-- Heads and tiles tell nothing to whoever holds no entry: everybody may read them. All else is the sequencer's own.
alter table log_queue enable row level security;
create policy log_queue_wall on log_queue for select to temwen_server using ((select acting_kind()) = 'system');
create policy log_queue_put on log_queue for insert to temwen_server with check ((select acting_kind()) is not null);
create policy log_queue_take on log_queue for delete to temwen_server using ((select acting_kind()) = 'system');
alter table log_places enable row level security;
create policy log_places_wall on log_places for select to temwen_server using (
    (select acting_kind()) = 'system' or exists (select from audit_entries e where e.id = entry_id));
create policy log_places_give on log_places for insert to temwen_server with check ((select acting_kind()) = 'system');
alter table log_tiles enable row level security;
create policy log_tiles_open on log_tiles for select to temwen_server using (true);
create policy log_tiles_add on log_tiles for insert to temwen_server with check ((select acting_kind()) = 'system');
create policy log_tiles_grow on log_tiles for update to temwen_server using ((select acting_kind()) = 'system');
alter table log_heads enable row level security;
create policy log_heads_open on log_heads for select to temwen_server using (true);
create policy log_heads_add on log_heads for insert to temwen_server with check ((select acting_kind()) = 'system');
create policy log_heads_sign on log_heads for update to temwen_server using ((select acting_kind()) = 'system');
alter table log_cosignatures enable row level security;
create policy log_cosignatures_open on log_cosignatures for select to temwen_server using (true);
create policy log_cosignatures_keep on log_cosignatures for insert to temwen_server with check ((select acting_kind()) = 'system');
alter table log_states enable row level security;
create policy log_states_own on log_states to temwen_server using ((select acting_kind()) = 'system') with check ((select acting_kind()) = 'system');
alter table log_findings enable row level security;
create policy log_findings_own on log_findings to temwen_server using ((select acting_kind()) = 'system') with check ((select acting_kind()) = 'system');

grant select, insert, delete on log_queue to temwen_server;
grant select, insert on log_places, log_cosignatures, log_findings to temwen_server;
grant select, insert, update (hashes) on log_tiles to temwen_server;
grant select, insert, update (note) on log_heads to temwen_server;
grant select, insert, update (place, state) on log_states to temwen_server;

-- The commitment to a complaint's words ----------------------------------------------------------------------------
--
-- The entry that registers a complaint holds SHA-256(salt, narrative). The salt is the reporter's to have; destroying it with
-- the words leaves every proof valid and tells nothing of them.

alter table submissions add column salt bytea not null default decode(replace(gen_random_uuid()::text || gen_random_uuid(), '-', ''), 'hex')
    constraint submissions_salt_whole check (octet_length(salt) = 32);
comment on column submissions.salt is 'Random. With it, and with the words, anybody can see that the entry in the log means them.';

-- The remembered tables --------------------------------------------------------------------------------------------

do $$
declare
    tab record;
    line record;
    at timestamptz := clock_timestamp();
begin
    perform set_config('timezone', 'UTC', true);
    for tab in select * from (values
        ('users', 'id::text', 'id::text'),
        ('sessions', 'id::text', 'id::text'),
        ('refresh_tokens', 'encode(digest, ''hex'')', 'session_id::text'),
        ('complaints', 'id::text', 'id::text'),
        ('submissions', 'complaint_id::text', 'complaint_id::text'),
        ('cases', 'id::text', 'id::text'),
        ('case_numbers', 'year::text', '''00000000-0000-0000-0000-000000000000'''),
        ('case_duties', 'case_id || ''/'' || user_id', 'case_id::text'),
        ('walls', 'user_id || ''/'' || matter_id', 'matter_id::text'),
        ('assignments', 'id::text', 'case_id::text'),
        ('deadlines', 'id::text', 'coalesce(case_id, complaint_id)::text'),
        ('deadline_pauses', 'id::text', 'deadline_id::text'),
        ('allegations', 'id::text', 'case_id::text'),
        ('notes', 'id::text', 'case_id::text'),
        ('messages', 'id::text', 'complaint_id::text'),
        ('proposals', 'id::text', 'coalesce(case_id, complaint_id)::text')) as given (name, key, about)
    loop
        if tab.name <> 'submissions' then
            execute format('alter table %I add column salt uuid not null default gen_random_uuid()', tab.name);
            execute format('comment on column %I.salt is %L', tab.name, 'Random: makes the digest of this row tell nothing of what it holds.');
        end if;
        perform remember(tab.name, tab.key, tab.about);
        -- What is there already gets its first state on record, a hundred rows an entry.
        for line in execute format($format$
            select array_agg(noted.line) as changes
            from (select %1$L || ' ' || %2$s || ' ' || encode(sha256(convert_to(json_strip_nulls(row_to_json(state))::text, 'UTF8')), 'hex') as line,
                    row_number() over () / 100 as chunk
                from (select %3$s from %1$I) as state) as noted
            group by chunk $format$,
            tab.name, tab.key,
            (select string_agg(case when atttypid = 'jsonb'::regtype then format('canonical(%1$I)::json as %1$I', attname) else quote_ident(attname) end,
                    ', ' order by attname collate "C")
                from pg_attribute where attrelid = tab.name::regclass and attnum > 0 and not attisdropped))
        loop
            insert into audit_entries (id, at, actor_kind, actor, action, object_kind, object_id, request_id, detail, changes)
            -- Like the ids that the server makes, it begins with the time: what waits is taken in the order of the ids.
            values (overlay(overlay(gen_random_uuid()::text placing '7' from 15)
                    placing regexp_replace(lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0'), '^(.{8})', '\1-') from 1)::uuid, at, 'system', 'migration', 'states.recorded', 'register', '00000000-0000-0000-0000-000000000000',
                'migration', jsonb_build_object('table', tab.name), line.changes);
        end loop;
    end loop;
    insert into log_queue (entry_id) select id from audit_entries order by id;
end
$$;
