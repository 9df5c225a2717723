-- Takes the roster away, with all that hangs on it. Walls that put themselves up cannot be kept without it, nor may they fall.
do $$
begin
    if exists (select from walls where kind = 'automatic') or exists (select from cases where 'outside' = any (flags))
        or exists (select from complaints where 'outside' = any (flags)) then
        raise exception 'matters are hidden because of the roster; it cannot be undone' using errcode = 'restrict_violation';
    end if;
end
$$;

do $$
declare
    each record;
begin
    for each in select policyname, tablename from pg_policies where policyname like '%\_by\_glance' loop
        execute format('drop policy %I on %I', each.policyname, each.tablename);
    end loop;
end
$$;
drop policy cases_wall on cases;
drop policy cases_change on cases;
drop policy complaints_wall on complaints;
drop policy complaints_change on complaints;
drop policy deadlines_wall on deadlines;
drop policy deadlines_change on deadlines;
drop policy glances_wall on glances;
drop policy glances_change on glances;
drop view own_glances;
create or replace view own_walls with (security_barrier) as select matter_id from walls where user_id = acting_user();
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
create policy deadlines_wall on deadlines for select to temwen_server using (
    case when case_id is not null then exists (select from cases c where c.id = case_id)
         else exists (select from complaints c where c.id = complaint_id) end
    -- Whoever it climbed to hears that it is missed, though they may know of nothing else of the matter.
    or (escalated_to is not null and sees('role:' || escalated_to)
        and not exists (select from own_walls w where w.matter_id = deadlines.matter_id))
);
do $$
declare
    wall text;
    each record;
begin
    for each in select * from (values ('cases'), ('complaints'), ('deadlines')) as given (tab) loop
        select qual into strict wall from pg_policies where tablename = each.tab and policyname = each.tab || '_wall';
        execute format('create policy %I on %I for update to temwen_server using (%s) with check ((select acting_kind()) is not null)',
            each.tab || '_change', each.tab, wall);
    end loop;
end
$$;
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

drop trigger cases_never_unowned on cases;
drop trigger complaints_never_unowned on complaints;
drop function ask_to_glance(uuid, uuid, text, bytea), acting_at(), desks_left(), walls_follow(uuid, uuid, timestamptz),
    matters_behind(uuid), matters_near(bytea[], uuid[]), put_up_walls_apart(uuid, timestamptz),
    put_up_walls(uuid, timestamptz), match_later(uuid, timestamptz), concerns_leadership(uuid), reroute(uuid, timestamptz), never_unowned(),
    signer_is_left(uuid), desk_is_left(text, uuid), is_outside(uuid), may_be_lifted(uuid, uuid), conflicts_of(uuid), walled(uuid, uuid), unit_may_belong(uuid, uuid);
drop table glances, wall_liftings, roster_marks, matchings;
drop function keep_grounds(), grounds_of(uuid, uuid, uuid), grounds_in(uuid), named_in(uuid);
alter table units drop column commander_id;
drop table personnel, units;
do $$
declare
    tab text;
begin
    foreach tab in array array['units', 'personnel', 'roster_marks', 'matchings', 'wall_liftings', 'glances'] loop
        execute format('drop function %I()', tab || '_noted');
    end loop;
end
$$;
alter table walls
    drop constraint walls_reason_or_match, drop constraint walls_kind_known, drop column matched, drop column rests_on,
    alter column reason set not null, alter column put_up_by set not null,
    add constraint walls_kind_known check (kind in ('wall', 'recusal'));
select remember('walls', 'user_id || ''/'' || matter_id', 'matter_id::text');
