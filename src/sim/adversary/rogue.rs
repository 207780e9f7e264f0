//! What rogue centres have in hand: a KGC its master key, so keys of any kind for anybody but nobody's x; a CSC its own key and
//! its own way of making σ.

use super::{Aim, Behaviour, Cx, Pass};
use crate::clmmsc::keys::Wanted;
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::{KeyPair, Params, UserSecret};
use crate::entities::csc::Signcrypt;
use crate::entities::kgc::Issuer;
use crate::entities::{Entity, Input, Kgc, Output, Packet, TimerId};
use std::sync::Arc;

/// A KGC that answers requests with keys made in another way. The user checks d·P = R + h·Ppub before it accepts a key,
/// refuses such a one, and has none: no key is better than one that somebody else may know.
pub(super) trait OtherKeys: Clone + Send + Sync + 'static {
    const ISSUER: Issuer;
}

impl<T: OtherKeys> Behaviour for T {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        let asked = matches!(input, Input::Deliver { packet: Packet::Request(_), .. });
        if asked && aim.strikes(cx, None) {
            issue_by(cx, T::ISSUER);
        }
        Pass::On
    }

    /// It issues keys as it should again.
    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        issue_by(cx, MasterKey::issue);
    }
}

fn issue_by(cx: &mut Cx<'_, '_>, issuer: Issuer) {
    if let Entity::Kgc(kgc) = &mut *cx.entity {
        kgc.issue_by(issuer);
    }
}

/// A key pair that the KGC makes for itself, under whatever name.
pub(super) fn own_pair(kgc: &Kgc, params: &Params, what: &Issue, random: &[u8; 64]) -> Option<KeyPair> {
    let secret = UserSecret::from_wide(random);
    let (record, d) = kgc.issue(what, &secret.public(), random.first_chunk()?).ok()?;
    let want = Wanted { class: what.class, role: what.role, from: what.from, to: what.to };
    KeyPair::accept(params, &want, &secret, &record, &d).ok()
}

/// The CSC makes the σ of this plan in another way.
pub(super) fn command_so(cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>, how: Arc<Signcrypt>) {
    let plans = matches!(input, Input::Timer(TimerId::Plan | TimerId::Replan));
    if plans && aim.strikes(cx, None) {
        signcrypt_by(cx, Some(how));
    }
}

/// It signcrypts as it should again.
pub(super) fn command_well(cx: &mut Cx<'_, '_>) {
    signcrypt_by(cx, None);
}

fn signcrypt_by(cx: &mut Cx<'_, '_>, how: Option<Arc<Signcrypt>>) {
    if let Entity::Csc(csc) = &mut *cx.entity {
        csc.signcrypt_by(how);
    }
}
