use std::sync::Arc;

use super::*;
use crate::auth::{Officer, Roles};
use crate::values::{SessionId, UserId};

fn officer(roles: &[Role]) -> Actor {
    Actor::Officer(Arc::new(Officer {
        id: UserId::new(),
        session: SessionId::new(),
        roles: roles.iter().copied().collect::<Roles>(),
        country: Some("KE".into()),
        seat: None,
        rights: 1,
    }))
}

#[test]
fn p3_whoever_keeps_accounts_or_checks_the_record_sees_no_matter() {
    let lanes = Lanes::new(["sexual_exploitation_abuse"]);
    assert_eq!(scope(&officer(&[Role::StatisticsOfficer]), &lanes), Scope::default());
    let roster = Scope { roster: true, ..Scope::default() };
    assert_eq!(scope(&officer(&[Administrator]), &lanes), roster);
    // Auditors see who did what, and of the matters themselves nothing.
    let audit = Scope { audit: true, ..Scope::default() };
    assert_eq!(scope(&officer(&[Role::Auditor]), &lanes), audit);
}

#[test]
fn p3_a_country_is_seen_by_its_authority_alone() {
    let lanes = Lanes::new([]);
    for &role in Role::ALL {
        assert_eq!(scope(&officer(&[role]), &lanes).country.is_some(), role == NationalAuthority, "{role:?}");
    }
}

#[test]
fn p3_what_is_dealt_with_outside_is_the_ohchrs_alone() {
    let lanes = Lanes::new([]);
    for &role in Role::ALL {
        assert_eq!(scope(&officer(&[role]), &lanes).outside, role == OhchrMonitor, "{role:?}");
    }
}

#[test]
fn nobody_with_an_account_acts_as_the_system() {
    for &role in Role::ALL {
        assert!(!allows(&officer(&[role]), Action::RunTheRegister));
    }
}
