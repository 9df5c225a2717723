-- A glance over the wall reads, and adds or changes nothing: of whatever table hangs on a matter.

do $$
declare
    tab record;
    free text;
    each record;
begin
    for tab in
        select c.relname as name, array_agg(a.attname::text) as columns from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relrowsecurity
            and c.relname not in ('audit_entries', 'idempotency_keys', 'data_keys', 'cases', 'complaints', 'submissions', 'glances')
            and a.attname in ('matter_id', 'case_id', 'complaint_id', 'party_id')
            and not exists (select from pg_policies p where p.tablename = c.relname and p.policyname like '%\_by\_glance')
        group by c.relname
    loop
        free := case
            when 'matter_id' = any (tab.columns) then format('not exists (select from own_glances o where o.matter_id = %I.matter_id)', tab.name)
            when 'party_id' = any (tab.columns) then 'not exists (select from parties p join own_glances o using (matter_id) where p.id = party_id)'
            else concat_ws(' and ',
                case when 'case_id' = any (tab.columns) then 'not exists (select from cases c join own_glances o using (matter_id) where c.id = case_id)' end,
                case when 'complaint_id' = any (tab.columns) then 'not exists (select from complaints c join own_glances o using (matter_id) where c.id = complaint_id)' end)
            end;
        for each in
            select distinct cmd from pg_policies where tablename = tab.name and cmd in ('INSERT', 'UPDATE')
        loop
            execute format('create policy %I on %I as restrictive for %s to temwen_server %s (%s)',
                tab.name || case each.cmd when 'INSERT' then '_not_by_glance' else '_not_changed_by_glance' end, tab.name, each.cmd,
                case each.cmd when 'INSERT' then 'with check' else 'using' end, free);
        end loop;
    end loop;
end
$$;
