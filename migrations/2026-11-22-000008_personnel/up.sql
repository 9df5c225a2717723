-- Who serves where, the walls that put themselves up because of it, and who may look over one for a while.
--
-- The parties of a matter are matched to accounts and to the roster by keyed marks of names, numbers and units: that two marks are
-- the same is all that this database learns. Matches are walled in the transaction that named them.

-- The roster -----------------------------------------------------------------------------------------------------

create table units (
    id uuid constraint units_pkey primary key,
    name text not null constraint units_name_given check (name <> ''),
    country text constraint units_country_code check (country ~ '^[A-Z]{2}$'),
    parent_id uuid constraint units_parent_fkey references units constraint units_parent_another check (parent_id <> id),
    created_at timestamptz not null,
    version integer not null default 1,
    salt uuid not null default gen_random_uuid()
);
create unique index units_name_key on units (lower(name), coalesce(country, ''));
create index units_of_parent on units (parent_id) where parent_id is not null;
create index units_by_time on units (created_at desc, id desc);
comment on table units is 'Units and what they belong to: the chain of command.';
comment on column units.salt is 'Random: makes the digest of this row tell nothing of what it holds.';

create table personnel (
    id uuid constraint personnel_pkey primary key,
    name bytea not null,
    service_number bytea,
    number_mark bytea constraint personnel_number_mark_whole check (octet_length(number_mark) = 32),
    unit_id uuid constraint personnel_unit_fkey references units,
    rank text,
    country text constraint personnel_country_code check (country ~ '^[A-Z]{2}$'),
    user_id uuid constraint personnel_user_fkey references users constraint personnel_user_key unique,
    leadership text not null default 'none' constraint personnel_leadership_known
        check (leadership in ('force_commander', 'deputy', 'legal_head', 'engagement_head', 'steering_member', 'none')),
    left_at timestamptz,
    created_at timestamptz not null,
    version integer not null default 1,
    salt uuid not null default gen_random_uuid(),
    constraint personnel_number_marked check ((service_number is null) = (number_mark is null))
);
create unique index personnel_number_key on personnel (number_mark) where left_at is null;
create index personnel_of_unit on personnel (unit_id) where unit_id is not null;
create index personnel_by_time on personnel (created_at desc, id desc);
alter table units add column commander_id uuid constraint units_commander_fkey references personnel;
create index units_of_commander on units (commander_id) where commander_id is not null;
comment on table personnel is 'Who serves or served in the mission, with an account or without. Belongs to no matter.';
comment on column personnel.name is 'Sealed with the register''s own key.';
comment on column personnel.service_number is 'Sealed with the register''s own key.';
comment on column personnel.number_mark is 'The mark of the service number: of those who serve, each has another one.';
comment on column personnel.leadership is 'What is said about whoever has one of these offices is dealt with outside the mission.';
comment on column personnel.salt is 'Random: makes the digest of this row tell nothing of what it holds.';

create table roster_marks (
    id uuid constraint roster_marks_pkey primary key default gen_random_uuid(),
    user_id uuid constraint roster_marks_user_fkey references users,
    personnel_id uuid constraint roster_marks_personnel_fkey references personnel,
    unit_id uuid constraint roster_marks_unit_fkey references units,
    kind text not null constraint roster_marks_kind_known check (kind in ('name', 'single_name', 'part', 'service_number', 'unit')),
    mark bytea not null constraint roster_marks_mark_whole check (octet_length(mark) = 32),
    salt uuid not null default gen_random_uuid(),
    constraint roster_marks_of_one check (num_nonnulls(user_id, personnel_id, unit_id) = 1 and (unit_id is not null) = (kind = 'unit'))
);
create index roster_marks_by_mark on roster_marks (mark);
create unique index roster_marks_user_once on roster_marks (user_id, mark) where user_id is not null;
create unique index roster_marks_personnel_once on roster_marks (personnel_id, mark) where personnel_id is not null;
create unique index roster_marks_unit_once on roster_marks (unit_id, mark) where unit_id is not null;
comment on table roster_marks is 'By what an account, a person or a unit is known again. Never removed: who was called something else is still the same.';
comment on column roster_marks.kind is 'A part is one of several names that somebody has: it is compared with a subject of whom no other name is known.';
comment on column roster_marks.mark is 'HMAC-SHA-256 under the register''s own key, which the database does not hold.';
comment on column roster_marks.salt is 'Random: makes the digest of this row tell nothing of what it holds.';
create trigger roster_marks_stay before update or delete on roster_marks for each row execute function refuse_change();

create table matchings (
    id uuid constraint matchings_pkey primary key default gen_random_uuid(),
    matter_id uuid,
    marks bytea[],
    units uuid[],
    made_at timestamptz not null,
    done_at timestamptz,
    salt uuid not null default gen_random_uuid(),
    constraint matchings_of_one_thing check ((matter_id is null) = (marks is not null) and (marks is null) = (units is null))
);
create unique index matchings_of_matter on matchings (matter_id) where matter_id is not null and done_at is null;
create index matchings_due on matchings (made_at, id) where done_at is null;
comment on table matchings is 'What is still to be matched: a matter whose walls could not all be put up at once, or a change of the roster. Done within the minute.';
comment on column matchings.matter_id is 'Until it is matched, only the OHCHR and its reporter know of it.';
comment on column matchings.marks is 'By what those are known again whom the roster tells something new about.';
comment on column matchings.salt is 'Random: makes the digest of this row tell nothing of what it holds.';

alter table units enable row level security;
create policy units_roster on units for select to temwen_server using ((select sees('roster')));
create policy units_add on units for insert to temwen_server with check ((select sees('roster')));
create policy units_change on units for update to temwen_server using ((select sees('roster')));
alter table personnel enable row level security;
create policy personnel_roster on personnel for select to temwen_server using ((select sees('roster')));
create policy personnel_add on personnel for insert to temwen_server with check ((select sees('roster')));
create policy personnel_change on personnel for update to temwen_server using ((select sees('roster')));
alter table roster_marks enable row level security;
create policy roster_marks_roster on roster_marks for select to temwen_server using ((select sees('roster')));
create policy roster_marks_add on roster_marks for insert to temwen_server with check ((select sees('roster')));
alter table matchings enable row level security;
create policy matchings_roster on matchings for select to temwen_server using (matter_id is null and (select sees('roster')));
create policy matchings_add on matchings for insert to temwen_server with check (matter_id is null and done_at is null and (select sees('roster')));
create policy matchings_done on matchings for update to temwen_server using (matter_id is null and (select acting_kind()) = 'system');

grant select, insert on units, personnel, roster_marks, matchings to temwen_server;
grant update (done_at) on matchings to temwen_server;
grant update (name, country, parent_id, commander_id, version) on units to temwen_server;
grant update (name, service_number, number_mark, unit_id, rank, country, user_id, leadership, left_at, version) on personnel to temwen_server;

-- Whether a unit may belong to another: not to itself, nor to what belongs to it. Held until the transaction ends, so that two
-- changes together make no ring either.
create function unit_may_belong(unit uuid, parent uuid) returns boolean security definer set search_path = public, pg_temp language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtext('temwen units'));
    return not exists (
        with recursive above as (
            select u.id, u.parent_id from units u where u.id = parent
            union select u.id, u.parent_id from units u join above a on u.id = a.parent_id)
        select from above where id = unit);
end
$$;
comment on function unit_may_belong is 'Whether nothing would belong to itself if this unit belonged to that one.';

-- Walls that put themselves up -----------------------------------------------------------------------------------

alter table walls drop constraint walls_kind_known;
alter table walls
    alter column reason drop not null, alter column put_up_by drop not null,
    add column matched text constraint walls_matched_known check (matched in ('person', 'unit', 'command')),
    add column rests_on text constraint walls_rests_on_known check (rests_on in ('name', 'service_number', 'unit')),
    add constraint walls_kind_known check (kind in ('wall', 'recusal', 'automatic')),
    add constraint walls_reason_or_match check (case kind
        when 'automatic' then matched is not null and rests_on is not null and put_up_by is null and reason is null
        else matched is null and rests_on is null and put_up_by is not null end);
comment on column walls.matched is 'Of a wall that put itself up: whether the account is the person who is named, serves in the unit of a subject, or commands above it.';
comment on column walls.rests_on is 'Of a wall that put itself up: what was the same. Two officers can lift every one but that of a person known by a service number.';
select remember('walls', 'user_id || ''/'' || matter_id', 'matter_id::text');

create table wall_liftings (
    id uuid constraint wall_liftings_pkey primary key,
    user_id uuid not null constraint wall_liftings_user_fkey references users,
    matter_id uuid not null,
    reason bytea not null,
    proposed_by uuid not null constraint wall_liftings_proposed_by_fkey references users,
    proposed_at timestamptz not null,
    confirm_reason bytea,
    confirmed_by uuid constraint wall_liftings_confirmed_by_fkey references users,
    confirmed_at timestamptz,
    voided_at timestamptz,
    grounds text[] not null default '{}',
    version integer not null default 1,
    salt uuid not null default gen_random_uuid(),
    constraint wall_liftings_second_person check (confirmed_by <> proposed_by),
    constraint wall_liftings_not_oneself check (user_id <> proposed_by and user_id <> confirmed_by),
    constraint wall_liftings_confirmed_whole check (num_nonnulls(confirmed_by, confirmed_at, confirm_reason) in (0, 3))
);
create unique index wall_liftings_one_at_a_time on wall_liftings (user_id, matter_id) where voided_at is null;
comment on table wall_liftings is 'A wall that was put up for a name that two persons share, or for what the roster says of somebody''s unit, no longer stands once two officers say so. The wall itself stays on record.';
comment on column wall_liftings.voided_at is 'When something else was found to be the same: the wall stands again.';
comment on column wall_liftings.grounds is 'What the officers judged: which of the parties, known by what, led to the account. Digests with the row''s salt.';
comment on column wall_liftings.salt is 'Random: makes the digest of this row tell nothing of what it holds.';

create function walled(account uuid, matter uuid) returns boolean stable security definer set search_path = public, pg_temp language sql as $$
    select exists (select from walls w where w.user_id = account and w.matter_id = matter and not exists (
        select from wall_liftings l where l.user_id = w.user_id and l.matter_id = w.matter_id and l.confirmed_at is not null and l.voided_at is null))
$$;
comment on function walled is 'Whether a wall stands between an account and a matter.';

create or replace view own_walls with (security_barrier) as
    select w.matter_id from walls w where w.user_id = acting_user() and not exists (
        select from wall_liftings l where l.user_id = w.user_id and l.matter_id = w.matter_id and l.confirmed_at is not null and l.voided_at is null)
    -- Of what is not matched yet, nobody can tell who may not know of it.
    union all select m.matter_id from matchings m where m.done_at is null and m.matter_id is not null and (select not sees('outside'));

-- Whoever is named in a matter, as the person of the roster and the account that they are. A name of one part is compared with the
-- parts of longer names for a subject alone ("Sergeant Mwangi").
create function named_in(matter uuid) returns table (
    role text, personnel_id uuid, user_id uuid, unit_id uuid, rests_on text, part boolean, party_id uuid, mark bytea
) stable security definer set search_path = public, pg_temp language sql as $$
    select p.role, coalesce(r.personnel_id, own.id), coalesce(r.user_id, person.user_id), r.unit_id,
        case when r.kind in ('name', 'single_name', 'part') then 'name' else r.kind end, r.kind = 'part', p.id, m.mark
    from parties p join party_marks m on m.party_id = p.id join roster_marks r on r.mark = m.mark
        left join personnel person on person.id = r.personnel_id
        left join personnel own on own.user_id = r.user_id
    where p.matter_id = named_in.matter and (r.kind <> 'part' or p.role = 'subject')
$$;
comment on function named_in is 'Whom of the roster and of the accounts the parties of a matter may be, and which units are named.';

-- Those who may not know of a matter: whoever is named in it; whoever serves with a subject, or commands above them. The force
-- commander and the deputy stand above every unit: the chain ends below them, or nobody could order anything. What concerns
-- themselves is dealt with outside. One part of a name says too little to say where somebody serves.
create function grounds_in(matter uuid) returns table (user_id uuid, matched text, rests_on text, party_id uuid, mark bytea)
    stable security definer set search_path = public, pg_temp language sql as $$
    with recursive named as materialized (select * from named_in(grounds_in.matter)),
    subjects as (select * from named n where n.role = 'subject' and not n.part),
    own_units as (
        select n.unit_id, n.rests_on, n.party_id, n.mark from subjects n where n.unit_id is not null
        union select h.unit_id, n.rests_on, n.party_id, n.mark from subjects n join personnel h on h.id = n.personnel_id where h.unit_id is not null
        union select u.id, n.rests_on, n.party_id, n.mark from subjects n join units u on u.commander_id = n.personnel_id),
    chain as (
        select o.unit_id, o.rests_on, o.party_id, o.mark from own_units o
        union select u.parent_id, c.rests_on, c.party_id, c.mark from chain c join units u on u.id = c.unit_id where u.parent_id is not null),
    found as (
        select n.user_id, 'person' as matched, n.rests_on, n.party_id, n.mark from named n
        union all select h.user_id, 'unit', o.rests_on, o.party_id, o.mark from own_units o join personnel h on h.unit_id = o.unit_id
        union all select h.user_id, 'command', c.rests_on, c.party_id, c.mark from chain c join units u on u.id = c.unit_id join personnel h on h.id = u.commander_id
            where h.leadership not in ('force_commander', 'deputy') or c.unit_id in (select o.unit_id from own_units o))
    select f.user_id, f.matched, f.rests_on, f.party_id, f.mark from found f where f.user_id is not null
$$;
comment on function grounds_in is 'Which of the parties of a matter lead to which accounts, and by what.';

create function conflicts_of(matter uuid) returns table (user_id uuid, matched text, rests_on text)
    stable security definer set search_path = public, pg_temp language sql as $$
    select distinct on (f.user_id) f.user_id, f.matched, f.rests_on from grounds_in(conflicts_of.matter) f
    -- What is surest stands on record.
    order by f.user_id, f.matched <> 'person' or f.rests_on <> 'service_number', f.rests_on = 'name', f.matched <> 'person', f.matched
$$;
comment on function conflicts_of is 'Accounts that may not know of a matter, by what its parties are said to be.';

create function may_be_lifted(account uuid, of_case uuid) returns boolean stable security definer set search_path = public, pg_temp language sql as $$
    select coalesce((select c.matched <> 'person' or c.rests_on <> 'service_number'
        from conflicts_of((select k.matter_id from cases k where k.id = of_case)) c where c.user_id = account), true)
$$;
comment on function may_be_lifted is 'Whether anything less than a service number, as parties and roster are now, hides a case from an account.';

create function grounds_of(account uuid, matter uuid, salt uuid) returns text[] stable security definer set search_path = public, pg_temp language sql as $$
    select coalesce(array_agg(distinct encode(sha256(convert_to(grounds_of.salt::text || g.party_id || g.matched, 'UTF8') || g.mark), 'hex')), '{}')
    from grounds_in(grounds_of.matter) g where g.user_id = grounds_of.account
$$;
comment on function grounds_of is 'What leads from the parties of a matter to an account, as digests that nothing can be read from.';

create function keep_grounds() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
begin
    new.grounds := grounds_of(new.user_id, new.matter_id, new.salt);
    return new;
end
$$;
comment on function keep_grounds is 'Keeps with a lifting what it was that the officers judged.';
create trigger wall_liftings_keep_grounds before insert on wall_liftings for each row execute function keep_grounds();

-- These tell of any matter: only the functions above and below, which tell each caller of nothing else, may ask them.
revoke execute on function named_in, grounds_in, conflicts_of, grounds_of from public;

-- Outside --------------------------------------------------------------------------------------------------------

-- What concerns the leadership, or an officer of this register, has the mark "outside": only the OHCHR knows of it, and whoever the
-- OHCHR assigns. Nobody takes the mark away.

create function is_outside(matter uuid) returns boolean stable security definer set search_path = public, pg_temp language sql as $$
    select exists (select from complaints c where c.matter_id = matter and 'outside' = any (c.flags))
        or exists (select from cases c where c.matter_id = matter and 'outside' = any (c.flags))
$$;
comment on function is_outside is 'Whether a matter is dealt with outside the mission.';

-- A register whose desk was never filled waits for it; a desk that was left, or whose people are all walled, does not.
create function desk_is_left(desk text, matter uuid) returns boolean stable security definer set search_path = public, pg_temp language sql as $$
    select not exists (select from users u where desk = any (u.roles) and u.deactivated_at is null and not walled(u.id, matter))
        and exists (select from users u where desk = any (u.roles))
$$;
comment on function desk_is_left is 'Whether nobody is left at a desk who could work on a matter.';

create function signer_is_left(matter uuid) returns boolean stable security definer set search_path = public, pg_temp language sql as $$
    select exists (select from users u where u.roles && case when is_outside(matter) then '{ohchr_monitor}' else '{triage_officer,psea_coordinator,ohchr_monitor}'::text[] end
        and u.deactivated_at is null and not walled(u.id, matter))
$$;
comment on function signer_is_left is 'Whether somebody who may sign for a matter knows of it.';

create function never_unowned() returns trigger security definer set search_path = public, pg_temp language plpgsql as $$
declare
    outside boolean := 'outside' = any (new.flags);
begin
    if not outside and (tg_op = 'UPDATE' and 'outside' = any (old.flags) or tg_op = 'INSERT' and tg_table_name = 'cases' and is_outside(new.matter_id)) then
        outside := true;
        new.flags := new.flags || 'outside'::text;
    end if;
    if new.owner_role <> 'ohchr_monitor' and (outside or desk_is_left(new.owner_role, new.matter_id)) then
        new.owner_role := 'ohchr_monitor';
    end if;
    if new.owner_id is not null and (walled(new.owner_id, new.matter_id)
        or outside and not exists (select from users u where u.id = new.owner_id and 'ohchr_monitor' = any (u.roles)))
    then
        new.owner_id := null;
    end if;
    return new;
end
$$;
comment on function never_unowned is 'A matter lies on a desk where somebody may work on it; if nobody may, and for what is outside, on the OHCHR''s.';
create trigger cases_never_unowned before insert or update of owner_role, owner_id, flags, matter_id on cases for each row execute function never_unowned();
create trigger complaints_never_unowned before insert or update of owner_role, owner_id, flags, matter_id on complaints for each row execute function never_unowned();

create function reroute(matter uuid, at timestamptz) returns table (rerouted boolean, without_officer boolean)
    security definer set search_path = public, pg_temp language plpgsql as $$
declare
    moves boolean := exists (
            select from complaints c where c.matter_id = matter and c.owner_role <> 'ohchr_monitor'
                and ('outside' = any (c.flags) or c.status in ('received', 'acknowledged') and desk_is_left(c.owner_role, matter)))
        or exists (
            select from cases c where c.matter_id = matter and c.owner_role <> 'ohchr_monitor'
                and ('outside' = any (c.flags) or c.closed_at is null and desk_is_left(c.owner_role, matter)));
begin
    update assignments a set ended_at = reroute.at where a.matter_id = matter and a.ended_at is null and walled(a.user_id, matter);
    -- The trigger says where it goes: setting the same again asks it.
    update complaints c set owner_role = c.owner_role, owner_id = c.owner_id, version = c.version + (c.received_at <> reroute.at)::integer
        where c.matter_id = matter and (moves and c.owner_role <> 'ohchr_monitor' or walled(c.owner_id, matter));
    update cases c set owner_role = c.owner_role, owner_id = c.owner_id, updated_at = reroute.at, version = c.version + 1
        where c.matter_id = matter and (moves and c.owner_role <> 'ohchr_monitor' or walled(c.owner_id, matter));
    return query select moves, moves and desk_is_left('ohchr_monitor', matter);
end
$$;
comment on function reroute is 'Ends the work of whoever is walled, and moves a matter to the desk of the OHCHR where nobody is left at its own.';

create function concerns_leadership(matter uuid) returns boolean stable security definer set search_path = public, pg_temp language sql as $$
    select exists (
        select from named_in(concerns_leadership.matter) n left join personnel h on h.id = n.personnel_id left join users u on u.id = n.user_id
        where n.role = 'subject' and (h.leadership <> 'none' or u.roles <> '{integration}' and not n.part))
$$;
comment on function concerns_leadership is 'Whether a subject of a matter has an office of the leadership, or is an officer of the register.';
revoke execute on function concerns_leadership from public;

create function match_later(matter uuid, at timestamptz) returns void security definer set search_path = public, pg_temp language sql as $$
    insert into matchings (matter_id, made_at) values (match_later.matter, match_later.at) on conflict do nothing
$$;
comment on function match_later is 'Has a matter matched within the minute; until then, only the OHCHR and its reporter know of it.';

-- Matching and the roster wait for each other, so that of a person who is named while they are entered neither is missed. A matter of
-- which nobody could be known again waits for nothing.
create function put_up_walls(matter uuid, at timestamptz)
    returns table (walled integer, outside boolean, rerouted boolean, without_officer boolean, caught_up boolean)
    security definer set search_path = public, pg_temp language plpgsql as $$
declare
    up integer := 0;
    again integer := 0;
    goes_outside boolean := false;
    moved boolean := false;
    nobody boolean := false;
    done boolean := false;
begin
    if exists (select from parties p join party_marks m on m.party_id = p.id where p.matter_id = put_up_walls.matter) then
        perform pg_advisory_xact_lock_shared(hashtext('temwen roster'));
    end if;
    if exists (select from named_in(matter)) then
        -- As many as one entry can tell of; the rest follows within the minute.
        insert into walls (user_id, matter_id, kind, matched, rests_on, put_up_at)
            select c.user_id, put_up_walls.matter, 'automatic', c.matched, c.rests_on, put_up_walls.at from conflicts_of(matter) c
            where not exists (select from walls w where w.user_id = c.user_id and w.matter_id = put_up_walls.matter)
            order by c.matched <> 'person', c.matched, c.user_id limit 250
            on conflict do nothing;
        get diagnostics up = row_count;
        update wall_liftings l set voided_at = put_up_walls.at, version = l.version + 1 from conflicts_of(matter) c
            where l.matter_id = put_up_walls.matter and l.user_id = c.user_id and l.voided_at is null
                and (c.matched = 'person' and c.rests_on = 'service_number' or not grounds_of(l.user_id, l.matter_id, l.salt) <@ l.grounds);
        get diagnostics again = row_count;
        goes_outside := not is_outside(matter) and concerns_leadership(matter);
        if goes_outside then
            update complaints c set flags = c.flags || 'outside'::text, version = c.version + (c.received_at <> put_up_walls.at)::integer where c.matter_id = put_up_walls.matter;
            update cases c set flags = c.flags || 'outside'::text, updated_at = put_up_walls.at, version = c.version + 1 where c.matter_id = put_up_walls.matter;
        end if;
        select r.rerouted, r.without_officer into moved, nobody from reroute(matter, at) r;
    end if;
    if up >= 250 and exists (
        select from conflicts_of(matter) c where not exists (select from walls w where w.user_id = c.user_id and w.matter_id = put_up_walls.matter))
    then
        perform match_later(matter, at);
    else
        update matchings m set done_at = put_up_walls.at where m.matter_id = put_up_walls.matter and m.done_at is null;
        done := found;
    end if;
    return query select up + again, goes_outside, goes_outside or moved, nobody or goes_outside and desk_is_left('ohchr_monitor', matter), done;
end
$$;
comment on function put_up_walls is 'Walls whoever the parties of a matter are matched to, and routes it outside those concerned.';

-- The reporter's receipt is the entry that registers their complaint. What follows from whom they named must not stand in it: it would
-- tell who has an account. So it is noted apart, for an entry of its own in the same transaction. And no complaint is ever refused
-- because of the roster: what cannot be matched now is stored, and hidden until it is.
create function put_up_walls_apart(matter uuid, at timestamptz) returns boolean language plpgsql as $$
declare
    before text := coalesce(current_setting('temwen.changes', true), '');
    patience text := current_setting('lock_timeout');
    moved boolean := false;
    nobody boolean := false;
begin
    perform set_config('temwen.changes', '', true);
    begin
        perform set_config('lock_timeout', '2s', true);
        select p.rerouted, p.without_officer into moved, nobody from put_up_walls(matter, at) p;
        perform set_config('lock_timeout', patience, true);
    exception when others or query_canceled then
        moved := false;
        nobody := false;
        perform match_later(matter, at);
    end;
    perform set_config('temwen.apart', current_setting('temwen.changes', true), true), set_config('temwen.changes', before, true),
        set_config('temwen.rerouted', case when moved then 'yes' else '' end, true),
        set_config('temwen.without_officer', case when nobody then 'yes' else '' end, true);
    return true;
end
$$;
comment on function put_up_walls_apart is 'As put_up_walls, for the transaction that registers a complaint: what was changed is noted apart from the rest.';

create function matters_near(marks bytea[], units uuid[]) returns setof uuid stable security definer set search_path = public, pg_temp language sql as $$
    with recursive below as (
        select unnest(matters_near.units) as id
        union select u.id from units u join below b on u.parent_id = b.id),
    near as (
        select unnest(matters_near.marks) as mark
        union select r.mark from roster_marks r where r.unit_id in (select id from below)
        union select r.mark from roster_marks r join personnel h on h.id = r.personnel_id or h.user_id = r.user_id where h.unit_id in (select id from below))
    select distinct p.matter_id from near join party_marks m on m.mark = near.mark join parties p on p.id = m.party_id
$$;
comment on function matters_near is 'Matters that name somebody with one of these marks, or a subject of one of these units or of what belongs to them.';
revoke execute on function matters_near from public;

create function matters_behind(step uuid) returns setof uuid stable security definer set search_path = public, pg_temp language sql as $$
    select near.id from matchings m, matters_near(m.marks, m.units) as near (id)
    where m.id = step and m.done_at is null and (select acting_kind()) = 'system'
        and (exists (select from conflicts_of(near.id) c where not walled(c.user_id, near.id))
            or exists (select from wall_liftings l where l.matter_id = near.id and l.voided_at is null)
            or not is_outside(near.id) and concerns_leadership(near.id))
$$;
comment on function matters_behind is 'Matters for which a change of the roster means something that was not seen to yet.';

create function walls_follow(source uuid, target uuid, at timestamptz) returns void security definer set search_path = public, pg_temp language plpgsql as $$
begin
    insert into walls (user_id, matter_id, kind, matched, rests_on, put_up_at)
        select w.user_id, way.target, w.kind, w.matched, w.rests_on, walls_follow.at
        from (values (source, walls_follow.target), (walls_follow.target, source)) as way (source, target) join walls w on w.matter_id = way.source
        -- One that was lifted is lifted again, if the parties of the whole put it up again.
        where w.kind = 'automatic' and walled(w.user_id, way.source) on conflict do nothing;
    if is_outside(source) or is_outside(target) then
        update complaints c set flags = c.flags || 'outside'::text, version = c.version + 1 where c.matter_id in (source, target) and not 'outside' = any (c.flags);
        update cases c set flags = c.flags || 'outside'::text, version = c.version + 1 where c.matter_id in (source, target) and not 'outside' = any (c.flags);
    end if;
end
$$;
comment on function walls_follow is 'What hides one matter hides the other, when a complaint joins a case.';

create function desks_left() returns setof uuid stable security definer set search_path = public, pg_temp language sql as $$
    with unmanned as materialized (
        select r.role from (select distinct unnest(u.roles) from users u where u.deactivated_at is not null) as r (role)
        where not exists (select from users u where r.role = any (u.roles) and u.deactivated_at is null)),
    doubtful as (
        select c.matter_id, c.owner_role from cases c where c.closed_at is null and c.owner_role <> 'ohchr_monitor'
            and (c.owner_role in (select role from unmanned) or exists (select from walls w where w.matter_id = c.matter_id))
        union all
        select c.matter_id, c.owner_role from complaints c where c.status in ('received', 'acknowledged') and c.owner_role <> 'ohchr_monitor'
            and (c.owner_role in (select role from unmanned) or exists (select from walls w where w.matter_id = c.matter_id)))
    select distinct d.matter_id from doubtful d where (select acting_kind()) = 'system' and desk_is_left(d.owner_role, d.matter_id)
    -- Whose walls could not all be put up at once.
    union select m.matter_id from matchings m where m.matter_id is not null and m.done_at is null and (select acting_kind()) = 'system'
    limit 200
$$;
comment on function desks_left is 'Open matters on a desk where nobody is left who could work on them, and those that are still to be matched.';

-- A look over the wall ---------------------------------------------------------------------------------------------
--
-- In an emergency an officer may read a case that is not theirs to see, for four hours, if a second officer agrees. It only ever
-- opens reading, and never what a wall hides.

create table glances (
    id uuid constraint glances_pkey primary key,
    user_id uuid not null constraint glances_user_fkey references users,
    case_id uuid constraint glances_case_fkey references cases,
    matter_id uuid,
    reason bytea not null,
    asked_at timestamptz not null,
    decided_by uuid constraint glances_decided_by_fkey references users,
    decided_at timestamptz,
    approved boolean,
    decision_reason bytea,
    ends_at timestamptz,
    version integer not null default 1,
    salt uuid not null default gen_random_uuid(),
    constraint glances_of_one_thing check ((case_id is null) = (matter_id is null)),
    constraint glances_second_person check (decided_by <> user_id),
    constraint glances_decided_whole check (num_nonnulls(decided_by, decided_at, approved, decision_reason) in (0, 4)),
    constraint glances_end check ((approved is true) = (ends_at is not null) and ends_at <= decided_at + interval '4 hours')
);
create index glances_of_user on glances (user_id, matter_id) where approved;
create index glances_by_time on glances (asked_at desc, id desc) where case_id is not null;
comment on table glances is 'Who asked to read, in an emergency, a case that they do not see; who agreed, and until when.';
comment on column glances.case_id is 'Null where there is no such case, or where the case is walled from whoever asks: they hear the same, and nothing comes of it.';
comment on column glances.reason is 'Sealed with the register''s own key: whoever asks may not have the matter''s.';
comment on column glances.salt is 'Random: makes the digest of this row tell nothing of what it holds.';

create or replace function act(
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
            set_config('temwen.country', act.country, true), set_config('temwen.at', act.at::text, true),
            set_config('temwen.complaint', coalesce(act.complaint_id::text, ''), true), set_config('temwen.matter', '', true);
    else
        perform set_config('temwen.kind', '', true), set_config('temwen.actor', '', true), set_config('temwen.user_id', '', true),
            set_config('temwen.scope', '', true), set_config('temwen.categories', '{}', true),
            set_config('temwen.country', '', true), set_config('temwen.at', '', true),
            set_config('temwen.complaint', '', true), set_config('temwen.matter', '', true);
    end if;
    return alive;
end
$$;
create function acting_at() returns timestamptz stable language sql as $$ select nullif(current_setting('temwen.at', true), '')::timestamptz $$;
comment on function acting_at is 'The moment of this transaction, by the server''s clock.';

create view own_glances with (security_barrier) as
    select g.matter_id from glances g where g.user_id = acting_user() and g.approved and g.ends_at > acting_at()
        and not exists (select from own_assignments a where a.matter_id = g.matter_id);
comment on view own_glances is 'The matters that whoever acts may read for a while, in an emergency.';
grant select on own_glances to temwen_server;

create function ask_to_glance(id uuid, wanted uuid, number text, reason bytea) returns uuid security definer set search_path = public, pg_temp language plpgsql as $$
declare
    found_case uuid;
    found_matter uuid;
    hidden boolean;
begin
    select c.id, c.matter_id into found_case, found_matter from cases c where c.id = wanted or c.number = ask_to_glance.number;
    hidden := walled(acting_user(), coalesce(found_matter, '00000000-0000-0000-0000-000000000000'));
    insert into glances (id, user_id, case_id, matter_id, reason, asked_at)
        values (ask_to_glance.id, acting_user(), case when not hidden then found_case end, case when not hidden then found_matter end, reason, acting_at());
    -- For the entry: whoever may check the record hears of it, unless that matter is walled from them too.
    return found_matter;
end
$$;
comment on function ask_to_glance is 'Keeps somebody''s wish to read a case; does the same whether there is such a case or not.';

alter table glances enable row level security;
create policy glances_wall on glances for select to temwen_server using (exists (select from cases c where c.id = case_id));
create policy glances_change on glances for update to temwen_server
    using (user_id <> (select acting_user()) and exists (select from cases c where c.id = case_id)
        and not exists (select from own_glances o where o.matter_id = glances.matter_id))
    with check (decided_by = (select acting_user()));
grant select on glances to temwen_server;
grant update (decided_by, decided_at, approved, decision_reason, ends_at, version) on glances to temwen_server;

alter table wall_liftings enable row level security;
create policy wall_liftings_wall on wall_liftings for select to temwen_server using (exists (select from cases c where c.matter_id = wall_liftings.matter_id));
create policy wall_liftings_propose on wall_liftings for insert to temwen_server
    with check (proposed_by = (select acting_user()) and exists (select from cases c where c.matter_id = wall_liftings.matter_id));
create policy wall_liftings_change on wall_liftings for update to temwen_server
    using (user_id <> (select acting_user()) and exists (select from cases c where c.matter_id = wall_liftings.matter_id))
    with check (confirmed_by = (select acting_user()));
grant select, insert on wall_liftings to temwen_server;
grant update (confirm_reason, confirmed_by, confirmed_at, version) on wall_liftings to temwen_server;

-- The wall, with what is outside and with glances ---------------------------------------------------------------------

do $$
declare
    seen text;
begin
    seen := $wall$
        not exists (select from own_walls w where w.matter_id = cases.matter_id)
        and (
            matter_id = (select acting_matter())
            or ((select sees('outside')) and 'outside' = any (flags))
            or ('outside' = any (flags) and exists (select from own_assignments a where a.matter_id = cases.matter_id))
            or (not 'outside' = any (flags) and (
                (select sees('everything'))
                or category = any ((select acting_categories())::text[])
                or (child and (select sees('child')))
                or ((select sees('assigned')) and exists (select from own_assignments a where a.matter_id = cases.matter_id))
                or referred_country = (select acting_country())
                or ((select sees('panel')) and stage in ('determination', 'action_pending', 'review'))
                or ((select sees('command')) and stage = 'action_pending')))
            %s
        )$wall$;
    drop policy cases_wall on cases;
    drop policy cases_change on cases;
    execute 'create policy cases_wall on cases for select to temwen_server using ('
        || format(seen, 'or matter_id = any (array(select matter_id from own_glances))') || ')';
    execute 'create policy cases_change on cases for update to temwen_server using ('
        || format(seen, '') || ') with check ((select acting_kind()) is not null)';
    seen := $wall$
        -- Whoever hands something in, and whoever opened their thread with its code, knows of it.
        id = (select acting_complaint())
        or not exists (select from own_walls w where w.matter_id = complaints.matter_id)
        and (
            matter_id = (select acting_matter())
            or ((select sees('outside')) and 'outside' = any (flags))
            or ('outside' = any (flags) and exists (select from own_assignments a where a.matter_id = complaints.matter_id))
            or ((select sees('own')) and submitted_by = (select acting_user()))
            or (not 'outside' = any (flags) and (
                (select sees('everything'))
                or category = any ((select acting_categories())::text[])
                or (child and (select sees('child')))
                or ((select sees('new')) and status in ('received', 'acknowledged'))
                or ((select sees('assigned_complaints')) and exists (select from own_assignments a where a.matter_id = complaints.matter_id))))
            %s
        )$wall$;
    drop policy complaints_wall on complaints;
    drop policy complaints_change on complaints;
    execute 'create policy complaints_wall on complaints for select to temwen_server using ('
        || format(seen, 'or matter_id = any (array(select matter_id from own_glances))') || ')';
    execute 'create policy complaints_change on complaints for update to temwen_server using ('
        || format(seen, '') || ') with check ((select acting_kind()) is not null)';
    seen := $wall$
        case when case_id is not null then exists (select from cases c where c.id = case_id)
             else exists (select from complaints c where c.id = complaint_id) end
        or (escalated_to is not null and sees('role:' || escalated_to)
            and not exists (select from own_walls w where w.matter_id = deadlines.matter_id)
            and (sees('outside') or not is_outside(deadlines.matter_id)))$wall$;
    drop policy deadlines_wall on deadlines;
    drop policy deadlines_change on deadlines;
    execute 'create policy deadlines_wall on deadlines for select to temwen_server using (' || seen || ')';
    execute 'create policy deadlines_change on deadlines for update to temwen_server using ((' || seen
        || ') and not exists (select from own_glances o where o.matter_id = deadlines.matter_id)) with check ((select acting_kind()) is not null)';
end
$$;

-- A glance reads and adds nothing.
create policy proposals_not_by_glance on proposals as restrictive for insert to temwen_server
    with check (not exists (select from own_glances o where o.matter_id = proposals.matter_id));
create policy proposals_not_changed_by_glance on proposals as restrictive for update to temwen_server
    using (not exists (select from own_glances o where o.matter_id = proposals.matter_id));
create policy deadlines_not_by_glance on deadlines as restrictive for insert to temwen_server
    with check (not exists (select from own_glances o where o.matter_id = deadlines.matter_id));
create policy assignments_not_by_glance on assignments as restrictive for insert to temwen_server
    with check (not exists (select from own_glances o where o.matter_id = assignments.matter_id));
create policy assignments_not_changed_by_glance on assignments as restrictive for update to temwen_server
    using (not exists (select from own_glances o where o.matter_id = assignments.matter_id));
create policy walls_not_by_glance on walls as restrictive for insert to temwen_server
    with check (kind <> 'automatic' and not exists (select from own_glances o where o.matter_id = walls.matter_id));
create policy wall_liftings_not_by_glance on wall_liftings as restrictive for insert to temwen_server
    with check (not exists (select from own_glances o where o.matter_id = wall_liftings.matter_id));
create policy notes_not_by_glance on notes as restrictive for insert to temwen_server
    with check (not exists (select from cases c join own_glances o using (matter_id) where c.id = case_id));
create policy case_duties_not_by_glance on case_duties as restrictive for insert to temwen_server
    with check (not exists (select from cases c join own_glances o using (matter_id) where c.id = case_id));
create policy allegations_not_by_glance on allegations as restrictive for insert to temwen_server
    with check (not exists (select from cases c join own_glances o using (matter_id) where c.id = case_id));
create policy messages_not_by_glance on messages as restrictive for insert to temwen_server
    with check (not exists (select from complaints c join own_glances o using (matter_id) where c.id = complaint_id));

select remember('units', 'id::text', 'id::text');
select remember('personnel', 'id::text', 'id::text');
select remember('roster_marks', 'id::text', 'coalesce(user_id, personnel_id, unit_id)::text');
select remember('matchings', 'id::text', 'coalesce(matter_id, id)::text');
select remember('wall_liftings', 'id::text', 'matter_id::text');
select remember('glances', 'id::text', 'id::text');
