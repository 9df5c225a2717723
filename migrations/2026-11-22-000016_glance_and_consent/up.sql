-- A glance over the wall changes nothing, whatever way a table hangs on a matter. Consents in the order in which they came, and what a
-- reveal has to know that whoever asks may not see.

do $$
declare
    tab record;
    free text;
    each text;
begin
    for tab in
        select c.relname as name, array_agg(a.attname::text) as columns from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relrowsecurity
            and c.relname not in ('audit_entries', 'idempotency_keys', 'cases', 'complaints', 'submissions', 'glances')
            and a.attname in ('matter_id', 'case_id', 'complaint_id', 'party_id', 'evidence_id', 'deadline_id')
        group by c.relname
    loop
        free := case
            when 'matter_id' = any (tab.columns) then format('not exists (select from own_glances o where o.matter_id = %I.matter_id)', tab.name)
            when 'party_id' = any (tab.columns) then 'not exists (select from parties p join own_glances o using (matter_id) where p.id = party_id)'
            when 'evidence_id' = any (tab.columns) then 'not exists (select from evidence e
                where e.id = evidence_id and (exists (select from cases c join own_glances o using (matter_id) where c.id = e.case_id)
                    or exists (select from complaints c join own_glances o using (matter_id) where c.id = e.complaint_id)))'
            when 'deadline_id' = any (tab.columns) then 'not exists (select from deadlines d join own_glances o using (matter_id) where d.id = deadline_id)'
            else concat_ws(' and ',
                case when 'case_id' = any (tab.columns) then 'not exists (select from cases c join own_glances o using (matter_id) where c.id = case_id)' end,
                case when 'complaint_id' = any (tab.columns) then 'not exists (select from complaints c join own_glances o using (matter_id) where c.id = complaint_id)' end)
            end;
        for each in
            select distinct p.cmd from pg_policies p where p.tablename = tab.name and p.permissive = 'PERMISSIVE' and p.cmd in ('INSERT', 'UPDATE')
                -- A new key is made with its complaint, before there is anything to look at.
                and not (tab.name = 'data_keys' and p.cmd = 'INSERT')
                and not exists (select from pg_policies r where r.tablename = tab.name and r.cmd = p.cmd and r.permissive = 'RESTRICTIVE'
                    and r.policyname like '%\_by\_glance')
        loop
            execute format('create policy %I on %I as restrictive for %s to temwen_server %s (%s)',
                tab.name || case each when 'INSERT' then '_not_by_glance' else '_not_changed_by_glance' end, tab.name, each,
                case each when 'INSERT' then 'with check' else 'using' end, free);
        end loop;
    end loop;
end
$$;

-- The clocks of several servers do not agree: which word was the last, the database says.
create sequence consents_turn as bigint;
alter table consents add column turn bigint constraint consents_turn_key unique;
alter table consents alter column turn set default nextval('consents_turn');
alter sequence consents_turn owned by consents.turn;
comment on column consents.turn is 'Its place among all words of consent, given by the database; null in rows from before there were turns, which come first.';
drop index consents_of_party;
create index consents_of_party on consents (party_id, turn);
grant usage on sequence consents_turn to temwen_server;
-- Nobody chooses their turn.
revoke insert on consents from temwen_server;
grant insert (id, party_id, purpose, recipient, answer, condition, given_by, assent, how, at, recorded_by, withdraws) on consents to temwen_server;
select remember('consents', 'id::text', 'party_id::text');

alter table reveals drop constraint reveals_lack_known;
alter table reveals add constraint reveals_lack_known check (lack in ('absent', 'conditional', 'refused', 'refused_before'));
-- What was asked before a no is another request than what is asked after it.
drop index reveals_one_waiting;
create unique index reveals_one_waiting on reveals (party_id, asked_by, purpose, lack) where basis = 'second_person' and under is null and decided_at is null;

create function lanes_of_matter(matter uuid) returns table (category text, flags text[])
    stable security definer set search_path = public, pg_temp language sql as
    $$ select c.category, c.flags from cases c where c.matter_id = matter $$;
comment on function lanes_of_matter is 'What the case of a matter is taken for: its complaints are under the same rules, also for whoever sees only those.';

create function refused_afterwards(account uuid) returns boolean
    stable security definer set search_path = public, pg_temp language sql as
    $$ select exists (select from reveals r where r.asked_by = account and r.basis in ('danger', 'legal_order') and not r.approved) $$;
comment on function refused_afterwards is 'Whether a second officer refused to sign what this account was told in danger or on a legal order.';
create index reveals_refused_afterwards on reveals (asked_by) where basis in ('danger', 'legal_order') and not approved;
