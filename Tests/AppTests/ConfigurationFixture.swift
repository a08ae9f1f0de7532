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
