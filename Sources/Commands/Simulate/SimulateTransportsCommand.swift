internal import ArgumentParser

/// For scripts that run something over each of them.
struct SimulateTransportsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transports", abstract: "Print the transports that are modelled, one a line.",
        helpNames: CommandLineNames.help)

    func run() { for name in SimulateCommand.transports { print(name) } }
}
