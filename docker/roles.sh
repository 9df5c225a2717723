#!/usr/bin/env bash
# Run once by the PostgreSQL image, when its database is empty: the two logins and the role that docs/OPERATIONS.md tells of.
set -euo pipefail

psql --quiet --set ON_ERROR_STOP=1 --username postgres \
    --set owner="$OWNER_PASSWORD" --set server="$SERVER_PASSWORD" <<'SQL'
create role temwen_server nologin nosuperuser nocreatedb nocreaterole noinherit nobypassrls;
create role temwen_owner login nosuperuser nocreatedb nocreaterole nobypassrls password :'owner';
create role temwen_login login nosuperuser nocreatedb nocreaterole noinherit nobypassrls password :'server' in role temwen_server;
create database temwen owner temwen_owner;
revoke connect, temporary on database temwen from public;
grant connect on database temwen to temwen_login;
SQL
