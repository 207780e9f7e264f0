//! A sender that cheats: it follows the scheme but for the one thing a case is about.

use super::{CREATED, People, TTL};
use crate::clmmsc::hash::{h32, h64, hs, label};
use crate::clmmsc::params::SUITE;
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::signcrypt::{entry_keys, kem};
use crate::clmmsc::verify::{context, leaf_hash, node_hash};
use crate::clmmsc::wire::{CONTEXT, MAGIC, SIGNED, TAG, VERSION};
use crate::clmmsc::{Class, Error, Flow, Record, Role, aead, group, merkle};
use curve25519_dalek::ristretto::RistrettoPoint;

/// What the sender does differently; `default()` is an honest σ of flow 1 to `ev0`.
#[derive(Default)]
pub struct Trick {
    /// f inside the entry.
    pub f: Option<[u8; 32]>,
    /// Length field inside the entry.
    pub len: Option<u32>,
    /// A non-zero byte in the padding.
    pub padding: bool,
    /// A flipped bit in the entry's ciphertext, under the signed root.
    pub entry: bool,
    /// The capsule is closed under another key.
    pub capsule: bool,
    /// Somebody else's record in the capsule.
    pub sender: Option<Record>,
    /// α over another root.
    pub alpha: bool,
    /// Entries in the wrong order, under a root over that order.
    pub order: bool,
}

impl People {
    /// A σ of the CSC for `receivers`, each with the message "go".
    pub fn forge(&mut self, receivers: &[&str], trick: &Trick) -> Result<Vec<u8>, Error> {
        const L: u32 = 64;
        self.person("csc", Class::Id, Role::Csc)?;
        let name = format!("tk{}", self.uids);
        self.person(&name, Class::Ticket, Role::Csc)?;
        let mut out = MAGIC.to_vec();
        out.extend([VERSION, SUITE, Flow::COMMAND.code(), 0]);
        out.extend(self.epoch().to_le_bytes());
        out.extend(CREATED.to_le_bytes());
        out.extend(TTL.to_le_bytes());
        out.extend((receivers.len() as u32).to_le_bytes());
        out.extend(L.to_le_bytes());
        let t = group::scal(&super::scalar(&mut self.rng))?;
        let (ks, other): ([u8; 16], [u8; 16]) = (self.bytes(), self.bytes());
        let rand: [u8; 32] = self.bytes();
        out.extend(group::enc(&RistrettoPoint::mul_base(&t)));
        out.extend(self.record(&name)?.0);
        let ctx = context(&self.params, &out[..CONTEXT]);
        let mut entries = Vec::new();
        for to in receivers {
            let public = self.pair(to)?.public();
            let k = kem(&ctx, &public.rid, &group::enc(&(t * public.pk)));
            let (tag, ke) = entry_keys(&k);
            let mut plain = ks.to_vec();
            plain.extend(trick.f.unwrap_or(public.record.f()));
            plain.extend(trick.len.unwrap_or(2).to_le_bytes());
            plain.extend(b"go");
            plain.resize(L as usize, 0);
            if trick.padding {
                plain[L as usize - 1] = 1;
            }
            let mut entry = tag.to_vec();
            entry.extend(aead::seal(&ke, &plain));
            if trick.entry {
                entry[TAG] ^= 1;
            }
            entries.push(entry);
        }
        entries.sort();
        if trick.order {
            entries.reverse();
        }
        let leaves: Vec<[u8; 32]> = entries.iter().enumerate().map(|(j, e)| leaf_hash(&ctx, j as u32, e)).collect();
        let root = merkle::root(&leaves, &node_hash).ok_or(Error::Root)?;
        out.extend(root);
        let signed_root = if trick.alpha { [0; 32] } else { root };
        let alpha = schnorr::sign(Name::Inner, self.pair("csc")?, &h64(label::IM, &[&ctx, &signed_root]), &rand);
        let mut inside = trick.sender.map_or(self.record("csc")?, |record| record).0.to_vec();
        inside.extend(alpha);
        let under = if trick.capsule { other } else { ks };
        out.extend(aead::seal(&h32(label::CAP, &[&under, &ctx]), &inside));
        let ticket = self.pair(&name)?;
        let om = h64(label::OM, &[&self.params.id, &out[..SIGNED]]);
        let bound = ticket.sk() + hs(label::BIND, &[&ctx]) * t;
        out.extend(schnorr::sign_with(Name::Outer, &ticket.public().rid, &bound, ticket.nonce_key(), &om, &rand));
        entries.iter().for_each(|entry| out.extend(entry));
        Ok(out)
    }
}
