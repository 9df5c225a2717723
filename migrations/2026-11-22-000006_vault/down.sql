-- What is sealed cannot be put back into the clear by the database, which does not hold the keys.
do $$
begin
    if exists (select from data_keys) then
        raise exception 'something is sealed already; it cannot be undone' using errcode = 'restrict_violation';
    end if;
end
$$;

drop table data_keys, master_keys;
drop function keep_data_key(), data_keys_noted();
