use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;

fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn claims() -> Claims {
    Claims {
        sub: Uuid::from_u128(1),
        sid: Uuid::from_u128(2),
        kind: Kind::User,
        roles: vec!["intake_officer".to_owned()],
        country: Some("KE".to_owned()),
        seat: None,
        rv: 3,
        iat: moment(0).timestamp(),
        exp: moment(300).timestamp(),
    }
}

fn tokens() -> (tempfile::TempDir, Keys, Tokens) {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::open_or_create(dir.path(), None).unwrap();
    let tokens = Tokens::new(&keys).unwrap();
    (dir, keys, tokens)
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// A token of any header and payload, truly signed with the server's key.
fn sign(keys: &Keys, header: &Value, payload: &str) -> String {
    let message = format!("{}.{}", encode(header), URL_SAFE_NO_PAD.encode(payload));
    let pair = Ed25519KeyPair::from_pkcs8(&keys.tokens()[0].private).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())))
}

fn payload() -> Value {
    let mut payload = serde_json::to_value(claims()).unwrap();
    payload["iss"] = json!("temwen");
    payload["aud"] = json!("temwen");
    payload
}

#[test]
fn what_was_issued_is_read_back_from_new_and_from_memory() {
    let (_dir, _, tokens) = tokens();
    let token = tokens.issue(&claims()).unwrap();
    for _ in 0..2 {
        assert_eq!(*tokens.verify(&token, moment(1)).unwrap(), claims());
    }
}

#[test]
fn time_bounds_hold_to_the_second_for_a_remembered_token_too() {
    let (_dir, _, tokens) = tokens();
    let token = tokens.issue(&claims()).unwrap();
    for _ in 0..2 {
        for (second, good) in [(-6, false), (-5, true), (0, true), (299, true), (300, false), (9999, false)] {
            assert_eq!(tokens.verify(&token, moment(second)).is_some(), good, "second {second}");
        }
    }
}

#[test]
fn every_key_verifies_the_newest_signs_and_a_foreign_one_does_not() {
    let (dir, _, before) = tokens();
    let token = before.issue(&claims()).unwrap();
    let kid = Keys::add_token_key(dir.path()).unwrap();
    let after = Tokens::new(&Keys::open_or_create(dir.path(), None).unwrap()).unwrap();
    assert!(after.verify(&token, moment(1)).is_some());
    let newer = after.issue(&claims()).unwrap();
    assert_eq!(jsonwebtoken::decode_header(&newer).unwrap().kid, Some(kid.clone()));
    assert!(before.verify(&newer, moment(1)).is_none());
    assert_eq!(after.jwks()["keys"].as_array().unwrap().len(), 2);
    assert_eq!(after.jwks()["keys"][1]["kid"], json!(kid));

    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let foreign =
        jsonwebtoken::encode(&before.header, &payload(), &EncodingKey::from_ed_der(document.as_ref()));
    assert!(before.verify(&foreign.unwrap(), moment(1)).is_none(), "our kid, a stranger's key");
}

#[test]
fn other_algorithms_are_refused_even_with_our_public_key_as_the_secret() {
    let (_dir, keys, tokens) = tokens();
    let kid = &keys.tokens()[0].kid;
    for alg in ["none", "None", "NONE", "", "HS256", "RS256", "ES256"] {
        let message = format!("{}.{}", encode(&json!({ "alg": alg, "kid": kid })), encode(&payload()));
        let good = URL_SAFE_NO_PAD
            .encode(Ed25519KeyPair::from_pkcs8(&keys.tokens()[0].private).unwrap().sign(message.as_bytes()));
        for signature in ["", "AA", &good] {
            assert!(tokens.verify(&format!("{message}.{signature}"), moment(1)).is_none(), "{alg}");
        }
    }
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(kid.clone());
    let public = &keys.tokens()[0];
    for secret in [&public.public[..], public.public_base64url().as_bytes()] {
        let token = jsonwebtoken::encode(&header, &payload(), &EncodingKey::from_secret(secret)).unwrap();
        assert!(tokens.verify(&token, moment(1)).is_none());
    }
}

#[test]
fn well_signed_tokens_of_another_shape_are_refused() {
    let (_dir, keys, tokens) = tokens();
    let kid = &keys.tokens()[0].kid;
    let header = json!({ "alg": "EdDSA", "kid": kid });
    let refused =
        |header: &Value, payload: &str| tokens.verify(&sign(&keys, header, payload), moment(1)).is_none();
    assert!(!refused(&header, &payload().to_string()));

    for header in [
        json!({ "alg": "EdDSA" }),
        json!({ "alg": "EdDSA", "kid": "0000000000000000" }),
        json!({ "alg": "EdDSA", "kid": kid, "crit": ["exp"] }),
    ] {
        assert!(refused(&header, &payload().to_string()), "{header}");
    }
    for (claim, value) in [
        ("iss", json!("other")),
        ("iss", json!(null)),
        ("aud", json!("other")),
        ("aud", json!(["temwen", "other"])),
        ("sub", json!("somebody")),
        ("sub", json!(null)),
        ("sid", json!("")),
        ("kind", json!("system")),
        ("kind", json!("User")),
        ("roles", json!("auditor")),
        ("roles", json!(null)),
        ("rv", json!("3")),
        ("exp", json!(null)),
        ("exp", json!("1800000300")),
        ("exp", json!(1e300)),
        ("exp", json!(-1)),
        ("exp", json!(i64::MIN)),
        ("exp", json!(u64::MAX)),
        ("iat", json!(i64::MAX)),
        ("iat", json!(null)),
    ] {
        let mut payload = payload();
        payload[claim] = value.clone();
        assert!(refused(&header, &payload.to_string()), "{claim}: {value}");
    }
    for claim in ["iss", "aud", "sub", "sid", "kind", "roles", "rv", "iat", "exp"] {
        let mut fewer = payload();
        fewer.as_object_mut().unwrap().remove(claim);
        assert!(refused(&header, &fewer.to_string()), "without {claim}");
        let whole = payload().to_string();
        let doubled = format!("{},{}:{}}}", &whole[..whole.len() - 1], json!(claim), payload()[claim]);
        assert!(refused(&header, &doubled), "twice {claim}");
    }
    for text in ["", "null", "[]", "{}", "{", "\u{0}"] {
        assert!(refused(&header, text), "{text}");
    }
    let mut more = payload();
    more["scope"] = json!({ "any": ["thing"] });
    assert!(!refused(&header, &more.to_string()), "unknown claims are tolerated");
}

#[test]
fn nonsense_is_refused() {
    let (_dir, keys, tokens) = tokens();
    let token = tokens.issue(&claims()).unwrap();
    let header = json!({ "alg": "EdDSA", "kid": keys.tokens()[0].kid });
    let mut long = payload();
    long["filler"] = json!("x".repeat(4000));
    let huge = sign(&keys, &header, &long.to_string());
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "\u{0}",
        "é.ü.ñ",
        "🦀🦀🦀.🦀.🦀",
        &huge,
        &"x".repeat(10_000_000),
        &".".repeat(4096),
        &format!("{token}."),
        &format!(".{token}"),
        &format!("{token} "),
        &format!(" {token}"),
        &format!("{token}="),
        &format!("Bearer {token}"),
        &token[1..],
        &token[..token.len() - 1],
        &token.to_uppercase(),
    ] {
        assert!(tokens.verify(text, moment(1)).is_none());
    }
    let many = Claims { roles: vec!["intake_officer".to_owned(); 300], ..claims() };
    assert!(matches!(tokens.issue(&many), Err(TokenError::TooLong)));
}

#[test]
fn a_remembered_token_is_verified_within_microseconds() {
    let (_dir, _, tokens) = tokens();
    let token = tokens.issue(&claims()).unwrap();
    let once = |times: u32| {
        let start = std::time::Instant::now();
        for _ in 0..times {
            assert!(tokens.verify(&token, moment(1)).is_some());
        }
        start.elapsed() / times
    };
    once(1);
    let hit = (0..5).map(|_| once(1000)).min().unwrap();
    eprintln!("a remembered token takes {hit:?}");
    assert!(hit < std::time::Duration::from_micros(60), "{hit:?}: a signature was verified again");
}

/// Made once: a key is written to disk for good, and that takes its time.
static TOKENS: LazyLock<Tokens> = LazyLock::new(|| tokens().2);

proptest! {
    #[test]
    fn no_altered_byte_goes_through(at in 0_usize..1000, byte in 0_u8..128) {
        let tokens = &*TOKENS;
        let token = tokens.issue(&claims()).unwrap();
        prop_assert!(tokens.verify(&token, moment(1)).is_some());
        let mut bytes = token.clone().into_bytes();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        prop_assert!(tokens.verify(&String::from_utf8(bytes).unwrap(), moment(1)).is_none());
    }

    #[test]
    fn no_text_makes_it_stumble(
        text in any::<String>(),
        parts in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,90}",
    ) {
        prop_assert!(TOKENS.verify(&text, moment(1)).is_none());
        prop_assert!(TOKENS.verify(&parts, moment(1)).is_none());
    }
}
