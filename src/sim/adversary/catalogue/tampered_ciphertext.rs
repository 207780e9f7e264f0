//! Flips one bit of a ciphertext in its block and signs the block all the same (CONSENSUS.md §5.2).
//!
//! Root, size and digest of the block are right; the outer signature of σ is not, and every backup checks it (PP-10).

use super::prelude::*;

pub(super) const ABOUT: Description = Description {
    title: "flips a bit of a ciphertext in its block",
    roles: &[Role::Css],
    omits: false,
    expect: Expect {
        fires: &["PP-10", "TM-1"],
        decides: true,
        breaks: &[],
        sentence: "The ciphertext's own signature fails at every backup; nobody prepares the block.",
    },
};

/// First byte of z, the scalar of the outer signature.
pub(super) const Z: usize = 420;

#[derive(Clone, Debug, Default)]
pub(super) struct TamperedCiphertext;

impl Behaviour for TamperedCiphertext {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if !message.strikes {
            return out.push(message.output);
        }
        let params = &cx.setup.params;
        let change = |honest: &Proposal| {
            let mut txs = honest.txs.clone();
            let mut bytes = txs.first()?.bytes().to_vec();
            *bytes.get_mut(Z)? ^= 1;
            txs[0] = Arc::new(parse_sigma(params, &bytes)?);
            Some(Proposal::build(honest.header.network_id, honest.header.seq, honest.header.time, txs))
        };
        swap(cx, message.output, change, out);
    }
}
