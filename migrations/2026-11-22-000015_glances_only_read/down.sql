do $$
declare
    each record;
begin
    for each in select policyname, tablename from pg_policies
        where policyname like '%\_by\_glance' and tablename not in ('proposals', 'deadlines', 'assignments', 'walls', 'wall_liftings', 'notes',
            'case_duties', 'allegations', 'messages')
    loop
        execute format('drop policy %I on %I', each.policyname, each.tablename);
    end loop;
end
$$;
