//! The ways of tampering that are tried: what a superuser of the database does, and what has to be found of it.

use temwen::log::verify::Flaw;

/// What happens after somebody has tampered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Nothing,
    /// The server goes on giving places.
    Sequence,
    /// Five minutes pass, the server goes on, and then this is done too.
    LaterAnd(&'static str),
}

/// A way to tamper.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// In words.
    pub words: &'static str,
    /// What is done, with all triggers switched off.
    pub sql: &'static str,
    pub then: Then,
    /// What has to be found, and in which table.
    pub finds: &'static [(Flaw, &'static str)],
}

const fn way(words: &'static str, sql: &'static str, finds: &'static [(Flaw, &'static str)]) -> Way {
    Way { words, sql, then: Then::Nothing, finds }
}

const ENTRIES: &str = "audit_entries";
const DIFFERS: &[(Flaw, &str)] = &[(Flaw::EntryDiffers, ENTRIES)];

/// A new entry that looks like one of the server's, but for its seal.
macro_rules! forged {
    ($seal:literal, $queue:literal) => {
        concat!(
            "with forged as (insert into audit_entries (id, at, actor_kind, actor, action, object_kind, object_id, matter_id, request_id, detail, seal) \
             select gen_random_uuid(), at, actor_kind, actor, 'case.closed', object_kind, object_id, matter_id, request_id, detail, ",
            $seal,
            " from audit_entries where action = 'case.opened' limit 1 returning id) ",
            $queue
        )
    };
}

/// Puts places, tiles and heads back to the last head but one.
macro_rules! cut {
    () => {
        "create temp table cut as select size as s from log_heads order by size desc offset 1 limit 1; \
         delete from log_heads where size > (select s from cut); delete from log_places where place >= (select s from cut); \
         delete from log_tiles where index * 256 >= (select s from cut) >> (8 * level); \
         update log_tiles set hashes = substr(hashes, 1, 32 * least(256, ((select s from cut) >> (8 * level)) - index * 256)::int)"
    };
}

/// Every way that shows in the register itself.
pub const WAYS: &[Way] = &[
    way(
        "an entry's actor is changed",
        "update audit_entries set actor = (select id::text from users order by id desc limit 1) where action = 'case.opened'",
        DIFFERS,
    ),
    way(
        "an entry's action is changed",
        "update audit_entries set action = 'case.read' where action = 'case.opened'",
        DIFFERS,
    ),
    way(
        "an entry's moment is changed",
        "update audit_entries set at = at + interval '30 seconds' where action = 'case.opened'",
        DIFFERS,
    ),
    way(
        "an entry is dated back a day",
        "update audit_entries set at = at - interval '1 day' where action = 'case.advanced'",
        &[(Flaw::EntryDiffers, ENTRIES), (Flaw::EntryBackdated, ENTRIES)],
    ),
    way(
        "an entry's object is changed",
        "update audit_entries set object_id = gen_random_uuid() where action = 'case.opened'",
        DIFFERS,
    ),
    way(
        "an entry's matter is changed",
        "update audit_entries set matter_id = null where action = 'case.opened'",
        DIFFERS,
    ),
    way(
        "an entry's details are changed",
        "update audit_entries set detail = '{\"category\": \"out_of_scope\"}' where action = 'case.opened'",
        DIFFERS,
    ),
    way(
        "an entry's salt is changed",
        "update audit_entries set salt = gen_random_uuid() where action = 'case.opened'",
        DIFFERS,
    ),
    way(
        "an entry's request is changed",
        "update audit_entries set request_id = 'other' where action = 'case.opened'",
        DIFFERS,
    ),
    way(
        "what an entry says of the rows it changed is removed",
        "update audit_entries set changes = '{}' where action = 'note.written'",
        &[(Flaw::EntryDiffers, ENTRIES), (Flaw::StateUnfounded, "notes")],
    ),
    way(
        "an entry's seal is removed",
        "update audit_entries set seal = null where action = 'case.opened'",
        &[(Flaw::EntryDiffers, ENTRIES), (Flaw::EntryUnsealed, ENTRIES)],
    ),
    way(
        "an entry is deleted",
        "delete from audit_entries where action = 'case.opened'",
        &[(Flaw::EntryMissing, ENTRIES)],
    ),
    way(
        "an entry is deleted with its place",
        "delete from log_places where entry_id = (select id from audit_entries where action = 'case.opened'); \
         delete from audit_entries where action = 'case.opened'",
        &[(Flaw::PlaceGap, "log_places"), (Flaw::StateUnfounded, "deadlines")],
    ),
    way(
        "the place of an entry is deleted",
        "delete from log_places where entry_id = (select id from audit_entries where action = 'case.opened')",
        &[(Flaw::PlaceGap, "log_places"), (Flaw::EntryOrphaned, ENTRIES)],
    ),
    way(
        "an entry is inserted, and nothing else",
        forged!("null", "select id from forged"),
        &[(Flaw::EntryOrphaned, ENTRIES)],
    ),
    way(
        "an entry is inserted in the queue, with the seal of another",
        forged!("seal", "insert into log_queue select id from forged"),
        &[(Flaw::EntryUnsealed, ENTRIES)],
    ),
    Way {
        then: Then::Sequence,
        ..way(
            "an entry is inserted with the seal of another, and the server takes it into the log",
            forged!("seal", "insert into log_queue select id from forged"),
            &[(Flaw::EntryUnsealed, ENTRIES)],
        )
    },
    Way {
        then: Then::Sequence,
        ..way(
            "an entry is inserted without a seal, and the server takes it into the log",
            forged!("null", "insert into log_queue select id from forged"),
            &[(Flaw::EntryUnsealed, ENTRIES)],
        )
    },
    way(
        "two entries change places",
        "update log_places set place = 1000010 - place where place in (3, 7); update log_places set place = place - 1000000 where place > 900000",
        DIFFERS,
    ),
    way("a case's stage is changed", "update cases set stage = 'assessment'", &[(Flaw::RowDiffers, "cases")]),
    way(
        "a case's stage is changed, and the index of states with it",
        "update cases set stage = 'assessment'; \
         update log_states set state = (select encode(sha256(convert_to(json_strip_nulls(row_to_json(c))::text, 'UTF8')), 'hex') from cases c where c.id::text = log_states.id) where kind = 'cases'",
        &[(Flaw::StateUnfounded, "cases")],
    ),
    way(
        "a complaint's text is changed",
        "update submissions set narrative_sealed = particulars_sealed",
        &[(Flaw::RowDiffers, "submissions")],
    ),
    way(
        "the names in a complaint are changed",
        "update submissions set identities_sealed = salt_sealed",
        &[(Flaw::RowDiffers, "submissions")],
    ),
    way(
        "a complaint is deleted",
        "delete from submissions; delete from complaints",
        &[(Flaw::RowMissing, "complaints"), (Flaw::RowMissing, "submissions")],
    ),
    way(
        "a finding is changed",
        "update allegations set told_sealed = decode('01', 'hex')",
        &[(Flaw::RowDiffers, "allegations")],
    ),
    way(
        "a deadline is moved",
        "update deadlines set due_at = due_at + interval '1 year'",
        &[(Flaw::RowDiffers, "deadlines")],
    ),
    way(
        "an account's roles are changed",
        "update users set roles = array['administrator']",
        &[(Flaw::RowDiffers, "users")],
    ),
    way(
        "an account's password is changed",
        "update users set password = (select password from users limit 1) || 'x'",
        &[(Flaw::RowDiffers, "users")],
    ),
    way(
        "an account is inserted",
        "insert into users select (json_populate_record(u, json_build_object('id', gen_random_uuid(), 'email', 'other@mission.example'))).* from users u limit 1",
        &[(Flaw::RowUnknown, "users")],
    ),
    way(
        "a session is inserted",
        "insert into sessions (id, user_id, created_at, last_used_at, expires_at) select gen_random_uuid(), id, now(), now(), now() + interval '1 year' from users limit 1",
        &[(Flaw::RowUnknown, "sessions")],
    ),
    way(
        "the key that seals a complaint is destroyed, and with it what was said",
        "update data_keys set wrapped = null, destroyed_at = now() where matter_id is not null",
        &[(Flaw::RowDiffers, "data_keys")],
    ),
    way("somebody is taken off a case", "delete from case_duties", &[(Flaw::RowMissing, "case_duties")]),
    way("a wall is taken down", "delete from walls", &[(Flaw::RowMissing, "walls")]),
    way("a note is deleted", "delete from notes", &[(Flaw::RowMissing, "notes")]),
    way(
        "a note is changed",
        "update notes set text_sealed = decode('01', 'hex')",
        &[(Flaw::RowDiffers, "notes")],
    ),
    way(
        "a message is changed",
        "update messages set text_sealed = decode('01', 'hex')",
        &[(Flaw::RowDiffers, "messages")],
    ),
    way(
        "a row is changed with all triggers on, by nobody",
        "set session_replication_role = default; update cases set priority = 'urgent'",
        &[(Flaw::RowDiffers, "cases")],
    ),
    way(
        "a trigger that notes changes is replaced by one that notes nothing, and a row changed",
        "set session_replication_role = default; create or replace function cases_noted() returns trigger language plpgsql as 'begin return null; end'; update cases set priority = 'urgent'",
        &[(Flaw::FunctionDiffers, "pg_proc"), (Flaw::RowDiffers, "cases")],
    ),
    way(
        "the function that shares out what was noted is replaced by one that leaves things out",
        "create or replace function entry_changes(objects uuid[]) returns table (ordinal bigint, changes text[]) language plpgsql stable as 'begin return; end'",
        &[(Flaw::FunctionDiffers, "pg_proc")],
    ),
    way(
        "a function of ours is overlaid by another of the same name",
        "create schema temwen_server; create function temwen_server.digest_of(state record) returns text language plpgsql as 'begin return null; end'",
        &[(Flaw::FunctionDiffers, "pg_proc")],
    ),
    way(
        "a trigger is added that changes rows before they are written",
        "create function quietly() returns trigger language plpgsql as 'begin new.priority := ''routine''; return new; end'; \
         create trigger quietly before insert or update on cases for each row execute function quietly()",
        &[(Flaw::TriggerUnknown, "pg_trigger")],
    ),
    way(
        "a trigger that notes changes is made to call something else",
        "create function quietly() returns trigger language plpgsql as 'begin return null; end'; \
         create or replace trigger cases_note_update after update on cases for each statement execute function quietly()",
        &[(Flaw::TriggerDiffers, "pg_trigger")],
    ),
    way(
        "a trigger that notes changes is dropped",
        "drop trigger cases_note_update on cases",
        &[(Flaw::TriggerMissing, "pg_trigger")],
    ),
    way(
        "a trigger that notes changes is switched off",
        "alter table walls disable trigger walls_note_insert",
        &[(Flaw::TriggerDisabled, "pg_trigger")],
    ),
    way(
        "a trigger that keeps entries is dropped",
        "drop trigger audit_entries_stay on audit_entries",
        &[(Flaw::TriggerMissing, "pg_trigger")],
    ),
    way(
        "the index of states loses a row",
        "delete from log_states where kind = 'cases'",
        &[(Flaw::StateBehind, "cases"), (Flaw::RowUnknown, "cases")],
    ),
    way(
        "a state is inserted of a row that never was",
        "insert into log_states values ('cases', gen_random_uuid(), 0, repeat('0', 64))",
        &[(Flaw::StateUnfounded, "cases"), (Flaw::RowMissing, "cases")],
    ),
    way("the queue is emptied", "delete from log_queue", &[(Flaw::EntryOrphaned, ENTRIES)]),
    way(
        "an entry that waits is deleted",
        "delete from audit_entries where id in (select entry_id from log_queue)",
        &[(Flaw::QueueOfNothing, "log_queue")],
    ),
    way(
        "an entry is put in the queue again",
        "insert into log_queue select id from audit_entries where action = 'case.opened'",
        &[(Flaw::EntryTwice, ENTRIES)],
    ),
    Way {
        then: Then::LaterAnd(
            "insert into log_queue select e.id from audit_entries e where not exists (select from log_places p where p.entry_id = e.id) and not exists (select from log_queue q where q.entry_id = e.id)",
        ),
        ..way(
            "entries are held back from their places for five minutes",
            "delete from log_queue",
            &[(Flaw::EntryWaits, ENTRIES)],
        )
    },
    way("the tail of the log is cut off", cut!(), &[(Flaw::EntryOrphaned, ENTRIES)]),
    way(
        "the tail of the log is cut off, with its entries and what the index says of them",
        concat!(
            cut!(),
            "; delete from audit_entries e where not exists (select from log_places p where p.entry_id = e.id); delete from log_queue; \
         delete from log_states s where not exists (select from log_places p where p.place = s.place)"
        ),
        &[(Flaw::RowUnknown, "notes")],
    ),
    way(
        "only the last heads are deleted",
        "delete from log_heads where size > (select min(size) from log_heads)",
        &[(Flaw::TailDiffers, "log_heads"), (Flaw::TileSurplus, "log_tiles")],
    ),
    way(
        "the last places are deleted",
        "delete from log_places where place >= (select max(size) from log_heads) - 3",
        &[(Flaw::PlaceGap, "log_places"), (Flaw::EntryOrphaned, ENTRIES)],
    ),
    way(
        "two tiles change places",
        "update log_tiles set index = index + 1000 where level = 0 and index < 2; update log_tiles set index = 1001 - index where index >= 1000",
        &[(Flaw::TileDiffers, "log_tiles"), (Flaw::EntryDiffers, ENTRIES)],
    ),
    way(
        "a bit of a tile of leaves is flipped",
        "update log_tiles set hashes = set_bit(hashes, 777, 1 - get_bit(hashes, 777)) where level = 0 and index = 1",
        &[(Flaw::TileDiffers, "log_tiles"), (Flaw::EntryDiffers, ENTRIES)],
    ),
    way(
        "a bit of the last tile of leaves is flipped",
        "update log_tiles set hashes = set_bit(hashes, 77, 1 - get_bit(hashes, 77)) where level = 0 and index = 2",
        &[(Flaw::HeadDiffers, "log_heads"), (Flaw::EntryDiffers, ENTRIES)],
    ),
    way(
        "a bit of an upper tile is flipped",
        "update log_tiles set hashes = set_bit(hashes, 77, 1 - get_bit(hashes, 77)) where level = 1",
        &[(Flaw::TileDiffers, "log_tiles"), (Flaw::HeadDiffers, "log_heads")],
    ),
    way(
        "a tile is deleted",
        "delete from log_tiles where level = 0 and index = 1",
        &[(Flaw::TileMissing, "log_tiles")],
    ),
    way(
        "a tile is added",
        "insert into log_tiles select level, 7, hashes from log_tiles where level = 0 and index = 1",
        &[(Flaw::TileSurplus, "log_tiles")],
    ),
    way(
        "a head's root is changed",
        "update log_heads set root = sha256(root) where size = (select min(size) from log_heads)",
        &[(Flaw::HeadDiffers, "log_heads"), (Flaw::HeadForged, "log_heads")],
    ),
    way(
        "a head's checkpoint is changed",
        "update log_heads set note = left(note, length(note) - 30) || translate(substr(note, length(note) - 29, 10), \
             'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'BCDEFGHIJKLMNOPQRSTUVWXYZAbcdefghijklmnopqrstuvwxyza1234567890/+') \
             || right(note, 20) where size = (select min(size) from log_heads)",
        &[(Flaw::HeadForged, "log_heads")],
    ),
    way(
        "a head gets the checkpoint of another",
        "update log_heads set note = (select note from log_heads order by size limit 1) where size = (select max(size) from log_heads)",
        &[(Flaw::HeadForged, "log_heads")],
    ),
    way(
        "the checkpoints are removed",
        "update log_heads set note = null",
        &[(Flaw::HeadUnsigned, "log_heads")],
    ),
    way(
        "a cosignature is made up",
        "insert into log_cosignatures select size, 'witness.example+00000000+AAAA', note, at from log_heads limit 1",
        &[(Flaw::CosignatureFalse, "log_cosignatures")],
    ),
    way(
        "states are kept of a table that is not remembered",
        "insert into log_states values ('others', '1', 0, '')",
        &[(Flaw::StateUnfounded, "log_states")],
    ),
];
