fn main() {
    std::process::exit(berth::init::main());
}
