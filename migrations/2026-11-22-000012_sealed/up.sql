-- What was stored in the clear until now is sealed.
--
-- Beside each column in the clear stands its sealed one; `temwen migrate`, or the server on its own private PostgreSQL, moves what is there
-- from one to the other, a few rows at a time. After that the columns in the clear hold nothing, for good.

alter table submissions
    alter column narrative drop not null, alter column particulars drop not null, alter column salt drop not null, alter column salt drop default,
    add column narrative_sealed bytea, add column particulars_sealed bytea, add column identities_sealed bytea, add column salt_sealed bytea,
    add constraint submissions_sealed_whole check (
        (narrative_sealed is null) = (narrative is not null) and (particulars_sealed is null) = (particulars is not null)
        and (salt_sealed is null) = (salt is not null) and (narrative is null) = (particulars is null) and (narrative is null) = (salt is null)
        and (narrative is not null or identities is null));
comment on column submissions.narrative is 'Empty: see narrative_sealed. Until it was sealed, the words in the clear.';
comment on column submissions.salt is 'Empty: see salt_sealed.';
comment on column submissions.narrative_sealed is 'What happened, in the reporter''s words, sealed with the complaint''s data key.';
comment on column submissions.salt_sealed is 'With it, and with the words, anybody can see that the entry in the log means them. It is destroyed together with them.';

alter table messages alter column text drop not null, add column text_sealed bytea,
    add constraint messages_sealed_whole check ((text is null) <> (text_sealed is null));
alter table notes alter column text drop not null, add column text_sealed bytea,
    add constraint notes_sealed_whole check ((text is null) <> (text_sealed is null));
alter table proposals alter column reason drop not null, add column reason_sealed bytea, add column decision_reason_sealed bytea,
    add constraint proposals_sealed_whole check ((reason is null) <> (reason_sealed is null) and (decision_reason is null or decision_reason_sealed is null));
alter table deadline_pauses alter column reason drop not null, add column reason_sealed bytea,
    add constraint deadline_pauses_sealed_whole check ((reason is null) <> (reason_sealed is null));
alter table walls alter column reason drop not null, add column reason_sealed bytea,
    add constraint walls_sealed_whole check (reason is null or reason_sealed is null);
alter table allegations add column told_sealed bytea;
comment on column allegations.told_sealed is 'What the source said of it, sealed: JSON of reported_as, subject_ref, subject_unit, subject_rank, finding and discipline, which are empty.';
-- A first answer may hold somebody's words. They are sealed with the register's own key; who repeats a request gets it opened.
alter table idempotency_keys alter column body drop not null, add column body_sealed bytea,
    add constraint idempotency_keys_sealed_whole check ((body is null) <> (body_sealed is null));

-- What is written once may be sealed once, and is otherwise as it was.
create function seal_once() returns trigger language plpgsql as $$
declare
    sealed text;
    now_clear jsonb := to_jsonb(new);
    was_clear jsonb := to_jsonb(old);
begin
    if tg_op = 'UPDATE' then
        foreach sealed in array tg_argv loop
            if was_clear -> sealed <> 'null' and now_clear -> sealed = 'null' and now_clear -> (sealed || '_sealed') <> 'null'
                and was_clear -> (sealed || '_sealed') = 'null' then
                was_clear := was_clear - sealed - (sealed || '_sealed');
                now_clear := now_clear - sealed - (sealed || '_sealed');
            end if;
        end loop;
        if was_clear = now_clear and was_clear <> to_jsonb(old) then
            return new;
        end if;
    end if;
    raise exception 'rows of % are never changed or removed', tg_table_name using errcode = 'restrict_violation';
end
$$;
comment on function seal_once is 'Lets the columns that are named move, once, from the clear into their sealed column; refuses all else.';

drop trigger submissions_stay on submissions;
create trigger submissions_stay before update or delete on submissions for each row execute function seal_once('narrative', 'particulars', 'identities', 'salt');
drop trigger messages_stay on messages;
create trigger messages_stay before update or delete on messages for each row execute function seal_once('text');
drop trigger notes_stay on notes;
create trigger notes_stay before update or delete on notes for each row execute function seal_once('text');
drop trigger walls_stay on walls;
create trigger walls_stay before update or delete on walls for each row execute function seal_once('reason');

-- Only the owner of the tables seals what is there; the server writes only what is sealed.
grant update (decision_reason_sealed) on proposals to temwen_server;
revoke update (decision_reason) on proposals from temwen_server;

select remember('submissions', 'complaint_id::text', 'complaint_id::text');
select remember('messages', 'id::text', 'complaint_id::text');
select remember('notes', 'id::text', 'case_id::text');
select remember('proposals', 'id::text', 'coalesce(case_id, complaint_id)::text');
select remember('deadline_pauses', 'id::text', 'deadline_id::text');
select remember('walls', 'user_id || ''/'' || matter_id', 'matter_id::text');
select remember('allegations', 'id::text', 'case_id::text');
