//! What a server puts on record when it starts and when it stops: its version, its settings, the keys it uses, the policy.

use serde_json::json;

use crate::audit::leaf::{canonical, digest};
use crate::audit::{self, Event, What};
use crate::commands::Failed;
use crate::config::Serve;
use crate::db::{Caller, Tx};
use crate::error::Result;
use crate::temwen::Temwen;

const NAME: &str = "server";

/// Puts the start on record, and what differs from the start before: settings, keys, policy.
pub(super) async fn remember(temwen: &Temwen, settings: &Serve) -> Result<(), Failed> {
    let caller = Caller::system(NAME);
    let (policy, start) = temwen
        .db
        .read(&caller, async |conn| {
            futures_util::try_join!(audit::last_policy_digest(conn), audit::last_start(conn))
        })
        .await?;
    let configuration = configuration(settings, temwen);
    let keys = temwen.keys.in_use();
    let words = || audit::Detail::words(keys.iter().map(String::as_str));
    let mut events = Vec::new();
    if let Some(before) = start {
        if before.configuration != configuration {
            events.push(
                Event::register(What::ConfigurationChanged).with("configuration", configuration.as_str()),
            );
        }
        if before.keys != keys {
            events.push(Event::register(What::KeysRotated).with("keys", words()));
        }
    }
    let in_force = &temwen.policy;
    if policy.as_deref() != Some(in_force.digest.as_str()) {
        events.push(
            Event::register(What::PolicyTookEffect)
                .with("id", in_force.id.as_str())
                .with("version", in_force.version.as_str())
                .with("digest", in_force.digest.as_str()),
        );
        tracing::info!(id = in_force.id, version = in_force.version, "a policy took effect");
    }
    events.push(
        Event::register(What::ServerStarted)
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("configuration", configuration.as_str())
            .with("keys", words()),
    );
    let record = async |tx: &mut Tx| {
        for event in events {
            tx.record(event);
        }
        Ok(())
    };
    temwen.db.write(&caller, "server.start", record).await?;
    Ok(())
}

/// Puts the end on record.
pub(super) async fn remember_end(temwen: &Temwen) -> Result<()> {
    let event = Event::register(What::ServerStopped).with("version", env!("CARGO_PKG_VERSION"));
    temwen.db.remember(&Caller::system(NAME), "server.stop", event).await
}

/// What tells one configuration from another: nothing of it can be read from its digest, which holds no secret.
fn configuration(settings: &Serve, temwen: &Temwen) -> String {
    let form = canonical(&json!({
        "listen": settings.listen.to_string(),
        "demo": settings.demo,
        "workers": settings.workers,
        "connections": settings.database_connections,
        "trusted_proxies": settings.trusted_proxies,
        "work": [settings.work_above, u32::from(settings.work_bits)],
        "tls": settings.tls_cert.is_some(),
        "metrics": settings.metrics_listen.map(|address| address.to_string()),
        "witnesses": temwen.witnesses.as_ref().map(|policy| digest(policy.source())),
        "log": settings.log,
        "private": settings.database.database_url.is_none(),
    }));
    digest(form.as_bytes())
}
