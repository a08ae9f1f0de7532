internal import ArgumentParser
internal import Commands
internal import Keys
internal import Runtime
internal import TransportKit

/// Runs a node until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let examples = """
        Examples:
          auto-cluster-sync
              One node that stands alone: port 8080, database ./todos.db.
          auto-cluster-sync -port 3000 -db /tmp/todos.db
              The same elsewhere.
          auto-cluster-sync -config configs/local_1.yaml
              A node of a cluster; local_2.yaml and local_3.yaml are its peers.
              Beside them are clusters over other transports.
          auto-cluster-sync -keygen
              A new key for cluster.encrypt_key.

        Flags take one dash or two and beat the file; the file beats the defaults. \
        configs/reference.yaml explains every key of the file.
        """

    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run a node: todos over HTTP, the same on every node of a cluster.",
        usage: "auto-cluster-sync [<flags>]", discussion: examples,
        helpNames: CommandLineNames.help)

    @OptionGroup var options: ServeOptions

    func run() async throws {
        guard !options.keygen else { return print(KeyAnnouncement(key: try .random())) }
        OpenFiles.raiseLimit()
        try await serve(try options.resolve())
    }
}

/// The flags of a node.
struct ServeOptions: ParsableArguments {
    @Option(name: CommandLineNames.both("config"), help: ArgumentHelp("YAML configuration file.", valueName: "file"))
    var config: String?

    @Option(name: CommandLineNames.both("port"), help: "HTTP port; 0 takes any free one. (default: 8080)")
    var port: String?

    @Option(
        name: CommandLineNames.both("db"), help: ArgumentHelp("Database file. (default: ./todos.db)", valueName: "file")
    )
    var db: String?

    @Option(
        name: CommandLineNames.both("node-name"),
        help: ArgumentHelp("Name of this node, unique in the cluster. (default: the host name)", valueName: "name"))
    var nodeName: String?

    @Option(
        name: CommandLineNames.both("bind-addr"),
        help: ArgumentHelp("Address for the other nodes; turns the cluster on.", valueName: "host:port"))
    var bindAddr: String?

    @Option(
        name: CommandLineNames.both("serf-addr"), help: ArgumentHelp("The same as -bind-addr.", valueName: "host:port"))
    var serfAddr: String?

    @OptionGroup var transportFlags: TransportFlags

    @Option(
        name: CommandLineNames.both("transport"),
        help: ArgumentHelp(
            "How nodes talk to each other, the same on all: "
                + TransportRegistry.current.kinds.joined(separator: ", ")
                + ". (default: \(TransportRegistry.current.standard.kind))", valueName: "kind"))
    var transport: String?

    @Flag(name: CommandLineNames.both("keygen"), help: "Print a new cluster key and exit.")
    var keygen = false

    /// Reads the file, if one is named. Nothing is opened for writing, and nothing is created.
    func resolve() throws(ConfigurationError) -> Settings {
        try Settings.resolve(values, transports: .current)
    }

    var values: FlagValues {
        FlagValues(
            config: config, port: port, db: db, nodeName: nodeName, serfAddr: serfAddr, bindAddr: bindAddr,
            transport: transport, transportValues: transportFlags.values)
    }
}

/// What `-keygen` prints: the key alone on the first line, for scripts, then what to do with it, for people.
struct KeyAnnouncement: CustomStringConvertible {
    let key: ClusterKey

    var description: String {
        """
        \(key.base64)

        This is a new key for a cluster: 32 random bytes in base64. Put it into the configuration file of every node:

            cluster:
              encrypt_key: "\(key.base64)"

        Nodes with another key, or none, cannot join. Keep it secret.
        """
    }
}
