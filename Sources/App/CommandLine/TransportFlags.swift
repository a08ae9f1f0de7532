internal import ArgumentParser
internal import Commands
internal import TransportKit

/// The flags of the transports' own settings: which they are is known when the program runs.
///
/// The parser asks reflection which flags there are, and a decoder for what was typed; property wrappers only write both.
struct TransportFlags: ParsableArguments {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Those that were given, by the name of the setting.
    private(set) var values: [String: String] = [:]

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        for option in TransportRegistry.current.options {
            let flag = try container.decode(Option<String?>.self, forKey: Key(stringValue: option.name))
            values[option.name] = flag.wrappedValue
        }
    }
}

extension TransportFlags: CustomReflectable {
    var customMirror: Mirror {
        Mirror(self, children: TransportRegistry.current.options.map { ($0.name, Self.flag(for: $0)) })
    }

    private static func flag(for option: TransportOption) -> Option<String?> {
        let valueName = if case .address = option.form { "host:port" } else { "value" }
        return Option(
            name: CommandLineNames.both(option.flag), help: ArgumentHelp("\(option.help)", valueName: valueName))
    }
}
