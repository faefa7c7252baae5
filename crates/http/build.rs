//! Tells cargo that the console's files are compiled in.

fn main() {
    println!("cargo::rerun-if-changed=../../console/docs");
    println!("cargo::rerun-if-changed=../../console/portal");
    println!("cargo::rerun-if-changed=../../console/shared");
    println!("cargo::rerun-if-changed=../../console/workbench");
}
