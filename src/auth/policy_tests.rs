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
    for role in [Administrator, Role::StatisticsOfficer] {
        assert_eq!(scope(&officer(&[role]), &lanes), Scope::default(), "{role:?}");
    }
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
fn nobody_with_an_account_acts_as_the_system() {
    for &role in Role::ALL {
        assert!(!allows(&officer(&[role]), Action::RunTheRegister));
    }
}
