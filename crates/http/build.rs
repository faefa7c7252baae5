//! Tells cargo that the console's files are compiled in.

#[expect(
    clippy::print_stdout,
    reason = "this is how a build script speaks to cargo"
)]
fn main() {
    println!("cargo::rerun-if-changed=../../console/portal");
    println!("cargo::rerun-if-changed=../../console/shared");
    println!("cargo::rerun-if-changed=../../console/workbench");
}
