fn main() {
    std::process::exit(berth::network::names::main());
}
