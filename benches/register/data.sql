-- Cases :from to :to, each with its complaint, submission, clocks, allegation and entries, as an office leaves them behind
-- in years: most are closed, a few lie at each stage. All of it follows from the number, so that a run can be repeated.
-- Run by the owner, without triggers and foreign keys: the rows fit together by how they are made.

set session_replication_role = replica;
set synchronous_commit = off;

create function pg_temp.dice(i bigint, salt bigint) returns integer immutable language sql as
    $$ select (hashint8(i * 31 + salt) & 2147483647) % 1000 $$;
create function pg_temp.id(kind text, i bigint) returns uuid immutable language sql as
    $$ select ('01900000-0000-7000-' || kind || '-' || lpad(i::text, 12, '0'))::uuid $$;

create temporary table drawn as
select i, case_id, matter, opened_at, stage, category, country, department,
    case when pg_temp.dice(i, 4) < 60 then 'immediate' when pg_temp.dice(i, 4) < 250 then 'urgent' else 'routine' end as priority,
    case when pg_temp.dice(i, 5) < (case category when 'sexual_exploitation_abuse' then 250 else 10 end)
        then '{child}'::text[] else '{}' end as flags,
    case when country is not null and pg_temp.dice(i, 6) < 200 then country end as referred_country,
    stage in ('closed', 'referred_out') as over
from (
    select i, pg_temp.id('8000', i) as case_id, pg_temp.id('9000', i) as matter,
        timestamptz '2020-01-01' + i * interval '3 minutes' as opened_at,
        case when stage < 700 then 'closed' when stage < 780 then 'referred_out' when stage < 840 then 'assessment'
            when stage < 860 then 'awaiting_information' when stage < 870 then 'informal_resolution' when stage < 890 then 'state_notified'
            when stage < 920 then 'national_investigation' when stage < 960 then 'mission_investigation'
            when stage < 970 then 'ohchr_investigation' when stage < 975 then 'joint_investigation' when stage < 978 then 'suspended'
            when stage < 982 then 'report_submitted' when stage < 988 then 'determination' when stage < 995 then 'action_pending'
            else 'review' end as stage,
        case when category < 80 then 'sexual_exploitation_abuse' when category < 350 then 'serious_misconduct'
            when category < 900 then 'minor_misconduct' when category < 950 then 'unclassified' else 'out_of_scope' end as category,
        case when country < 450 then 'KE' when country < 550 then 'JM' when country < 650 then 'GT' when country < 750 then 'SV' end as country,
        (array['HT-OU', 'HT-AR', 'HT-CE', 'HT-GA', 'HT-ND', 'HT-NE', 'HT-NO', 'HT-NI', 'HT-SD', 'HT-SE'])[1 + department % 10] as department
    from (
        select i, pg_temp.dice(i, 1) as stage, pg_temp.dice(i, 2) as category, pg_temp.dice(i, 3) as country, pg_temp.dice(i, 7) as department
        from generate_series(:from::bigint, :to::bigint) as i
    ) numbers
) words;

insert into cases (id, number, matter_id, stage, stage_before, category, priority, flags, country, department, owner_role,
    referred_country, opened_at, closed_at, closure_reason, policy, updated_at, version)
select case_id, 'COA-' || extract(year from opened_at) || '-' || lpad(i::text, 6, '0'), matter, stage,
    case when stage = 'suspended' then 'mission_investigation' end, category, priority, flags, country, department,
    case category when 'sexual_exploitation_abuse' then 'psea_coordinator' else 'triage_officer' end,
    referred_country, opened_at, case when over then opened_at + interval '60 days' end, case when over then 'determined' end,
    'haiti_coa@0.1.0', opened_at + interval '60 days', 3
from drawn order by i;

insert into complaints (id, reference, matter_id, case_id, submission_id, submission_digest, access_code_digest, channel, language,
    category, priority, flags, department, country, incident_from, incident_precision, anonymity, status, received_at, clock_start,
    acknowledged_at, assessed_at, owner_role, policy, version)
select matter, 'TW-' || lpad(i::text, 9, '0'), matter, case_id, pg_temp.id('a000', i), sha256(int8send(i)), sha256(int8send(-i)),
    case when pg_temp.dice(i, 8) < 500 then 'web_form' when pg_temp.dice(i, 8) < 800 then 'hotline' else 'email' end,
    case when pg_temp.dice(i, 9) < 700 then 'ht' when pg_temp.dice(i, 9) < 900 then 'fr' else 'en' end,
    category, priority, flags, department, country, (opened_at - interval '10 days')::date, 'day', 'confidential', 'in_case',
    opened_at - interval '2 days', opened_at - interval '2 days', opened_at - interval '1 day', opened_at,
    case category when 'sexual_exploitation_abuse' then 'psea_coordinator' else 'triage_officer' end, 'haiti_coa@0.1.0', 3
from drawn order by i;

-- One in fifty more that nobody has judged yet, and one in two hundred that the focal point handed in.
insert into complaints (id, reference, matter_id, submission_id, submission_digest, access_code_digest, channel, language,
    category, priority, department, incident_precision, anonymity, status, received_at, clock_start, submitted_by, owner_role, policy)
select pg_temp.id('9001', i), 'TW-N' || lpad(i::text, 9, '0'), pg_temp.id('9001', i), pg_temp.id('a001', i), sha256(int8send(i)),
    sha256(int8send(-i)), 'focal_point', 'ht', 'unclassified', 'routine', department, 'unknown', 'anonymous', 'received', opened_at, opened_at,
    case when i % 200 = 0 then (select id from users where email = 'focal_point@bench.example') end, 'intake_officer', 'haiti_coa@0.1.0'
from drawn where i % 50 = 0 order by i;

insert into submissions (complaint_id, salt, narrative, particulars)
select id, sha256(convert_to(id::text, 'UTF8')), 'Yè swa, nan pòt mache a, yon patwouy te pouse yon machann atè epi yo te frape l. Mwen te wè sa ak je m. (' || id || ')',
    '{"relation":"witness","incident":{"from":"2025-11-02","to":null,"precision":"day","department":"HT-OU","commune":null,"place":null},'
    || '"victims":[],"subjects":[],"witnesses":[],"allegations":[{"type":"excessive_use_of_force"}],"consents":[],"risk":null}'
from complaints where id between pg_temp.id('9000', :from::bigint) and pg_temp.id('9000', :to::bigint)
    or id between pg_temp.id('9001', :from::bigint) and pg_temp.id('9001', :to::bigint)
order by id;

insert into allegations (id, case_id, position, type, category)
select pg_temp.id('c000', i), case_id, 1, 'excessive_use_of_force', category from drawn order by i;

-- The clocks of the complaint were met; of those of the case, whatever lies open is overdue and has climbed as far as it can.
insert into deadlines (id, matter_id, complaint_id, code, name, starts_at, due_at, met_at, tells_reporter, pausable)
select pg_temp.id('d000', i), matter, matter, 'D1', 'acknowledgement', opened_at - interval '2 days', opened_at + interval '5 days',
    opened_at - interval '1 day', true, false
from drawn order by i;
insert into deadlines (id, matter_id, case_id, code, name, starts_at, due_at, met_at, cancelled_at, tells_reporter, pausable, escalation)
select pg_temp.id('d001', i), matter, case_id, 'D5', 'preliminary_assessment', opened_at, opened_at + interval '14 days',
    case when over then opened_at + interval '9 days' end, null, false, true, case when over then 0 else 3 end
from drawn order by i;

insert into audit_entries (id, at, actor_kind, actor, action, object_kind, object_id, matter_id, request_id, detail)
select pg_temp.id('e000', i), opened_at, 'system', 'bench', 'case.opened', 'case', case_id, matter, case_id::text, '{}'
from drawn order by i;

drop table drawn;

-- Forty cases for each of those who work on what they are assigned to, and walls around a few hundred, over the whole register.
delete from assignments;
delete from walls;
insert into assignments (id, case_id, matter_id, user_id, role, assigned_by, assigned_at)
select gen_random_uuid(), pg_temp.id('8000', i), pg_temp.id('9000', i), u.id, u.roles[1], u.id, now()
from users u, generate_series(0, 39) as k, lateral (select 1 + (k * :to::bigint / 40) as i) as spread
where u.roles <@ '{investigator,victim_support,legal_liaison}';
insert into case_duties (case_id, user_id, duty, since)
select a.case_id, a.user_id, 'investigation', now() from assignments a where a.role = 'investigator' on conflict do nothing;
insert into walls (user_id, matter_id, kind, reason, put_up_by, put_up_at)
select u.id, pg_temp.id('9000', i), 'wall', 'bench', u.id, now()
from users u, generate_series(0, least(300, :to::bigint / 10) - 1) as k,
    lateral (select 7 + k * greatest(10, :to::bigint / 300) as i) as spread
where u.roles && '{triage_officer,psea_coordinator,victim_support,investigator,legal_liaison,national_authority,ohchr_monitor,panel_member,commander,intake_officer,focal_point}'
    and u.email not like 'officer-%';

drop function pg_temp.dice(bigint, bigint);
drop function pg_temp.id(text, bigint);
set session_replication_role = default;
analyze;
