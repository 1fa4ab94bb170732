//! Where the linker script and the model lie.

use std::path::Path;

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:rustc-link-arg-bins=-T{here}/link.ld");
    println!("cargo:rerun-if-changed=link.ld");
    // Any model that fits RAM will do; without one named, the demonstration model.
    println!("cargo:rerun-if-env-changed=NANOCAMELID_MODEL_GGUF");
    let model = std::env::var("NANOCAMELID_MODEL_GGUF")
        .unwrap_or_else(|_| format!("{here}/../../host/demo/nanocamelid-demo.gguf"));
    let model = Path::new(&model).canonicalize().unwrap_or_else(|error| panic!("{model}: {error}"));
    println!("cargo:rerun-if-changed={}", model.display());
    println!("cargo:rustc-env=MODEL={}", model.display());
}
