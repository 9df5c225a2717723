drop policy audit_entries_append on audit_entries;
drop policy audit_entries_wall on audit_entries;
alter table audit_entries disable row level security;
drop policy idempotency_keys_forget on idempotency_keys;
drop policy idempotency_keys_keep on idempotency_keys;
drop policy idempotency_keys_wall on idempotency_keys;
alter table idempotency_keys disable row level security;
drop policy complaints_change on complaints;
drop policy complaints_wall on complaints;
drop policy cases_change on cases;
drop policy cases_wall on cases;
drop view own_assignments, own_walls;
drop table case_duties, assignments, walls, submissions, complaints, case_numbers, cases;
drop function complaint_for_code, submitted_before, sees, acting_categories,
    acting_matter, acting_complaint, acting_country, acting_user, acting_as, acting_kind, act, keep_what_was_submitted;
