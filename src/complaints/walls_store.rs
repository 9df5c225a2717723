//! SQL of the walls that follow a complaint into a case.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Tx;
use crate::db::schema::walls;
use crate::error::Result;
use crate::values::{MatterId, UserId};
use crate::vault::Place;

/// Where the words stand that say why a matter is hidden from somebody.
pub(crate) fn wall_reason(user: UserId) -> Place {
    Place::new("walls", "reason", user.uuid())
}

/// The walls that somebody put up around one matter are put up around another too.
pub(crate) async fn copy_walls(tx: &mut Tx, from: MatterId, to: MatterId, by: UserId) -> Result<()> {
    let now = tx.now();
    let standing: Vec<(UserId, String, Option<Vec<u8>>)> = tx
        .ask(async |mut conn| {
            walls::table
                .filter(walls::matter_id.eq(from).and(walls::kind.ne("automatic")))
                .select((walls::user_id, walls::kind, walls::reason_sealed))
                .load(&mut conn)
                .await
        })
        .await?;
    let there: Vec<UserId> = tx
        .ask(async |mut conn| {
            walls::table.filter(walls::matter_id.eq(to)).select(walls::user_id).load(&mut conn).await
        })
        .await?;
    // What is said of a wall is sealed with the key of its matter; beside another matter it has to be sealed anew.
    let keys = tx.keys_of(standing.iter().map(|(.., reason)| reason.as_deref())).await?;
    let key = tx.data_key(to.uuid()).await?;
    let mut rows = Vec::new();
    for (user, kind, reason) in standing.iter().filter(|(user, ..)| !there.contains(user)) {
        let place = wall_reason(*user);
        let reason = keys.some_text(place, reason.as_deref())?;
        let reason = reason.map(|reason| key.seal(place, reason.as_bytes())).transpose()?;
        rows.push((
            walls::user_id.eq(user),
            walls::matter_id.eq(to),
            walls::kind.eq(kind),
            walls::reason_sealed.eq(reason),
            walls::put_up_by.eq(by),
            walls::put_up_at.eq(now),
        ));
    }
    tx.ask(async |mut conn| diesel::insert_into(walls::table).values(rows).execute(&mut conn).await)
        .await
        .map(|_| ())
}
