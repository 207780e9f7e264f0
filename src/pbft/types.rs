//! Small types of agreement (CONSENSUS.md §2.2) and the two doors to cryptography: [`Signer`] and [`Verifier`].

use super::message::{NewView, Statement, ViewChange};
use crate::ledger::{Digest, Secs, Sigma};
use core::fmt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A view number; its primary is `view mod n`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct View(pub u64);

/// Index of a replica from 0; replica i is CSS_{i+1} of the paper.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ReplicaId(pub u16);

/// A transport address; gateway i is node i.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct NodeId(pub u16);

impl From<ReplicaId> for NodeId {
    fn from(id: ReplicaId) -> NodeId {
        NodeId(id.0)
    }
}

/// Content digest of the NEW-VIEW by which a signer entered its view; zero in view 0.
pub type Just = Digest;

/// An encoded Schnorr signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sig(pub [u8; 64]);

impl fmt::Debug for Sig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Why public verification refused a ciphertext: the error's name in CLMMSC.md §18.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VerifyError(pub String);

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks signatures and ciphertexts; may remember what it has checked, but must answer as if it had not.
pub trait Verifier {
    /// Whether `sig` is the signature of replica `who` over `st`.
    fn statement(&mut self, who: ReplicaId, st: &Statement, sig: &Sig) -> bool;

    /// Public verification V1–V6 of CLMMSC.md §7.1 with `at` as "now", and whether the flow is one that is stored.
    ///
    /// # Errors
    /// The scheme's error for the first check that fails.
    fn ciphertext(&mut self, sigma: &Sigma, at: Secs) -> Result<(), VerifyError>;

    /// [`ViewChange::content`].
    fn view_change_content(&mut self, vc: &Arc<ViewChange>) -> Digest {
        vc.content()
    }

    /// [`NewView::content`].
    fn new_view_content(&mut self, nv: &Arc<NewView>) -> Digest {
        nv.content()
    }
}

/// Signs as one replica; deterministic, so that signing again gives the same bytes.
pub trait Signer: Send + Sync {
    fn sign(&self, st: &Statement) -> Sig;
}
