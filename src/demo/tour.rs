//! The tour: six commands that a shell with curl and sed runs as they stand.

use std::net::SocketAddr;

use secrecy::{ExposeSecret as _, SecretString};

/// The commands, in which `officer` signs in. Without the password, a word on where it was printed.
pub(super) fn text(address: SocketAddr, officer: &str, password: Option<&SecretString>) -> String {
    let Some(password) = password else {
        return "The commands of the tour were printed with the passwords when the demonstration was made."
            .to_owned();
    };
    // Listening everywhere is reached here.
    let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { host(address) };
    let (port, password) = (address.port(), password.expose_secret());
    format!(
        r#"
The tour, to be pasted into a shell as a whole or command by command:

  TEMWEN=http://{host}:{port} PASSWORD='{password}' JSON='Content-Type: application/json'
  pick() {{ sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }}

  # 1. Submit a complaint; no account is needed.
  MINE=$(curl -sS $TEMWEN/v1/complaints -H "$JSON" -d '{{"channel":"web_form","language":"en","narrative":"Yesterday a patrol damaged my stall at the market and drove on.","allegations":[{{"type":"property_damage"}}]}}'); echo "$MINE"

  # 2. Sign in as the triage officer.
  TOKEN=$(curl -sS $TEMWEN/v1/sessions -H "$JSON" -d "{{\"email\":\"{officer}\",\"password\":\"$PASSWORD\"}}" | pick access_token); echo "$TOKEN"

  # 3. List the complaints that nobody has judged yet.
  curl -sS "$TEMWEN/v1/complaints?status=received&limit=3" -H "Authorization: Bearer $TOKEN"; echo

  # 4. Open a case from yours.
  curl -sS $TEMWEN/v1/complaints/$(echo "$MINE" | pick id)/assessment -H "Authorization: Bearer $TOKEN" -H 'If-Match: "1"' -H "$JSON" -d '{{"decision":"open_case","category":"minor_misconduct","priority":"routine","reason":"Damage by a patrol, to be looked into."}}'; echo

  # 5. Read its thread as the reporter, with reference and access code instead of an account.
  THREAD=$(curl -sS $TEMWEN/v1/reporter/sessions -H "$JSON" -d "{{\"reference\":\"$(echo "$MINE" | pick reference)\",\"access_code\":\"$(echo "$MINE" | pick access_code)\"}}" | pick access_token); curl -sS $TEMWEN/v1/reporter/complaint -H "Authorization: Bearer $THREAD"; echo

  # 6. Take the receipt away, and check it without the server.
  curl -sS $TEMWEN/v1/reporter/receipt -H "Authorization: Bearer $THREAD" -H 'Accept: text/plain' -o receipt.tlog-proof; curl -sS $TEMWEN/v1/log/key -o log.key; target/release/temwen verify-receipt receipt.tlog-proof --key log.key
"#
    )
}

fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}
