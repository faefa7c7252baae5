//! The house keeps its floor plan: who may use whom, and which crate stays behind which door.

#[test]
fn the_sources_are_where_the_plan_expects_them() {
    assert!(std::path::Path::new("src/lib.rs").is_file());
}
