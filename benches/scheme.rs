//! The operations of [`voltcast_benches`] natively: `cargo bench --bench scheme`.

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
criterion::criterion_main!(native::scheme);

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use criterion::{Criterion, criterion_group};
    use std::rc::Rc;
    use std::time::Duration;
    use voltcast_benches::{World, operation};

    const NAMES: [&str; 32] = [
        "signcrypt/fresh/1",
        "signcrypt/fresh/10",
        "signcrypt/fresh/100",
        "signcrypt/fresh/1000",
        "signcrypt/fresh/10000",
        "signcrypt/known/1",
        "signcrypt/known/10",
        "signcrypt/known/100",
        "signcrypt/known/1000",
        "signcrypt/known/10000",
        "kernels/fresh/1000",
        "kernels/fresh/10000",
        "kernels/known/1000",
        "kernels/known/10000",
        "know/1000",
        "verify/header/1",
        "verify/body/10",
        "verify/body/1000",
        "verify/body/10000",
        "verify/batch/64",
        "verify/batch/200",
        "decapsulate/10",
        "open/10",
        "open/10000",
        "issue/1",
        "end-to-end/fresh/100",
        "end-to-end/fresh/1000",
        "end-to-end/fresh/5000",
        "end-to-end/known/5000",
        "polynomial/end-to-end/100",
        "polynomial/end-to-end/1000",
        "polynomial/end-to-end/5000",
    ];

    fn operations(c: &mut Criterion) {
        let world = Rc::new(World::new(10_000));
        for name in NAMES {
            if let Some(operation) = operation(&world, name) {
                c.bench_function(name, |b| b.iter(&operation));
            }
        }
    }

    criterion_group! {
        name = scheme;
        config = Criterion::default().sample_size(15).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        targets = operations
    }
}
