//! The layouts of WORLD.md §7.1 byte by byte, both ways, and every field that can be wrong.

use super::*;
use proptest::prelude::*;

const FLOWS: [Flow; 7] =
    [Flow::COMMAND, Flow::GATEWAY, Flow::STATION, Flow::UPLOAD, Flow::PLUG_IN, Flow::ROUTING, Flow::PILE];

fn tariff() -> TariffTable {
    let price = |start, price| Price { start, price, feed_in: 8_000 };
    TariffTable { id: 0x0403_0201, currency: *b"EUR", periods: vec![price(0, 31_500), price(300, 52_300)] }
}

fn profile() -> Profile {
    let period = |start, limit_w| Period { start, limit_w };
    Profile {
        transaction: 7,
        profile: 1,
        start: 1_000,
        duration: 900,
        energy_wh: 6_000,
        cost: -189,
        periods: vec![period(0, 11_000), period(300, 4_000)],
        tariff: tariff(),
    }
}

/// One of each kind, with a flow that carries it and its length in bytes.
fn all() -> [(Command, Flow, usize); 7] {
    let limit = StationLimit { profile: 3, start: 1_000, duration: 60, limit_w: 7_400 };
    [
        (Command::Profile(profile()), Flow::COMMAND, 52 + 8 * 2 + 12 * 2),
        (Command::DefaultTariff(DefaultTariff { tariff: tariff(), valid_from: 5 }), Flow::GATEWAY, 20 + 12 * 2),
        (Command::AreaLimit(AreaLimit { limit_w: 15_000, from: 1, to: 2 }), Flow::GATEWAY, 24),
        (Command::StationLimit(limit), Flow::STATION, 24),
        (Command::Availability { operative: true }, Flow::PILE, 5),
        (Command::Stop { transaction: 1 << 48 }, Flow::PILE, 12),
        (Command::DefaultLimit { limit_w: 1_400 }, Flow::PILE, 8),
    ]
}

#[test]
fn every_kind_has_its_number_length_and_flows() {
    for ((command, own, len), kind) in all().into_iter().zip(1..) {
        let bytes = command.encode();
        assert_eq!((command.kind(), bytes.len()), (kind, len));
        assert_eq!(bytes[..4], [1, kind, 0, 0]);
        for flow in FLOWS {
            let fits = flow == own || (kind == 2 && flow == Flow::STATION);
            let expected = if fits { Ok(command.clone()) } else { Err(NoCommand) };
            assert_eq!(Command::decode(flow, &bytes), expected, "kind {kind}, flow {}", flow.code());
        }
    }
}

#[test]
fn the_bytes_stand_where_the_table_says() {
    let bytes = Command::Profile(profile()).encode();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!((u64_at(4), u32_at(12), u64_at(16), u32_at(24), bytes[28]), (7, 1, 1_000, 900, 1));
    assert_eq!((&bytes[29..32], u32_at(32), u32_at(36)), (&b"EUR"[..], 0x0403_0201, 6_000));
    assert_eq!((u64_at(40).cast_signed(), &bytes[48..52]), (-189, &[2, 2, 0, 0][..]));
    assert_eq!([52, 56, 60, 64].map(u32_at), [0, 11_000, 300, 4_000]);
    assert_eq!([68, 72, 76, 80, 84, 88].map(u32_at), [0, 31_500, 8_000, 300, 52_300, 8_000]);

    let [_, (tariff, ..), (area, ..), (station, ..), ..] = all();
    let bytes = tariff.encode();
    assert_eq!(bytes[4..20], [1, 2, 3, 4, b'E', b'U', b'R', 2, 5, 0, 0, 0, 0, 0, 0, 0]);
    let bytes = area.encode();
    assert_eq!(bytes[4..], [0x98, 0x3A, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    let bytes = station.encode();
    assert_eq!(bytes[4..], [3, 0, 0, 0, 0xE8, 3, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0xE8, 0x1C, 0, 0]);
}

#[test]
fn no_other_length_is_read() {
    for (command, flow, _) in all() {
        let mut bytes = command.encode();
        for len in 0..bytes.len() {
            assert_eq!(Command::decode(flow, &bytes[..len]), Err(NoCommand), "{command:?} cut to {len}");
        }
        bytes.push(0);
        assert_eq!(Command::decode(flow, &bytes), Err(NoCommand), "{command:?} with a trailing byte");
    }
}

#[test]
fn version_kind_and_flags_are_fixed() {
    for (command, flow, _) in all() {
        for (at, value) in [(0, 0), (0, 2), (1, 0), (1, 8), (1, 255), (2, 1), (2, 2), (3, 1)] {
            let mut bytes = command.encode();
            bytes[at] = value;
            assert_eq!(Command::decode(flow, &bytes), Err(NoCommand), "{command:?}: byte {at} is {value}");
        }
    }
}

#[test]
fn feeding_back_needs_its_flag_and_the_flag_needs_feeding_back() {
    let mut feeds = profile();
    feeds.periods[1].limit_w = -5_000;
    let mut bytes = Command::Profile(feeds.clone()).encode();
    assert_eq!(bytes[2], 1);
    assert_eq!(Command::decode(Flow::COMMAND, &bytes), Ok(Command::Profile(feeds)));
    bytes[2] = 0;
    assert_eq!(Command::decode(Flow::COMMAND, &bytes), Err(NoCommand));
}

/// A profile that is well-formed but for one thing.
fn refused(what: &str, change: impl FnOnce(&mut Profile)) {
    let mut wrong = profile();
    change(&mut wrong);
    assert_eq!(Command::decode(Flow::COMMAND, &Command::Profile(wrong).encode()), Err(NoCommand), "{what}");
}

#[test]
fn every_field_of_a_profile_is_checked() {
    refused("no duration", |p| p.duration = 0);
    refused("an end beyond all time", |p| p.start = u64::MAX - 899);
    refused("no ASCII", |p| p.tariff.currency[1] = 0xC4);
    refused("no period", |p| p.periods.clear());
    refused("25 periods", |p| p.periods = (0..25).map(|start| Period { start, limit_w: 1 }).collect());
    refused("a first period after 0", |p| p.periods[0].start = 1);
    refused("two periods at once", |p| p.periods[1].start = 0);
    refused("a period at the end", |p| p.periods[1].start = 900);
    refused("no price", |p| p.tariff.periods.clear());
    let price = |start| Price { start, price: 1, feed_in: 1 };
    refused("9 prices", |p| p.tariff.periods = (0..9).map(price).collect());
    refused("a first price after 0", |p| p.tariff.periods[0].start = 1);
    refused("two prices at once", |p| p.tariff.periods[1].start = 0);
    refused("a price at the end", |p| p.tariff.periods[1].start = 900);
    for (what, at) in [("unit", 28), ("zero field", 50), ("zero field", 51)] {
        let mut bytes = Command::Profile(profile()).encode();
        bytes[at] ^= 2;
        assert_eq!(Command::decode(Flow::COMMAND, &bytes), Err(NoCommand), "{what}");
    }
}

#[test]
fn every_field_of_the_other_commands_is_checked() {
    let wrong = |flow, command: Command| {
        assert_eq!(Command::decode(flow, &command.encode()), Err(NoCommand), "{command:?}");
    };
    let price = |start| Price { start, price: 1, feed_in: 1 };
    let table = |currency, starts: &[u32]| {
        let tariff = TariffTable { id: 1, currency, periods: starts.iter().copied().map(price).collect() };
        Command::DefaultTariff(DefaultTariff { tariff, valid_from: 0 })
    };
    for flow in [Flow::GATEWAY, Flow::STATION] {
        for starts in [&[][..], &[1], &[0, 0], &[0, 5, 4], &[0, 1, 2, 3, 4, 5, 6, 7, 8]] {
            wrong(flow, table(*b"EUR", starts));
        }
        wrong(flow, table([b'E', b'U', 0x80], &[0]));
    }
    let over = 1 << 31;
    wrong(Flow::GATEWAY, Command::AreaLimit(AreaLimit { limit_w: over, from: 1, to: 2 }));
    wrong(Flow::GATEWAY, Command::AreaLimit(AreaLimit { limit_w: 1, from: 2, to: 2 }));
    let limit = StationLimit { profile: 3, start: 1_000, duration: 60, limit_w: 7_400 };
    wrong(Flow::STATION, Command::StationLimit(StationLimit { duration: 0, ..limit }));
    wrong(Flow::STATION, Command::StationLimit(StationLimit { start: u64::MAX, ..limit }));
    wrong(Flow::STATION, Command::StationLimit(StationLimit { limit_w: over, ..limit }));
    wrong(Flow::PILE, Command::DefaultLimit { limit_w: over });
    assert_eq!(Command::decode(Flow::PILE, &[1, 5, 0, 0, 2]), Err(NoCommand), "an operational status");
    assert_eq!(NoCommand.to_string(), "Command");
}

prop_compose! {
    /// Ascending starts from 0 below a duration.
    fn starts(max: usize)(gaps in prop::collection::vec(1u32..100_000, 0..max)) -> Vec<u32> {
        let mut at = 0;
        [0].into_iter().chain(gaps.into_iter().map(|gap| { at += gap; at })).collect()
    }
}

prop_compose! {
    fn any_tariff()(
        id: u32,
        currency in "[A-Z]{3}",
        starts in starts(8),
        prices in prop::collection::vec(any::<(u32, u32)>(), 8),
    ) -> TariffTable {
        let price = |(start, (price, feed_in))| Price { start, price, feed_in };
        let periods = starts.into_iter().zip(prices).map(price).collect();
        TariffTable { id, currency: currency.as_bytes().try_into().unwrap(), periods }
    }
}

prop_compose! {
    fn any_profile()(
        (transaction, profile, energy_wh, cost) in any::<(u64, u32, u32, i64)>(),
        start in 0..=u64::MAX - u64::from(u32::MAX),
        more in 1u32..1_000_000,
        starts in starts(24),
        limits in prop::collection::vec(any::<i32>(), 24),
        tariff in any_tariff(),
    ) -> Profile {
        let ends = starts.last().max(tariff.periods.last().map(|p| &p.start)).copied().unwrap_or(0);
        let periods = starts.into_iter().zip(limits).map(|(start, limit_w)| Period { start, limit_w }).collect();
        Profile { transaction, profile, start, duration: ends + more, energy_wh, cost, periods, tariff }
    }
}

fn any_command() -> impl Strategy<Value = (Flow, Command)> {
    let watts = || 0..=i32::MAX.unsigned_abs();
    let carriers = prop_oneof![Just(Flow::GATEWAY), Just(Flow::STATION)];
    let tariff = (carriers, any_tariff(), any::<u64>())
        .prop_map(|(flow, tariff, valid_from)| (flow, Command::DefaultTariff(DefaultTariff { tariff, valid_from })));
    let area = (watts(), 0..u64::MAX, 1..=u64::MAX).prop_map(|(limit_w, from, more)| {
        let to = from.saturating_add(more);
        (Flow::GATEWAY, Command::AreaLimit(AreaLimit { limit_w, from, to }))
    });
    let station = (any::<u32>(), 0..=u64::MAX - u64::from(u32::MAX), 1..=u32::MAX, watts()).prop_map(
        |(profile, start, duration, limit_w)| {
            (Flow::STATION, Command::StationLimit(StationLimit { profile, start, duration, limit_w }))
        },
    );
    prop_oneof![
        any_profile().prop_map(|profile| (Flow::COMMAND, Command::Profile(profile))),
        tariff,
        area,
        station,
        any::<bool>().prop_map(|operative| (Flow::PILE, Command::Availability { operative })),
        any::<u64>().prop_map(|transaction| (Flow::PILE, Command::Stop { transaction })),
        watts().prop_map(|limit_w| (Flow::PILE, Command::DefaultLimit { limit_w })),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read((flow, command) in any_command()) {
        prop_assert_eq!(Command::decode(flow, &command.encode()), Ok(command));
    }

    /// Whatever is read is what would be written: one encoding per command, also after damage.
    #[test]
    fn nothing_else_is_read((flow, command) in any_command(), at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = command.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(read) = Command::decode(flow, &bytes) {
            prop_assert_ne!(&read, &command);
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn noise_is_read_canonically_or_not_at_all(code in 1u8..=7, kind in 0u8..9, rest: Vec<u8>) {
        let bytes = [&[1, kind, 0, 0][..], &rest].concat();
        if let Ok(read) = Command::decode(Flow::from_code(code).unwrap(), &bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }
}
