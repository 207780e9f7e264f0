//! Which bytes of a packet are what.

use super::{FieldView, hex};
use crate::clmmsc::record::RECORD_LEN;
use crate::clmmsc::wire::{FieldSpec, HEADER, HEADER_FIELDS, RECORD_FIELDS, entry_fields};
use crate::clmmsc::{Class, Role};
use crate::entities::packet::Packet;
use crate::pbft::message::SIGNED_FIELDS;

/// Most bytes of a field in its value.
const SHOWN: usize = 32;

/// Builds fields one after the other; a field beyond the end is cut, an empty one left out.
struct Fields<'a> {
    bytes: &'a [u8],
    made: Vec<FieldView>,
}

impl Fields<'_> {
    fn at(&self) -> usize {
        self.made.last().map_or(0, |f| f.offset + f.len)
    }

    fn next(&mut self, len: usize, name: &str, symbol: &'static str, text: &'static str) -> &mut Self {
        let offset = self.at();
        let shown = self.bytes.get(offset..).map_or(&[][..], |rest| &rest[..len.min(rest.len())]);
        if !shown.is_empty() {
            let value = value(shown);
            let (symbol, text) = (symbol.into(), text.into());
            self.made.push(FieldView { offset, len: shown.len(), name: name.into(), symbol, text, value });
        }
        self
    }

    fn rest(&mut self, name: &str, text: &'static str) -> &mut Self {
        self.next(usize::MAX, name, "", text)
    }

    fn specs(&mut self, specs: &[FieldSpec], prefix: &str) -> &mut Self {
        specs.iter().for_each(|s| {
            self.next(s.len, &format!("{prefix}{}", s.name), s.symbol, s.text);
            if let Some(field) = self.made.last_mut() {
                field.value.push_str(code_name(s.name, self.bytes.get(field.offset)));
            }
        });
        self
    }
}

/// What a code stands for, where a number alone says nothing.
fn code_name(field: &str, code: Option<&u8>) -> &'static str {
    let Some(code) = code else { return "" };
    match field {
        "class" => match Class::from_code(*code) {
            Some(Class::Id) => " (identity)",
            Some(Class::Ticket) => " (one-time ticket)",
            Some(Class::Session) => " (session)",
            None => "",
        },
        "role" => match Role::from_code(*code) {
            Some(Role::Kgc) => " (KGC)",
            Some(Role::Csc) => " (CSC)",
            Some(Role::Css) => " (CSS)",
            Some(Role::Cp) => " (CP)",
            Some(Role::Ev) => " (EV)",
            None => "",
        },
        _ => "",
    }
}

/// Hex, cut after 32 bytes, and what short fields say: letters as letters, the rest as a little-endian number.
fn value(bytes: &[u8]) -> String {
    let hex = hex(&bytes[..bytes.len().min(SHOWN)]);
    match bytes.len() {
        4 if bytes.iter().all(u8::is_ascii_alphanumeric) => format!("{hex} = {}", String::from_utf8_lossy(bytes)),
        1 | 2 | 4 | 8 => {
            let number = bytes.iter().rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
            format!("{hex} = {number}")
        }
        len if len > SHOWN => hex + "…",
        _ => hex,
    }
}

fn over(bytes: &[u8]) -> Fields<'_> {
    Fields { bytes, made: Vec::new() }
}

/// The fields of a record at the start of `bytes`, moved by `offset`.
pub fn record(bytes: &[u8], offset: usize, prefix: &str) -> Vec<FieldView> {
    let mut fields = over(bytes);
    fields.specs(RECORD_FIELDS, prefix);
    fields.made.into_iter().map(|f| FieldView { offset: f.offset + offset, ..f }).collect()
}

/// The fields of a packet; `bytes` is σ for packets that carry one, else the encoding with its kind in front.
pub fn of(packet: &Packet, bytes: &[u8]) -> Vec<FieldView> {
    let mut fields = over(bytes);
    if packet.sigma().is_some() {
        sigma(&mut fields);
        return fields.made;
    }
    fields.next(1, "packet", "", "Kind of the packet.");
    match packet {
        Packet::Request(_) => fields
            .next(4, "format", "", "The letters CLQ1: a request to the KGC.")
            .next(32, "one-time point", "E", "ε·P of the box; with the KGC's key it gives the key of the box.")
            .rest(
                "closed box",
                "Who asks, for which class and role, with the public halves X; only the KGC can open it.",
            ),
        Packet::Answer(_) => fields
            .next(4, "verdict", "", "CLA1: accepted; CLA0: refused, for whatever reason.")
            .next(32, "one-time point", "E'", "With the asker's secret x it gives the key of the seal.")
            .rest("sealed answer", "Record and partial private key d; only the asker can open it."),
        Packet::List(_) => fields
            .next(32, "one-time point", "E", "With the CSC's key it gives the key of the box.")
            .rest("closed box", "The pseudo-identities and records of the cars, signed by the KGC."),
        Packet::Frame(_) => fields
            .next(1, "direction", "", "1 from the car to the pile, 2 from the pile to the car.")
            .next(8, "counter", "", "Each frame has its own key; a counter is accepted once.")
            .rest("sealed frame", "A header to look at, the key k_i of one entry, a refusal, a bill, or the end."),
        Packet::Offer { .. } => {
            fields.next(16, "challenge", "plug", "Fresh for this plugging-in; the car must answer it.");
            fields.specs(RECORD_FIELDS, "pile's ");
            fields.next(32, "gateway", "rid", "Record id of the gateway of this pile.")
        }
        Packet::Complaint { .. } => {
            fields.next(32, "ciphertext", "σ_id", "Which ciphertext of the chain the complaint is about.");
            fields.next(4, "format", "", "The letters CLC1.");
            fields.specs(RECORD_FIELDS, "car's ");
            fields
                .next(32, "shared point", "Z_i", "sk_i·T: opens this one entry for everybody.")
                .next(32, "challenge", "c", "Of the proof that Z_i belongs to this record and this ciphertext.")
                .next(32, "response", "s", "a + c·sk_i.")
        }
        Packet::Claim(_) => {
            fields.specs(RECORD_FIELDS, "ticket's ");
            fields
                .next(8, "user", "uid", "Whom the KGC names.")
                .next(64, "signature", "keyreq", "The user's own signature over the request.")
                .rest("request", "The stored body: the user asked for exactly this ticket.")
        }
        Packet::Letter(_) => {
            fields.next(32, "network", "", "Digest of genesis: parameters, members, rules.");
            while fields.at() + RECORD_LEN <= bytes.len() {
                fields.specs(RECORD_FIELDS, "");
            }
            fields.rest("rest", "")
        }
        Packet::Pbft(message) => {
            fields.next(1, "message", "", "Kind of the consensus message, as in its signed statement.");
            if message.signed().is_some() {
                SIGNED_FIELDS.iter().for_each(|(_, len, name, text)| {
                    fields.next(*len, name, "", text);
                });
            }
            fields.rest("content", "The block, certificate or ciphertexts of this message.")
        }
        Packet::Draw { .. } => {
            fields.next(4, "power", "W", "What the pile wants to draw; less than before gives back.")
        }
        Packet::Ask { .. } => fields.next(8, "from", "", "Height of the first block that the asker lacks."),
        Packet::Grant { .. } => fields
            .next(4, "power", "W", "What the pile may draw, so that its area stays at its cap.")
            .next(8, "until", "", "Unix second at which the grant ends."),
        Packet::Submit { .. } | Packet::Route(_) | Packet::Area(_) | Packet::Direct(_) | Packet::Upload(_) => {
            fields.rest("σ", "")
        }
    };
    fields.made
}

/// See [`super::ItemView::shift`].
pub fn shift(packet: &Packet) -> i32 {
    match packet {
        Packet::Submit { gateways, .. } => 1 + 2 * gateways.len() as i32,
        Packet::Route(_) | Packet::Area(_) | Packet::Direct(_) | Packet::Upload(_) => 0,
        _ => -1,
    }
}

fn sigma(fields: &mut Fields<'_>) {
    fields.specs(HEADER_FIELDS, "");
    if fields.bytes.len() <= HEADER {
        return;
    }
    let l = u32::from_le_bytes([fields.bytes[28], fields.bytes[29], fields.bytes[30], fields.bytes[31]]) as usize;
    let specs = entry_fields(l.min(fields.bytes.len()));
    let mut entry = 1;
    while fields.at() < fields.bytes.len() {
        fields.specs(&specs, &format!("entry {entry} "));
        entry += 1;
    }
}
