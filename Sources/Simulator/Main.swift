internal import ArgumentParser
internal import Commands

/// `simulate` as a program of its own: for scripts and CI, since it is built without the web server and the store.
@main
struct Main {
    static func main() async { await SimulateCommand.main() }
}
