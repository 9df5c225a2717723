-- What is sealed cannot be put back into the clear by the database, which does not hold the keys.
do $$
begin
    if exists (select from data_keys) then
        raise exception 'something is sealed already; it cannot be undone' using errcode = 'restrict_violation';
    end if;
end
$$;

do $$
declare
    tab text;
begin
    foreach tab in array array['submissions', 'messages', 'notes', 'walls'] loop
        execute format('drop trigger %I on %I', tab || '_stay', tab);
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()', tab || '_stay', tab);
    end loop;
end
$$;
grant update (decision_reason) on proposals to temwen_server;
alter table submissions drop constraint submissions_sealed_whole, drop column narrative_sealed, drop column particulars_sealed, drop column identities_sealed, drop column salt_sealed,
    alter column narrative set not null, alter column particulars set not null, alter column salt set not null,
    alter column salt set default decode(replace(gen_random_uuid()::text || gen_random_uuid(), '-', ''), 'hex');
alter table messages drop column text_sealed, alter column text set not null;
alter table notes drop column text_sealed, alter column text set not null;
alter table proposals drop column reason_sealed, drop column decision_reason_sealed, alter column reason set not null;
alter table deadline_pauses drop column reason_sealed, alter column reason set not null;
alter table walls drop column reason_sealed, alter column reason set not null;
alter table allegations drop column told_sealed;
alter table idempotency_keys drop column body_sealed, alter column body set not null;
drop function seal_once();
select remember('submissions', 'complaint_id::text', 'complaint_id::text');
select remember('messages', 'id::text', 'complaint_id::text');
select remember('notes', 'id::text', 'case_id::text');
select remember('proposals', 'id::text', 'coalesce(case_id, complaint_id)::text');
select remember('deadline_pauses', 'id::text', 'deadline_id::text');
select remember('walls', 'user_id || ''/'' || matter_id', 'matter_id::text');
select remember('allegations', 'id::text', 'case_id::text');
