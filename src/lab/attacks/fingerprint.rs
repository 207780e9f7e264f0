//! Find the fingerprint: what can be told from sizes, order, tags and registered values (A17, A18, A35, A40;
//! CLMMSC.md §3.5, §3.6, §5, §12.4).

use super::kgc_probe::a40;
use super::post::text;
use super::trial::{Stuck, Trial};
use super::{Attack, People};
use crate::clmmsc::channel::{Purpose, open_box};
use crate::clmmsc::open::locate;
use crate::clmmsc::request::{self, Head, Randomness, WIRE_MAGIC};
use crate::clmmsc::signcrypt::{entry_keys, kem};
use crate::clmmsc::weak::{lax, letters};
use crate::clmmsc::wire::{ENTRY_EXTRA, HEADER, PLAIN_EXTRA, TAG, bucket, buckets};
use crate::clmmsc::{Class, Error, Flow, PublicRecord, Role, UserSecret, aead, group, open, verify};
use crate::lab::forge::{Draft, Hand, Trick, plain};
use crate::lab::people::{NOW, scalar};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const ATTACKS: [Attack; 4] = [
    Attack {
        id: 17,
        title: "Guess the command from its length",
        role: "A traffic analyst who knows all commands that are ever given, and sees every ciphertext.",
        moves: &[
            "compare the sizes of ciphertexts with messages of every length of a bucket",
            "put one long message among short ones and look for its entry",
            "guess which of eight commands was given, from the size alone",
        ],
        expected: "one size for all messages of a bucket: nothing to guess from",
        control: "entries as long as their messages",
        run: a17,
    },
    Attack {
        id: 18,
        title: "Tell who is addressed",
        role: "A traffic analyst with every record of the epoch's list, and a car that is itself among the receivers.",
        moves: &[
            "compute the tag of each car of the list from everything that is public, and look for it",
            "count bits of tags and entries for two sets of receivers",
            "look where the entry of the first receiver stands, over many ciphertexts to the same receivers",
        ],
        expected: "no tag is found; both sets look like noise; the place is as random as the tags",
        control: "tags that follow from the record alone; entries in the order of the input",
        run: a18,
    },
    Attack {
        id: 35,
        title: "Follow a ticket from its order",
        role: "An eavesdropper at the KGC's door who knows which address a request comes from, and later sees ciphertexts.",
        moves: &[
            "record the requests of three companies and the answers to them",
            "look for X', R' and f' of each ciphertext's ticket in what was recorded",
        ],
        expected: "no match: requests and answers are sealed",
        control: "requests in clear",
        run: a35,
    },
    Attack {
        id: 40,
        title: "Ask the KGC who is enrolled",
        role: "A stranger who knows the KGC's record and some public records, but is no user.",
        moves: &[
            "box requests for many user numbers, with a made-up code",
            "box requests that show each known record for each user number, with a made-up signature",
            "box requests for an X that was seen in a ciphertext, and for a fresh one",
            "send bytes that are no request; compare answers and the time they take",
        ],
        expected: "the same four bytes after the same time, whatever the cause",
        control: "the answer names the error",
        run: a40,
    },
];

/// Commands that an analyst would like to tell apart, each of another length; all fit into the smallest entry.
const COMMANDS: [&str; 8] = ["0 W", "stop", "11 kW", "resume", "22.5 kW", "back off", "half load", "unlock cable"];

fn a17(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for name in ["ev0", "ev1", "ev2"] {
        people.person(name, Class::Id, Role::Ev)?;
    }
    let mut shortest = 0;
    for l in buckets().take(4) {
        let longest = l as usize - PLAIN_EXTRA;
        let lengths: Vec<usize> = (shortest..=longest).collect();
        let mut sizes = BTreeSet::new();
        for len in &lengths {
            sizes.insert(people.post(Flow::COMMAND, &[("ev0", &vec![7; *len])], 64, 0)?.made.bytes.len());
        }
        let seen = sizes.iter().map(|size| format!("{size} bytes")).collect::<Vec<_>>().join(", ");
        let tried = format!("messages of {shortest} to {longest} bytes");
        trial.holds(tried, sizes.len() == 1, format!("{} ciphertexts of {seen}", lengths.len()));
        shortest = longest + 1;
    }
    let to: [(&str, &[u8]); 3] = [("ev0", b"stop"), ("ev1", &[7; 100]), ("ev2", b"")];
    let body = people.post(Flow::COMMAND, &to, 64, 0)?.made.bytes.len() - HEADER;
    let each = body / to.len();
    let fits = body.is_multiple_of(to.len()) && bucket(each as u64 - ENTRY_EXTRA as u64).is_some();
    trial.holds("one long message among short ones", fits, format!("three entries of {each} bytes"));
    let mut sizes = BTreeSet::new();
    for command in COMMANDS {
        sizes.insert(people.post(Flow::COMMAND, &[("ev0", command.as_bytes())], 64, 0)?.made.bytes.len());
    }
    let guesses = sizes.len();
    trial.holds("guess eight commands from their sizes", guesses == 1, format!("{guesses} size for eight commands"));

    let mut told = 0;
    for command in COMMANDS {
        let bytes = of_exact_length(people, command)?;
        let size = bytes.len() - HEADER - ENTRY_EXTRA;
        let fitting: Vec<&str> =
            COMMANDS.into_iter().filter(|text| letters::exact_length(text.as_bytes()) as usize == size).collect();
        told += usize::from(fitting == [command]);
    }
    let seen = format!("{told} of 8 commands told from their sizes alone");
    trial.breaks("guess eight commands from their sizes", told == COMMANDS.len(), seen);
    Ok(())
}

/// A σ with an entry just long enough, which the car opens all the same.
fn of_exact_length(people: &mut People, message: &str) -> Result<Vec<u8>, Stuck> {
    people.person("csc", Class::Id, Role::Csc)?;
    let name = people.ticket(Role::Csc)?;
    let ticket = Hand::of(people.pair(&name)?);
    let to = people.pair("ev0")?.public().clone();
    let l = letters::exact_length(message.as_bytes());
    let t = group::scal(&scalar(&mut people.rng))?;
    let draft = Draft::new(&people.params, Flow::COMMAND, (1, l), t, &ticket.record);
    let (_, ke) = entry_keys(&draft.k(&to));
    let entry = draft.entry(&to, &plain(&[1; 16], &to.record.f(), message.as_bytes(), l));
    let inside = aead::open(&ke, &entry[TAG..]).ok_or("the car cannot read it")?;
    if !inside.ends_with(message.as_bytes()) {
        return Err("the car reads something else".into());
    }
    let root = draft.root(std::slice::from_ref(&entry))?;
    let capsule = people.noise(186);
    let (outer, rand) = (draft.outer(&ticket), people.bytes());
    Ok(draft.finish(people, &outer, (root, &capsule), &[entry], &rand))
}

/// Cars of the epoch's list.
const LIST: [&str; 6] = ["ev0", "ev1", "ev2", "ev3", "ev4", "ev5"];
/// Two sets of receivers with the analyst's own car in both.
const SETS: [[&str; 3]; 2] = [["ev0", "ev1", "ev2"], ["ev0", "ev3", "ev4"]];
/// Ciphertexts to each set.
const SENT: usize = 48;

fn a18(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    LIST.iter().try_for_each(|name| people.person(name, Class::Id, Role::Ev))?;
    let mut posts: [Vec<Vec<u8>>; 2] = [vec![], vec![]];
    for (set, posts) in SETS.iter().zip(&mut posts) {
        for _ in 0..SENT {
            let to: Vec<(&str, &[u8])> = set.iter().map(|name| (*name, b"7 kW".as_slice())).collect();
            posts.push(people.post(Flow::COMMAND, &to, 64, 0)?.made.bytes);
        }
    }
    tags(people, trial, &posts[0][0])?;
    bits(trial, &posts);
    order(people, trial, &posts[0])
}

/// Which cars' tags stand in a σ, if a tag is what follows from this Z.
fn named(
    people: &People,
    bytes: &[u8],
    tag: impl Fn(&PublicRecord) -> Vec<[u8; TAG]>,
) -> Result<Vec<&'static str>, Error> {
    let entries: Vec<&[u8]> = bytes[HEADER..].chunks(ENTRY_EXTRA + 64).collect();
    let mut found = Vec::new();
    for name in LIST {
        let tags = tag(people.pair(name)?.public());
        if entries.iter().any(|entry| tags.iter().any(|tag| entry.starts_with(tag))) {
            found.push(name);
        }
    }
    Ok(found)
}

fn tags(people: &mut People, trial: &mut Trial, bytes: &[u8]) -> Result<(), Stuck> {
    let sigma = people.gateway(bytes)?;
    let (ctx, t) = (*sigma.head().context(), *sigma.head().t());
    let own = people.pair("ev0")?.sk() * t;
    // Points that anybody, or the receiver ev0, can compute for a record.
    let points = |to: &PublicRecord| {
        let guesses = [t, to.pk, t + to.pk, t - to.pk, own, own + to.pk, own - to.pk, people.params.ppub + t];
        guesses.iter().map(|z| entry_keys(&kem(&ctx, &to.rid, &group::enc(z))).0).collect::<Vec<_>>()
    };
    let found: Vec<&str> = named(people, bytes, points)?.into_iter().filter(|name| *name != "ev0").collect();
    let seen = format!("8 points for each of {} cars: {} other cars found", LIST.len(), found.len());
    trial.holds("compute tags from what is public and from one's own Z", found.is_empty(), seen);

    let mut weak = bytes.to_vec();
    for (j, name) in SETS[0].iter().enumerate() {
        let tag = letters::public_tag(&ctx, &people.pair(name)?.public().rid);
        weak[HEADER + j * (ENTRY_EXTRA + 64)..][..TAG].copy_from_slice(&tag);
    }
    let found = named(people, &weak, |to| vec![letters::public_tag(&ctx, &to.rid)])?;
    trial.breaks(
        "compute tags from what is public",
        found == SETS[0],
        format!("the receivers are {}", found.join(", ")),
    );
    Ok(())
}

/// Ones among the bits of all entries; noise has half of them, within six standard deviations.
fn bits(trial: &mut Trial, posts: &[Vec<Vec<u8>>; 2]) {
    for (which, posts) in ["first", "second"].iter().zip(posts) {
        let bytes = || posts.iter().flat_map(|bytes| &bytes[HEADER..]);
        let (ones, all) = (bytes().map(|b| i64::from(b.count_ones())).sum::<i64>(), bytes().count() as i64 * 8);
        let off = 2 * ones - all;
        let good = off * off <= 36 * all;
        trial.holds(format!("count the bits of the {which} set"), good, format!("{ones} of {all} are ones"));
    }
}

fn order(people: &mut People, trial: &mut Trial, posts: &[Vec<u8>]) -> Result<(), Stuck> {
    let mut places = [0; 3];
    for bytes in posts {
        let sigma = people.gateway(bytes)?;
        let k = people.k(&sigma, SETS[0][0])?;
        places[locate(&sigma, &k)?.index as usize] += 1;
    }
    // Each place has a third; a count outside 16 ± 4.9 standard deviations (3.27) would be no chance.
    let random = places.iter().all(|count| (1..=32).contains(count));
    let seen = format!("it stands first {}, second {}, third {} times of {SENT}", places[0], places[1], places[2]);
    trial.holds("look where the first receiver's entry stands", random, seen);

    let mut first = 0;
    for _ in 0..8 {
        let bytes = unsorted(people)?;
        let sigma = lax::without_order(&people.params, &Arc::from(&bytes[..]), NOW)?;
        let k = people.k(&sigma, SETS[0][0])?;
        first += usize::from(sigma.entry(0).starts_with(&entry_keys(k.as_bytes()).0));
    }
    trial.breaks("look where the first receiver's entry stands", first == 8, format!("first in {first} of 8"));
    Ok(())
}

/// A σ whose entries stand as the receivers were given.
fn unsorted(people: &mut People) -> Result<Vec<u8>, Stuck> {
    let name = people.ticket(Role::Csc)?;
    let ticket = Hand::of(people.pair(&name)?);
    let t = group::scal(&scalar(&mut people.rng))?;
    let draft = Draft::new(&people.params, Flow::COMMAND, (3, 64), t, &ticket.record);
    let mut entries = Vec::new();
    for name in SETS[0] {
        let to = people.pair(name)?.public();
        entries.push(draft.entry(to, &plain(&[1; 16], &to.record.f(), b"7 kW", 64)));
    }
    let (root, capsule, rand) = (draft.root(&entries)?, people.noise(186), people.bytes());
    let outer = draft.outer(&ticket);
    Ok(draft.finish(people, &outer, (root, &capsule), &entries, &rand))
}

/// Companies that order tickets.
const COMPANIES: [&str; 3] = ["csc", "csc1", "csc2"];

/// Whose recorded traffic holds one of these values.
fn matching(recorded: &[(&'static str, Vec<u8>)], values: &[[u8; 32]]) -> BTreeSet<&'static str> {
    let holds = |wire: &[u8]| wire.windows(32).any(|window| values.iter().any(|value| value == window));
    recorded.iter().filter(|(_, wire)| holds(wire)).map(|(who, _)| *who).collect()
}

fn a35(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    people.person("ev0", Class::Id, Role::Ev)?;
    COMPANIES.iter().try_for_each(|name| people.person(name, Class::Id, Role::Csc))?;
    let (mut sealed, mut clear, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for name in COMPANIES {
        let (request, answer, ticket) = order_ticket(people, name)?;
        let inner = open_box(&people.params, Purpose::Request, people.pair("kgc")?, &request[WIRE_MAGIC.len()..])?;
        clear.push((name, letters::request_in_clear(&inner)));
        sealed.extend([(name, request), (name, answer)]);
        let sender = Hand::of(people.pair(name)?);
        let trick = Trick { ticket: Some(ticket), sender: Some(sender), ..Trick::default() };
        let bytes = people.forge(&["ev0"], &trick)?;
        people.gateway(&bytes)?;
        shown.push((name, bytes));
    }
    for (name, bytes) in &shown {
        let ticket = verify::ticket_of(bytes).ok_or("no ticket")?;
        let values = [ticket.x(), ticket.r(), ticket.f()];
        let found = matching(&sealed, &values);
        let seen = format!("{} of {} recorded messages match", found.len(), sealed.len());
        trial.holds(format!("look for the ticket of {name}'s ciphertext"), found.is_empty(), seen);
        let found = matching(&clear, &values);
        let good = found == BTreeSet::from([*name]);
        let seen = format!("sent by {}", found.into_iter().collect::<Vec<_>>().join(", "));
        trial.breaks(format!("look for the ticket of {name}'s ciphertext"), good, seen);
    }
    let k = people.k(&people.gateway(&shown[0].1)?, "ev0")?;
    let sigma = people.gateway(&shown[0].1)?;
    let opened = people.receiving("ev0", &["csc"], |who| open::open(&people.params, &sigma, who, &k))??;
    trial.holds(
        "the receiver knows the sender, for comparison",
        opened.sender == people.record("csc")?,
        text(&opened.message),
    );
    Ok(())
}

/// Request, answer, and the ticket that came of them.
fn order_ticket(people: &mut People, name: &str) -> Result<(Vec<u8>, Vec<u8>, Hand), Stuck> {
    let x = group::scal(&scalar(&mut people.rng))?;
    let user = [UserSecret::from_scalar(x)];
    let epoch = people.epoch();
    let head =
        Head { kind: 2, class: Class::Ticket, role: Role::Csc, uid: people.get(name)?.uid, from: epoch, to: epoch };
    let rand = Randomness { sign: people.bytes(), seal: people.bytes() };
    let kgc = people.pair("kgc")?.public().clone();
    let asked = request::further(&people.params, &kgc, &head, &user, people.pair(name)?, &rand);
    let what =
        crate::clmmsc::kgc::Issue { class: head.class, role: head.role, from: epoch, to: epoch, uid: head.uid, ctr: 0 };
    let (issue, seal) = (people.bytes(), people.bytes());
    let item = people.master.issue(&people.params, &what, &user[0].public(), &issue)?;
    let (record, d) = (item.0, group::scal(&item.1)?);
    let answer = people.master.seal_answer(&people.params, &asked.digest, &user[0].public(), &[item], &seal)?;
    let secret = d + record.g(&people.params) * x;
    Ok((asked.wire, answer, Hand { record, secret }))
}
