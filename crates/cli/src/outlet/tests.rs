//! Readers that do not read.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// A stream whose reader has stopped until told to go on.
macro_rules! stuck {
    ($outlet:ident, $open:ident, $written:ident) => {
        static $open: AtomicBool = AtomicBool::new(false);
        static $written: AtomicUsize = AtomicUsize::new(0);
        static $outlet: Outlet = Outlet::new(loss_as_warning, |bytes| {
            while !$open.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            $written.fetch_add(bytes.len(), Ordering::SeqCst);
            Ok(())
        });
    };
}

#[test]
fn a_reader_that_stops_costs_no_more_than_the_queue_and_no_result() {
    stuck!(OUTLET, OPEN, WRITTEN);
    OUTLET.line("the one that the reader holds up".into(), Worth::Passing);
    while !OUTLET.lock().busy {
        thread::yield_now();
    }
    let line = "x".repeat(1_000);
    for _ in 0..5_000 {
        OUTLET.line(line.clone(), Worth::Passing);
    }
    assert!(OUTLET.lock().bytes <= PASSING_BYTES);
    assert!(OUTLET.lock().lost > 3_000);
    for _ in 0..1_000 {
        OUTLET.line("a result".into(), Worth::Lasting);
    }
    // The first that found room told what was lost before it.
    assert_eq!(OUTLET.lock().lost, 0);
    let kept = OUTLET.lock().queue.iter().filter(|(line, _)| line == "a result\n").count();
    assert_eq!(kept, 1_000);
    let told = OUTLET.lock().queue.iter().filter(|(line, _)| line.contains("are missing")).count();
    assert_eq!(told, 1);
    // Who leaves in a hurry is not held up, neither by what passes nor by results.
    let began = Instant::now();
    OUTLET.drain(began + ORDER, true);
    assert!(began.elapsed() < Duration::from_secs(1));
    OPEN.store(true, Ordering::SeqCst);
    OUTLET.drain(began + Duration::from_mins(1), false);
    assert!(OUTLET.lock().is_done());
    assert!(WRITTEN.load(Ordering::SeqCst) > 1_000 * "a result\n".len());
}

#[test]
fn what_passes_does_not_hold_up_the_end() {
    stuck!(OUTLET, OPEN, WRITTEN);
    OUTLET.line("97%".into(), Worth::Passing);
    let began = Instant::now();
    OUTLET.drain(began + ORDER, false);
    assert!(!OUTLET.lock().is_done());
    assert_eq!(WRITTEN.load(Ordering::SeqCst), 0);
    OPEN.store(true, Ordering::SeqCst);
}

#[test]
fn a_stream_that_fails_is_told_once_and_one_that_nobody_reads_is_not() {
    static FULL: Outlet = Outlet::new(loss_as_warning, |_| Err(io::ErrorKind::StorageFull.into()));
    static GONE: Outlet = Outlet::new(loss_as_warning, |_| Err(io::ErrorKind::BrokenPipe.into()));
    for outlet in [&FULL, &GONE] {
        outlet.line("a result".into(), Worth::Lasting);
        outlet.drain(Instant::now() + Duration::from_mins(1), false);
    }
    assert_eq!(FULL.failure().unwrap().kind(), io::ErrorKind::StorageFull);
    assert!(FULL.failure().is_none());
    assert!(GONE.failure().is_none());
}
