//! Issue, accept, requests, answers, lists, boxes.

use super::{CREATED, Cases, NOW, People, hex, scalar};
use crate::clmmsc::channel::{Purpose, seal_box};
use crate::clmmsc::kgc::Issue;
use crate::clmmsc::request::{self, Head, Randomness};
use crate::clmmsc::schnorr::{self, Name};
use crate::clmmsc::{Class, Error, Record, Role, UserSecret, group, keys, list};
use serde_json::{Value, json};

pub fn cases(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    issue_and_accept(maker, cases)?;
    requests(maker, cases)?;
    answers(maker, cases)?;
    lists(maker, cases)?;
    signatures(maker, cases)
}

fn issue_and_accept(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    let epoch = maker.epoch();
    let kinds = [(Class::Id, Role::Ev), (Class::Id, Role::Csc), (Class::Ticket, Role::Css), (Class::Session, Role::Ev)];
    let mut issued = Vec::new();
    for (class, role) in kinds {
        let x = scalar(&mut maker.rng);
        let public = UserSecret::from_scalar(group::scal(&x)?).public();
        let (rand, uid) = (maker.bytes(), 40 + issued.len() as u64);
        let issue = Issue { class, role, from: epoch, to: epoch, uid, ctr: 1 };
        let (rec, d) = maker.master.issue(&maker.params, &issue, &public, &rand)?;
        cases.add(
            "issue",
            "good",
            json!({
                "class": class as u8, "role": role as u8, "from": epoch, "to": epoch, "uid": uid.to_string(), "ctr": 1,
                "X": hex(public), "rand": hex(rand), "rec": hex(rec.0), "d": hex(&d),
            }),
        );
        let accept = |rec: &Record, d: [u8; 32], class: u8, expect: &str| {
            json!({
                "class": class, "role": role as u8, "from": epoch, "to": epoch, "x": hex(x), "rec": hex(rec.0),
                "d": hex(d), "expect": expect,
            })
        };
        cases.add("accept", "good", accept(&rec, *d, class as u8, "ok"));
        let mut bent = d.clone();
        bent[0] ^= 1;
        cases.add("accept", "d altered", accept(&rec, *bent, class as u8, "PartialKey"));
        cases.add("accept", "d zero", accept(&rec, [0; 32], class as u8, "ScalarEncoding"));
        let change = |at: usize, byte: u8| {
            let mut other = rec;
            other.0[at] ^= byte;
            other
        };
        cases.add("accept", "another f", accept(&change(10, 1), *d, class as u8, "PartialKey"));
        cases.add("accept", "another X", accept(&change(42, 1), *d, class as u8, "RecordMismatch"));
        cases.add("accept", "valid longer", accept(&change(6, 1), *d, class as u8, "RecordMismatch"));
        cases.add("accept", "another class wanted", accept(&rec, *d, class as u8 % 3 + 1, "RecordMismatch"));
        let mut no_point = rec;
        no_point.0[74..].fill(255);
        cases.add("accept", "R no group element", accept(&no_point, *d, class as u8, "PointEncoding"));
        issued.push((rec, d));
    }
    let mut bad = issued.clone();
    bad[1].1[0] ^= 1;
    for (name, list, expect) in [("all good", &issued, true), ("one altered", &bad, false)] {
        let each = list.iter().zip(&issued).map(|(a, b)| if a == b { "ok" } else { "PartialKey" });
        cases.add("accept-batch", name, json!({
            "items": list.iter().map(|(rec, d)| json!({ "rec": hex(rec.0), "d": hex(d) })).collect::<Vec<_>>(),
            "each": each.collect::<Vec<_>>(), "weights": keys::accept_weights(list).iter().map(hex).collect::<Vec<_>>(),
            "expect": expect,
        }));
    }
    Ok(())
}

fn requests(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    let epoch = maker.epoch();
    for (name, role) in [("ev0", Role::Ev), ("ev1", Role::Ev), ("csc", Role::Csc), ("css0", Role::Css)] {
        maker.person(name, Class::Id, role)?;
    }
    let (code, x) = (maker.bytes::<32>(), [scalar(&mut maker.rng), scalar(&mut maker.rng)]);
    let rand = Randomness { sign: maker.bytes(), seal: maker.bytes() };
    let kgc = maker.pair("kgc")?.public().clone();
    let users: Result<Vec<UserSecret>, Error> =
        x.iter().map(|x| Ok(UserSecret::from_scalar(group::scal(x)?))).collect();
    let users = users?;
    let uid = |name: &str| maker.get(name).map(|p| p.uid);
    let (ev0, csc) = (uid("ev0")?, uid("csc")?);
    let register = json!([
        { "uid": "1000", "role": 5, "code": hex(code), "recs": [] },
        { "uid": ev0.to_string(), "role": 5, "code": null, "recs": [maker.rid("ev0")?] },
        { "uid": csc.to_string(), "role": 2, "code": null, "recs": [maker.rid("csc")?] },
    ]);
    let gateways = json!([maker.rid("css0")?]);
    let head = |kind, class, role, uid| Head { kind, class, role, uid, from: epoch, to: epoch };
    let case = |wire: &[u8], expect: &str| {
        json!({
            "wire": hex(wire), "now": NOW.to_string(), "register": register, "keys": [], "attached": [],
            "gateways": gateways, "expect": expect,
        })
    };
    let params = &maker.params;
    let made = |kind: u8, class: Class, role: Role, uid: u64, xs: &[[u8; 32]]| {
        json!({
            "kind": kind, "class": class as u8, "role": role as u8, "uid": uid.to_string(), "from": epoch, "to": epoch,
            "x": xs.iter().map(hex).collect::<Vec<_>>(), "rand_sig": hex(rand.sign), "rand_box": hex(rand.seal),
        })
    };
    let good = |case: Value, uid: u64, digest: [u8; 64], make: Value| {
        let mut case = case;
        (case["uid"], case["digest"], case["make"]) = (uid.to_string().into(), hex(digest).into(), make);
        case
    };

    // First request.
    let first = request::first(params, &kgc, &head(1, Class::Id, Role::Ev, 1000), &users[0], &code, &rand);
    let mut make = made(1, Class::Id, Role::Ev, 1000, &x[..1]);
    make["code"] = hex(code).into();
    cases.add("request", "first", good(case(&first.wire, "ok"), 1000, first.digest, make));
    let wrong = request::first(params, &kgc, &head(1, Class::Id, Role::Ev, 1000), &users[0], &[0; 32], &rand);
    cases.add("request", "wrong code", case(&wrong.wire, "Enrolment"));
    let wrong = request::first(params, &kgc, &head(1, Class::Id, Role::Ev, 77), &users[0], &code, &rand);
    cases.add("request", "unknown user", case(&wrong.wire, "Enrolment"));
    let wrong = request::first(params, &kgc, &head(1, Class::Id, Role::Cp, 1000), &users[0], &code, &rand);
    cases.add("request", "another role", case(&wrong.wire, "Enrolment"));
    let wrong = request::first(params, &kgc, &head(1, Class::Ticket, Role::Ev, 1000), &users[0], &code, &rand);
    cases.add("request", "a first ticket", case(&wrong.wire, "RecordFormat"));
    let wrong = request::first(params, &kgc, &head(1, Class::Id, Role::Kgc, 1000), &users[0], &code, &rand);
    cases.add("request", "role KGC", case(&wrong.wire, "RecordFormat"));
    let mut known = case(&first.wire, "DuplicateKey");
    known["keys"] = json!([hex(users[0].public())]);
    cases.add("request", "known X", known);
    for (name, at, bit, expect) in
        [("magic", 0, 1, "Magic"), ("box", 60, 1, "SealAuth"), ("last byte", 207, 1, "SealAuth")]
    {
        let mut wire = first.wire.clone();
        wire[at] ^= bit;
        cases.add("request", &format!("{name} altered"), case(&wire, expect));
    }
    let mut wire = first.wire.clone();
    wire[4..36].fill(255);
    cases.add("request", "E no group element", case(&wire, "PointEncoding"));
    cases.add("request", "51 bytes", case(&first.wire[..51], "Length"));

    // Further keys.
    let further =
        request::further(params, &kgc, &head(2, Class::Ticket, Role::Csc, csc), &users, maker.pair("csc")?, &rand);
    let mut make = made(2, Class::Ticket, Role::Csc, csc, &x);
    make["signer"] = "csc".into();
    cases.add("request", "further", good(case(&further.wire, "ok"), csc, further.digest, make));
    let twice = [UserSecret::from_scalar(group::scal(&x[0])?), UserSecret::from_scalar(group::scal(&x[0])?)];
    let wrong =
        request::further(params, &kgc, &head(2, Class::Ticket, Role::Csc, csc), &twice, maker.pair("csc")?, &rand);
    cases.add("request", "X twice", case(&wrong.wire, "DuplicateKey"));
    let wrong =
        request::further(params, &kgc, &head(2, Class::Ticket, Role::Ev, ev0), &users, maker.pair("ev1")?, &rand);
    cases.add("request", "signed by another car", case(&wrong.wire, "RequesterRecord"));
    let wrong =
        request::further(params, &kgc, &head(2, Class::Ticket, Role::Csc, ev0), &users, maker.pair("ev0")?, &rand);
    cases.add("request", "for another role", case(&wrong.wire, "RequesterRecord"));

    // Attach.
    let css = maker.pair("css0")?.public().rid;
    let car = maker.pair("ev0")?;
    let attach = |css, time| request::attach(params, &kgc, &head(3, Class::Id, Role::Ev, ev0), css, time, car, &rand);
    let ok = attach(&css, CREATED);
    let mut make = made(3, Class::Id, Role::Ev, ev0, &[]);
    (make["signer"], make["css"], make["time"]) = ("ev0".into(), hex(css.0).into(), CREATED.to_string().into());
    let mut right = good(case(&ok.wire, "ok"), ev0, ok.digest, make);
    right["time"] = CREATED.to_string().into();
    cases.add("request", "attach", right);
    let mut again = case(&ok.wire, "Replay");
    again["attached"] = json!([[ev0.to_string(), CREATED.to_string()]]);
    cases.add("request", "attach again", again);
    cases.add("request", "attach to a pile", case(&attach(&maker.pair("ev1")?.public().rid, CREATED).wire, "Unpinned"));
    cases.add("request", "attach too old", case(&attach(&css, NOW - 601).wire, "Stale"));
    cases.add("request", "attach from the future", case(&attach(&css, NOW + 31).wire, "Stale"));
    Ok(())
}

fn answers(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    let epoch = maker.epoch();
    let xs = [scalar(&mut maker.rng), scalar(&mut maker.rng)];
    let users: Result<Vec<UserSecret>, Error> =
        xs.iter().map(|x| Ok(UserSecret::from_scalar(group::scal(x)?))).collect();
    let users = users?;
    let (digest, rand) = (maker.bytes::<64>(), maker.bytes::<32>());
    let mut items = Vec::new();
    for (i, user) in users.iter().enumerate() {
        let issue = Issue { class: Class::Ticket, role: Role::Csc, from: epoch, to: epoch, uid: 3, ctr: i as u32 };
        let rand = maker.bytes();
        items.push(maker.master.issue(&maker.params, &issue, &user.public(), &rand)?);
    }
    let wire = maker.master.seal_answer(&maker.params, &digest, &users[0].public(), &items, &rand)?;
    let want = keys::Wanted { class: Class::Ticket, role: Role::Csc, from: epoch, to: epoch };
    let pairs = request::accept_answer(&maker.params, &want, &users, &digest, &wire)?;
    let case = |wire: &[u8], digest: &[u8], expect: &str| {
        json!({
            "class": 2, "role": 2, "from": epoch, "to": epoch, "x": xs.iter().map(hex).collect::<Vec<_>>(),
            "digest": hex(digest), "wire": hex(wire), "expect": expect,
        })
    };
    let mut good = case(&wire, &digest, "ok");
    good["sk"] = pairs.iter().map(|p| hex(p.expose_sk())).collect::<Vec<_>>().into();
    good["make"] = json!({
        "rand": hex(rand),
        "items": items.iter().map(|(rec, d)| json!({ "rec": hex(rec.0), "d": hex(d) })).collect::<Vec<_>>(),
    });
    cases.add("answer", "two tickets", good);
    cases.add("answer", "refused", case(b"CLA0", &digest, "Length"));
    cases.add("answer", "short", case(&wire[..wire.len() - 1], &digest, "Length"));
    cases.add("answer", "to another request", case(&wire, &[0; 64], "SealAuth"));
    for (name, at, expect) in [("magic", 0, "Magic"), ("sealed part", 100, "SealAuth")] {
        let mut bent = wire.clone();
        bent[at] ^= 1;
        cases.add("answer", &format!("{name} altered"), case(&bent, &digest, expect));
    }
    let mut bent = wire.clone();
    bent[4..36].fill(255);
    cases.add("answer", "E' no group element", case(&bent, &digest, "PointEncoding"));
    let mut wrong = items.clone();
    wrong[1].1[0] ^= 1;
    let sealed = maker.master.seal_answer(&maker.params, &digest, &users[0].public(), &wrong, &rand)?;
    cases.add("answer", "a wrong partial key", case(&sealed, &digest, "PartialKey"));
    items.reverse();
    let sealed = maker.master.seal_answer(&maker.params, &digest, &users[0].public(), &items, &rand)?;
    cases.add("answer", "in another order", case(&sealed, &digest, "RecordMismatch"));
    Ok(())
}

fn lists(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    let epoch = maker.epoch();
    maker.person("ss0", Class::Session, Role::Ev)?;
    maker.person_at("ev-old", Class::Id, Role::Ev, (epoch - 2, epoch - 1))?;
    let rand = maker.bytes();
    let write = |maker: &People, names: &[&str]| -> Result<Vec<u8>, Error> {
        let records: Result<Vec<Record>, Error> = names.iter().map(|n| maker.record(n)).collect();
        Ok(list::make(&maker.params, maker.pair("kgc")?, epoch, &records?, &rand))
    };
    for names in [&[][..], &["ev0"], &["ev0", "ss0", "ev1"]] {
        let bytes = write(maker, names)?;
        cases.add(
            "list",
            &format!("{} records", names.len()),
            json!({
                "bytes": hex(bytes), "expect": "ok", "epoch": epoch, "count": names.len(),
                "make": { "records": names, "rand": hex(rand) },
            }),
        );
    }
    let mut refuse = |name: &str, bytes: &[u8], expect: &str| {
        cases.add("list", name, json!({ "bytes": hex(bytes), "expect": expect }));
    };
    refuse("a company in it", &write(maker, &["ev0", "csc"])?, "RecordFormat");
    refuse("a car of another epoch", &write(maker, &["ev-old"])?, "RecordFormat");
    let good = write(maker, &["ev0", "ev1"])?;
    let bent = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    refuse("magic", &bent(0), "Magic");
    refuse("count", &bent(8), "Length");
    refuse("short", &good[..75], "Length");
    refuse("an f altered", &bent(12 + 11), "Signature");
    refuse("N altered", &bent(good.len() - 64), "Signature");
    let mut zero = good.clone();
    let at = zero.len() - 32;
    zero[at..].fill(0);
    refuse("z zero", &zero, "ScalarEncoding");
    let (secret, seal) = (maker.bytes::<32>(), maker.bytes::<32>());
    let to = maker.pair("csc")?.public();
    let sealed = seal_box(&maker.params, Purpose::List, to, &good, &secret, &seal);
    cases.add("box", "a list", json!({
        "purpose": "list", "to": "csc", "pt": hex(&good), "secret": hex(secret), "rand": hex(seal), "bytes": hex(&sealed),
        "expect": "ok",
    }));
    let mut refuse = |name: &str, to: &str, bytes: &[u8], expect: &str| {
        cases.add("box", name, json!({ "purpose": "list", "to": to, "bytes": hex(bytes), "expect": expect }));
    };
    refuse("to somebody else", "css0", &sealed, "SealAuth");
    refuse("47 bytes", "csc", &sealed[..47], "Length");
    let mut bent = sealed.clone();
    bent[..32].fill(255);
    refuse("E no group element", "csc", &bent, "PointEncoding");
    let mut bent = sealed;
    bent[40] ^= 1;
    refuse("altered", "csc", &bent, "SealAuth");
    Ok(())
}

fn signatures(maker: &mut People, cases: &mut Cases) -> Result<(), Error> {
    for name in [Name::Inner, Name::Outer, Name::KeyRequest, Name::Attach, Name::List, Name::Vote] {
        let (m, rand) = (maker.bytes::<64>(), maker.bytes::<32>());
        let sig = schnorr::sign(name, maker.pair("csc")?, &m, &rand);
        let case = |label: Name, record: &str, m: &[u8], sig: &[u8], expect: &str| json!({ "label": label.text(), "record": record, "m": hex(m), "sig": hex(sig), "expect": expect });
        cases.add(
            "sign",
            name.text(),
            json!({
                "label": name.text(), "record": "csc", "m": hex(m), "rand": hex(rand), "sig": hex(sig)
            }),
        );
        let other = if name == Name::Inner { Name::Outer } else { Name::Inner };
        cases.add("verify-sig", "under another name", case(other, "csc", &m, &sig, "Signature"));
        cases.add("verify-sig", "of somebody else", case(name, "css0", &m, &sig, "Signature"));
        cases.add("verify-sig", "over something else", case(name, "csc", &[0; 64], &sig, "Signature"));
        let mut zero = sig;
        zero[32..].fill(255);
        cases.add("verify-sig", "z not reduced", case(name, "csc", &m, &zero, "ScalarEncoding"));
    }
    Ok(())
}
