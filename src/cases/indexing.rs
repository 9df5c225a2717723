//! Making cases findable that were there before their words were kept, or came many at a time.

use std::error::Error as StdError;

use super::notes_store::{self as store, SealedNote};
use crate::db::Tx;
use crate::db::data_keys::Keys;
use crate::error::Result;
use crate::temwen::Temwen;
use crate::values::CaseId;
use crate::words::{self, Field, Kind, Later, Object, Tokens};

/// The most notes of one case that are read again.
const NOTES: i64 = 10_000;

/// Reads what waits.
pub async fn index(temwen: &Temwen, place: &mut Later) -> Result<()> {
    words::take(temwen, Kind::Case, place, async |tx, id| read(tx, temwen, id.into()).await).await
}

/// Keeps all words of a case; `None` if its notes cannot be read, or not yet.
async fn read(tx: &mut Tx, temwen: &Temwen, id: CaseId) -> Result<Option<()>> {
    let found = tx.ask(async |conn| store::of_case(conn, id, None, NOTES).await).await?;
    let Some((notes, key)) = found else { return Ok(None) };
    let mut tokens = Tokens::new(&temwen.register);
    if let Err(error) = gather(&mut tokens, notes, &Keys::new(temwen.db.vault(), [key])) {
        let error: &(dyn StdError + 'static) = &error;
        tracing::warn!(case = %id.uuid(), error, "its words could not be read; they are tried again");
        return Ok(None);
    }
    let tokens = tokens.into_vec();
    tx.ask(async |conn| words::add(conn, Object::Case(id), &tokens, true).await).await?;
    Ok(Some(()))
}

fn gather(tokens: &mut Tokens, notes: Vec<SealedNote>, keys: &Keys) -> Result<()> {
    for note in notes {
        if let Some(text) = note.open(keys)?.text {
            tokens.text_of_any(Field::Note, &text);
        }
    }
    Ok(())
}
