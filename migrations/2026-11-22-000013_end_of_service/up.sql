-- When the years begin that run from the end of service: the roster knows who has left.

create or replace function end_of_service(matter uuid) returns timestamptz
    stable security definer set search_path = public, pg_temp language sql as $$
    select case when count(*) > 0 and bool_and(subject.left_at is not null) then max(subject.left_at) end
    from parties p left join lateral (
        -- Where a service number is known, that is who it is. Where only names are, all of that name must have left: one of them
        -- may be meant.
        select case when count(*) > 0 and bool_and(h.left_at is not null) then max(h.left_at) end as left_at
        from party_marks m join roster_marks r on r.mark = m.mark
            left join personnel own on own.user_id = r.user_id
            join personnel h on h.id = coalesce(r.personnel_id, own.id)
        where m.party_id = p.id and (r.kind = 'service_number' or (r.kind in ('name', 'single_name') and not exists (
            select from party_marks n join roster_marks s on s.mark = n.mark where n.party_id = p.id and s.kind = 'service_number')))
    ) subject on true
    where p.matter_id = end_of_service.matter and p.role = 'subject'
$$;
comment on function end_of_service is 'When the last of those accused in a matter left the mission''s service; null while one of them serves, or where it is not known of one.';
