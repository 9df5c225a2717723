drop index reveals_refused_afterwards;
drop function refused_afterwards(uuid), lanes_of_matter(uuid);
drop index reveals_one_waiting;
create index reveals_one_waiting on reveals (party_id, asked_by, purpose) where basis = 'second_person' and under is null and decided_at is null;
alter table reveals drop constraint reveals_lack_known;
alter table reveals add constraint reveals_lack_known check (lack in ('absent', 'conditional')) not valid;
revoke insert (id, party_id, purpose, recipient, answer, condition, given_by, assent, how, at, recorded_by, withdraws) on consents from temwen_server;
grant insert on consents to temwen_server;
drop index consents_of_party;
alter table consents drop column turn;
create index consents_of_party on consents (party_id, at, id);
select remember('consents', 'id::text', 'party_id::text');

do $$
declare
    each record;
begin
    for each in select policyname, tablename from pg_policies
        where policyname like '%\_by\_glance' and (tablename in ('evidence_segments', 'custody_events', 'deadline_pauses', 'data_keys')
            or (policyname like '%\_not\_changed\_by\_glance' and tablename in ('deadlines', 'walls', 'wall_liftings', 'notes', 'case_duties',
                'allegations', 'messages')))
    loop
        execute format('drop policy %I on %I', each.policyname, each.tablename);
    end loop;
end
$$;
