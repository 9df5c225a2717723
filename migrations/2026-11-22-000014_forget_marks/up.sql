-- Erasure: the marks of a matter go once its keys are gone, and not before.
create function forget_marks(matter uuid) returns bigint security definer set search_path = public, pg_temp language sql as $$
    with gone as (
        delete from party_marks m using parties p where p.id = m.party_id and p.matter_id = matter
            and not exists (select from data_keys k where k.matter_id = matter and k.wrapped is not null)
        returning 1
    )
    select count(*) from gone
$$;
comment on function forget_marks is 'Deletes the marks of the persons of a matter whose data keys are destroyed; how many.';
