//! Who works on a case, who stepped back from it, and for whom it does not exist.

use chrono::{DateTime, Utc};

use super::workflow::duty_of;
use super::{Case, lock, people_store as store};
use crate::audit::{Event, What};
use crate::auth::Role;
use crate::auth::policy::Action;
use crate::complaints::{self, Complaint};
use crate::db::data_keys::Keys;
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::personnel;
use crate::temwen::Temwen;
use crate::users::{find_active, seen_is_current};
use crate::values::{CaseId, ComplaintId, MatterId, Reason, UserId, text_enum};

text_enum! {
    /// Why a matter does not exist for somebody.
    WallKind {
        /// It was hidden from them.
        Wall = "wall",
        /// They stepped back.
        Recusal = "recusal",
        /// It put itself up: they are named in it, or stand near a subject.
        Automatic = "automatic",
    }
}

/// A wall around a matter, for one account.
#[derive(Debug, Clone)]
pub struct Wall {
    /// For whom the matter does not exist.
    pub user_id: UserId,
    /// Why.
    pub kind: WallKind,
    /// Why, in words; of one that put itself up, none.
    pub reason: Option<String>,
    /// Who put it up; nobody, if it put itself up.
    pub put_up_by: Option<UserId>,
    /// Of one that put itself up: whether the account is the `person` who is named, serves in the `unit` of a subject, or has the
    /// `command` above it.
    pub matched: Option<String>,
    /// Of one that put itself up: whether a `name`, a `service_number` or a `unit` was the same.
    pub rests_on: Option<String>,
    /// When.
    pub put_up_at: DateTime<Utc>,
}

/// Who is to work on a case, and as what.
#[derive(Debug, Clone)]
pub struct NewAssignment {
    /// Their account.
    pub user: UserId,
    /// As what; their only role that works on cases, unless given.
    pub role: Option<Role>,
    /// Whether they declared a conflict of interest. Nobody is assigned without a declaration.
    pub conflict_declared: bool,
}

/// Roles that are assigned to single cases.
const WORKING: [Role; 4] = [Role::Investigator, Role::VictimSupport, Role::LegalLiaison, Role::TriageOfficer];

/// The walls around a case. That they were read is recorded.
pub async fn walls(temwen: &Temwen, caller: &Caller, id: CaseId) -> Result<Vec<Wall>> {
    let read = async |conn: &_| store::walls_of_case(conn, id).await;
    let entry = Event::case_read(What::WallsRead, id);
    let (sealed, key) =
        temwen.db.read_recorded(caller, "cases.walls", entry, read).await?.ok_or_else(Error::not_found)?;
    let keys = Keys::new(temwen.db.vault(), [key]);
    sealed.into_iter().map(|wall| wall.open(&keys)).collect()
}

/// Sets somebody to work on a case, after they declared that they have no conflict of interest.
pub async fn assign(tx: &mut Tx, id: CaseId, seen: i32, new: &NewAssignment) -> Result<Case> {
    let case = lock(tx, id).await?;
    tx.allow(Action::Assign)?;
    seen_is_current(seen, case.version)?;
    if case.stage.is_over() {
        return Err(Error::new(Kind::WrongMoment, "this case is over; reopen it first"));
    }
    if new.conflict_declared {
        return Err(Error::new(
            Kind::WrongMoment,
            "whoever declares a conflict of interest cannot work on the case; recuse them",
        ));
    }
    // The same answer for an account that does not exist, may not sign in, or for which the matter does not exist:
    // who is walled from a matter is nobody's business here.
    let unfit = || Error::fault("/user_id", "is not an account that can work on this case");
    let user = find_active(tx, new.user).await?.ok_or_else(unfit)?;
    let role = match new.role {
        Some(role) if user.roles().has(role) && WORKING.contains(&role) => role,
        Some(_) => {
            return Err(Error::fault("/role", "is not a role of this account in which cases are worked on"));
        }
        None => WORKING.into_iter().find(|role| user.roles().has(*role)).ok_or_else(unfit)?,
    };
    if personnel::is_walled(tx, new.user, case.matter_id).await? {
        return Err(unfit());
    }
    if let Some(duty) = duty_of(role) {
        store::take_duty(tx, id, new.user, duty).await?;
    }
    store::assign(tx, &case, new.user, role).await?;
    let case = super::store::touch(tx, &case).await?;
    tx.record(
        Event::case(What::CaseAssigned, id, case.matter_id)
            .with("user", new.user.uuid())
            .with("role", role.as_str()),
    );
    Ok(case)
}

/// Ends an assignment. Their part in the case stays remembered.
pub async fn unassign(tx: &mut Tx, id: CaseId, seen: i32, user: UserId) -> Result<Case> {
    let case = lock(tx, id).await?;
    tx.allow(Action::Assign)?;
    seen_is_current(seen, case.version)?;
    if store::end_assignment(tx, id, user).await? == 0 {
        return Err(Error::not_found());
    }
    let case = super::store::touch(tx, &case).await?;
    tx.record(Event::case(What::CaseUnassigned, id, case.matter_id).with("user", user.uuid()));
    Ok(case)
}

/// Whoever acts steps back: their work on the case ends, and from then on it does not exist for them.
pub async fn recuse(tx: &mut Tx, id: CaseId, reason: &Reason) -> Result<()> {
    let case = lock(tx, id).await?;
    tx.allow(Action::Recuse)?;
    let user = tx.actor().user().ok_or_else(Error::forbidden)?;
    hide(tx, &case, user, WallKind::Recusal, reason).await?;
    tx.record(Event::case(What::CaseRecused, id, case.matter_id).with("user", user.uuid()));
    personnel::reroute(tx, case.matter_id).await?;
    Ok(())
}

/// Hides a case from an account: silently, and stronger than every role.
pub async fn wall_case(tx: &mut Tx, id: CaseId, user: UserId, reason: &Reason) -> Result<()> {
    let case = lock(tx, id).await?;
    allow_wall(tx, user).await?;
    hide(tx, &case, user, WallKind::Wall, reason).await?;
    leave_somebody(tx, case.matter_id, user).await?;
    tx.record(Event::case(What::WallPutUp, id, case.matter_id).with("user", user.uuid()));
    personnel::reroute(tx, case.matter_id).await?;
    Ok(())
}

/// Hides a complaint from an account; the case that grows from it is hidden too.
pub async fn wall_complaint(tx: &mut Tx, id: ComplaintId, user: UserId, reason: &Reason) -> Result<()> {
    let complaint = complaints::lock(tx, id).await?;
    allow_wall(tx, user).await?;
    if let Some(case) = complaint.case_id {
        let case = lock(tx, case).await?;
        hide(tx, &case, user, WallKind::Wall, reason).await?;
    } else {
        complaints::store::back_to_desk(tx, complaint.matter_id, user).await?;
        put_up(tx, complaint.matter_id, user, WallKind::Wall, reason).await?;
    }
    leave_somebody(tx, complaint.matter_id, user).await?;
    tx.record(Event::complaint(What::WallPutUp, id, matter_of(&complaint)).with("user", user.uuid()));
    personnel::reroute(tx, complaint.matter_id).await?;
    Ok(())
}

fn matter_of(complaint: &Complaint) -> MatterId {
    complaint.matter_id
}

/// Why something that would bury a matter is refused.
pub(super) const NOBODY_LEFT: &str =
    "besides you nobody would be left who could sign for this matter; it must not be hidden from all";

/// Refuses the wall that would leave nobody else who could sign for the matter: hidden from all, it would be buried.
async fn leave_somebody(tx: &mut Tx, matter: MatterId, walled: UserId) -> Result<()> {
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    let signers = [Role::TriageOfficer, Role::PseaCoordinator, Role::OhchrMonitor];
    let signs = crate::users::find(tx, walled).await?.roles().any(&signers);
    if !signs || store::somebody_is_left(tx, matter, &signers, by).await? {
        return Ok(());
    }
    Err(Error::new(Kind::WrongMoment, NOBODY_LEFT))
}

async fn allow_wall(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.allow(Action::PutUpWall)?;
    if tx.actor().user() == Some(user) {
        return Err(Error::fault("/user_id", "is yourself; step back with a recusal"));
    }
    // Deactivated accounts too: they may be needed again under another name for the same person, never for this.
    crate::users::find(tx, user).await.map(|_| ()).map_err(|_| Error::fault("/user_id", "is not an account"))
}

/// Ends what `user` does in the case, gives it back to its desk, and puts the wall up: in this order, because after the
/// wall whoever steps back could not even end their own work.
async fn hide(tx: &mut Tx, case: &Case, user: UserId, kind: WallKind, reason: &Reason) -> Result<()> {
    give_back(tx, case, user).await?;
    put_up(tx, case.matter_id, user, kind, reason).await
}

/// Ends what `user` does in the case and gives it, and its complaints, back to their desks; whether there was anything.
async fn give_back(tx: &mut Tx, case: &Case, user: UserId) -> Result<bool> {
    let ended = store::end_assignment(tx, case.id, user).await? > 0;
    let owned = case.owner_id == Some(user);
    if owned {
        super::store::back_to_desk(tx, case).await?;
    }
    let complaints = complaints::store::back_to_desk(tx, case.matter_id, user).await? > 0;
    Ok(ended || owned || complaints)
}

/// Gives what an account that cannot do it any more still works on or answers for back to its desk; how many cases.
pub async fn return_to_desks(temwen: &Temwen) -> Result<usize> {
    let caller = Caller::system("cases.return_to_desk");
    let left = temwen.db.read(&caller, async |conn| store::left_behind(conn).await).await?;
    let mut returned = 0;
    for (id, user) in left {
        let give = async |tx: &mut Tx| {
            let case = lock(tx, id).await?;
            if !give_back(tx, &case, user).await? {
                // Another node was quicker: nothing happened, so nothing is recorded.
                return Err(Error::not_found());
            }
            tx.record(Event::case(What::CaseReturned, id, case.matter_id).with("user", user.uuid()));
            Ok(())
        };
        match temwen.db.write(&caller, "cases.return_to_desk", give).await {
            Ok(()) => returned += 1,
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(returned)
}

async fn put_up(tx: &mut Tx, matter: MatterId, user: UserId, kind: WallKind, reason: &Reason) -> Result<()> {
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    store::put_up(tx, matter, user, kind, reason, by).await
}
