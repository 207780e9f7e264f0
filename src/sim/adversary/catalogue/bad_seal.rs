//! A primary that publishes each block with another header to the followers (CONSENSUS.md §5.2): KGC, CSCs and piles apply
//! the block themselves and compare. The KGC hears from f+1 others which header is sealed, and asks them.

use super::prelude::*;
use crate::pbft::message::Publish;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Css],
    "publishes blocks under a false header",
    "Every follower applies the block itself, gets another header, and refuses it; the KGC asks those who sealed the true one.",
)
.fires(&["X-2", "BadHeader"]);

#[derive(Clone, Default)]
pub(super) struct BadSeal;

impl Behaviour for BadSeal {
    fn on_send(&mut self, _cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        let mut output = message.output;
        if let (true, Output::Fan { packet: Packet::Pbft(published), .. }) = (message.strikes, &mut output)
            && let Message::Publish(publish) = &**published
        {
            let mut block = (*publish.block).clone();
            block.header.parent.0[0] ^= 1;
            let publish = Publish { block: Arc::new(block), cert: publish.cert.clone() };
            *published = Arc::new(Message::Publish(publish));
        }
        out.push(output);
    }
}
