//! What all replicas know beforehand: validators, agreed policy, timers (CONSENSUS.md §2.2, §3.2).

use super::quorum::{Quorum, QuorumError};
use crate::ledger::block::BlockHeader;
use crate::ledger::hash::c32;
use crate::ledger::{Digest, Micros, Policy, Secs};

/// Genesis and tuning of one network. Everything agreement depends on is inside `network_id`.
#[derive(Clone, Debug)]
pub struct Config {
    pub quorum: Quorum,
    pub network_id: Digest,
    /// Record ids of the gateways in order.
    pub rids: Vec<Digest>,
    pub policy: Policy,
    /// Unix second of genesis, and of zero on every clock.
    pub genesis_time: Secs,
    /// State digest of the genesis block, asked for with every VIEW-CHANGE before the first checkpoint.
    pub genesis_state: Digest,
    /// Checkpoint interval K.
    pub k: u64,
    /// Window L.
    pub l: u64,
    /// Slots in flight.
    pub pipeline: u64,
    /// Wait for company before a batch is sent.
    pub batch_delay: Micros,
    /// First time-out.
    pub t0: Micros,
    /// Age at which a pooled ciphertext is sent to all gateways.
    pub relay_after: Micros,
    /// Time-outs double at most this many times.
    pub backoff_cap: u32,
    /// Wait for an answer before the next peer is asked.
    pub fetch_timeout: Micros,
    /// Patience of a replica that waits before it tells everybody what it has.
    pub resend: Micros,
    /// Status gossip with one rotating peer; 0 is off.
    pub status_every: Micros,
    /// Executed blocks kept above the stable checkpoint's need; all if `None`.
    pub retain: Option<u64>,
    /// Blocks after which the backups change the view by themselves; 0 is off.
    pub rotate_every: u64,
    /// Tolerated distance of a proposal's time from the local clock, seconds.
    pub drift: u64,
    /// Most ciphertexts in the pool.
    pub pool_max: u64,
}

/// Why a genesis is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    #[error("two gateways share one record")]
    SharedRecord,
    #[error("epochs, batches, windows and time-outs must be positive")]
    Zero,
    #[error("the window must be a multiple of the checkpoint interval, and at least two of them")]
    Window,
}

/// The agreed numbers beside the validators.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// Digest of the scheme's parameters.
    pub params_id: Digest,
    /// Record ids of the gateways in order.
    pub rids: Vec<Digest>,
    pub policy: Policy,
    pub k: u64,
    pub l: u64,
    pub time: Secs,
}

impl Genesis {
    /// C32("network"; …) of CONSENSUS.md §2.2.
    pub fn network_id(&self) -> Digest {
        let n = (self.rids.len() as u16).to_le_bytes();
        let p = &self.policy;
        let numbers = [self.k, self.l, p.batch_max, p.batch_bytes, p.epoch_secs, p.skew, p.max_lag, self.time.0]
            .map(u64::to_le_bytes);
        let mut parts: Vec<&[u8]> = vec![&self.params_id.0, &n];
        parts.extend(numbers.iter().map(|b| b.as_slice()));
        parts.extend(self.rids.iter().map(|r| r.0.as_slice()));
        c32("network", &parts)
    }
}

impl Config {
    /// The spec's defaults over a genesis.
    ///
    /// # Errors
    /// An impossible number of gateways, repeated records, or a zero where a positive number is needed.
    pub fn new(genesis: Genesis) -> Result<Self, ConfigError> {
        let n = u16::try_from(genesis.rids.len()).map_err(|_| QuorumError::TooMany)?;
        let quorum = Quorum::new(n)?;
        let mut sorted = genesis.rids.clone();
        sorted.sort();
        sorted.dedup();
        if sorted.len() != genesis.rids.len() {
            return Err(ConfigError::SharedRecord);
        }
        let p = &genesis.policy;
        if [genesis.k, genesis.l, p.batch_max, p.batch_bytes, p.epoch_secs].contains(&0) {
            return Err(ConfigError::Zero);
        }
        if !genesis.l.is_multiple_of(genesis.k) || genesis.l < genesis.k.saturating_mul(2) {
            return Err(ConfigError::Window);
        }
        let t0 = Micros(2_000_000);
        let network_id = genesis.network_id();
        Ok(Config {
            quorum,
            network_id,
            genesis_state: BlockHeader::genesis(network_id, genesis.time).state_digest(),
            pool_max: p.batch_max.saturating_mul(64),
            rids: genesis.rids,
            policy: genesis.policy,
            genesis_time: genesis.time,
            k: genesis.k,
            l: genesis.l,
            pipeline: genesis.l.min(4),
            batch_delay: Micros(20_000),
            t0,
            relay_after: Micros(t0.0 / 2),
            backoff_cap: 8,
            fetch_timeout: Micros(150_000),
            resend: Micros(250_000),
            status_every: Micros(1_000_000),
            retain: None,
            rotate_every: 0,
            drift: 5,
        })
    }

    /// Unix second that a clock shows.
    pub fn unix(&self, now: Micros) -> Secs {
        Secs(self.genesis_time.0.saturating_add(now.0 / 1_000_000))
    }

    /// Places of a full block that each contributor is sure of.
    pub fn quota(&self) -> u64 {
        (self.policy.batch_max / u64::from(self.quorum.n())).max(1)
    }

    /// Items of a gateway's pool that have deadlines: eight full blocks of its share.
    pub fn active_max(&self) -> u64 {
        self.quota().saturating_mul(8)
    }

    /// Most ciphertexts in the pool that one contributor brought.
    pub fn share_max(&self) -> u64 {
        (self.pool_max / u64::from(self.quorum.n())).max(1)
    }
}
