public import Testing
internal import Transport

/// A plugin under test.
public struct TestedPlugin: Sendable, CustomTestStringConvertible {
    /// What test cases call it.
    public let name: String
    private let make: @Sendable () -> any TransportFixture

    /// `makeFixture` is called for each case.
    public init(_ name: String, makeFixture: @escaping @Sendable () -> any TransportFixture) {
        self.name = name
        make = makeFixture
    }

    /// A fixture of a case's own.
    public func fixture() -> any TransportFixture { make() }

    /// Its name.
    public var testDescription: String { name }
}

/// A plugin with or without a cluster key.
public struct Setting: Sendable, CustomTestStringConvertible {
    /// The plugin.
    public var plugin: TestedPlugin
    /// 32 bytes, or none.
    public var key: [UInt8]?

    /// One setting.
    public init(plugin: TestedPlugin, key: [UInt8]? = nil) {
        self.plugin = plugin
        self.key = key
    }

    /// The key of most cases.
    public static let testKey = [UInt8](1...32)
    /// A key that is not `testKey`.
    public static let otherKey = [UInt8](101...132)

    /// The plugin, and whether there is a key.
    public var testDescription: String { "\(plugin.name)\(key == nil ? "" : ", with key")" }
}

/// Keys of the sender and the receiver that do not go together, and what the receiver says.
struct Mismatch: Sendable {
    var plugin: TestedPlugin
    var senderKey: [UInt8]?
    var receiverKey: [UInt8]?
    var refusal: Refusal
    var cause: DropCause

    static func all(_ plugin: TestedPlugin) -> [Mismatch] {
        let (key, other) = (Setting.testKey, Setting.otherKey)
        return [
            Mismatch(plugin: plugin, senderKey: other, receiverKey: key, refusal: .otherKey, cause: .otherKey),
            Mismatch(plugin: plugin, senderKey: nil, receiverKey: key, refusal: .clearText, cause: .clearText),
            Mismatch(plugin: plugin, senderKey: key, receiverKey: nil, refusal: .sealed, cause: .otherKey),
        ]
    }
}
