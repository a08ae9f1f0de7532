package import ArgumentParser
internal import Simulation

/// Clusters in virtual time: to look for broken promises, and to plan.
package struct SimulateCommand: AsyncParsableCommand {
    private static let examples = """
        Examples:
          auto-cluster-sync simulate --seed 7
              Three nodes, a minute of chaos, one seed.
          auto-cluster-sync simulate --seed 7 --watch
              The same, told line by line.
          auto-cluster-sync simulate --nodes 50 --seed 7 --minutes 10 --faults cuts --transport \(transports.last ?? "")
              Fifty nodes over the model of that transport, ten minutes of cut networks.
          auto-cluster-sync simulate --seeds 1..1000 --nodes 3..9
              A thousand runs over all cores, each with a number of nodes that follows from its seed.
          auto-cluster-sync simulate --seeds 1..50 --without walks
              The same with a mechanism switched off: some checker must notice.
          auto-cluster-sync simulate plan --nodes 10,100,1000
              How fast writes spread, what traffic costs and how soon deaths are noticed, by size of cluster.
          auto-cluster-sync simulate pauses --nodes 100 --minutes 60
              A quarter of the nodes stands still for 5 s now and then: who is declared failed?
          auto-cluster-sync simulate mutations
              Each mechanism switched off in turn: who notices?

        The same arguments give the same lines, on every run and on every machine. The status is 1 when a promise was \
        broken; the last line says how to see it again.
        """

    package static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Run clusters in virtual time, with faults, and check every promise.",
        discussion: examples,
        subcommands: [
            SimulateRunCommand.self, SimulatePlanCommand.self, SimulatePausesCommand.self,
            SimulateMutationsCommand.self, SimulateTransportsCommand.self,
        ],
        defaultSubcommand: SimulateRunCommand.self, helpNames: CommandLineNames.help)

    package init() {}

    static func mechanisms(_ names: [String]) throws -> Set<Mechanism> {
        var mechanisms: Set<Mechanism> = []
        for name in names {
            guard let mechanism = Mechanism(rawValue: name) else {
                let all = Mechanism.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--without: there is no \(name); it can be \(all)")
            }
            mechanisms.insert(mechanism)
        }
        return mechanisms
    }

    /// The transports that have a model.
    static let transports = TransportKind.allCases.map(\.rawValue)
    static let transportHelp: ArgumentHelp = "The transport that is modelled: \(transports.joined(separator: " or "))."

    static func transport(_ name: String) throws -> TransportKind {
        guard let kind = TransportKind(rawValue: name) else {
            throw ValidationError(
                "--transport: there is no \(name); it can be \(transports.joined(separator: " or "))")
        }
        return kind
    }
}
