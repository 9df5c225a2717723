# What there is to do here. `just` lists it; nothing of it needs `just`: each recipe is what you would type.

set shell := ["bash", "-euo", "pipefail", "-c"]
set dotenv-load

# list what there is to do
default:
    @just --list --unsorted

# once after cloning: says what is missing, and compiles what is needed
setup:
    @ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
        || echo 'PostgreSQL 15 to 18 is missing; on Debian and Ubuntu: apt-get install postgresql'
    @[ -e .env ] || echo 'To keep settings of your own: cp .env.sample .env'
    cargo build --all-targets

# start the server on 127.0.0.1:8080, with a private PostgreSQL in ./temwen-data
run *args:
    cargo run --release -- serve {{ args }}

# the same with one account per role and a few fictional complaints
demo:
    cargo run --release -- serve --demo

# run all tests, or those whose name contains FILTER
test *filter:
    cargo test {{ filter }}

# everything that a change must pass
check:
    .ci/run

# format the code
fmt:
    cargo fmt

# measure the claims; see benches/
bench *args:
    cargo bench {{ args }}

# write what is generated from the code anew: openapi.yaml and the tables in docs/
openapi:
    UPDATE=1 cargo test --test api
    tests/openapi/check.sh

# licences, advisories and sources of dependencies
deny:
    cargo deny --locked check

# make a new migration: `just migration hold_evidence`
migration name:
    @[[ '{{ name }}' =~ ^[a-z][a-z0-9_]*$ ]] || { echo 'a name is a-z, 0-9 and _'; exit 1; }
    dir="migrations/$(date -u +%Y-%m-%d-%H%M%S)_{{ name }}"; mkdir "$dir"; \
        echo '-- Why this change is needed. It must be safe while the version before still runs.' > "$dir/up.sql"; \
        echo '-- Takes up.sql back.' > "$dir/down.sql"; echo "$dir"

# throw away the local server's data
[confirm("Delete ./temwen-data and everything in it?")]
db-reset:
    @! [ -e temwen-data/postgres.location ] || echo "its database is in $(cat temwen-data/postgres.location); delete that too"
    rm -rf temwen-data

# make the passwords that docker-compose.yml asks for, in .env, unless they are there
docker-secrets:
    @touch .env && chmod 600 .env
    @for name in DOCKER_POSTGRES_PASSWORD DOCKER_OWNER_PASSWORD DOCKER_SERVER_PASSWORD; do \
        grep -q "^$name=" .env || echo "$name=$(head -c 32 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | head -c 32)" >> .env; done

# build the image and start Postgres, the migration and the server
docker: docker-secrets
    docker compose up --build

# try hostile notes, proofs and tiles on the parsers, for SECONDS each; needs a nightly Rust and `cargo install cargo-fuzz`
fuzz seconds="60":
    for target in note proof tiles add_checkpoint; do cargo +nightly fuzz run "$target" "fuzz/seeds/$target" -- -max_total_time={{ seconds }}; done
