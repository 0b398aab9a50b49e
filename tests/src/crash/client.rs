//! One who uses the broker and writes down what it is told.

use anyhow::{Context, Result};
use serde_json::json;
use std::time::{Duration, SystemTime};

use super::ledger::Share;
use crate::Actor;

/// Whoever holds a token, with the ledger.
#[derive(Clone)]
pub struct Client {
    actor: Actor,
    ledger: Share,
}

impl Client {
    /// One that speaks as `actor`.
    pub fn new(actor: Actor, ledger: &Share) -> Client {
        Client {
            actor,
            ledger: ledger.clone(),
        }
    }

    /// A credential from `path` (`database/creds/member`); its lease id.
    pub fn issue(&self, path: &str) -> Result<String> {
        let asked = SystemTime::now();
        let answer = self.actor.get(path)?.expect(200)?;
        let lease = answer.text_at("/lease_id")?;
        let ttl = answer.at("/lease_duration")?.as_u64().context("a TTL")?;
        self.ledger.open().issue(
            &lease,
            &answer.text_at("/data/username")?,
            &answer.text_at("/data/password")?,
            asked,
            Duration::from_secs(ttl),
        );
        Ok(lease)
    }

    /// Renews a lease for `increment`.
    pub fn renew(&self, lease: &str, increment: Duration) -> Result<()> {
        self.ledger.open().renewing(lease, increment);
        let asked = SystemTime::now();
        let body = json!({"lease_id": lease, "increment": increment.as_secs()});
        let answer = self.actor.put("sys/leases/renew", body)?.expect(200)?;
        let ttl = answer.at("/lease_duration")?.as_u64().context("a TTL")?;
        self.ledger
            .open()
            .renew(lease, asked, Duration::from_secs(ttl));
        Ok(())
    }

    /// Revokes a lease.
    pub fn revoke(&self, lease: &str) -> Result<()> {
        self.ending(std::slice::from_ref(&lease.to_owned()), || {
            self.actor
                .put("sys/leases/revoke", json!({"lease_id": lease}))?
                .expect(204)
        })
    }

    /// A token of its own, `count` leases under it, and the end of the token.
    pub fn issue_and_end_token(&self, path: &str, count: usize) -> Result<()> {
        let holder = self.child()?;
        let leases = (0..count)
            .map(|_| holder.issue(path))
            .collect::<Result<Vec<_>>>()?;
        self.ending(&leases, || holder.end_token())
    }

    /// One with a token below this one's.
    pub fn child(&self) -> Result<Client> {
        let token = self
            .actor
            .post("auth/token/create", json!({"ttl": "1h"}))?
            .expect(200)?
            .text_at("/auth/client_token")?;
        Ok(Client::new(self.actor.with_token(&token), &self.ledger))
    }

    /// Ends its own token.
    pub fn end_token(&self) -> Result<crate::Answer> {
        self.actor
            .post("auth/token/revoke-self", json!({}))?
            .expect(204)
    }

    /// Does what ends these leases; from its beginning they may live or not, and if it goes well they have ended.
    pub fn ending<R>(&self, leases: &[String], end: impl FnOnce() -> Result<R>) -> Result<()> {
        for lease in leases {
            self.ledger.open().ending(lease);
        }
        end()?;
        for lease in leases {
            self.ledger.open().end(lease);
        }
        Ok(())
    }
}
