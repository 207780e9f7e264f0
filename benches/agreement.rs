//! The loads of [`voltcast_benches::agreement`] natively: `cargo bench --bench agreement [-- NAME]`. Times are processor
//! times of the one thread, so that a busy machine changes them little.

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
criterion::criterion_main!(native::agreement);

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use criterion::measurement::{Measurement, ValueFormatter, WallTime};
    use criterion::{Criterion, Throughput, criterion_group};
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;
    use voltcast_benches::agreement::{NAMES, load};

    /// What this thread has used, in nanoseconds.
    struct ProcessorTime;

    fn used() -> u64 {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }

    impl Measurement for ProcessorTime {
        type Intermediate = u64;
        type Value = u64;

        fn start(&self) -> u64 {
            used()
        }

        fn end(&self, start: u64) -> u64 {
            used() - start
        }

        fn add(&self, v1: &u64, v2: &u64) -> u64 {
            v1 + v2
        }

        fn zero(&self) -> u64 {
            0
        }

        fn to_f64(&self, value: &u64) -> f64 {
            *value as f64
        }

        fn formatter(&self) -> &dyn ValueFormatter {
            WallTime.formatter()
        }
    }

    fn loads(c: &mut Criterion<ProcessorTime>) {
        let mut group = c.benchmark_group("agreement");
        // Only what was asked for is prepared; criterion itself matches names in the same way.
        let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
        for name in NAMES.into_iter().filter(|n| asked.is_empty() || asked.iter().any(|asked| n.contains(asked))) {
            if let Some(load) = load(name) {
                group.throughput(Throughput::Elements(load.times));
                group.bench_function(name, |b| b.iter(&load.run));
            }
        }
    }

    criterion_group! {
        name = agreement;
        config = Criterion::default()
            .with_measurement(ProcessorTime)
            .sample_size(15)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(3));
        targets = loads
    }
}
