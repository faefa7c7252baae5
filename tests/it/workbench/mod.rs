//! The workbench on the operations listener (contract section 6).

mod access;
mod admission;
mod coverage;
mod decisions;
mod domains;
mod evaluation;
mod events;
mod folders;
mod history;
mod jobs;
mod policies;
mod replicas;

use std::path::Path;

use serde_json::Value;
use test_support::service::{Persona as _, Request, Service};
use test_support::services::TestDatabase;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// On this folder, with these further settings in `[policies]`.
async fn serve_on(database: TestDatabase, dir: &Path, more: &str) -> Service {
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"off\"\nproofs = \"off\"\n{more}",
        dir.display()
    );
    let server = format!("ops_token = \"{TOKEN}\"");
    Service::with_server_and_policies(database, &server, &policies).await
}

async fn serve(dir: &Path, more: &str) -> Service {
    serve_on(TestDatabase::sqlite(), dir, more).await
}

/// On the shipped folder.
async fn shipped(database: TestDatabase) -> Service {
    serve_on(database, &test_support::policy_world::shipped(), "").await
}

fn with_token(request: Request) -> Request {
    request.header("authorization", &format!("Bearer {TOKEN}"))
}

fn get(service: &Service, target: &str) -> Request {
    with_token(service.operator_side().get(target))
}

fn post(service: &Service, target: &str, body: &Value) -> Request {
    with_token(service.operator_side().post(target, body.clone()))
}

/// Tests of a service on the shipped folder, on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let database = test_support::services::TestDatabase::sqlite();
                    let service = crate::workbench::shipped(database).await;
                    super::$name(&service).await;
                    service.stop().await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let database = test_support::services::TestDatabase::empty_postgres().await;
                    let Some(database) = database else { return };
                    let service = crate::workbench::shipped(database).await;
                    super::$name(&service).await;
                    service.stop().await;
                }
            )+
        }
    };
}
use on_both;
