//! Plugs: where a pile and a car meet, and power flows (WORLD.md §7.2).
//!
//! The world owns them because both sides read the same meter. Power is constant between two events; energy is exact.

use super::node::Arrival;
use super::{Event, World};
use crate::entities::PlantEvent;
use crate::entities::actor::{ActorId, Role};
use crate::entities::plant::Battery;
use crate::ledger::Micros;
use crate::sim::memo::Memo;

/// From the moment a car leaves to the moment the next one in the queue is plugged in.
const TURN: u64 = 60_000_000;

/// What happens at plugs by itself; numbers are car and pile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PlugEvent {
    Arrive(u16),
    Depart(u16),
    /// A reading is due.
    Meter {
        pile: u16,
        generation: u32,
    },
    /// The battery takes less from now on.
    Threshold {
        pile: u16,
        generation: u32,
    },
    /// The pile has set a limit: both sides read the meter.
    Read {
        pile: u16,
        generation: u32,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Plug {
    car: u16,
    battery: Battery,
    limit_w: i32,
    power_w: i32,
    /// Metered up to here.
    since: Micros,
    /// Number of this car's stay, and of the newest change of power.
    stay: u32,
    change: u32,
}

impl World {
    pub(super) fn plug(&mut self, event: PlugEvent, memo: &mut Memo) {
        match event {
            PlugEvent::Arrive(car) => self.plugged_in(car, memo),
            PlugEvent::Depart(car) => self.unplugged(car, memo),
            PlugEvent::Meter { pile, generation } => {
                if self.plugs.get(&pile).is_some_and(|plug| plug.stay == generation) {
                    if self.settle(pile) {
                        self.read(pile, memo);
                    }
                    let every = self.scenario.station.meter_every.0;
                    self.after(every, Event::Plug(PlugEvent::Meter { pile, generation }));
                }
            }
            PlugEvent::Threshold { pile, generation } => {
                if self.plugs.get(&pile).is_some_and(|plug| plug.change == generation) {
                    self.flow(pile);
                    self.read(pile, memo);
                }
            }
            PlugEvent::Read { pile, generation } => {
                if self.plugs.get(&pile).is_some_and(|plug| plug.stay == generation) {
                    self.settle(pile);
                    self.read(pile, memo);
                }
            }
        }
    }

    fn both(&mut self, pile: u16, car: u16, for_pile: PlantEvent, for_car: PlantEvent, memo: &mut Memo) {
        for (actor, event) in [(ActorId::new(Role::Cp, pile), for_pile), (ActorId::new(Role::Ev, car), for_car)] {
            if let Some(node) = self.node_of(actor) {
                self.arrive(node, Arrival::Plant(event), memo);
            }
        }
    }

    /// A car that finds its pile in use waits; a pile takes waiting cars by arrival.
    fn plugged_in(&mut self, car: u16, memo: &mut Memo) {
        let scenario = self.scenario.clone();
        let Some(entry) = scenario.fleet.ev.get(usize::from(car)) else { return };
        // Its turn may come when it has just left.
        let Some((stay, visit)) = entry.stay_at(self.now) else { return };
        let pile = visit.pile - 1;
        if self.plugs.contains_key(&pile) {
            return self.waiting.entry(pile).or_default().push_back(car);
        }
        let battery = Battery::new(entry.capacity_wh, visit.soc, entry.max_power_w).feeding_back(entry.v2g);
        let number = (u32::from(stay) << 16) | (u32::from(car) + 1);
        let plug = Plug { car, battery, limit_w: 0, power_w: 0, since: self.now, stay: number, change: 0 };
        self.plugs.insert(pile, plug);
        self.invariants.station.arrives(self.now, pile, car, battery);
        let (ev, cp) = (ActorId::new(Role::Ev, car), ActorId::new(Role::Cp, pile));
        // The car first: the pile's offer is the first thing it hears.
        for (actor, peer) in [(ev, cp), (cp, ev)] {
            if let Some(node) = self.node_of(actor) {
                self.arrive(node, Arrival::Plant(PlantEvent::PluggedIn { peer, stay }), memo);
            }
        }
        let every = scenario.station.meter_every.0;
        self.after(every, Event::Plug(PlugEvent::Meter { pile, generation: number }));
    }

    fn unplugged(&mut self, car: u16, memo: &mut Memo) {
        // A car that was never served leaves the queue.
        self.waiting.values_mut().for_each(|queue| queue.retain(|waiting| *waiting != car));
        let Some(pile) = self.plugs.iter().find(|(_, plug)| plug.car == car).map(|(pile, _)| *pile) else { return };
        self.settle(pile);
        if let Some(plug) = self.plugs.get_mut(&pile) {
            (plug.limit_w, plug.power_w) = (0, 0);
        }
        self.flowing(pile, 0);
        self.read(pile, memo);
        self.plugs.remove(&pile);
        self.invariants.station.leaves(pile);
        self.both(pile, car, PlantEvent::Unplugged, PlantEvent::Unplugged, memo);
        if let Some(next) = self.waiting.get_mut(&pile).and_then(std::collections::VecDeque::pop_front) {
            self.after(TURN, Event::Plug(PlugEvent::Arrive(next)));
        }
    }

    /// Meters what flowed since the last time; true if anything did.
    fn settle(&mut self, pile: u16) -> bool {
        let now = self.now;
        let Some(plug) = self.plugs.get_mut(&pile) else { return false };
        plug.battery.flow(plug.power_w, now.0 - plug.since.0);
        plug.since = now;
        plug.power_w != 0
    }

    /// Meters, then takes the power that limit and battery now allow, until the battery's next threshold.
    fn flow(&mut self, pile: u16) {
        self.settle(pile);
        let Some(plug) = self.plugs.get_mut(&pile) else { return };
        plug.power_w = plug.battery.power_w(plug.limit_w);
        plug.change += 1;
        let (generation, power_w, next) = (plug.change, plug.power_w, plug.battery.next_change_us(plug.power_w));
        self.flowing(pile, power_w);
        if let Some(us) = next {
            self.after(us, Event::Plug(PlugEvent::Threshold { pile, generation }));
        }
    }

    /// The invariants learn of every change of power.
    fn flowing(&mut self, pile: u16, power_w: i32) {
        let found = self.invariants.station.flows(self.now, pile, power_w, &self.setup);
        self.found(found, None);
    }

    /// Both sides read the meter.
    fn read(&mut self, pile: u16, memo: &mut Memo) {
        let Some(&plug) = self.plugs.get(&pile) else { return };
        let found = self.invariants.station.reads(self.now, pile, &plug.battery, &self.setup);
        self.found(found, None);
        let (charged_uj, discharged_uj) = (plug.battery.charged_uj, plug.battery.discharged_uj);
        let meter = PlantEvent::Meter { at: self.now, charged_uj, discharged_uj, power_w: plug.power_w };
        self.both(pile, plug.car, meter, meter, memo);
    }

    /// A pile sets the limit of its plug.
    pub(super) fn limit(&mut self, cp: ActorId, limit_w: i32) {
        let Some(plug) = self.plugs.get_mut(&cp.index).filter(|_| cp.role == Role::Cp) else { return };
        plug.limit_w = limit_w;
        let stay = plug.stay;
        self.flow(cp.index);
        self.after(0, Event::Plug(PlugEvent::Read { pile: cp.index, generation: stay }));
    }
}
