@testable import App

func readSettings(_ text: String) throws -> PartialSettings {
    try PartialSettings(yaml: text, transports: Settings.transports)
}

func settingsFaults(_ text: String) -> [ConfigurationFault] {
    do throws(ConfigurationError) {
        _ = try PartialSettings(yaml: text, transports: Settings.transports)
        return []
    } catch {
        return error.faults
    }
}
