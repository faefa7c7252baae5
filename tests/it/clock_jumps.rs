//! A wall clock that is wrong for a while deletes nothing.

use test_support::on_both_services;
use test_support::service::{Service, TeamRole};

const DAY: i64 = 24 * 3_600;

on_both_services!(nothing_is_dropped_by_a_clock_that_is_ahead);

async fn nothing_is_dropped_by_a_clock_that_is_ahead(service: &Service) {
    let acme = service.organization("acme").await;
    let person = acme.person(TeamRole::Owner).await;
    let unverified = service.register("zoo").await;
    service.clock.advance(DAY);
    service.expiry().run().await.expect("the clock goes evenly");
    service.clock.set_wall(70 * DAY);
    let expiry = service.expiry();
    assert!(expiry.run().await.is_err());
    service.clock.advance(599);
    assert!(expiry.run().await.is_err());
    service.clock.set_wall(-70 * DAY);
    assert!(expiry.run().await.is_err());
    let person = person.refresh().await;
    person.ok();
    unverified.refresh().await.ok();
    // A clock that stays where it is is believed in the end.
    service.clock.advance(70 * DAY);
    expiry.run().await.expect("the clock goes evenly");
    assert_eq!(service.audited("system.ExpireRegistration").await.len(), 2);
}
