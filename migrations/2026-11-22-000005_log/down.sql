-- What was signed cannot be taken back: another log after this one would contradict it.
do $$
begin
    if exists (select from log_heads where note is not null) then
        raise exception 'the log has been signed; it cannot be undone' using errcode = 'restrict_violation';
    end if;
end
$$;

do $$
declare
    tab text;
begin
    foreach tab in array array['users', 'sessions', 'refresh_tokens', 'complaints', 'submissions', 'cases', 'case_numbers', 'case_duties', 'walls',
        'assignments', 'deadlines', 'deadline_pauses', 'allegations', 'notes', 'messages', 'proposals']
    loop
        execute format('drop trigger %I on %I', tab || '_note_insert', tab);
        execute format('drop trigger %I on %I', tab || '_note_update', tab);
        execute format('drop function %I()', tab || '_noted');
        execute format('alter table %I drop column salt', tab);
    end loop;
end
$$;
drop table log_states, log_cosignatures, log_heads, log_tiles, log_places, log_queue;
drop function sign_once(), refuse_shrinking();
drop policy audit_entries_wall on audit_entries;
create policy audit_entries_wall on audit_entries for select to temwen_server using (
    (select acting_kind()) = 'system'
    or (matter_id is not null and (
        exists (select from cases c where c.matter_id = audit_entries.matter_id)
        or exists (select from complaints c where c.id = audit_entries.object_id and audit_entries.object_kind = 'complaint')))
);
drop index audit_entries_by_actor, audit_entries_by_action;
drop function entry_changes(uuid[]), remember(text, text, text), digest_of(json);
alter table audit_entries drop constraint audit_entries_at_finite, drop constraint audit_entries_words_short, drop constraint audit_entries_numbers_whole, drop column salt, drop column seal, drop column changes;
drop function canonical(jsonb);
