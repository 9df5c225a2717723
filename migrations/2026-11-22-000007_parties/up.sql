-- Parties: who complains, to whom it was done, who saw it, who is accused. Everything else calls them by pseudonyms; who they are
-- is sealed, and leaves only by a reveal, which names a purpose and is an entry.

create table parties (
    id uuid constraint parties_pkey primary key,
    pseudonym text not null constraint parties_pseudonym_key unique,
    role text not null constraint parties_role_known check (role in ('complainant', 'victim', 'witness', 'subject')),
    matter_id uuid not null,
    complaint_id uuid constraint parties_complaint_fkey references complaints,
    case_id uuid constraint parties_case_fkey references cases,
    position integer not null default 1,
    speaks boolean not null default false,
    sex text,
    age_band text,
    child boolean not null default false,
    country text constraint parties_country_code check (country ~ '^[A-Z]{2}$'),
    identified boolean not null default false,
    discreet boolean not null default false,
    added_by uuid constraint parties_added_by_fkey references users,
    added_at timestamptz not null,
    updated_at timestamptz not null,
    version integer not null default 1,
    salt uuid not null default gen_random_uuid(),
    constraint parties_of_one_thing check ((complaint_id is null) <> (case_id is null)),
    constraint parties_pseudonym_form check (pseudonym ~ '^[RVWS]-[0-9A-HJKMNP-TV-Z]{6}$'
        and left(pseudonym, 1) = case role when 'complainant' then 'R' when 'victim' then 'V' when 'witness' then 'W' else 'S' end)
);
create index parties_of_matter on parties (matter_id, added_at, id);
create index parties_of_complaint on parties (complaint_id) where complaint_id is not null;
create index parties_of_case on parties (case_id) where case_id is not null;
comment on table parties is 'A person of a matter, by pseudonym. In the clear stands only what walls, rules for children and counts need.';
comment on column parties.matter_id is 'The matter that it belongs to now: it follows its complaint into a case.';
comment on column parties.position is 'Its place among those of its role in what was handed in, from 1.';
comment on column parties.speaks is 'Whether the reporter''s own words are this person''s: the complainant, and a victim who reported what was done to them.';
comment on column parties.child is 'Whether the person is known to be under 18: a grant then needs assent and a caregiver, or a best-interests decision.';
comment on column parties.identified is 'Whether a name, a number or a contact is known. Which one is sealed, in party_identities.';
comment on column parties.discreet is 'Whether nothing that this person is sent may name the mission: their telephone may be searched.';
comment on column parties.salt is 'Random: makes the digest of this row tell nothing of what it holds.';

create function keep_who_a_party_is() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.id, new.pseudonym, new.role, new.complaint_id, new.case_id, new.position, new.speaks, new.added_by,
            new.added_at, new.salt)
        is distinct from (old.id, old.pseudonym, old.role, old.complaint_id, old.case_id, old.position, old.speaks, old.added_by,
            old.added_at, old.salt)
    then
        raise exception 'a party stays who it is' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
comment on function keep_who_a_party_is is 'Lets a party follow its complaint and be described better; its pseudonym and role stay.';
create trigger parties_keep_who_they_are before update or delete on parties for each row execute function keep_who_a_party_is();
create trigger parties_are_never_emptied before truncate on parties for each statement execute function refuse_change();

create table party_identities (
    id uuid constraint party_identities_pkey primary key,
    party_id uuid not null constraint party_identities_party_fkey references parties,
    version integer not null constraint party_identities_version_positive check (version > 0),
    identity bytea not null,
    by_user uuid constraint party_identities_by_user_fkey references users,
    at timestamptz not null,
    salt uuid not null default gen_random_uuid(),
    constraint party_identities_version_key unique (party_id, version)
);
comment on table party_identities is 'Who a party is, as it was known at a time. Written once: what is learned later is another version.';
comment on column party_identities.identity is 'JSON, sealed with the data key of the complaint or case that the party came with.';
comment on column party_identities.by_user is 'The officer who wrote it down; null where the person said it themself, in what they handed in.';
comment on column party_identities.salt is 'Random: makes the digest of this row tell nothing of what it holds.';
create trigger party_identities_stay before update or delete on party_identities for each row execute function refuse_change();
create trigger party_identities_are_never_emptied before truncate on party_identities for each statement execute function refuse_change();

create table party_marks (
    party_id uuid not null constraint party_marks_party_fkey references parties,
    mark bytea not null constraint party_marks_mark_whole check (octet_length(mark) = 32),
    constraint party_marks_pkey primary key (party_id, mark)
);
create index party_marks_by_mark on party_marks (mark);
comment on table party_marks is 'Keyed digests of what a person is known again by: parts of the name, service number, unit. An index for the walls; it can be made again from party_identities.';

create table consents (
    id uuid constraint consents_pkey primary key,
    party_id uuid not null constraint consents_party_fkey references parties,
    purpose text not null,
    recipient text,
    answer text not null constraint consents_answer_known check (answer in ('yes', 'no', 'conditional', 'withdrawn')),
    condition bytea,
    given_by text not null constraint consents_given_by_known check (given_by in ('self', 'caregiver', 'best_interests')),
    assent boolean,
    how text not null constraint consents_how_known check (how in ('written', 'verbal')),
    at timestamptz not null,
    recorded_by uuid constraint consents_recorded_by_fkey references users,
    withdraws uuid constraint consents_withdraws_fkey references consents constraint consents_withdraws_key unique,
    salt uuid not null default gen_random_uuid(),
    constraint consents_condition_when_conditional check ((answer = 'conditional') = (condition is not null)),
    constraint consents_withdrawn_says_which check ((answer = 'withdrawn') = (withdraws is not null))
);
create index consents_of_party on consents (party_id, at, id);
comment on table consents is 'What a person said may be done, and to whom who they are may be told. Written once: the newest word counts, and silence is no.';
comment on column consents.recipient is 'A country, a body or a role that it is for; null for whoever the purpose is for.';
comment on column consents.condition is 'Under what condition, in their words; sealed.';
comment on column consents.recorded_by is 'The officer who wrote it down; null where the person did so themself, through the complaint or the thread.';
comment on column consents.salt is 'Random: makes the digest of this row tell nothing of what it holds.';
create trigger consents_stay before update or delete on consents for each row execute function refuse_change();
create trigger consents_are_never_emptied before truncate on consents for each statement execute function refuse_change();

create table reveals (
    id uuid constraint reveals_pkey primary key,
    party_id uuid not null constraint reveals_party_fkey references parties,
    purpose text not null,
    basis text not null constraint reveals_basis_known check (basis in ('role', 'consent', 'second_person', 'danger', 'legal_order')),
    under uuid constraint reveals_under_fkey references reveals,
    missing text[] not null default '{}',
    lack text constraint reveals_lack_known check (lack in ('absent', 'conditional')),
    asked_by uuid not null constraint reveals_asked_by_fkey references users,
    asked_at timestamptz not null,
    reason bytea not null,
    decided_by uuid constraint reveals_decided_by_fkey references users,
    decided_at timestamptz,
    approved boolean,
    decision_reason bytea,
    valid_until timestamptz,
    version integer not null default 1,
    salt uuid not null default gen_random_uuid(),
    constraint reveals_second_person check (decided_by <> asked_by),
    constraint reveals_decided_whole check ((decided_at is null) = (approved is null) and (decided_at is null) = (decided_by is null)
        and (decided_at is null) = (decision_reason is null)),
    constraint reveals_only_waiting_ones_decided check (decided_at is null or (under is null and basis in ('second_person', 'danger', 'legal_order'))),
    constraint reveals_approval_has_end check ((valid_until is not null) = (basis = 'second_person' and under is null and coalesce(approved, false)))
);
create unique index reveals_one_waiting on reveals (party_id, asked_by, purpose) where basis = 'second_person' and under is null and decided_at is null;
create index reveals_waiting on reveals (asked_at, id) where decided_at is null and under is null and basis in ('second_person', 'danger', 'legal_order');
create index reveals_in_order on reveals (asked_at, id);
create index reveals_of_party on reveals (party_id, asked_by, purpose);
comment on table reveals is 'Who was told, or asked to be told, who a party is: for what, and on what ground. Without consent it waits for a second person.';
comment on column reveals.under is 'The approval that it was made under.';
comment on column reveals.missing is 'The consents that there were not.';
comment on column reveals.valid_until is 'Until when whoever asked may read it again under this approval.';
comment on column reveals.salt is 'Random: makes the digest of this row tell nothing of what it holds.';

create function keep_what_was_revealed() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.decided_at is not null or (new.id, new.party_id, new.purpose, new.basis, new.under, new.missing, new.lack,
            new.asked_by, new.asked_at, new.reason, new.salt)
        is distinct from (old.id, old.party_id, old.purpose, old.basis, old.under, old.missing, old.lack,
            old.asked_by, old.asked_at, old.reason, old.salt)
    then
        raise exception 'what was revealed stays on record' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
comment on function keep_what_was_revealed is 'Lets a reveal be decided, once; nothing else.';
create trigger reveals_keep_what_was_revealed before update or delete on reveals for each row execute function keep_what_was_revealed();
create trigger reveals_are_never_emptied before truncate on reveals for each statement execute function refuse_change();

-- A pseudonym is free or not whoever asks. Of several that nobody could foresee, the first free one; null where all are taken,
-- which refuses the party.
create function free_pseudonym(candidates text[]) returns text
    stable security definer set search_path = public, pg_temp language sql as
    $$ select c from unnest(candidates) with ordinality as given (c, place)
       where not exists (select from parties p where p.pseudonym = c) order by place limit 1 $$;
comment on function free_pseudonym is 'The first of some pseudonyms that is nobody''s yet.';

-- The wall ---------------------------------------------------------------------------------------------------------

alter table parties enable row level security;
create policy parties_wall on parties for select to temwen_server using (
    exists (select from cases c where c.matter_id = parties.matter_id)
    or (complaint_id is not null and exists (select from complaints c where c.id = complaint_id))
);
create policy parties_add on parties for insert to temwen_server with check (
    case when case_id is not null then exists (select from cases c where c.id = case_id)
         else exists (select from complaints c where c.id = complaint_id) end
);

alter table party_identities enable row level security;
create policy party_identities_wall on party_identities for select to temwen_server using (exists (select from parties p where p.id = party_id));
create policy party_identities_add on party_identities for insert to temwen_server
    with check (by_user is not distinct from (select acting_user()) and exists (select from parties p where p.id = party_id));

alter table party_marks enable row level security;
create policy party_marks_wall on party_marks for select to temwen_server using (exists (select from parties p where p.id = party_id));
create policy party_marks_add on party_marks for insert to temwen_server with check (exists (select from parties p where p.id = party_id));

alter table consents enable row level security;
create policy consents_wall on consents for select to temwen_server using (exists (select from parties p where p.id = party_id));
create policy consents_give on consents for insert to temwen_server
    with check (recorded_by is not distinct from (select acting_user()) and exists (select from parties p where p.id = party_id));

alter table reveals enable row level security;
create policy reveals_wall on reveals for select to temwen_server using (exists (select from parties p where p.id = party_id));
create policy reveals_ask on reveals for insert to temwen_server
    with check (asked_by = (select acting_user()) and exists (select from parties p where p.id = party_id));

-- As for cases and complaints: whoever may not see a row may not change it either.
do $$
declare
    wall text;
    each record;
begin
    for each in select * from (values
        ('parties', '(select acting_kind()) is not null'),
        ('reveals', 'decided_by = (select acting_user())')) as given (tab, good)
    loop
        select qual into strict wall from pg_policies where tablename = each.tab and policyname = each.tab || '_wall';
        execute format('create policy %I on %I for update to temwen_server using (%s) with check (%s)',
            each.tab || '_change', each.tab, wall, each.good);
    end loop;
end
$$;

grant select, insert on parties, party_identities, party_marks, consents, reveals to temwen_server;
grant update (matter_id, sex, age_band, child, country, identified, discreet, updated_at, version) on parties to temwen_server;
grant update (decided_by, decided_at, approved, decision_reason, valid_until, version) on reveals to temwen_server;

select remember('parties', 'id::text', 'coalesce(case_id, complaint_id)::text');
-- Many come at once with an import: each goes to an entry about its own matter.
select remember('party_identities', 'id::text', 'coalesce((select coalesce(p.case_id, p.complaint_id) from parties p where p.id = party_id), party_id)::text');
select remember('consents', 'id::text', 'party_id::text');
select remember('reveals', 'id::text', 'party_id::text');
