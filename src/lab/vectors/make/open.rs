//! Openings that one check refuses: receivers in the wrong place or time, and senders that cheat inside.

use super::{CREATED, Cases, NOW, People, hex};
use crate::clmmsc::verify::{sigma_id, ticket_of};
use crate::clmmsc::wire::HEADER;
use crate::clmmsc::{Class, Error, Flow, Role};
use crate::lab::forge::{Hand, Trick};
use serde_json::{Value, json};

pub fn cases(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    let epoch = maker.epoch();
    for name in ["ev0", "ev1", "ev2"] {
        maker.person(name, Class::Id, Role::Ev)?;
    }
    for (name, role) in [("csc", Role::Csc), ("csc1", Role::Csc), ("css0", Role::Css), ("cp0", Role::Cp)] {
        maker.person(name, Class::Id, role)?;
    }
    maker.person("ss0", Class::Session, Role::Ev)?;
    maker.person_at("ev-old", Class::Id, Role::Ev, (epoch - 1, epoch - 1))?;
    maker.person_at("csc-old", Class::Id, Role::Csc, (epoch - 9, epoch - 1))?;

    // Receivers of an honest σ.
    let made = maker.sigma(Flow::COMMAND, &[("ev0", b"go"), ("ev1", b"stop")], 64, 0)?;
    let (csc, id) = (maker.rid("csc")?, hex(sigma_id(&maker.params, &made.bytes).0));
    let nullifier = hex(ticket_of(&made.bytes).ok_or(Error::Length)?.rid(&maker.params).0);
    let open = |maker: &People, name: &str, change: Value| -> Result<Value, Error> {
        let mut open = json!({ "record": name, "k": maker.key(&made.bytes, name)?, "pinned": [csc] });
        if let (Value::Object(open), Value::Object(change)) = (&mut open, change) {
            open.extend(change);
        }
        Ok(open)
    };
    let opens = vec![
        open(maker, "ev0", json!({ "expect": "ok", "m": hex("go"), "sender": csc }))?,
        open(maker, "ev0", json!({ "pinned": "any", "expect": "ok" }))?,
        open(maker, "ev2", json!({ "expect": "NotAReceiver" }))?,
        open(maker, "ss0", json!({ "expect": "NotAReceiver" }))?,
        open(maker, "css0", json!({ "expect": "RecordRole" }))?,
        open(maker, "cp0", json!({ "expect": "RecordRole" }))?,
        open(maker, "ev-old", json!({ "expect": "RecordValidity" }))?,
        open(maker, "ev0", json!({ "since": (CREATED + 30).to_string(), "expect": "ok" }))?,
        open(maker, "ev0", json!({ "since": (CREATED + 31).to_string(), "expect": "Stale" }))?,
        open(maker, "ev0", json!({ "opened": [[id, maker.rid("ev0")?]], "expect": "Replay" }))?,
        open(maker, "ev0", json!({ "opened": [[id, maker.rid("ev1")?]], "expect": "ok" }))?,
        open(maker, "ev0", json!({ "ledger": [[nullifier, id]], "expect": "ok" }))?,
        open(maker, "ev0", json!({ "ledger": [[nullifier, hex([1; 32])]], "expect": "TicketReuse" }))?,
        open(maker, "ev0", json!({ "pinned": [maker.rid("csc1")?], "expect": "Unpinned" }))?,
        open(maker, "ev0", json!({ "pinned": [], "expect": "Unpinned" }))?,
        // The first failing check answers, not the last.
        open(maker, "css0", json!({ "pinned": [], "since": (CREATED + 99).to_string(), "expect": "RecordRole" }))?,
        open(maker, "ev2", json!({ "opened": [[id, maker.rid("ev2")?]], "expect": "Replay" }))?,
    ];
    cases.add(
        "sigma",
        "receivers",
        json!({
            "sigma": hex(&made.bytes), "now": NOW.to_string(), "ledger": [], "expect": "ok", "opens": opens
        }),
    );

    // Senders that cheat.
    let other = maker.record("ev1")?.f();
    let secret = *maker.pair("csc")?.sk();
    let claim = |record| Some(Hand { record, secret });
    let css = maker.record("css0")?;
    let (csc1, old) = (maker.record("csc1")?, maker.record("csc-old")?);
    let ticket = {
        maker.person("tk", Class::Ticket, Role::Csc)?;
        maker.record("tk")?
    };
    let tricks = [
        ("an entry that does not authenticate", Trick { entry: true, ..Trick::default() }, "EntryAuth"),
        ("an entry for another car", Trick { f: Some(other), ..Trick::default() }, "PseudonymMismatch"),
        ("a length beyond the entry", Trick { len: Some(13), ..Trick::default() }, "Padding"),
        ("a huge length", Trick { len: Some(u32::MAX), ..Trick::default() }, "Padding"),
        ("padding that says something", Trick { padding: true, ..Trick::default() }, "Padding"),
        ("a capsule under another key", Trick { capsule: true, ..Trick::default() }, "CapsuleAuth"),
        ("the record of a gateway inside", Trick { sender: claim(css), ..Trick::default() }, "SenderRole"),
        ("a ticket as the sender's record", Trick { sender: claim(ticket), ..Trick::default() }, "SenderRole"),
        ("a record that is over", Trick { sender: claim(old), ..Trick::default() }, "SenderValidity"),
        ("the name of another company", Trick { sender: claim(csc1), ..Trick::default() }, "InnerSignature"),
        ("a signature over another root", Trick { alpha: true, ..Trick::default() }, "InnerSignature"),
        ("nothing wrong", Trick::default(), "ok"),
    ];
    for (name, trick, expect) in tricks {
        let bytes = maker.forge(&["ev0", "ev2"], &trick)?;
        let open = json!({
            "record": "ev0", "k": maker.key(&bytes, "ev0")?, "pinned": [csc, maker.rid("csc1")?], "expect": expect
        });
        cases.add(
            "sigma",
            name,
            json!({
                "sigma": hex(&bytes), "now": NOW.to_string(), "ledger": [], "expect": "ok", "opens": [open]
            }),
        );
    }

    // The car's side.
    let header = &made.bytes[..HEADER];
    let cp = maker.rid("cp0")?;
    let release =
        |cases: &mut Cases, name: &str, record: &str, since: u64, answered: Value, expect: &str, k: Option<String>| {
            let mut case = json!({
                "header": hex(header), "now": NOW.to_string(), "record": record, "since": since.to_string(), "cp": cp,
                "answered": answered, "expect": expect,
            });
            if let Some(k) = k {
                case["k"] = k.into();
            }
            cases.add("release", name, case);
        };
    let k = Some(maker.key(&made.bytes, "ev0")?);
    release(cases, "good", "ev0", CREATED, json!([]), "ok", k.clone());
    release(cases, "the same pile again", "ev0", CREATED, json!([[id, cp]]), "ok", k);
    release(cases, "to whom it is not addressed", "ev2", 0, json!([]), "ok", Some(maker.key(&made.bytes, "ev2")?));
    release(cases, "another pile", "ev0", CREATED, json!([[id, hex([3; 32])]]), "Replay", None);
    release(cases, "plugged in later", "ev0", CREATED + 31, json!([]), "Stale", None);
    release(cases, "a gateway", "css0", CREATED, json!([]), "RecordRole", None);
    release(cases, "a record that is over", "ev-old", CREATED, json!([]), "RecordValidity", None);
    Ok(())
}
