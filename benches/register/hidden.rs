//! Whether the time that an answer takes tells what is hidden from what does not exist.
//!
//! One client asks for matters that are walled off from it and for ids that nobody has, in turns, so that whatever else the machine
//! does falls on both. The ids that nobody has are taken in two halves: how far these two differ is the noise.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::ground::Running;
use crate::load;
use crate::{Settings, case_id};

/// What is asked for, of a case or of its complaint.
const ASKED: [(&str, bool, &str); 4] = [
    ("GET /v1/cases/{id}", true, ""),
    ("GET /v1/cases/{id}/timeline", true, "/timeline"),
    ("GET /v1/complaints/{id}", false, ""),
    ("GET /v1/complaints/{id}/messages", false, "/messages"),
];

/// Measures each kind of question; prints and returns the medians and their ratios.
pub async fn measure(settings: &Settings, server: &Running) -> Value {
    let rounds = if settings.quick { 1_500 } else { 12_000 };
    // As the walls were put up when the register was filled.
    let (walls, apart) = ((settings.cases / 10).min(300), (settings.cases / 300).max(10));
    let complaint = |case: Uuid| Uuid::from_u128(case.as_u128() + (0x1000 << 48));
    println!("\n404 of what is hidden against 404 of what is not there, one client, medians in ms");
    let mut results = Vec::new();
    for (name, of_case, rest) in ASKED {
        let token = server.token("triage_officer").await;
        let request = |number: u64| {
            let id = if of_case { case_id(number) } else { complaint(case_id(number)) };
            let path = format!("/v1/{}/{id}{rest}", if of_case { "cases" } else { "complaints" });
            let mut request = Vec::new();
            load::get(&mut request, &path, &token);
            request
        };
        let requests: Vec<Vec<u8>> = (0..rounds)
            .flat_map(|round| {
                let hidden = request(7 + (round % walls) * apart);
                let absent = settings.cases + 1_000 + round;
                let mut three = [hidden, request(absent), request(absent + rounds)];
                // None is always the first after another kind.
                three.rotate_left(usize::try_from(round % 3).unwrap_or(0));
                three
            })
            .collect();
        // Once to warm up, once to measure.
        load::times(server.address, &requests[..requests.len().min(900)], 404).await;
        let times = load::times(server.address, &requests, 404).await;
        let mut kinds = [Vec::new(), Vec::new(), Vec::new()];
        for (place, time) in times.into_iter().enumerate() {
            let (round, turn) = (place / 3, place % 3);
            kinds[(turn + round % 3) % 3].push(time);
        }
        let [hidden, absent, again] = kinds.map(|mut all| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        });
        println!(
            "  {name:<34} hidden {hidden:.3}, absent {absent:.3}: ratio {:.3} (absent against absent {:.3})",
            hidden / absent,
            again / absent
        );
        results.push(json!({ "request": name, "hidden_ms": hidden, "absent_ms": absent,
            "ratio": hidden / absent, "noise": again / absent }));
    }
    Value::Array(results)
}
