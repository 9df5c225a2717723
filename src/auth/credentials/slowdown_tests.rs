use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn slowdown() -> (Slowdown, Instant) {
    (Slowdown::new(1000).unwrap(), Instant::now())
}

/// How long the attempt waits; it stays open.
fn wait(slowdown: &Slowdown, account: &str, source: &str, now: Instant) -> Result<Attempt, u64> {
    match slowdown.delay(account, Some(source), now) {
        Wait::Go(attempt) => Ok(attempt),
        Wait::Refuse { retry_after } => Err(retry_after),
    }
}

fn fail(slowdown: &Slowdown, account: &str, source: &str, now: Instant) -> Option<Duration> {
    wait(slowdown, account, source, now).ok().map(|attempt| {
        let wait = attempt.wait();
        attempt.failed();
        wait
    })
}

#[test]
fn four_failures_are_free_and_then_the_wait_doubles_up_to_eight_seconds() {
    let (slowdown, mut now) = slowdown();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let wait = fail(&slowdown, "a", "here", now).unwrap();
        now += wait;
        waits.push(wait.as_millis());
    }
    assert_eq!(waits, [0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
}

#[test]
fn attempts_made_at_once_take_successive_slots_and_beyond_thirty_seconds_are_refused() {
    let (slowdown, now) = slowdown();
    let open: Vec<_> = (0..50).map(|_| wait(&slowdown, "a", "here", now)).collect();
    let slots: Vec<_> = open.iter().flatten().map(|attempt| attempt.wait().as_millis()).collect();
    assert_eq!(slots, [0, 0, 0, 0, 250, 750, 1750, 3750, 7750, 15750, 23750]);
    let refused: Vec<_> = open.iter().filter_map(|one| one.as_ref().err()).collect();
    assert!(refused.len() == 39 && refused.iter().all(|after| **after == 2), "{refused:?}");
    assert!(wait(&slowdown, "a", "here", now + 2 * SECOND).is_ok());
}

#[test]
fn an_attacker_from_one_source_never_makes_the_owner_elsewhere_wait_more_than_eight_seconds() {
    let (slowdown, start) = slowdown();
    let mut open = Vec::new();
    for second in 0..3600 {
        let now = start + SECOND * second;
        for n in 0..20 {
            match (wait(&slowdown, "owner", "attacker", now), n % 2) {
                (Ok(attempt), 0) => open.push(attempt),
                (Ok(attempt), _) => attempt.failed(),
                (Err(_), _) => {}
            }
        }
        if second % 60 == 59 {
            let home = format!("new address {second}");
            let attempt = wait(&slowdown, "owner", &home, now).unwrap();
            assert!(attempt.wait() <= 8 * SECOND, "{:?} after {second} s", attempt.wait());
            attempt.not_judged();
        }
        if second == 60 {
            wait(&slowdown, "owner", "home", now).unwrap().succeeded();
        }
        if second > 60 {
            let attempt = wait(&slowdown, "owner", "home", now).unwrap();
            assert_eq!(attempt.wait(), Duration::ZERO, "where the owner signed in before nothing changes");
            attempt.succeeded();
        }
    }
}

#[test]
fn an_attacker_from_one_source_gets_few_guesses() {
    let (slowdown, start) = slowdown();
    let count = |account: &dyn Fn(u32) -> String, source: &str| {
        let attempts = (0..86_400 * 2)
            .filter(|n| fail(&slowdown, &account(*n), source, start + SECOND / 2 * *n).is_some());
        attempts.count()
    };
    let one = count(&|_| "owner".to_owned(), "attacker");
    let many = count(&|n| format!("account {n}"), "sprayer");
    assert!(one < 2000 && many < 2000, "{one} and {many} guesses in a day");
}

#[test]
fn a_source_over_its_limit_leaves_no_trace_on_an_account() {
    let (slowdown, now) = slowdown();
    for n in 0..200 {
        let _ = fail(&slowdown, &format!("account {n}"), "attacker", now);
    }
    for _ in 0..100 {
        assert!(wait(&slowdown, "owner", "attacker", now).is_err());
    }
    assert_eq!(wait(&slowdown, "owner", "elsewhere", now).unwrap().wait(), Duration::ZERO);
}

#[test]
fn a_training_room_signs_in_at_once_behind_one_address() {
    let (slowdown, now) = slowdown();
    let open: Vec<_> =
        (0..60).map(|n| wait(&slowdown, &format!("officer {n}"), "room", now).unwrap()).collect();
    assert!(open.iter().all(|attempt| attempt.wait() == Duration::ZERO));
    open.into_iter().for_each(Attempt::succeeded);
    for n in 0..40 {
        let _ = fail(&slowdown, &format!("stranger {n}"), "room", now + SECOND);
    }
    assert!(wait(&slowdown, "stranger", "room", now + SECOND).is_err());
    assert_eq!(wait(&slowdown, "officer 7", "room", now + SECOND).unwrap().wait(), Duration::ZERO);
}

#[test]
fn success_clears_what_its_own_source_had_failed_and_no_more() {
    let (slowdown, now) = slowdown();
    for _ in 0..4 {
        fail(&slowdown, "a", "elsewhere", now).unwrap();
        fail(&slowdown, "a", "here", now).unwrap();
    }
    let attempt = wait(&slowdown, "a", "here", now + 30 * SECOND).unwrap();
    assert_eq!(attempt.wait(), 4 * SECOND);
    attempt.succeeded();
    assert_eq!(wait(&slowdown, "a", "here", now + 60 * SECOND).unwrap().wait(), Duration::ZERO);
    assert!(wait(&slowdown, "a", "third", now + 60 * SECOND).unwrap().wait() > Duration::ZERO);
}

#[test]
fn failures_are_forgiven_with_time() {
    let (slowdown, now) = slowdown();
    for _ in 0..10 {
        let _ = fail(&slowdown, "a", "here", now);
    }
    assert_eq!(wait(&slowdown, "a", "there", now + 301 * SECOND).unwrap().wait(), 4 * SECOND);
    assert_eq!(wait(&slowdown, "a", "there", now + 3600 * SECOND).unwrap().wait(), Duration::ZERO);
    assert_eq!(wait(&slowdown, "a", "here", now + 7200 * SECOND).unwrap().wait(), Duration::ZERO);
}

#[test]
fn what_could_not_be_judged_counts_for_nothing_and_what_hung_up_counts() {
    let (slowdown, now) = slowdown();
    for _ in 0..100 {
        let attempt = wait(&slowdown, "a", "here", now).unwrap();
        assert_eq!(attempt.wait(), Duration::ZERO);
        attempt.not_judged();
    }
    for _ in 0..4 {
        drop(wait(&slowdown, "a", "here", now).unwrap());
    }
    assert_eq!(wait(&slowdown, " A ", "here", now).unwrap().wait(), FIRST_WAIT);
}

#[test]
fn without_a_source_only_the_account_counts() {
    let (slowdown, now) = slowdown();
    for n in 0..500 {
        match slowdown.delay(&format!("account {n}"), None, now) {
            Wait::Go(attempt) => assert_eq!(attempt.wait(), Duration::ZERO),
            Wait::Refuse { .. } => panic!("nobody shares this account"),
        }
    }
}

#[test]
fn memory_is_bounded_and_holds_nobodys_name() {
    let slowdown = Slowdown::new(10).unwrap();
    let now = Instant::now();
    for n in 0..10_000 {
        let _ = fail(&slowdown, &format!("account {n}"), &format!("source {n}"), now);
    }
    let attempt = wait(&slowdown, "marie@example.org", "192.0.2.7", now).unwrap();
    let shown = format!("{slowdown:?} {attempt:?}");
    assert!(!shown.contains("marie") && !shown.contains("192.0"));
}

#[test]
fn a_source_is_an_ipv4_address_or_an_ipv6_network() {
    let network = |text: &str| network_of(text.parse().unwrap());
    assert_eq!(network("192.0.2.7"), "192.0.2.7");
    assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assert_eq!(network("2001:db8:1:2:ffff::"), network("2001:db8:1:2::1"));
}
