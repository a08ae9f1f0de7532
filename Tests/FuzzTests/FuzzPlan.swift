import Foundation

/// How many inputs each target gets, and which: from the environment, else a few that fit into every run of the tests.
///
///     AUTO_CLUSTER_SYNC_FUZZ_INPUTS    inputs for each target
///     AUTO_CLUSTER_SYNC_FUZZ_TARGET    only this target
///     AUTO_CLUSTER_SYNC_FUZZ_SEED      all inputs follow from it
///     AUTO_CLUSTER_SYNC_FUZZ_FIRST     index of the first input
struct FuzzPlan: Sendable {
    static let environment = FuzzPlan(ProcessInfo.processInfo.environment)
    /// Takes all targets together some twenty seconds in a debug build.
    static let defaultInputs = 5_000
    private static let prefix = "AUTO_CLUSTER_SYNC_FUZZ_"

    /// `nil`: all of them.
    let target: String?
    let seed: UInt64
    let first: Int
    let inputs: Int
    /// Somebody asked for it, and wants to read how it went.
    let isVerbose: Bool

    init(_ environment: [String: String]) {
        func value<Value>(_ name: String, _ read: (String) -> Value?) -> Value? {
            environment[Self.prefix + name].flatMap(read)
        }
        target = environment[Self.prefix + "TARGET"]
        seed = value("SEED") { UInt64($0) } ?? 1
        first = value("FIRST") { Int($0) } ?? 0
        let wanted = value("INPUTS") { Int($0) }
        inputs = wanted ?? Self.defaultInputs
        isVerbose = wanted != nil
    }

    var targets: [FuzzTarget] { FuzzTarget.all.filter { target == nil || $0.name == target } }

    /// The command that tries the input with this index again, and no other. The index has twelve digits, so that
    /// `FuzzTrace` can replace it in place.
    static func replay(_ target: String, seed: UInt64, index: Int) -> String {
        let digits = String(index)
        let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        return "\(prefix)TARGET=\(target) \(prefix)SEED=\(seed) \(prefix)INPUTS=1 \(prefix)FIRST=\(padded)"
    }
}
