//! Before the first event: master key, parameters, enrolment codes and all actors, from the seed (WORLD.md §2, §5).

use super::node::Node;
use crate::clmmsc::keys::Wanted;
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::{self, Class, KeyPair, UserSecret};
use crate::entities::actor::{ActorId, Role};
use crate::entities::command::DefaultTariff;
use crate::entities::csc::{Instruction, Task};
use crate::entities::enrol::{Enrolment, PINNED_EPOCHS};
use crate::entities::ev::Wants;
use crate::entities::io::Parcel;
use crate::entities::plant::Battery;
use crate::entities::setup::{Agreement, Price, TariffTable, Tickets};
use crate::entities::stub::Crypto;
use crate::entities::{Cp, Csc, Css, Entity, Ev, Genesis, Kgc, Setup};
use crate::sim::scenario::{Bootstrap, Car, OrderDo, Policy, Scenario, Stay, Tariff};
use crate::sim::streams::{Label, Streams};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Name of every simulated network.
const NET: &str = "voltcast";

/// Everybody, ready to start.
pub struct Cast {
    pub setup: Arc<Setup>,
    pub nodes: Vec<Node>,
    /// There from the start if everything is given.
    pub genesis: Option<Arc<Genesis>>,
    pub parcels: Arc<[Parcel]>,
}

fn draw<const N: usize>(rng: &mut ChaCha8Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// The KGC's own record, issued by itself.
fn own_key(
    master: &MasterKey,
    params: &clmmsc::Params,
    epoch: u32,
    rng: &mut ChaCha8Rng,
) -> Result<KeyPair, clmmsc::Error> {
    let secret = UserSecret::from_wide(&draw(rng));
    let role = clmmsc::Role::Kgc;
    let (from, to) = (epoch, epoch.saturating_add(PINNED_EPOCHS));
    let uid = ActorId::new(Role::Kgc, 0).uid();
    let what = Issue { class: Class::Id, role, from, to, uid, ctr: 0 };
    let (record, d) = master.issue(params, &what, &secret.public(), &[0; 32])?;
    KeyPair::accept(params, &Wanted { class: Class::Id, role, from, to }, &secret, &record, &d)
}

/// Master key, parameters and the KGC's own key; with `bootstrap = "given"` the keys of all actors as well.
///
/// Under stub cryptography keys stand for nothing but names, so they are those of seed 0 and one ring serves many seeds.
pub struct KeyRing {
    policy: Policy,
    genesis_time: u64,
    master: MasterKey,
    params: clmmsc::Params,
    key: KeyPair,
    /// The rest of the KGC's stream of secrets.
    rng: ChaCha8Rng,
    pairs: BTreeMap<ActorId, KeyPair>,
}

impl KeyRing {
    /// The keys of a scenario.
    ///
    /// # Errors
    /// A sentence if the scheme refuses the scenario's policy.
    pub fn new(s: &Scenario) -> Result<Self, String> {
        let streams = Streams::new(if s.gateways.crypto == Crypto::Stub { 0 } else { s.seed });
        let kgc = ActorId::new(Role::Kgc, 0);
        let mut rng = streams.get(Label::Keys, kgc.code(), 0);
        let master = MasterKey::new(&draw(&mut rng), draw(&mut rng));
        let policy = clmmsc::Policy {
            epoch_len: s.policy.epoch_len,
            skew: s.policy.skew,
            ttl_max: s.policy.ttl_max,
            max_bytes: s.policy.max_bytes,
        };
        let params = master.params(NET, policy).map_err(|e| format!("the policy makes no parameters: {e}"))?;
        let epoch = params.epoch(s.genesis_time);
        let key = own_key(&master, &params, epoch, &mut rng).map_err(|e| format!("the KGC has no key: {e}"))?;
        let (policy, genesis_time) = (s.policy.clone(), s.genesis_time);
        let mut ring = KeyRing { policy, genesis_time, master, params, key, rng, pairs: BTreeMap::new() };
        if s.bootstrap == Bootstrap::Given {
            let validity = (epoch, epoch.saturating_add(PINNED_EPOCHS));
            for actor in s.actors().into_iter().filter(|actor| *actor != kgc) {
                let mut secrets = streams.get(Label::Keys, actor.code(), 0);
                let pair = ring.issue(actor, Class::Id, validity, 0, &mut secrets)?;
                ring.pairs.insert(actor, pair);
            }
        }
        Ok(ring)
    }

    /// Whether the ring holds what this scenario would ask for.
    pub fn fits(&self, s: &Scenario) -> bool {
        let stub = s.gateways.crypto == Crypto::Stub && s.bootstrap == Bootstrap::Given;
        let all = || s.actors().iter().all(|actor| actor.role == Role::Kgc || self.pairs.contains_key(actor));
        stub && self.policy == s.policy && self.genesis_time == s.genesis_time && all()
    }

    /// A record with its key, issued and accepted.
    ///
    /// # Errors
    /// A sentence if the scheme refuses it.
    pub(super) fn issue(
        &self,
        actor: ActorId,
        class: Class,
        (from, to): (u32, u32),
        ctr: u32,
        rng: &mut ChaCha8Rng,
    ) -> Result<KeyPair, String> {
        let role = match actor.role {
            Role::Kgc | Role::Outsider => clmmsc::Role::Kgc,
            Role::Csc => clmmsc::Role::Csc,
            Role::Css => clmmsc::Role::Css,
            Role::Cp => clmmsc::Role::Cp,
            Role::Ev => clmmsc::Role::Ev,
        };
        let refuse = |e: clmmsc::Error| format!("{actor} gets no key: {e}");
        let secret = UserSecret::from_wide(&draw(rng));
        let what = Issue { class, role, from, to, uid: actor.uid(), ctr };
        let (record, d) = self.master.issue(&self.params, &what, &secret.public(), &draw(rng)).map_err(refuse)?;
        KeyPair::accept(&self.params, &Wanted { class, role, from, to }, &secret, &record, &d).map_err(refuse)
    }
}

/// The ceremony of a scenario.
///
/// # Errors
/// A sentence if the scheme refuses the scenario's policy.
pub fn hold(s: &Scenario, streams: Streams, ring: &KeyRing) -> Result<Cast, String> {
    let kgc = ActorId::new(Role::Kgc, 0);
    let mut rng = ring.rng.clone();
    let mut users: Vec<ActorId> = s.actors().into_iter().filter(|actor| *actor != kgc).collect();
    users.sort_by_key(|actor| actor.uid());
    let codes: Vec<(ActorId, [u8; 32])> = users.into_iter().map(|actor| (actor, draw(&mut rng))).collect();
    let setup = Arc::new(setup(s, ring.params.clone(), ring.key.public().clone())?);
    let cast = Casting { s, streams, setup: setup.clone(), codes: &codes, ring };
    let mut centre = Kgc::new(setup.clone(), ring.master.clone(), ring.key.clone(), &codes);
    let genesis = match s.bootstrap {
        Bootstrap::Live => None,
        Bootstrap::Given => {
            let records = ring.pairs.iter().map(|(actor, pair)| (*actor, pair.public().clone())).collect();
            Some(centre.given(records).ok_or("genesis is refused")?)
        }
    };
    let mut centre = Some(centre);
    let nodes = s.actors().into_iter().map(|actor| {
        let entity = match (actor.role, centre.take_if(|_| actor.role == Role::Kgc)) {
            (Role::Kgc, Some(centre)) => Entity::Kgc(Box::new(centre)),
            _ => cast.user(actor),
        };
        Node::new(
            actor,
            entity,
            streams.get(Label::Crypto, actor.code(), 0),
            streams.get(Label::Adversary, actor.code(), 0),
        )
    });
    let nodes = nodes.collect();
    let parcels = super::parcels::make(s, streams, &setup, ring)?;
    Ok(Cast { setup, nodes, genesis, parcels })
}

struct Casting<'a> {
    s: &'a Scenario,
    streams: Streams,
    setup: Arc<Setup>,
    codes: &'a [(ActorId, [u8; 32])],
    ring: &'a KeyRing,
}

impl Casting<'_> {
    fn user(&self, actor: ActorId) -> Entity {
        let epoch = self.setup.params.epoch(self.s.genesis_time);
        let car = self.s.fleet.ev.get(usize::from(actor.index)).filter(|_| actor.role == Role::Ev);
        let validity = match car {
            Some(car) => {
                (self.setup.epoch(car.arrive.micros()), self.setup.epoch(car.leaves().micros()).saturating_add(1))
            }
            None => (epoch, epoch.saturating_add(PINNED_EPOCHS)),
        };
        let code = self.codes.iter().find(|(a, _)| *a == actor).map_or([0; 32], |(_, code)| *code);
        let keys = self.streams.get(Label::Keys, actor.code(), 0);
        let enrolment = Enrolment::new(self.setup.clone(), actor, code, keys, validity);
        let enrolment = match self.ring.pairs.get(&actor) {
            Some(pair) => enrolment.given(pair.clone()),
            None => enrolment,
        };
        let enrolment = if car.is_some_and(|car| car.sleeps) { enrolment.lending() } else { enrolment };
        match actor.role {
            Role::Csc => Entity::Csc(Box::new(Csc::new(enrolment, self.agenda(actor)))),
            Role::Css | Role::Kgc | Role::Outsider => Entity::Css(Box::new(Css::new(enrolment))),
            Role::Cp => Entity::Cp(Box::new(Cp::new(enrolment))),
            Role::Ev => {
                let stay = |car: &Car, stay: Stay| {
                    let battery = Battery::new(car.capacity_wh, stay.soc, car.max_power_w).feeding_back(car.v2g);
                    let departure = self.setup.unix(stay.depart.micros()).0;
                    (battery, Wants { target_ppm: stay.target, departure, v2g: car.v2g })
                };
                let stays = car.into_iter().flat_map(|car| car.stays().map(|one| stay(car, one)));
                Entity::Ev(Box::new(Ev::new(enrolment, stays.collect())))
            }
        }
    }
}

impl Casting<'_> {
    /// What the scenario has the operator of this CSC do.
    fn agenda(&self, csc: ActorId) -> Vec<Task> {
        let mine = self.s.order.iter().filter(|order| order.by == csc);
        mine.map(|order| Task { at: order.at.micros(), what: self.instruction(&order.action) }).collect()
    }

    fn instruction(&self, action: &OrderDo) -> Instruction {
        let table = |tariff: &Tariff| TariffTable {
            id: tariff.id,
            currency: tariff.currency.as_bytes().try_into().unwrap_or(*b"XXX"),
            periods: tariff
                .periods
                .iter()
                .map(|p| Price { start: p.start, price: p.price, feed_in: p.feed_in })
                .collect(),
        };
        match action {
            OrderDo::AreaLimit(limit) => Instruction::AreaLimit {
                area: limit.area - 1,
                limit_w: limit.limit_w,
                seconds: limit.lasts.0 / 1_000_000,
            },
            OrderDo::DefaultTariff(order) => Instruction::Tariff(DefaultTariff {
                tariff: table(&order.tariff),
                valid_from: self.setup.unix(order.valid_from.micros()).0,
            }),
            OrderDo::Availability(a) => Instruction::Availability { pile: a.pile - 1, operative: a.operative },
            OrderDo::Stop(stop) => Instruction::Stop { pile: stop.pile - 1 },
            OrderDo::DefaultLimit(limit) => Instruction::DefaultLimit { pile: limit.pile - 1, limit_w: limit.limit_w },
        }
    }
}

fn setup(s: &Scenario, params: clmmsc::Params, kgc: clmmsc::PublicRecord) -> Result<Setup, String> {
    let g = &s.gateways;
    let tariff = &s.station.tariff;
    let periods = tariff.periods.iter().map(|p| Price { start: p.start, price: p.price, feed_in: p.feed_in }).collect();
    let currency = tariff.currency.as_bytes().try_into().map_err(|_| "`currency` has three letters".to_owned())?;
    Ok(Setup {
        crypto: g.crypto,
        params,
        kgc,
        genesis_time: s.genesis_time,
        n: g.n,
        csc: s.entities.csc,
        cp: s.entities.cp,
        ev: s.entities.ev,
        areas: s.entities.areas,
        ttl: s.entities.ttl,
        pad: s.entities.pad,
        tickets: Tickets { csc: s.entities.tickets.csc, css: s.entities.tickets.css, ev: s.entities.tickets.ev },
        answer_delay: s.entities.answer_delay.micros(),
        store_uploads: s.entities.store_uploads,
        upload_every: s.entities.upload_every.micros(),
        plan_every: s.entities.plan_every.micros(),
        feeder_cap_w: s.station.feeder_cap_w,
        area_cap_w: s.station.area_cap_w.clone(),
        rating_w: s.station.rating_w,
        tariff: TariffTable { id: tariff.id, currency, periods },
        agreement: Agreement {
            t0: g.t0.micros(),
            pipeline: g.pipeline.into(),
            batch_max: g.batch_max.into(),
            batch_bytes: g.batch_bytes,
            batch_delay: g.batch_delay.micros(),
            relay_after: g.relay_after.micros(),
            backoff_cap: g.backoff_cap.into(),
            fetch_timeout: g.fetch_timeout.micros(),
            drift: g.drift.0 / 1_000_000,
            checkpoint: g.checkpoint.into(),
            window: g.window.into(),
            pool_max: g.pool_max.into(),
            resend: g.resend.micros(),
            status_every: g.status_every.micros(),
            retain: (g.retain > 0).then_some(g.retain.into()),
            rotate_every: g.rotate_every.into(),
        },
    })
}
