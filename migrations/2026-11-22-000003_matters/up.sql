-- Complaints, cases and the wall around them.
--
-- A matter is a complaint and the case that grew from it: they share one matter_id, and walls are put around it.
-- Who acts, and the scope that the policy page gives them, is told to Postgres at the start of every transaction
-- by act(); the policies below read nothing else. Whoever forgets to call act() sees nothing.

create table cases (
    id uuid constraint cases_pkey primary key,
    number text not null constraint cases_number_key unique constraint cases_number_form check (number ~ '^[A-Z]{2,8}-[0-9]{4}-[0-9]{6,}$'),
    matter_id uuid not null constraint cases_matter_key unique,
    stage text not null constraint cases_stage_known check (stage in (
        'assessment', 'awaiting_information', 'informal_resolution', 'state_notified', 'national_investigation',
        'mission_investigation', 'ohchr_investigation', 'joint_investigation', 'suspended', 'report_submitted',
        'determination', 'action_pending', 'review', 'referred_out', 'closed')),
    stage_before text,
    category text not null,
    priority text not null,
    flags text[] not null default '{}',
    child boolean not null generated always as ('child' = any (flags)) stored,
    country text constraint cases_country_code check (country ~ '^[A-Z]{2}$'),
    department text,
    owner_role text not null,
    owner_id uuid constraint cases_owner_fkey references users,
    referred_country text constraint cases_referred_country_code check (referred_country ~ '^[A-Z]{2}$'),
    opened_by uuid constraint cases_opened_by_fkey references users,
    opened_at timestamptz not null,
    closed_at timestamptz,
    closure_reason text,
    outcome text,
    policy text not null,
    external_ref text constraint cases_external_ref_key unique,
    updated_at timestamptz not null,
    version integer not null default 1,
    constraint cases_suspended_knows_where_from check ((stage = 'suspended') = (stage_before is not null)),
    constraint cases_closed_has_time check ((stage in ('closed', 'referred_out')) = (closed_at is not null))
);
comment on table cases is 'What somebody works on. Stage, category and owner change only by named operations.';
comment on column cases.owner_role is 'The desk that answers for it; never null, so no case is without an owner. owner_id names the person.';
comment on column cases.policy is 'Id and version of the policy file under which it was opened.';
comment on column cases.outcome is 'The finding that an imported case came with, in our vocabulary.';
-- One index per filter that a queue is read by, each ending in the order of the list.
create index cases_by_time on cases (opened_at desc, id desc);
create index cases_by_stage on cases (stage, opened_at desc, id desc);
create index cases_by_category on cases (category, opened_at desc, id desc);
create index cases_by_department on cases (department, opened_at desc, id desc);
create index cases_by_country on cases (country, opened_at desc, id desc);
create index cases_before_panel on cases (opened_at desc, id desc) where stage in ('determination', 'action_pending', 'review');
create index cases_with_child on cases (opened_at desc, id desc) where child;
create index cases_by_owner on cases (owner_id, opened_at desc, id desc);
create index cases_referred on cases (referred_country, opened_at desc, id desc) where referred_country is not null;

create table case_numbers (
    year integer constraint case_numbers_pkey primary key,
    last integer not null constraint case_numbers_last_positive check (last > 0)
);
comment on table case_numbers is 'The last number given in each year. Taken in the transaction that opens the case, so there is no gap.';

create table complaints (
    id uuid constraint complaints_pkey primary key,
    reference text not null constraint complaints_reference_key unique,
    matter_id uuid not null,
    case_id uuid constraint complaints_case_fkey references cases,
    submission_id uuid not null constraint complaints_submission_key unique,
    submission_digest bytea not null,
    access_code_digest bytea,
    channel text not null,
    language text not null,
    reported_category text,
    category text not null,
    priority text not null,
    flags text[] not null default '{}',
    child boolean not null generated always as ('child' = any (flags)) stored,
    department text,
    country text,
    incident_from date,
    incident_precision text not null constraint complaints_precision_known check (incident_precision in ('day', 'month', 'year', 'unknown')),
    anonymity text not null,
    status text not null constraint complaints_status_known
        check (status in ('received', 'acknowledged', 'in_case', 'referred_out', 'closed')),
    captured_at timestamptz,
    received_at timestamptz not null,
    clock_start timestamptz not null,
    acknowledged_at timestamptz,
    assessed_at timestamptz,
    submitted_by uuid constraint complaints_submitted_by_fkey references users,
    owner_role text not null,
    owner_id uuid constraint complaints_owner_fkey references users,
    policy text not null,
    external_ref text constraint complaints_external_ref_key unique,
    version integer not null default 1,
    constraint complaints_case_when_in_case check ((status = 'in_case') = (case_id is not null))
);
comment on table complaints is 'How a complaint is handled. What its author said stands apart, in submissions.';
comment on column complaints.submission_id is 'Made by the client, or for it: the same one is never stored twice.';
comment on column complaints.submission_digest is 'Keyed digest of the whole submission, to tell a repetition from another text.';
comment on column complaints.access_code_digest is 'SHA-256 of the access code (100 random bits). Null for imported complaints, which have no reporter''s thread.';
comment on column complaints.clock_start is 'When the mission''s clocks began: captured_at of a focal point where plausible, otherwise received_at.';
create index complaints_by_time on complaints (received_at desc, id desc);
create index complaints_by_status on complaints (status, received_at desc, id desc);
create index complaints_by_category on complaints (category, received_at desc, id desc);
create index complaints_by_channel on complaints (channel, received_at desc, id desc);
create index complaints_by_department on complaints (department, received_at desc, id desc);
create index complaints_unjudged on complaints (received_at desc, id desc) where status in ('received', 'acknowledged');
create index complaints_with_child on complaints (received_at desc, id desc) where child;
create index complaints_submitted on complaints (submitted_by, received_at desc, id desc) where submitted_by is not null;
create index complaints_of_matter on complaints (matter_id);
create index complaints_of_case on complaints (case_id, received_at, id) where case_id is not null;

create table submissions (
    complaint_id uuid constraint submissions_pkey primary key constraint submissions_complaint_fkey references complaints,
    narrative text not null,
    particulars text not null,
    identities text
);
comment on table submissions is 'What was handed in, word for word. Written once.';
comment on column submissions.particulars is 'JSON: all that was said besides the narrative, without anybody''s name or contact.';
comment on column submissions.identities is 'JSON: names, contacts and service numbers, apart from the rest.';
create trigger submissions_stay before update or delete on submissions for each row execute function refuse_change();
create trigger submissions_are_never_emptied before truncate on submissions for each statement execute function refuse_change();

create function keep_what_was_submitted() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.id, new.reference, new.submission_id, new.submission_digest, new.access_code_digest, new.channel,
            new.language, new.reported_category, new.department, new.country, new.incident_from, new.incident_precision, new.anonymity,
            new.captured_at, new.received_at, new.clock_start, new.submitted_by, new.policy, new.external_ref)
        is distinct from (old.id, old.reference, old.submission_id, old.submission_digest, old.access_code_digest, old.channel,
            old.language, old.reported_category, old.department, old.country, old.incident_from, old.incident_precision, old.anonymity,
            old.captured_at, old.received_at, old.clock_start, old.submitted_by, old.policy, old.external_ref)
    then
        raise exception 'what was submitted never changes' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger complaints_keep_what_was_submitted before update or delete on complaints
    for each row execute function keep_what_was_submitted();
create trigger complaints_are_never_emptied before truncate on complaints for each statement execute function refuse_change();
create trigger cases_are_never_deleted before delete on cases for each row execute function refuse_change();
create trigger cases_are_never_emptied before truncate on cases for each statement execute function refuse_change();

create table walls (
    user_id uuid not null constraint walls_user_fkey references users,
    matter_id uuid not null,
    kind text not null constraint walls_kind_known check (kind in ('wall', 'recusal')),
    reason text not null,
    put_up_by uuid not null constraint walls_put_up_by_fkey references users,
    put_up_at timestamptz not null,
    constraint walls_pkey primary key (user_id, matter_id)
);
create index walls_of_matter on walls (matter_id);
comment on table walls is 'For this account, this matter does not exist. Beats every role.';
create trigger walls_stay before update or delete on walls for each row execute function refuse_change();

create table assignments (
    id uuid constraint assignments_pkey primary key,
    case_id uuid not null constraint assignments_case_fkey references cases,
    matter_id uuid not null,
    user_id uuid not null constraint assignments_user_fkey references users,
    role text not null,
    assigned_by uuid not null constraint assignments_assigned_by_fkey references users,
    assigned_at timestamptz not null,
    ended_at timestamptz
);
create unique index assignments_one_at_a_time on assignments (case_id, user_id) where ended_at is null;
create index assignments_of_user on assignments (user_id, matter_id) where ended_at is null;
comment on table assignments is 'Who works on which case, since when and until when. An ended assignment stays.';

create table case_duties (
    case_id uuid not null constraint case_duties_case_fkey references cases,
    user_id uuid not null constraint case_duties_user_fkey references users,
    duty text not null constraint case_duties_duty_known check (duty in ('triage', 'investigation', 'determination', 'review')),
    since timestamptz not null,
    constraint case_duties_one_per_person primary key (case_id, user_id)
);
comment on table case_duties is 'One person never has two of triage, investigation, determination and review in one case: the key forbids it.';

-- Who acts ---------------------------------------------------------------------------------------------------

create function act(
    kind text, actor text, user_id uuid, session_id uuid, rights integer,
    scope text, categories text, country text, complaint_id uuid, at timestamptz
) returns boolean language plpgsql as $$
declare
    alive boolean := true;
begin
    if kind = 'user' then
        select true into alive from sessions s join users u on u.id = s.user_id
        where s.id = act.session_id and s.user_id = act.user_id and s.ended_at is null and s.expires_at > act.at
            and u.deactivated_at is null and u.rights_version = act.rights;
        alive := coalesce(alive, false);
    end if;
    if alive then
        perform set_config('temwen.kind', kind, true), set_config('temwen.actor', act.actor, true),
            set_config('temwen.user_id', coalesce(act.user_id::text, ''), true),
            set_config('temwen.scope', act.scope, true), set_config('temwen.categories', act.categories, true),
            set_config('temwen.country', act.country, true),
            set_config('temwen.complaint', coalesce(act.complaint_id::text, ''), true), set_config('temwen.matter', '', true);
    else
        perform set_config('temwen.kind', '', true), set_config('temwen.actor', '', true), set_config('temwen.user_id', '', true),
            set_config('temwen.scope', '', true), set_config('temwen.categories', '{}', true),
            set_config('temwen.country', '', true), set_config('temwen.complaint', '', true), set_config('temwen.matter', '', true);
    end if;
    return alive;
end
$$;
comment on function act is 'Tells this transaction who acts and what they may know of. False, and nothing to be seen, when the session is over.';

create function acting_kind() returns text stable language sql as $$ select nullif(current_setting('temwen.kind', true), '') $$;
create function acting_as() returns text stable language sql as $$ select nullif(current_setting('temwen.actor', true), '') $$;
create function acting_user() returns uuid stable language sql as $$ select nullif(current_setting('temwen.user_id', true), '')::uuid $$;
create function acting_country() returns text stable language sql as $$ select nullif(current_setting('temwen.country', true), '') $$;
create function acting_complaint() returns uuid stable language sql as $$ select nullif(current_setting('temwen.complaint', true), '')::uuid $$;
create function acting_matter() returns uuid stable language sql as $$ select nullif(current_setting('temwen.matter', true), '')::uuid $$;
comment on function acting_matter is 'The matter locked by this transaction after it was seen: it stays in sight although the change may take it out of scope.';
create function acting_categories() returns text[] stable language sql as
    $$ select coalesce(nullif(current_setting('temwen.categories', true), ''), '{}')::text[] $$;
create function sees(what text) returns boolean stable language sql as
    $$ select position(',' || what || ',' in coalesce(current_setting('temwen.scope', true), '')) > 0 $$;
comment on function sees is 'Whether the acting scope holds this word.';

-- The two below read tables that are themselves behind the wall, so they do it as their owner; they tell each caller
-- only of itself. Views rather than functions: Postgres then plans them where they stand, one look into an index for one
-- case, one hash table for a whole list.
create view own_walls with (security_barrier) as select matter_id from walls where user_id = acting_user();
create view own_assignments with (security_barrier) as
    select matter_id from assignments where user_id = acting_user() and ended_at is null;
comment on view own_walls is 'The matters that do not exist for whoever acts.';
comment on view own_assignments is 'The matters that whoever acts works on.';
grant select on own_walls, own_assignments to temwen_server;

-- A repeated submission must find the first one although nobody without an account may read complaints. Whoever
-- asks must know its random id; the answer holds no text.
create function submitted_before(id uuid) returns table (
    complaint_id uuid, reference text, submission_digest bytea, access_code_digest bytea, received_at timestamptz,
    clock_start timestamptz, language text, hidden boolean
) stable security definer set search_path = public, pg_temp language sql as
    $$ select c.id, c.reference, c.submission_digest, c.access_code_digest, c.received_at, c.clock_start, c.language,
           exists (select from own_walls w where w.matter_id = c.matter_id) or (c.submitted_by is not null and c.submitted_by is distinct from acting_user())
       from complaints c where c.submission_id = submitted_before.id $$;
comment on function submitted_before is 'The complaint of a submission, for whoever knows the submission''s random id. Holds no text; says whether it is hidden from who asks.';

-- The reporter has no account: reference and code are their credentials.
create function complaint_for_code(reference text, digest bytea) returns uuid
    stable security definer set search_path = public, pg_temp language sql as
    $$ select c.id from complaints c
       where c.reference = complaint_for_code.reference and c.access_code_digest = complaint_for_code.digest $$;
comment on function complaint_for_code is 'The complaint that a reference and an access code open.';

-- The wall ---------------------------------------------------------------------------------------------------

alter table cases enable row level security;
create policy cases_wall on cases for select to temwen_server using (
    not exists (select from own_walls w where w.matter_id = cases.matter_id)
    and (
        (select sees('everything'))
        or matter_id = (select acting_matter())
        or category = any ((select acting_categories())::text[])
        or (child and (select sees('child')))
        or ((select sees('assigned')) and exists (select from own_assignments a where a.matter_id = cases.matter_id))
        or referred_country = (select acting_country())
        or ((select sees('panel')) and stage in ('determination', 'action_pending', 'review'))
        or ((select sees('command')) and stage = 'action_pending')
    )
);
create policy cases_open on cases for insert to temwen_server with check ((select acting_kind()) in ('user', 'system'));

alter table complaints enable row level security;
create policy complaints_wall on complaints for select to temwen_server using (
    not exists (select from own_walls w where w.matter_id = complaints.matter_id)
    and (
        (select sees('everything'))
        or id = (select acting_complaint())
        or matter_id = (select acting_matter())
        or category = any ((select acting_categories())::text[])
        or (child and (select sees('child')))
        or ((select sees('new')) and status in ('received', 'acknowledged'))
        or ((select sees('own')) and submitted_by = (select acting_user()))
        or ((select sees('assigned_complaints')) and exists (select from own_assignments a where a.matter_id = complaints.matter_id))
    )
);
create policy complaints_submit on complaints for insert to temwen_server with check ((select acting_kind()) is not null);

alter table submissions enable row level security;
create policy submissions_wall on submissions for select to temwen_server
    using (exists (select from complaints c where c.id = complaint_id));
create policy submissions_submit on submissions for insert to temwen_server with check ((select acting_kind()) is not null);

alter table walls enable row level security;
create policy walls_wall on walls for select to temwen_server using (
    exists (select from cases c where c.matter_id = walls.matter_id)
    or exists (select from complaints c where c.matter_id = walls.matter_id)
);
create policy walls_put_up on walls for insert to temwen_server with check (put_up_by = (select acting_user()));

alter table assignments enable row level security;
create policy assignments_wall on assignments for select to temwen_server using (exists (select from cases c where c.id = case_id));
create policy assignments_assign on assignments for insert to temwen_server
    with check (assigned_by = (select acting_user()) and exists (select from cases c where c.id = case_id));

alter table case_duties enable row level security;
create policy case_duties_wall on case_duties for select to temwen_server using (exists (select from cases c where c.id = case_id));
create policy case_duties_take on case_duties for insert to temwen_server with check (exists (select from cases c where c.id = case_id));

alter table idempotency_keys enable row level security;
-- A matter has the id of its first complaint, so that an answer is found again after that complaint joined another matter.
create policy idempotency_keys_wall on idempotency_keys for select to temwen_server using (
    (actor = (select acting_as()) and (matter_id is null
        or exists (select from cases c where c.matter_id = idempotency_keys.matter_id)
        or exists (select from complaints c where c.matter_id = idempotency_keys.matter_id or c.id = idempotency_keys.matter_id)))
    -- What is past its day is found by the step that forgets it, and by nobody else.
    or ((select acting_kind()) = 'system' and created_at < now() - interval '1 day')
);
create policy idempotency_keys_keep on idempotency_keys for insert to temwen_server with check (actor = (select acting_as()));
create policy idempotency_keys_forget on idempotency_keys for delete to temwen_server using ((select acting_kind()) = 'system');

-- Whoever may not see a row may not change it either. Postgres applies the policies of reading to an update only where the
-- update reads something, so what they say is said again.
do $$
declare
    wall text;
    each record;
begin
    for each in select * from (values ('cases'), ('complaints'), ('assignments')) as given (tab) loop
        select qual into strict wall from pg_policies where tablename = each.tab and policyname = each.tab || '_wall';
        execute format('create policy %I on %I for update to temwen_server using (%s) with check ((select acting_kind()) is not null)',
            each.tab || '_change', each.tab, wall);
    end loop;
end
$$;

-- An entry names whoever acts, and nobody else: the server itself cannot write one in another's name.
alter table audit_entries enable row level security;
create policy audit_entries_wall on audit_entries for select to temwen_server using (
    (select acting_kind()) = 'system'
    or (matter_id is not null and (
        exists (select from cases c where c.matter_id = audit_entries.matter_id)
        or exists (select from complaints c where c.id = audit_entries.object_id and audit_entries.object_kind = 'complaint')))
);
create policy audit_entries_append on audit_entries for insert to temwen_server
    with check (actor_kind = (select acting_kind()) and actor = (select acting_as()));

grant select, insert on cases, complaints, submissions, walls, assignments, case_duties, case_numbers to temwen_server;
grant update (stage, stage_before, category, priority, flags, owner_role, owner_id, referred_country, closed_at, closure_reason,
    updated_at, version) on cases to temwen_server;
grant update (matter_id, case_id, category, priority, flags, status, acknowledged_at, assessed_at, owner_role, owner_id, version)
    on complaints to temwen_server;
grant update (ended_at) on assignments to temwen_server;
grant update (last) on case_numbers to temwen_server;
