export CARGO_TARGET_AARCH64_UNKNOWN_NONE_LINKER=aarch64-linux-gnu-ld
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-C linker-flavor=ld -C link-arg=-T$PWD/link.ld"
nice cargo +debian build --release -Zbuild-std=core,alloc --target aarch64-unknown-none "$@" 2>&1 | tail -40
