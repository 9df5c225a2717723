-- What was erased stays erased, and nothing would say any more by whom.
do $$
begin
    if exists (select from erasures where approved) then
        raise exception 'matters were erased; their record cannot be undone' using errcode = 'restrict_violation';
    end if;
end
$$;

drop trigger data_keys_erased_by_two on data_keys;
drop function erase_by_two();
alter table data_keys reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
drop table erasures, legal_holds;
drop function erasures_noted(), legal_holds_noted(), end_of_service(uuid), forget_first_answers(uuid);
drop index cases_over, complaints_over;
