//! `docs/AUDIT.md`: every event of the record, and what an entry is, as the code has them.

use std::fmt::Write as _;

use temwen::audit::What;

use crate::cast::committed;

const ABOUT: &str = "# The audit record

Everything that changes or reveals anything leaves an entry, in the transaction of what it tells of. An entry holds ids and words:
never a name, never free text. Actor, time, action and request id come from the server, never from a request's body.

## An entry

Its exact bytes are JSON in the canonical form of RFC 8785. They are a leaf of the log: hashed (RFC 6962: SHA-256 of a zero byte and
the bytes), and never changed.

| member | what it is |
| --- | --- |
| `v` | the version of this form: 1 |
| `id` | the entry's UUID, version 7 |
| `at` | when it happened, UTC, with six digits of a second |
| `actor` | `kind` (`user`, `reporter`, `public`, `system`) and `id`: an account, a reporter's complaint, `public`, or the name of a part of the system, which never acts as a user |
| `action` | what was done: a word of the catalogue below |
| `object` | `kind` and `id` of what it was done to |
| `matter` | the matter it belongs to, if it does |
| `request` | the id of the request, as in its `X-Request-Id` |
| `detail` | ids, words, numbers and flags that belong to it. Words of a person are there as commitments: `words` is SHA-256 of 32 random bytes, the salt, followed by the words |
| `changes` | each row that was changed: `kind` (its table), `id` (its key), `state`, SHA-256 of the canonical form (RFC 8785) of its columns as they are then, columns without a value left out, and `was`, the same of the row before, unless it is new. So a row that was changed behind the server's back and then in good order is found too. Each row has a random salt among its columns, so that nobody can guess what it holds |
| `salt` | 128 random bits that make the leaf's hash tell nothing |
| `seal` | HMAC-SHA-256 under a key of the server, which its database does not hold, over `action`, `actor`, `at`, `detail`, `id`, `object`, `request` and `v`. Entries from before the log began have none |

## The catalogue

Words never change; new ones are added.

| action | when |
| --- | --- |
";

#[test]
fn docs_audit_md_lists_every_event_there_is() {
    let mut page = ABOUT.to_owned();
    for what in What::ALL {
        let meaning = what.meaning().split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(page, "| `{}` | {meaning} |", what.as_str()).unwrap();
    }
    page += "\n<!-- Written by a test: UPDATE=1 cargo test --test api docs_audit -->\n";
    committed("docs/AUDIT.md", &page);
}
