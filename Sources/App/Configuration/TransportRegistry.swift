internal import TransportKit

/// The transports of this program, the default first.
struct TransportRegistry: Sendable {
    let plugins: [TransportPlugin]

    /// At least one; kinds and names of options are unique.
    init(_ plugins: [TransportPlugin]) {
        self.plugins = plugins
        precondition(!plugins.isEmpty, "a program needs a transport")
        let kinds = plugins.map(\.kind)
        precondition(Set(kinds).count == kinds.count, "a kind of transport is there twice: \(kinds)")
        let names = Self.commonKeys + options.map(\.name)
        precondition(Set(names).count == names.count, "a setting of the transports is there twice: \(names)")
    }

    /// Keys of `node.transport` that every transport has.
    static let commonKeys = ["kind", "bind_addr", "advertise_addr"]

    var standard: TransportPlugin { plugins[0] }

    var kinds: [String] { plugins.map(\.kind) }

    /// Of all transports.
    var options: [TransportOption] { plugins.flatMap(\.options) }

    /// Why the transport `plugin` (`nil`: the default) cannot have `option`; `nil` when it can.
    func refusal(of option: TransportOption, with plugin: TransportPlugin?) -> String? {
        let plugin = plugin ?? standard
        guard !plugin.options.contains(where: { $0.name == option.name }) else { return nil }
        let owner = plugins.first { $0.options.contains { $0.name == option.name } }
        return "expected node.transport.kind \(owner?.kind ?? "") with it, found \(plugin.kind)"
    }
}

// Commands are types that the argument parser makes by itself, and their flags and help texts follow from the registry; so they
// find it here. Everything below them gets it as a value.
extension TransportRegistry {
    @TaskLocal private static var given: TransportRegistry?

    /// That of the program that this task runs.
    static var current: TransportRegistry {
        guard let given else { preconditionFailure("commands run below TransportRegistry.with") }
        return given
    }

    static func with<Value>(_ plugins: [TransportPlugin], _ body: () async throws -> Value) async rethrows -> Value {
        try await $given.withValue(TransportRegistry(plugins), operation: body)
    }
}

/// What a setting of one transport says.
enum TransportValue: Sendable, Equatable {
    case address(HostAndPort)
    case text(String)
}

extension TransportOption {
    /// The flag, without its dashes.
    var flag: String { String(name.map { $0 == "_" ? "-" : $0 }) }

    var rule: ValueRule<TransportValue> {
        switch form {
        case .address:
            let rule = ValueRule<HostAndPort>.address(ports: 0...UInt16.max)
            return ValueRule<TransportValue>(expectation: rule.expectation, isEmptyAbsent: rule.isEmptyAbsent) { text in
                rule.parse(text).map { .address($0) }
            }
        case .text(let expectation, let accepts):
            return ValueRule<TransportValue>(expectation: expectation) { accepts($0) ? .text($0) : nil }
        }
    }
}
