-- How long a matter's record is kept: legal holds, and erasure by two persons.
--
-- Erasing destroys the data keys of a matter and nothing else: rows, entries, digests and receipts stay as they were, and
-- what was sealed stays as bytes that nobody can read any more.

create table legal_holds (
    id uuid constraint legal_holds_pkey primary key,
    complaint_id uuid constraint legal_holds_complaint_fkey references complaints,
    case_id uuid constraint legal_holds_case_fkey references cases,
    reason bytea not null,
    set_by uuid not null constraint legal_holds_set_by_fkey references users,
    set_at timestamptz not null,
    ended_by uuid constraint legal_holds_ended_by_fkey references users,
    ended_at timestamptz,
    end_reason bytea,
    version integer not null default 1,
    salt uuid not null default gen_random_uuid(),
    constraint legal_holds_of_one_thing check ((complaint_id is null) <> (case_id is null)),
    constraint legal_holds_second_person check (ended_by <> set_by),
    constraint legal_holds_ended_whole check ((ended_at is null) = (ended_by is null) and (ended_at is null) = (end_reason is null))
);
comment on table legal_holds is 'While one of these lasts, nothing of the matter is erased, whatever else says so.';
comment on column legal_holds.complaint_id is 'The complaint that was held before it had a case; it holds the case that the complaint joins, too.';
comment on column legal_holds.reason is 'Sealed with the data key of the matter, as end_reason is.';
comment on column legal_holds.salt is 'Random: makes the digest of this row tell nothing of what it holds.';
create index legal_holds_of_case on legal_holds (case_id) where case_id is not null and ended_at is null;
create index legal_holds_of_complaint on legal_holds (complaint_id) where complaint_id is not null and ended_at is null;
create index legal_holds_by_time on legal_holds (set_at, id);
create index legal_holds_lasting on legal_holds (set_at, id) where ended_at is null;

create table erasures (
    id uuid constraint erasures_pkey primary key,
    matter_id uuid not null,
    complaint_id uuid constraint erasures_complaint_fkey references complaints,
    case_id uuid constraint erasures_case_fkey references cases,
    class text not null,
    due_at timestamptz not null,
    service_ended_on date,
    reason bytea not null,
    proposed_by uuid not null constraint erasures_proposed_by_fkey references users,
    proposed_at timestamptz not null,
    decided_by uuid constraint erasures_decided_by_fkey references users,
    decided_at timestamptz,
    approved boolean,
    decision_reason bytea,
    version integer not null default 1,
    salt uuid not null default gen_random_uuid(),
    constraint erasures_of_one_thing check ((complaint_id is null) <> (case_id is null)),
    constraint erasures_second_person check (decided_by <> proposed_by),
    constraint erasures_when_due check (due_at <= proposed_at),
    constraint erasures_decided_whole check (
        (decided_at is null) = (approved is null) and (decided_at is null) = (decided_by is null) and (decided_at is null) = (decision_reason is null))
);
comment on table erasures is 'An erasure waits here for the second person. Once approved it was carried out, in the same transaction.';
comment on column erasures.matter_id is 'The matter as it was when the erasure was proposed.';
comment on column erasures.class is 'The retention class of the policy that decided when the matter fell due.';
comment on column erasures.service_ended_on is 'When those accused left the mission''s service, on the word of both persons, where the register itself does not know.';
comment on column erasures.reason is 'Sealed with the data key of the matter, as decision_reason is: destroyed with it.';
comment on column erasures.salt is 'Random: makes the digest of this row tell nothing of what it holds.';
create unique index erasures_one_open_per_complaint on erasures (complaint_id) where complaint_id is not null and decided_at is null;
create unique index erasures_one_open_per_case on erasures (case_id) where case_id is not null and decided_at is null;
create index erasures_open on erasures (proposed_at, id) where decided_at is null;
create index erasures_by_time on erasures (proposed_at, id);
create index erasures_done on erasures (matter_id) where approved;

-- What is over and may fall due, those that ended first first.
create index cases_over on cases (closed_at, id) where closed_at is not null;
create index complaints_over on complaints (assessed_at, id) where status in ('referred_out', 'closed');

create function end_of_service(matter uuid) returns timestamptz
    stable security definer set search_path = public, pg_temp language sql as
    $$ select null::timestamptz $$;
comment on function end_of_service is 'When the last of those accused in a matter left the mission''s service; null while one of them serves, or where it is not known.';

-- No key is destroyed but by an erasure that two persons signed in this very transaction, and under no hold. This holds for
-- whoever writes to the database by the server's role, whatever the server may have been talked into.
create function erase_by_two() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.wrapped is null and old.wrapped is not null then
        if not exists (select from erasures e where e.matter_id = old.matter_id and e.approved and e.decided_at = new.destroyed_at
            and e.xmin = pg_current_xact_id()::xid)
        then
            raise exception 'a key is destroyed by an erasure that two persons signed' using errcode = 'restrict_violation';
        end if;
        if exists (select from legal_holds h where h.ended_at is null and (
            h.case_id in (select c.id from cases c where c.matter_id = old.matter_id)
            or h.complaint_id in (select c.id from complaints c where c.matter_id = old.matter_id)))
        then
            raise exception 'the matter is under a legal hold' using errcode = 'restrict_violation';
        end if;
    end if;
    return new;
end
$$;
comment on function erase_by_two is 'Refuses to destroy a data key unless an erasure of its matter was approved in the same transaction and no hold lasts.';
create trigger data_keys_erased_by_two before update on data_keys for each row execute function erase_by_two();

-- A first answer that is still kept may hold somebody's words, under the register's own key.
create function forget_first_answers(matter uuid) returns bigint security definer set search_path = public, pg_temp language sql as $$
    with gone as (
        delete from idempotency_keys a using data_keys k
        where k.matter_id = forget_first_answers.matter and k.destroyed_at is not null
            and (a.matter_id in (k.id, k.matter_id) or a.actor = k.id::text) returning 1)
    select count(*) from gone
$$;
comment on function forget_first_answers is 'Forgets the first answers, of officers and reporters alike, that tell of a matter whose keys are destroyed.';

-- What is left of a destroyed key in the table goes within a minute or so, rather than when a fifth of the table has changed.
alter table data_keys set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);

alter table legal_holds enable row level security;
create policy legal_holds_wall on legal_holds for select to temwen_server using (
    case when case_id is not null then exists (select from cases c where c.id = case_id)
         else exists (select from complaints c where c.id = complaint_id) end
);
create policy legal_holds_set on legal_holds for insert to temwen_server with check (
    set_by = (select acting_user()) and case
        when case_id is not null then exists (select from cases c where c.id = case_id)
        else exists (select from complaints c where c.id = complaint_id) end
);

alter table erasures enable row level security;
create policy erasures_wall on erasures for select to temwen_server using (
    case when case_id is not null then exists (select from cases c where c.id = case_id)
         else exists (select from complaints c where c.id = complaint_id) end
);
create policy erasures_propose on erasures for insert to temwen_server with check (
    proposed_by = (select acting_user()) and case
        when case_id is not null then exists (select from cases c where c.id = case_id)
        else exists (select from complaints c where c.id = complaint_id) end
);

-- As for cases and complaints: whoever may not see a row may not change it either.
do $$
declare
    wall text;
    each record;
begin
    for each in select * from (values
        ('legal_holds', 'ended_by = (select acting_user())'),
        ('erasures', 'decided_by = (select acting_user())')) as given (tab, good)
    loop
        select qual into strict wall from pg_policies where tablename = each.tab and policyname = each.tab || '_wall';
        execute format('create policy %I on %I for update to temwen_server using (%s) with check (%s)',
            each.tab || '_change', each.tab, wall, each.good);
    end loop;
end
$$;

grant select, insert on legal_holds, erasures to temwen_server;
grant update (ended_by, ended_at, end_reason, version) on legal_holds to temwen_server;
grant update (decided_by, decided_at, approved, decision_reason, version) on erasures to temwen_server;

select remember('legal_holds', 'id::text', 'coalesce(case_id, complaint_id)::text');
select remember('erasures', 'id::text', 'coalesce(case_id, complaint_id)::text');
