-- The role temwen_server stays: other databases of the cluster may use it.
drop table idempotency_keys;
drop table refresh_tokens;
drop table sessions;
drop table users;
revoke select on __diesel_schema_migrations from temwen_server;
