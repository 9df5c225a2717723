-- What hangs on a matter while somebody works on it: clocks, allegations, notes, messages, second signatures.

create table deadlines (
    id uuid constraint deadlines_pkey primary key,
    matter_id uuid not null,
    complaint_id uuid constraint deadlines_complaint_fkey references complaints,
    case_id uuid constraint deadlines_case_fkey references cases,
    code text not null,
    name text not null,
    starts_at timestamptz not null,
    due_at timestamptz not null,
    met_at timestamptz,
    cancelled_at timestamptz,
    paused_at timestamptz,
    tells_reporter boolean not null,
    pausable boolean not null,
    escalation integer not null default 0,
    escalated_to text,
    escalated_at timestamptz,
    next_look_at timestamptz,
    version integer not null default 1,
    constraint deadlines_of_one_thing check ((complaint_id is null) <> (case_id is null)),
    constraint deadlines_escalation_not_negative check (escalation >= 0)
);
create unique index deadlines_once_per_complaint on deadlines (complaint_id, name) where complaint_id is not null and met_at is null and cancelled_at is null;
create unique index deadlines_once_per_case on deadlines (case_id, name) where case_id is not null and met_at is null and cancelled_at is null;
create index deadlines_open on deadlines (due_at, id) where met_at is null and cancelled_at is null;
create index deadlines_to_look_at on deadlines (next_look_at, id) where met_at is null and cancelled_at is null and paused_at is null;
create index deadlines_of_matter on deadlines (matter_id);
comment on table deadlines is 'Time limits of the policy that run for a complaint or a case.';
comment on column deadlines.escalation is 'How many rungs of the ladder it has climbed.';
comment on column deadlines.next_look_at is 'When the next rung of the ladder is due; null when none is left.';

create table deadline_pauses (
    id uuid constraint deadline_pauses_pkey primary key,
    deadline_id uuid not null constraint deadline_pauses_deadline_fkey references deadlines,
    paused_at timestamptz not null,
    paused_by uuid not null constraint deadline_pauses_paused_by_fkey references users,
    reason text not null,
    resumed_at timestamptz,
    resumed_by uuid constraint deadline_pauses_resumed_by_fkey references users
);
create unique index deadline_pauses_one_at_a_time on deadline_pauses (deadline_id) where resumed_at is null;
comment on table deadline_pauses is 'When a time limit rested, on whose word and why.';

-- What a reporter hears of the case that grew from their complaint: its stage, and when they hear next. They see no case.
create function case_for_reporter(id uuid) returns table (stage text, next_update timestamptz)
    stable security definer set search_path = public, pg_temp language sql as
    $$ select k.stage, (
           select min(d.due_at) from deadlines d
           where d.tells_reporter and d.met_at is null and d.cancelled_at is null and (d.complaint_id = c.id or d.case_id = c.case_id))
       from complaints c left join cases k on k.id = c.case_id
       where c.id = case_for_reporter.id and c.id = acting_complaint() $$;
comment on function case_for_reporter is 'How far the case of the acting reporter''s own complaint has come, and when they hear next.';

create table allegations (
    id uuid constraint allegations_pkey primary key,
    case_id uuid not null constraint allegations_case_fkey references cases,
    position integer not null,
    type text,
    reported_as text,
    category text not null,
    subject_ref text,
    subject_unit text,
    subject_rank text,
    finding text,
    outcome text,
    discipline text,
    constraint allegations_position_key unique (case_id, position)
);
comment on table allegations is 'Who is said to have done what. type is of our policy; reported_as is the source''s own word for it.';

create table notes (
    id uuid constraint notes_pkey primary key,
    case_id uuid not null constraint notes_case_fkey references cases,
    author_id uuid not null constraint notes_author_fkey references users,
    text text not null,
    written_at timestamptz not null
);
create index notes_of_case on notes (case_id, written_at, id);
comment on table notes is 'Internal notes on a case. Written once; a correction is another note.';
create trigger notes_stay before update or delete on notes for each row execute function refuse_change();

create table messages (
    id uuid constraint messages_pkey primary key,
    complaint_id uuid not null constraint messages_complaint_fkey references complaints,
    direction text not null constraint messages_direction_known check (direction in ('to_reporter', 'from_reporter')),
    author_id uuid constraint messages_author_fkey references users,
    kind text not null constraint messages_kind_known check (kind in ('message', 'acknowledgement', 'question')),
    text text not null,
    sent_at timestamptz not null,
    constraint messages_author_when_ours check ((direction = 'to_reporter') = (author_id is not null))
);
create index messages_of_complaint on messages (complaint_id, sent_at, id);
comment on table messages is 'The reporter''s thread: what they wrote and what was written to them.';
create trigger messages_stay before update or delete on messages for each row execute function refuse_change();

create table proposals (
    id uuid constraint proposals_pkey primary key,
    matter_id uuid not null,
    complaint_id uuid constraint proposals_complaint_fkey references complaints,
    case_id uuid constraint proposals_case_fkey references cases,
    kind text not null constraint proposals_kind_known check (kind in ('assessment', 'classification', 'transition')),
    payload jsonb not null,
    reason text not null,
    proposed_by uuid not null constraint proposals_proposed_by_fkey references users,
    proposed_at timestamptz not null,
    seen_version integer not null,
    decided_by uuid constraint proposals_decided_by_fkey references users,
    decided_at timestamptz,
    approved boolean,
    decision_reason text,
    version integer not null default 1,
    constraint proposals_of_one_thing check ((complaint_id is null) <> (case_id is null)),
    constraint proposals_second_person check (decided_by <> proposed_by),
    constraint proposals_decided_whole check (
        (decided_at is null) = (approved is null) and (decided_at is null) = (decided_by is null))
);
create unique index proposals_one_open_per_complaint on proposals (complaint_id) where complaint_id is not null and decided_at is null;
create unique index proposals_one_open_per_case on proposals (case_id) where case_id is not null and decided_at is null;
create index proposals_open on proposals (proposed_at, id) where decided_at is null;
comment on table proposals is 'A change that needs a second officer waits here for the second signature.';

alter table deadlines enable row level security;
create policy deadlines_wall on deadlines for select to temwen_server using (
    case when case_id is not null then exists (select from cases c where c.id = case_id)
         else exists (select from complaints c where c.id = complaint_id) end
    -- Whoever it climbed to hears that it is missed, though they may know of nothing else of the matter.
    or (escalated_to is not null and sees('role:' || escalated_to)
        and not exists (select from own_walls w where w.matter_id = deadlines.matter_id))
);
create policy deadlines_start on deadlines for insert to temwen_server with check ((select acting_kind()) is not null);

alter table deadline_pauses enable row level security;
create policy deadline_pauses_wall on deadline_pauses for select to temwen_server
    using (exists (select from deadlines d where d.id = deadline_id));
create policy deadline_pauses_pause on deadline_pauses for insert to temwen_server
    with check (paused_by = (select acting_user()) and exists (select from deadlines d where d.id = deadline_id));

alter table allegations enable row level security;
create policy allegations_wall on allegations for select to temwen_server using (exists (select from cases c where c.id = case_id));
create policy allegations_add on allegations for insert to temwen_server with check (exists (select from cases c where c.id = case_id));

alter table notes enable row level security;
create policy notes_wall on notes for select to temwen_server using (exists (select from cases c where c.id = case_id));
create policy notes_write on notes for insert to temwen_server
    with check (author_id = (select acting_user()) and exists (select from cases c where c.id = case_id));

alter table messages enable row level security;
create policy messages_wall on messages for select to temwen_server using (exists (select from complaints c where c.id = complaint_id));
create policy messages_send on messages for insert to temwen_server with check (
    case when direction = 'to_reporter'
         then author_id = (select acting_user()) and exists (select from complaints c where c.id = complaint_id)
         else complaint_id = (select acting_complaint()) end
);

alter table proposals enable row level security;
create policy proposals_wall on proposals for select to temwen_server using (
    case when case_id is not null then exists (select from cases c where c.id = case_id)
         else exists (select from complaints c where c.id = complaint_id) end
    -- A proposal to join a case tells of that case.
    and (payload ->> 'case' is null or exists (select from cases c where c.id = (payload ->> 'case')::uuid))
);
create policy proposals_propose on proposals for insert to temwen_server with check (
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
        ('deadlines', '(select acting_kind()) is not null'),
        ('deadline_pauses', 'resumed_by = (select acting_user())'),
        ('proposals', 'decided_by = (select acting_user())')) as given (tab, good)
    loop
        select qual into strict wall from pg_policies where tablename = each.tab and policyname = each.tab || '_wall';
        execute format('create policy %I on %I for update to temwen_server using (%s) with check (%s)',
            each.tab || '_change', each.tab, wall, each.good);
    end loop;
end
$$;

grant select, insert on deadlines, deadline_pauses, allegations, notes, messages, proposals to temwen_server;
grant update (matter_id, due_at, met_at, cancelled_at, paused_at, escalation, escalated_to, escalated_at, next_look_at, version)
    on deadlines to temwen_server;
grant update (resumed_at, resumed_by) on deadline_pauses to temwen_server;
grant update (decided_by, decided_at, approved, decision_reason, version) on proposals to temwen_server;
