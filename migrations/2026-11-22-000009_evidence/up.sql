-- Evidence: files and their chain of custody.
--
-- Bytes are kept elsewhere (a directory or an object store), sealed in chunks under a random key per file; that key, what was
-- said of the file and what was found in it are sealed here under the matter's data key. A file hangs on the case that an
-- officer gave it to, or on the complaint of the reporter who gave it, and follows that complaint wherever it goes.

create table evidence (
    id uuid constraint evidence_pkey primary key,
    case_id uuid constraint evidence_case_fkey references cases,
    complaint_id uuid constraint evidence_complaint_fkey references complaints,
    stage text not null constraint evidence_stage_known
        check (stage in ('arriving', 'kept', 'refused', 'expired', 'given_up', 'forgotten')),
    uploaded_by uuid constraint evidence_uploaded_by_fkey references users,
    key bytea not null,
    given bytea not null,
    known bytea,
    size bigint not null constraint evidence_size_positive check (size > 0),
    arrived bigint not null default 0 constraint evidence_arrived_within check (arrived between 0 and size),
    supersedes uuid constraint evidence_supersedes_fkey references evidence,
    derived_from uuid constraint evidence_derived_from_fkey references evidence,
    begun_at timestamptz not null,
    expires_at timestamptz not null,
    received_at timestamptz,
    checked_at timestamptz,
    damaged_at timestamptz,
    cleared_at timestamptz,
    salt uuid not null default gen_random_uuid(),
    constraint evidence_of_one_thing check ((case_id is null) <> (complaint_id is null)),
    constraint evidence_kept_is_whole check (stage <> 'kept' or (arrived = size and known is not null and received_at is not null))
);
comment on table evidence is 'A file, from its first byte on. It is never replaced: another one supersedes it, and both stay.';
comment on column evidence.key is 'The file''s own random key, sealed under the matter''s data key.';
comment on column evidence.given is 'JSON, sealed: the name, type and hash that whoever gave it said it has.';
comment on column evidence.known is 'JSON, sealed: SHA-256 of its bytes, its type, and what it tells besides what it shows.';
comment on column evidence.arrived is 'How many of its bytes are kept. An upload goes on from here.';
comment on column evidence.checked_at is 'When all its bytes were last read and gave the hash that they came with.';
comment on column evidence.cleared_at is 'When nothing was left in the store that should not be there: nothing at all, unless the file is kept.';
comment on column evidence.salt is 'Random: makes the digest of this row tell nothing of what it holds.';
create index evidence_of_case on evidence (case_id, begun_at, id) where case_id is not null;
create index evidence_of_complaint on evidence (complaint_id, begun_at, id) where complaint_id is not null;
create index evidence_arriving on evidence (expires_at) where stage = 'arriving';
create index evidence_to_clear on evidence (begun_at) where cleared_at is null and stage <> 'arriving';
create index evidence_to_check on evidence (checked_at) where stage = 'kept' and damaged_at is null;
create trigger evidence_is_never_deleted before delete on evidence for each row execute function refuse_change();
create trigger evidence_is_never_emptied before truncate on evidence for each statement execute function refuse_change();

-- What a file is does not change, whoever asks: only how far it has come.
create function keep_what_was_given() returns trigger language plpgsql as $$
begin
    if (new.id, new.case_id, new.complaint_id, new.uploaded_by, new.key, new.given, new.size, new.supersedes, new.derived_from, new.begun_at)
            is distinct from (old.id, old.case_id, old.complaint_id, old.uploaded_by, old.key, old.given, old.size, old.supersedes,
                old.derived_from, old.begun_at)
        or (old.known is not null and new.known is distinct from old.known)
        or (old.received_at is not null and new.received_at is distinct from old.received_at)
    then
        raise exception 'what was given never changes' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger evidence_keep_what_was_given before update on evidence for each row execute function keep_what_was_given();

create table evidence_segments (
    id uuid constraint evidence_segments_pkey primary key,
    evidence_id uuid not null constraint evidence_segments_evidence_fkey references evidence,
    start bigint not null,
    length bigint not null constraint evidence_segments_length_positive check (length > 0),
    salt uuid not null default gen_random_uuid(),
    constraint evidence_segments_start_key unique (evidence_id, start)
);
comment on table evidence_segments is 'Which objects of the store hold a file''s bytes: each is sealed by itself, under a key made from the file''s key and its id.';
comment on column evidence_segments.start is 'The place of its first byte in the file.';
comment on column evidence_segments.length is 'How many bytes of the file it holds.';
comment on column evidence_segments.salt is 'Random: makes the digest of this row tell nothing of what it holds.';
create trigger evidence_segments_stay before update or delete on evidence_segments for each row execute function refuse_change();
create trigger evidence_segments_are_never_emptied before truncate on evidence_segments for each statement execute function refuse_change();

create table custody_events (
    id uuid constraint custody_events_pkey primary key,
    evidence_id uuid not null constraint custody_events_evidence_fkey references evidence,
    kind text not null constraint custody_events_kind_known check (kind in (
        'collected', 'received', 'viewed', 'copied', 'derived', 'handed_over', 'returned', 'verified', 'damaged')),
    actor_kind text not null constraint custody_events_actor_kind_known check (actor_kind in ('user', 'reporter', 'system')),
    actor_id uuid constraint custody_events_actor_fkey references users,
    happened_at timestamptz not null,
    recorded_at timestamptz not null,
    place bytea,
    note bytea,
    salt uuid not null default gen_random_uuid(),
    constraint custody_events_actor_when_user check ((actor_kind = 'user') = (actor_id is not null))
);
comment on table custody_events is 'The chain of custody: who had a file, when and where. Only ever added to.';
comment on column custody_events.happened_at is 'When it happened, as whoever tells it says; recorded_at is when they told it.';
comment on column custody_events.place is 'Where, sealed.';
comment on column custody_events.note is 'What else is to be said, sealed.';
comment on column custody_events.salt is 'Random: makes the digest of this row tell nothing of what it holds.';
create index custody_events_of_evidence on custody_events (evidence_id, recorded_at, id);
create trigger custody_events_stay before update or delete on custody_events for each row execute function refuse_change();
create trigger custody_events_are_never_emptied before truncate on custody_events for each statement execute function refuse_change();

select remember('evidence', 'id::text', 'id::text');
select remember('evidence_segments', 'id::text', 'evidence_id::text');
select remember('custody_events', 'id::text', 'evidence_id::text');

alter table evidence enable row level security;
create policy evidence_wall on evidence for select to temwen_server using (
    case when case_id is not null then exists (select from cases c where c.id = case_id)
         else exists (select from complaints c where c.id = complaint_id) end
);
create policy evidence_give on evidence for insert to temwen_server with check (
    case when case_id is not null
         then uploaded_by = (select acting_user()) and exists (select from cases c where c.id = case_id)
         else uploaded_by is null and complaint_id = (select acting_complaint()) end
);

alter table evidence_segments enable row level security;
create policy evidence_segments_wall on evidence_segments for select to temwen_server
    using (exists (select from evidence e where e.id = evidence_id));
create policy evidence_segments_add on evidence_segments for insert to temwen_server
    with check (exists (select from evidence e where e.id = evidence_id));

alter table custody_events enable row level security;
create policy custody_events_wall on custody_events for select to temwen_server
    using (exists (select from evidence e where e.id = evidence_id));
create policy custody_events_add on custody_events for insert to temwen_server with check (
    actor_kind = (select acting_kind()) and actor_id is not distinct from (select acting_user())
    and exists (select from evidence e where e.id = evidence_id)
);

-- As for cases and complaints: whoever may not see a row may not change it either.
do $$
declare
    wall text;
begin
    select qual into strict wall from pg_policies where tablename = 'evidence' and policyname = 'evidence_wall';
    execute format('create policy evidence_change on evidence for update to temwen_server using (%s) with check ((select acting_kind()) is not null)', wall);
end
$$;

grant select, insert on evidence, evidence_segments, custody_events to temwen_server;
grant update (stage, known, arrived, expires_at, received_at, checked_at, damaged_at, cleared_at) on evidence to temwen_server;
