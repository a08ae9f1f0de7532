internal import Foundation
public import Testing
internal import Transport

/// The conformance suite: what every transport promises, checked over any plugin. A test target of a few lines runs it:
///
///     private let plugins = Conformance.chosen([TestedPlugin("tcp") { TCPFixture() }])
///
///     @Suite("TCP keeps its promises", .serialized)
///     struct TCPConformanceTests {
///         @Test(arguments: Conformance.cases(over: plugins))
///         func promise(_ promise: ConformanceCase) async throws { try await promise.run() }
///     }
public enum Conformance {
    /// What a check is about.
    public enum Group: String, Sendable, CaseIterable {
        case messages, exchanges, lifecycle, figures, strangers

        fileprivate var checks: [ConformanceCheck] {
            switch self {
            case .messages: MessageChecks.all
            case .exchanges: ExchangeChecks.all
            case .lifecycle: LifecycleChecks.all
            case .figures: FigureChecks.all
            case .strangers: StrangerChecks.all
            }
        }
    }

    /// Every check of `groups` over every plugin, with and without a key and on both channels where that makes a difference.
    public static func cases(_ groups: Group..., over plugins: [TestedPlugin]) -> [ConformanceCase] {
        (groups.isEmpty ? Group.allCases : groups).flatMap { group in
            group.checks.flatMap { check in plugins.flatMap { check.cases(over: $0) } }
        }
    }

    /// Each plugin of `diallers` dials each of `acceptors`, which are other plugins, with and without a key.
    public static func meetings(of diallers: [TestedPlugin], with acceptors: [TestedPlugin]) -> [ConformanceCase] {
        diallers.flatMap { dialler in
            acceptors.filter { $0.name != dialler.name }.flatMap { StrangerChecks.meetings(of: dialler, with: $0) }
        }
    }

    /// The plugin that the environment variable `AUTO_CLUSTER_SYNC_PLUGIN` names, or all.
    public static func chosen(_ plugins: [TestedPlugin]) -> [TestedPlugin] {
        guard let name = ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC_PLUGIN"] else { return plugins }
        return plugins.filter { $0.name == name }
    }
}

/// One promise over one plugin.
public struct ConformanceCase: Sendable, CustomTestStringConvertible {
    /// What is promised.
    public let claim: String
    /// The plugin and what else varies.
    public let variant: String
    private let body: @Sendable () async throws -> Void

    init(claim: String, variant: String, body: @escaping @Sendable () async throws -> Void) {
        self.claim = claim
        self.variant = variant
        self.body = body
    }

    /// Checks it: records an issue, or throws, where it does not hold.
    public func run() async throws { try await body() }

    /// The claim, and over what.
    public var testDescription: String { "\(claim) [\(variant)]" }
}

/// One promise, checked over any plugin.
struct ConformanceCheck: Sendable {
    private let makeCases: @Sendable (TestedPlugin) -> [ConformanceCase]

    func cases(over plugin: TestedPlugin) -> [ConformanceCase] { makeCases(plugin) }

    static func perPlugin(
        _ claim: String, _ body: @escaping @Sendable (TestedPlugin) async throws -> Void
    ) -> ConformanceCheck {
        ConformanceCheck { plugin in
            [ConformanceCase(claim: claim, variant: plugin.name) { try await body(plugin) }]
        }
    }

    static func perSetting(
        _ claim: String, _ body: @escaping @Sendable (Setting) async throws -> Void
    ) -> ConformanceCheck {
        ConformanceCheck { plugin in
            settings(plugin).map { setting in
                ConformanceCase(claim: claim, variant: setting.testDescription) { try await body(setting) }
            }
        }
    }

    static func perChannel(
        _ claim: String, _ body: @escaping @Sendable (Setting, Channel) async throws -> Void
    ) -> ConformanceCheck {
        ConformanceCheck { plugin in
            settings(plugin).flatMap { setting in
                Channel.allCases.map { channel in
                    ConformanceCase(claim: claim, variant: "\(setting.testDescription), \(channel)") {
                        try await body(setting, channel)
                    }
                }
            }
        }
    }

    static func perMismatch(
        _ claim: String, _ body: @escaping @Sendable (Mismatch) async throws -> Void
    ) -> ConformanceCheck {
        ConformanceCheck { plugin in
            Mismatch.all(plugin).map { mismatch in
                ConformanceCase(claim: claim, variant: "\(plugin.name), \(mismatch.refusal)") {
                    try await body(mismatch)
                }
            }
        }
    }

    private static func settings(_ plugin: TestedPlugin) -> [Setting] {
        [Setting(plugin: plugin), Setting(plugin: plugin, key: Setting.testKey)]
    }
}
