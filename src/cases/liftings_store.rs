//! SQL of liftings of walls.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::liftings::Lifting;
use crate::db::Tx;
use crate::db::schema::{wall_liftings, walls};
use crate::error::Result;
use crate::values::{MatterId, UserId};

/// Whether a matter is hidden from an account, or was, by a wall that put itself up for less than a person's service number.
pub(super) async fn may_be_judged(tx: &mut Tx, matter: MatterId, user: UserId) -> Result<bool> {
    let found: Option<UserId> = tx
        .ask(async |mut conn| {
            walls::table
                .find((user, matter.uuid()))
                .filter(walls::kind.eq("automatic"))
                .filter(walls::matched.ne("person").or(walls::rests_on.ne("service_number")))
                .select(walls::user_id)
                .first(&mut conn)
                .await
                .optional()
        })
        .await?;
    Ok(found.is_some())
}

pub(super) async fn any_wall(tx: &mut Tx, matter: MatterId, user: UserId) -> Result<bool> {
    let found: Option<UserId> = tx
        .ask(async |mut conn| {
            walls::table.find((user, matter.uuid())).select(walls::user_id).first(&mut conn).await.optional()
        })
        .await?;
    Ok(found.is_some())
}

/// The lifting of a wall that was proposed or confirmed and was not made void since.
pub(super) async fn open(tx: &mut Tx, matter: MatterId, user: UserId) -> Result<Option<Lifting>> {
    tx.ask(async |mut conn| {
        wall_liftings::table
            .filter(wall_liftings::user_id.eq(user).and(wall_liftings::matter_id.eq(matter)))
            .filter(wall_liftings::voided_at.is_null())
            .select(Lifting::as_select())
            .first(&mut conn)
            .await
            .optional()
    })
    .await
}

pub(super) async fn insert(
    tx: &mut Tx,
    id: Uuid,
    matter: MatterId,
    user: UserId,
    by: UserId,
    reason: &[u8],
) -> Result<Lifting> {
    let row = (
        wall_liftings::id.eq(id),
        wall_liftings::user_id.eq(user),
        wall_liftings::matter_id.eq(matter),
        wall_liftings::reason.eq(reason),
        wall_liftings::proposed_by.eq(by),
        wall_liftings::proposed_at.eq(tx.now()),
    );
    tx.ask(async |mut conn| {
        diesel::insert_into(wall_liftings::table)
            .values(row)
            .returning(Lifting::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

pub(super) async fn confirm(tx: &mut Tx, id: Uuid, by: UserId, reason: &[u8]) -> Result<Lifting> {
    let set = (
        wall_liftings::confirmed_by.eq(by),
        wall_liftings::confirmed_at.eq(tx.now()),
        wall_liftings::confirm_reason.eq(reason),
        wall_liftings::version.eq(wall_liftings::version + 1),
    );
    tx.ask(async |mut conn| {
        diesel::update(wall_liftings::table.find(id))
            .set(set)
            .returning(Lifting::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}
