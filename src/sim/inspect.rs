//! Bytes explained: what a packet on a link consists of, and its public check done again (PAGE.md §4.4).
//!
//! Reads a finished packet; never changes a world. σ is explained field by field from the scheme's own table.

use crate::clmmsc::wire::{FieldSpec, HEADER, HEADER_FIELDS, entry_fields};
use crate::clmmsc::{Params, verify};
use crate::entities::packet::Packet;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One named range of the shown bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldView {
    pub offset: usize,
    pub len: usize,
    pub name: String,
    pub symbol: Cow<'static, str>,
    pub text: Cow<'static, str>,
    /// The bytes in hex, cut after 32 bytes.
    pub value: String,
}

/// Both sides of an equation, as 64 hex digits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Equation {
    pub name: Cow<'static, str>,
    pub left: String,
    pub right: String,
    pub ok: bool,
}

/// What there is to see of a packet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ItemView {
    pub bytes: Vec<u8>,
    pub fields: Vec<FieldView>,
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn view(bytes: &[u8], at: usize, spec: &FieldSpec, prefix: &str) -> FieldView {
    let offset = at + spec.offset;
    let shown = bytes.get(offset..offset + spec.len).unwrap_or_default();
    let cut = if shown.len() > 32 { "…" } else { "" };
    let value = format!("{}{cut}", hex(&shown[..shown.len().min(32)]));
    FieldView {
        offset,
        len: spec.len,
        name: format!("{prefix}{}", spec.name),
        symbol: spec.symbol.into(),
        text: spec.text.into(),
        value,
    }
}

/// Explains a packet: σ by its fields, anything else as its encoding.
pub fn inspect(packet: &Packet) -> ItemView {
    let Some(sigma) = packet.sigma() else { return ItemView { bytes: packet.encode(), fields: vec![] } };
    let mut fields = Vec::new();
    if sigma.len() >= HEADER {
        fields.extend(HEADER_FIELDS.iter().map(|spec| view(sigma, 0, spec, "")));
        let l = u32::from_le_bytes([sigma[28], sigma[29], sigma[30], sigma[31]]) as usize;
        let specs = entry_fields(l.min(sigma.len()));
        let len = l.saturating_add(32);
        for j in 0..(sigma.len() - HEADER) / len {
            fields.extend(specs.iter().map(|spec| view(sigma, HEADER + j * len, spec, &format!("entry {} ", j + 1))));
        }
    }
    ItemView { bytes: sigma.to_vec(), fields }
}

/// Does the outer check of a σ again, now and for real: V5, N = z·P − e·(R' + h'·Ppub + g'·X' + b·T).
pub fn reverify(packet: &Packet, params: &Params) -> Option<Equation> {
    let (left, right) = verify::outer_equation(params, packet.sigma()?)?;
    let name = "V5: N = z·P − e·(R' + h'·Ppub + g'·X' + b·T)";
    Some(Equation { name: name.into(), left: hex(&left), right: hex(&right), ok: left == right })
}
