//! Making complaints findable that were there before their words were kept, or came many at a time.

use std::error::Error as StdError;

use super::said::Kept;
use super::thread_store::{self, SealedMessage};
use super::{search, store};
use crate::coa::Language;
use crate::db::Tx;
use crate::db::data_keys::Keys;
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::values::ComplaintId;
use crate::words::{self, Field, Kind, Later, Object, Tokens};

/// The most messages of one thread that are read again.
const MESSAGES: i64 = 10_000;

/// Reads what waits.
pub async fn index(temwen: &Temwen, place: &mut Later) -> Result<()> {
    words::take(temwen, Kind::Complaint, place, async |tx, id| read(tx, temwen, id.into()).await).await
}

/// Keeps all words of a complaint; `None` if its texts cannot be read, or not yet.
async fn read(tx: &mut Tx, temwen: &Temwen, id: ComplaintId) -> Result<Option<()>> {
    let Some(complaint) = tx.ask(async |conn| store::find(conn, id).await).await? else { return Ok(None) };
    let Some(kept) = tx.ask(async |conn| store::said(conn, id).await).await? else { return Ok(None) };
    let thread = tx.ask(async |conn| thread_store::messages(conn, id, None, MESSAGES).await).await?;
    let (messages, key) = thread.unzip();
    let keys = Keys::new(temwen.db.vault(), key);
    let language = Language::parse(&complaint.language).unwrap_or(Language::Fr);
    let mut tokens = Tokens::new(&temwen.register);
    if let Err(error) = gather(&mut tokens, temwen, language, &kept, messages.unwrap_or_default(), &keys) {
        let error: &(dyn StdError + 'static) = &error;
        tracing::warn!(complaint = %id.uuid(), error, "its words could not be read; they are tried again");
        return Ok(None);
    }
    let tokens = tokens.into_vec();
    tx.ask(async |conn| words::add(conn, Object::Complaint(id), &tokens, true).await).await?;
    Ok(Some(()))
}

fn gather(
    tokens: &mut Tokens,
    temwen: &Temwen,
    language: Language,
    kept: &Kept,
    messages: Vec<SealedMessage>,
    keys: &Keys,
) -> Result<()> {
    if let Some(said) = kept.open(temwen.db.vault())? {
        let particulars = serde_json::from_str(&said.particulars).map_err(Error::internal)?;
        let names =
            said.identities.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        tokens.text(Field::Narrative, language, &said.narrative);
        search::particulars(tokens, language, &particulars);
        search::names(tokens, &names.unwrap_or_default());
    }
    for message in messages {
        if let Some(text) = message.open(keys)?.text {
            tokens.text(Field::Message, language, &text);
        }
    }
    Ok(())
}
