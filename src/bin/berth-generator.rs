fn main() {
    std::process::exit(berth::unit::generator::main());
}
