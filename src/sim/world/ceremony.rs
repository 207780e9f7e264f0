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
use crate::entities::plant::Battery;
use crate::entities::setup::{Agreement, Price, TariffTable, Tickets};
use crate::entities::{Cp, Csc, Css, Entity, Ev, Kgc, Setup};
use crate::sim::scenario::{OrderDo, Scenario, Tariff};
use crate::sim::streams::{Label, Streams};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use std::sync::Arc;

/// Name of every simulated network.
const NET: &str = "voltcast";

/// Everybody, ready to start.
pub struct Cast {
    pub setup: Arc<Setup>,
    pub nodes: Vec<Node>,
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

/// The ceremony of a scenario.
///
/// # Errors
/// A sentence if the scheme refuses the scenario's policy.
pub fn hold(s: &Scenario, streams: Streams) -> Result<Cast, String> {
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
    let mut users: Vec<ActorId> = s.actors().into_iter().filter(|actor| *actor != kgc).collect();
    users.sort_by_key(|actor| actor.uid());
    let codes: Vec<(ActorId, [u8; 32])> = users.into_iter().map(|actor| (actor, draw(&mut rng))).collect();
    let setup = Arc::new(setup(s, params, key.public().clone())?);
    let cast = Casting { s, streams, setup: setup.clone(), codes: &codes };
    let nodes = s.actors().into_iter().map(|actor| {
        let entity = match actor.role {
            Role::Kgc => Entity::Kgc(Box::new(Kgc::new(setup.clone(), master.clone(), key.clone(), &codes))),
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
    Ok(Cast { setup, nodes })
}

struct Casting<'a> {
    s: &'a Scenario,
    streams: Streams,
    setup: Arc<Setup>,
    codes: &'a [(ActorId, [u8; 32])],
}

impl Casting<'_> {
    fn user(&self, actor: ActorId) -> Entity {
        let epoch = self.setup.params.epoch(self.s.genesis_time);
        let car = self.s.fleet.ev.get(usize::from(actor.index)).filter(|_| actor.role == Role::Ev);
        let validity = match car {
            Some(car) => {
                (self.setup.epoch(car.arrive.micros()), self.setup.epoch(car.depart.micros()).saturating_add(1))
            }
            None => (epoch, epoch.saturating_add(PINNED_EPOCHS)),
        };
        let code = self.codes.iter().find(|(a, _)| *a == actor).map_or([0; 32], |(_, code)| *code);
        let keys = self.streams.get(Label::Keys, actor.code(), 0);
        let enrolment = Enrolment::new(self.setup.clone(), actor, code, keys, validity);
        let enrolment = if car.is_some_and(|car| car.sleeps) { enrolment.lending() } else { enrolment };
        match actor.role {
            Role::Csc => Entity::Csc(Box::new(Csc::new(enrolment, self.agenda(actor)))),
            Role::Css | Role::Kgc | Role::Outsider => Entity::Css(Box::new(Css::new(enrolment))),
            Role::Cp => Entity::Cp(Box::new(Cp::new(enrolment))),
            Role::Ev => {
                let (battery, wants) = match car {
                    Some(car) => (
                        Battery::new(car.capacity_wh, car.soc, car.max_power_w).feeding_back(car.v2g),
                        Wants {
                            target_ppm: car.target,
                            departure: self.setup.unix(car.depart.micros()).0,
                            v2g: car.v2g,
                        },
                    ),
                    None => (Battery::new(1, 0, 0), Wants { target_ppm: 0, departure: 0, v2g: false }),
                };
                Entity::Ev(Box::new(Ev::new(enrolment, battery, wants)))
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
        },
    })
}
