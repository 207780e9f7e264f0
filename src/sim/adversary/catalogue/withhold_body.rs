//! A primary that lets its block prepare at some backups and then keeps silent about the slot (CONSENSUS.md §5.2).
//!
//! The next view has to carry the block over to gateways that never saw its ciphertexts: they fetch them from those who
//! signed for it (NV-7), and check them against the digest (ST-1).

use super::prelude::*;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "lets only some backups have its block",
    "The block is carried into the next view; who lacks its ciphertexts fetches them from a signer.",
)
.fires(&["TM-1", "ST-1"]);

#[derive(Clone, Default)]
pub(super) struct WithholdBody {
    struck: BTreeSet<(u64, u64)>,
}

impl Behaviour for WithholdBody {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let silenced = message.info.slot.is_some_and(|slot| self.struck.contains(&slot));
        match proposal_of(&message.output).filter(|_| message.strikes) {
            Some((to, ..)) => {
                let Output::Fan { packet, .. } = &message.output else { return };
                let prepares = Quorum::new(cx.setup.n).map_or(0, |quorum| usize::from(quorum.prepares()));
                self.struck.extend(message.info.slot);
                out.push(Output::Fan { to: to[..prepares.min(to.len())].into(), packet: packet.clone() });
            }
            None if silenced => {}
            None => out.push(message.output),
        }
    }
}
