//! A car that sends its upload as if it were a command (CLMMSC.md §4, WORLD.md §10): its ticket is a car's, and roles are checked in
//! public.

use super::prelude::*;

/// Where the flow stands in a header.
const FLOW: usize = 6;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Ev],
    "sends a command with a car's ticket",
    "A car's ticket makes no command; the KGC passes nothing on.",
)
.fires(&["TicketRole"]);

#[derive(Clone, Default)]
pub(super) struct EvWrongRole;

impl Behaviour for EvWrongRole {
    fn on_send(&mut self, cx: &mut Cx<'_, '_>, message: Outgoing, out: &mut Vec<Output>) {
        if let (Some(Packet::Direct(sigma)), true) = (message.packet(), message.strikes) {
            let mut order = sigma.to_vec();
            if let Some(flow) = order.get_mut(FLOW) {
                *flow = 1;
            }
            let packet = Packet::Submit { gateways: Vec::new(), sigma: order.into() };
            out.push(Output::Send { to: cx.setup.kgc_node(), packet });
        }
        out.push(message.output);
    }
}
