//! Being told to stop: Ctrl-C and SIGTERM.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the program was told to stop. Clones hear the same.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Whether it was.
    pub(super) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub(super) async fn wait(&mut self) {
        // Nobody left to tell us is a reason to stop, too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Listens from now on. Who asks a second time does not want to wait: the program ends at once, and what it was doing is
/// recovered at the next start.
pub(super) fn listen() -> io::Result<Stop> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (tell, stop) = watch::channel(false);
    actix_web::rt::spawn(async move {
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
                _ = terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
            };
            if tell.send_replace(true) {
                tracing::warn!("told to stop a second time: ending at once");
                std::process::exit(code);
            }
        }
    });
    Ok(Stop(stop))
}
