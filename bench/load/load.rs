//! The load side of the bench: one thread, non-blocking sockets, epoll, nothing but the standard library, so that it takes
//! as little as it can of the cores it shares with the server under test. `bench/run` compiles it with `rustc -O`.
//!
//! A request is sent again on its connection as soon as the answer before it has been read to its end (closed loop). After
//! the last second no request begins, those under way are waited for, and everything that was answered counts: so the
//! server's CPU time, taken before and after, belongs to exactly these requests. Bodies differ in their first 16 bytes.
//! With `--every SECONDS` each connection begins a request at that interval instead, the connections evenly spread over it;
//! a turn at which the answer before is still missing is skipped and counted as late. The result is one line of JSON.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::process::exit;
use std::time::{Duration, Instant};

mod connection;
mod epoll;
mod plan;

use connection::{Connection, Phase, Tally};
use plan::{Options, Plan, plan};

/// A server that says nothing for so long has lost a request.
const SILENCE: Duration = Duration::from_secs(60);

fn fail(why: &str) -> ! {
    eprintln!("load: {why}");
    exit(1)
}

/// The member `"file"` of an upload's answer.
fn uploaded_id(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let rest = &text[text.find("\"file\"")? + 6..];
    let start = rest.find('"')? + 1;
    let length = rest[start..].find('"')?;
    Some(rest[start..start + length].to_owned())
}

fn run(options: &Options, plan: &mut Plan) -> io::Result<(Tally, Duration)> {
    let wanted: u64 = options.number("requests", u64::MAX);
    let seconds = options.number("seconds", 1e6_f64);
    let count: usize = options.number("connections", 1);
    let collects = options.text("collect").is_some();
    let every: f64 = options.number("every", 0.0);
    let paced = every > 0.0;
    let gap = every / count.max(1) as f64;
    let mut turns: u64 = 0;
    let mut due = vec![false; count];
    let epoll = epoll::Epoll::new()?;
    let mut connections: Vec<Connection> = (0..count).map(|_| Connection::new(&plan.address)).collect();
    for (index, connection) in connections.iter().enumerate() {
        epoll.add(connection.stream.as_raw_fd(), epoll::IN, index as u64)?;
    }
    let mut scratch = vec![0_u8; 64 * 1024];
    let mut events = vec![epoll::Event { events: 0, data: 0 }; count.max(1)];
    let mut tally = Tally::default();
    let mut issued: u64 = 0;
    let mut resting = count;
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let mut last_answer = start;
    let mut ready: Vec<(usize, bool)> = (0..count).map(|index| (index, false)).collect();
    loop {
        let mut next_turn = start + Duration::from_secs_f64(turns as f64 * gap);
        while paced && next_turn < end && next_turn <= Instant::now() {
            let index = usize::try_from(turns).unwrap_or(0) % count;
            due[index] = true;
            ready.push((index, false));
            turns += 1;
            next_turn = start + Duration::from_secs_f64(turns as f64 * gap);
        }
        for (index, readable) in ready.drain(..) {
            let connection = &mut connections[index];
            let mut failed = None;
            if readable && !matches!(connection.phase, Phase::Resting) {
                match connection.receive(&mut scratch, &mut tally) {
                    Ok(true) => {
                        let now = Instant::now();
                        last_answer = now;
                        tally.requests += 1;
                        tally.latencies.push((now - connection.began).as_nanos() as u64);
                        if !(200..300).contains(&connection.status) {
                            tally.error(|| String::from_utf8_lossy(&connection.answer).chars().take(600).collect());
                        } else if collects {
                            tally.ids.extend(uploaded_id(&connection.answer));
                        }
                        if matches!(connection.phase, Phase::Sending) {
                            failed = Some("answered before the request was read".to_owned());
                        } else if connection.closes {
                            failed = Some(String::new());
                        }
                        connection.phase = Phase::Resting;
                        resting += 1;
                    }
                    Ok(false) => {}
                    Err(error) => failed = Some(error.to_string()),
                }
            } else if readable {
                failed = Some(String::new());
            }
            let has_turn = paced && std::mem::take(&mut due[index]);
            if has_turn && !matches!(connection.phase, Phase::Resting) {
                tally.late += 1;
            }
            let may_begin = if paced { has_turn } else { last_answer < end };
            if failed.is_none() && matches!(connection.phase, Phase::Resting) && issued < wanted && may_begin {
                connection.begin(plan);
                issued += 1;
                resting -= 1;
            }
            if failed.is_none() && matches!(connection.phase, Phase::Sending) {
                match connection.send(plan) {
                    Ok(whole) if whole == connection.wants_out => {
                        connection.wants_out = !whole;
                        let interest = if whole { epoll::IN } else { epoll::IN | epoll::OUT };
                        epoll.modify(connection.stream.as_raw_fd(), interest, index as u64)?;
                    }
                    Ok(_) => {}
                    Err(error) => failed = Some(error.to_string()),
                }
            }
            if let Some(why) = failed {
                // An empty reason is a connection that the server may close: between requests, or as it announced.
                if !why.is_empty() {
                    tally.error(|| why);
                }
                if !matches!(connection.phase, Phase::Resting) {
                    resting += 1;
                }
                *connection = Connection::new(&plan.address);
                epoll.add(connection.stream.as_raw_fd(), epoll::IN, index as u64)?;
                if !paced && issued < wanted && last_answer < end && Instant::now() < end {
                    connection.begin(plan);
                    issued += 1;
                    resting -= 1;
                    let whole = connection.send(plan)?;
                    if !whole {
                        connection.wants_out = true;
                        epoll.modify(connection.stream.as_raw_fd(), epoll::IN | epoll::OUT, index as u64)?;
                    }
                }
            }
        }
        let over = !paced || next_turn >= end || issued >= wanted;
        if resting == count && over {
            break;
        }
        let patience = if over { 1000 } else { next_turn.saturating_duration_since(Instant::now()).as_millis() + 1 };
        let seen = epoll.wait(&mut events, i32::try_from(patience.min(1000)).unwrap_or(1000))?;
        for event in &events[..seen] {
            let (flags, data) = (event.events, event.data);
            ready.push((usize::try_from(data).unwrap_or(0), flags & !epoll::OUT != 0));
        }
        if seen == 0 && last_answer.elapsed() > SILENCE {
            fail("no answer for a minute");
        }
    }
    Ok((tally, last_answer - start))
}

fn main() {
    let options = Options::read();
    let mut plan = plan(&options);
    let (mut tally, elapsed) = run(&options, &mut plan).unwrap_or_else(|error| fail(&error.to_string()));
    if let Some(file) = options.text("collect") {
        let text = tally.ids.join("\n");
        if let Err(error) = fs::write(file, text) {
            fail(&format!("{file}: {error}"));
        }
    }
    tally.latencies.sort_unstable();
    let at = |share: f64| -> f64 {
        let last = tally.latencies.len().saturating_sub(1);
        tally.latencies.get((last as f64 * share) as usize).map_or(0.0, |nanoseconds| *nanoseconds as f64 / 1000.0)
    };
    if let Some(first) = &tally.first_error {
        eprintln!("load: {} of {} requests failed; the first: {first}", tally.errors, tally.requests);
    }
    let sent = tally.requests * plan.payload.len() as u64;
    println!(
        "{{\"requests\": {}, \"errors\": {}, \"late\": {}, \"seconds\": {:.6}, \"sent\": {sent}, \"received\": {}, \"p50\": {:.1}, \"p90\": {:.1}, \"p99\": {:.1}, \"max\": {:.1}}}",
        tally.requests,
        tally.errors,
        tally.late,
        elapsed.as_secs_f64(),
        tally.received,
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}
