//! The console in the browser (docs/console.md).

mod browser;
mod files;
mod operators;
mod people;
