//! Refreshing, compared with a durable UPDATE on the same database file, which it needs at least.

use std::io::BufReader;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use crate::charter::Charter;
use crate::durable;
use crate::person::{exchange, exchange_on, login, refresh};

const LANES: usize = 8;
const EACH: usize = 250;
const ROUNDS: usize = 5;

pub(crate) fn against_a_bare_update(server: &Charter) {
    let (mut of_refresh, mut of_update) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let update = durable::updates(&server.database_file(), LANES * EACH).rate;
        let refreshes = refreshes(server);
        if round > 0 {
            println!("{refreshes:.0} refreshes a second, {update:.0} bare updates a second");
            of_refresh.push(refreshes);
            of_update.push(update);
        }
    }
    let (refreshes, updates) = (crate::median(of_refresh), crate::median(of_update));
    println!(
        "refresh: {refreshes:.0} / {updates:.0} a second, ratio {:.2}",
        refreshes / updates
    );
}

/// Eight users who refresh again and again.
fn refreshes(server: &Charter) -> f64 {
    let (email, password) = (
        server.demo_value("CHARTER_PORTAL_EMAIL"),
        server.demo_value("CHARTER_PORTAL_PASSWORD"),
    );
    let cookies: Vec<_> = (0..LANES)
        .map(|_| {
            let answer = exchange(&server.host, &login(&email, &password, "", &server.host));
            answer.refresh_token.expect("a cookie")
        })
        .collect();
    let began = Instant::now();
    thread::scope(|scope| {
        for mut cookie in cookies {
            scope.spawn(move || {
                let stream = TcpStream::connect(&server.host).expect("connected");
                stream.set_nodelay(true).expect("an option");
                let mut connection = BufReader::new(stream);
                for _ in 0..EACH {
                    let answer = exchange_on(&mut connection, &refresh(&cookie, &server.host))
                        .expect("an answer");
                    cookie = answer.refresh_token.expect("a successor");
                }
            });
        }
    });
    (LANES * EACH) as f64 / began.elapsed().as_secs_f64()
}
