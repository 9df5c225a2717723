-- Words that sealed texts are found by, and versions of a narrative with passages taken out.
--
-- Of a word, only 64 bits of an HMAC stand here, under a key that the database does not hold; of a text, only which words are
-- in it: neither their order nor how often. docs/SECURITY.md says what that still tells.

create table complaint_words (
    complaint_id uuid constraint complaint_words_pkey primary key constraint complaint_words_complaint_fkey references complaints,
    tokens bigint[] not null,
    whole boolean not null
);
comment on table complaint_words is 'Which words are in the texts of a complaint. Made from those texts, and can be made again.';
comment on column complaint_words.tokens is 'Keyed hashes of kind of text and word, in the order of their numbers, each once.';
comment on column complaint_words.whole is 'Whether all that was there when the row was made is in it; what is not, a background step reads again.';
create table case_words (
    case_id uuid constraint case_words_pkey primary key constraint case_words_case_fkey references cases,
    tokens bigint[] not null,
    whole boolean not null
);
comment on table case_words is 'Which words are in the notes of a case and in the texts of its complaints.';
comment on column case_words.tokens is 'As in complaint_words.';
comment on column case_words.whole is 'As in complaint_words.';
-- Hashes do not compress; Postgres need not try.
alter table complaint_words alter column tokens set storage external;
alter table case_words alter column tokens set storage external;
-- A new row waits in the list of the pending, so that handing in a complaint does not pay for a hundred places of the index.
create index complaint_words_by_token on complaint_words using gin (tokens) with (gin_pending_list_limit = 1024);
create index case_words_by_token on case_words using gin (tokens) with (gin_pending_list_limit = 1024);
create index complaint_words_to_read on complaint_words (complaint_id) where not whole;
create index case_words_to_read on case_words (case_id) where not whole;
insert into complaint_words (complaint_id, tokens, whole) select id, '{}', false from complaints;
insert into case_words (case_id, tokens, whole) select id, '{}', false from cases;

alter table complaint_words enable row level security;
create policy complaint_words_wall on complaint_words for select to temwen_server
    using (exists (select from complaints c where c.id = complaint_id));
create policy complaint_words_add on complaint_words for insert to temwen_server
    with check (exists (select from complaints c where c.id = complaint_id));
alter table case_words enable row level security;
create policy case_words_wall on case_words for select to temwen_server using (exists (select from cases c where c.id = case_id));
grant select, insert on complaint_words to temwen_server;
grant select on case_words to temwen_server;

-- No index on an array can be used from behind the wall, because Postgres trusts no operator of arrays to keep what it sees to itself. So
-- the index is asked here, and answers with bare ids: what they are ids of, the caller still has to be allowed to know.
create function found_by_words(kind text, words text[], most integer) returns setof uuid
    stable security definer set search_path = public, pg_temp set enable_seqscan = off language plpgsql as $$
begin
    return query execute format('select %I from %I where %s limit $1', kind || '_id', kind || '_words',
        (select string_agg(format('tokens && %L::bigint[]', word::bigint[]), ' and ') from unnest(words) as word)) using most;
end
$$;
comment on function found_by_words is 'Ids of complaints or cases that hold one token of each set, in no order, and no more than asked for. Tells who may know of none nothing but ids.';

create function add_words(complaint uuid, in_case uuid, more bigint[], is_whole boolean) returns void
    security definer set search_path = public, pg_temp language plpgsql as $$
declare
    joined uuid := in_case;
begin
    if complaint is not null then
        -- Held, so that a complaint that joins a case just now takes these words along.
        select c.case_id into joined from complaints c where c.id = complaint for share;
        if not found then
            return;
        end if;
        insert into complaint_words as w (complaint_id, tokens, whole)
        select complaint, array(select distinct t from unnest(more) as t order by t), is_whole
        on conflict (complaint_id) do update set whole = w.whole or excluded.whole,
            tokens = array(select distinct t from unnest(w.tokens || excluded.tokens) as t order by t);
    end if;
    if complaint is null and is_whole then
        more := more || array(select t from complaints c join complaint_words p on p.complaint_id = c.id, unnest(p.tokens) as t where c.case_id = joined);
    end if;
    if joined is not null then
        insert into case_words as w (case_id, tokens, whole)
        select joined, array(select distinct t from unnest(more) as t order by t), is_whole and complaint is null
        on conflict (case_id) do update set whole = w.whole or excluded.whole,
            tokens = array(select distinct t from unnest(w.tokens || excluded.tokens) as t order by t);
    end if;
end
$$;
comment on function add_words is 'Adds tokens to those of a complaint, and to those of its case; or to those of a case. Shows nothing to who asks.';

create function join_words(complaint uuid, is_new boolean) returns void
    security definer set search_path = public, pg_temp language sql as $$
    insert into case_words as w (case_id, tokens, whole)
    select c.case_id, p.tokens, p.whole and is_new from complaints c join complaint_words p on p.complaint_id = c.id
    where c.id = complaint and c.case_id is not null
    on conflict (case_id) do update set tokens = array(select distinct t from unnest(w.tokens || excluded.tokens) as t order by t)
$$;
comment on function join_words is 'Lets a case be found by the words of a complaint that joined it; a new one has no others. Shows nothing to who asks.';

create function expect_words(complaints uuid[], cases uuid[]) returns void
    security definer set search_path = public, pg_temp language sql as $$
    insert into complaint_words (complaint_id, tokens, whole)
    select c.id, '{}', false from complaints c where c.id = any (expect_words.complaints) on conflict do nothing;
    insert into case_words (case_id, tokens, whole)
    select c.id, '{}', false from cases c where c.id = any (expect_words.cases) on conflict do nothing
$$;
comment on function expect_words is 'Has the words of complaints and cases that were stored many at a time read later. Shows nothing to who asks.';

create function forget_words(matter uuid) returns bigint security definer set search_path = public, pg_temp language sql as $$
    with complaints_gone as (
        delete from complaint_words w using complaints c where c.id = w.complaint_id and c.matter_id = matter returning 1
    ), cases_gone as (
        delete from case_words w using cases c where c.id = w.case_id and c.matter_id = matter returning 1
    )
    select (select count(*) from complaints_gone) + (select count(*) from cases_gone)
$$;
comment on function forget_words is 'Deletes all tokens of a matter; how many rows. Shows nothing to who asks.';

-- Redaction ------------------------------------------------------------------------------------------------------

create table redactions (
    id uuid constraint redactions_pkey primary key,
    complaint_id uuid not null constraint redactions_complaint_fkey references complaints,
    version integer not null constraint redactions_version_positive check (version > 0),
    text bytea not null,
    passages integer not null constraint redactions_passages_positive check (passages > 0),
    reason bytea not null,
    author_id uuid not null constraint redactions_author_fkey references users,
    made_at timestamptz not null,
    salt uuid not null default gen_random_uuid(),
    constraint redactions_version_key unique (complaint_id, version)
);
comment on table redactions is 'Versions of a narrative with passages taken out, beside the original, which stays as it was. Written once.';
comment on column redactions.text is 'The narrative without those passages, sealed with the complaint''s data key.';
comment on column redactions.passages is 'How many passages were taken out.';
comment on column redactions.reason is 'Why, sealed with the complaint''s data key.';
create trigger redactions_stay before update or delete on redactions for each row execute function refuse_change();
create trigger redactions_are_never_emptied before truncate on redactions for each statement execute function refuse_change();

alter table redactions enable row level security;
create policy redactions_wall on redactions for select to temwen_server using (exists (select from complaints c where c.id = complaint_id));
create policy redactions_make on redactions for insert to temwen_server
    with check (author_id = (select acting_user()) and exists (select from complaints c where c.id = complaint_id));
grant select, insert on redactions to temwen_server;
select remember('redactions', 'id::text', 'complaint_id::text');
