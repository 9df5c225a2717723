drop table redactions;
drop function redactions_noted();
drop function forget_words(uuid);
drop function expect_words(uuid[], uuid[]);
drop function join_words(uuid, boolean);
drop function add_words(uuid, uuid, bigint[], boolean);
drop function found_by_words(text, text[], integer);
drop table case_words;
drop table complaint_words;
