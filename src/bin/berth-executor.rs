fn main() {
    std::process::exit(berth::executor::main());
}
