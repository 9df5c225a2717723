drop function case_for_reporter;
drop table proposals, messages, notes, allegations, deadline_pauses, deadlines;
