import Foundation

@testable import AutoClusterSync
@testable import Executable

/// Those of the program.
let transports = TransportRegistry(Main.transports)

func readSettings(_ text: String) throws -> PartialSettings {
    try PartialSettings(yaml: text, transports: transports)
}

func settingsFaults(_ text: String) -> [ConfigurationFault] {
    do throws(ConfigurationError) {
        _ = try PartialSettings(yaml: text, transports: transports)
        return []
    } catch {
        return error.faults
    }
}

extension Settings {
    init(_ partial: PartialSettings, hostName: String) {
        self.init(partial, transports: transports, hostName: hostName)
    }

    static func resolve(_ flags: FlagValues, hostName: String = "machine") throws(ConfigurationError) -> Self {
        try resolve(flags, transports: transports, hostName: hostName)
    }
}

extension RootCommand {
    static func runHere(_ arguments: [String]) async -> Exit {
        await TransportRegistry.with(Main.transports) { await run(arguments) }
    }
}

extension Settings.Cluster {
    var publishAddress: HostAndPort? {
        if case .address(let address) = transportValues["publish_addr"] { address } else { nil }
    }
}

/// What the original service is started with.
let originalText = """
    # Log level: debug, info, warn, error (default: info)
    log_level: "info"

    node:
      name: "node-1"
      serf:
        bind_addr: "127.0.0.1:7946"
      http:
        port: 8080
      database:
        path: "./todos-node1.db"

    cluster:
      seeds:
        - "127.0.0.1:7946"
      join_timeout: 10
    """

func temporaryPath() -> String { NSTemporaryDirectory() + "configuration-\(UUID().uuidString).yaml" }
