//! People and their sessions: how many there are, and how they go.

use std::time::Duration;

use charter_domain::audit::{Actor, AuditContext};
use charter_domain::email::EmailAddress;
use charter_domain::entropy::{Entropy as _, OsEntropy};
use charter_domain::id::{SessionId, UserId};
use charter_domain::session::{SessionGuard, TokenHash};
use charter_domain::user::User;
use charter_store::{
    Ending, Error, MOST_AT_ONCE, NewOrganization, NewRotation, NewSession, NewUser, Rotation,
    SessionRow, VerifiedLogin,
};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use test_support::services::{TestDatabase, connect};

use super::world::{Organized, World, name, noon};

test_support::on_both_engines![
    the_oldest_session_ends_when_there_are_too_many,
    sessions_of_a_clock_that_was_ahead_end_first,
    a_person_goes_a_handful_at_a_time,
    tokens_that_are_presented_together_are_each_told_what_became_of_it,
    changes_of_a_session_need_it_open_and_in_its_own_organization,
];

const MONTH: Duration = Duration::from_hours(30 * 24);

fn hash() -> TokenHash {
    let mut hash = [0; 32];
    OsEntropy.fill(&mut hash);
    hash
}

fn rotation(presented: TokenHash, successor: TokenHash) -> NewRotation {
    NewRotation {
        presented,
        successor,
        key_id: "k".to_owned(),
        at: noon(),
        expires_at: noon() + MONTH,
    }
}

pub(super) async fn person(world: &World, of: &Organized, email: &str, role: &str) -> User {
    let new = NewUser {
        id: UserId::generate(noon(), &OsEntropy),
        email: EmailAddress::parse(email).expect("an address"),
        password_hash: "$argon2id$".to_owned(),
        role: role.to_owned(),
        email_verified_at: Some(noon()),
    };
    let tenant = world.tenant(&of.organization);
    tenant
        .by(&world.by())
        .create_user(new)
        .await
        .expect("a user")
}

pub(super) async fn sign_in(world: &World, user: &User) -> NewSession {
    let email = EmailAddress::from_stored(user.email.clone());
    let login = world.store.find_login(&email).await.expect("an answer");
    let verified = VerifiedLogin {
        login: login.expect("a person"),
        rehashed: None,
    };
    let session = NewSession {
        id: SessionId::generate(noon(), &OsEntropy),
        refresh_hash: hash(),
        refresh_expires_at: noon() + MONTH,
        user_agent: None,
    };
    let signed_in = world
        .store
        .sign_in(verified, session.clone(), &world.by())
        .await;
    signed_in.expect("signed in");
    session
}

async fn the_oldest_session_ends_when_there_are_too_many(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let ada = person(&world, &acme, "ada@acme.example", "member").await;
    let grace = person(&world, &acme, "grace@acme.example", "member").await;
    let others = sign_in(&world, &grace).await;
    let mut sessions = Vec::new();
    for _ in 0..53 {
        world.clock.advance(1);
        sessions.push(sign_in(&world, &ada).await.id);
    }
    let mut open = Vec::new();
    for id in &sessions {
        let found = world.store.find_sessions(&[*id]).await.expect("an answer");
        open.push(!found.is_empty());
    }
    assert_eq!(open.iter().filter(|open| **open).count(), 50);
    assert_eq!(open[..4], [false, false, false, true]);
    let found = world.store.find_sessions(&[others.id]).await;
    assert_eq!(found.expect("an answer").len(), 1);
    let raw = connect(world.database.url()).await;
    let text = "SELECT changes FROM audit_events WHERE action = 'person.SignIn' ORDER BY sequence DESC LIMIT 1";
    let last = query_text(&raw, text).await;
    let ended = format!("\"ended\":[\"{}\"]", sessions[2]);
    assert!(last.contains(&ended), "{last}");
    assert_eq!(world.audit().await.findings, []);
}

async fn sessions_of_a_clock_that_was_ahead_end_first(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let ada = person(&world, &acme, "ada@acme.example", "member").await;
    world.clock.advance(24 * 60 * 60);
    for _ in 0..50 {
        sign_in(&world, &ada).await;
    }
    world.clock.set_back(24 * 60 * 60);
    let first = sign_in(&world, &ada).await;
    world.clock.advance(1);
    let second = sign_in(&world, &ada).await;
    let both = world.store.find_sessions(&[first.id, second.id]).await;
    assert_eq!(both.expect("an answer").len(), 2);
}

async fn query_text(raw: &DatabaseConnection, text: &str) -> String {
    let statement = sea_orm::Statement::from_string(raw.get_database_backend(), text);
    let row = raw.query_one_raw(statement).await.expect("an answer");
    row.expect("a row").try_get_by_index(0).expect("text")
}

/// Refuses a deletion that would take very much along.
const FEW_GO_ALONG: [[&str; 2]; 2] = [
    [
        "CREATE TRIGGER few_tokens BEFORE DELETE ON sessions BEGIN
            SELECT RAISE(ABORT, 'too many tokens')
            FROM (SELECT count(*) AS n FROM spent_refresh_tokens WHERE session_id = OLD.id) WHERE n > 0;
         END",
        "CREATE TRIGGER few_sessions BEFORE DELETE ON users BEGIN
            SELECT RAISE(ABORT, 'too many sessions')
            FROM (SELECT count(*) AS n FROM sessions WHERE user_id = OLD.id) WHERE n > 50;
         END",
    ],
    [
        "CREATE FUNCTION few_tokens() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT FROM spent_refresh_tokens WHERE session_id = OLD.id)
            THEN RAISE 'too many tokens'; END IF; RETURN OLD; END $$;
         CREATE TRIGGER few_tokens BEFORE DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION few_tokens()",
        "CREATE FUNCTION few_sessions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM sessions WHERE user_id = OLD.id) > 50
            THEN RAISE 'too many sessions'; END IF; RETURN OLD; END $$;
         CREATE TRIGGER few_sessions BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION few_sessions()",
    ],
];

async fn a_person_goes_a_handful_at_a_time(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let ada = person(&world, &acme, "ada@acme.example", "member").await;
    for _ in 0..60 {
        sign_in(&world, &ada).await;
    }
    let mut token = sign_in(&world, &ada).await.refresh_hash;
    for _ in 0..600 {
        let next = hash();
        let rotated = world.store.rotate(&[rotation(token, next)]).await;
        assert!(matches!(rotated.as_deref(), Ok([Ok(Rotation::Rotated(_))])));
        token = next;
    }
    let raw = connect(world.database.url()).await;
    let is_sqlite = raw.get_database_backend() == sea_orm::DbBackend::Sqlite;
    for statement in FEW_GO_ALONG[usize::from(!is_sqlite)] {
        raw.execute_unprepared(statement).await.expect("a trigger");
    }
    let tenant = world.tenant(&acme.organization);
    let writer = tenant.by(&world.by());
    let removed = writer.remove_member(ada.id, |_| Ok::<_, Error>(()));
    removed.await.expect("removed");
    for table in ["sessions", "spent_refresh_tokens"] {
        let left = query_text(&raw, &format!("SELECT CAST(count(*) AS TEXT) FROM {table}")).await;
        assert_eq!(left, "0", "{table}");
    }
    assert_eq!(world.audit().await.findings, []);
}

async fn changes_of_a_session_need_it_open_and_in_its_own_organization(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let ada = person(&world, &acme, "ada@acme.example", "owner").await;
    let session = sign_in(&world, &ada).await;
    let by = AuditContext {
        actor: Actor::Session(SessionGuard {
            session: session.id,
            user: ada.id,
            role: ada.role.clone(),
        }),
        ..world.by()
    };
    let new = NewOrganization {
        name: name("Other"),
        slug: "other".parse().expect("a slug"),
    };
    let made = world.store.create_organization(new, &by).await;
    assert!(matches!(made, Err(Error::Unexpected(_))));
    let row = SessionRow {
        id: session.id,
        user: ada.id,
        organization: acme.organization.id,
    };
    let end = async || world.store.end_session(row, Ending::SignOut, &by).await;
    end().await.expect("ended by itself");
    assert!(matches!(end().await, Err(Error::SessionEnded)));
}

async fn tokens_that_are_presented_together_are_each_told_what_became_of_it(
    database: TestDatabase,
) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let (mut sessions, mut expected) = (Vec::new(), Vec::new());
    let mut asked = Vec::new();
    // As many as one statement takes, and one of each kind in between.
    for n in 0..MOST_AT_ONCE {
        let email = format!("p{n}@acme.example");
        let user = person(&world, &acme, &email, "member").await;
        let session = sign_in(&world, &user).await;
        let mut rotation = rotation(session.refresh_hash, hash());
        rotation.key_id = format!("k{n}");
        let outcome = match n {
            // A stranger's guess.
            11 => {
                rotation.presented = hash();
                "void"
            }
            // It is over, to the microsecond.
            12 => {
                rotation.at = session.refresh_expires_at;
                "void"
            }
            13 => {
                let row = world
                    .store
                    .find_session_of_refresh_token(session.refresh_hash);
                let row = row.await.expect("an answer").expect("a session");
                let by = world.by();
                let ended = world.store.end_session(row, Ending::SignOut, &by);
                ended.await.expect("ended");
                "void"
            }
            14 => {
                let before = world.store.rotate(&[rotation.clone()]).await;
                assert!(matches!(before.as_deref(), Ok([Ok(Rotation::Rotated(_))])));
                rotation.successor = hash();
                "spent"
            }
            _ => "rotated",
        };
        sessions.push(session.id);
        expected.push(outcome);
        asked.push(rotation);
    }
    let outcomes = world.store.rotate(&asked).await.expect("an answer");
    for (n, outcome) in outcomes.iter().enumerate() {
        let told = match outcome.as_ref().expect("an answer") {
            Rotation::Rotated(row) => {
                assert_eq!(row.id, sessions[n]);
                "rotated"
            }
            Rotation::Spent {
                session, key_id, ..
            } => {
                assert_eq!((session.id, key_id.as_str()), (sessions[n], "k14"));
                "spent"
            }
            Rotation::Void => "void",
        };
        assert_eq!(told, expected[n], "{n}");
    }
    // Each that was used is known with its own key, and its successor is the one that is valid.
    let again = world.store.rotate(&asked).await.expect("an answer");
    for (n, outcome) in again.iter().enumerate() {
        match outcome.as_ref().expect("an answer") {
            Rotation::Spent {
                key_id, session, ..
            } => {
                assert_eq!((key_id, session.id), (&format!("k{n}"), sessions[n]));
            }
            other => assert_eq!((other, expected[n]), (&Rotation::Void, "void"), "{n}"),
        }
    }
    let more: Vec<_> = (0..=MOST_AT_ONCE)
        .map(|_| rotation(hash(), hash()))
        .collect();
    assert!(matches!(
        world.store.rotate(&more).await,
        Err(Error::Setup(_))
    ));
    assert_eq!(world.store.rotate(&[]).await.expect("an answer").len(), 0);
    let next = rotation(asked[MOST_AT_ONCE - 1].successor, hash());
    let next = world.store.rotate(&[next]).await;
    assert!(matches!(next.as_deref(), Ok([Ok(Rotation::Rotated(_))])));
}
